"""Rows of a report's tables about cells, values, models, logs and counts.

Rows about several values at once: pairs, five-value squares, values by their children.

Rows about judges: parameters per value, and observed against expected orders by distance.

Refusals by level, and shifts with and without them.
"""

from collections.abc import Sequence
from statistics import fmean

from valueflow.results.steering.series import (
    Ranked,
    Series,
    bounds,
    interval,
    ranking,
    theories_of,
    value_rank,
)
from valueflow.results.steering.studies import Study
from valueflow.results.tables import Row
from valueflow.scorers.estimate.responses import LIMIT
from valueflow.scorers.figures import wilson
from valueflow.scorers.records import measured
from valueflow.scorers.summary.run import Figure

__all__ = [
    "agreement_rows",
    "bounded",
    "cell_rows",
    "composite_rows",
    "count_row",
    "fit_by_distance",
    "fit_rows",
    "judge_rows",
    "pair_rows",
    "panel_rows",
    "put",
    "ranking_rows",
    "rated_anchors",
    "rating_judge_rows",
    "refusals_by_level",
    "shifts_by_level",
    "square_figure_rows",
    "square_rows",
    "study_row",
    "value_rows",
    "without_rows",
    "wording_rows",
]

FIGURES = ("up", "down", "range", "asymmetry", "room_up", "room_down", "monotonicity", "slope")


def put(row: Row, name: str, figure: Figure | None) -> None:
    """Adds a figure and its standard error to a row."""
    row[name] = figure.value if figure else None
    row[f"{name}_se"] = figure.se if figure else None


def cell_rows(study: Study) -> list[Row]:
    """One row per cell."""
    rows = []
    for cell in study.summary.cells:
        lower, upper = interval(cell)
        row: Row = {
            "study": study.label,
            "theory": cell.theory,
            "value": cell.value,
            "group": cell.group,
            "condition": cell.condition,
            "level": cell.level,
            "responses": cell.responses,
            "scored": cell.count,
            "mean": cell.mean.value,
            "mean_se": cell.mean.se,
            "lower": lower,
            "upper": upper,
            "spread": cell.spread,
            "beyond_high": cell.beyond_high,
            "beyond_low": cell.beyond_low,
        }
        put(row, "shift", cell.shift)
        put(row, "shift_with_refusals", cell.with_refusals)
        put(row, "sign_accuracy", cell.sign_accuracy)
        row |= {
            "refusals": cell.refusals,
            "unscored": cell.unscored,
            "words": cell.words,
            "cut": cell.cut,
            "over_word_limit": cell.over_word_limit,
        }
        rows.append(row)
    return sorted(rows, key=lambda r: (value_rank(r["theory"], r["value"]), r["group"]))


def value_rows(study: Study) -> list[Row]:
    """One row per value that was steered alone."""
    rows = []
    for value in study.summary.values:
        row: Row = {
            "study": study.label,
            "theory": value.theory,
            "value": value.value,
            "group": value.group,
        }
        for name in FIGURES:
            put(row, name, value.figures.get(name))
        rows.append(row)
    return sorted(rows, key=lambda r: (value_rank(r["theory"], r["value"]), r["group"]))


def ranking_rows(series: Sequence[Series]) -> list[Row]:
    rows = []
    for theory in theories_of(series):
        for place, one in enumerate(ranking(series, theory), start=1):
            lower, upper = bounds(one.range)
            rows.append(
                {
                    "theory": theory,
                    "rank": None if one.saturated else place,
                    "study": one.series.label,
                    "mean_range": one.range.value,
                    "mean_range_se": one.range.se,
                    "lower": lower,
                    "upper": upper,
                    "regime": _regime(one),
                    "beyond": one.beyond,
                    "lowest_level": one.levels[0],
                    "highest_level": one.levels[1],
                    "values": len(one.values),
                }
            )
    return rows


def _regime(one: Ranked) -> str:
    if one.saturated:
        share = f"{100 * one.beyond:.0f} %"
        return f"not ranked: {share} of the outer levels' responses lie beyond every anchor"
    return one.regime or "none: levels do not go from -2 to +2"


def count_row(study: Study) -> Row:
    """What was planned, made, scored and lost."""
    counts = study.summary.counts
    unscored: dict[str, int] = {}
    for record in study.records:
        if record["unscored"]:
            unscored[record["unscored"]] = unscored.get(record["unscored"], 0) + 1
    return {
        "study": study.label,
        "logs": len(study.logs),
        "samples_planned": study.counts["planned"],
        "samples_in_logs": study.counts["in_log"],
        "samples_with_error": study.counts["error"],
        "samples_without_score": study.counts["without_score"],
        "generations": study.counts["generations"],
        **counts,
        **{f"unscored_{reason}": number for reason, number in sorted(unscored.items())},
    }


