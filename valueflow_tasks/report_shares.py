"""Refusals by level, and shifts with and without them."""

import math

from valueflow.report_rows import Row
from valueflow.report_series import Z95, Series

__all__ = ["refusals_by_level", "shifts_by_level", "wilson"]


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


def wilson(count: float, of: int) -> tuple[float, float]:
    """Wilson's 95% interval of a share `count / of`."""
    share, z2 = count / of, Z95**2
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = Z95 / (1 + z2 / of) * math.sqrt(share * (1 - share) / of + z2 / (4 * of**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def shifts_by_level(series: Series) -> list[Row]:
    """Mean over values of the shift at each level, without and with refused responses."""
    collected: dict[int, dict[str, list[float]]] = {}
    for value in series.values:
        for level, cell in value.cells.items():
            both = (("shift", cell.shift), ("with_refusals", cell.with_refusals))
            for name, figure in both:
                if figure is not None and not math.isnan(figure.value):
                    at = collected.setdefault(level, {})
                    at.setdefault(name, []).append(figure.value)
    return [
        {"level": level, **{name: sum(found) / len(found) for name, found in by_name.items()}}
        for level, by_name in sorted(collected.items())
    ]
