"""A model and its corpus go to the Hub checked and whole, and come back as they were."""

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from tests.built_model import corpus_rows, make_build, write_corpus
from tests.hub_write_server import CUT, WRITER, WritableHub
from tests.tiny_encoder import make_tiny, needs_hives, recipe_of, table_of_texts
from valueflow.cli import main
from valueflow.hub_assets.errors import InputFileError, OptionError
from valueflow.hub_assets.inputs.model_folder import (
    MetricRecord,
    read_hives_manifest,
    write_hives_manifest,
)
from valueflow.hub_assets.publish.hives.corpus import CORPUS, package_corpus
from valueflow.hub_assets.publish.hives.model import model_changes
from valueflow.hub_assets.publish.kind import check_folder
from valueflow.hub_assets.publish.pull import assets_of, pull_asset, wanted_assets
from valueflow.hub_assets.publish.push import Plan, push, write_plan
from valueflow.hub_assets.vidb.schema import ProblemsError
from valueflow.rebuild.hives.corpus import corpus_folder, read_corpus
from valueflow.rebuild.hives.publishing import Extras, plan_hives

# huggingface_hub's own use of its HTTP library.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

REPO, CORPUS_REPO = "org/hives", "org/hives-corpus"


def planned(built: Path, tag: str = "v1", **options: Any) -> list[Plan]:
    work = tempfile.mkdtemp(dir=built.parent)
    return plan_hives(built, REPO, tag, Path(work), **{"corpus_repo": CORPUS_REPO, **options})


def pushed(built: Path, tag: str = "v1", **options: Any) -> list[Plan]:
    plans = planned(built, tag, **options)
    for plan in plans:
        push(plan)
    return plans


def card_of(hub: WritableHub, repo: str, revision: str) -> tuple[dict[str, Any], str]:
    text = hub.files(repo, revision)["README.md"].decode()
    return yaml.safe_load(text.split("---")[1]), text


def test_model_and_corpus_are_a_commit_and_a_tag_each_and_name_one_another(
    hub: WritableHub, tmp_path: Path
) -> None:
    built = make_build(tmp_path / "built")
    pushed(built)
    assert hub.types == {CORPUS_REPO: "dataset", REPO: "model"}
    assert hub.steps.count("commit") == 2
    files = hub.files(REPO, "v1")
    assert files["model.safetensors"] == (built / "model/model.safetensors").read_bytes()
    manifest = json.loads(files["hives.json"])
    assert (manifest["version"], manifest["corpus"]["repo"]) == ("v1", f"{CORPUS_REPO}@v1")
    about, text = card_of(hub, REPO, "v1")
    assert about["library_name"] == "sentence-transformers"
    assert about["base_model"] == "org/base"
    assert about["datasets"] == [CORPUS_REPO]
    assert about["license"] == "apache-2.0"
    assert "| rank | 0.600" in text
    about, text = card_of(hub, CORPUS_REPO, "v1")
    assert [part["split"] for part in about["configs"][0]["data_files"]] == [
        "train",
        "validation",
        "test",
    ]
    assert "| train | 6 |" in text


def test_what_comes_back_is_what_was_pushed_also_without_a_network(
    hub: WritableHub, tmp_path: Path
) -> None:
    built = make_build(tmp_path / "built")
    pushed(built)
    hub.keep(REPO, {"README.md": b"newer"})
    [asset] = wanted_assets(f"{REPO}@v1", "hives")
    model = pull_asset(asset)
    assert "manifest v1" in model.checked
    before, after = read_hives_manifest(built / "model"), read_hives_manifest(model.folder)
    assert before is not None
    assert after is not None
    assert model.sha256 == after.weights_sha256 == before.weights_sha256
    [corpus] = assets_of(model)
    found = read_corpus(pull_asset(corpus).folder)
    assert found == read_corpus(built)
    asked = len(hub.requests)
    assert pull_asset(asset, offline=True).sha256 == model.sha256
    assert pull_asset(assets_of(model)[0], offline=True).rows == 12
    assert len(hub.requests) == asked
    assert corpus_folder(Path(f"{CORPUS_REPO}@v1")) == pull_asset(corpus).folder
    assert pull_asset(asset.model_copy(update={"sha256": model.sha256}), offline=True)
    with pytest.raises(InputFileError, match=r"the registry pins 00.*not the model"):
        pull_asset(asset.model_copy(update={"sha256": "00"}))


