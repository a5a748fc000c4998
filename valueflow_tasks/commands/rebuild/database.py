"""The commands `valueflow build ...`: databases and tables that take a model to make.

The commands that build a value intensity database: `build vidb`, and each stage by itself.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from valueflow.commands.screen import examples, say, show_tables
from valueflow.hub_assets.errors import InputFileError, OptionError

__all__ = [
    "add_build_vidb",
    "build_command",
    "build_vidb_command",
]


@click.group("build")
def build_command() -> None:
    """Build databases and the tables that a study needs."""


@build_command.command(
    "relevance",
    epilog=examples(
        "valueflow build relevance opinionqa-mini "
        "--model sentence-transformers/all-MiniLM-L6-v2 \\",
        "    -o relevance.parquet",
        "valueflow build relevance survey.json --judge openai/gpt-4o-mini --theory duty \\",
        "    -o relevance.parquet",
        "inspect eval valueflow/opinionqa --max-retries 6 --model X -T data=survey.json \\",
        "    -T relevance=relevance.parquet -T threshold=0.3",
    ),
)
@click.argument("questions")
@click.option("--model", help="A sentence-transformers model, or `hives` (needs valueflow[hives]).")
@click.option("--judge", help="An Inspect model that rates the questions, in place of --model.")
@click.option("--max-calls", type=click.IntRange(0), help="Most calls of --judge.")
@click.option(
    "--theory", "theories", multiple=True, help="Only this theory; may be repeated. Default: all."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="Table to write: .parquet or .csv.",
)
def relevance_command(
    questions: str,
    model: str | None,
    judge: str | None,
    max_calls: int | None,
    theories: tuple[str, ...],
    output: Path,
) -> None:
    """Say how relevant each of QUESTIONS is to the values of each theory.

    QUESTIONS is a survey question set: `opinionqa-mini`, a file or folder, or ORG/NAME@REVISION.
    """
    from valueflow.hub_assets.registry.loading import load_registry
    from valueflow.hub_assets.survey.questions import load_opinions
    from valueflow.survey.relevance import (
        embedding_relevance,
        judge_relevance,
        open_encoder,
        write_relevance,
    )

    if (model is None) == (judge is None):
        raise OptionError("model", "give either --model or --judge")
    if output.suffix.lower() not in (".parquet", ".csv"):
        raise OptionError("output", f"{output} must end in .parquet or .csv")
    registry = load_registry()
    chosen = [registry.theory(name) for name in theories] or list(registry.theories.values())
    chosen = list({theory.name: theory for theory in chosen}.values())
    data = load_opinions(questions)
    failed: list[str] = []
    with Console(stderr=True).status(f"Rating {len(data.questions):,} questions ..."):
        if model is not None:
            rows = embedding_relevance(data.questions, chosen, open_encoder(model), model)
        else:
            from inspect_ai.model import GenerateConfig, get_model

            from valueflow.scorers.judge.calls.memory import Budget
            from valueflow.scorers.judge.model import MAX_RETRIES

            try:
                grader = get_model(judge, config=GenerateConfig(max_retries=MAX_RETRIES))
            except Exception as error:
                raise OptionError("judge", f"{judge} cannot be used ({error})") from None
            budget = Budget(max_calls)
            rows, failed = judge_relevance(data.questions, chosen, grader, budget)
            _tell_cost(budget)
    if not rows:
        raise OptionError("judge", f"{judge} rated no question ({failed[0]})")
    write_relevance(output, rows)
    say(
        f"{len(rows):,} rows: {len(data.questions):,} questions, "
        f"{', '.join(theory.name for theory in chosen)}; wrote {output}"
    )
    for note in data.notes:
        say(note)
    if failed:
        say(f"{len(failed):,} left out, the first: {failed[0]}")


STAGE_HELP = {
    "import": "Read the texts of all sources.",
    "categorize": "Ask the panel which values each text is about, and in which direction.",
    "curate": "Leave out near duplicates, balance directions, cap rows per value.",
    "rank": "Ask the judge about all windows.",
    "fit": "Fit utilities and standard errors to the rankings.",
    "scale": "Map utilities to intensities in [-10, 10] with the neutral point at 0.",
    "flag": "Find odd rows, and write them to the queue for review.",
    "package": "Merge human ratings and write the packaged database.",
}


def _shared(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(
        [
            click.argument(
                "recipe", type=click.Path(path_type=Path, dir_okay=False), metavar="RECIPE.yaml"
            ),
            click.option(
                "-o",
                "--output",
                type=click.Path(path_type=Path, file_okay=False),
                required=True,
                help="Folder of the build; run again with the same one to go on.",
            ),
            click.option("--max-calls", type=click.IntRange(0), help="Most judge calls of a run."),
            click.option("--values", help="Only these values, as 'benevolence,power'."),
            click.option("--shard", help="Only the i-th of n shares of the values, as '1/4'."),
            click.option(
                "--catalogue",
                type=click.Path(path_type=Path, exists=True, dir_okay=False),
                help="YAML file with values of your own, in place of the recipe's `catalogue`.",
            ),
        ]
    ):
        command = option(command)
    return command


@click.command(
    "vidb",
    epilog=examples(
        "valueflow build vidb recipe.yaml -o build --dry-run",
        "valueflow build vidb recipe.yaml -o build --max-calls 10000",
        "valueflow build vidb recipe.yaml -o build --until curate",
        "valueflow build vidb recipe.yaml -o build --shard 1/4",
        "valueflow build vidb recipe.yaml -o build --merge shard-2 --merge shard-3",
    ),
)
@_shared
@click.option("--until", type=click.Choice(list(STAGE_HELP)), help="Stop after this stage.")
@click.option("--dry-run", is_flag=True, help="Print expected calls and tokens; ask nobody.")
@click.option(
    "--merge",
    "merged",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    multiple=True,
    help="Bring in the values that another folder has scored, then package; may be repeated.",
)
def build_vidb_command(
    recipe: Path,
    output: Path,
    max_calls: int | None,
    values: str | None,
    shard: str | None,
    until: str | None,
    dry_run: bool,
    merged: tuple[Path, ...],
    catalogue: Path | None,
) -> None:
    """Build a value intensity database from a recipe, stage by stage.

    Every judgement is kept as it comes: a run that was stopped or killed goes on where it was. A
    run for a share of the values (--values, --shard) stops before packaging; --merge joins such
    shares and packages them.
    """
    from valueflow.rebuild.database import stages as build_stages

    run = _run(recipe, output, max_calls, values, shard, catalogue)
    if until == "package" and not run.whole:
        raise OptionError("until", "'package' works on all values; leave --values and --shard out")
    if dry_run:
        _show_estimate(run)
        return
    if merged:
        if not run.whole:
            raise OptionError("merge", "joins whole builds; leave --values and --shard out")
        for told in build_stages.merge(run, merged):
            _say(f"merge {told}")
    stages = list(build_stages.STAGES)
    if until is not None:
        stages = stages[: stages.index(until) + 1]
    elif not run.whole:
        stages.remove("package")
    for stage in stages:
        build_stages.run_stage(run, stage)
    _tell_cost(run.budget)
    if stages[-1] == "package":
        say(f"The database lies in {output / 'vidb'}; push it with `valueflow push vidb`.")


def add_build_vidb(group: click.Group) -> None:
    """Attaches `vidb` and the commands of the single stages to a group."""
    group.add_command(build_vidb_command)
    for stage, help_text in STAGE_HELP.items():
        group.add_command(_stage_command(stage, help_text))


def _stage_command(stage: str, help_text: str) -> click.Command:
    @click.command(stage, help=f"{help_text} The stage '{stage}' of `valueflow build vidb`.")
    @_shared
    def command(
        recipe: Path,
        output: Path,
        max_calls: int | None,
        values: str | None,
        shard: str | None,
        catalogue: Path | None,
    ) -> None:
        from valueflow.rebuild.database import stages as build_stages

        if (values is not None or shard) and stage not in build_stages.VALUE_STAGES:
            raise OptionError(
                "shard" if values is None else "values", f"'{stage}' works on all values"
            )
        run = _run(recipe, output, max_calls, values, shard, catalogue)
        build_stages.run_stage(run, stage)
        _tell_cost(run.budget)

    return command


def _run(
    recipe: Path,
    output: Path,
    max_calls: int | None,
    values: str | None,
    shard: str | None,
    catalogue: Path | None,
) -> Any:
    from valueflow.rebuild.database.judging import Budget
    from valueflow.rebuild.database.recipe import read_recipe
    from valueflow.rebuild.database.stages import Run

    # All of it before anything is asked: a name that is wrong must not cost the stages before.
    read = read_recipe(recipe, catalogue)
    _check_files(read, recipe)
    names = None if values is None else _names(read, values)
    return Run(read, output, Budget(max_calls), names, _shard(shard), _say)


def _check_files(read: Any, recipe: Path) -> None:
    """Files that late stages read, before the early ones are paid for."""
    late = {
        "scale.ratings": read.scale.ratings,
        "package.held_out": read.package.held_out,
        "package.notes": read.package.notes,
    }
    lacking = [
        f"{key}: {read.path(name)}"
        for key, name in late.items()
        if name is not None and not read.path(name).is_file()
    ]
    if lacking:
        raise InputFileError(recipe, f"names files that are not there: {'; '.join(lacking)}")


def _names(recipe: Any, values: str) -> tuple[str, ...]:
    from valueflow.rebuild.database.recipe import key_of

    wanted = {key_of(value) for value in recipe.wanted()}
    registry = recipe.registry
    names = tuple(key_of(registry.value(n.strip())) for n in values.split(",") if n.strip())
    if not names:
        raise OptionError("values", "names no value; leave it out for all of them")
    if lacking := [name for name in names if name not in wanted]:
        raise OptionError("values", f"{', '.join(lacking)} is none of the recipe's values")
    return names


def _shard(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    number, _, shards = text.partition("/")
    if not (number.isdecimal() and shards.isdecimal() and 1 <= int(number) <= int(shards)):
        raise OptionError("shard", f"{text!r} is not of the form 1/4")
    return int(number), int(shards)


def _say(text: str) -> None:
    say(text, err=True)


def _tell_cost(budget: Any) -> None:
    cost = f", ${budget.cost:,.2f}" if budget.cost else ""
    tokens = f"{budget.tokens_in:,} tokens read, {budget.tokens_out:,} written"
    _say(f"judge calls in this run: {budget.calls:,} ({tokens}{cost})")


def _show_estimate(run: Any) -> None:
    from valueflow.rebuild.database.estimate import estimate

    columns = ("stage", "calls", "judged already", "tokens read", "tokens written", "rests on")
    table = Table(*columns, title="Expected of the whole build; nothing was asked")
    for row in estimate(run.recipe, run.folder):
        numbers = (row.calls, row.known, row.tokens_in, row.tokens_out)
        table.add_row(row.stage, *(f"{n:,}" for n in numbers), row.basis)
    show_tables([table])


add_build_vidb(build_command)
