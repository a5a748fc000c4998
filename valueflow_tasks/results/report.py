"""`valueflow report`: from Inspect logs to a page, figures and tables.

The folder holds `index.html`, `figures/*.pdf`, `.png` and `.svg`, `tables/*.csv`, `methods.txt` and
`report.json`, which names every file; a later report into the same folder removes what an earlier
one wrote and it does not.
"""

import io
import json
import os
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from valueflow.hub_assets.errors import InputFileError, OptionError, singular
from valueflow.hub_assets.files import write_csv, write_text
from valueflow.results.judge_study.sections import (
    study_cautions,
    study_methods,
    study_sections,
)
from valueflow.results.judge_study.studies import (
    JudgeStudies,
    JudgeStudy,
    is_study_log,
    judge_studies_of,
)
from valueflow.results.logs import without_folders
from valueflow.results.page import PageText, Section, left_out_text, page
from valueflow.results.steering.methods import methods_text
from valueflow.results.steering.sections import cautions, findings_of, sections_of
from valueflow.results.steering.studies import Studies, Study, studies_of
from valueflow.results.studies import Skipped, unusable
from valueflow.results.style import Drawing, style
from valueflow.results.survey.logs import is_opinion_log
from valueflow.results.survey.methods import opinion_methods_text
from valueflow.results.survey.sections import opinion_cautions, opinion_sections_of
from valueflow.results.survey.studies import OpinionStudies, OpinionStudy, opinion_studies_of
from valueflow.results.tables import left_out_table
from valueflow.scorers.saved.logs import find_logs

__all__ = [
    "Report",
    "write_report",
    "write_study_page",
]

DPI = 150

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Report:
    """What was written: the folder, the studies of steering tasks, of surveys and of judges, and
    the names of the files in the folder."""

    folder: Path
    found: Studies
    surveys: OpinionStudies
    judged: JudgeStudies
    files: list[str]

    @property
    def skipped(self) -> list[Skipped]:
        """Logs of any task that were not used."""
        return [*self.found.skipped, *self.surveys.skipped, *self.judged.skipped]

    @property
    def warnings(self) -> list[str]:
        """What a reader must be told before comparing studies."""
        return [*self.found.warnings, *self.surveys.warnings]

    @property
    def studies(self) -> list[Study | OpinionStudy | JudgeStudy]:
        """All studies, those of steering first."""
        return [*self.found.studies, *self.surveys.studies, *self.judged.studies]


def write_report(
    paths: Iterable[str | Path],
    folder: Path,
    title: str | None = None,
    progress: Progress | None = None,
    names: Mapping[str, str] | None = None,
    only: Collection[str] = (),
) -> Report:
    """Reads logs and writes a report.

    Args:
        paths: Inspect logs and folders of them.
        folder: where the report goes; made if it is not there.
        title: the page's heading; by the logs' tasks where it is not given.
        progress: is told what is done, how many are done, and how many there are.
        names, only: what models are called, and which values are shown; see `studies_of`.

    Raises:
        InputFileError: a path is not there, a folder holds no log, or no log can be used.
        OptionError: the folder cannot be written to.
    """
    _check_writable(folder)
    tell = progress or (lambda what, done, of: None)
    paths = list(paths)
    files = find_logs(paths)
    surveyed = [path for path in files if is_opinion_log(path)]
    of_judges = [path for path in files if path not in set(surveyed) and is_study_log(path)]
    others = [path for path in files if path not in {*surveyed, *of_judges}]
    mixed = sum(map(bool, (surveyed, of_judges, others))) > 1
    found = studies_of(others, tell, tagged=mixed, names=names, only=only)
    surveys = opinion_studies_of(surveyed, tell, mixed, first_tag=len(found.studies))
    tags = len(found.studies) + len(surveys.studies)
    judged = judge_studies_of(of_judges, tell, mixed, first_tag=tags)
    skipped = [*found.skipped, *surveys.skipped, *judged.skipped]
    if not (found.studies or surveys.studies or judged.studies):
        raise unusable(paths, skipped)
    with style():
        sections = [
            *sections_of(found),
            *opinion_sections_of(surveys),
            *study_sections(judged),
            *_left_out(skipped),
        ]
        images, written = _parts(sections, folder, tell)
    report = Report(
        folder, found, surveys, judged, [*written, "methods.txt", "index.html", "report.json"]
    )
    settings = [setting for study in report.studies for setting in study.settings.values()]
    places = {setting for setting in settings if os.path.isabs(setting)}
    methods = [
        singular(without_folders(paragraph, places))
        for paragraph in [
            *methods_text(found.studies),
            *opinion_methods_text(surveys.studies),
            *study_methods(judged),
        ]
    ]
    write_text(folder / "methods.txt", "\n\n".join(methods) + "\n")
    text = PageText(
        title=title or _title(report),
        findings=findings_of(found),
        logs=sum(len(study.logs) for study in report.studies),
        cautions=[
            *cautions(found),
            *opinion_cautions(surveys),
            *study_cautions(judged),
            *left_out_text(len(skipped)),
        ],
        methods=methods,
        notes={
            **{study.label: [*study.notes, *study.summary.notes] for study in found.studies},
            **{study.label: study.notes for study in surveys.studies},
            **{study.label: [*study.notes, *study.study.notes] for study in judged.studies},
        },
        tags={study.label: study.tag for study in report.studies if study.tag},
    )
    write_text(folder / "index.html", page(text, sections, images, places))
    _remove_older(folder, report.files)
    manifest = {
        "valueflow": version("valueflow"),
        "logs": [log.path for study in report.studies for log in study.logs],
        "left_out": {one.path: one.reason for one in skipped},
        "files": report.files,
    }
    write_text(folder / "report.json", json.dumps(manifest, indent=2) + "\n")
    return report


