"""A run on one screen: a row a value, the averages, the judge in a line, what was lost.

The same rows stand at the end of a run, in `valueflow summary` and under lm-evaluation-harness:
numbers for programs, and texts for readers.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from valueflow.hub_assets.errors import printable, singular
from valueflow.scorers.estimate.evaluation import MANY_BEYOND, Evaluation
from valueflow.scorers.figures import Figure
from valueflow.scorers.records import ResponseRecord
from valueflow.scorers.summary.agreement import PanelSummary
from valueflow.scorers.summary.cells import CellSummary, cells_present
from valueflow.scorers.summary.run import RunSummary

__all__ = [
    "AGAIN",
    "Overview",
    "OverviewTable",
    "ceiling_mark",
    "figure_text",
    "judges_itself",
    "overview",
    "overview_text",
    "self_judged",
]

SHOWN = ("up", "down", "range")
"""Figures of a value that have a column."""

AVERAGED = {
    "asymmetry": "asymmetry",
    "sign_accuracy": "sign accuracy",
    "monotonicity": "monotonicity",
    "slope": "slope",
}
"""Further figures, whose averages over values are told in a line."""

AGAIN = (
    "inspect score LOG --action overwrite --output-file NEW.eval --scorer valueflow/intensity "
    "--model-role grader=JUDGE"
)
"""The command that gives a log to another judge."""

OF_PROFILES = ("distance", "distance_default", "rank_correlation", "sign_share", "leak")
"""Figures of a profile that have a column."""

MOST_ROWS = 48
"""Rows of asked and measured intensities that are shown; more are for programs alone."""

COUNTED = {
    "refusals": "refused",
    "unscored": "without a score",
    "cut": "cut by the token limit",
    "over_word_limit": "over the word limit",
    "truncated": "shown to the judge in part",
    "windows_failed": "windows without a ranking",
    "judge_retries": "answers asked for again",
    "judge_repairs": "answers read with repairs",
    "choice_fallbacks": "choices that became rankings",
    "anchors_borrowed": "anchors from another bucket",
    "anchors_repeated": "anchors shown twice",
}
"""Counts that are told where they are not zero."""

DOUBTFUL = 0.01
"""P-value, over the number of values, below which a judge does not order anchors as the model
says."""


@dataclass(frozen=True)
class OverviewTable:
    """Rows for programs and the same rows for readers.

    Attributes:
        title: what its rows are.
        columns: headings of `texts`; the first column names the rows.
        texts: cells to read, a figure with its standard error; none where they are for programs
            alone.
        numbers: by name; `NAME_se` is the standard error of `NAME`, None where there is none.
    """

    title: str
    columns: list[str]
    texts: list[list[str]]
    numbers: list[dict[str, Any]]


@dataclass(frozen=True)
class Overview:
    """A run on one screen.

    Attributes:
        warning: that the model judged itself, and how to mend it; empty where it did not.
        tables: of the values, and of pairs, squares, composites and profiles where there are some.
        lines: averages, ceilings, the judge, and counts that are not zero.
    """

    warning: str
    tables: list[OverviewTable]
    lines: list[str] = field(default_factory=list)


def figure_text(figure: Figure | None, digits: int = 1, *, signed: bool = True) -> str:
    """`+4.3 ± 0.6`; an error that these digits would show as 0 has as many as it takes."""
    if figure is None or math.isnan(figure.value):
        return ""
    text = f"{figure.value:{'+' if signed else ''}.{digits}f}"
    if math.isnan(figure.se):
        return text
    error = f"{figure.se:.{digits}f}"
    return f"{text} ± {error if float(error) else f'{figure.se:.1g}'}"


def ceiling_mark(cell: CellSummary | None) -> str:
    """`▲` or `▼` where more than a fifth of a cell's responses lie above, or below, every anchor:
    how far beyond is then not known."""
    if cell is None:
        return ""
    high, low = (x if x > MANY_BEYOND else 0.0 for x in (cell.beyond_high, cell.beyond_low))
    if high + low == 0:
        return ""
    return "▲" if high >= low else "▼"


def judges_itself(records: Sequence[ResponseRecord]) -> bool:
    """Whether the evaluated model judged its own responses."""
    return any(r.get("judge", {}).get("is_evaluated_model") for r in records)


def self_judged(model: str = "") -> str:
    """The sentence on a model that judges itself, with the command that mends it."""
    return (
        f"{model or 'The evaluated model'} judges its own responses, since no model has the role "
        "grader: its numbers are no measurement to publish. Name a judge with --model-role "
        f"grader=JUDGE, or for a finished log: {AGAIN}"
    )


def overview(summary: RunSummary, records: Sequence[ResponseRecord]) -> Overview:
    """What a reader sees first of a run.

    Args:
        summary: of the records.
        records: all responses of the run.
    """
    # A summary may have been made of the same records in another order.
    place = {cell: place for place, cell in enumerate(cells_present(records))}
    cells = sorted(summary.cells, key=lambda cell: place.get(cell.cell, len(place)))
    made = (_values(summary, cells), _profiles(summary), *_designs(summary))
    tables = [table for table in made if table.numbers]
    lines = [*_averages(summary), *_ceilings(tables), *_wordings(summary)]
    lines += [*_judge(summary, records), *_counts(summary)]
    models = {r["judge"]["model"] for r in records if "judge" in r}
    warning = self_judged(", ".join(sorted(models))) if judges_itself(records) else ""
    return Overview(warning, tables, lines)


def _values(summary: RunSummary, of: Sequence[CellSummary]) -> OverviewTable:
    """A row for each value that was measured alone, and the averages below."""
    cells: dict[tuple[str, str, str], dict[int, CellSummary]] = {}
    for cell in of:
        if not cell.condition:
            cells.setdefault((cell.theory, cell.value, cell.group), {})[cell.level] = cell
    steered = any(len(found) > 1 for found in cells.values())
    if steered:
        # Values of which only the default is known were steered together with others.
        cells = {key: found for key, found in cells.items() if len(found) > 1}
    elif any(cell.condition for cell in of):
        cells = {}
    levels = sorted({level for found in cells.values() for level in found})
    figures = {(v.theory, v.value, v.group): v.figures for v in summary.values}
    shown = [n for n in SHOWN if any(n in figures.get(key, {}) for key in cells)]
    texts, numbers = [], []
    for key, found in cells.items():
        theory, value, group = key
        own = figures.get(key, {})
        row: dict[str, Any] = {"theory": theory, "value": value, "group": group}
        means = []
        for level in levels:
            one, name = found.get(level), level_name(level)
            mean = one.mean if one and not math.isnan(one.mean.value) else None
            means.append(f"{mean.value:+.1f}{ceiling_mark(one)}" if mean else "")
            _put(row, f"mean {name}", mean)
            row[f"beyond {name}"] = ceiling_mark(one)
        for name in shown:
            _put(row, name, own.get(name))
        label = " ".join(part for part in (group, value) if part)
        texts.append([label, *means, *(figure_text(own.get(name)) for name in shown)])
        numbers.append(row)
    if len(texts) > 1 and any(name in summary.overall for name in shown):
        average = [figure_text(summary.overall.get(name)) for name in shown]
        texts.append([f"mean of {len(texts)}", *("" for _ in levels), *average])
    columns = ["value", *map(level_name, levels), *shown]
    return OverviewTable("mean intensity by level", columns, texts, numbers)


def level_name(level: int) -> str:
    """`-2`, `0`, `+1`."""
    return f"{level:+d}" if level else "0"


def _put(row: dict[str, Any], name: str, figure: Figure | None) -> None:
    row[name] = figure.value if figure else None
    row[f"{name} se"] = figure.se if figure and not math.isnan(figure.se) else None


def _designs(summary: RunSummary) -> list[OverviewTable]:
    """Pairs, squares, composites and profiles by their own figures."""
    found = []
    for title, prefix, rows in (
        ("pairs", "pair", [(pair.name, pair.figures) for pair in summary.pairs]),
        ("five values", "five", [(square.name, square.figures) for square in summary.squares]),
        ("composites", "composite", [(one.value, one.figures) for one in summary.composites]),
        ("profiles", "profile", [(one.name, _of_profile(one.figures)) for one in summary.profiles]),
    ):
        overall = {
            name.removeprefix(f"{prefix} "): figure
            for name, figure in summary.overall.items()
            if name.startswith(f"{prefix} ")
        }
        overall = _of_profile(overall) if prefix == "profile" else overall
        if len(rows) > 1 and overall:
            rows = [*rows, (f"mean of {len(rows)}", overall)]
        names = [n for n in overall if any(n in figures for _, figures in rows)]
        names = names or list(dict.fromkeys(n for _, figures in rows for n in figures))
        signed = prefix != "profile"
        texts = [
            [row, *(figure_text(figures.get(n), 2, signed=signed) for n in names)]
            for row, figures in rows
        ]
        numbers = []
        for row, figures in rows:
            told: dict[str, Any] = {"name": row}
            for name in names:
                _put(told, name, figures.get(name))
            numbers.append(told)
        columns = [title, *(name.replace("_", " ") for name in names)]
        found.append(OverviewTable(title, columns, texts, numbers))
    return found


def _of_profile(figures: Mapping[str, Figure]) -> dict[str, Figure]:
    """Those of a profile's figures that have a column."""
    return {name: figures[name] for name in OF_PROFILES if name in figures}


