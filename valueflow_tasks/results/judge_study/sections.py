"""What a report shows of judge-stability studies: the figures by way, drawn and in tables."""

import math
from dataclasses import asdict

from matplotlib.lines import Line2D

from valueflow.results.judge_study.studies import JudgeStudies, JudgeStudy
from valueflow.results.page import Section
from valueflow.results.style import (
    BLUE,
    GREY,
    VERMILION,
    Drawing,
    flat,
    legend,
    panels,
    wrapped,
)
from valueflow.results.tables import Row, Table, log_rows, setting_rows, table_of, usage_rows
from valueflow.scorers.summary.stability.judgements import WAYS
from valueflow.scorers.summary.stability.study import FIGURES, PUBLISHED, StabilityFigure

__all__ = ["study_cautions", "study_methods", "study_sections", "study_tables"]

DRAWN = (
    "judge_variance",
    "judge_range",
    "sign_flips",
    "wording_change",
    "sign_accuracy",
    "pairwise_accuracy",
    "deviation",
    "slope",
)
"""Figures that are drawn, those of the published table first."""

LOOKS = {"raw": (VERMILION, "s", "white"), "calibrated": (BLUE, "o", BLUE)}
"""Colour, marker and filling of the two kinds of scores."""


def study_sections(found: JudgeStudies) -> list[Section]:
    """The sections of all judge studies; none where there is no study."""
    if not found.studies:
        return []
    several = len(found.studies) > 1
    sections = []
    for number, study in enumerate(found.studies, start=1):
        title = "How stable the judges are"
        sections.append(
            Section(
                f"judge_stability_{number}" if several else "judge_stability",
                f"{title}, {study.label}" if several else title,
                _text(study),
                _drawings(study, f"_{number}" if several else ""),
                study_tables(study, f"_{number}" if several else ""),
            )
        )
    logged = [study for study in found.studies if study.logs]
    if logged:
        tables = [
            table_of(
                "judge_study_settings",
                "What the judge studies share",
                [row for study in logged for row in setting_rows(study)],
            ),
            table_of(
                "judge_study_usage",
                "Calls and tokens of the judges",
                [row for study in logged for row in usage_rows(study)],
            ),
            table_of("judge_study_logs", "Logs of the judge studies", log_rows(logged)),
        ]
        sections.append(Section("judge_studies", "Judge studies: settings", [], [], tables))
    return sections


def study_cautions(found: JudgeStudies) -> list[str]:
    """What a reader must know before using the figures."""
    if any(study.is_simulated for study in found.studies):
        return [
            "A judge of the judge study is simulated: its figures say something about the "
            "instrument, and nothing about any language model."
        ]
    return []


def study_methods(found: JudgeStudies) -> list[str]:
    """A paragraph for a paper, for each study."""
    told = []
    for one in found.studies:
        ways = list(dict.fromkeys(score.asked.way for score in one.study.scores))
        wordings = list(dict.fromkeys(score.asked.wording for score in one.study.scores))
        kinds = {
            "rating": "numbers given to single texts",
            "window_rating": "numbers given to all texts of windows",
            "ranking": "rankings of windows",
        }
        told.append(
            f"{len(one.study.texts):,} texts were judged by {len(one.judges)} judges "
            f"({', '.join(one.judges)}) in {len(wordings)} wordings ({', '.join(wordings)}), by "
            f"{' and by '.join(kinds[way] for way in ways)}. Calibrated scores are posterior means "
            "under a flat prior on [-10, 10], with each judge's scale in each wording fitted to "
            "texts of known intensity, never to the text's own label. Standard errors are those "
            "of the jackknife over queries (texts without one are their own), intervals 95%."
        )
    return told


def _text(study: JudgeStudy) -> list[str]:
    told = [
        f"{len(study.study.texts):,} texts, judged by {', '.join(study.judges)}. Raw scores are "
        "what a judge said (for rankings, the estimate of the method's published scripts), "
        "calibrated ones the evaluator's. Scores drawn toward 0 vary less: read variance and range "
        "beside the slope on the labels. The published figures are of other texts, judges and "
        "wordings."
    ]
    return told + [f"Left out: {count} {what}." for what, count in study.study.left_out.items()]


