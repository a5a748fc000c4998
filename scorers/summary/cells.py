"""Cells as a reader wants them: counts, mean, shift, sign accuracy and refusals of a condition."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from valueflow.scorers.estimate.evaluation import Cell, Evaluation, Shift
from valueflow.scorers.figures import Figure, mean_figure
from valueflow.scorers.records import ResponseRecord, ValueRecord, cell_name, is_judged

__all__ = [
    "ByQuery",
    "CellKey",
    "CellSummary",
    "by_query",
    "cell_summaries",
    "cells_present",
    "published_signs",
]


@dataclass(frozen=True)
class CellSummary:
    """One (theory, value, level), under one condition.

    Attributes:
        cell: its name.
        condition: all targets where there are others than this value; else empty.
        design, part_of: what the condition belongs to, see `SampleSettings`.
        targets: (theory, value or child, level) of the condition.
        place: the value's place among those that its responses are scored on.
        asked: the intensity, in points, that a profile asks of the value; NaN where none does.
        count: responses that were scored.
        mean: population mean of the intensity, in [−10, 10]; refusals are not among its responses.
        lower, upper: 95 % interval of the mean.
        spread: its standard deviation over responses.
        shift: mean minus the default's, paired by query; absent at level 0.
        sign_accuracy: probability that a response differs from the default's to the same query as
            the target's sign says, see `valueflow.scorers.summary.levels`.
        beyond_high, beyond_low: shares of the scored responses that stand above, and below, every
            anchor that they were shown with: of them the windows tell no more than that.
        with_refusals: the shift with refusals among the responses: as they were ranked, where they
            were, else as responses that the steering did not move; None where none was refused.
        refusals, unscored, over_word_limit, cut: responses of that kind; `cut` by the token limit.
        responses: all responses, scored or not.
        words: mean number of words of the scored responses; NaN where there is none.
    """

    theory: str
    value: str
    group: str
    level: int
    cell: str
    condition: str
    design: str
    part_of: str
    targets: tuple[tuple[str, str, int], ...]
    place: int
    responses: int
    count: int
    mean: Figure
    lower: float
    upper: float
    spread: float
    shift: Figure | None
    with_refusals: Figure | None
    sign_accuracy: Figure | None
    refusals: int
    unscored: int
    over_word_limit: int
    cut: int = 0
    beyond_high: float = math.nan
    beyond_low: float = math.nan
    words: float = math.nan
    asked: float = math.nan


@dataclass(frozen=True)
class CellKey:
    """What a cell's name stands for."""

    theory: str
    value: str
    group: str
    level: int
    condition: str
    design: str
    part_of: str
    targets: tuple[tuple[str, str, int], ...]
    place: int
    asked: float = math.nan

    @property
    def default(self) -> str:
        """The cell from which its shift is taken."""
        return cell_name(self.value, 0, self.group)

    @property
    def is_default(self) -> bool:
        """Whether it is that cell itself."""
        return self.level == 0 and not self.condition


def cells_present(records: Sequence[ResponseRecord]) -> dict[str, CellKey]:
    """The cells of some responses: values and conditions in order of appearance, and the levels of
    a value from low to high."""
    found: dict[str, CellKey] = {}
    for response in records:
        for place, record in enumerate(response["values"].values()):
            if record["cell"] not in found:
                found[record["cell"]] = _key(response, record, place)
    first: dict[tuple[str, ...], int] = {}
    for key in found.values():
        first.setdefault((key.theory, key.value, key.group), len(first))
    conditions = {key.condition: i for i, key in enumerate(found.values()) if key.condition}
    return dict(
        sorted(
            found.items(),
            key=lambda item: (
                conditions.get(item[1].condition, -1),
                first[item[1].theory, item[1].value, item[1].group],
                item[1].level,
            ),
        )
    )


def _key(response: ResponseRecord, record: ValueRecord, place: int) -> CellKey:
    asked, own = response.get("asked", []), (record["theory"], record["value"])
    return CellKey(
        theory=record["theory"],
        value=record["value"],
        group=record["group"],
        level=record["level"],
        condition=record.get("condition", ""),
        design=response.get("design", "steer"),
        part_of=response.get("part_of", ""),
        targets=tuple((t, v, int(level)) for t, v, level in response.get("targets", [])),
        place=place,
        asked=next((float(x) for t, v, x in asked if (t, v) == own), math.nan),
    )


