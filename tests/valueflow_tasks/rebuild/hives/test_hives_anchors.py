"""Anchors made by judges: proposed by each, voted on by all, asked for once."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.rebuild.database.judging import Budget, BudgetSpent
from valueflow.rebuild.hives.anchors import anchor_notes, build_anchors, recipe_anchors
from valueflow.rebuild.hives.recipe import HivesRecipe, read_hives_recipe
from valueflow.scorers.database.panel.proposals import (
    proposals_prompt,
    read_proposals,
    read_proposals_prompt,
)

TRUTH = """text,value,intensity
looking after others,pvq:benevolence,9
looking after others,duty:beneficence,8
staying true,pvq:benevolence,7
shared only by name,duty:beneficence,6
shared only by name,pvq:benevolence,-8
I cook for the neighbour who broke her leg,pvq:benevolence,8
I cook for the neighbour who broke her leg,duty:beneficence,8
"""


def recipe(folder: Path, **build: Any) -> HivesRecipe:
    (folder / "truth.csv").write_text(TRUTH)
    judge = {"model": "valueflow/judge", "args": {"truth": "truth.csv", "scale": 20, "seed": 0}}
    body = {
        "values": ["benevolence", "beneficence"],
        "sources": [{"path": "texts.csv", "source": "ours", "license": "CC0-1.0"}],
        "anchors": {
            "build": {
                "judges": [{**judge, "seats": 3}],
                "license": "CC0-1.0",
                "accept_votes": 2,
                "instances": 40,
                **build,
            }
        },
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(body))
    return read_hives_recipe(path)


def rows(file: Path) -> dict[str, list[str]]:
    lines = map(json.loads, file.read_text().splitlines())
    return {line["text"]: line["nodes"] for line in lines}


def test_judges_propose_and_vote_and_are_asked_once(tmp_path: Path) -> None:
    read, budget = recipe(tmp_path), Budget()
    counts = build_anchors(read, tmp_path / "out", budget)
    shared = rows(tmp_path / "out/anchors/theory.jsonl")
    both = {"pvq:benevolence", "duty:beneficence"}
    # What only one theory has, or supports, is no concept that two share.
    assert {name for name, nodes in shared.items()} == {"looking after others"}
    assert {node.partition(":")[0] for node in shared["looking after others"]} == {"pvq", "duty"}
    instances = rows(tmp_path / "out/anchors/individual.jsonl")
    tied = instances["I cook for the neighbour who broke her leg"]
    assert {node.partition(":")[0] for node in tied} == {"pvq", "duty"}
    assert counts["individual_anchors"] == len(instances) > 5
    assert budget.calls > 12
    # A run that finds all done asks nobody, and the corpus takes these anchors.
    assert build_anchors(read, tmp_path / "out", Budget(0)) == counts
    anchors = recipe_anchors(read, tmp_path / "out")
    assert {a.kind for a in anchors} == {"individual", "theory"}
    assert both & {node for a in anchors for node in a.nodes}
    assert not any("review" in note for note in anchor_notes(tmp_path / "out", counts))


def test_a_spent_budget_keeps_what_was_said(tmp_path: Path) -> None:
    read = recipe(tmp_path, instances=4)
    whole = Budget()
    build_anchors(read, tmp_path / "whole", whole)
    first, second = Budget(5), Budget()
    with pytest.raises(BudgetSpent):
        build_anchors(read, tmp_path / "cut", first)
    with pytest.raises(InputFileError, match="is not there yet"):
        recipe_anchors(read, tmp_path / "cut")
    build_anchors(read, tmp_path / "cut", second)
    assert first.calls + second.calls == whole.calls
    for name in ("individual.jsonl", "theory.jsonl"):
        assert rows(tmp_path / "cut/anchors" / name) == rows(tmp_path / "whole/anchors" / name)


def test_one_theory_is_asked_for_no_concepts(tmp_path: Path) -> None:
    read = recipe(tmp_path, instances=2).model_copy(update={"values": ("benevolence",)})
    counts = build_anchors(read, tmp_path / "out", Budget())
    assert counts["theory_anchors"] == 0
    assert anchor_notes(tmp_path, {**counts, "unresolved": 2}) == [
        f"the panel is divided on 2 rows of candidates; `valueflow review {tmp_path / 'anchors'}` "
        "shows them, and the next run takes the decisions up",
        "no candidate was accepted as theory anchor",
    ]
    assert {a.kind for a in recipe_anchors(read, tmp_path / "out")} == {"individual"}


def test_an_answer_is_read_without_its_bullets_and_long_lines() -> None:
    answer = (
        "Here they are:\n1. keep a promise\n- “Keep a promise”\n(3) share food\n" + "word " * 20
    )
    assert read_proposals(answer, "individual", 9) == ["keep a promise", "share food"]
    assert read_proposals(answer, "individual", 1) == ["keep a promise"]
    assert read_proposals("\n", "theory", 3) is None


def test_the_question_can_be_taken_apart_again() -> None:
    value = load_registry().value("face")
    theory = load_registry().theories["pvq"]
    asked = read_proposals_prompt(proposals_prompt(theory, value, "theory", 7))
    assert (asked.kind, asked.theory, asked.value, asked.count) == (
        "theory",
        theory.title,
        "face",
        7,
    )
    with pytest.raises(ValueError, match="not a question"):
        read_proposals_prompt("Rank these texts.")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"instances": 0, "concepts": 0}, "nothing would be proposed"),
        ({"accept_votes": 9}, "accept_votes is 9, and the panel has 3"),
    ],
)
def test_a_recipe_that_cannot_make_anchors_is_refused(
    change: dict[str, int], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputFileError, match=message):
        recipe(tmp_path, **change)