def study_row(study: Study) -> Row:
    """What a study is, in one row."""
    counts = study.summary.counts
    return {
        "study": study.label,
        "method": study.method,
        "judge": study.judge.get("model", ""),
        "anchors": study.settings.get("anchors", ""),
        "questions": len({record["query"] for record in study.records}),
        "responses": counts["responses"],
        "refusals": counts["refusals"],
        "unscored": counts["unscored"],
        "logs": len(study.logs),
    }


PLACES = ("first", "second", "third", "fourth")
"""A pair has more than two values where a child has two parents."""


def pair_rows(study: Study) -> list[Row]:
    """One row per pair and levels."""
    rows = []
    for pair in study.summary.pairs:
        for point in pair.points:
            row: Row = {
                "study": study.label,
                "theory": pair.theory,
                "pair": pair.name,
                "condition": point.condition,
            }
            for place, value in enumerate(pair.values):
                name = PLACES[place]
                row[f"{name}_value"] = value
                put(row, f"{name}_default", pair.default[place])
                put(row, f"{name}_mean", point.mean[place])
                put(row, f"{name}_shift", point.shift[place])
            for name, figure in point.figures.items():
                kind, _, value = name.partition("_")
                put(row, f"{kind}_{PLACES[pair.values.index(value)]}" if value else kind, figure)
            rows.append(row)
    return rows


def square_rows(study: Study) -> list[Row]:
    """One row per square, row of the square, and value."""
    rows = []
    for square in study.summary.squares:
        for number, line in enumerate(square.rows, start=1):
            for place, value in enumerate(square.values):
                row: Row = {
                    "study": study.label,
                    "theory": square.theory,
                    "square": square.name,
                    "row": number,
                    "value": value,
                    "level": line.levels[place],
                }
                put(row, "mean", line.mean[place])
                put(row, "shift", line.shift[place] if line.shift else None)
                rows.append(row)
    return rows


def square_figure_rows(study: Study) -> list[Row]:
    """One row per square: its figures."""
    rows = []
    for square in study.summary.squares:
        row: Row = {"study": study.label, "theory": square.theory, "square": square.name}
        for name, figure in square.figures.items():
            put(row, name, figure)
        rows.append(row)
    return rows


def composite_rows(study: Study) -> list[Row]:
    """One row per value and level."""
    rows = []
    for composite in study.summary.composites:
        for point in composite.points:
            row: Row = {
                "study": study.label,
                "theory": composite.theory,
                "value": composite.value,
                "children": ", ".join(composite.children),
                "level": point.level,
            }
            put(row, "shift_by_children", point.shift)
            put(row, "shift_direct", point.direct)
            for name, figure in composite.figures.items():
                put(row, name, figure)
            rows.append(row)
    return rows


def judge_rows(study: Study) -> list[Row]:
    """One row per value: what the judge was like on it."""
    evaluation = study.summary.evaluation
    if evaluation is None:
        return []
    theories = {cell.value: cell.theory for cell in study.summary.cells}
    rows = [
        {
            "study": study.label,
            "judge": _judged_by(study, key)["judge"],
            "theory": theories.get(_judged_by(study, key)["value"], ""),
            "value": _judged_by(study, key)["value"],
            "windows": judge.windows,
            "scale": judge.scale,
            "scale_se": judge.scale_se,
            "place_effect": judge.place_effect,
            "place_effect_se": judge.place_effect_se,
            "text_sd": judge.text_sd,
            "lapse_rate": judge.lapse_rate,
            "fit_p_value": evaluation.fit[key].p_value,
        }
        for key, judge in evaluation.judges.items()
    ]
    return sorted(rows, key=lambda row: value_rank(str(row["theory"]), str(row["value"])))


def _judged_by(study: Study, key: str) -> dict[str, str]:
    """The value and the judge that a key of an evaluation's judges is about."""
    assert study.summary.evaluation is not None
    value, judge = study.summary.evaluation.named[key]
    return {"value": value, "judge": judge or str(study.judge.get("model", ""))}


def panel_rows(study: Study) -> list[Row]:
    """One row per judge of a panel: what it judged and took."""
    panel = study.summary.panel
    rows: list[Row] = []
    for judge in panel.judges if panel else ():
        used = judge.used
        rows.append(
            {
                "study": study.label,
                "judge": judge.name,
                "windows": judge.judged + judge.lost,
                "without_judgement": judge.lost,
                "dropped": "yes" if judge.dropped else "no",
                "calls": used["asked"] + used["failed"] if used else None,
                "cached_calls": used["cached"] if used else None,
                "tokens_in": used["tokens_in"] if used else None,
                "tokens_out": used["tokens_out"] if used else None,
                "us_dollars": used["cost"] if used and used["cost"] else None,
            }
        )
    return rows