ByQuery = dict[str, dict[str, float]]


def by_query(evaluation: Evaluation | None) -> ByQuery:
    """Cell to query to the mean maximum-likelihood estimate of the query's responses."""
    collected: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for estimate in evaluation.items if evaluation else ():
        collected[estimate.cell][estimate.query].append(estimate.maximum_likelihood)
    return {
        cell: {query: float(np.mean(found)) for query, found in queries.items()}
        for cell, queries in collected.items()
    }


def cell_summaries(
    records: Sequence[ResponseRecord],
    cells: dict[str, CellKey],
    evaluation: Evaluation | None,
    signs: Mapping[str, Figure],
    all_responses: Evaluation | None = None,
) -> list[CellSummary]:
    """One summary per cell.

    Args:
        records: the responses.
        cells: from `cells_present`.
        evaluation: of the responses without refusals; None where nothing was ranked.
        signs: sign accuracy by cell.
        all_responses: an evaluation that has the refusals too, where they were ranked.
    """
    means = {cell.cell: cell for cell in evaluation.cells} if evaluation else {}
    shifts = {shift.cell: shift for shift in evaluation.shifts} if evaluation else {}
    ranked_shifts = {s.cell: s for s in all_responses.shifts} if all_responses else {}
    tally: dict[str, dict[str, int]] = {cell: defaultdict(int) for cell in cells}
    for response in records:
        for record in response["values"].values():
            counts = tally[record["cell"]]
            counts["responses"] += 1
            counts["refusals"] += response["refusal"]
            scored = not response["refusal"] and any(is_judged(w) for w in record["windows"])
            counts["unscored"] += not scored
            counts["words"] += response["words"] if scored else 0
            counts["over"] += response["over_word_limit"]
            counts["cut"] += bool(response.get("cut"))
    summaries = []
    for cell, key in cells.items():
        found, counts = means.get(cell), tally[cell]
        shift = _figure(shifts[cell]) if cell in shifts else None
        count = counts["responses"] - counts["unscored"]
        with_refusals = None
        if counts["refusals"] and cell in ranked_shifts:
            with_refusals = _figure(ranked_shifts[cell])
        elif counts["refusals"] and shift is not None and all_responses is None:
            with_refusals = _unmoved(shift, counts["refusals"], count)
        summaries.append(
            CellSummary(
                theory=key.theory,
                value=key.value,
                group=key.group,
                level=key.level,
                cell=cell,
                condition=key.condition,
                design=key.design,
                part_of=key.part_of,
                targets=key.targets,
                place=key.place,
                responses=counts["responses"],
                count=count,
                mean=_mean(found) if found else Figure(math.nan),
                lower=found.lower if found else math.nan,
                upper=found.upper if found else math.nan,
                spread=found.spread if found else math.nan,
                beyond_high=found.beyond_high if found else math.nan,
                beyond_low=found.beyond_low if found else math.nan,
                shift=shift,
                with_refusals=with_refusals,
                sign_accuracy=signs.get(cell),
                refusals=counts["refusals"],
                unscored=counts["unscored"],
                over_word_limit=counts["over"],
                cut=counts["cut"],
                words=counts["words"] / count if count else math.nan,
                asked=key.asked,
            )
        )
    return summaries


def _figure(shift: Shift) -> Figure:
    return Figure(shift.shift, shift.se, shift.lower, shift.upper)


def _mean(cell: Cell) -> Figure:
    return Figure(cell.intensity, cell.se, cell.lower, cell.upper)


def _unmoved(shift: Figure, refusals: int, scored: int) -> Figure:
    """The shift where refusals count as responses that stayed at the default."""
    share = scored / (refusals + scored)
    variance = (share * shift.se) ** 2
    variance += shift.value**2 * share * (1 - share) / (refusals + scored)
    return Figure(share * shift.value, math.sqrt(variance))


def published_signs(queries: ByQuery, cells: Mapping[str, CellKey]) -> dict[str, Figure]:
    """Share of queries whose estimate differs from the default's as the level says, a tie counting
    half; for the published estimator, which knows single responses only."""
    found = {}
    for cell, key in cells.items():
        base = queries.get(key.default, {})
        signs = [
            0.5 if intensity == base[query] else float((intensity > base[query]) == (key.level > 0))
            for query, intensity in queries.get(cell, {}).items()
            if key.level and query in base
        ]
        if signs:
            found[cell] = mean_figure(signs)
    return found