def test_the_next_version_tells_figures_of_the_same_texts_and_how_far_values_moved(
    hub: WritableHub, tmp_path: Path
) -> None:
    pushed(make_build(tmp_path / "one"))
    later = make_build(tmp_path / "two", weights=b"others", figure=0.7, turn=0.6)
    corpus, model = pushed(later, "v2")
    assert (corpus.tag, bool(corpus.standing)) == ("v1", True)
    assert hub.steps.count("commit") == 3
    changes = model.manifest.changes
    assert changes is not None
    assert changes["since"] == "v1"
    [row] = changes["figures"]
    assert (row["metric"], row["old"], row["new"]) == ("rank", 0.6, 0.7)
    # One of two vectors turned from (0, 1) to (0.6, 0.8): 1 - cosine is 0.2, and its cosine with
    # the other went from 0 to 0.6.
    found = changes["value_vectors"]["test"]["pvq"]
    assert (found["moved"], found["turned"]) == (pytest.approx(0.1), pytest.approx(0.6))
    manifest = json.loads(hub.files(REPO, "v2")["hives.json"])
    assert manifest["corpus"]["repo"] == f"{CORPUS_REPO}@v1"
    text = card_of(hub, REPO, "v2")[1]
    assert "| pvq | test | rank | 0.600 | 0.700 |" in text
    other = make_build(tmp_path / "three", weights=b"third", texts="other texts")
    changes = planned(other / "model", "v3")[-1].manifest.changes
    assert changes is not None
    assert changes["figures"] == []
    assert "are of other texts" in changes["other_texts"]["test"]


def test_a_version_before_is_measured_on_new_texts_or_the_reason_is_said(tmp_path: Path) -> None:
    old = make_build(tmp_path / "old", texts="others") / "model"
    new = make_build(tmp_path / "new", figure=0.7, turn=0.6) / "model"

    def refused(split: str) -> Any:
        raise InputFileError("/home/me/model", f"was trained on texts of {split}")

    changes = model_changes(old, new, "v1", refused)
    assert changes["figures"] == []
    assert changes["other_texts"] == {"test": "was trained on texts of test"}

    def measured(split: str) -> Any:
        record = MetricRecord(model="hives", metric="rank", theory="pvq", split=split, value=0.4)
        return [record], {"pvq": {"benevolence": [1.0, 0.0], "conformity": [0.0, 1.0]}}

    changes = model_changes(old, new, "v1", measured)
    assert changes["other_texts"] == {}
    [row] = changes["figures"]
    assert (row["split"], row["old"], row["new"]) == ("test", 0.4, 0.7)
    assert changes["value_vectors"]["test"]["pvq"]["moved"] == pytest.approx(0.1)


def test_the_same_model_is_no_new_version_and_a_tag_is_never_moved(
    hub: WritableHub, tmp_path: Path
) -> None:
    built = make_build(tmp_path / "built")
    pushed(built)
    tags = {repo: dict(named) for repo, named in hub.tags.items()}
    with pytest.raises(ProblemsError, match=r"org/hives@v1: is this very data"):
        planned(built, "v2")
    with pytest.raises(ProblemsError, match=r"org/hives@v1: is there already, and an existing"):
        planned(make_build(tmp_path / "two", weights=b"others"))
    assert hub.tags == tags


def test_an_upload_that_was_cut_goes_on_behind_the_files_that_arrived(
    hub: WritableHub, tmp_path: Path
) -> None:
    built = make_build(tmp_path / "built")
    (built / "model/evaluation/test").mkdir(parents=True)
    (built / "model/evaluation/test/bars.png").write_bytes(b"picture")
    weights, picture = (hashlib.sha256(x).hexdigest() for x in (b"weights", b"picture"))
    hub.cut_uploads.add(weights)
    with pytest.raises(InputFileError, match="No data were committed"):
        pushed(built)
    assert REPO not in hub.tags
    assert list(hub.files(REPO)) == [".gitattributes"]
    hub.cut_uploads.clear()
    pushed_again = planned(built, "v1")
    assert pushed_again[0].standing
    for plan in pushed_again:
        push(plan)
    assert hub.files(REPO, "v1")["model.safetensors"] == b"weights"
    sent = [line for line in hub.requests if line.startswith("PUT")]
    assert sum(picture in line for line in sent) == 1
    assert sum(weights in line for line in sent) > 1


