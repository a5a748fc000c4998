"""Refusals by level, and shifts with and without them."""

from statistics import fmean

from valueflow.report_rows import Row
from valueflow.report_series import Series
from valueflow.scorers.proportion import wilson

__all__ = ["refusals_by_level", "shifts_by_level"]


def refusals_by_level(series: Series) -> list[Row]:
    """Refusals of responses that were steered toward one value or none; each counts once."""
    tally: dict[int, list[int]] = {}
    for record in series.study.records:
        own = [v for v in record["values"].values() if v["group"] == series.group]
        if not own or any(value.get("condition") for value in own):
            continue
        for level in {value["level"] for value in own}:
            counted = tally.setdefault(level, [0, 0, 0])
            counted[0] += 1
            counted[1] += record["refusal"]
            counted[2] += record["unscored"] is not None
    rows = []
    for level, (responses, refusals, unscored) in sorted(tally.items()):
        lower, upper = wilson(refusals, responses)
        rows.append(
            {
                "study": series.label,
                "level": level,
                "responses": responses,
                "refusals": refusals,
                "refusal_rate": refusals / responses,
                "lower": lower,
                "upper": upper,
                "unscored": unscored,
            }
        )
    return rows


def shifts_by_level(series: Series) -> list[Row]:
    """Mean over values of the shift at each level, without and with refused responses.

    Both averages are over the same values: those of which both are known, and where nothing was
    refused both are the same. Empty where no response to a target was refused.
    """
    both: dict[int, list[tuple[float, float]]] = {}
    refused = False
    for value in series.values:
        for level, cell in value.cells.items():
            refused |= cell.with_refusals is not None
            other = cell.with_refusals or (cell.shift if not cell.refusals else None)
            if cell.shift is not None and other is not None:
                both.setdefault(level, []).append((cell.shift.value, other.value))
    if not refused:
        return []
    return [
        {
            "level": level,
            "shift": fmean(shift for shift, _ in found),
            "with_refusals": fmean(other for _, other in found),
        }
        for level, found in sorted(both.items())
    ]
