"""The command `valueflow repair`."""

from pathlib import Path

import click

from valueflow.commands.screen import examples
from valueflow.hub_assets.errors import OptionError

__all__ = ["repair_command"]


@click.command(
    "repair",
    epilog=examples(
        "valueflow repair logs/2026-01-01_steer.eval",
        "valueflow repair logs/2026-01-01_steer.eval -o repaired.eval --max-calls 500",
        "valueflow repair logs/2026-01-01_steer.eval --grader openai/gpt-5",
    ),
)
@click.argument("log", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the repaired log goes; LOG itself where not given.",
)
@click.option(
    "--grader",
    help="The judge of the log, as PROVIDER/MODEL or a JSON mapping, where the log does not say "
    "how it was made.",
)
@click.option("--max-calls", type=click.IntRange(0), help="Most judge calls.")
@click.option(
    "--max-connections",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="Most judge calls in flight.",
)
def repair_command(
    log: Path, output: Path | None, grader: str | None, max_calls: int | None, max_connections: int
) -> None:
    """Ask the judge again about the windows of LOG that have no ranking, and about no other.

    Windows are left without a ranking when the judge is out, over its quota, or says nothing that
    can be read. Responses and rankings that are there stay; the metrics are computed anew.
    """
    from valueflow.lm_eval.options import grader_spec
    from valueflow.steering.repair import repair_log

    spec = grader_spec(grader) if grader is not None else None
    if grader is not None and spec is None:
        raise OptionError("grader", "names no judge")
    suffix = output.suffix if output is not None else log.suffix
    if suffix not in (".eval", ".json"):
        raise OptionError("output", f"{output or log} is no log of Inspect (.eval or .json)")
    done = repair_log(
        log, output or log, grader=spec, connections=max_connections, max_calls=max_calls
    )
    if done.judge is None:
        click.echo(f"{log}: every window has a ranking; nothing was asked")
        return
    left = sum(done.left.values())
    used = done.used
    cost = f", ${used.cost:,.2f}" if used.cost else ""
    click.echo(
        f"{output or log}: {done.failed - left:,} of {done.failed:,} windows without a ranking "
        f"have one now; {used.asked + used.failed:,} calls of {done.judge}, {used.cached:,} "
        f"answers from the cache ({used.tokens_in:,} tokens read, {used.tokens_out:,} "
        f"written{cost})"
    )
    for why, count in list(done.left.items())[:3]:
        click.echo(f"Still without a ranking: {count:,} ({why})", err=True)
    if done.stopped:
        click.echo("The calls of --max-calls are made; run the same command again", err=True)
