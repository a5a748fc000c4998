"""The part of a report on steering runs: its tables, its sections, and what must be said first."""

from collections.abc import Iterable, Sequence

from valueflow.hub_assets.errors import UnknownNameError
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.results.page import Section
from valueflow.results.steering.figures.designs import composite_curves, pair_planes, square_maps
from valueflow.results.steering.figures.judge import (
    judge_fits,
    judge_parameters,
    judge_ratings,
)
from valueflow.results.steering.figures.models import refusal_rates, refusal_shifts, steerability
from valueflow.results.steering.figures.panel import panel_figures
from valueflow.results.steering.figures.values import (
    bars_by_model,
    bars_by_value,
    dose_response_curves,
)
from valueflow.results.steering.rows import (
    agreement_rows,
    cell_rows,
    composite_rows,
    count_row,
    fit_rows,
    judge_rows,
    pair_rows,
    panel_rows,
    ranking_rows,
    rating_judge_rows,
    refusals_by_level,
    square_figure_rows,
    square_rows,
    study_row,
    value_rows,
    without_rows,
    wording_rows,
)
from valueflow.results.steering.series import MODERATE, STRONG, Series, series_of
from valueflow.results.steering.studies import Studies, Study
from valueflow.results.steering.texts.evidence import evidence_of
from valueflow.results.steering.texts.findings import findings, self_judged_text
from valueflow.results.tables import Table, log_rows, setting_rows, table_of, usage_rows

__all__ = [
    "cautions",
    "demonstration_assets",
    "findings_of",
    "regimes_text",
    "sections_of",
    "tables_of",
]


def sections_of(found: Studies) -> list[Section]:
    """The parts of the page on steering in order, with all figures and tables."""
    studies = found.studies
    if not studies:
        return []
    series = series_of(studies)
    tables = {table.name: table for table in tables_of(found, series)}

    def some(*names: str) -> list[Table]:
        return [tables[name] for name in names if name in tables]

    ranks = steerability(series)
    bars = bars_by_model(series)
    # The main picture: what sets models apart, and of a lone one what sets its values apart.
    first = ranks if len(series) > 1 and ranks else bars
    refusals, quiet = refusal_rates(series) + refusal_shifts(series), []
    if not any(record["refusal"] for study in studies for record in study.records):
        refusals, quiet = [], [NO_REFUSAL]
    return [
        Section("findings", "At a glance", [], first),
        Section("ranking", "Steerability", [regimes_text()] if ranks else [],
                [] if first is ranks else ranks, some("ranking")),
        Section("values", "Values by model", [], [] if first is bars else bars, some("values")),
        Section("models", "Models by value", [], bars_by_value(series)),
        Section("dose", "Dose and response", [], dose_response_curves(series), some("cells")),
        Section("wordings", "Wordings of the persona", [_WORDINGS] if "wordings" in tables else [],
                [], some("wordings")),
        Section("pairs", "Two values at once", [], pair_planes(studies), some("pairs")),
        Section("squares", "Five values at once", [], square_maps(studies),
                some("squares", "square_cells")),
        Section("composites", "Values by their children", [], composite_curves(studies),
                some("composites")),
        Section("refusals", "Refusals", quiet, refusals, some("refusals")),
        Section("evidence", "Evidence", [_EVIDENCE], evidence=evidence_of(series)),
        Section("judges", "Judges", [], judge_fits(studies) + judge_parameters(studies)
                + judge_ratings(studies),
                some("judges", "rating_judges", "judge_fit")),
        Section("panel", "Panel of judges", [_PANEL] if "panel" in tables else [],
                panel_figures(studies), some("panel", "agreement", "without_judge")),
        Section("cost", "Counts and cost", [_COST], [],
                some("counts", "cost")),
        Section("settings", "Settings", [], [], some("settings")),
        Section("logs", "Logs", [], [], some("studies", "logs")),
    ]  # fmt: skip


_PANEL = (
    "Several judges judged these responses. Each has a scale of its own, and its view of a text is "
    "its own too, so that where judges differ the difference is in the errors. What is shown "
    "without a judge was estimated from the others' windows alone."
)

_WORDINGS = (
    "Each question was asked with the persona in one of several wordings. What differs between "
    "wordings beyond what differs between questions is the wording's doing (analysis of variance): "
    "its standard deviation is that of a cell's mean over the wordings that one might have used, "
    "and it stands in the errors of all figures. A wording of positive strength moves the means "
    "further than the average wording toward where the persona points."
)

NO_REFUSAL = "No response was refused at any level."

_EVIDENCE = (
    "Responses word for word. The median response of a cell stands between the two of its anchors "
    "that enclose it: the next above and the next below its intensity, which is estimated from its "
    "windows and its cell. All text below was written by models or stands in tables of anchors."
)

_COST = (
    "Generations and judge calls are counted from the samples, tokens from the logs' own accounts "
    "by model, and those of a judge from the records of its answers (in logs of earlier versions "
    "by role: grader). What a cache answered costs no tokens and is counted apart."
)