def _profiles(summary: RunSummary) -> OverviewTable:
    """What each profile asks of each value beside what was measured."""
    several = len(summary.profiles) > 1
    texts, numbers = [], []
    for profile in summary.profiles:
        for point in profile.points:
            row: dict[str, Any] = {"profile": profile.name, "value": point.value}
            row |= {"asked": point.asked, "level": point.level}
            _put(row, "measured", point.mean)
            _put(row, "default", point.default)
            numbers.append(row)
            texts.append(
                [
                    f"{profile.name} {point.value}" if several else point.value,
                    "unknown" if point.asked is None else f"{point.asked:+.1f}",
                    level_name(point.level) if point.level else "not named",
                    figure_text(point.mean),
                    figure_text(point.default),
                ]
            )
    columns = ["value", "asked", "level", "measured", "default"]
    shown = texts if len(texts) <= MOST_ROWS else []
    return OverviewTable("asked and measured", columns, shown, numbers)


def _averages(summary: RunSummary) -> list[str]:
    told = [
        f"{words} {figure_text(summary.overall[name], 2, signed=False)}"
        for name, words in AVERAGED.items()
        if name in summary.overall
    ]
    return [f"On average: {', '.join(told)}"] if told else []


def _ceilings(tables: Sequence[OverviewTable]) -> list[str]:
    marked = {mark for table in tables for row in table.texts for cell in row for mark in cell}
    if not marked & {"▲", "▼"}:
        return []
    return [
        "▲ ▼: more than a fifth of the responses lie beyond every anchor; the mean is at least, or "
        "at most, what is shown"
    ]