def write_study_page(study: JudgeStudy, folder: Path, title: str | None = None) -> list[str]:
    """Writes the page of one judge study, with its figures and tables, from saved judgements.

    Args:
        study: the study.
        folder: where it goes; made if it is not there.
        title: the page's heading.

    Returns:
        The names of the files.

    Raises:
        OptionError: the folder cannot be written to.
    """
    _check_writable(folder)
    found = JudgeStudies([study], [], [])
    with style():
        sections = study_sections(found)
        images, written = _parts(sections, folder, lambda what, done, of: None)
    text = PageText(
        title=title or "Judge study",
        logs=len(study.logs),
        cautions=study_cautions(found),
        methods=study_methods(found),
        notes={study.label: [*study.notes, *study.study.notes]},
        tags={},
    )
    write_text(folder / "index.html", page(text, sections, images))
    return [*written, "index.html"]


def _parts(
    sections: Sequence[Section], folder: Path, tell: Progress
) -> tuple[dict[str, str], list[str]]:
    """Writes the drawings and tables of sections; SVGs by name, and the names of the files."""
    drawings = [drawing for section in sections for drawing in section.drawings]
    images: dict[str, str] = {}
    written: list[str] = []
    for index, drawing in enumerate(drawings):
        tell("drawing", index, len(drawings))
        images[drawing.name] = _save(drawing, folder)
        written += [f"figures/{drawing.name}.{form}" for form in ("pdf", "png", "svg")]
    tell("drawing", len(drawings), len(drawings))
    for section in sections:
        for table in section.tables:
            write_csv(folder / "tables" / f"{table.name}.csv", table.columns, table.rows)
            written.append(f"tables/{table.name}.csv")
    return images, written


def _title(report: Report) -> str:
    if report.judged.studies and not (report.found.studies or report.surveys.studies):
        return "Judge study"
    if not report.surveys.studies:
        return "Value steering report"
    return "Value steering and survey report" if report.found.studies else "Survey report"


def _left_out(skipped: Sequence[Skipped]) -> list[Section]:
    table = left_out_table(skipped)
    return [Section("left_out", "Logs left out", [], [], [table])] if table.rows else []


def _check_writable(folder: Path) -> None:
    """Before anything is read, so that a long report is not lost at its end."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OptionError(
            "-o", f"{folder} cannot be written to ({error.strerror}); name another folder"
        ) from None


def _save(drawing: Drawing, folder: Path) -> str:
    """Writes a drawing as PDF, PNG and SVG, and returns the SVG."""
    svg, png, pdf = io.StringIO(), io.BytesIO(), io.BytesIO()
    # Without dates, so that the same logs make the same files.
    drawing.figure.savefig(svg, format="svg", metadata={"Date": None, "Title": drawing.title})
    # What stands where is settled by now, and takes longer than the drawing.
    drawing.figure.set_layout_engine("none")
    drawing.figure.savefig(png, format="png", dpi=DPI)
    drawing.figure.savefig(pdf, format="pdf", metadata={"CreationDate": None})
    write_text(folder / "figures" / f"{drawing.name}.svg", svg.getvalue())
    _write_bytes(folder / "figures" / f"{drawing.name}.png", png.getvalue())
    _write_bytes(folder / "figures" / f"{drawing.name}.pdf", pdf.getvalue())
    return svg.getvalue()


def _write_bytes(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputFileError(path, f"cannot be written ({error.strerror})") from None


def _remove_older(folder: Path, written: list[str]) -> None:
    """Removes files of an earlier report that this one did not write again."""
    try:
        listed = json.loads((folder / "report.json").read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    for name in set(map(str, listed)) - set(written):
        path = (folder / name).resolve()
        if path.is_file() and path.parent.parent == folder.resolve():
            path.unlink()
