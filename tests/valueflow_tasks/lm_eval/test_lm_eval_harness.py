"""The tasks run by lm-evaluation-harness itself: by its command on a tiny language model, and from
Python on a model whose truth is known. All of it is offline."""

import csv
import json
import math
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.lm_eval_harness import NEEDS_HARNESS, command, prefixed, results_in
from tests.lm_eval_harness import evaluate as on_harness
from tests.lm_eval_models import (
    JUDGE,
    calls_in,
    make_tiny_model,
    respond,
    run_task,
)
from valueflow.hub_assets.errors import ValueflowError
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.lm_eval.leaves import leaves, opinion_leaves
from valueflow.lm_eval.task_files import task_folder

pytestmark = NEEDS_HARNESS

STEERING = [leaf.name for leaf in leaves(load_registry())]
SURVEYS = [leaf.name for leaf in opinion_leaves(load_registry())]
LEAVES = [*STEERING, *SURVEYS]
SMALL = {"values": ["power"], "n_queries": 3, "windows": 2}
OFFLINE_JUDGE = {"model": "valueflow/judge", "model_args": {"unknown": "hash"}}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALUEFLOW_CACHE_DIR", str(tmp_path / "judgements"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("VALUEFLOW_GRADER", raising=False)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("model") / "tiny-lm")


def evaluate(
    tasks: list[str], metadata: dict[str, Any], asked: list[str] | None = None, **more: Any
) -> tuple[Any, list[str]]:
    """The harness on a model that answers like `valueflow/respondent`.

    Returns:
        The results, and the prompts that the model was given (those of `asked` first).
    """
    requests = [(prompt,) for prompt in asked or []]
    try:
        found = on_harness(tasks, {"grader": JUDGE, **metadata}, respond, asked=requests, **more)
    finally:
        # What was asked is of interest after an error too.
        prompts = [arguments[0] for arguments in requests]
        if asked is not None:
            asked[:] = prompts
    return found, prompts


def on_tiny(tiny: Path, tasks: str, metadata: dict[str, Any]) -> list[str]:
    return [
        "--model", "hf", "--model_args", f"pretrained={tiny},dtype=float32", "--device", "cpu",
        "--tasks", tasks, "--include_path", str(task_folder()), "--batch_size", "32",
        "--gen_kwargs", "max_gen_toks=8", "--metadata", json.dumps(prefixed(metadata)),
    ]  # fmt: skip


def test_every_task_and_group_loads_and_says_what_it_needs() -> None:
    from lm_eval.tasks import TaskManager

    manager = TaskManager(
        include_path=str(task_folder()),
        include_defaults=False,
        metadata=prefixed({"grader": "none", "n_queries": 1, "n_questions": 1}),
    )
    assert sorted(manager.all_subtasks) == sorted(LEAVES)
    groups = ["valueflow", "valueflow-five", "valueflow-pair", "valueflow-steer"]
    found = [name for name in manager.all_groups if "opinionqa" not in name]
    assert sorted(found) == groups
    assert sorted(manager.match_tasks(["valueflow_*"])) == sorted(LEAVES)
    loaded = manager.load(sorted(LEAVES))
    assert sorted(loaded["tasks"]) == sorted(LEAVES)
    for task in loaded["tasks"].values():
        assert task.doc_to_text(task.eval_docs[0]) == task.eval_docs[0]["prompt"]


