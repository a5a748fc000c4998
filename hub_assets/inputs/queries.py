"""Queries: the open questions that a model answers while it is steered.

Accepted columns: the question is `query`, `question`, `prompt`, `instruction` or `text`; its
identifier `id` or `query_id`; its family `family`, `dataset`, `category` or `source`. A file
without a family column gives its own name as the family, so that a folder with one file per
source (as the published queries are kept) is drawn from evenly. A question may be a conversation
(`query`, `messages` or another name of the question's column), whose last message is the question,
see `valueflow.hub_assets.inputs.chats`. A column `related` may name the values that a
question gives something to hold on to, parted by `|` (`none` where there is none); the others of
that set are off topic for it.
"""

import itertools
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from valueflow.hub_assets.errors import InputFileError, OptionError, UnknownNameError
from valueflow.hub_assets.inputs.chats import Chat, Turn
from valueflow.hub_assets.inputs.rows import Row
from valueflow.hub_assets.inputs.source import Source, column_map, open_source, read_rows
from valueflow.hub_assets.registry.loading import Registry, Value, load_registry
from valueflow.hub_assets.vidb.schema import normalised

__all__ = ["NO_VALUE", "Queries", "Query", "choose_queries", "load_queries"]

COLUMNS = {
    "query": ("query", "question", "prompt", "instruction", "text", "messages", "conversation"),
    "id": ("id", "query_id"),
    "family": ("family", "dataset", "category", "source"),
    "related": ("related", "related_values"),
}

NO_VALUE = "none"
"""What the column `related` says where no value is."""


@dataclass(frozen=True)
class Query:
    """One question.

    Attributes:
        id: unique in its set, and safe in file names and Inspect sample ids.
        family: the group of questions that it belongs to.
        text: the question.
        before: the messages that come before it in a conversation.
        related: (theory, value) of each value that it gives something to hold on to; None where
            the set does not say.
    """

    id: str
    family: str
    text: str
    related: frozenset[tuple[str, str]] | None = None
    before: Chat = ()

    @property
    def chat(self) -> Chat:
        """The whole conversation, which the question ends."""
        return (*self.before, Turn("user", self.text))


@dataclass(frozen=True)
class Queries:
    """A set of queries, where it came from, and what was left out of it."""

    queries: tuple[Query, ...]
    source: Source
    notes: tuple[str, ...]

    @cached_property
    def told(self) -> frozenset[tuple[str, str]]:
        """The values that the set says something of: those to which some question is related."""
        return frozenset(value for query in self.queries for value in query.related or ())

    def off_topic(self, query: Query, value: Value) -> bool | None:
        """Whether a question has nothing to do with a value; None where the set does not say."""
        key = (value.theory, value.name)
        if query.related is None or key not in self.told:
            return None
        return key not in query.related


def load_queries(
    source: object, columns: Mapping[str, str] | None = None, registry: Registry | None = None
) -> Queries:
    """Reads a query set.

    Args:
        source: asset, path, folder or `ORG/NAME@REVISION`, see
            `valueflow.hub_assets.inputs.source`.
        columns: the user's names for the columns `query`, `id`, `family`, `related`.
        registry: the catalogue; the installation's where not given.

    Raises:
        InputFileError: the file is empty, a query is empty, an id stands twice, or a name in the
            column `related` is of no value.
    """
    registry = registry or load_registry()
    opened = open_source(source, "queries", registry)
    found: list[Query] = []
    seen_texts: set[str] = set()
    seen_ids: set[str] = set()
    repeated = 0
    mapping: dict[str, str] = {}
    current = None
    for row in read_rows(opened):
        if row.file != current:
            current = row.file
            mapping = column_map(row, COLUMNS, ["query"], columns, "query_columns")
        chat = row.chat(mapping, "query")
        if not chat:
            raise InputFileError(
                row.file, "is empty; remove the row", row=row.number, column=mapping["query"]
            )
        told = "\n".join(normalised(turn.text) for turn in chat)
        if told in seen_texts:
            repeated += 1
            continue
        seen_texts.add(told)
        family = str(row.cell(mapping, "family") or row.file.stem)
        given = row.cell(mapping, "id")
        identifier = "" if given is None else _safe(str(given))
        if not identifier:
            identifier = _new_id(f"{family}-{row.number:03d}", seen_ids)
        elif identifier in seen_ids:
            raise InputFileError(row.file, f"the id '{identifier}' stands twice", row=row.number)
        seen_ids.add(identifier)
        related = _related(row, mapping, registry)
        found.append(Query(identifier, family, chat[-1].text, related, chat[:-1]))
    if not found:
        raise InputFileError(opened.reference, "holds no query; give a file with at least one row")
    notes = (f"{repeated} repeated queries left out",) if repeated else ()
    return Queries(tuple(found), opened, notes)


def _related(
    row: Row, mapping: Mapping[str, str], registry: Registry
) -> frozenset[tuple[str, str]] | None:
    """The values that a row names; None where it says nothing."""
    cell = row.cell(mapping, "related")
    if cell is None or not str(cell).strip():
        return None
    names = [name.strip() for name in str(cell).split("|") if name.strip()]
    if names == [NO_VALUE]:
        return frozenset()
    try:
        values = [registry.value(name) for name in names]
    except UnknownNameError as error:
        raise InputFileError(
            row.file, str(error), row=row.number, column=mapping["related"]
        ) from None
    return frozenset((value.theory, value.name) for value in values)


def _new_id(wanted: str, taken: Collection[str]) -> str:
    """An id for a query without one; files of one folder may give the same family and row."""
    wanted = _safe(wanted)
    tries = (f"{wanted}-{turn}" if turn > 1 else wanted for turn in itertools.count(1))
    return next(identifier for identifier in tries if identifier not in taken)


def _safe(identifier: str) -> str:
    return re.sub(r"[^\w.\-]+", "-", identifier).strip("-")


def choose_queries(queries: tuple[Query, ...], n_queries: object, seed: int) -> list[Query]:
    """Draws queries evenly over families, and deals them out family by family.

    Args:
        queries: the whole set.
        n_queries: how many, or `all`.
        seed: run seed; the same seed draws the same queries.

    Returns:
        The drawn queries. Consecutive ones come from different families, so that the first n are
        themselves an even draw.

    Raises:
        OptionError: `n_queries` is neither `all` nor a whole number from 1 to the set's size.
    """
    families: dict[str, list[Query]] = {}
    for query in queries:
        families.setdefault(query.family, []).append(query)
    if str(n_queries).strip().lower() == "all":
        wanted = len(queries)
    else:
        try:
            wanted = int(str(n_queries))
        except ValueError:
            raise OptionError(
                "n_queries", f"{n_queries!r} is neither a whole number nor 'all'"
            ) from None
        if not 1 <= wanted <= len(queries):
            raise OptionError(
                "n_queries",
                f"{wanted} asked for, but there are {len(queries)}; give 1 to "
                f"{len(queries)}, or 'all'",
            )
    generator = np.random.default_rng(seed)
    shuffled = [
        [group[i] for i in generator.permutation(len(group))] for group in families.values()
    ]
    dealt = [
        group[turn]
        for turn in range(max(map(len, shuffled)))
        for group in shuffled
        if turn < len(group)
    ]
    return dealt[:wanted]