def wording_rows(study: Study) -> list[Row]:
    """One row per wording of the persona, and one for how far cells differ between wordings."""
    evaluation = study.summary.evaluation
    rows: list[Row] = []
    for group, found in evaluation.wordings.items() if evaluation else ():
        own: Row = {"study": study.label} | ({"group": group} if group else {})
        for figure, one in (
            ("standard deviation between wordings", found.sd),
            ("of it alike for all values", Figure(found.sd_common)),
        ):
            row: Row = {**own, "figure": figure, "questions": sum(found.asked)}
            put(row, "value", one)
            rows.append(row)
        for count, (number, one) in zip(found.asked, found.strength.items(), strict=True):
            row = {**own, "figure": f"strength of wording {number}", "questions": count}
            put(row, "value", one)
            rows.append(row)
    return rows


def agreement_rows(study: Study) -> list[Row]:
    """One row per two judges of a panel, and one for all of them."""
    panel = study.summary.panel
    if panel is None:
        return []
    every = panel.agreement
    rows: list[Row] = [
        {
            "study": study.label,
            "judges": "all",
            "responses": every.compared,
            "figure": "Krippendorff's alpha",
            "value": every.alpha,
            "lower": every.low,
            "upper": every.high,
            "note": every.note,
        }
    ]
    for pair in panel.pairs:
        both = f"{pair.first} and {pair.second}"
        for figure, found, count in (
            ("correlation of responses", pair.correlation, pair.responses),
            ("correlation of disagreements with anchors", pair.together, pair.anchors),
        ):
            lower, upper = found.interval
            row: Row = {"study": study.label, "judges": both, "responses": count}
            rows.append(row | {"figure": figure, "value": found.value} | bounded(lower, upper))
    return rows


def bounded(lower: float, upper: float) -> Row:
    """The ends of an interval of a correlation."""
    return {"lower": max(lower, -1.0), "upper": min(upper, 1.0)}


def without_rows(study: Study) -> list[Row]:
    """One row per figure of the run: with all judges, and without each of them."""
    panel = study.summary.panel
    rows: list[Row] = []
    for name, figure in study.summary.overall.items() if panel else ():
        row: Row = {"study": study.label, "figure": name, "without": "nobody"}
        put(row, "value", figure)
        rows.append(row)
        for judge in panel.judges if panel else ():
            if name in judge.without:
                row = {"study": study.label, "figure": name, "without": judge.name}
                put(row, "value", judge.without[name])
                rows.append(row)
    return rows


def rating_judge_rows(study: Study) -> list[Row]:
    """One row per value on which the judge rated: how its numbers follow the anchors."""
    evaluation = study.summary.evaluation
    theories = {cell.value: cell.theory for cell in study.summary.cells}
    rows = [
        {
            "study": study.label,
            "judge": _judged_by(study, key)["judge"],
            "theory": theories.get(_judged_by(study, key)["value"], ""),
            "value": _judged_by(study, key)["value"],
            "ratings": judge.ratings,
            "anchors": judge.texts,
            "slope": judge.slope,
            "slope_se": judge.slope_se,
            "level": judge.level,
            "level_se": judge.level_se,
            "place_effect": judge.place_effect,
            "text_sd": judge.text_sd,
            "text_sd_se": judge.text_sd_se,
            "noise_sd": judge.noise_sd,
            "lapse_rate": judge.lapse_rate,
            "correlation": judge.correlation,
        }
        for key, judge in (evaluation.rating_judges.items() if evaluation else ())
    ]
    return sorted(rows, key=lambda row: value_rank(str(row["theory"]), str(row["value"])))


def rated_anchors(study: Study) -> dict[str, list[Row]]:
    """Each value's anchors that the judge rated: intensity, mean rating in points, and ratings."""
    found: dict[str, dict[tuple[str, float], list[float]]] = {}
    for record in measured(study.records):
        for name, value in record["values"].items():
            for window in value["windows"]:
                ratings = window.get("ratings")
                if ratings is None:
                    continue
                low, high = window.get("rating_scale") or (-LIMIT, LIMIT)
                anchors = zip(window["texts"], window["anchors"], ratings[1:], strict=True)
                for text, intensity, rating in anchors:
                    if rating is not None:
                        points = 2 * LIMIT * (rating - low) / (high - low) - LIMIT
                        of_value = found.setdefault(name, {})
                        of_value.setdefault((text, intensity), []).append(points)
    return {
        name: [
            {"intensity": at, "rating": sum(given) / len(given), "ratings": len(given)}
            for (_, at), given in anchors.items()
        ]
        for name, anchors in found.items()
    }


def fit_rows(study: Study) -> list[Row]:
    """One row per value and distance of two anchors."""
    evaluation = study.summary.evaluation
    return [
        {
            "study": study.label,
            **_judged_by(study, key),
            "distance_from": low,
            "distance_to": high,
            "pairs": pairs,
            "observed": observed,
            "expected": expected,
        }
        for key, fit in (evaluation.fit.items() if evaluation else ())
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
