"""A database goes to the Hub whole, checked, under a tag that is never moved, or not at all."""

import json
from pathlib import Path

import pytest

from tests.hub_assets.packaged import ROWS, package
from tests.hub_write_server import CUT, CUT_AFTER, READER, SIGNATURE, WRITER, WritableHub
from valueflow.hub_assets.errors import InputFileError, OptionError, ValueflowError
from valueflow.hub_assets.inputs.source import open_source
from valueflow.hub_assets.publish.push import Plan, Pushed, plan_push, push, write_plan
from valueflow.hub_assets.vidb.schema import ProblemsError

# huggingface_hub's own use of its HTTP library.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

REPO = "org/vidb"


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return package(tmp_path_factory.mktemp("packaged") / "first", ROWS)


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Versions that differ."""
    folder = tmp_path_factory.mktemp("later")
    return [package(folder / str(n), ROWS[n:]) for n in range(1, 4)]


def pushed(folder: Path, tag: str, **options: bool) -> tuple[Plan, Pushed]:
    plan = plan_push(folder, REPO, tag)
    return plan, push(plan, **options)


def test_the_first_push_makes_the_repository_one_commit_and_the_tag(
    hub: WritableHub, first: Path
) -> None:
    plan, done = pushed(first, "v1.0")
    assert (plan.head, plan.manifest.changes, plan.deleted) == (None, None, ())
    assert hub.steps.count("commit") == 1
    files = hub.files(REPO, "v1.0")
    assert hub.tags[REPO] == {"v1.0": done.commit}
    for name in ("full", "filtered"):
        path = f"data/pvq/power/{name}.parquet"
        assert files[path] == (first / path).read_bytes()
    manifest = json.loads(files["valueflow-manifest.json"])
    assert manifest["version"] == "v1.0"
    assert b'load_dataset("org/vidb", "pvq", revision="v1.0")' in files["README.md"]
    assert REPO not in hub.private


def test_a_second_version_says_what_changed_and_takes_out_what_is_gone(
    hub: WritableHub, first: Path, tmp_path: Path
) -> None:
    notes = tmp_path / "notes.md"
    notes.write_text("Words of my own.")
    with_notes = package(tmp_path / "with-notes", ROWS, notes=notes)
    pushed(with_notes, "v1.0")
    rows = [dict(row) for row in ROWS[1:]]
    rows[0]["intensity"] = 7.5
    rows.append({**ROWS[0], "text": "Another text."})
    rows.append({**ROWS[0], "text": "Of another value.", "value": "face"})
    plan, _ = pushed(package(tmp_path / "second", rows), "v1.1")
    assert plan.manifest.changes is not None
    full = plan.manifest.changes["splits"]["full"]
    assert plan.manifest.changes["since"] == "v1.0"
    assert [full[k] for k in ("added", "removed", "rescored", "unchanged")] == [2, 1, 1, 6]
    assert 0.9 < full["correlation"] < 1
    assert full["values"]["pvq-face"]["added"] == 1
    assert plan.deleted == ("NOTES.md",)
    newest = hub.files(REPO, "v1.1")
    assert "NOTES.md" in hub.files(REPO, "v1.0")
    assert "NOTES.md" not in newest
    assert b"Changes since v1.0" in newest["README.md"]
    assert ".gitattributes" in newest


def test_versions_are_compared_by_their_numbers(
    hub: WritableHub, first: Path, later: list[Path]
) -> None:
    for folder, tag in zip([first, *later], ("v1.9", "v1.10-rc1", "v1.10", "paper"), strict=True):
        pushed(folder, tag)
    plan = plan_push(first, REPO, "v1.11")
    assert plan.manifest.changes is not None
    assert plan.manifest.changes["since"] == "v1.10"
    for low in ("v1.9.5", "1.10", "v1.10-rc2", "v1.2"):
        with pytest.raises(ProblemsError, match=r"is not above v1\.10, the highest version there"):
            plan_push(first, REPO, low)


def test_the_very_same_data_are_no_new_version(hub: WritableHub, first: Path) -> None:
    pushed(first, "v1.0")
    with pytest.raises(ProblemsError, match=r"org/vidb@v1\.0: is this very data"):
        plan_push(first, REPO, "v1.1")


def test_what_others_put_into_a_repository_goes_only_on_request(
    hub: WritableHub, first: Path
) -> None:
    theirs = {
        ".gitattributes": b"",
        "README.md": b"# Their card",
        "data/pvq/power/full.parquet": b"theirs",
        "data/train.csv": b"text\n",
        "all.jsonl": b"{}\n",
        "paper.pdf": b"x",
    }
    hub.keep(REPO, theirs)
    with pytest.raises(ProblemsError) as caught:
        plan_push(first, REPO, "v1.0")
    told = str(caught.value)
    assert "README.md, data/pvq/power/full.parquet would be replaced" in told
    assert "all.jsonl, data/train.csv would be removed" in told
    assert "paper.pdf stay" in told
    assert "--replace" in told
    assert hub.files(REPO) == theirs
    push(plan_push(first, REPO, "v1.0", replace_foreign=True))
    there = hub.files(REPO)
    assert (
        there["data/pvq/power/full.parquet"] == (first / "data/pvq/power/full.parquet").read_bytes()
    )
    assert "paper.pdf" in there
    assert not {"all.jsonl", "data/train.csv"} & set(there)
    assert open_source(REPO, "vidb").files


def test_a_card_that_somebody_edited_on_the_hub_goes_only_on_request(
    hub: WritableHub, first: Path, later: list[Path]
) -> None:
    pushed(first, "v1.0")
    hub.keep(REPO, {**hub.files(REPO), "README.md": b"# Edited there"})
    with pytest.raises(ProblemsError, match=r"README\.md would be replaced"):
        plan_push(later[0], REPO, "v1.1")
    plan_push(later[0], REPO, "v1.1", replace_foreign=True)


def test_an_existing_tag_is_never_moved(hub: WritableHub, first: Path, tmp_path: Path) -> None:
    _, done = pushed(first, "v1.0")
    other = package(tmp_path / "other", ROWS[1:])
    with pytest.raises(ProblemsError, match=r"org/vidb@v1\.0: is there already, and an existing"):
        plan_push(other, REPO, "v1.0")
    # Somebody else sets the tag between the check and the push.
    plan = plan_push(other, REPO, "v1.1")
    hub.tags[REPO]["v1.1"] = done.commit
    with pytest.raises(InputFileError, match="409"):
        push(plan)
    assert hub.tags[REPO] == {"v1.0": done.commit, "v1.1": done.commit}


def test_a_commit_of_somebody_else_in_between_stops_the_push(
    hub: WritableHub, first: Path, tmp_path: Path
) -> None:
    pushed(first, "v1.0")
    plan = plan_push(package(tmp_path / "other", ROWS[1:]), REPO, "v1.1")
    theirs = {**hub.files(REPO), "theirs.txt": b"hello"}
    hub.keep(REPO, theirs)
    with pytest.raises(InputFileError, match="somebody else changed it meanwhile"):
        push(plan)
    assert hub.files(REPO) == theirs


def test_a_pull_request_changes_neither_main_nor_tags(
    hub: WritableHub, first: Path, later: list[Path]
) -> None:
    pushed(first, "v1.0")
    before = hub.files(REPO)
    _, done = pushed(later[0], "v1.1", create_pr=True)
    assert done.url.endswith("/discussions/1")
    assert done.tag == ""
    assert hub.files(REPO) == before
    assert list(hub.tags[REPO]) == ["v1.0"]
    assert json.loads(hub.proposed[REPO]["valueflow-manifest.json"])["version"] == "v1.1"


def test_a_new_repository_can_be_private_and_a_public_one_is_not_made_so(
    hub: WritableHub, first: Path, later: list[Path]
) -> None:
    pushed(first, "v1.0", private=True)
    assert hub.private == {REPO}
    pushed(later[0], "v1.1", private=True)
    hub.private.clear()
    with pytest.raises(OptionError, match="org/vidb is public already"):
        pushed(later[1], "v1.2", private=True)


@pytest.mark.parametrize(
    ("step", "fault", "says"),
    [
        ("create", 500, "No data were committed"),
        ("create", CUT, "No data were committed"),
        ("preupload", 500, "No data were committed"),
        ("batch", 500, "No data were committed"),
        ("upload", 500, "No data were committed"),
        ("upload", CUT, "No data were committed"),
        ("verify", 500, "No data were committed"),
        ("commit", 409, r"somebody else changed it meanwhile \(409\)"),
        ("commit", 403, r"you may not write there \(403\)"),
        ("commit", 500, "No data were committed"),
        ("commit", CUT, "No data were committed"),
        ("commit", CUT_AFTER, "may be this commit; the same command again goes on"),
        ("tag", 500, "is there; the same command again sets its tag"),
        ("tag", CUT, "is there; the same command again sets its tag"),
    ],
)
def test_what_fails_in_the_middle_is_said_and_the_same_push_again_succeeds(
    hub: WritableHub, first: Path, step: str, fault: int, says: str
) -> None:
    hub.fails[step] = fault
    with pytest.raises(InputFileError, match=says) as caught:
        pushed(first, "v1.0")
    assert step in hub.steps
    shown = str(caught.value)
    assert WRITER not in shown
    assert SIGNATURE not in shown
    assert hub.tags.get(REPO, {}) == {}
    if step != "tag" and fault != CUT_AFTER and REPO in hub.repositories:
        assert list(hub.files(REPO)) == [".gitattributes"]
    hub.fails.clear()
    _, done = pushed(first, "v1.0")
    assert hub.tags[REPO] == {"v1.0": done.commit}
    assert json.loads(hub.files(REPO)["valueflow-manifest.json"])["version"] == "v1.0"


def test_a_cut_upload_that_recovers_is_carried_on(
    hub: WritableHub, first: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.fails["upload"] = CUT
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: hub.fails.clear())
    pushed(first, "v1.0")
    assert hub.steps.count("upload") > 2


@pytest.mark.parametrize(
    ("token", "says"),
    [("", "log in with `hf auth login`"), (READER, "you may not write there"), ("hf_no", "log in")],
)
def test_who_may_not_write_is_told_so_and_no_token_is_shown(
    hub: WritableHub, first: Path, monkeypatch: pytest.MonkeyPatch, token: str, says: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", "/nowhere")
    with pytest.raises(InputFileError, match=says) as caught:
        pushed(first, "v1.0")
    assert not token or token not in str(caught.value)
    assert hub.repositories == {}


def test_a_hub_that_cannot_say_which_tags_it_has_stops_the_plan(
    hub: WritableHub, first: Path
) -> None:
    pushed(first, "v1.0")
    hub.fails["refs"] = 500
    with pytest.raises(InputFileError, match="Nothing was changed"):
        plan_push(first, REPO, "v1.1")


@pytest.mark.parametrize(
    ("repo", "tag"), [("vidb", "v1"), ("org/vidb", "main"), ("org/vidb", "a b"), ("org/vidb", "")]
)
def test_names_that_the_hub_does_not_take_are_refused_before_anything(
    hub: WritableHub, first: Path, repo: str, tag: str
) -> None:
    with pytest.raises(OptionError):
        plan_push(first, repo, tag)
    assert hub.requests == []


def test_all_problems_are_told_at_once_the_tag_among_them(
    hub: WritableHub, first: Path, tmp_path: Path
) -> None:
    pushed(first, "v1.0")
    rows = [{**ROWS[0], "license": "AI2-ImpACT-MR"}, {**ROWS[1], "license": "mine"}]
    bad = package(tmp_path / "bad", rows)
    (bad / "README.md").write_text("my own card")
    with pytest.raises(ProblemsError) as caught:
        plan_push(bad, REPO, "v1.0")
    for part in ("AI2-ImpACT-MR", "'mine'", "README.md", "org/vidb@v1.0"):
        assert part in str(caught.value)
    assert list(hub.tags[REPO]) == ["v1.0"]


def test_a_dry_run_writes_what_would_be_pushed_and_changes_nothing(
    hub: WritableHub, first: Path, tmp_path: Path
) -> None:
    plan = plan_push(first, REPO, "v1.0")
    write_plan(plan, tmp_path / "out")
    assert hub.repositories == {}
    push(plan)
    there = {name: body for name, body in hub.files(REPO).items() if name != ".gitattributes"}
    out = tmp_path / "out"
    written = {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert written == there
    with pytest.raises(OptionError, match="is there already"):
        write_plan(plan, out)


def test_a_folder_that_was_not_packaged_is_refused_with_the_way_to_package_it(
    tmp_path: Path,
) -> None:
    with pytest.raises(ValueflowError, match="valueflow package TABLE -o DIR"):
        plan_push(tmp_path, REPO, "v1", offline=True)