def _drawings(study: JudgeStudy, suffix: str) -> list[Drawing]:
    by_name: dict[str, list[StabilityFigure]] = {}
    for one in study.study.figures:
        by_name.setdefault(one.name, []).append(one)
    names = [name for name in DRAWN if name in by_name]
    if not names:
        return []
    ways: list[str] = [w for w in WAYS if any(one.way == w for one in study.study.figures)]
    figure, grid = panels(len(names), 2.6, 0.42 * len(ways) + 0.95, columns=3)
    for axes, name in zip(flat(grid), names, strict=True):
        kind = FIGURES[name]
        factor = 100 if kind.form == "share" else 1
        for one in by_name[name]:
            y = ways.index(one.way) + (0.16 if one.scale == "calibrated" else -0.16)
            colour, marker, filling = LOOKS[one.scale]
            low, high = one.figure.lower, one.figure.upper
            if not math.isnan(low):
                axes.plot([factor * low, factor * high], [y, y], color=colour, linewidth=1.2)
            axes.plot(
                factor * one.figure.value, y, marker, color=colour, markerfacecolor=filling,
                markersize=5,
            )  # fmt: skip
        for way in ways:
            known = PUBLISHED.get(way, {}).get(name)
            if known is not None:
                axes.plot(factor * known, ways.index(way), "x", color=GREY, markersize=6)
        axes.set_ylim(len(ways) - 0.5, -0.5)
        first = names.index(name) % 3 == 0
        axes.set_yticks(range(len(ways)), [w.replace("_", " ") if first else "" for w in ways])
        low, high = axes.get_xlim()
        if kind.form in ("share", "amount"):
            axes.set_xlim(0, min(high, 100) if kind.form == "share" else high)
        head = f"{kind.title} ({kind.unit})" if kind.unit else kind.title
        axes.set_title(wrapped(head, 30), loc="left")
    handles = [
        Line2D([], [], color=colour, marker=marker, markerfacecolor=filling, linewidth=1.2)
        for colour, marker, filling in LOOKS.values()
    ]
    handles.append(Line2D([], [], color=GREY, marker="x", linestyle=""))
    legend(figure, handles, ["raw", "calibrated", "published (other texts)"], columns=3)
    return [
        Drawing(
            name=f"judge_stability{suffix}",
            title="Stability and accuracy, by how judges are asked",
            caption="With 95% intervals over texts, for the judges and wordings of the study. "
            "Upper row of panels: less is steadier. Open squares are raw scores, dots calibrated "
            "ones, crosses the figures of the method's own study.",
            alt=_heard(study),
            figure=figure,
        )
    ]


def _heard(study: JudgeStudy) -> str:
    """The drawn numbers in words."""
    told = []
    for one in study.study.figures:
        kind = FIGURES[one.name]
        if one.name in DRAWN:
            number = f"{100 * one.figure.value:.0f}%" if kind.form == "share" else (
                f"{one.figure.value:.2f}"
            )  # fmt: skip
            told.append(f"{kind.title}, {one.way.replace('_', ' ')}, {one.scale}: {number}")
    return "; ".join(told)


def study_tables(study: JudgeStudy, suffix: str = "") -> list[Table]:
    """Figures, differences, judges, and the scores of every text (in the file alone)."""
    found = study.study
    figures: list[Row] = [
        {
            "way": one.way.replace("_", " "),
            "scores": one.scale,
            "figure": FIGURES[one.name].title,
            **_shown(one.name, one.figure),
            "unit": FIGURES[one.name].unit,
            "texts": one.texts,
            "published": _scaled(one.name, PUBLISHED.get(one.way, {}).get(one.name)),
        }
        for one in found.figures
    ]
    differences: list[Row] = [
        {
            "figure": FIGURES[one.name].title,
            "of": f"{one.way.replace('_', ' ')}, {one.scale}",
            "minus": f"{one.other_way.replace('_', ' ')}, {one.other_scale}",
            **_shown(one.name, one.figure),
            "unit": FIGURES[one.name].unit,
        }
        for one in found.differences
    ]
    judges: list[Row] = [{**asdict(one), "way": one.way.replace("_", " ")} for one in found.judges]
    return [
        table_of(f"judge_overview{suffix}", "Overview, with 95% intervals", _overview(study)),
        table_of(f"judge_stability{suffix}", "Figures in full", figures),
        table_of(f"judge_differences{suffix}", "Differences on the same texts", differences),
        Table(
            f"judge_scales{suffix}",
            "How each judge used its scale",
            list(judges[0]) if judges else [],
            judges,
            forms={"at_ends": "percent"},
        ),
    ]


def _overview(study: JudgeStudy) -> list[Row]:
    """A figure in each row, beside it what each way says of it and what was published."""
    rows: list[Row] = []
    for name, kind in FIGURES.items():
        own = [one for one in study.study.figures if one.name == name]
        if not own:
            continue
        row: Row = {"figure": f"{kind.title} ({kind.unit})" if kind.unit else kind.title}
        for one in own:
            row[f"{one.way.replace('_', ' ')}, {one.scale}"] = _interval(one)
        for way, known in PUBLISHED.items():
            number = _scaled(name, known.get(name))
            row[f"published, {way}"] = "" if number is None else f"{number:g}"
        rows.append(row)
    return rows


def _interval(one: StabilityFigure) -> str:
    share = FIGURES[one.name].form == "share"
    ends = [_scaled(one.name, end) for end in (one.figure.lower, one.figure.upper)]
    told = [f"{end:.0f}" if share else f"{end:.2f}" for end in ends if end is not None]
    number = _scaled(one.name, one.figure.value)
    assert number is not None
    shown = f"{number:.0f}" if share else f"{number:.2f}"
    return f"{shown} ({' to '.join(told)})".replace("-", "−") if told else shown


def _shown(name: str, figure: object) -> Row:
    return {at: _scaled(name, getattr(figure, at)) for at in ("value", "se", "lower", "upper")}


def _scaled(name: str, number: float | None) -> float | None:
    """A number in the unit that it is shown in."""
    if number is None or math.isnan(number):
        return None
    return 100 * number if FIGURES[name].form == "share" else number