def test_a_pull_request_or_a_private_repository_for_a_model_too(
    hub: WritableHub, tmp_path: Path
) -> None:
    [plan] = planned(make_build(tmp_path / "built"), corpus_repo=None)
    done = push(plan, private=True, create_pr=True)
    assert done.url.endswith("org/hives/discussions/1")
    assert hub.private == {REPO}
    assert "model.safetensors" in hub.proposed[REPO]
    assert hub.tags == {}


def test_what_others_put_beside_a_model_goes_only_on_request(
    hub: WritableHub, tmp_path: Path
) -> None:
    theirs = {"pytorch_model.bin": b"x", "README.md": b"# Theirs", "paper.pdf": b"x"}
    hub.keep(REPO, theirs, "model")
    built = make_build(tmp_path / "built")
    with pytest.raises(ProblemsError) as caught:
        planned(built)
    assert "README.md would be replaced" in str(caught.value)
    assert "pytorch_model.bin would be removed" in str(caught.value)
    assert "paper.pdf stay" in str(caught.value)
    pushed(built, "v1.0", replace_foreign=True)
    assert {"paper.pdf", "model.safetensors"} <= set(hub.files(REPO))
    assert "pytorch_model.bin" not in hub.files(REPO)


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ({"license": "AI2-ImpACT-HR"}, "derived from its texts to be passed on"),
        ({"license": "CC-BY-ND-4.0"}, "derived from its texts to be passed on"),
        ({"license": "mine"}, "not known to allow"),
        ({"base_license": "see the base model's card"}, "say which with --base-license"),
    ],
)
def test_a_licence_that_forbids_or_says_nothing_stops_the_model(
    made: dict[str, Any], told: str, hub: WritableHub, tmp_path: Path
) -> None:
    with pytest.raises(ProblemsError, match=told):
        planned(make_build(tmp_path / "built", **made), corpus_repo=None)
    assert not hub.repositories


def test_texts_that_may_not_be_passed_on_are_left_out_of_the_corpus_alone(
    hub: WritableHub, tmp_path: Path
) -> None:
    built = make_build(tmp_path / "built", license="AI2-ImpACT-MR")
    with pytest.raises(ProblemsError, match=r"--leave-out-restricted, or the model alone"):
        planned(built)
    plans = planned(built, "v1.0", leave_out_restricted=True)
    for plan in plans:
        push(plan)
    found = read_corpus(corpus_folder(Path(f"{CORPUS_REPO}@v1.0")))
    assert {row["license"] for row in found.rows} == {"CC0-1.0"}
    assert found.about["left_out"] == 6
    assert card_of(hub, REPO, "v1.0")[0]["license"] == "other"


def test_the_strictest_terms_go_with_the_model(hub: WritableHub, tmp_path: Path) -> None:
    pushed(make_build(tmp_path / "built", license="CC-BY-NC-SA-4.0"))
    about, text = card_of(hub, REPO, "v1")
    assert about["license"] == "cc-by-nc-sa-4.0"
    assert "No commercial use of the whole (CC-BY-NC-SA-4.0)." in text


def test_a_corpus_with_a_leak_or_of_another_build_is_refused(
    hub: WritableHub, tmp_path: Path
) -> None:
    built = make_build(tmp_path / "built")
    rows = corpus_rows()
    rows[3]["group"] = rows[0]["group"]
    write_corpus(built / "corpus", rows)
    with pytest.raises(InputFileError, match="another corpus than the model was trained on"):
        planned(built)
    manifest = read_hives_manifest(built / "model")
    assert manifest is not None
    record = manifest.corpus.model_copy(update={"sha256": read_corpus(built).sha256})
    write_hives_manifest(built / "model", manifest.model_copy(update={"corpus": record}))
    with pytest.raises(ProblemsError, match=r"test\.parquet.*is in the split 'train' too"):
        planned(built, "v1.0")


def test_labels_that_no_catalogue_knows_are_named(hub: WritableHub, tmp_path: Path) -> None:
    rows = corpus_rows()
    rows[0]["labels"] = {"pvq:courage": "support"}
    rows[1]["labels"] = {"pvq:caring": "perhaps"}
    folder = package_corpus(rows, {"split_hash": "x"}, tmp_path / "corpus")
    told = [(p.row, p.column, p.message) for p in check_folder(folder, CORPUS)]
    assert told == [
        (1, "labels", "names 'pvq:courage', which the registry does not know"),
        (2, "directions", "has 'perhaps', which is none of support, oppose, neutral, unknown"),
    ]


