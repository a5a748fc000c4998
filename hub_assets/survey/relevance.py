"""How relevant survey questions are to the values of a theory: the table that a run reads.

`valueflow build relevance` writes it. Columns: `theory`, `question` (the question's hash),
`relevance` (the highest over the theory's values), `value` (which one), `model`, `method`,
`prompt_version` (of the question that a judge was asked), and `text` for readers.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from valueflow.hub_assets.errors import InputFileError, UnknownNameError
from valueflow.hub_assets.inputs.source import Source, column_map, open_source, read_rows
from valueflow.hub_assets.registry.loading import load_registry

__all__ = ["RELEVANCE_COLUMNS", "RelevanceTable", "load_relevance"]

RELEVANCE_COLUMNS = (
    "theory",
    "question",
    "relevance",
    "value",
    "model",
    "method",
    "text",
    "prompt_version",
)


@dataclass(frozen=True)
class RelevanceTable:
    """Relevance of questions.

    Attributes:
        scores: (theory, question's hash) to relevance.
        model: the model that judged it; several are joined by commas.
        method: `embedding` (cosine similarity) or `judge` (a rating from 0 to 1).
        source: the table.
        prompt_version: of the question that a judge was asked; empty where none was, or in tables
            that do not state it.
    """

    scores: Mapping[tuple[str, str], float]
    model: str
    method: str
    source: Source
    prompt_version: str = ""

    def of(self, theory: str) -> dict[str, float]:
        """Relevance of each question to a theory's values, by the question's hash."""
        return {
            question: score for (name, question), score in self.scores.items() if name == theory
        }


def load_relevance(source: object) -> RelevanceTable:
    """Reads a table of relevance.

    Raises:
        InputFileError: a missing column, an unknown theory, a score that is no number from −1 to 1,
            a question that stands twice for a theory.
    """
    opened = open_source(source, "relevance")
    registry = load_registry()
    accepted = {name: (name,) for name in RELEVANCE_COLUMNS}
    scores: dict[tuple[str, str], float] = {}
    models: Counter[str] = Counter()
    methods: Counter[str] = Counter()
    prompts: Counter[str] = Counter()
    mapping: dict[str, str] = {}
    for row in read_rows(opened):
        mapping = mapping or column_map(
            row, accepted, ["theory", "question", "relevance", "model"], None, "relevance"
        )
        try:
            theory = registry.theory(row.cell(mapping, "theory")).name
        except UnknownNameError as error:
            raise InputFileError(row.file, str(error), row=row.number, column="theory") from None
        try:
            score = float(row.cell(mapping, "relevance"))
        except (TypeError, ValueError):
            score = math.nan
        if not -1.001 <= score <= 1.001:
            raise InputFileError(
                row.file, "is no number from -1 to 1", row=row.number, column="relevance"
            )
        key = (theory, str(row.cell(mapping, "question")))
        if key in scores:
            raise InputFileError(
                row.file, f"the question {key[1]} stands twice for {theory}", row=row.number
            )
        scores[key] = score
        models[str(row.cell(mapping, "model"))] += 1
        methods[str(row.cell(mapping, "method") or "not stated")] += 1
        prompts[str(row.cell(mapping, "prompt_version") or "")] += 1
    if not scores:
        raise InputFileError(opened.reference, "holds no row")
    versions = ", ".join(version for version in prompts if version)
    return RelevanceTable(scores, ", ".join(models), ", ".join(methods), opened, versions)