def findings_of(found: Studies) -> list[str]:
    """What the studies found, a sentence each, see `findings`."""
    return findings(series_of(found.studies))


def cautions(found: Studies) -> list[str]:
    """What a reader must know before using the numbers."""
    told = []
    simulated = [study for study in found.studies if study.is_simulated]
    if simulated:
        which = f" ({', '.join(s.tag for s in simulated)})" if simulated[0].tag else ""
        told.append(
            f"Simulated models were used{which}: valueflow/respondent or valueflow/judge. Their "
            "numbers check the instrument and say nothing about any language model."
        )
    told += [f"{name}: {note}" for name, note in demonstration_assets(found.studies).items()]
    for study in found.studies:
        if panel := study.summary.panel:
            told += [
                f"{study.label}: {judge.name} was dropped from the panel of judges, since "
                f"{judge.lost:,} of its {judge.judged + judge.lost:,} windows have no judgement."
                for judge in panel.judges
                if judge.dropped
            ]
        if study.judge.get("is_evaluated_model"):
            told.append(self_judged_text(study.label))
        lost = study.counts["planned"] - len(study.records)
        if lost > 0:
            told.append(
                f"{study.label}: {lost} of {study.counts['planned']} planned samples failed, are "
                "missing or have no score; the figures show the rest."
            )
        if study.summary.evaluation is None:
            told.append(
                f"{study.label}: none of its {len(study.records)} responses could be scored; only "
                "refusals and counts are shown."
            )
        elif any("level 0" in note for note in study.notes):
            told.append(
                f"{study.label}: there is no scored response without steering, so there are no "
                "shifts, no ranges and no place in the ranking."
            )
    told += found.warnings
    return told


def regimes_text() -> str:
    """The cut-offs of the regimes, stated."""
    return (
        f"Regimes: weak below {MODERATE:g} points of mean range, moderate from {MODERATE:g}, "
        f"strong from {STRONG:g}. The paper names the three regimes without cut-offs; these are "
        "this project's: there are four steps between levels −2 and +2, so that a weakly steerable "
        "model moves less than one point a step and a strongly steerable one at least two. Where "
        "an interval crosses a cut-off, the regime is not settled and the table says so. A model "
        "of which more than a fifth of the responses at the outer levels lie beyond every anchor "
        "is not ranked: the scale ends before its range does. Ranks "
        "compare models only where judge, anchors, questions and values are the same."
    )


def tables_of(found: Studies, series: Sequence[Series]) -> list[Table]:
    """All tables that hold a row."""
    studies = found.studies
    tables = [
        table_of("studies", "Studies", [study_row(s) for s in studies]),
        table_of("logs", "Logs", log_rows(studies)),
        table_of("ranking", "Ranking", ranking_rows(series)),
        table_of("values", "Values", [r for s in studies for r in value_rows(s)]),
        table_of("cells", "Cells", [r for s in studies for r in cell_rows(s)]),
        table_of("pairs", "Pairs", [r for s in studies for r in pair_rows(s)]),
        table_of("squares", "Squares", [r for s in studies for r in square_figure_rows(s)]),
        table_of("square_cells", "Cells of squares", [r for s in studies for r in square_rows(s)]),
        table_of("composites", "Composites", [r for s in studies for r in composite_rows(s)]),
        table_of(
            "refusals", "Refusals by level", [r for s in series for r in refusals_by_level(s)]
        ),
        table_of("judges", "Judges per value", [r for s in studies for r in judge_rows(s)]),
        table_of(
            "rating_judges",
            "Judges' ratings per value",
            [r for s in studies for r in rating_judge_rows(s)],
        ),
        table_of(
            "wordings", "Wordings of the persona", [r for s in studies for r in wording_rows(s)]
        ),
        table_of("panel", "Judges of the panel", [r for s in studies for r in panel_rows(s)]),
        table_of(
            "agreement", "Agreement of judges", [r for s in studies for r in agreement_rows(s)]
        ),
        table_of(
            "without_judge", "Without each judge", [r for s in studies for r in without_rows(s)]
        ),
        table_of("judge_fit", "Orders by distance", [r for s in studies for r in fit_rows(s)]),
        table_of("counts", "Counts", [count_row(s) for s in studies]),
        table_of("cost", "Tokens", [r for s in studies for r in usage_rows(s)]),
        table_of("settings", "All settings", [r for s in studies for r in setting_rows(s)]),
    ]
    return [table for table in tables if table.rows]


def demonstration_assets(studies: Iterable[Study]) -> dict[str, str]:
    """Embedded assets that some study used, with the registry's note on each."""
    registry = load_registry()
    found = {}
    for study in studies:
        for kind in ("anchors", "queries"):
            name = study.settings.get(kind, "")
            try:
                asset = registry.asset(name)
            except UnknownNameError:
                continue
            if asset.embedded and asset.note:
                found[name] = f"{asset.title}. {asset.note}"
    return found
