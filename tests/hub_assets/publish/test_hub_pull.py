"""An asset comes at its revision, checked, or the reason is said; never another in its place."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from tests.hub_assets.packaged import ROWS, package
from tests.hub_write_server import WritableHub
from valueflow.hub_assets.errors import InputFileError, UnknownNameError
from valueflow.hub_assets.inputs.anchors import load_vidb
from valueflow.hub_assets.inputs.source import content_hash, open_source
from valueflow.hub_assets.publish.pull import Pulled, pull_asset, wanted_assets
from valueflow.hub_assets.registry.loading import Asset, load_registry
from valueflow.hub_assets.vidb.download import download, without_secrets
from valueflow.hub_assets.vidb.schema import ProblemsError

PUBLIC = {
    "pvq_power.csv": b"text,final_rating\nI lead.,8\nI follow.,-6.5\n",
    "pvq_face.csv": b"text,final_rating\nI must not be shamed.,7\n",
    "load.py": b"raise SystemExit('code was run')",
    "dataset_infos.json": b"{}",
}


def asset(revision: str = "main", **more: Any) -> Asset:
    return Asset(name="table", kind="vidb", title="", repo_id="org/vidb", revision=revision, **more)


def pull(revision: str = "main", offline: bool = False, **more: Any) -> Pulled:
    return pull_asset(asset(revision, **more), offline=offline)


def test_a_dataset_without_a_manifest_is_counted_hashed_and_its_columns_are_told(
    hub: WritableHub,
) -> None:
    commit = hub.keep("org/vidb", PUBLIC)
    first = pull()
    assert (first.commit, first.files, first.rows) == (commit, 2, 3)
    assert first.sha256 == content_hash(first.folder)
    assert first.checked == "nothing: it has no manifest, and the registry pins no sha256"
    assert first.notes[0] == "2 values; text from 'text', intensity from 'final_rating'"
    assert not (first.folder / "load.py").exists()
    assert pull().checked == "the hashes of the first download"


def test_a_pinned_hash_lets_only_the_same_contents_through(hub: WritableHub) -> None:
    hub.keep("org/vidb", PUBLIC)
    sha256 = pull().sha256
    assert "the hash that the registry pins" in pull(sha256=sha256).checked
    hub.keep("org/vidb", {**PUBLIC, "pvq_face.csv": b"text,final_rating\nAnother.,7\n"})
    with pytest.raises(InputFileError, match=f"the registry pins {sha256}"):
        pull(sha256=sha256)


def test_a_pinned_hash_holds_wherever_the_asset_is_used(hub: WritableHub, tmp_path: Path) -> None:
    hub.keep("org/vidb", PUBLIC)
    catalogue = tmp_path / "own.yaml"
    line = "kind: vidb, title: Mine, repo_id: org/vidb, revision: main, sha256: "
    catalogue.write_text(f"assets:\n  good: {{{line}{pull().sha256}}}\n  bad: {{{line}'00'}}\n")
    own = load_registry(catalogue)
    assert len(open_source("good", "vidb", own).files) == 2
    with pytest.raises(InputFileError, match="the registry pins 00"):
        open_source("bad", "vidb", own)


def test_columns_that_cannot_be_read_are_listed(hub: WritableHub) -> None:
    hub.keep("org/vidb", {"power.csv": b"phrase,mark\nI lead.,8\n"})
    with pytest.raises(InputFileError, match="Found: phrase, mark"):
        pull()


def test_no_table_at_all_comes_with_what_the_repository_holds(hub: WritableHub) -> None:
    hub.keep("org/vidb", {"weights.h5": b"x", "notes.txt": b"x"})
    with pytest.raises(InputFileError, match=r"holds no table.*it holds .*notes\.txt, weights\.h5"):
        open_source("org/vidb", "vidb")


def _parquet(rows: dict[str, list[Any]]) -> bytes:
    import pyarrow
    import pyarrow.parquet

    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.table(rows), sink)
    return bytes(sink.getvalue().to_pybytes())


TEXTS = {"text": ["I lead.", "I follow.", "Unrated."], "final_rating": [8.0, -6.5, None]}
CSV = b"text,final_rating\nI lead.,8\nI follow.,-6.5\nUnrated.,\n"


@pytest.mark.parametrize(
    "files",
    [
        {
            "data/final_ratings/power_pvq_flag_aggregated.csv": CSV,
            "data/final_ratings/care-harm_mft_flag_aggregated.csv": CSV,
        },
        {
            "power/train-00000-of-00001.parquet": _parquet(TEXTS),
            "care_harm/train-00000-of-00001.parquet": _parquet(TEXTS),
        },
        {"pvq/power.csv.gz": gzip.compress(CSV), "mft/Care-Harm.csv.gz": gzip.compress(CSV)},
        {
            "all.csv": b"Text,Final_Rating,Theory,Value\nI lead.,8,PVQ,Power\n"
            b"I follow.,-6.5,PVQ,Power\nI heal.,8,MFT,Care/Harm\nI hurt.,-8,MFT,Care/Harm\n"
            b"Unrated.,,PVQ,Power\nUnrated.,nan,MFT,Care/Harm\n"
        },
    ],
    ids=["ratings", "splits", "packed", "one table"],
)
def test_the_likely_layouts_of_public_databases_are_read(
    hub: WritableHub, files: dict[str, bytes]
) -> None:
    hub.keep("org/vidb", files)
    pulled = pull()
    assert pulled.rows == 4
    assert "2 rows without an intensity" in pulled.notes
    assert set(load_vidb("org/vidb").anchors) == {("pvq", "power"), ("mft", "care-harm")}


def test_other_columns_and_another_scale_are_named_when_pulling(hub: WritableHub) -> None:
    hub.keep("org/vidb", {"power.csv": b"phrase,mark\nI lead.,5\nI follow.,1\n"})
    columns = {"text": "phrase", "intensity": "mark", "range": "1..5"}
    pulled = pull_asset(asset(), columns=columns)
    assert pulled.rows == 2
    assert "1 values; text from 'phrase', intensity from 'mark'" in pulled.notes
    assert "intensities were mapped from 1 to 5 onto -10 to 10" in pulled.notes


def test_a_database_with_a_manifest_is_checked_against_it(hub: WritableHub, tmp_path: Path) -> None:
    folder = package(tmp_path / "db", ROWS)
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}
    hub.keep("org/vidb", files)
    found = pull()
    assert "manifest of no version: rows, columns and hashes of its files" in found.checked
    assert found.rows == sum(bool(row["filtered"]) for row in ROWS)
    every = open_source("org/vidb#full", "vidb")
    assert [file.stem for file in every.files] == ["full"]
    assert open_source(every.reference, "vidb") == every
    full = "data/pvq/power/full.parquet"
    hub.keep("org/vidb", {**files, full: files["data/pvq/power/filtered.parquet"]})
    with pytest.raises(ProblemsError, match=f"{full}: is not the file"):
        pull()
    hub.keep("org/vidb", {name: body for name, body in files.items() if name != full})
    with pytest.raises(ProblemsError, match=f"{full}: is in the manifest and missing"):
        pull()


@pytest.mark.parametrize("offline", [False, True])
@pytest.mark.parametrize("revision", ["v9", "0" * 40])
def test_a_revision_that_is_not_there_is_an_error_with_a_warm_cache_too(
    hub: WritableHub, revision: str, offline: bool
) -> None:
    hub.keep("org/vidb", PUBLIC)
    pull()
    with pytest.raises(InputFileError, match=f"org/vidb@{revision}: cannot be loaded") as caught:
        pull(revision, offline=offline)
    assert offline or "it has no such revision" in str(caught.value)


def test_a_repository_that_is_missing_or_private_is_said_to_be_so(
    hub: WritableHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputFileError, match="shows you no such repository"):
        pull()
    hub.keep("org/vidb", PUBLIC)
    hub.private.add("org/vidb")
    assert pull().rows == 3
    monkeypatch.setenv("HF_TOKEN", "")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", "/nowhere")
    hub.keep("org/vidb", {**PUBLIC, "pvq_power.csv": b"text,final_rating\nNew.,1\n"})
    with pytest.raises(InputFileError, match="log in with `hf auth login`"):
        pull()


def test_offline_a_warm_cache_serves_and_asks_nobody(hub: WritableHub) -> None:
    commit = hub.keep("org/vidb", PUBLIC)
    pull()
    asked = len(hub.requests)
    assert pull(offline=True).commit == commit
    assert pull(commit, offline=True).commit == commit
    assert len(hub.requests) == asked


def test_when_the_hub_fails_the_cache_is_used_and_that_is_said(
    hub: WritableHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.keep("org/vidb", PUBLIC)
    assert not any("could not be reached" in note for note in pull().notes)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    assert "the Hub could not be reached; this is what the cache had" in pull().notes
    assert "could not be reached" in open_source("org/vidb", "vidb").notes[0]


def test_a_file_that_changed_in_the_cache_is_refused(hub: WritableHub) -> None:
    hub.keep("org/vidb", PUBLIC)
    file = pull().folder / "pvq_power.csv"
    file.resolve().write_bytes(b"text,final_rating\nI was changed.,1\n")
    with pytest.raises(InputFileError, match="has changed since it was downloaded"):
        pull(offline=True)


def test_a_file_that_is_gone_from_the_cache_is_fetched_again_and_missed_offline(
    hub: WritableHub,
) -> None:
    hub.keep("org/vidb", PUBLIC)
    file = pull().folder / "pvq_power.csv"
    file.unlink()
    with pytest.raises(InputFileError, match="incomplete"):
        pull(offline=True)
    assert pull().rows == 3


def test_a_word_names_the_assets_of_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [a.name for a in wanted_assets("vidb")] == ["vidb-mini", "vidb-filtered"]
    assert [a.name for a in wanted_assets("hives")] == ["hives"]
    assert [a.name for a in wanted_assets("queries")] == ["queries-mini"]
    assert len(wanted_assets("all")) >= 4
    [own] = wanted_assets("org/vidb@v1.1")
    assert (own.repo_id, own.revision) == ("org/vidb", "v1.1")
    with pytest.raises(UnknownNameError, match="Did you mean 'hives'"):
        wanted_assets("hive")


def test_a_model_comes_as_weights_and_texts_without_code_and_pickles(hub: WritableHub) -> None:
    model = Asset(
        name="m",
        kind="embedding-model",
        title="",
        revision="v2",
        repo_id="org/model",
        repo_type="model",
    )
    hub.keep("org/model", {"pytorch_model.bin": b"pickle", "config.json": b"{}"}, "model")
    hub.repositories["org/model"]["v2"] = hub.files("org/model")
    with pytest.raises(InputFileError, match=r"weights as pytorch_model\.bin only"):
        pull_asset(model)
    files = {
        "model.safetensors": b"weights",
        "modeling.py": b"code",
        "modules.json": b"[]",
        "1_Pooling/config.json": b"{}",
    }
    commit = hub.keep("org/model", {**hub.files("org/model"), **files})
    hub.repositories["org/model"]["v2"] = hub.files("org/model")
    found = pull_asset(model)
    assert (found.commit, found.files, found.rows) == (commit, 4, None)
    names = {path.name for path in found.folder.rglob("*.*")}
    assert names == {"model.safetensors", "config.json", "modules.json"}
    assert pull_asset(model, offline=True).sha256 == found.sha256
    with pytest.raises(InputFileError, match="the registry pins 00"):
        pull_asset(model.model_copy(update={"sha256": "00"}))


def test_an_embedded_asset_needs_no_hub(hub: WritableHub) -> None:
    [mini] = wanted_assets("vidb-mini")
    found = pull_asset(mini)
    assert (found.where, found.rows, found.commit) == ("embedded", 1408, "")
    assert hub.requests == []


def test_messages_lose_tokens_and_signatures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "of-another-form")
    assert without_secrets("with of-another-form") == "with ***"
    text = "PUT https://host/lfs/1?X-Signature=abc&t=1 with Bearer abc.def and hf_AbC123 failed"
    assert without_secrets(text) == "PUT https://host/lfs/1 with Bearer *** and hf_*** failed"


def test_a_commit_named_by_its_hash_is_the_commit_that_is_given(hub: WritableHub) -> None:
    commit = hub.keep("org/vidb", PUBLIC)
    hub.keep("org/vidb", {**PUBLIC, "pvq_face.csv": b"text,final_rating\nAnother.,7\n"})
    assert download("org/vidb", commit, ["*.csv"]).commit == commit
    assert pull(commit).commit == commit


def test_profiles_and_surveys_of_ones_own_come_from_the_hub_by_their_kind(hub: WritableHub) -> None:
    hub.keep("org/ours", {"p.csv": b"group,theory,value,score\nSEX_Male,pvq,power,0.5\n"})
    [own] = wanted_assets("org/ours@main", "profiles")
    pulled = pull_asset(own)
    assert (pulled.rows, pulled.notes) == (1, ("groups: 1",))
    with pytest.raises(InputFileError, match="question"):
        pull_asset(wanted_assets("org/ours@main", "questions")[0])
    assert wanted_assets("org/ours@main", "hives")[0].repo_type == "model"