def test_nothing_of_the_machine_it_was_trained_on_is_published(
    hub: WritableHub, tmp_path: Path
) -> None:
    judges = [{"model": "m", "args": {"base_url": "http://inner", "api_key": "hush"}, "seats": 2}]
    recipe = {
        "sources": [{"path": "/home/me/texts.csv", "labels": None}],
        "categorize": {"judges": judges},
        "train": {"base": "/home/me/base", "prompt": "/ask: "},
    }
    built = make_build(tmp_path / "built", recipe=recipe, base="/home/me/base")
    pushed(built, extras=Extras(base_name="org/base"))
    everything = b"".join(body for repo in hub.repositories for body in hub.files(repo).values())
    for private in (b"/home/me", b"hush", b"inner", str(tmp_path).encode()):
        assert private not in everything
    assert card_of(hub, REPO, "v1")[0]["base_model"] == "org/base"
    kept = json.loads(hub.files(REPO)["hives.json"])["recipe"]
    assert kept["categorize"]["judges"] == [{"model": "m", "seats": 2}]
    assert kept["train"]["prompt"] == "/ask: "


def test_vectors_of_another_model_and_folders_without_a_model_are_refused(tmp_path: Path) -> None:
    built = make_build(tmp_path / "built")
    vectors = tmp_path / "vectors"
    vectors.mkdir()
    (vectors / "encoding.json").write_text(json.dumps({"model": "0" * 64}))
    np.savez(vectors / "pvq.npz", ids=np.array(["a"]), vectors=np.eye(2)[:1], model="0" * 64)
    with pytest.raises(InputFileError, match="vectors of another model"):
        planned(built, offline=True, extras=Extras(encoded=vectors))
    with pytest.raises(InputFileError, match=r"neither hives\.json.*Found: encoding\.json"):
        planned(vectors, offline=True)
    with pytest.raises(OptionError, match="'mine' is no licence"):
        planned(built, "v2", offline=True, extras=Extras(base_license="mine"))


def test_a_dry_run_writes_both_and_changes_nothing(hub: WritableHub, tmp_path: Path) -> None:
    plans = planned(make_build(tmp_path / "built"))
    for plan in plans:
        write_plan(plan, tmp_path / "out" / plan.kind.name)
    assert hub.repositories == {}
    for plan in plans:
        push(plan)
        out = tmp_path / "out" / plan.kind.name
        written = {
            p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()
        }
        there = dict(hub.files(plan.repo_id))
        del there[".gitattributes"]
        assert written == there


def test_what_the_hub_holds_of_a_model_is_said_where_it_cannot_be_used(hub: WritableHub) -> None:
    [asset] = wanted_assets("org/theirs@main", "hives")
    plain = {"config.json": b"{}", "model.safetensors": b"w", "tokenizer.json": b"{}"}
    hub.keep("org/theirs", plain, "model")
    with pytest.raises(InputFileError, match=r"no modules\.json\. Found: config\.json, model\.saf"):
        pull_asset(asset)
    module = [{"type": "sentence_transformers.models.Transformer"}]
    whole = {**plain, "modules.json": json.dumps(module).encode(), "modeling.py": b"raise"}
    hub.keep("org/theirs", whole)
    found = pull_asset(asset)
    assert not (found.folder / "modeling.py").exists()
    assert "what it was trained on is unknown" in found.notes[0]
    hub.keep("org/theirs", {**whole, "config.json": b'{"auto_map": {"AutoModel": "m.M"}}'})
    with pytest.raises(InputFileError, match="'auto_map'"):
        pull_asset(asset)


def test_by_commands_a_cut_push_is_said_and_no_option_contradicts_another(
    hub: WritableHub, tmp_path: Path
) -> None:
    built = make_build(tmp_path / "built")

    def run(*arguments: object) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["push", "hives", *(str(a) for a in arguments)])
        assert done.exception is None or isinstance(done.exception, SystemExit)
        assert WRITER not in done.output
        return done.exit_code, done.output

    to = (built, "--repo", REPO, "--tag", "v1")
    code, told = run(*to, "--dry-run", "-o", tmp_path / "preview")
    assert code == 0
    assert "would upload model.safetensors" in told
    assert "would upload data/train.parquet" in told
    assert (tmp_path / "preview/hives/model.safetensors").read_bytes() == b"weights"
    hub.fails["commit"] = CUT
    assert "run the command again" in run(*to)[1]
    hub.fails.clear()
    code, told = run(*to)
    assert code == 0
    assert f"Use it: valueflow encode texts.csv -o vectors --model {REPO}@v1" in told
    assert not list(tmp_path.glob(".push-*"))
    assert "goes with --dry-run" in run(*to, "--offline")[1]
    assert "--no-corpus leaves it out" in run(*to, "--no-corpus", "--corpus-repo", "a/b")[1]


