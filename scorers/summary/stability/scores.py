"""From judgements to scores of texts, raw and calibrated.

A raw score is what the judge said: its number, on [-10, 10], or for an order the estimate of the
method's published scripts, which take the judge's scale as known. A calibrated score is the
evaluator's, from the text's own judgements: the mean of its posterior under a flat prior on
[-10, 10], with the judge's scale, level, place effect and disagreement with texts fitted to texts
of known intensity. For windows these are the anchors. For numbers that were given to single texts
they are other texts of the study that people labelled: the texts are dealt into `FOLDS` parts, and
the labels of a part calibrate none of its own scores.

Every judge in every wording is calibrated by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from valueflow.scorers.estimate.evaluation import evaluate
from valueflow.scorers.estimate.table import WindowRecordError, WindowTable
from valueflow.scorers.summary.stability.judgements import Asked, JudgedText, Judgements

__all__ = ["SCALES", "Scores", "scores_of"]

Array = NDArray[np.float64]

SCALES = ("raw", "calibrated")

FOLDS = 5
"""Parts into which labelled texts are dealt, where their labels calibrate."""

BESIDE = 5
"""Labelled texts that calibrate a text's number together, as anchors do in a window."""


DIGITS = 6
"""Of calibrated scores, in points: the mean of a symmetric posterior is 0 and has no sign, which
rounding in sums would give it."""


@dataclass(frozen=True)
class Scores:
    """The scores of N texts by one judge in one wording and way.

    Attributes:
        asked: which.
        raw: (N,), in points; NaN for texts without a judgement.
        calibrated: (N,) likewise.
        se: (N,), standard errors of the calibrated scores.
        notes: what a reader must be told.
    """

    asked: Asked
    raw: Array
    calibrated: Array
    se: Array
    notes: list[str] = field(default_factory=list)

    def on(self, scale: str) -> Array:
        """The raw or the calibrated scores."""
        return self.raw if scale == "raw" else self.calibrated


def scores_of(judgements: Judgements) -> list[Scores]:
    """Scores by everyone who was asked, in the order of `Judgements.asked`.

    Raises:
        WindowRecordError: a window cannot be read; the number of its record is named.
    """
    found = []
    for asked in judgements.asked:
        if asked.way == "rating":
            found.append(_of_ratings(asked, judgements))
        else:
            found.append(_of_windows(asked, judgements))
    return found


def _of_windows(asked: Asked, judgements: Judgements) -> Scores:
    texts = judgements.texts
    rows = judgements.windows[asked]
    records = [_window(record, texts[text], text) for _, text, record in rows]
    try:
        table = WindowTable.from_records(records, most=10.0)
    except WindowRecordError as error:
        number, problem = rows[error.record][0], error.problem.split(" is wrong: ", 1)[1]
        raise WindowRecordError(number, error.field, problem) from None
    raw, notes = _empty(texts), []
    if asked.way == "ranking":
        for estimate in evaluate(table, estimator="reference").items:
            raw[int(estimate.item)] = estimate.intensity
    else:
        assert table.ratings is not None
        own = table.ratings[:, 0]
        for number in np.unique(table.item):
            raw[int(table.items[number])] = own[table.item == number].mean()
    found = evaluate(table)
    calibrated, se = _empty(texts), _empty(texts)
    for estimate in found.items:
        calibrated[int(estimate.item)] = round(estimate.flat_prior, DIGITS) + 0.0
        se[int(estimate.item)] = estimate.flat_prior_se
    notes += _notes(asked, raw, texts)
    return Scores(asked, raw, calibrated, se, notes)


def _window(record: Mapping[str, Any], text: JudgedText, number: int) -> dict[str, Any]:
    """A saved ranking of one text; texts are told apart by their numbers, since items of several
    values may share a name."""
    own = {"item": str(number), "query": text.query, "cell": text.value, "value": text.value}
    return {**record, **own}


