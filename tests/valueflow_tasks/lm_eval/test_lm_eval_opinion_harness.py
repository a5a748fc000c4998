"""The survey tasks run by lm-evaluation-harness itself: by its command on a tiny language model,
and from Python on a respondent whose answers are known. All of it is offline."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.lm_eval_harness import NEEDS_HARNESS, command, prefixed, results_in
from tests.lm_eval_harness import evaluate as on_harness
from tests.lm_eval_models import make_tiny_model
from tests.valueflow_tasks.lm_eval.test_lm_eval_opinion import numbers_of, under_inspect, varied
from valueflow.cli import main
from valueflow.hub_assets.errors import ValueflowError
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.lm_eval.leaves import opinion_leaves
from valueflow.lm_eval.task_files import task_folder

pytestmark = NEEDS_HARNESS

RICH = "INCOME_$100,000 or more"
SMALL: dict[str, Any] = {"groups": "INCOME,SEX", "n_questions": 4}
PASSES = ("blind", "default", "profile")


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("VALUEFLOW_GRADER", raising=False)


def evaluate(
    tasks: list[str],
    metadata: dict[str, Any],
    asked: list[tuple[str, ...]] | None = None,
    answer: Callable[[str], str] = varied,
    **more: Any,
) -> Any:
    """The harness on a model whose letters are the likelier, the further back they stand."""
    return on_harness(
        tasks, metadata, answer, lambda letter: -9.0 + ord(letter.strip()) - ord("A"), asked, **more
    )


def test_both_harnesses_give_the_same_numbers_for_the_same_answers() -> None:
    tasks = [f"valueflow_opinionqa_{name}" for name in PASSES]
    found = evaluate(tasks, SMALL)["results"]
    log = under_inspect(varied, **SMALL, threshold=0)
    for leaf in opinion_leaves(load_registry())[:3]:
        alone = numbers_of(leaf.name, SMALL, lambda doc: [varied(doc["prompt"])])
        for metric, figure in leaf.metrics(load_registry()).items():
            if f"{metric},none" not in found[leaf.name] or metric == "answers":
                continue
            number = found[leaf.name][f"{metric},none"]
            assert number == pytest.approx(log[figure], abs=1e-9)
            assert number == pytest.approx(alone[metric], abs=1e-12)
            if f"{metric}_stderr" in alone:
                error = found[leaf.name][f"{metric}_stderr,none"]
                assert error == pytest.approx(log.get(f"{figure}_stderr", math.nan), nan_ok=True)


def test_the_samples_file_shows_what_was_read_of_a_group_with_a_comma() -> None:
    found = evaluate(["valueflow_opinionqa_default"], {"groups": RICH, "n_questions": 2})
    shown = [sample["answers"] for sample in found["samples"]["valueflow_opinionqa_default"]]
    assert [one["group"] for one in shown] == [RICH, RICH]
    assert {one["rule"] for one in shown} <= {
        "letter", "marked letter", "option text", "refused", "unparsed",
    }  # fmt: skip


@pytest.mark.parametrize("chat", [False, True])
def test_letters_follow_the_prompt_with_a_space_only_outside_a_template(chat: bool) -> None:
    asked: list[tuple[str, ...]] = []
    evaluate(["valueflow_opinionqa_blind_letters"], SMALL, asked, apply_chat_template=chat)
    assert {letter for _, letter in asked} <= {("" if chat else " ") + x for x in "ABCDE"}
    ending = (
        "\n<|assistant|>\n" if chat else "Reply with the letter of one option and nothing else."
    )
    assert all(prompt.endswith(ending) for prompt, _ in asked)


def test_groups_of_attributes_run_together_and_hold_their_own_groups() -> None:
    names = ["valueflow-opinionqa-income", "valueflow-opinionqa-letters-sex"]
    results = evaluate(names, {"n_questions": 2})["results"]
    assert {name for name in results if "::" in name} == {
        f"{group}::{name}" for group in names for name in PASSES
    }
    rich = results["valueflow-opinionqa-income::profile"]
    assert rich["answers,none"] == 4
    assert rich["with_lines,none"] == 1
    assert "accuracy_INCOME_100_000_or_more,none" in rich
    assert results["valueflow-opinionqa-letters-sex::blind"]["answers,none"] == 4
    assert all(key.count(",") <= 1 for result in results.values() for key in result)


def test_every_group_can_be_asked_for_at_once() -> None:
    from lm_eval.tasks import TaskManager

    manager = TaskManager(
        include_path=str(task_folder()),
        include_defaults=False,
        metadata=prefixed({"n_questions": 1}),
    )
    names = manager.match_tasks(["valueflow-opinionqa*"])
    assert len(names) == 2 + 2 * 8
    assert len(manager.load(names)["tasks"]) == 6 + 6 * 8


def test_a_limit_keeps_the_same_rows_in_every_pass() -> None:
    tasks = [f"valueflow_opinionqa_{name}" for name in PASSES]
    samples = evaluate(tasks, SMALL, limit=3)["samples"]
    rows = [
        [(one["answers"]["group"], one["answers"]["question"]) for one in samples[task]]
        for task in tasks
    ]
    assert rows[0] == rows[1] == rows[2]
    assert len(rows[0]) == 3


def test_wrong_options_end_before_anything_is_asked() -> None:
    asked: list[tuple[str, ...]] = []
    with pytest.raises(ValueflowError, match="no number from 0 to 1"):
        evaluate(["valueflow_opinionqa_profile"], {"threshold": 7}, asked)
    assert asked == []


def test_the_command_compares_letters_on_a_tiny_model(tmp_path: Path) -> None:
    tiny = make_tiny_model(tmp_path / "tiny-lm")
    done = command(
        "--model", "hf", "--model_args", f"pretrained={tiny},dtype=float32", "--device", "cpu",
        "--tasks", "valueflow_opinionqa_*_letters", "--include_path", str(task_folder()),
        "--batch_size", "8", "--apply_chat_template", "--log_samples", "--output_path", "out",
        "--metadata", json.dumps(prefixed({"groups": [RICH], "n_questions": 3})),
        folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = results_in(tmp_path / "out")["results"]
    assert sorted(results) == sorted(f"valueflow_opinionqa_{name}_letters" for name in PASSES)
    for numbers in results.values():
        assert numbers["answers,none"] == 3
        assert 0 <= numbers["accuracy,none"] <= 1
        assert 0 < numbers["covered,none"] < 0.5
        assert numbers["unparsed,none"] == 0
    samples = sorted(map(str, (tmp_path / "out").glob("**/samples_*.jsonl")))
    later = CliRunner().invoke(main, ["lm-eval", "score", *samples, "-o", str(tmp_path / "all")])
    assert later.exit_code == 0, later.output
    accuracy = results["valueflow_opinionqa_profile_letters"]["accuracy,none"]
    assert f"profile accuracy: {accuracy:.4g}" in later.output
    assert "profile-blind difference" in later.output
