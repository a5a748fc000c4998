"""Rows about judges: parameters per value, and observed against expected orders by distance."""

from valueflow.report_rows import Row
from valueflow.report_series import value_rank
from valueflow.scorers.proportion import wilson
from valueflow.studies import Study

__all__ = ["fit_by_distance", "fit_rows", "judge_rows"]


def judge_rows(study: Study) -> list[Row]:
    """One row per value: what the judge was like on it."""
    evaluation = study.summary.evaluation
    if evaluation is None:
        return []
    theories = {cell.value: cell.theory for cell in study.summary.cells}
    rows = [
        {
            "study": study.label,
            "judge": study.judge.get("model", ""),
            "theory": theories.get(value, ""),
            "value": value,
            "windows": judge.windows,
            "scale": judge.scale,
            "scale_se": judge.scale_se,
            "place_effect": judge.place_effect,
            "place_effect_se": judge.place_effect_se,
            "text_sd": judge.text_sd,
            "lapse_rate": judge.lapse_rate,
            "fit_p_value": evaluation.fit[value].p_value,
        }
        for value, judge in evaluation.judges.items()
    ]
    return sorted(rows, key=lambda row: value_rank(str(row["theory"]), str(row["value"])))


def fit_rows(study: Study) -> list[Row]:
    """One row per value and distance of two anchors."""
    evaluation = study.summary.evaluation
    return [
        {
            "study": study.label,
            "value": value,
            "distance_from": low,
            "distance_to": high,
            "pairs": pairs,
            "observed": observed,
            "expected": expected,
        }
        for value, fit in (evaluation.fit.items() if evaluation else ())
        for low, high, pairs, observed, expected in zip(
            fit.distance[:-1],
            fit.distance[1:],
            fit.pairs,
            fit.observed,
            fit.expected,
            strict=True,
        )
        if pairs
    ]


def fit_by_distance(study: Study) -> list[Row]:
    """The same over all values, each weighted by its pairs, with Wilson's interval."""
    bands: dict[tuple[float, float], list[Row]] = {}
    for row in fit_rows(study):
        bands.setdefault((row["distance_from"], row["distance_to"]), []).append(row)
    rows = []
    for (low, high), found in sorted(bands.items()):
        pairs = sum(row["pairs"] for row in found)
        observed, expected = (
            sum(row["pairs"] * row[name] for row in found) / pairs
            for name in ("observed", "expected")
        )
        lower, upper = wilson(observed * pairs, pairs)
        rows.append(
            {
                "from": low,
                "to": high,
                "pairs": pairs,
                "observed": observed,
                "expected": expected,
                "lower": lower,
                "upper": upper,
            }
        )
    return rows