@needs_hives
def test_pushed_pulled_loaded_encoded_and_evaluated_it_is_the_same_model(
    hub: WritableHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from valueflow import hives

    make_tiny(tmp_path / "base")
    recipe = recipe_of(
        tmp_path, mode="head", stage1={"steps": 6, "batch": 8, "learning_rate": 0.01}
    )
    built, texts = tmp_path / "out", table_of_texts(tmp_path)

    def run(*arguments: object) -> str:
        done = CliRunner().invoke(main, [str(a) for a in arguments])
        assert done.exit_code == 0, done.output
        return done.output

    def figures(model: object, data: object, split: str = "test") -> dict[str, str]:
        told = CliRunner().invoke(
            main,
            [
                *("hives", "evaluate", str(model), str(data), "--split", split, "--json"),
                *("--device", "cpu", "--theory", "pvq"),
            ],
        )
        assert told.exit_code == 0, told.output
        return {row["figure"]: row["hives"] for row in json.loads(told.stdout)}

    run("build", "hives", recipe, "-o", built)
    run(
        *("hives", "evaluate", built / "model", built, "--split", "test", "--record"),
        *("--device", "cpu"),
    )
    model = hives.load(built / "model", device="cpu")
    run("encode", texts, "-o", tmp_path / "v", "--model", built / "model", "--device", "cpu")
    run(
        *("push", "hives", built, "--repo", REPO, "--tag", "v1", "--encoded", tmp_path / "v"),
        *("--base-license", "Apache-2.0", "--base-model", "org/base"),
    )
    about, card = card_of(hub, REPO, "v1")
    assert about["base_model"] == "org/base"
    assert "rank accuracy (pairwise)" in card
    pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'valueflow[report]'")
    assert "](evaluation/test/figures/bars_pvq.png)" in card
    shown = {name for name in hub.files(REPO, "v1") if name.startswith("evaluation/")}
    assert "evaluation/test/figures/bars_pvq.png" in shown
    assert {Path(name).suffix for name in shown} == {".png", ".csv"}
    pulled = run("pull", f"{REPO}@v1", "--kind", "hives")
    assert f"{REPO}@v1 = {hub.tags[REPO]['v1']}" in pulled
    assert f"{CORPUS_REPO}@v1 = {hub.tags[CORPUS_REPO]['v1']}" in pulled
    assert "encoded/pvq.npz" in pulled
    asked = len(hub.requests)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    again = hives.load(f"{REPO}@v1", device="cpu")
    said = ["I keep my promise.", "a new adventure", "obey the law"]
    assert np.array_equal(hives.encode(again, said), hives.encode(model, said))
    assert again.sha256 == model.sha256
    assert again.folder != model.folder
    assert figures(f"{REPO}@v1", f"{CORPUS_REPO}@v1") == figures(built / "model", built)
    assert len(hub.requests) == asked

    # The next version is measured on a split that the one before was not, which is made up for.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    recipe_of(tmp_path, mode="head", stage1={"steps": 9, "batch": 8, "learning_rate": 0.01})
    later = tmp_path / "later"
    run("build", "hives", recipe, "-o", later)
    evaluate = ("hives", "evaluate", later / "model", later, "--record", "--device", "cpu")
    run(*evaluate, "--split", "validation")
    told = run(
        *("push", "hives", later, "--repo", REPO, "--tag", "v2"),
        *("--base-license", "Apache-2.0", "--base-model", "org/base"),
    )
    assert "Measuring v1 on the" in told
    assert f"{CORPUS_REPO}@v1 = " in told
    changes = json.loads(hub.files(REPO, "v2")["valueflow-manifest.json"])["changes"]
    before = {row["metric"]: row["old"] for row in changes["figures"] if row["theory"] == "pvq"}
    measured = figures(f"{REPO}@v1", later, "validation")["rank accuracy (pairwise)"]
    assert measured.startswith(f"{before['rank accuracy (pairwise)']:.3f} [")
    assert changes["value_vectors"]["validation"]["pvq"]["moved"] > 0
    assert "Changes since v1" in told
