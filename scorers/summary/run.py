"""What a run says: cells, dose–response per value, pairs, squares, composites, profiles, averages.

Knows no harness: it takes response records and returns numbers. Everything comes from the cells'
populations, whose errors count a query as one observation; under the published estimator, which
knows single responses only, what is read within a query comes from its responses' estimates.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from valueflow.scorers.estimate.covariance import JointCells
from valueflow.scorers.estimate.evaluation import (
    Evaluation,
    FittedPanel,
    evaluate,
    fit_panel,
    own_estimates,
)
from valueflow.scorers.estimate.table import WindowTable
from valueflow.scorers.figures import Figure
from valueflow.scorers.records import (
    ResponseRecord,
    dropped_judges,
    dropped_note,
    is_judged,
    judge_usage,
    judged_and_lost,
    lost_windows,
    measured,
    used_of,
    window_records,
)
from valueflow.scorers.summary.agreement import PanelSummary, panel_summary
from valueflow.scorers.summary.cells import (
    CellKey,
    CellSummary,
    by_query,
    cell_summaries,
    cells_present,
    published_signs,
)
from valueflow.scorers.summary.designs.composites import CompositeSummary, composite_summaries
from valueflow.scorers.summary.designs.pairs import PairSummary, pair_summaries
from valueflow.scorers.summary.designs.profiles import ProfileSummary, profile_summaries
from valueflow.scorers.summary.designs.squares import SquareSummary, square_summaries
from valueflow.scorers.summary.dose_response import (
    ValueSummary,
    published_summaries,
    sign_accuracies,
    steered_orders,
    value_summaries,
)
from valueflow.scorers.summary.stability.length import LengthEffect, length_effect

__all__ = [
    "CellSummary",
    "Figure",
    "RunSummary",
    "ValueSummary",
    "flatten",
    "run_counts",
    "summarize",
]


HEADLINES = (
    "range",
    "pair cosine",
    "five rank_agreement",
    "composite direction_agreement",
    "profile distance",
)
"""Figures that the tasks show first, each with its standard error."""


@dataclass(frozen=True)
class RunSummary:
    """Everything that a run says.

    Attributes:
        overall: the figures of single values averaged over values; those of pairs, squares,
            composites and profiles averaged over each of these, as `pair cosine`, ...
        counts: responses, refusals, windows, judge calls and what was lost or repaired.
        evaluation: judges, cells and responses, refusals left out; None where nothing was ranked.
        length: how the judge takes the length of texts; None where the anchors do not tell.
        panel: what several judges say of themselves; None where there was one.
    """

    cells: list[CellSummary]
    values: list[ValueSummary]
    overall: dict[str, Figure]
    counts: dict[str, int]
    evaluation: Evaluation | None
    pairs: list[PairSummary] = field(default_factory=list)
    squares: list[SquareSummary] = field(default_factory=list)
    composites: list[CompositeSummary] = field(default_factory=list)
    profiles: list[ProfileSummary] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    length: LengthEffect | None = None
    panel: PanelSummary | None = None


def summarize(responses: Iterable[ResponseRecord], estimator: str = "population") -> RunSummary:
    """Sums up a run, or as much of one as there is.

    Args:
        responses: records of responses, from one judge or one panel, scored or not.
        estimator: see `evaluate`.

    Raises:
        ValueError: a record is malformed.
    """
    # Sorted, so that the order in which samples happen to finish changes no digit.
    given = list(responses)
    cells = cells_present(given)
    records = sorted(given, key=lambda response: (response["query"], response["item"]))
    kept = list(measured(records))
    table = _table(kept)
    fitted = fit_panel(table) if table is not None and estimator == "population" else None
    evaluation = _evaluation(table, cells, estimator, fitted)
    ranked = any(_ranked(response) for response in records if response["refusal"])
    everything = _evaluation(_table(records), cells, estimator) if ranked else None
    words = [response["words"] for response in kept]
    # The length of texts is one judge's matter; several judges are not taken for one.
    length = None
    if table is not None and table.judge is None:
        length = length_effect(table, words)
    joint = _joint(evaluation) if evaluation is not None else None
    if joint is not None and estimator == "population":
        orders = steered_orders(cells, joint)
        signs = sign_accuracies(cells, orders)
        summaries = cell_summaries(records, cells, evaluation, signs, everything)
        values, overall = value_summaries(summaries, joint, orders)
    else:
        queries = by_query(evaluation)
        signs = published_signs(queries, cells)
        summaries = cell_summaries(records, cells, evaluation, signs, everything)
        values, overall = published_summaries(summaries, queries)
    panel = None
    several = len(judged_and_lost(records)) > 1
    if several and table is not None and fitted is not None and evaluation is not None:
        panel = _panel(records, cells, table, fitted, evaluation)
    summary = RunSummary(
        cells=summaries,
        values=values,
        overall=overall,
        counts=run_counts(records),
        evaluation=evaluation,
        notes=[
            *lost_note(records),
            *cut_note(records),
            *panel_notes(records),
            *target_note(records),
            *(length.notes() if length else []),
            *(evaluation.notes if evaluation else []),
        ],
        length=length,
        panel=panel,
    )
    if joint is not None and any(key.design != "steer" for key in cells.values()):
        _add_designs(summary, joint)
    return summary


def _table(records: Sequence[ResponseRecord]) -> WindowTable | None:
    """The windows of a run, without those of judges that were dropped; None where there is none."""
    table = WindowTable.from_records(window_records(records))
    if not table.windows:
        return None
    if out := dropped_judges(judged_and_lost(records)):
        table = table.of_judges([name for name in table.judges if name not in out])
    return table


def _evaluation(
    table: WindowTable | None,
    cells: dict[str, CellKey],
    estimator: str,
    fitted: FittedPanel | None = None,
) -> Evaluation | None:
    if table is None:
        return None
    scored = {table.cells[code] for code in set(table.item_cell[table.item].tolist())}
    baselines = {
        cell: key.default
        for cell, key in cells.items()
        if not key.is_default and cell in scored and key.default in scored
    }
    return evaluate(table, estimator=estimator, baselines=baselines, fitted=fitted)


def _panel(
    records: Sequence[ResponseRecord],
    cells: dict[str, CellKey],
    table: WindowTable,
    fitted: FittedPanel,
    evaluation: Evaluation,
) -> PanelSummary:
    """The panel, with the averages over values, pairs and so on without each of its judges."""
    without = {}
    for name in evaluation.panel:
        rest = fitted.without(name)
        others = _evaluation(table.of_judges(rest.names), cells, "population", rest)
        assert others is not None
        joint = _joint(others)
        orders = steered_orders(cells, joint)
        signs = sign_accuracies(cells, orders)
        summaries = cell_summaries(records, cells, others, signs, None)
        values, overall = value_summaries(summaries, joint, orders)
        part = RunSummary(summaries, values, overall, {}, others)
        if any(key.design != "steer" for key in cells.values()):
            _add_designs(part, joint)
        without[name] = part.overall
    counts, used = judged_and_lost(records), judge_usage(records)
    own = own_estimates(table, fitted)
    return panel_summary(
        fitted.names, own, table.query_rank, evaluation.shared, counts, used, without
    )


def _ranked(response: ResponseRecord) -> bool:
    return any(is_judged(w) for record in response["values"].values() for w in record["windows"])


def _joint(evaluation: Evaluation) -> JointCells:
    return JointCells.of(
        {cell.cell: cell.intensity for cell in evaluation.cells},
        {cell.cell: cell.value for cell in evaluation.cells},
        evaluation.errors,
    )


def _add_designs(summary: RunSummary, joint: JointCells) -> None:
    """What several targets belong to, from the cells' means and the covariance of their errors."""
    pairs, pair_overall = pair_summaries(summary.cells, joint)
    squares, five_overall = square_summaries(summary.cells, joint)
    composites, composite_overall = composite_summaries(summary.cells, joint)
    profiles, profile_overall = profile_summaries(summary.cells, joint)
    summary.pairs.extend(pairs)
    summary.squares.extend(squares)
    summary.composites.extend(composites)
    summary.profiles.extend(profiles)
    summary.notes.extend(
        f"profile {one.name}: {', '.join(one.missing)} of it "
        f"{'has' if len(one.missing) == 1 else 'have'} no ranking, and its figures go without"
        for one in profiles
        if one.missing
    )
    for prefix, figures in (
        ("pair", pair_overall),
        ("five", five_overall),
        ("composite", composite_overall),
        ("profile", profile_overall),
    ):
        summary.overall.update({f"{prefix} {name}": figure for name, figure in figures.items()})


