"""Tasks, options and documents of the lm-eval adapter; nothing here needs the harness."""

import json
import os
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.lm_eval_models import JUDGE
from valueflow.cli import main
from valueflow.hub_assets.errors import UnknownNameError, ValueflowError
from valueflow.hub_assets.files import cache_folder
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.lm_eval.leaves import leaves, opinion_leaves
from valueflow.lm_eval.options import judging_is_skipped, output_folder
from valueflow.lm_eval.steering import documents
from valueflow.lm_eval.task_files import sync, task_folder, yaml_files
from valueflow.solvers.wording import Form, definition_prompt
from valueflow.steering.tasks import steer

COMMITTED = Path(__file__).parents[3] / "valueflow_tasks" / "lm_eval" / "harness_tasks"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALUEFLOW_CACHE_DIR", str(tmp_path / "judgements"))
    monkeypatch.delenv("VALUEFLOW_GRADER", raising=False)


def rows(task: str = "valueflow_steer_pvq", **metadata: Any) -> list[dict[str, Any]]:
    given = {f"valueflow_{key}": setting for key, setting in metadata.items()}
    given = {"valueflow_grader": JUDGE, **given}
    return list(documents(valueflow_task=task, **given)["test"])


def test_the_committed_files_are_what_sync_writes(tmp_path: Path) -> None:
    assert task_folder() == COMMITTED
    written = yaml_files(load_registry())
    assert {path.name for path in COMMITTED.iterdir()} == set(written)
    for name, text in written.items():
        assert (COMMITTED / name).read_text(encoding="utf-8") == text
    (tmp_path / "valueflow_old.yaml").write_text("task: valueflow_old\n")
    assert len(sync(load_registry(), tmp_path)) == len(written) + 1
    assert sync(load_registry(), tmp_path) == []
    assert {path.name for path in tmp_path.glob("*.yaml")} == set(written)


