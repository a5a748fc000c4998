"""Reads texts from their sources, each with its source, its licence and the labels it came with."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from valueflow.hub_assets.errors import InputFileError, UnknownNameError
from valueflow.hub_assets.inputs.hub_dataset import dataset_rows, fetch_dataset
from valueflow.hub_assets.inputs.rows import Row, rows_of
from valueflow.hub_assets.inputs.source import column_map, open_source
from valueflow.hub_assets.registry.loading import Registry, Theory, Value
from valueflow.hub_assets.registry.paths import path_fault, path_to
from valueflow.hub_assets.registry.records import Kind
from valueflow.hub_assets.vidb.licenses import license_of
from valueflow.hub_assets.vidb.schema import split_hash_of
from valueflow.rebuild.database.recipe import SourceSpec, TextsRecipe

__all__ = ["ADAPTERS", "hub_commits", "import_texts"]


@dataclass(frozen=True)
class Adapter:
    """What is known of a source.

    Attributes:
        source: its name.
        license: which it states; None where the recipe must.
        columns: our fields, and the likely names of its columns.
        theory: of its labels.
        labels: its own words (in small letters) for values of ours; None for a word that names
            no value.
        value_in_text: whether a text begins with its value, as `[POWER] I rule.`
    """

    source: str
    license: str | None
    columns: Mapping[str, Sequence[str]]
    theory: str | None = None
    labels: Mapping[str, str | None] = field(default_factory=dict)
    value_in_text: bool = False


Wanted = Mapping[tuple[str, str], Value]
"""The values of a recipe, by theory and name."""

_TEXT = ("text", "sentence", "statement", "scenario", "content")
_ANY = {
    "text": _TEXT,
    "value": ("value", "value_name", "label"),
    "theory": ("theory", "framework"),
    "direction": ("direction", "stance", "valence"),
    "source": ("source", "dataset"),
    "license": ("license", "licence"),
    "path": ("path", "label_path"),
    "group": ("group", "text_group", "topic"),
}

ADAPTERS = {
    "table": Adapter("", None, _ANY),
    "valueeval": Adapter("ValueEval", "CC-BY-4.0", {}, "pvq"),
    "mfrc": Adapter(
        "MFRC",
        "CC-BY-4.0",
        {**_ANY, "value": ("annotation", "value", "label")},
        "mft",
        # Foundations by the names of virtues that are children of theirs here.
        {
            "loyalty": "loyalty-betrayal",
            "purity": "sanctity-degradation",
            "proportionality": "fairness-cheating",
            "thin morality": None,
            "non-moral": None,
        },
    ),
    "social-chemistry": Adapter(
        "Social Chemistry 101",
        "CC-BY-SA-4.0",
        {**_ANY, "text": ("rot", "action", *_TEXT), "value": ("rot-moral-foundations", "value")},
        "mft",
    ),
    "valuenet": Adapter(
        "ValueNet",
        "CC-BY-NC-SA",
        {
            **_ANY,
            "text": ("scenario", *_TEXT),
            "value": ("value", "value_name"),
            "direction": ("direction", "label"),
        },
        "pvq",
        value_in_text=True,
    ),
    "valueprism": Adapter(
        "ValuePrism",
        "AI2-ImpACT-MR",
        # In some of its tables the value's name is in the column 'text', in others in 'value'.
        {**_ANY, "text": ("situation", "action"), "value": ("value", "text")},
    ),
    "denevil": Adapter("Denevil", None, {**_ANY, "text": ("prompt", *_TEXT)}, "mft"),
}
"""Licences are those that the sources state; Denevil's must be given in the recipe."""

_DIRECTIONS = {
    "support": ("support", "supports", "supporting", "favor", "favour", "positive", "pos"),
    "oppose": ("oppose", "opposes", "opposing", "against", "negative", "neg"),
    "neutral": ("neutral", "either", "none"),
}
_BEGINS_WITH_VALUE = re.compile(r"\s*\[(?P<value>[^\]]+)\]\s*(?P<text>.*)", re.DOTALL)
_BY_SPELLING = {spelling: name for name, found in _DIRECTIONS.items() for spelling in found}