TOLD = 3
"""Kinds of errors that a note names, the commonest."""


def lost_note(records: Iterable[ResponseRecord]) -> list[str]:
    """A sentence on the windows that have no ranking and why; none where all have one."""
    lost = lost_windows(records)
    if not lost:
        return []
    count = sum(lost.values())
    told = "; ".join(f"{why} ({times:,})" for why, times in lost.most_common(TOLD))
    more = len(lost) - TOLD
    others = f"; and {more:,} other {'error' if more == 1 else 'errors'}" if more > 0 else ""
    return [
        f"{count:,} {'window has' if count == 1 else 'windows have'} no ranking: {told}{others}. "
        "`valueflow repair` asks for them again, and for no other"
    ]


def panel_notes(records: Sequence[ResponseRecord]) -> list[str]:
    """A sentence on each judge of a panel that was left out; none where all were kept."""
    counts = judged_and_lost(records)
    notes = []
    for name in dropped_judges(counts):
        why = next(iter(lost_windows(records, name)), None)
        notes.append(dropped_note(name, counts[name], why))
    return notes


def target_note(records: Iterable[ResponseRecord]) -> list[str]:
    """What became of each wanted standard error of responses, where some were not reached."""
    ended: dict[float, Counter[str | None]] = {}
    for record in records:
        wanted = record.get("judge", {}).get("target_se")
        if wanted is None:
            continue
        for value in record["values"].values():
            if any(map(is_judged, value["windows"])):
                ended.setdefault(wanted, Counter())[value.get("stopped")] += 1
    told = []
    for wanted, why in ended.items():
        missed = {
            "the judge's own disagreement with the text, which more windows do not wear down, is "
            "larger": why["disagreement"],
            "windows or anchors were used up": why[None],
        }
        if any(missed.values()):
            reasons = "; ".join(f"{count}: {what}" for what, count in missed.items() if count)
            told.append(
                f"target_se={wanted:g} was reached by {why['target']} of {why.total()} responses "
                f"({reasons})"
            )
    return told


