"""Commands for embedding models: `build hives`, `hives evaluate` and `encode`."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from valueflow.commands.options import mapping_option
from valueflow.commands.rebuild.database import build_command
from valueflow.commands.screen import examples, form_options, say, show_tables
from valueflow.hub_assets.errors import OptionError

__all__ = ["build_hives_command", "encode_command", "hives_commands"]


@build_command.command(
    "hives",
    epilog=examples(
        "valueflow build hives hives.yaml -o hives --until corpus",
        "valueflow build hives hives.yaml -o hives",
        "valueflow hives evaluate hives/model hives --split test",
    ),
)
@click.argument("recipe", type=click.Path(path_type=Path, dir_okay=False), metavar="RECIPE.yaml")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder of the build; run again with the same one to go on.",
)
@click.option(
    "--until", type=click.Choice(["anchors", "corpus", "train"]), help="Stop after this stage."
)
@click.option("--max-calls", type=click.IntRange(0), help="Most calls of a panel, if there is one.")
def build_hives_command(
    recipe: Path, output: Path, until: str | None, max_calls: int | None
) -> None:
    """Train an embedding model of values from a recipe.

    The corpus needs nothing but the base install; training needs the extra: pip install
    'valueflow[hives]'. A run that was stopped or killed goes on where it was.
    """
    from valueflow.rebuild.database.judging import Budget
    from valueflow.rebuild.hives.anchors import anchor_notes, build_anchors
    from valueflow.rebuild.hives.corpus import build_corpus, corpus_notes
    from valueflow.rebuild.hives.recipe import read_hives_recipe
    from valueflow.rebuild.hives.training import check_training, train

    read = read_hives_recipe(recipe)
    if until not in ("anchors", "corpus"):
        check_training(read)  # before a panel is paid for
    budget = Budget(max_calls)
    if read.anchors.build is not None:
        counts = build_anchors(read, output, budget)
        _tell("anchors", counts, anchor_notes(output, counts))
    elif until == "anchors":
        raise OptionError("until", f"{recipe} builds no anchors: it has no 'anchors: {{build: …}}'")
    if until == "anchors":
        return
    counts = build_corpus(read, output, budget)
    _tell("corpus", counts, corpus_notes(output))
    if until != "corpus":
        train(read, output, _say)
        _say(
            f"Evaluate it with `valueflow hives evaluate {output / 'model'} {output} --split "
            "validation`"
        )


@click.group("hives")
def hives_commands() -> None:
    """Evaluate embedding models of values."""


@hives_commands.command(
    "evaluate",
    epilog=examples(
        "valueflow hives evaluate hives/model hives --split test",
        "valueflow hives evaluate hives/model hives --split test -o evaluation --record",
        "valueflow hives evaluate hives/model other.yaml --probe hives",
        "valueflow hives evaluate ORG/NAME@v1.0 ORG/NAME-corpus@v1.0 --split test",
        "valueflow hives evaluate hives/model hives --beside other/model --beside ORG/NAME@TAG",
        "valueflow hives evaluate sentence-transformers/all-MiniLM-L6-v2 hives --split test",
    ),
)
@click.argument("model")
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test"]),
    help="Of a built corpus. Default: validation.",
)
@click.option("--theory", "theories", multiple=True, help="Only this theory; may be repeated.")
@click.option(
    "--probe",
    type=click.Path(path_type=Path, file_okay=False),
    help="A built corpus whose training rows the linear probe learns from; else folds of DATA.",
)
@click.option(
    "--beside",
    multiple=True,
    metavar="MODEL",
    help="Another model for the same table; may be repeated.",
)
@click.option("--device", help="cpu, cuda, cuda:1, ...; the best there is if not given.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of bootstrap and folds.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for a page with pictures, and tables (needs valueflow[report]).",
)
@click.option("--record", is_flag=True, help="Keep figures and pictures in the model's folder.")
@form_options
def evaluate_command(
    model: str,
    data: Path,
    split: str | None,
    theories: tuple[str, ...],
    probe: Path | None,
    beside: tuple[str, ...],
    device: str | None,
    seed: int,
    output: Path | None,
    record: bool,
    form: str | None,
) -> None:
    """Say how good MODEL is on DATA, beside its base, TF-IDF and random vectors.

    MODEL is a folder, an asset (`hives`) or ORG/NAME@REVISION. DATA is the folder of `valueflow
    build hives`, a corpus on the Hub, or a recipe whose sources are read. Texts that the model was
    trained on are refused. Needs pip install 'valueflow[hives]'.
    """
    import tempfile

    from valueflow.hub_assets.inputs.model_folder import EVALUATION
    from valueflow.hub_assets.lazy import need
    from valueflow.hub_assets.registry.loading import load_registry
    from valueflow.rebuild.hives.corpus import corpus_folder, read_corpus, rows_of_recipe
    from valueflow.rebuild.hives.evaluation import evaluate_model, record_metrics
    from valueflow.rebuild.hives.recipe import read_hives_recipe

    need("valueflow hives evaluate", "hives", "sentence_transformers", "torch")
    if output is not None:
        need("the page of an evaluation", "report", "matplotlib", "jinja2")
    names = [load_registry().theory(name).name for name in theories]
    data = corpus_folder(data)
    if data.suffix in (".yaml", ".yml"):
        if split is not None:
            raise OptionError("split", f"{data} is a recipe, whose texts are not split")
        with tempfile.TemporaryDirectory() as folder:
            corpus, part = rows_of_recipe(read_hives_recipe(data), Path(folder)), data.stem
    else:
        part = split or "validation"
        corpus = read_corpus(data).of(part)
        if not corpus.rows:
            raise OptionError("split", f"{data} has no texts in the split '{part}'")
    taught = None if probe is None else read_corpus(probe).of("train")
    found = evaluate_model(
        model,
        corpus,
        part,
        probe=taught,
        beside=beside,
        theories=names,
        device=device,
        seed=seed,
        say=_say,
    )
    show_tables(evaluation_tables(found), form)
    if form is None:
        for note in found.notes:
            say(f"note: {note}")
    pages = [] if output is None else [output]
    if record:
        record_metrics(Path(model), found)
        _say(f"wrote the figures into {Path(model) / 'hives.json'}")
        # What `valueflow push hives` shows on the model's card.
        if find_spec("matplotlib") is not None:
            pages.append(Path(model) / EVALUATION / found.split)
    for place in pages:
        from valueflow.rebuild.hives.page import write_page

        _say(f"wrote {write_page(found, model, place)}")


def evaluation_tables(found: Any) -> list[Table]:
    """A table a theory: figures of all models with their intervals, then paired differences."""
    tables = []
    for part in found.theories:
        models = list(part.figures)
        table = Table(
            title=f"{part.theory}: {part.texts:,} texts of {part.groups:,} groups ({found.split})",
            caption="95 % intervals by text group in brackets",
        )
        table.add_column("figure")
        for model in models:
            table.add_column(model)
        if part.differences:
            table.add_column("hives − base")
        for name in part.figures[models[0]]:
            cells = [_told(part.figures[model].get(name)) for model in models]
            if part.differences:
                cells.append(_told(part.differences.get(name), "+"))
            table.add_row(name, *cells)
        tables.append(table)
    return tables


def _told(figure: Any, sign: str = "") -> str:
    if figure is None:
        return ""
    return f"{figure.value:{sign}.3f} [{figure.low:{sign}.3f}, {figure.high:{sign}.3f}]"


@click.command(
    "encode",
    epilog=examples(
        "valueflow encode texts.csv -o vectors --model hives/model",
        "valueflow encode texts.parquet -o vectors --model hives --format parquet",
        "valueflow encode texts.jsonl -o vectors --model Qwen/Qwen3-Embedding-0.6B \\",
        "    --server http://localhost:8000/v1",
    ),
)
@click.argument("texts", type=click.Path(path_type=Path))
@click.option("--model", required=True, help="A folder, an asset (`hives`) or ORG/NAME@REVISION.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder to write; run again with the same one to go on.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["npz", "parquet"]),
    default="npz",
    show_default=True,
    help="Of the files, one a theory.",
)
@click.option("--theory", help="Of all texts, where the table has no column for it.")
@click.option("--columns", help="Your names, as '{text: sentence, id: number, theory: framework}'.")
@click.option("--device", "devices", multiple=True, help="May be repeated: cuda:0, cuda:1, ...")
@click.option("--server", metavar="URL", help="An OpenAI-compatible server that has the model.")
@click.option("--batch-size", type=click.IntRange(1), default=32, show_default=True)
def encode_command(
    texts: Path,
    model: str,
    output: Path,
    kind: str,
    theory: str | None,
    columns: str | None,
    devices: tuple[str, ...],
    server: str | None,
    batch_size: int,
) -> None:
    """Turn TEXTS (CSV, TSV, JSONL, Parquet) into unit vectors, one file a theory.

    Columns: `text`; `id` (else the row's number) and `theory` where there are any. Needs pip
    install 'valueflow[hives]', but for --server.
    """
    from valueflow.rebuild.hives.encoding import encode_table, model_encoder, server_encoder

    mapping = mapping_option("columns", columns) or {}
    if server is not None and devices:
        raise OptionError("device", "the server chooses its own; leave it out with --server")
    encoder = (
        model_encoder(model, list(devices), batch_size)
        if server is None
        else server_encoder(server, model, batch_size)
    )
    with encoder as opened:
        done = encode_table(
            texts, output, opened, kind=kind, theory=theory, columns=mapping, say=_say
        )
    for file, rows in done.items():
        say(f"{rows:,} vectors in {file}")


def _tell(stage: str, counts: Mapping[str, Any], notes: Sequence[str]) -> None:
    told = [f"{name.replace('_', ' ')} {n:,}" for name, n in sorted(counts.items()) if n]
    _say(f"{stage}: {', '.join(told)}")
    for note in notes:
        _say(f"  note: {note}")


def _say(text: str) -> None:
    say(text, err=True)