def _of_ratings(asked: Asked, judgements: Judgements) -> Scores:
    texts = judgements.texts
    marks: dict[int, list[float]] = defaultdict(list)
    for text, mark in judgements.ratings[asked]:
        marks[text].append(mark)
    raw, calibrated, se = _empty(texts), _empty(texts), _empty(texts)
    for text, given in marks.items():
        raw[text] = np.mean(given)
    notes = _notes(asked, raw, texts)
    rated = np.flatnonzero(~np.isnan(raw))
    if len(rated) and np.ptp(raw[rated]) > 0:
        for part in range(FOLDS):
            records = list(_beside_labelled(raw, rated, texts, part))
            if not records:
                continue
            for estimate in evaluate(WindowTable.from_records(records)).items:
                calibrated[int(estimate.item)] = round(estimate.flat_prior, DIGITS) + 0.0
                se[int(estimate.item)] = estimate.flat_prior_se
    lost = int(np.isnan(calibrated[rated]).sum())
    if lost:
        notes.append(
            f"{asked}: {lost} of {len(rated)} texts have no calibrated rating: a number given to a "
            "text alone is calibrated by other texts of its value that have a label, and there are "
            "too few"
        )
    return Scores(asked, raw, calibrated, se, notes)


def _beside_labelled(
    raw: Array, rated: NDArray[np.int64], texts: Sequence[JudgedText], part: int
) -> Iterator[dict[str, Any]]:
    """Each text of a part as a window with labelled texts of the other parts.

    A labelled text stands in one window alone as long as there are enough of them: its number was
    given once, and would seem to be free of noise where it came back.
    """
    by_value: dict[str, list[int]] = defaultdict(list)
    for text in rated.tolist():
        by_value[texts[text].value].append(text)
    for value, numbers in by_value.items():
        own = [text for place, text in enumerate(numbers) if place % FOLDS == part]
        other = [
            text
            for place, text in enumerate(numbers)
            if place % FOLDS != part and texts[text].label is not None
        ]
        if not own or len(other) < 2:
            continue
        each = min(BESIDE, max(2, -(-len(other) // len(own))))
        for place, text in enumerate(own):
            chosen = [other[(place * each + n) % len(other)] for n in range(min(each, len(other)))]
            yield {
                "item": str(text),
                "cell": value,
                "value": value,
                "query": texts[text].query,
                "anchors": [texts[n].label for n in chosen],
                "texts": [str(n) for n in chosen],
                "position": None,
                "ratings": [float(raw[text]), *(float(raw[n]) for n in chosen)],
                "rating_scale": [-10, 10],
            }


def _empty(texts: Sequence[JudgedText]) -> Array:
    return np.full(len(texts), np.nan)


UPSIDE_DOWN = -0.3
"""Correlation of a judge's raw scores with the labels below which it is said to order texts upside
down; from `ENOUGH` texts."""

ENOUGH = 10


def _notes(asked: Asked, raw: Array, texts: Sequence[JudgedText]) -> list[str]:
    """Whether the judge says anything at all, and whether it says the reverse of the labels."""
    known = ~np.isnan(raw)
    if known.sum() > 1 and np.ptp(raw[known]) == 0:
        return [
            f"{asked}: the judge gave all {int(known.sum())} texts the same score "
            f"({raw[known][0]:g}), which tells nothing of them; its figures are those of a constant"
        ]
    labels = np.array([np.nan if text.label is None else text.label for text in texts])
    both = known & ~np.isnan(labels)
    if both.sum() < ENOUGH or np.ptp(raw[both]) == 0 or np.ptp(labels[both]) == 0:
        return []
    correlation = float(np.corrcoef(raw[both], labels[both])[0, 1])
    if correlation >= UPSIDE_DOWN:
        return []
    return [
        f"{asked}: the judge orders the texts upside down (correlation with the labels "
        f"{correlation:.2f}); look at how its answers were read, and at its scale's direction"
    ]