def cut_note(records: Iterable[ResponseRecord]) -> list[str]:
    """A sentence on the responses that the token limit cut, by condition; none where none was."""
    cut: Counter[str] = Counter()
    ranked = 0
    for record in records:
        if record.get("cut"):
            ranked += record["unscored"] is None
            cut.update({value["cell"] for value in record["values"].values()})
    if not cut:
        return []
    cells = ", ".join(f"{cell} ({count})" for cell, count in cut.most_common(TOLD))
    more = f" and {len(cut) - TOLD} more cells" if len(cut) > TOLD else ""
    what = (
        f"{ranked} of them ranked like whole ones; `cut=exclude` leaves them out"
        if ranked
        else "they are left out"
    )
    return [
        f"The token limit cut responses in {cells}{more}, {what}. A higher max_tokens of the "
        "evaluated model avoids it"
    ]


def _calls(response: ResponseRecord) -> int:
    """Calls that reached the judge's provider."""
    if used := used_of(response):
        return sum(one["asked"] + one["failed"] for one in used)
    # Earlier records do not tell which of them a cache answered.
    windows = [w for record in response["values"].values() for w in record["windows"]]
    return sum(window["calls"] for window in windows) + ("refusal_raw" in response)


def run_counts(records: Sequence[ResponseRecord]) -> dict[str, int]:
    """How many responses, windows and calls there are, and how many of each kind."""
    windows = [
        window
        for response in records
        for record in response["values"].values()
        for window in record["windows"]
    ]
    return {
        "responses": len(records),
        "refusals": sum(response["refusal"] for response in records),
        "unscored": sum(response["unscored"] is not None for response in records),
        "over_word_limit": sum(response["over_word_limit"] for response in records),
        "cut": sum(bool(response.get("cut")) for response in records),
        "truncated": sum(bool(response.get("truncated")) for response in records),
        "windows": len(windows),
        "windows_failed": sum(not is_judged(window) for window in windows),
        "judge_calls": sum(map(_calls, records)),
        "judge_cached": sum(one["cached"] for r in records for one in used_of(r)),
        "judge_retries": sum(max(window["calls"] - 1, 0) for window in windows),
        "judge_repairs": sum(window["repaired"] for window in windows),
        "choice_fallbacks": sum(window.get("fallback") is not None for window in windows),
        "anchors_borrowed": sum(
            record["borrowed"] for response in records for record in response["values"].values()
        ),
        "anchors_repeated": sum(
            record["repeated"] for response in records for record in response["values"].values()
        ),
    }


