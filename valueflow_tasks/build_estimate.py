"""What a build will cost: calls and tokens that are still to come, before any is made."""

from dataclasses import dataclass
from pathlib import Path

from valueflow.build_categorize import asked_values
from valueflow.build_rank import expected_windows
from valueflow.hub_assets.build_folder import read_lines, stage_file
from valueflow.hub_assets.build_import import import_texts
from valueflow.hub_assets.build_recipe import Recipe
from valueflow.hub_assets.judgement_store import read_store
from valueflow.hub_assets.registry import load_registry
from valueflow.scorers.judge_prompt import judge_prompt
from valueflow.scorers.panel_prompt import category_prompt

__all__ = ["Estimate", "estimate"]

CHARACTERS_PER_TOKEN = 4
TOKENS_PER_CODE = 5
"""A code of five letters with its separator, as tokenizers of today cut it, about."""


@dataclass(frozen=True)
class Estimate:
    """Calls and tokens of one stage, and what they rest on."""

    stage: str
    calls: int
    known: int
    tokens_in: int
    tokens_out: int
    basis: str


def estimate(recipe: Recipe, folder: Path) -> list[Estimate]:
    """Calls and tokens of the stages that ask judges; nothing is asked or written.

    Counts are exact where the stage before is done; else they are the most that there can be (all
    asked values of all texts go on), and say so. Calls that must be repeated, because an answer
    could not be read, are not in them.
    """
    texts_file = folder / "import" / "texts.jsonl"
    if texts_file.is_file():
        texts = list(read_lines(texts_file, "import"))
    else:
        texts = import_texts(recipe)[0]
    theories = load_registry().theories
    found = []
    panel = recipe.categorize.panel()
    if panel:
        calls = read = written = 0
        for text in texts:
            values = asked_values(text, recipe)
            for theory in dict.fromkeys(v.theory for v in values):
                group = [v for v in values if v.theory == theory]
                prompt = category_prompt(theories[theory], group, text["text"], "CODES", 1)
                calls += len(panel)
                read += len(panel) * len(prompt) // CHARACTERS_PER_TOKEN
                written += len(panel) * (2 + 8 * len(group))
        known = len(read_store(folder / "categorize" / "judgements.jsonl"))
        basis = "first round; a second for texts on which the panel is divided, at most as many"
        found.append(Estimate("categorize", calls, known, read, written, basis))
    calls = known = read = written = 0
    curated = (folder / "curate" / "values.jsonl").is_file()
    for value in recipe.wanted():
        file = stage_file(folder, "curate", value, ".jsonl")
        if curated:
            members = [r["text"] for r in read_lines(file, "curate")] if file.is_file() else []
        else:
            members = [t["text"] for t in texts if value in asked_values(t, recipe)]
            members = members[: recipe.curate.per_value]
        if len(members) < 2:
            continue
        windows = expected_windows(len(members), recipe.rank)
        size = min(recipe.rank.window_size, len(members))
        frame = len(judge_prompt(value, theories[value.theory], [""] * size, ["CODES"] * size))
        mean = sum(map(len, members)) / len(members)
        calls += windows
        read += round(windows * (frame + size * mean)) // CHARACTERS_PER_TOKEN
        written += windows * size * TOKENS_PER_CODE
        known += len(read_store(stage_file(folder, "rank", value, ".jsonl")))
    basis = "curated rows" if curated else "at most: before categories and duplicates are known"
    found.append(Estimate("rank", calls, known, read, written, basis))
    return found