def _wordings(summary: RunSummary) -> list[str]:
    """What the wordings of the persona do, in one line."""
    told = []
    for group, found in summary.evaluation.wordings.items() if summary.evaluation else ():
        which = f" of {group}" if group else ""
        further = ", ".join(
            f"{number}: {figure_text(one, 2)}" for number, one in found.strength.items()
        )
        told.append(
            f"{len(found.wordings)} wordings of the persona{which}: a cell's mean differs between "
            f"them by {figure_text(found.sd, 2, signed=False)} (standard deviation; alike for all "
            f"values {found.sd_common:.2f}); further than average {further}"
        )
    return told


def _judge(summary: RunSummary, records: Sequence[ResponseRecord]) -> list[str]:
    """The judge in one line."""
    models = {r["judge"]["model"] for r in records if "judge" in r}
    if not models:
        return []
    counts = summary.counts
    done = counts["windows"] - counts["windows_failed"]
    told = [f"{done:,} windows", f"{counts['judge_calls']:,} calls"]
    if counts["judge_cached"]:
        told.append(f"{counts['judge_cached']:,} answers from a cache")
    found = summary.evaluation
    if found is not None and summary.panel is not None:
        return _panel(summary.panel, found, ", ".join(told))
    if found is not None and found.judges:
        told.append(_spread("scale", [judge.scale for judge in found.judges.values()]))
        told.append(_spread("place effect", [j.place_effect for j in found.judges.values()]))
        doubted = [n for n, fit in found.fit.items() if fit.p_value < DOUBTFUL / len(found.fit)]
        if doubted:
            told.append(f"orders anchors unlike the model on {', '.join(doubted)}")
    if found is not None and found.rating_judges:
        told.append(_spread("slope", [judge.slope for judge in found.rating_judges.values()]))
        told.append(_spread("text sd", [j.text_sd for j in found.rating_judges.values()]))
    return [f"Judge {', '.join(sorted(models))}: {'; '.join(told)}"]


