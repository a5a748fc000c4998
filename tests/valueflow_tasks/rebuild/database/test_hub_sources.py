"""Texts come from datasets on the Hub, by configuration and split, at a commit that stays."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.hub_assets import conftest
from tests.hub_server import commit_of
from tests.hub_write_server import WritableHub
from valueflow.hub_assets.errors import InputFileError
from valueflow.rebuild.database.folder import read_lines
from valueflow.rebuild.database.recipe import read_recipe
from valueflow.rebuild.database.running.stages import import_stage
from valueflow.rebuild.database.sources import import_texts

hub = conftest.hub

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

CARD = b"""---
configs:
- config_name: talk
  default: true
  data_files:
  - {split: train, path: talk/a.csv}
  - {split: test, path: talk/b.csv}
- config_name: post
  data_files: post/*.csv
---
"""
FILES = {
    "README.md": CARD,
    "talk/a.csv": b"sentence,about,side\nI lead.,Power,1\nWe follow.,Power,-1\n",
    "talk/b.csv": b"sentence,about,side\nI rest.,hedonism,1\n",
    "post/a.csv": b"sentence,about,side\nI post.,face,0\n",
    "loader.py": b"raise SystemExit('code of a repository is run')",
}


@pytest.fixture
def served(hub: WritableHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WritableHub:
    # The library's own cache, which it reads when it is imported.
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "datasets")
    hub.keep("org/texts", FILES)
    return hub


def recipe(folder: Path, **source: Any) -> Any:
    columns = {"text": "sentence", "value": "about", "direction": "side"}
    whole = {"hub": "org/texts", "source": "org", "license": "CC0-1.0", "columns": columns}
    path = folder / "recipe.yaml"
    body = {
        "theories": ["pvq"],
        "sources": [whole | source],
        "categorize": {"values": "given"},
        "rank": {"judge": {"model": "mockllm/model"}},
    }
    path.write_text(yaml.safe_dump(body))
    return read_recipe(path)


@pytest.mark.parametrize(
    ("chosen", "texts"),
    [
        ({"config": "talk", "split": "test"}, ["I rest."]),
        ({"config": "post"}, ["I post."]),
        ({}, ["I lead.", "We follow.", "I rest."]),
        ({"split": "train", "limit": 1}, ["I lead."]),
    ],
)
def test_config_and_split_say_which_rows(
    served: WritableHub, tmp_path: Path, chosen: dict[str, Any], texts: list[str]
) -> None:
    found, _ = import_texts(recipe(tmp_path, **chosen))
    assert [text["text"] for text in found] == texts
    if texts[0] == "I lead.":
        assert found[0]["labels"] == {"pvq:power": {"direction": "support", "path": None}}


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"config": "speech"}, "speech"),
        ({"split": "dev"}, "no split 'dev'; it has train, test"),
        ({"revision": "v9"}, "no such revision"),
        ({"hub": "org/nothing"}, "no such repository"),
        ({"columns": {"text": "words"}}, "words"),
    ],
)
def test_what_is_not_there_is_named(
    served: WritableHub, tmp_path: Path, chosen: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputFileError, match=told):
        import_texts(recipe(tmp_path, **chosen))


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"path": "texts.csv"}, "either 'path', or 'hub'"),
        ({"hub": None}, "either 'path', or 'hub'"),
        ({"hub": None, "path": "texts.csv", "split": "train"}, "go with 'hub'"),
        ({"hub": "org/texts@v1"}, "hub"),
    ],
)
def test_a_recipe_that_says_two_places_is_refused(
    tmp_path: Path, chosen: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputFileError, match=told):
        recipe(tmp_path, **chosen)


def test_a_branch_that_moves_on_changes_no_build_that_was_begun(
    served: WritableHub, tmp_path: Path
) -> None:
    def texts(folder: str, **source: Any) -> list[str]:
        import_stage(recipe(tmp_path, split="train", **source), tmp_path / folder)
        rows = read_lines(tmp_path / folder / "import" / "texts.jsonl", "import")
        return [row["text"] for row in rows]

    before = ["I lead.", "We follow."]
    assert texts("old") == before
    newer = {**FILES, "talk/a.csv": b"sentence,about,side\nI win.,Power,1\n"}
    served.keep("org/texts", newer)
    assert texts("old") == before
    assert texts("new") == ["I win."]
    # The commits of then are one word in the recipe away.
    assert texts("old", revision=commit_of(newer)) == ["I win."]
    assert texts("again", revision=commit_of(FILES)) == before
