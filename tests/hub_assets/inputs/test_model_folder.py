"""A model's folder is checked before anything of it is loaded."""

import json
from pathlib import Path
from typing import Any

import pytest

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.inputs.model_folder import (
    BaseRecord,
    CorpusRecord,
    HivesManifest,
    card_license,
    check_model_folder,
    model_hash,
    read_trained_on,
    write_hives_manifest,
    write_trained_on,
)
from valueflow.hub_assets.inputs.rows import rows_of

MODULE = "sentence_transformers.models.Transformer"


def folder(tmp_path: Path, module: str = MODULE) -> Path:
    """What a sentence-transformers model looks like from outside."""
    place = tmp_path / "model"
    place.mkdir()
    (place / "modules.json").write_text(json.dumps([{"idx": 0, "path": "", "type": module}]))
    (place / "config.json").write_text("{}")
    (place / "model.safetensors").write_bytes(b"weights")
    return place


def manifest(place: Path, **parts: Any) -> HivesManifest:
    settings: dict[str, Any] = {
        "base": BaseRecord(name="b", sha256="0"),
        "mode": "full",
        "theories": ("pvq",),
        "values": ("pvq:power",),
        "dimensions": 8,
        "max_seq_length": 16,
        "recipe": {},
        "recipe_sha256": "r",
        "corpus": CorpusRecord(sha256="c", rows={"train": 2}, split_hash="s", sources=()),
        "steps": {"stage1": 1},
        "weights_sha256": model_hash(place),
        "trained_on_sha256": write_trained_on(place, ["b", "a", "b"]),
    }
    return HivesManifest(**{**settings, **parts})


def test_a_manifest_comes_back_as_it_was_written(tmp_path: Path) -> None:
    place = folder(tmp_path)
    assert check_model_folder(place) is None
    made = manifest(place)
    write_hives_manifest(place, made)
    assert check_model_folder(place) == made
    assert read_trained_on(place) == {"a", "b"}


def test_the_identity_is_of_what_decides_vectors(tmp_path: Path) -> None:
    place = folder(tmp_path)
    first = model_hash(place)
    (place / "README.md").write_text("card")
    write_hives_manifest(place, manifest(place))
    assert model_hash(place) == first
    (place / "model.safetensors").write_bytes(b"others")
    assert model_hash(place) != first
    with pytest.raises(InputFileError, match="other weights"):
        check_model_folder(place)


def test_a_changed_record_of_what_was_trained_on_is_refused(tmp_path: Path) -> None:
    place = folder(tmp_path)
    write_hives_manifest(place, manifest(place))
    (place / "hives-trained-on.txt").write_text("a\n")
    with pytest.raises(InputFileError, match=r"another hives-trained-on\.txt"):
        check_model_folder(place)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("pytorch_model.bin", "x", "can run code"),
        ("modeling.py", "x", "code of its own"),
        ("config.json", '{"auto_map": {}}', "auto_map"),
        ("modules.json", '[{"type": "own.Module"}]', r"own\.Module"),
        ("modules.json", "{", "no list of modules"),
        ("hives.json", '{"format": 1}', "base: Field required"),
    ],
)
def test_what_could_run_code_or_contradicts_itself_is_refused(
    name: str, content: str, told: str, tmp_path: Path
) -> None:
    place = folder(tmp_path)
    (place / name).write_text(content)
    with pytest.raises(InputFileError, match=told):
        check_model_folder(place)


def test_a_folder_without_safetensors_or_without_a_model_says_what_it_holds(tmp_path: Path) -> None:
    place = folder(tmp_path)
    (place / "model.safetensors").unlink()
    with pytest.raises(InputFileError, match=r"no weights in safetensors.*config\.json"):
        check_model_folder(place)
    (place / "modules.json").unlink()
    with pytest.raises(InputFileError, match=r"no modules\.json\. Found: config\.json"):
        check_model_folder(place)


def test_a_tab_separated_cell_that_begins_with_a_quoted_word_is_read_as_it_stands(
    tmp_path: Path,
) -> None:
    path = tmp_path / "t.tsv"
    path.write_text('a\tb\n"Yes" is no answer\tx\n"all ""quoted"""\t"two\nlines"\n')
    assert [dict(row.cells) for row in rows_of([path])] == [
        {"a": '"Yes" is no answer', "b": "x"},
        {"a": 'all "quoted"', "b": "two\nlines"},
    ]


@pytest.mark.parametrize(
    ("card", "license"),
    [
        ("---\nlicense: apache-2.0\ntags: [a]\n---\n# A model", "Apache-2.0"),
        ("---\nlicense: other\n---\n", None),
        ("---\nlicense: [\n---\n", None),
        ("# license: mit", None),
    ],
)
def test_the_licence_of_a_base_is_read_from_its_card(
    card: str, license: str | None, tmp_path: Path
) -> None:
    assert card_license(tmp_path) is None
    (tmp_path / "README.md").write_text(card)
    assert card_license(tmp_path) == license
