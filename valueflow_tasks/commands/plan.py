"""`valueflow plan`: what a study takes."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from valueflow.commands.options import default_of, evaluator_option
from valueflow.commands.screen import examples, form_options, say, show_tables
from valueflow.hub_assets.errors import OptionError

if TYPE_CHECKING:
    from valueflow.results.steering.pilot import Pilot
    from valueflow.scorers.windows.plan import Design

__all__ = ["PlannedStudy", "plan_command", "plan_table"]


HARDLY = 1.05
"""Ratio of two standard errors that hardly differ."""


@dataclass(frozen=True)
class PlannedStudy:
    """A study that is still planned, and what is wanted of it.

    Attributes:
        queries: questions, each answered once per value and level.
        scale, text_sd: the judge's, in log-worth per point and in points.
        se, response_se: wanted standard errors of a cell's mean and of a response, in points; None
            for none.
        difference, power: a difference between two models, in points, and the chance to find it.
        values, levels: how many are steered; the default level counts.
        window_size: k, texts in a window.
        sampling: `bucket` or `adaptive`.
        spread: standard deviation between the responses of a cell, in points; None for `SPREAD`.
        query_correlation: between two responses to one question.
        anchors: different ones of a value; None for `ANCHORS`.
        judge_mode: `ranking`, `rating` or `placement`.
        most_windows: rows.
        call_tokens, call_cost, generation_cost: of one judge call and of one response, in tokens
            and US dollars, where they are known.
    """

    queries: int
    scale: float
    text_sd: float
    se: float | None = None
    response_se: float | None = None
    difference: float | None = None
    power: float | None = None
    values: int = 1
    levels: int = 5
    window_size: int = 6
    sampling: str = "bucket"
    spread: float | None = None
    query_correlation: float = 0.0
    anchors: int | None = None
    judge_mode: str = "ranking"
    most_windows: int = 10
    call_tokens: float | None = None
    call_cost: float | None = None
    generation_cost: float | None = None

    def designs(self, queries: int | None = None, windows: int | None = None) -> list[Design]:
        """The designs of the study, or of one with other counts.

        Raises:
            OptionError: an option is out of range.
        """
        # Imported here: SciPy takes a second, and `valueflow list` needs none of it.
        from valueflow.scorers.windows.plan import ANCHORS, POWER, SPREAD, study_designs

        try:
            return study_designs(
                self.scale,
                queries or self.queries,
                text_sd=self.text_sd,
                cell_se=self.se,
                response_se=self.response_se,
                difference=self.difference,
                power=POWER if self.power is None else self.power,
                values=self.values,
                levels=self.levels,
                window_size=self.window_size,
                sampling=self.sampling,
                spread=SPREAD if self.spread is None else self.spread,
                query_correlation=self.query_correlation,
                most_windows=windows or self.most_windows,
                anchors=ANCHORS if self.anchors is None else self.anchors,
                call_tokens=self.call_tokens,
                judge_mode=self.judge_mode,
            )
        except ValueError as error:
            raise OptionError("plan", str(error)) from None

    def money(self, design: Design) -> float | None:
        """US dollars of a design, generations included; None where no price is known."""
        if self.call_cost is None or self.generation_cost is None:
            return None
        responses = self.queries * (self.values * (self.levels - 1) + 1)
        return design.calls * self.call_cost + responses * self.generation_cost


@click.command(
    "plan",
    epilog=examples(
        "valueflow plan --queries 100 --se 0.5",
        "valueflow plan --queries 100 --judge-mode rating --anchors 10000",
        "valueflow plan --from logs/pilot.eval --queries 100 --se 0.5",
        "valueflow plan --from logs/pilot.eval --queries 50 --difference 1   two models",
        "valueflow plan --judge-scale 1 --text-sd 0 --queries 20 --sampling adaptive",
    ),
)
@click.option("--queries", type=int, required=True, help="Questions per cell.")
@click.option(
    "--from",
    "pilot",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Logs of a pilot run, or a folder of them: judge, spread, anchors, tokens and money.",
)
@click.option("--se", type=float, help="Wanted standard error of a cell's mean, in points.")
@click.option("--response-se", type=float, help="Wanted standard error of a response, in points.")
@click.option(
    "--difference",
    type=float,
    help="A difference between two models, in points, that is to be found.",
)
@click.option("--power", type=float, help="Chance to find it (default: 0.8).")
@evaluator_option(
    "design_scale",
    "--judge-scale",
    says="the judge's scale, in log-worth per point: 0.3 is noisy, 3 is sharp",
    otherwise=f"the pilot's, or {default_of('design_scale'):g}",
)
@evaluator_option(
    "design_text_sd",
    "--text-sd",
    says="standard deviation of the judge's standing disagreement with single texts, in points",
    otherwise=f"the pilot's, or {default_of('design_text_sd'):g}",
)
@click.option(
    "--spread",
    type=float,
    help="Standard deviation between the responses of a cell, in points (default: the pilot's, or "
    "2).",
)
@click.option(
    "--query-correlation",
    type=float,
    default=0.0,
    show_default=True,
    help="Correlation between two responses to one question; leaves shifts and differences.",
)
@click.option(
    "--anchors", type=int, help="Different anchors of a value (default: the pilot's, or 44)."
)
@click.option("--values", type=int, help="Values steered (default: the pilot's, or 1).")
@click.option(
    "--levels", type=int, help="Levels, the default included (default: the pilot's, or 5)."
)
@evaluator_option("window_size", otherwise="the pilot's, or 6")
@evaluator_option("sampling", only=("bucket", "adaptive"))
@evaluator_option(
    "judge_mode", only=("ranking", "rating", "placement"), otherwise="the pilot's, or ranking"
)
@click.option("--prices", help="Table of prices (model, input, output), for --from.")
@form_options
def plan_command(
    queries: int, pilot: tuple[Path, ...], prices: str | None, form: str | None, **options: Any
) -> None:
    """Say how many questions and windows a study needs, and what it costs."""
    given = {name: option for name, option in options.items() if option is not None}
    study = planned_study(queries, given, _read_pilot(pilot, prices, form))
    show_tables([plan_table(study)], form)


def _read_pilot(paths: tuple[Path, ...], prices: str | None, form: str | None) -> Pilot | None:
    if not paths:
        if prices is not None:
            raise OptionError("prices", "is for the tokens of a pilot; name one with --from")
        return None
    from valueflow.results.steering.pilot import read_pilot

    found = read_pilot(paths, prices)
    for told in found.told():
        say(told, err=form is not None)
    return found


def planned_study(
    queries: int, options: dict[str, Any], pilot: Pilot | None = None
) -> PlannedStudy:
    """A study as options say, else as its pilot does, else as a strong model's judging is.

    Args:
        queries: questions per cell.
        options: fields of `PlannedStudy`; scale and text standard deviation under the names of the
            evaluator's options.
        pilot: what a pilot run told.
    """
    assumed = {name: default_of(name) for name in ("design_scale", "design_text_sd")}
    told = {} if pilot is None else pilot.as_options()
    if "judge_mode" in options and options["judge_mode"] != told.get("judge_mode"):
        # A pilot tells tokens and money of calls of its own kind alone.
        told = {name: one for name, one in told.items() if name not in ("call_tokens", "call_cost")}
    found = {**assumed, **told, **options}
    scale, text_sd = found.pop("design_scale"), found.pop("design_text_sd")
    return PlannedStudy(queries, scale, text_sd, **found)


def plan_table(study: PlannedStudy) -> Table:
    """Designs by windows per response; the smallest that reaches what is wanted is marked.

    Raises:
        OptionError: an option is out of range.
    """
    designs = study.designs()
    wanted = study.se is not None or study.response_se is not None
    best = next((d.windows for d in designs if d.reaches), None) if wanted else None
    kind = "" if study.judge_mode == "ranking" else f"{study.judge_mode} in "
    table = Table(
        title=f"{kind}{study.sampling} windows of {study.window_size}, judge of scale "
        f"{study.scale:.3g} that disagrees with texts by {study.text_sd:.3g} points, "
        f"{study.queries:,} questions x {study.values} "
        f"{'value' if study.values == 1 else 'values'} x {study.levels} levels",
        caption="\n".join(_advice(study, designs, best)),
        caption_justify="left",
    )
    table.add_column("")
    for name in ("windows per response", "judge calls", "tokens"):
        table.add_column(name, justify="right")
    money = [study.money(design) for design in designs]
    if money[0] is not None:
        table.add_column("US dollars", justify="right")
    for name in ("standard error: response", "cell", "shift"):
        table.add_column(name, justify="right")
    if study.se is not None:
        table.add_column(f"queries for {study.se:g}", justify="right")
    if study.difference is not None:
        for what in ("a cell", "a shift or range"):
            table.add_column(
                f"queries for a difference of {study.difference:g} in {what}", justify="right"
            )
    for d, dollars in zip(designs, money, strict=True):
        row = ["->" if d.windows == best else "", str(d.windows), f"{d.calls:,}", f"{d.tokens:,}"]
        if dollars is not None:
            row.append(f"{dollars:,.2f}")
        row += [f"{d.response_se:.2f}", f"{d.cell_se:.3f}", f"{d.shift_se:.3f}"]
        if study.se is not None:
            row.append("" if d.queries_needed is None else f"{d.queries_needed:,}")
        if d.queries_for_difference is not None:
            row += [f"{needed:,}" for needed in d.queries_for_difference]
        table.add_row(*row, style="bold" if d.windows == best else None)
    return table


def _advice(study: PlannedStudy, designs: list[Design], best: int | None) -> list[str]:
    """Sentences to stand below the table."""
    told = _reached(study, designs, best)
    first = designs[0]
    part = first.cell
    shares = (
        (part.spread, "the responses' own spread"),
        (part.text, "the judge's disagreement with single texts"),
        (part.windows, "what one window leaves open"),
        (part.anchors, "its disagreement with the anchors"),
    )
    parts = ", ".join(f"{100 * one / part.total:.0f} % {name}" for one, name in shares)
    told.append(
        f"With one window the variance of a cell's mean is {part.total:.3f} squared points: "
        f"{parts}."
    )
    doubled = study.designs(windows=2)[1].cell_se
    spread_out = study.designs(queries=2 * study.queries, windows=1)[0].cell_se
    told.append(
        f"Twice the judge calls bring a cell's standard error from {first.cell_se:.3f} to "
        f"{spread_out:.3f} as {2 * study.queries:,} questions with one window, and to "
        f"{doubled:.3f} as {study.queries:,} with two: "
        + (
            "take more questions before more windows."
            if doubled > HARDLY * spread_out
            else "the two hardly differ for so rough a judge, and windows need no more responses."
        )
    )
    if part.anchors > part.total / 3:
        told.append(
            f"The anchors alone leave an error of {sqrt(part.anchors):.2f}, which neither "
            "questions nor windows wear down: more anchors (--anchors) do. Most of it cancels in "
            "shifts, and in differences between models that one judge measured on the same anchors."
        )
    if study.response_se is not None and not any(
        d.response_se <= study.response_se for d in designs
    ):
        told.append(
            f"A response is known to {designs[-1].response_se:.2f} points at best here: a judge's "
            "disagreement with a text is the same in all its windows."
        )
    if study.difference is not None:
        told.append(
            f"A difference is one between two models that answer the same questions, found with a "
            f"chance of {0.8 if study.power is None else study.power:g} by a paired test at 5 %; "
            "a correction for several cells needs more."
        )
    assumed = f"a spread of {2 if study.spread is None else study.spread:.3g} points in a cell"
    told.append(
        f"Assumed: {assumed}, {44 if study.anchors is None else study.anchors:,} anchors of a "
        "value."
    )
    return told


def _reached(study: PlannedStudy, designs: list[Design], best: int | None) -> list[str]:
    errors = [("a cell", study.se), ("a response", study.response_se)]
    goal = " and ".join(f"{error:g} for {name}" for name, error in errors if error is not None)
    if not goal:
        return []
    if best is not None:
        many = "1 window" if best == 1 else f"{best} windows"
        return [f"{many} per response reach a standard error of {goal}."]
    needed = [d for d in designs if d.queries_needed is not None]
    more = ""
    if study.se is not None and needed and designs[-1].cell_se > study.se:
        cheapest = min(needed, key=lambda d: d.windows * (d.queries_needed or 0))
        many = "1 window" if cheapest.windows == 1 else f"{cheapest.windows} windows"
        more = (
            f"; for a cell the fewest judge calls that do are {many} with "
            f"{cheapest.queries_needed:,} questions"
        )
    elif study.se is not None and not needed:
        more = "; for a cell no number of questions does with so few anchors"
    return [f"No design above reaches a standard error of {goal}{more}."]