def _panel(panel: PanelSummary, found: Evaluation, counted: str) -> list[str]:
    """The judges of a panel, a line each, and how far they agree."""
    alpha = panel.agreement
    agreed = "" if alpha.alpha is None or math.isnan(alpha.alpha) else f"; alpha {alpha.alpha:.2f}"
    lines = [f"Panel of {len(panel.judges)} judges: {counted}{agreed}"]
    for judge in panel.judges:
        told = [f"{judge.judged:,} windows"]
        if judge.used is not None:
            told.append(f"{judge.used['asked'] + judge.used['failed']:,} calls")
            told += [f"${judge.used['cost']:.2f}"] if judge.used["cost"] else []
        keys = [key for key, (_, name) in found.named.items() if name == judge.name]
        ranks = [found.judges[key] for key in keys if key in found.judges]
        rates = [found.rating_judges[key] for key in keys if key in found.rating_judges]
        if ranks:
            told.append(_spread("scale", [one.scale for one in ranks]))
            told.append(_spread("place effect", [one.place_effect for one in ranks]))
        if rates:
            told.append(_spread("slope", [one.slope for one in rates]))
            told.append(_spread("text sd", [one.text_sd for one in rates]))
        told += ["left out, since most of its windows have no judgement"] if judge.dropped else []
        for name in ("range", "pair cosine", "five rank_agreement"):
            if name in judge.without:
                told.append(f"{name} without it {figure_text(judge.without[name], signed=False)}")
        lines.append(f"  {judge.name}: {'; '.join(told)}")
    return lines


def _spread(name: str, numbers: Sequence[float]) -> str:
    if len(numbers) == 1:
        return f"{name} {numbers[0]:.2f}"
    return f"{name} {median(numbers):.2f} ({min(numbers):.2f} to {max(numbers):.2f})"


def _counts(summary: RunSummary) -> list[str]:
    counts = summary.counts
    told = [f"{counts['responses']:,} responses"]
    told += [f"{counts[name]:,} {words}" for name, words in COUNTED.items() if counts[name]]
    return [", ".join(told)]


def overview_text(found: Overview, where: Sequence[str] = ()) -> str:
    """An overview as lines of plain text, for wherever there is no terminal to ask for its width.

    Args:
        found: the overview.
        where: lines on where to go on.
    """
    lines = [f"! {found.warning}", ""] if found.warning else []
    for table in found.tables:
        if not table.texts:
            continue
        rows = [table.columns, *table.texts]
        widths = [max(len(row[place]) for row in rows) for place in range(len(table.columns))]
        for row in rows:
            cells = [
                cell.ljust(width) if place == 0 else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            lines.append("  ".join(cells).rstrip())
        lines.append("")
    lines += [*found.lines, *where]
    return singular(printable("\n".join(lines), lines=True))