def hub_commits(recipe: TextsRecipe, known: Mapping[str, str]) -> dict[str, str]:
    """The commit of each source on the Hub: `ORG/NAME@REVISION` to 40 hexadecimal digits.

    Args:
        recipe: whose sources.
        known: commits that a build has taken before; those stay, so that a branch that moves on
            changes nothing half way.

    Raises:
        InputFileError: a dataset cannot be had.
    """
    found = {}
    for source in recipe.sources:
        if source.hub is not None and source.reference not in found:
            commit = known.get(source.reference)
            commit = commit or fetch_dataset(source.hub, source.revision).commit
            found[source.reference] = commit
    return found


def import_texts(
    recipe: TextsRecipe, commits: Mapping[str, str] | None = None
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Reads all sources of a recipe.

    Args:
        recipe: whose sources.
        commits: of those on the Hub, from `hub_commits`; their revisions' own where not given.

    Returns:
        One record per distinct text, in order of first appearance: `id` (the text's hash), `text`,
        `source`, `license`, `labels`, value (`theory:name`) to its direction and its path where
        the source says how deep it goes, `nodes`, each node (`theory:name`) of any level that the
        source labels it with to its direction, and `group`, what the source says that texts have
        in common (a conclusion), or None. And counts: rows read, exact duplicates merged, labels
        that are no known value.

    Raises:
        InputFileError: a file is missing, malformed or lacks a column, or a row lacks a licence.
    """
    wanted = {(value.theory, value.name): value for value in recipe.wanted()}
    registry = recipe.registry
    texts: dict[str, dict[str, Any]] = {}
    counts: Counter[str] = Counter(rows=0, exact_duplicates=0, unknown_labels=0, empty=0)
    for source in recipe.sources:
        for record in _records(recipe, source, wanted, counts, commits or {}):
            counts["rows"] += 1
            record["text"] = record["text"].strip()
            if not record["text"]:
                counts["empty"] += 1
                continue
            record["id"] = split_hash_of(record["text"])
            first = texts.setdefault(record["id"], record)
            if first is not record:
                counts["exact_duplicates"] += 1
                for value, label in record["labels"].items():
                    known = first["labels"].setdefault(value, label)
                    known["path"] = _one_path(registry, known["path"], label["path"], value)
                    if known["direction"] != label["direction"]:
                        known["direction"] = None  # the two disagree: nothing is given
                for node, direction in record["nodes"].items():
                    if first["nodes"].setdefault(node, direction) != direction:
                        first["nodes"][node] = None
    if not texts:
        raise InputFileError(_place(recipe, recipe.sources[0]), "no source holds any text")
    return list(texts.values()), {**counts, "texts": len(texts)}


def _place(recipe: TextsRecipe, source: SourceSpec) -> Path | str:
    return source.reference if source.path is None else recipe.path(source.path)


def _records(
    recipe: TextsRecipe,
    source: SourceSpec,
    wanted: Wanted,
    counts: Counter[str],
    commits: Mapping[str, str],
) -> Iterator[dict[str, Any]]:
    adapter = ADAPTERS[source.adapter]
    if source.adapter == "valueeval":
        found = _valueeval(recipe, source, wanted)
    else:
        rows = _rows(recipe, source, commits)
        found = _table(recipe, source, rows, adapter, wanted, counts)
    for number, record in enumerate(found):
        if source.limit is not None and number >= source.limit:
            return
        record["source"] = record["source"] or source.source or adapter.source
        given = record["license"] or source.license or adapter.license
        if given is None:
            raise InputFileError(
                _place(recipe, source), f"state the licence of {record['source']}: 'license'"
            )
        known = license_of(given)
        record["license"] = known.name if known else given
        yield record


def _rows(recipe: TextsRecipe, source: SourceSpec, commits: Mapping[str, str]) -> Iterator[Row]:
    if source.hub is not None:
        commit = commits.get(source.reference, source.revision)
        return dataset_rows(source.hub, commit, source.config, source.split)
    return rows_of(open_source(recipe.path(str(source.path)), "vidb").files)


def _table(
    recipe: TextsRecipe,
    source: SourceSpec,
    rows: Iterator[Row],
    adapter: Adapter,
    wanted: Wanted,
    counts: Counter[str],
) -> Iterator[dict[str, Any]]:
    only = recipe.theories[0] if len(recipe.theories) == 1 else None
    mapping: dict[str, str] = {}
    current: Path | None = None
    for row in rows:
        if row.file != current:
            current = row.file
            mapping = column_map(row, adapter.columns, ["text"], source.columns, "columns")
        theory = row.cell(mapping, "theory") or source.theory or adapter.theory or only
        name = row.cell(mapping, "value") or source.value
        text = str(row.cell(mapping, "text") or "")
        if adapter.value_in_text and (begun := _BEGINS_WITH_VALUE.match(text)):
            name, text = name or begun["value"], begun["text"]
        name = _translated(name, adapter)
        direction = _direction(row, mapping)
        end = _end_of_path(recipe.registry, row, mapping, theory, name)
        about = name if end is None else f"{end.theory}:{end.name}"
        yield {
            "text": text,
            "source": row.cell(mapping, "source"),
            "license": row.cell(mapping, "license"),
            "labels": _labels(recipe.registry, name, theory, direction, wanted, counts),
            "nodes": _nodes(recipe.registry, about, theory, direction, wanted),
            "group": row.cell(mapping, "group") or None,
        }


def _end_of_path(
    registry: Registry, row: Row, mapping: Mapping[str, str], theory: object, name: object
) -> Value | None:
    """The last node of a row's path, where it has one."""
    cell = str(row.cell(mapping, "path") or "").strip()
    if not cell:
        return None
    place: dict[str, Any] = {"row": row.number, "column": mapping["path"]}
    try:
        known = registry.theory(theory or registry.value(name).theory)
    except UnknownNameError as error:
        raise InputFileError(row.file, str(error), **place) from None
    if fault := path_fault(cell, known):
        raise InputFileError(row.file, f"the path {cell!r} {fault}", **place)
    return known.find(cell.split("/")[-1])


def _nodes(
    registry: Registry, name: object, theory: object, direction: str | None, wanted: Wanted
) -> dict[str, str | None]:
    """The nodes of any level that a cell names, where a value that is wanted lies on their path.

    Labels that the registry does not know are counted by `_labels`.
    """
    found = {}
    for part in str(name or "").replace("|", ",").split(","):
        if not part.strip():
            continue
        try:
            node = _labelled(registry, part.strip(), theory, ("value", "child", "ancestor"))
        except UnknownNameError:
            continue
        if any((v.theory, v.name) in wanted for v in _values_near(registry, node)):
            found[f"{node.theory}:{node.name}"] = direction
    return found


def _values_near(registry: Registry, node: Value) -> tuple[Value, ...]:
    """The macro-values above or at a node; of a group, those below it."""
    if node.kind != "ancestor":
        return registry.scored_on(node)
    nodes = registry.theories[node.theory].nodes
    below = [nodes[name] for name in node.children]
    return tuple(
        value
        for child in below
        for value in ((child,) if child.kind == "value" else _values_near(registry, child))
    )


def _direction(row: Row, mapping: Mapping[str, str]) -> str | None:
    cell = row.cell(mapping, "direction")
    if cell is None or not str(cell).strip():
        return None
    spelling = str(cell).strip().lower()
    found = _BY_SPELLING.get(spelling) or _by_sign(spelling)
    if found is None:
        raise InputFileError(
            row.file,
            f"{cell!r} is no direction; write support, oppose, neutral, or a number",
            row=row.number,
            column=mapping["direction"],
        )
    return found


def _by_sign(number: str) -> str | None:
    try:
        found = float(number)
    except ValueError:
        return None
    if found == 0:
        return "neutral"
    return "support" if found > 0 else "oppose" if found < 0 else None


def _translated(names: object, adapter: Adapter) -> str:
    """The labels of a cell with the source's own words put into ours."""
    parts = [part.strip() for part in str(names or "").replace("|", ",").split(",")]
    return ",".join(adapter.labels.get(part.lower(), part) or "" for part in parts)


def _labels(
    registry: Registry,
    name: object,
    theory: object,
    direction: str | None,
    wanted: Wanted,
    counts: Counter[str],
) -> dict[str, dict[str, str | None]]:
    """The values that a cell names (several parted by `|` or `,`), those that are wanted."""
    found: dict[str, dict[str, str | None]] = {}
    for part in str(name or "").replace("|", ",").split(","):
        if not part.strip():
            continue
        try:
            node = _labelled(registry, part.strip(), theory)
        except UnknownNameError:
            counts["unknown_labels"] += 1
            continue
        top = registry.theories[node.theory]
        for value in registry.scored_on(node):
            if (value.theory, value.name) in wanted:
                # A child is put under the value that the row is for, which may be one of two.
                path = None if node == value else f"{path_to(top, value)}/{node.name}"
                key = f"{value.theory}:{value.name}"
                before = found[key]["path"] if key in found else None
                found[key] = {
                    "direction": direction,
                    "path": _one_path(registry, before, path, key),
                }
    return found


def _one_path(registry: Registry, one: str | None, other: str | None, value: str) -> str | None:
    """The path of a text that is labelled twice under a value (`theory:name`): under two children
    it ends at their parent; None says nothing."""
    if one is None or other is None or one == other:
        return one or other
    theory, _, name = value.partition(":")
    return path_to(registry.theories[theory], registry.value(name, theory))


def _labelled(
    registry: Registry, name: str, theory: object, kinds: Sequence[Kind] = ("value", "child")
) -> Value:
    """A value or a child; of a name that both have, the value, as in every other table."""
    try:
        return registry.value(name, theory)
    except UnknownNameError:
        return registry.value(name, theory, kinds)


def _valueeval(recipe: TextsRecipe, source: SourceSpec, wanted: Wanted) -> Iterator[dict[str, Any]]:
    """Arguments with their labels; a label `Power: dominance` is a child of a value of pvq.

    A label whose child the theory does not have counts for the value itself.
    """
    texts_file = recipe.path(str(source.path))
    labels_file = recipe.path(str(source.labels))
    labels: dict[str, Mapping[str, Any]] = {}
    columns: dict[str, tuple[str, str]] = {}
    pvq = recipe.registry.theory("pvq")
    for file in (texts_file, labels_file):
        if not file.is_file():
            raise InputFileError(file, "there is no such file")
    for row in rows_of([labels_file]):
        if not columns:
            columns = {c: _node(pvq, c, row) for c in row.cells if c != "Argument ID"}
        labels[str(row.cells.get("Argument ID"))] = row.cells
    for row in rows_of([texts_file]):
        missing = [c for c in ("Argument ID", "Premise") if c not in row.cells]
        if missing:
            raise InputFileError(texts_file, f"has no column '{missing[0]}'")
        name = str(row.cells["Argument ID"])
        if name not in labels:
            raise InputFileError(labels_file, f"has no labels for the argument {name}")
        found: dict[str, dict[str, str | None]] = {}
        nodes: dict[str, str | None] = {}
        for column, (value, path) in columns.items():
            if str(labels[name][column]).strip() == "1" and ("pvq", value) in wanted:
                nodes[f"pvq:{path.rpartition('/')[2]}"] = None
                several = f"pvq:{value}" in found
                # Under two children the path ends at their parent.
                end = path_to(pvq, pvq.nodes[value]) if several else path
                found[f"pvq:{value}"] = {"direction": None, "path": end}
        text = str(row.cells["Premise"] or "")
        if source.text == "argument":
            text = f"{row.cells['Conclusion']} ({row.cells['Stance']}): {text}"
        yield {
            "text": text,
            "source": None,
            "license": None,
            "labels": found,
            "nodes": nodes,
            "group": row.cells.get("Conclusion"),
        }


def _node(theory: Theory, column: str, row: Row) -> tuple[str, str]:
    value = theory.find(column.partition(":")[0])
    if value is None or value.kind != "value":
        raise InputFileError(row.file, "is no value of ValueEval", column=column)
    child = theory.find(column) or theory.find(column.partition(":")[2])
    if child is not None and child.kind == "child" and value.name in child.parents:
        return value.name, f"{path_to(theory, value)}/{child.name}"
    return value.name, path_to(theory, value)
