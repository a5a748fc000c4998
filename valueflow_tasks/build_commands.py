"""The commands `valueflow build ...`: databases and tables that take a model to make."""

from pathlib import Path

import click
from rich.console import Console

from valueflow.build_vidb_commands import add_build_vidb
from valueflow.hub_assets.errors import OptionError

__all__ = ["build_command"]


@click.group("build")
def build_command() -> None:
    """Build databases and the tables that a study needs."""


@build_command.command(
    "relevance",
    epilog="\b\nExamples:\n"
    "  valueflow build relevance opinionqa-mini --model sentence-transformers/all-MiniLM-L6-v2 \\\n"
    "      -o relevance.parquet\n"
    "  valueflow build relevance survey.json --judge openai/gpt-4o-mini --theory duty \\\n"
    "      -o relevance.parquet\n"
    "  inspect eval valueflow/opinionqa --model X -T data=survey.json \\\n"
    "      -T relevance=relevance.parquet -T threshold=0.3",
)
@click.argument("questions")
@click.option("--model", help="A sentence-transformers model, or `hives` (needs valueflow[hives]).")
@click.option("--judge", help="An Inspect model that rates the questions, in place of --model.")
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
    questions: str, model: str | None, judge: str | None, theories: tuple[str, ...], output: Path
) -> None:
    """Say how relevant each of QUESTIONS is to the values of each theory.

    QUESTIONS is a survey question set: `opinionqa-mini`, a file or folder, or ORG/NAME@REVISION.
    """
    from valueflow.hub_assets.opinion_questions import load_opinions
    from valueflow.hub_assets.registry import load_registry
    from valueflow.relevance import (
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
            from inspect_ai.model import get_model

            try:
                grader = get_model(judge)
            except Exception as error:
                raise OptionError("judge", f"{judge} cannot be used ({error})") from None
            rows, failed = judge_relevance(data.questions, chosen, grader)
    if not rows:
        raise OptionError("judge", f"{judge} rated no question ({failed[0]})")
    write_relevance(output, rows)
    console = Console()
    console.print(
        f"{len(rows):,} rows: {len(data.questions):,} questions, "
        f"{', '.join(theory.name for theory in chosen)}; wrote {output}",
        soft_wrap=True,
    )
    for note in data.notes:
        console.print(note, soft_wrap=True)
    if failed:
        console.print(f"{len(failed):,} left out, the first: {failed[0]}", soft_wrap=True)


add_build_vidb(build_command)
