"""What a study found, in words: how far it moves, where most and least, where the scale ends."""

import math
from collections.abc import Sequence

from valueflow.results.steering.series import Series, ValueLevels, is_censored, ranking, theories_of
from valueflow.scorers.figures import Figure
from valueflow.scorers.summary.overview import AGAIN
from valueflow.scorers.summary.overview import figure_text as signed_text

__all__ = ["findings", "self_judged_text"]

TOLD = 4
"""Values that a sentence names before it says how many more there are."""


def findings(series: Sequence[Series]) -> list[str]:
    """A sentence for each series and theory, the furthest first; and for what has no range."""
    told = []
    explained = False
    for theory in theories_of(series):
        ranked = [one.series for one in ranking(series, theory)]
        rest = [one for one in series if one.of(theory) and one not in ranked]
        for one in ranked:
            told.append(_ranges(one, one.of(theory)))
            # What a ceiling is, is said once.
            if explained:
                told[-1] = told[-1].replace(f": {CEILING}", ".")
            explained |= CEILING in told[-1]
        told += [_levels(one, one.of(theory)) for one in rest]
    for one in series:
        told += _designs(one)
    return told


def text(figure: Figure, digits: int = 1) -> str:
    """A figure with its error, without a sign where it is positive."""
    return signed_text(figure, digits, signed=False).replace("-", "−")


def _ranges(series: Series, values: list[ValueLevels]) -> str:
    ranged = sorted(
        (v for v in values if "range" in v.figures), key=lambda v: -v.figures["range"].value
    )
    low, high = min(ranged[0].cells), max(ranged[0].cells)
    levels = f"from level {_level(low)} to {_level(high)}"
    who = series.label
    if len(ranged) == 1:
        one = ranged[0]
        sentence = f"{who} moves {text(one.figures['range'])} points on {one.value} {levels}"
    else:
        (mean,) = [r.range for r in ranking([series], ranged[0].theory)]
        most, least = ranged[0], ranged[-1]
        sentence = (
            f"{who} moves {text(mean)} points on average over {len(ranged)} values {levels}: most "
            f"on {most.value} ({text(most.figures['range'])}), least on {least.value} "
            f"({text(least.figures['range'])})"
        )
        if not _apart(most.figures["range"], least.figures["range"], len(ranged)):
            sentence += ", which noise alone may have put in this order"
    for name, word in (("up", "up"), ("down", "down")):
        found = [v.figures[name] for v in ranged if name in v.figures]
        overall = series.study.summary.overall.get(name)
        if overall is not None and len(found) == len(series.study.summary.values):
            sentence += f"{';' if name == 'up' else ','} {word} {text(overall)}"
    return f"{sentence}. {_ceilings(ranged)}".strip()


def _apart(one: Figure, other: Figure, values: int) -> bool:
    """Whether the largest and the smallest of so many figures differ by more than noise makes the
    extremes of as many equal ones differ: by the studentized range at 0.05."""
    from scipy.stats import studentized_range

    error = math.sqrt((one.se**2 + other.se**2) / 2)
    if not error > 0:
        return False
    limit = float(studentized_range.ppf(0.95, values, 1000))
    return (one.value - other.value) / error > limit


CEILING = (
    "more than a fifth of the responses at an outer level lie beyond every anchor, and the range "
    "is at least what is said."
)


def _ceilings(values: Sequence[ValueLevels]) -> str:
    at = [v.value for v in values if is_censored(v.high) or is_censored(v.low)]
    if not at:
        return ""
    names = ", ".join(at[:TOLD]) + (f" and {len(at) - TOLD} more" if len(at) > TOLD else "")
    return f"{len(at)} of {len(values)} values at the ceiling ({names}): {CEILING}"


def _levels(series: Series, values: list[ValueLevels]) -> str:
    """Where nothing was steered both ways: the means at the highest level there is."""
    means = sorted(values, key=lambda v: -v.high.mean.value)
    parts = [
        f"{v.value} {text(v.high.mean)}"
        for v in (means if len(means) <= TOLD else [*means[:2], means[-1]])
    ]
    level = max(means[0].cells)
    return (
        f"{series.label} stands, at level {_level(level)}, on average at: {', '.join(parts)}"
        f"{' (the highest two and the lowest)' if len(means) > TOLD else ''}."
    )


def _designs(series: Series) -> list[str]:
    summary = series.study.summary
    told = []
    for figure, words in (
        ("pair cosine", "pairs of targets: the shift points where the two targets do with cosine"),
        ("five rank_agreement", "five targets: the shifts follow their levels with rank agreement"),
        ("composite direction_agreement", "values by their children: moved as told, share"),
        ("profile distance", "profiles: points between intensity asked for and measured"),
    ):
        if figure in summary.overall and series is not None:
            told.append(f"{series.study.label}, {words} {text(summary.overall[figure], 2)}.")
    return list(dict.fromkeys(told))


def _level(level: int) -> str:
    return f"{level:+d}".replace("-", "−") if level else "0"


def self_judged_text(label: str) -> str:
    """The caution on a study whose model judged itself, with the command that mends it."""
    return (
        f"{label}: the evaluated model judged its own responses, since no judge was named. These "
        f"are no numbers to publish; give the log to a judge: {AGAIN}"
    )
