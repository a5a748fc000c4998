"""The commands `valueflow build ...`: databases and tables that take a model to make.

The commands that build a value intensity database: `build vidb`, and each stage by itself.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from valueflow.commands.options import mapping_option
from valueflow.commands.screen import examples, say, show_tables
from valueflow.hub_assets.errors import InputFileError, OptionError
from valueflow.hub_assets.lazy import need

if TYPE_CHECKING:
    from inspect_ai.model import Model

    from valueflow.hub_assets.registry.loading import Theory

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
    chosen = _theories(theories)
    data = load_opinions(questions)
    failed: list[str] = []
    with Console(stderr=True).status(f"Rating {len(data.questions):,} questions ..."):
        if model is not None:
            rows = embedding_relevance(data.questions, chosen, open_encoder(model), model)
        else:
            from valueflow.scorers.judge.calls.memory import Budget

            budget = Budget(max_calls)
            rows, failed = judge_relevance(data.questions, chosen, _judge(str(judge)), budget)
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


def _theories(names: tuple[str, ...]) -> "list[Theory]":
    """The theories of these names, each once; all of them where none is named."""
    from valueflow.hub_assets.registry.loading import load_registry

    registry = load_registry()
    chosen = [registry.theory(name) for name in names] or list(registry.theories.values())
    return list({theory.name: theory for theory in chosen}.values())


def _judge(name: str) -> "Model":
    """A judge by its name.

    Raises:
        OptionError: there is none.
    """
    from inspect_ai.model import GenerateConfig, get_model

    from valueflow.scorers.judge.model import MAX_RETRIES

    try:
        return get_model(name, config=GenerateConfig(max_retries=MAX_RETRIES))
    except Exception as error:
        raise OptionError("judge", f"{name} cannot be used ({error})") from None


@build_command.command(
    "related",
    epilog=examples(
        "valueflow build related questions.csv --judge openai/gpt-4o-mini --theory pvq "
        "-o related.csv",
        "inspect eval valueflow/steer --max-retries 6 --model X -T queries=related.csv "
        "-T relevant=true",
    ),
)
@click.argument("queries")
@click.option("--judge", required=True, help="An Inspect model that rates the questions.")
@click.option("--max-calls", type=click.IntRange(0), help="Most calls of the judge.")
@click.option(
    "--theory", "theories", multiple=True, help="Only this theory; may be repeated. Default: all."
)
@click.option(
    "--least",
    type=click.FloatRange(0, 10),
    default=4,
    show_default=True,
    help="Rating, from 0 to 10, from which a value is related to a question.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="Query set to write, a CSV with a column `related`.",
)
def related_command(
    queries: str,
    judge: str,
    max_calls: int | None,
    theories: tuple[str, ...],
    least: float,
    output: Path,
) -> None:
    """Let a judge say which values each of QUERIES gives something to hold on to.

    QUERIES is a query set: `queries-mini`, a file or folder, or ORG/NAME@REVISION. What is written
    is the set with the column `related`, by which `-T relevant=true` leaves off-topic pairs out.
    """
    from valueflow.hub_assets.files import write_csv
    from valueflow.hub_assets.inputs.chats import in_words
    from valueflow.hub_assets.inputs.queries import load_queries
    from valueflow.hub_assets.registry.loading import load_registry
    from valueflow.scorers.judge.calls.memory import Budget
    from valueflow.survey.relevance import Asked, rate_values, related_rows

    if output.suffix.lower() != ".csv":
        raise OptionError("output", f"{output} must end in .csv")
    chosen = _theories(theories)
    data = load_queries(queries)
    sentences = load_registry().sentences
    asked = [Asked(query.id, in_words(query.chat, sentences.say)) for query in data.queries]
    budget = Budget(max_calls)
    with Console(stderr=True).status(f"Rating {len(asked):,} questions ..."):
        ratings, failed = rate_values(asked, chosen, _judge(judge), budget)
    _tell_cost(budget)
    if not ratings:
        raise OptionError("judge", f"{judge} rated no question ({failed[0]})")
    rows = related_rows(data.queries, chosen, ratings, least)
    write_csv(output, ["id", "family", "query", "related"], rows)
    values = sum(len(theory.values) for theory in chosen)
    known = [row["related"] for row in rows if row["related"]]
    related = sum(len(names.split("|")) for names in known if names != "none")
    pairs = max(len(known) * values, 1)
    say(
        f"{100 * (1 - related / pairs):.0f} % of {len(known) * values:,} pairs of a question and a "
        f"value are off topic (rated below {least:g}); wrote {output}"
    )
    for note in data.notes:
        say(note)
    if failed:
        say(
            f"{len(failed):,} ratings are missing, the first: {failed[0]}; their questions say "
            "nothing"
        )


@build_command.command(
    "init",
    epilog=examples(
        "valueflow build init texts.csv --judge openai/gpt-4o-mini",
        "valueflow build init texts.csv --catalogue mine.yaml --theory craft -o recipe.yaml",
    ),
)
@click.argument("texts", type=click.Path(path_type=Path, exists=True))
@click.option("--judge", default="vllm/google/gemma-3-27b-it", show_default=True)
@click.option("--theory", "theories", multiple=True, help="Whose values; may be repeated.")
@click.option(
    "--catalogue",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="YAML file with values of your own; without --theory, those are asked about.",
)
@click.option("--source", default="my texts", show_default=True, help="Where the texts are from.")
@click.option("--license", default="CC-BY-4.0", show_default=True, help="Licence of the texts.")
@click.option("--columns", help="Your names for columns, as '{text: sentence}'.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("recipe.yaml"),
    show_default=True,
    help="Recipe to write.",
)
def init_command(
    texts: Path,
    judge: str,
    theories: tuple[str, ...],
    catalogue: Path | None,
    source: str,
    license: str,
    columns: str | None,
    output: Path,
) -> None:
    """Write a first recipe for TEXTS, with a comment on each part.

    TEXTS is a CSV, TSV, JSONL, JSON or Parquet file with a column of texts; columns `value` and
    `direction` are used where they are there.
    """
    from valueflow.hub_assets.files import write_text
    from valueflow.hub_assets.registry.loading import load_registry, open_catalogue
    from valueflow.rebuild.database.planning.template import found_in, recipe_text
    from valueflow.rebuild.database.recipe import read_recipe

    if output.exists():
        raise OptionError("output", f"{output} is there already; choose another name")
    registry = open_catalogue(catalogue) if catalogue else load_registry()
    own = [name for name in registry.theories if name not in load_registry().theories]
    found = found_in(texts, mapping_option("columns", columns))
    folder = output.resolve().parent
    written = recipe_text(
        _path_from(folder, texts),
        found,
        judge=judge,
        theories=theories or own,
        registry=registry,
        catalogue=_path_from(folder, catalogue) if catalogue else None,
        source=source,
        license=license,
    )
    write_text(output, written)
    read_recipe(output)
    say(f"{output}: {found.rows:,} texts. Read it, change what does not fit, then:")
    say(f"  valueflow build vidb {output} -o build --dry-run")


def _path_from(folder: Path, path: Path) -> str:
    """A path as it is written into a recipe: from its folder, where it lies below."""
    whole = path.resolve()
    return str(whole.relative_to(folder)) if whole.is_relative_to(folder) else str(whole)


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
        "valueflow build vidb recipe.yaml -o build --ray auto",
    ),
)
@_shared
@click.option("--until", type=click.Choice(list(STAGE_HELP)), help="Stop after this stage.")
@click.option(
    "--dry-run", is_flag=True, help="Print calls, tokens and money; check judges; ask nobody."
)
@click.option("--prices", help="With --dry-run: a table of prices (model, input, output).")
@click.option(
    "--merge",
    "merged",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    multiple=True,
    help="Bring in the values that another folder has scored, then package; may be repeated.",
)
@click.option(
    "--ray",
    metavar="[ADDRESS]",
    is_flag=False,
    flag_value="local",
    help="Rank and flag the values on the Ray cluster at ADDRESS (`auto`: the one this machine "
    "belongs to); on the processors of this machine where ADDRESS is left out. Put it last.",
)
def build_vidb_command(
    recipe: Path,
    output: Path,
    max_calls: int | None,
    values: str | None,
    shard: str | None,
    until: str | None,
    dry_run: bool,
    prices: str | None,
    merged: tuple[Path, ...],
    ray: str | None,
    catalogue: Path | None,
) -> None:
    """Build a value intensity database from a recipe, stage by stage.

    Every judgement is kept as it comes: a run that was stopped or killed goes on where it was. A
    run for a share of the values (--values, --shard) stops before packaging; --merge joins such
    shares and packages them.
    """
    from valueflow.rebuild.database.folder import unfinished
    from valueflow.rebuild.database.judging import check_judges
    from valueflow.rebuild.database.running import stages as build_stages
    from valueflow.rebuild.database.running.cluster import run_on_cluster

    if ray is not None:
        need("--ray", "ray", "ray")
    run = _run(recipe, output, max_calls, values, shard, catalogue)
    if until == "package" and not run.whole:
        raise OptionError("until", "'package' works on all values; leave --values and --shard out")
    if prices is not None and not dry_run:
        raise OptionError("prices", "goes with --dry-run")
    last = build_stages.STAGES.index(until) + 1 if until else None
    check_judges(run.recipe, unfinished(run.folder, build_stages.STAGES[:last]))
    if dry_run:
        _show_estimate(run, prices)
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
    spread = [stage for stage in stages if ray is not None and stage in build_stages.VALUE_STAGES]
    for stage in stages:
        if stage not in spread:
            build_stages.run_stage(run, stage)
        elif stage == spread[0]:
            run_on_cluster(run, spread, str(ray))
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
        from valueflow.rebuild.database.running import stages as build_stages

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
    from valueflow.rebuild.database.running.stages import Run

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


def _show_estimate(run: Any, prices: str | None) -> None:
    from valueflow.hub_assets.inputs.prices import load_prices, price_in
    from valueflow.rebuild.database.planning.estimate import estimate

    known = load_prices(prices)
    rows = estimate(run.recipe, run.folder)
    names = ("least", "expected", "most", "known", "left", "tokens_in", "tokens_out")
    table = Table(title="Calls of the whole build; tokens and US$ of those expected")
    for title in ("stage", "least", "expected", "most", "made", "left", "read", "written", "US$"):
        table.add_column(title, justify="left" if title == "stage" else "right")
    table.add_column("the expected rests on")
    for row in rows:
        numbers = [f"{getattr(row, name):,}" for name in names]
        table.add_row(row.stage, *numbers, _dollars(row.cost(known)), row.basis)
    costs = [row.cost(known) for row in rows]
    whole = None if None in costs else sum(cost or 0.0 for cost in costs)
    sums = [f"{sum(getattr(row, name) for row in rows):,}" for name in names]
    table.add_row("all", *sums, _dollars(whole), "", style="bold")
    show_tables([table])
    priced = {model: price_in(known, model) for row in rows for model in dict.fromkeys(row.models)}
    for model, price in priced.items():
        told = f": ${price.input:g} and ${price.output:g} per million tokens" if price else ""
        why = f" ({price.source})" if price and price.source else ""
        say(f"{model}{told}{why}" if price else f"{model}: no price is known; give --prices FILE")


def _dollars(cost: float | None) -> str:
    return "?" if cost is None else f"{cost:,.2f}"


add_build_vidb(build_command)
