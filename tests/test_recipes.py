"""The recipes that come with the project are read, and say what their comments say."""

from pathlib import Path

import pytest

from valueflow.rebuild.database.recipe import read_recipe

RECIPES = Path(__file__).parents[1] / "recipes"


@pytest.mark.parametrize("name", ["vidb.yaml", "vidb-filtered.yaml"])
def test_the_published_construction_is_what_the_recipe_asks_for(name: str) -> None:
    recipe = read_recipe(RECIPES / name)
    assert len(recipe.wanted()) == 32
    assert {source.adapter for source in recipe.sources} == {
        "mfrc",
        "social-chemistry",
        "valuenet",
        "valueeval",
        "valueprism",
        "denevil",
    }
    panel = [seat.model for seat in recipe.categorize.panel()]
    assert len(panel) == len(set(panel)) == 7
    assert (recipe.categorize.start, recipe.categorize.texts_per_prompt) == ("top", 1)
    assert (recipe.rank.window_size, recipe.curate.per_value) == (2, 10_000)
    assert recipe.package.leave_out_restricted


def test_both_recipes_ask_the_same_questions() -> None:
    full, filtered = (read_recipe(RECIPES / f"{n}.yaml") for n in ("vidb", "vidb-filtered"))
    for part in ("sources", "seed", "categorize", "curate", "rank", "fit", "scale", "flag"):
        assert getattr(full, part) == getattr(filtered, part)