def flatten(summary: RunSummary) -> dict[str, float]:
    """A summary as one mapping; figures that the data do not allow are left out."""
    flat: dict[str, float] = {}

    def put(name: str, figure: Figure | None) -> None:
        if figure is not None and not math.isnan(figure.value):
            flat[name] = figure.value
            if not math.isnan(figure.se):
                flat[f"{name}_stderr"] = figure.se

    for cell in summary.cells:
        name = cell.cell
        flat[f"{name} count"] = cell.count
        put(f"{name} mean", cell.mean)
        put(f"{name} shift", cell.shift)
        put(f"{name} shift_with_refusals", cell.with_refusals)
        put(f"{name} sign_accuracy", cell.sign_accuracy)
        if not math.isnan(cell.beyond_high):
            flat[f"{name} beyond_high"] = cell.beyond_high
            flat[f"{name} beyond_low"] = cell.beyond_low
        flat[f"{name} refusal_rate"] = cell.refusals / cell.responses
        flat[f"{name} unscored"] = cell.unscored
        flat[f"{name} cut"] = cell.cut
        if not math.isnan(cell.words):
            flat[f"{name} words"] = cell.words
        flat[f"{name} over_word_limit"] = cell.over_word_limit / cell.responses
    for value in summary.values:
        for figure_name, figure in value.figures.items():
            put(f"{value.group} {value.value} {figure_name}".strip(), figure)
    for pair in summary.pairs:
        for point in pair.points:
            for figure_name, figure in point.figures.items():
                put(f"{point.condition} {figure_name}", figure)
        for figure_name, figure in pair.figures.items():
            put(f"{pair.name} {figure_name}", figure)
    for square in summary.squares:
        for figure_name, figure in square.figures.items():
            put(f"five {square.name} {figure_name}", figure)
    for composite in summary.composites:
        for figure_name, figure in composite.figures.items():
            put(f"composite {composite.value} {figure_name}", figure)
    for profile in summary.profiles:
        for figure_name, figure in profile.figures.items():
            put(f"profile {profile.name} {figure_name}", figure)
    if summary.evaluation is not None:
        for name, judge in summary.evaluation.judges.items():
            put(f"{name} judge_scale", Figure(judge.scale, judge.scale_se))
            put(f"{name} place_effect", Figure(judge.place_effect, judge.place_effect_se))
            put(f"{name} judge_fit", Figure(summary.evaluation.fit[name].p_value))
        for name, rating in summary.evaluation.rating_judges.items():
            put(f"{name} judge_slope", Figure(rating.slope, rating.slope_se))
            put(f"{name} judge_level", Figure(rating.level, rating.level_se))
            put(f"{name} judge_text_sd", Figure(rating.text_sd, rating.text_sd_se))
            put(f"{name} judge_noise", Figure(rating.noise_sd))
            put(f"{name} judge_correlation", Figure(rating.correlation))
    for group, found in summary.evaluation.wordings.items() if summary.evaluation else ():
        name = f"{group} wordings".strip()
        put(f"{name} sd", found.sd)
        put(f"{name} sd_common", Figure(found.sd_common))
        for number, further in found.strength.items():
            put(f"{name} {number} strength", further)
    if summary.length is not None:
        put("length_effect", summary.length.per_doubling)
        put("length_bias", summary.length.bias)
        put("anchor_words", Figure(summary.length.anchor_words))
        put("response_words", Figure(summary.length.response_words))
    for figure_name, figure in summary.overall.items():
        put(figure_name, figure)
    if summary.panel is not None:
        flat["judges"] = len(summary.panel.judges)
        flat["judges_dropped"] = sum(judge.dropped for judge in summary.panel.judges)
        if summary.panel.agreement.alpha is not None:
            flat["judges alpha"] = summary.panel.agreement.alpha
        for judge_of_panel in summary.panel.judges:
            for figure_name in HEADLINES:
                rest = judge_of_panel.without.get(figure_name)
                put(f"{figure_name} without {judge_of_panel.name}", rest)
    responses = max(summary.counts["responses"], 1)
    flat["refusal_rate"] = summary.counts["refusals"] / responses
    flat["over_word_limit"] = summary.counts["over_word_limit"] / responses
    for name in (
        "responses",
        "unscored",
        "cut",
        "truncated",
        "windows",
        "windows_failed",
        "judge_calls",
        "judge_cached",
        "judge_retries",
        "judge_repairs",
        "choice_fallbacks",
        "anchors_borrowed",
        "anchors_repeated",
    ):
        flat[name] = summary.counts[name]
    return flat
