"""A panel of judges: what the figures are without each of them, and how far they agree."""

from collections.abc import Sequence

from valueflow.results.steering.rows import bounded
from valueflow.results.steering.studies import Study
from valueflow.results.style import BLUE, GREY, VERMILION, Drawing, flat, panels, wrapped

__all__ = ["panel_figures"]

SHOWN = ("up", "down", "range")
"""Figures that are shown without each judge, where a run has them; else the first three it has."""


def panel_figures(studies: Sequence[Study]) -> list[Drawing]:
    """Headline figures with all judges and without each, and the judges' agreement."""
    found = [study for study in studies if study.summary.panel is not None]
    return [drawing for study in found for drawing in _of_study(study, len(found) > 1)]


def _of_study(study: Study, several: bool) -> list[Drawing]:
    panel = study.summary.panel
    assert panel is not None
    overall = study.summary.overall
    names = [name for name in SHOWN if name in overall] or list(overall)[:3]
    judges = [judge for judge in panel.judges if judge.without]
    tag = f"_{study.tag}" if several and study.tag else ""
    drawings = []
    if names and judges:
        labels = ["all judges", *(f"without {judge.name}" for judge in judges)]
        # The labels stand at the left of the first panel alone.
        figure, grid = panels(len(names), 3.0, 0.34 * len(labels) + 0.9, columns=3)
        for axes, name in zip(flat(grid), names, strict=True):
            parts = [overall[name], *(judge.without.get(name) for judge in judges)]
            axes.axvline(overall[name].value, color=GREY, linewidth=0.8, linestyle=":")
            for y, part in enumerate(parts):
                if part is None:
                    continue
                color = VERMILION if y == 0 else BLUE
                axes.plot(part.interval, [y, y], color=color, linewidth=1.3)
                axes.plot(part.value, y, "s" if y == 0 else "o", color=color, markersize=5)
            first = name == names[0]
            shown = [wrapped(label, 30) if first else "" for label in labels]
            axes.set_yticks(range(len(labels)), shown)
            axes.set_ylim(len(labels) - 0.5, -0.5)
            axes.set_xlabel(f"{name} (points)" if name in SHOWN else name)
        if several:
            flat(grid)[0].set_title(wrapped(study.label, 40), loc="left")
        drawings.append(
            Drawing(
                name=f"panel_without{tag}",
                title="Figures without each judge",
                caption="The averages over values with all judges (square) and without each of "
                "them (dots), with 95% intervals. A figure that moves by more than its interval "
                "rests on one judge's view.",
                alt="Headline figures with all judges and without each judge, with intervals.",
                figure=figure,
            )
        )
    rows = [
        (f"{pair.first}\n{pair.second}", pair.correlation.value, pair.correlation.interval)
        for pair in panel.pairs
        if pair.correlation.value == pair.correlation.value
    ]
    alpha = panel.agreement
    if alpha.alpha is not None:
        ends = (alpha.alpha if x is None else x for x in (alpha.low, alpha.high))
        low, high = ends
        rows.insert(0, ("Krippendorff's alpha", alpha.alpha, (low, high)))
    if rows:
        figure, grid = panels(1, 5.2, 0.42 * len(rows) + 0.8, columns=1)
        (axes,) = flat(grid)[:1]
        for y, (_, value, ends_of) in enumerate(rows):
            color = VERMILION if y == 0 and alpha.alpha is not None else BLUE
            ends_shown = bounded(*ends_of)
            axes.plot([ends_shown["lower"], ends_shown["upper"]], [y, y], color=color)
            axes.plot(value, y, "o", color=color, markersize=5)
        axes.set_yticks(range(len(rows)), [label for label, _, _ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        low = min(0.0, *(min(value, *ends_of) for _, value, ends_of in rows))
        axes.set_xlim(max(low - 0.05, -1.02), 1.02)
        axes.set_xlabel("agreement on responses")
        drawings.append(
            Drawing(
                name=f"panel_agreement{tag}",
                title="How far the judges agree",
                caption="Krippendorff's alpha (interval) of all judges, and the correlation of "
                "every two, over responses that they both judged: each judge's own estimates, "
                "calibrated by its anchors, with 95% bootstrap intervals over queries.",
                alt="Krippendorff's alpha and pairwise correlations of the judges, with intervals.",
                figure=figure,
            )
        )
    return drawings
