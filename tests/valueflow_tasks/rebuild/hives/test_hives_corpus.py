"""The corpus: labels by name, ancestors as sets, splits by group, nothing that scores held in."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from tests.tiny_encoder import recipe_of
from valueflow.cli import main
from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.inputs.anchors import load_vidb
from valueflow.hub_assets.inputs.value_anchors import coverage, read_anchors
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.rebuild.database.judging import Budget
from valueflow.rebuild.hives.corpus import Corpus, build_corpus, corpus_notes, read_corpus
from valueflow.rebuild.hives.recipe import read_hives_recipe


def corpus_of(folder: Path, rows: list[dict[str, Any]], **spec: Any) -> Corpus:
    """A corpus of a table with these rows."""
    (folder / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    body = {
        "sources": [{"path": "t.jsonl", "source": "ours", "license": "CC0-1.0"}],
        "corpus": {"shares": {"train": 1.0}, **spec},
    }
    (folder / "r.yaml").write_text(yaml.safe_dump(body))
    build_corpus(read_hives_recipe(folder / "r.yaml"), folder / "out", Budget(0))
    return read_corpus(folder / "out")


def row(text: str, value: str, **more: Any) -> dict[str, Any]:
    optional = dict.fromkeys(("theory", "direction", "path", "group"))
    return {"text": text, "value": value, **optional, **more}


THIRDS = {"train": 0.6, "validation": 0.2, "test": 0.2}
SOME = [row(f"power text {i} about {i * i}", "power") for i in range(6)]


def test_a_text_carries_several_labels_and_a_value_with_two_parents_lies_under_both(
    tmp_path: Path,
) -> None:
    rows = [*SOME, row("fun and mockery", "hedonism|care-harm", direction="oppose")]
    corpus = corpus_of(tmp_path, [*rows, row("fun again", "hedonism")])
    (found,) = [r for r in corpus.rows if r["text"] == "fun and mockery"]
    assert found["labels"] == {"mft:care-harm": "oppose", "pvq:hedonism": "oppose"}
    table = corpus.labels("pvq")
    place = [r["text"] for r in corpus.rows].index("fun and mockery")
    above = {name for name, held in zip(table.nodes, table.closure[place], strict=True) if held}
    assert above == {
        "hedonism",
        "openness-to-change",
        "growth",
        "self-enhancement",
        "self-protection",
    }


def test_labels_stand_at_any_level_by_name_or_by_path(tmp_path: Path) -> None:
    path = "growth/self-transcendence/benevolence/caring"
    rows = [
        *SOME,
        row("a", "openness"),
        row("b", "benevolence", path=path),
        row("c", "caring", theory="pvq"),
    ]
    labels = {r["text"]: list(r["labels"]) for r in corpus_of(tmp_path, rows).rows}
    assert labels["a"] == ["pvq:openness-to-change"]
    assert labels["b"] == labels["c"] == ["pvq:caring"]


def test_a_path_that_is_none_of_the_theory_is_named_with_its_row(tmp_path: Path) -> None:
    rows = [*SOME, row("b", "benevolence", path="growth/self-enhancement/benevolence")]
    with pytest.raises(InputFileError, match=r"row 7, column 'path'.*not above it in pvq"):
        corpus_of(tmp_path, rows)


def test_an_unknown_label_is_counted_and_its_text_left_out(tmp_path: Path) -> None:
    corpus = corpus_of(
        tmp_path,
        [*SOME, row("x", "dependability"), row("y", "nonsense"), row("z", "dependability")],
    )
    assert "y" not in corpus.texts
    assert corpus.about["counts"]["without_label"] == 1


def test_groups_and_near_duplicates_never_stand_on_two_sides(tmp_path: Path) -> None:
    rows = [
        row(f"text {i} on {value} number {i * 7}", value, group=f"topic {i % 9}")
        for i in range(60)
        for value in ("power", "dependability")
    ]
    like = "we should all look after the river and every fish that lives in it today"
    rows += [row(like, "dependability", group="A"), row(like + " yes", "power", group="B")]
    corpus = corpus_of(tmp_path, rows, near_duplicates=0.7, shares=THIRDS)
    sides: dict[str, set[str]] = {}
    for found in corpus.rows:
        for name in found["groups"]:
            sides.setdefault(name, set()).add(found["split"])
    assert {len(side) for side in sides.values()} == {1}
    assert {r["split"] for r in corpus.rows} == {"train", "validation", "test"}
    near = [r for r in corpus.rows if r["text"].startswith(like)]
    assert len({r["group"] for r in near}) == 1


def test_splits_are_the_same_again_and_their_hash_tells_when_one_was_changed(
    tmp_path: Path,
) -> None:
    rows = [
        row(f"{name} text {i} about {i * i}", name) for i in range(20) for name in ("power", "face")
    ]
    one = corpus_of(tmp_path, rows, shares=THIRDS)
    again = corpus_of(tmp_path, rows, shares=THIRDS)
    assert one.about["split_hash"] == again.about["split_hash"]
    place = tmp_path / "out/corpus/rows.jsonl"
    place.write_text(place.read_text().replace('"split": "test"', '"split": "train"'))
    with pytest.raises(InputFileError, match="does not have the splits"):
        read_corpus(tmp_path / "out")


def test_texts_that_runs_are_scored_with_are_held_out_with_their_near_duplicates(
    tmp_path: Path,
) -> None:
    anchor = next(iter(load_vidb("vidb-mini").anchors.values()))[0].text
    rows = [
        *SOME,
        row(anchor, "power"),
        row(f"{anchor} Indeed", "dependability"),
        row("care", "dependability"),
    ]
    corpus = corpus_of(tmp_path, rows, near_duplicates=0.6)
    held = [json.loads(line) for line in (tmp_path / "out/corpus/held_out.jsonl").open()]
    assert sorted(r["text"] for r in held) == sorted([anchor, f"{anchor} Indeed"])
    assert anchor not in corpus.texts
    assert corpus.about["counts"]["held_out"] == 2


def test_very_long_texts_are_cut_and_counted_and_empty_ones_left_out(tmp_path: Path) -> None:
    rows = [
        *SOME,
        row("long " * 10_000, "dependability"),
        row("  ", "power"),
        row("care", "dependability"),
    ]
    corpus = corpus_of(tmp_path, rows, max_characters=500)
    assert max(map(len, corpus.texts)) == 500
    assert corpus.about["counts"]["cut_texts"] == 1
    assert all(text.strip() for text in corpus.texts)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (SOME, "one label only"),
        (
            [row("a", "power"), row("b", "dependability"), row("c", "face")],
            "no label has two training texts",
        ),
    ],
)
def test_a_corpus_in_which_nothing_can_be_told_apart_is_refused(
    rows: list[dict[str, Any]], told: str, tmp_path: Path
) -> None:
    with pytest.raises(InputFileError, match=told):
        corpus_of(tmp_path, rows, shares={"train": 1.0})


def test_a_value_with_a_single_text_is_kept_and_told(tmp_path: Path) -> None:
    corpus_of(
        tmp_path,
        [*SOME, row("a", "face"), *(row(f"c {i}", "dependability") for i in range(3))],
        shares={"train": 1.0},
    )
    assert any("pvq:face" in note for note in corpus_notes(tmp_path / "out"))


def test_the_embedded_anchors_reach_every_value_and_tie_theories() -> None:
    individual, theory = read_anchors("individual"), read_anchors("theory")
    assert min(coverage(individual).values()) >= 4
    assert len(theory) >= 60
    assert set(coverage(individual)) == {
        f"{v.theory}:{v.name}" for v in load_registry().macro_values()
    }
    assert all(len({n.partition(":")[0] for n in anchor.nodes}) > 1 for anchor in theory)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ({"text": "", "nodes": ["pvq:power"]}, "is empty"),
        ({"text": "a", "nodes": ["pvq:nonsense"]}, "is no node of pvq"),
        ({"text": "a", "nodes": ["power"]}, "theory:name"),
        ({"text": "a", "nodes": ["pvq:power", "pvq:face"]}, "one theory only"),
    ],
)
def test_anchors_that_tie_nothing_are_named_with_their_row(
    line: dict[str, Any], told: str, tmp_path: Path
) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(InputFileError, match=rf"row 1.*{told}"):
        read_anchors("theory", tmp_path / "a.jsonl")


def test_the_command_builds_a_corpus_without_the_extra(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path)
    arguments = ["build", "hives", str(recipe), "-o", str(tmp_path / "out"), "--until", "corpus"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert "texts 48" in done.output
    assert len(read_corpus(tmp_path / "out").groups()) == 48
    assert np.array_equal(
        read_corpus(tmp_path / "out").groups(), read_corpus(tmp_path / "out").groups()
    )
