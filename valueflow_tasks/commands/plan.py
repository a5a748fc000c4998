"""The table of `valueflow plan`: how many windows a study needs, and what they cost."""

from rich.table import Table

from valueflow.hub_assets.errors import OptionError
from valueflow.scorers.windows.plan import SPREAD, Design, study_designs

__all__ = ["plan_table"]


def plan_table(
    judge_scale: float,
    queries: int,
    se: float | None = None,
    *,
    response_se: float | None = None,
    values: int = 1,
    levels: int = 5,
    window_size: int = 6,
    sampling: str = "bucket",
    spread: float = SPREAD,
    query_correlation: float = 0.0,
    most_windows: int = 10,
    judge_mode: str = "ranking",
) -> Table:
    """Designs with 1 to `most_windows` windows per response; the smallest that reaches is marked.

    Args:
        judge_scale: the judge's scale, in log-worth per point (an earlier run's report names it).
        queries: queries, each answered once per value and level.
        se: wanted standard error of a cell's mean, in points; None for none.
        response_se: wanted standard error of a response, in points; None for none.
        values: how many values are steered.
        levels: how many levels, the default included.
        window_size: k, texts in a window.
        sampling: `bucket` or `adaptive`.
        spread: standard deviation between the responses of a cell, in points.
        query_correlation: correlation of the true intensities of two levels' responses to a query.
        most_windows: rows.
        judge_mode: `ranking`, `rating` or `placement`.

    Raises:
        OptionError: an option is out of range.
    """
    try:
        designs = study_designs(
            judge_scale,
            queries,
            cell_se=se,
            response_se=response_se,
            values=values,
            levels=levels,
            window_size=window_size,
            sampling=sampling,
            spread=spread,
            query_correlation=query_correlation,
            most_windows=most_windows,
            judge_mode=judge_mode,
        )
    except ValueError as error:
        raise OptionError("plan", str(error)) from None
    wanted = se is not None or response_se is not None
    best = next((d.windows for d in designs if d.reaches), None) if wanted else None
    kind = "" if judge_mode == "ranking" else f"{judge_mode} in "
    table = Table(
        title=f"{kind}{sampling} windows of {window_size}, judge of scale {judge_scale:g}, "
        f"{queries:,} queries x {values} {'value' if values == 1 else 'values'} x {levels} levels",
        caption=_caption(designs, best, se, response_se, spread),
    )
    table.add_column("")
    for name in ("windows per response", "judge calls", "tokens"):
        table.add_column(name, justify="right")
    for name in ("standard error: response", "cell", "shift"):
        table.add_column(name, justify="right")
    if se is not None:
        table.add_column(f"queries for {se:g}", justify="right")
    for d in designs:
        row = [
            "->" if d.windows == best else "",
            str(d.windows),
            f"{d.calls:,}",
            f"{d.tokens:,}",
            f"{d.response_se:.2f}",
            f"{d.cell_se:.3f}",
            f"{d.shift_se:.3f}",
        ]
        if d.queries_needed is not None:
            row.append(f"{d.queries_needed:,}")
        table.add_row(*row, style="bold" if d.windows == best else None)
    return table


def _caption(
    designs: list[Design],
    best: int | None,
    se: float | None,
    response_se: float | None,
    spread: float,
) -> str:
    errors = [("a cell", se), ("a response", response_se)]
    goal = " and ".join(f"{error:g} for {name}" for name, error in errors if error is not None)
    assumed = f"Between responses of a cell a standard deviation of {spread:g} points is assumed."
    if not goal:
        return assumed
    if best is not None:
        many = "1 window" if best == 1 else f"{best} windows"
        return f"{many} per response reach a standard error of {goal}. {assumed}"
    last = designs[-1]
    more = ""
    if se is not None and last.queries_needed is not None and last.cell_se > se:
        more = f"; {last.windows} windows would with {last.queries_needed:,} queries"
    return f"No design above reaches a standard error of {goal}{more}. {assumed}"
