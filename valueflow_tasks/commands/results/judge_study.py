"""The command `valueflow judge-study`: how stable judges are, from judgements that were saved."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from valueflow.commands.results.report import NEEDED
from valueflow.commands.screen import examples, say, show_tables
from valueflow.hub_assets.errors import OptionError
from valueflow.hub_assets.files import write_csv, write_text

if TYPE_CHECKING:
    from valueflow.scorers.figures import Figure
    from valueflow.scorers.saved.judgements import SavedStudy
    from valueflow.scorers.summary.stability.study import StabilityStudy

__all__ = ["judge_study_command", "study_files"]

FIGURE_COLUMNS = [
    "way",
    "scale",
    "figure",
    "value",
    "se",
    "lower",
    "upper",
    "texts",
    "clusters",
    "published",
]
DIFFERENCE_COLUMNS = [
    "figure",
    "way",
    "scale",
    "other_way",
    "other_scale",
    "difference",
    "se",
    "lower",
    "upper",
]
JUDGE_COLUMNS = [
    "way",
    "scale",
    "judge",
    "wording",
    "texts",
    "mean",
    "sd",
    "at_ends",
    "correlation",
    "slope",
]
SCORE_COLUMNS = [
    "item",
    "value",
    "query",
    "label",
    "way",
    "judge",
    "wording",
    "raw",
    "calibrated",
    "calibrated_se",
]


@click.command(
    "judge-study",
    epilog=examples(
        "valueflow judge-study logs/JUDGES.eval -o stability",
        "valueflow judge-study judgements.jsonl more.csv -o stability -c label=human_rating",
        "valueflow judge-study gpt.jsonl gemma.jsonl -o stability --files-are judges",
    ),
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder for the tables and the page.",
)
@click.option(
    "-c",
    "--column",
    "columns",
    multiple=True,
    metavar="FIELD=COLUMN",
    help="A field that has another name in the files, such as label=truth; may be repeated.",
)
@click.option(
    "--files-are",
    type=click.Choice(["wordings", "judges"]),
    default="wordings",
    show_default=True,
    help="What a file's name stands for in rows without a judge or a wording.",
)
def judge_study_command(
    files: tuple[Path, ...], output: Path, columns: tuple[str, ...], files_are: str
) -> None:
    """Say how stable judges are, from saved judgements of the same texts, without any model.

    FILES are Inspect logs of valueflow/judge_stability, logs in which several judges scored the
    same responses, tables (.jsonl, .json, .csv, .tsv, .parquet), or folders of them. Fields of a
    row: item, value, judge, wording; optionally label (the intensity by people) and query; and
    rating (the judge's number for the text alone), or anchors with order or ratings, as
    valueflow score reads them.
    """
    named = dict(map(_field, columns))
    from valueflow.scorers.saved.judgements import read_study

    with Console(stderr=True).status("Reading and estimating ..."):
        found = read_study(files, named, files_are)
        study_files(found, output)
        page = _page(found, output)
    show_tables(_shown(found.study))
    for what, count in {**found.study.left_out, **found.left_out}.items():
        say(f"Left out: {count} {what}", err=True)
    for note in found.study.notes:
        say(f"Note: {note}", err=True)
    judges = len({one.asked.judge for one in found.study.scores})
    say(
        f"{len(found.study.texts):,} texts, {judges} {'judge' if judges == 1 else 'judges'}; "
        f"tables in {output}{f', {page}' if page else ''}"
    )
    if not page:
        say("Note: for a page with pictures: pip install 'valueflow[report]'", err=True)


def _page(found: SavedStudy, folder: Path) -> Path | None:
    """The study's page, where the libraries that draw it are installed."""
    if any(find_spec(name) is None for name in NEEDED):
        return None
    from valueflow.results.judge_study.studies import saved_study
    from valueflow.results.report import write_study_page

    notes = [f"left out: {count} {what}" for what, count in found.left_out.items()]
    write_study_page(saved_study(found.study, notes), folder)
    return folder / "index.html"


def _field(given: str) -> tuple[str, str]:
    name, _, column = given.partition("=")
    if not (name and column):
        raise OptionError("--column", f"{given!r} is not FIELD=COLUMN, such as label=truth")
    return name.strip(), column.strip()


def _shown(study: StabilityStudy) -> list[Table]:
    """A table for each way: its figures with their 95 % intervals."""
    from valueflow.scorers.summary.stability.study import FIGURES

    tables = []
    for way in dict.fromkeys(one.way for one in study.figures):
        own = {(one.scale, one.name): one for one in study.figures if one.way == way}
        table = Table(way.replace("_", " ").capitalize())
        scales = list(dict.fromkeys(scale for scale, _ in own))
        for scale in scales:
            table.add_column(scale)
        table.add_column("published", justify="right")
        for name, kind in FIGURES.items():
            cells = [own.get((scale, name)) for scale in scales]
            if any(cells):
                head = f"{kind.title} ({kind.unit})" if kind.unit else kind.title
                told = [_figure(one.figure, kind.form) if one else "" for one in cells]
                table.add_row(head, *told, _number(published(way, name), kind.form))
        tables.append(table)
    return tables


def _figure(figure: Figure, form: str) -> str:
    """A number with its interval."""
    number = _number(figure.value, form)
    if math.isnan(figure.lower):
        return number
    return f"{number} ({_number(figure.lower, form)} to {_number(figure.upper, form)})"


def published(way: str, name: str) -> float | None:
    """The published study's figure, where it has one."""
    from valueflow.scorers.summary.stability.study import PUBLISHED

    return PUBLISHED.get(way, {}).get(name)


def _number(number: float | None, form: str) -> str:
    if number is None:
        return ""
    return f"{100 * number:.1f}" if form == "share" else f"{number:.2f}"


def study_files(found: SavedStudy, folder: Path) -> None:
    """Writes `figures.csv`, `differences.csv`, `judges.csv`, `scores.csv` and `run.json`.

    Args:
        found: the study.
        folder: where they go; made if it is not there.

    Raises:
        InputFileError: a file cannot be written.
    """
    study = found.study
    figures = [
        {
            "way": one.way,
            "scale": one.scale,
            "figure": one.name,
            **asdict(one.figure),
            "texts": one.texts,
            "clusters": one.clusters,
            "published": published(one.way, one.name),
        }
        for one in study.figures
    ]
    differences = []
    for one in study.differences:
        row = {"figure": one.name, "difference": one.figure.value, **asdict(one.figure)}
        at = ("way", "scale", "other_way", "other_scale")
        differences.append(row | {name: getattr(one, name) for name in at})
    write_csv(folder / "figures.csv", FIGURE_COLUMNS, figures)
    write_csv(folder / "differences.csv", DIFFERENCE_COLUMNS, differences)
    write_csv(folder / "judges.csv", JUDGE_COLUMNS, [asdict(one) for one in study.judges])
    write_csv(folder / "scores.csv", SCORE_COLUMNS, _scores(study))
    run: dict[str, Any] = {
        "valueflow": version("valueflow"),
        "files": [str(path) for path in found.files],
        "texts": len(study.texts),
        "left_out": {**study.left_out, **found.left_out},
        "notes": study.notes,
    }
    write_text(folder / "run.json", json.dumps(run, indent=2, ensure_ascii=False) + "\n")


def _scores(study: StabilityStudy) -> Sequence[dict[str, object]]:
    return [
        {
            **asdict(text),
            "way": one.asked.way,
            "judge": one.asked.judge,
            "wording": one.asked.wording,
            "raw": raw,
            "calibrated": calibrated,
            "calibrated_se": se,
        }
        for one in study.scores
        for text, raw, calibrated, se in zip(
            study.texts, one.raw.tolist(), one.calibrated.tolist(), one.se.tolist(), strict=True
        )
        if not math.isnan(raw)
    ]