def test_the_commands_print_the_folder_and_write_the_files(tmp_path: Path) -> None:
    path = CliRunner().invoke(main, ["lm-eval", "path"])
    assert path.output.strip() == str(COMMITTED)
    done = CliRunner().invoke(main, ["lm-eval", "sync", "--folder", str(tmp_path / "new")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "new" / "valueflow.yaml").is_file()


def test_every_theory_is_steered_and_only_leaf_tasks_match_the_pattern() -> None:
    names = [leaf.name for leaf in leaves(load_registry())]
    for design in ("steer", "pair", "five"):
        for theory in ("pvq", "mft", "duty", "right"):
            assert f"valueflow_{design}_{theory}" in names
    names += [leaf.name for leaf in opinion_leaves(load_registry())]
    assert len(names) == 12 + 6
    for name in yaml_files(load_registry()):
        matches = fnmatch(name.removesuffix(".yaml"), "valueflow_*")
        assert matches == (name.removesuffix(".yaml") in names)


def test_documents_are_inspects_samples_with_their_prompts() -> None:
    options = {"values": ["power", "tradition"], "n_queries": 2, "seed": 3}
    built = steer(**options, style="user")  # type: ignore[arg-type]
    found = rows(**options)
    assert [row["id"] for row in found] == [sample.id for sample in built.dataset]
    for row, sample in zip(found, built.dataset, strict=True):
        assert sample.metadata is not None
        assert json.loads(row["settings"]) == json.loads(json.dumps(sample.metadata["valueflow"]))
        assert row["question"] == sample.input
    registry = load_registry()
    targets = [(registry.value("power"), registry.level(-2))]
    assert (
        found[1]["prompt"]
        == definition_prompt(found[1]["question"], targets, Form(style="user")).user
    )


@pytest.mark.parametrize("style", ["user", "base"])
def test_a_conversation_stands_in_one_text(style: str, tmp_path: Path) -> None:
    said = [("user", "I lead."), ("assistant", "Since when?"), ("user", "Why?")]
    messages = [{"role": role, "content": text} for role, text in said]
    (tmp_path / "q.jsonl").write_text(json.dumps({"messages": messages}))
    told = "Question: I lead.\n\nAnswer: Since when?\n\nQuestion: Why?"
    for doc in rows(queries=str(tmp_path / "q.jsonl"), n_queries=1, values="power", style=style):
        assert told in doc["prompt"]
        assert doc["question"] == told


def test_a_run_is_small_unless_more_is_asked_for() -> None:
    assert len(rows()) == 5 * 49
    assert len(rows(n_queries=1, values="power", levels=[-2, 2])) == 3


@pytest.mark.parametrize("style", ["user", "base"])
def test_the_style_decides_how_a_prompt_ends(style: str) -> None:
    ends = rows(values="power", n_queries=1, style=style)[1]["prompt"]
    assert "You are strongly against" in ends
    assert ends.endswith("\n\nAnswer:") == (style == "base")


def test_texts_that_steer_are_kept_with_the_document() -> None:
    found = rows(values="power", levels=2, n_queries=1, method="user_texts")
    assert json.loads(found[0]["exemplars"]) == []
    texts = json.loads(found[1]["exemplars"])
    assert len(texts) == 3
    assert all(text in found[1]["prompt"] for text in texts)


def test_names_of_other_theories_are_passed_over_so_that_one_metadata_holds_for_all() -> None:
    both = ["power", "care-harm"]
    assert len(rows("valueflow_steer_pvq", values=both, n_queries=1)) == 5
    assert len(rows("valueflow_steer_mft", values=both, n_queries=1)) == 5
    with pytest.raises(ValueflowError, match="none of power, care-harm belongs to duty"):
        rows("valueflow_steer_duty", values=both)
    pairs = ["power+universalism", "expression+privacy"]
    assert len(rows("valueflow_pair_pvq", pairs=pairs, n_queries=1)) == 1 + 4
    assert len(rows("valueflow_pair_right", pairs=pairs, pair_levels="2/2", n_queries=1)) == 2
    assert len(rows("valueflow_five_mft", sets="mft,pvq", n_queries=1)) == 6


def test_keys_of_the_harness_and_of_models_are_passed_over() -> None:
    given = {"pretrained": "gpt2", "version": 1, "config_source": "x.yaml"}
    named = {"valueflow_n_queries": 1, "valueflow_grader": JUDGE}
    made = documents(valueflow_task="valueflow_steer_pvq", **named, **given)
    assert list(made["test"]) == rows(n_queries=1)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"n_query": 3}, "unknown key in --metadata 'valueflow_n_query'.*'valueflow_n_queries'"),
        ({"grader": None}, "no judge is named.*VALUEFLOW_GRADER=PROVIDER/MODEL"),
        ({"grader": "nowhere/model"}, "cannot make the judge 'nowhere/model'"),
        ({"grader": "valueflow/jugde"}, "Did you mean 'judge'"),
        ({"grader": {"model_args": {}}}, "names no model"),
        ({"grader": {"model": "valueflow/judge", "scale": 1}}, "unknown key of valueflow_grader"),
        ({"grader": {**JUDGE, "model_args": {"scale": -1}}}, "scale"),
        ({"grader": {**JUDGE, "api_key": "secret"}}, "environment variable"),
        ({"grader": {**JUDGE, "temperature": "hot"}}, "temperature"),
        ({"grader": "{model: x}"}, "not valid JSON"),
        ({"max_connections": 0}, "valueflow_max_connections: 0 is not a whole number"),
        ({"style": "system"}, "none of user, base"),
        ({"values": "powr"}, "Did you mean 'power'"),
        ({"levels": "3"}, "valueflow_levels: '3' is not a level"),
        ({"n_queries": 0}, "valueflow_n_queries"),
        ({"method": "charm"}, "valueflow_method: 'charm'"),
        ({"queries": "nowhere.csv"}, "no such file"),
        ({"sampling": "fixed"}, "valueflow_anchor_panel: .*valueflow_anchor_panel=FILE"),
        ({"singles": "perhaps"}, "valueflow_singles"),
    ],
)
def test_bad_metadata_ends_before_anything_is_generated(
    metadata: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueflowError, match=message):
        rows(**metadata)


def test_an_unknown_task_is_named() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'valueflow_steer_pvq'"):
        rows("valueflow_steer_pvc")


def test_the_judge_may_be_named_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALUEFLOW_GRADER", '{"model": "valueflow/judge", "max_tokens": 99}')
    run = json.loads(rows(grader=None, n_queries=1)[0]["run"])
    assert run["grader"] == {"model": "valueflow/judge", "max_tokens": 99}
    monkeypatch.setenv("VALUEFLOW_GRADER", "valueflow/judge")
    assert json.loads(rows(grader=None, n_queries=1)[0]["run"])["grader"] == JUDGE