def test_the_command_runs_every_task_on_a_tiny_model(tiny: Path, tmp_path: Path) -> None:
    metadata = {"n_queries": 1, "windows": 1, "n_questions": 1}
    done = command(
        *on_tiny(tiny, "valueflow_*", metadata),
        "--log_samples", "--output_path", "out",
        folder=tmp_path,
        VALUEFLOW_GRADER=json.dumps(OFFLINE_JUDGE),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = results_in(tmp_path / "out")["results"]
    assert sorted(results) == sorted(LEAVES)
    for name in SURVEYS:
        assert results[name]["answers,none"] == 22
    for name in STEERING:
        numbers = results[name]
        assert numbers["scored,none"] > 0
        metric = {"steer": "range", "pair": "pair_cosine", "five": "five_fading"}
        assert math.isfinite(numbers[f"{metric[name.split('_')[1]]},none"])
    (place,) = {path.parent for path in (tmp_path / "out").glob("**/results_*.json")}
    assert len(list(place.glob("figures_*.csv"))) == len(LEAVES)
    for name in STEERING:
        (samples,) = place.glob(f"samples_{name}_*.jsonl")
        first = json.loads(samples.read_text().splitlines()[0])
        assert first["scored"]["values"]
        (cells,) = place.glob(f"cells_{name}_*.csv")
        with cells.open(newline="") as stream:
            assert {row["cell"] for row in csv.DictReader(stream)}


def test_the_harness_gives_the_numbers_that_the_functions_give() -> None:
    found, asked = evaluate(["valueflow_steer_pvq"], SMALL)
    numbers = found["results"]["valueflow_steer_pvq"]
    alone = run_task("valueflow_steer_pvq", SMALL)
    assert len(asked) == 3 * 5
    for metric, number in alone.items():
        assert numbers[f"{metric},none"] == pytest.approx(number, abs=1e-12, nan_ok=True)
    assert numbers["shift_up,none"] > 2
    shown = found["samples"]["valueflow_steer_pvq"]
    assert [sample["scored"]["values"]["power"]["cell"] for sample in shown[:2]] == [
        "power/0",
        "power/-2",
    ]


def test_groups_run_their_tasks_and_have_no_figure_of_their_own() -> None:
    metadata = {"n_queries": 2, "windows": 1, "levels": "2", "values": [
        "power", "care-harm", "justice", "social_rights"
    ]}  # fmt: skip
    everything, _ = evaluate(["valueflow"], metadata)
    assert sorted(set(everything["results"]) & set(LEAVES)) == sorted(STEERING)
    assert not everything.get("groups")


@pytest.mark.parametrize("multiturn", [True, False])
def test_a_chat_template_puts_the_persona_in_the_users_turn(multiturn: bool) -> None:
    found, asked = evaluate(
        ["valueflow_steer_pvq"], SMALL, apply_chat_template=True, fewshot_as_multiturn=multiturn,
        system_instruction="You are terse.",
    )  # fmt: skip
    assert asked[4].startswith("<|system|>\nYou are terse.")
    user = asked[4].partition("<|user|>\n")[2]
    assert user.startswith('Take on the following outlook as your own.\n\nHere, "')
    assert user.endswith("\n<|assistant|>\n")
    assert found["results"]["valueflow_steer_pvq"]["shift_up,none"] > 2


def test_a_base_model_gets_one_text_to_go_on_with() -> None:
    _, asked = evaluate(["valueflow_steer_pvq"], {**SMALL, "style": "base"})
    assert all(prompt.endswith("\n\nAnswer:") for prompt in asked)


def test_a_limit_keeps_the_first_documents() -> None:
    found, asked = evaluate(["valueflow_steer_pvq"], SMALL, limit=5)
    numbers = found["results"]["valueflow_steer_pvq"]
    assert len(asked) == numbers["scored,none"] == 5
    assert math.isfinite(numbers["range,none"])
    # One response a cell says little of a population, and the error says so.
    assert 2 < numbers["range_stderr,none"] < 12


def test_the_harnesss_own_seeds_change_no_window() -> None:
    first, _ = evaluate(["valueflow_steer_pvq"], SMALL)
    # Another number of connections, so that the first run's numbers are not at hand any more.
    other, _ = evaluate(
        ["valueflow_steer_pvq"], {**SMALL, "max_connections": 3},
        random_seed=9, numpy_random_seed=9, torch_random_seed=9,
    )  # fmt: skip
    assert str(first["results"]) == str(other["results"])
    again, _ = evaluate(["valueflow_steer_pvq"], {**SMALL, "seed": 9})
    assert str(again["results"]) != str(first["results"])


def test_predicting_only_asks_no_judge_and_its_samples_can_be_judged_later(
    tiny: Path, tmp_path: Path
) -> None:
    from click.testing import CliRunner

    from valueflow.cli import main

    done = command(
        *on_tiny(tiny, "valueflow_steer_pvq", SMALL), "--predict_only", "--output_path", "out",
        folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "no judge calls" in done.stderr
    assert not list((tmp_path / "out").glob("**/cells_*.csv"))
    (samples,) = (tmp_path / "out").glob("**/samples_*.jsonl")
    arguments = ["--grader", json.dumps(OFFLINE_JUDGE), "-o", str(tmp_path / "later")]
    later = CliRunner().invoke(main, ["lm-eval", "score", str(samples), *arguments])
    assert later.exit_code == 0, later.output
    assert "range: " in later.output
    assert len(list((tmp_path / "later").glob("cells_*.csv"))) == 1


def test_without_a_judge_nothing_is_generated() -> None:
    asked: list[str] = []
    with pytest.raises(ValueflowError, match="no judge is named"):
        evaluate(["valueflow_steer_pvq"], {**SMALL, "grader": None}, asked=asked)
    evaluate(["valueflow_steer_pvq"], {**SMALL, "grader": "none"}, asked=asked)
    assert len(asked) == 15


def test_answers_of_model_and_judge_are_both_remembered(tmp_path: Path) -> None:
    arguments = {"calls": str(tmp_path / "calls")}
    grader = {"model": "counted/judge", "model_args": arguments}
    numbers = []
    for connections in (5, 6):
        metadata = {**SMALL, "grader": grader, "max_connections": connections}
        asked: list[str] = []
        found, _ = evaluate(
            ["valueflow_steer_pvq"], metadata, asked=asked, use_cache=str(tmp_path / "answers")
        )
        numbers.append(str(found["results"]))
        assert len(asked) == (15 if connections == 5 else 0)
        assert calls_in(tmp_path / "calls") == 3 * 5 * 2
    assert numbers[0] == numbers[1]


class AnsweringServer(BaseHTTPRequestHandler):
    """An OpenAI-compatible chat endpoint that answers like `valueflow/respondent`."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = respond("\n\n".join(message["content"] for message in asked["messages"]))
        choice = {"index": 0, "message": {"role": "assistant", "content": text}}
        body = json.dumps({"choices": [choice]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Keeps quiet."""


def test_an_openai_compatible_backend_runs_a_task() -> None:
    import lm_eval
    from lm_eval.tasks import TaskManager

    server = ThreadingHTTPServer(("127.0.0.1", 0), AnsweringServer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/v1/chat/completions"
        found = lm_eval.simple_evaluate(
            model="local-chat-completions",
            model_args={"model": "respondent", "base_url": url, "tokenized_requests": False},
            tasks=["valueflow_steer_pvq"],
            apply_chat_template=True,
            task_manager=TaskManager(
                include_path=str(task_folder()),
                include_defaults=False,
                metadata=prefixed({"grader": JUDGE, **SMALL}),
            ),
        )
    finally:
        server.shutdown()
    numbers = found["results"]["valueflow_steer_pvq"]
    assert numbers["range,none"] == pytest.approx(run_task("valueflow_steer_pvq", SMALL)["range"])
