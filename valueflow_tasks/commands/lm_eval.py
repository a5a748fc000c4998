"""The commands `valueflow lm-eval ...`."""

from pathlib import Path

import click

from valueflow.commands.screen import say

__all__ = ["lm_eval_commands"]


@click.group("lm-eval")
def lm_eval_commands() -> None:
    """What goes with lm-evaluation-harness: its task files, and judging responses later."""


@lm_eval_commands.command("path")
def path_command() -> None:
    """Print the folder of the task files: lm_eval --include_path "$(valueflow lm-eval path)"."""
    from valueflow.lm_eval.task_files import task_folder

    say(str(task_folder()))


@lm_eval_commands.command("sync")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to write; the checkout's own folder where not given.",
)
def sync_command(folder: Path | None) -> None:
    """Write the task files anew from registry.yaml."""
    from valueflow.hub_assets.registry.loading import load_registry
    from valueflow.lm_eval.task_files import sync, task_folder

    where = folder or task_folder()
    changed = sync(load_registry(), where)
    for path in changed:
        say(f"changed {path}")
    say(f"{len(changed)} files changed in {where}")


@lm_eval_commands.command(
    "score",
    epilog="\b\nExample:\n  valueflow lm-eval score out/MODEL/samples_valueflow_steer_pvq_*.jsonl "
    "\\\n    --grader openai/gpt-5 -o scores",
)
@click.argument(
    "responses", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False)
)
@click.option("--grader", help="The judge; VALUEFLOW_GRADER where not given.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder for the tables.",
)
@click.option(
    "--max-connections", type=click.IntRange(1), help="Most judge calls in flight; the run's own."
)
def score_command(
    responses: tuple[Path, ...], grader: str | None, output: Path, max_connections: int | None
) -> None:
    """Judge RESPONSES that lm-eval generated, as the run itself would have.

    RESPONSES are samples files of lm-eval (--log_samples, --predict_only) or files that a run kept
    because its judge failed; one run each. Samples of survey tasks need no judge; those of several
    passes are put together and compared.
    """
    from valueflow.lm_eval.later import is_survey, judge_later, sum_up_surveys

    surveys = [path for path in responses if is_survey(path)]
    if surveys:
        found = sum_up_surveys(surveys, output)
        for name in (name for name in found if not name.endswith("_stderr")):
            error = found.get(f"{name}_stderr")
            say(f"{name}: {found[name]:.4g}" + (f" ± {error:.2g}" if error else ""))
    failed = False
    for path in (path for path in responses if path not in surveys):
        numbers, names = judge_later(path, grader, output, max_connections)
        failed |= numbers.summary is None
        for name in names:
            say(f"{name}: {numbers.value(name):.4g} ± {numbers.value(f'{name}_stderr'):.2g}")
    if failed:
        raise click.ClickException("not all responses were judged; the reasons are above")