def test_a_provider_without_its_key_or_package_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ValueflowError, match="cannot make the judge 'openai/gpt-5'"):
        rows(grader="openai/gpt-5")


def test_without_judging_no_grader_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert json.loads(rows(grader="none", n_queries=1)[0]["run"])["grader"] == "none"
    monkeypatch.setattr(sys, "argv", ["/usr/bin/lm_eval", "run", "--model", "hf"])
    assert not judging_is_skipped()
    with pytest.raises(ValueflowError, match="no judge is named"):
        rows(grader=None)
    for flag in ("--predict_only", "-x"):
        monkeypatch.setattr(sys, "argv", ["/usr/bin/lm_eval", "run", flag])
        assert json.loads(rows(grader=None, n_queries=1)[0]["run"])["grader"] == "none"
    monkeypatch.setattr(sys, "argv", ["/usr/bin/pytest", "-x"])
    assert not judging_is_skipped()


def test_prompts_of_other_options_are_never_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    for flag in (["--cache_requests", "true"], ["--cache_requests=true"]):
        monkeypatch.setattr(sys, "argv", ["/usr/bin/lm_eval", "run", *flag])
        with pytest.raises(ValueflowError, match="--cache_requests: would mix up runs"):
            rows()
    monkeypatch.setattr(sys, "argv", ["/usr/bin/lm_eval", "run", "--cache_requests", "refresh"])
    assert rows(n_queries=1)


def test_a_cache_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VALUEFLOW_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.raises(ValueflowError, match=r"file/cache: cannot be written to .*_CACHE_DIR"):
        rows()


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may write everywhere")
def test_a_read_only_cache_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sealed").mkdir(mode=0o500)
    monkeypatch.setenv("VALUEFLOW_CACHE_DIR", str(tmp_path / "sealed"))
    with pytest.raises(ValueflowError, match="Permission denied"):
        rows()


def test_the_cache_lies_in_the_users_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VALUEFLOW_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere/cache")
    assert cache_folder() == Path("/somewhere/cache/valueflow")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "valueflow"


def test_tables_go_beside_the_harnesss_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VALUEFLOW_OUTPUT", raising=False)
    monkeypatch.setattr(sys, "argv", ["/usr/bin/lm_eval", "--tasks", "x"])
    assert output_folder(None, {}) is None
    for arguments in (["--output_path", str(tmp_path)], [f"--output_path={tmp_path}"]):
        monkeypatch.setattr(sys, "argv", ["/usr/bin/lm_eval", *arguments])
        assert output_folder(None, {}) == tmp_path
    monkeypatch.setattr(sys, "argv", ["/usr/bin/lm_eval", "-o", str(tmp_path / "all.json")])
    assert output_folder(None, {}) == tmp_path
    monkeypatch.setenv("VALUEFLOW_OUTPUT", str(tmp_path / "named"))
    assert output_folder(None, {}) == tmp_path / "named"
    assert output_folder(str(tmp_path / "option"), {}) == tmp_path / "option"


@pytest.mark.parametrize("line", ["", "not json", '{"doc": {"id": "x"}}', '{"response": "x"}'])
def test_a_file_without_responses_of_these_tasks_cannot_be_scored(
    tmp_path: Path, line: str
) -> None:
    file = tmp_path / "responses.jsonl"
    file.write_text(line + "\n")
    arguments = ["lm-eval", "score", str(file), "--grader", "valueflow/judge", "-o", "out"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 1
    assert ("row 1" if line else "holds no response") in done.output
    assert "Traceback" not in done.output


def test_scoring_later_needs_a_judge(tmp_path: Path) -> None:
    for grader in ([], ["--grader", "none"], ["--grader", "nowhere/model"]):
        arguments = ["lm-eval", "score", str(tmp_path / "x"), *grader, "-o", str(tmp_path)]
        done = CliRunner().invoke(main, arguments)
        assert done.exit_code == 1
        assert "judge" in done.output


def test_the_default_design_of_every_task_can_be_made() -> None:
    for leaf in leaves(load_registry()):
        found = rows(leaf.name, n_queries=1)
        assert found[0]["id"].endswith("/default")
        assert len({row["id"] for row in found}) == len(found) >= 6
