"""The corpus of an embedding model as a kind of asset: a dataset of labelled texts in three splits.

data/train.parquet, data/validation.parquet, data/test.parquet
corpus.json                   counts, hash of the splits, sources, coverage of the anchors
NOTES.md                      the packager's own words for the card, where given
README.md                     the card
valueflow-manifest.json       files, rows and hashes
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.files import read_json_object, write_text
from valueflow.hub_assets.publish.cards.markdown import (
    license_metadata,
    rendered,
    size_category,
    yaml_text,
)
from valueflow.hub_assets.publish.changes import changes_between, told_changes
from valueflow.hub_assets.publish.checks import table_problems
from valueflow.hub_assets.publish.kind import Kind
from valueflow.hub_assets.publish.statistics import read_table
from valueflow.hub_assets.registry.loading import Registry
from valueflow.hub_assets.vidb.licenses import license_of, terms_of
from valueflow.hub_assets.vidb.manifest import (
    NOTES,
    Manifest,
    make_manifest,
    seal,
)
from valueflow.hub_assets.vidb.schema import (
    Column,
    Form,
    Problem,
    arrow_schema,
    form_files,
    text_fault,
)

__all__ = ["ABOUT", "CORPUS", "CORPUS_FORM", "KIND", "package_corpus", "packaged_rows"]

KIND = "hives-corpus"
ABOUT = "corpus.json"
_WAYS = ("support", "oppose", "neutral", "unknown")


def _fault(name: str, cell: Any, cells: Mapping[str, Any], registry: Registry) -> str:
    """What is wrong with a cell that is not empty; the empty string where nothing is."""
    if name == "row":
        return "" if isinstance(cell, int) and cell >= 0 else "is no number of a row"
    if name not in ("labels", "directions", "groups"):
        return text_fault(cell)
    if not isinstance(cell, list) or not cell:
        return "is an empty list"
    if fault := next((f for part in cell if (f := text_fault(part))), ""):
        return f"has an entry that {fault}"
    if name == "labels":
        known = {
            f"{theory.name}:{node}"
            for theory in registry.theories.values()
            for node in theory.nodes
        }
        unknown = [label for label in cell if label not in known]
        return f"names {unknown[0]!r}, which the registry does not know" if unknown else ""
    if name == "directions" and len(cell) != len(cells.get("labels") or ()):
        return "has not one direction a label"
    wrong = [way for way in cell if way not in _WAYS] if name == "directions" else []
    return f"has {wrong[0]!r}, which is none of {', '.join(_WAYS)}" if wrong else ""


CORPUS_FORM = Form(
    (
        Column("row", "int64", False, "its place in the corpus, from 0"),
        Column("id", "string", False, "the same for the same text, in every corpus"),
        Column("text", "string", False, "the text, word for word as its source has it, maybe cut"),
        Column("labels", "list<string>", False, "nodes of the hierarchies, as `theory:name`"),
        Column(
            "directions",
            "list<string>",
            False,
            "one a label: `support`, `oppose`, `neutral` or `unknown`",
        ),
        Column("source", "string", False, "the dataset that the text comes from"),
        Column("license", "string", False, "the licence of that source"),
        Column("group", "string", False, "what texts share that must stay on one side of a split"),
        Column("groups", "list<string>", False, "every name that another corpus may know it by"),
    ),
    ("train", "validation", "test"),
    folders=(),
    key=("id",),
    compared=("labels", "directions"),
    changed="relabelled",
    fault=_fault,
)


def package_corpus(
    rows: Sequence[Mapping[str, Any]],
    about: Mapping[str, Any],
    folder: Path,
    *,
    notes: str = "",
) -> Path:
    """Writes a corpus in its published form into an empty folder.

    Args:
        rows: as `rows.jsonl` of a build has them.
        about: as its `corpus.json`.
        folder: where to.
        notes: Markdown for the card.

    Raises:
        InputFileError: it cannot be written.
    """
    import pyarrow
    import pyarrow.parquet

    schema = arrow_schema(CORPUS_FORM)
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for split in CORPUS_FORM.splits:
        cells = [
            {
                **{name: row[name] for name in ("id", "text", "source", "license", "group")},
                "row": number,
                "groups": list(row["groups"]),
                "labels": list(row["labels"]),
                "directions": list(row["labels"].values()),
            }
            for number, row in enumerate(rows)
            if row["split"] == split
        ]
        if cells:
            table = pyarrow.Table.from_pylist(cells, schema)
            pyarrow.parquet.write_table(table, folder / "data" / f"{split}.parquet")
    write_text(folder / ABOUT, json.dumps(about, indent=1, ensure_ascii=False) + "\n")
    if notes:
        write_text(folder / NOTES, notes)
    columns = {column.name: column.type for column in CORPUS_FORM.columns}
    made = make_manifest(folder, kind=KIND, columns=columns)
    seal(folder, made, _card(folder, made, "ORG/NAME"))
    return folder


def packaged_rows(folder: Path) -> list[dict[str, Any]]:
    """The rows of a packaged corpus as `rows.jsonl` of a build has them, in its order.

    Raises:
        InputFileError: a table is no Parquet file of this form.
    """
    found: list[tuple[int, dict[str, Any]]] = []
    for _, path in form_files(folder, CORPUS_FORM):
        for row in read_table(path).to_pylist():
            try:
                labels = dict(zip(row.pop("labels"), row.pop("directions"), strict=True))
                found.append((row.pop("row"), {**row, "labels": labels, "split": path.stem}))
            except (KeyError, TypeError, ValueError):
                raise InputFileError(path, "is no table of a corpus") from None
    return [row for _, row in sorted(found, key=lambda pair: pair[0])]


def _problems(folder: Path, manifest: Manifest) -> Iterator[Problem]:
    """What is wrong beyond files and card: tables, texts and groups on two sides of a split."""
    found, tables = table_problems(folder, CORPUS_FORM)
    yield from found
    sides: dict[tuple[str, str], str] = {}
    there_are = tables.get((), {})
    for split in [name for name in CORPUS_FORM.splits if name in there_are]:
        file, table = there_are[split]
        there = [name for name in ("id", "group") if name in table.column_names]
        for column in there:
            for number, name in enumerate(table.column(column).to_pylist(), start=1):
                if isinstance(name, str) and sides.setdefault((column, name), split) != split:
                    other = sides[column, name]
                    message = f"is in the split '{other}' too: what was learned there would be told"
                    yield Problem(file, number, column, message, repr(name))
    try:
        read_json_object(folder / ABOUT)
    except InputFileError as error:
        yield Problem(ABOUT, None, "", str(error.message))


def _card(folder: Path, manifest: Manifest, repo_id: str) -> str:
    about = read_json_object(folder / ABOUT)
    sources = about.get("sources", [])
    names = sorted({str(source["license"]) for source in sources})
    rows = {path.stem: manifest.files[path.relative_to(folder).as_posix()].rows or 0
            for _, path in form_files(folder, CORPUS_FORM)}  # fmt: skip
    rows = {split: rows[split] for split in CORPUS_FORM.splits if split in rows}
    files = [{"split": split, "path": f"data/{split}.parquet"} for split in rows]
    notes = folder / NOTES
    return rendered(
        "corpus_card.md.jinja",
        metadata=yaml_text(
            {
                **(license_metadata(names) if names else {}),
                "pretty_name": "Corpus of a value embedding (HiVES)",
                "tags": ["human-values", "valueflow"],
                "size_categories": [size_category(sum(rows.values()))],
                "configs": [{"config_name": "default", "data_files": files}],
            }
        ),
        manifest=manifest,
        rows=rows,
        columns=CORPUS_FORM.columns,
        about=about,
        sources=sources,
        licenses={name: license_of(name) for name in names},
        terms=terms_of([found for name in names if (found := license_of(name))]),
        notes=notes.read_text(encoding="utf-8").strip() if notes.is_file() else "",
        repo_id=repo_id,
    )


CORPUS = Kind(
    name=KIND,
    title="Corpus of HiVES",
    repo_type="dataset",
    layout="data/train.parquet",
    made_by="`valueflow push hives DIR` makes it from the folder of a build",
    holds=lambda folder: any(form_files(folder, CORPUS_FORM)),
    check=_problems,
    card=_card,
    changes=partial(changes_between, form=CORPUS_FORM),
    compared=("*.parquet",),
    told=told_changes,
    is_read=lambda name: name.startswith("data/") or name == ABOUT or name.endswith(".parquet"),
    use="valueflow hives evaluate MODEL {ref} --split test",
)
