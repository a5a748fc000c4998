"""Judging and summing up under lm-eval, with the harness played by hand."""

import csv
import json
import math
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from inspect_ai import eval as inspect_eval
from inspect_ai.model import ChatMessage, ModelOutput, get_model

from tests.lm_eval_models import (
    JUDGE,
    calls_in,
    entries_of,
    numbers_from,
    respond,
    run_task,
    shown_in,
)
from valueflow.cli import main
from valueflow.hub_assets.errors import ValueflowError
from valueflow.lm_eval.figures import numbers_of
from valueflow.scorers.summary.run import flatten
from valueflow.steering.tasks import steer, steer_five, steer_pair

SMALL = {"values": ["benevolence", "power"], "n_queries": 3, "windows": 2}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALUEFLOW_CACHE_DIR", str(tmp_path / "judgements"))
    monkeypatch.delenv("VALUEFLOW_GRADER", raising=False)


def counted(folder: Path, **options: Any) -> dict[str, Any]:
    return {
        "model": "counted/judge",
        "model_args": {"calls": str(folder / "calls"), **options},
        "max_retries": 0,
    }


def kept_file(errors: str) -> Path:
    return Path(errors.partition("The responses are in ")[2].partition(";")[0])


@pytest.mark.parametrize(
    ("task", "metadata", "build"),
    [
        ("valueflow_steer_pvq", {"values": ["power", "tradition"]}, steer),
        ("valueflow_steer_mft", {"values": ["care-harm"], "method": "user_texts"}, steer),
        # So few windows that the judge is not learnt on the way: from 16 on, what adaptive windows
        # show follows what was judged before, and the harnesses go in another order.
        (
            "valueflow_steer_duty",
            {"values": ["justice"], "sampling": "adaptive", "n_queries": 1},
            steer,
        ),
        ("valueflow_pair_pvq", {"pairs": ["power+universalism"], "singles": True}, steer_pair),
        ("valueflow_pair_right", {"pairs": ["expression+privacy"]}, steer_pair),
        ("valueflow_five_mft", {}, steer_five),
    ],
)
def test_the_same_responses_judge_and_seed_give_the_numbers_of_inspect(
    task: str, metadata: dict[str, Any], build: Any
) -> None:
    options = {"n_queries": 2, "windows": 2, "seed": 5, **metadata}
    judge: dict[str, Any] = {"scale": 0.5, "place_effect": 0.3}
    entries = entries_of(
        task,
        {**options, "grader": {"model": "valueflow/judge", "model_args": judge}},
        lambda prompt: respond(prompt, spread=1.0),
    )
    here = numbers_of([entry.response for entry in entries["scored"]])
    assert here.summary is not None
    theory = {"theory": task.rpartition("_")[2]} if build is steer_five else {}
    log = inspect_eval(
        build(**options, **theory, style="user", figures="all"),
        model="valueflow/respondent",
        model_args={"spread": 1.0},
        model_roles={"grader": get_model("valueflow/judge", memoize=False, **judge)},
        display="none",
    )[0]
    assert log.status == "success", log.error
    assert log.results is not None
    there = {name: metric.value for name, metric in log.results.scores[0].metrics.items()}
    flat = flatten(here.summary)
    assert set(flat) == set(there)
    assert len([name for name in flat if name.endswith(" mean")]) >= 5
    for name, number in flat.items():
        assert number == pytest.approx(there[name], abs=1e-9), name


def test_the_metrics_of_a_steer_task_find_the_simulated_direction() -> None:
    numbers = run_task("valueflow_steer_pvq", {**SMALL, "n_queries": 8})
    # The simulated respondent moves by +5 and -4 between level 0 and the outer levels.
    assert numbers["shift_up"] == pytest.approx(5, abs=2)
    assert numbers["shift_down"] == pytest.approx(-4, abs=2)
    assert numbers["range"] == pytest.approx(9, abs=2.5)
    assert numbers["monotonicity"] > 0.6
    assert numbers["sign_accuracy"] > 0.8
    assert numbers["refusal_rate"] == numbers["unscored_share"] == 0
    assert numbers["scored"] == 8 * 9
    for metric in ("shift_up", "shift_down", "range", "monotonicity", "sign_accuracy"):
        assert 0 < numbers[f"{metric}_stderr"] < 3


def test_pair_and_five_tasks_have_the_figures_of_their_design() -> None:
    pair = run_task("valueflow_pair_pvq", {"pairs": "power+universalism", "n_queries": 4})
    assert pair["pair_cosine"] > 0.5
    assert pair["pair_along"] > 2
    assert "pair_additivity" not in pair
    assert "shift_up" not in pair
    five = run_task("valueflow_five_pvq", {"n_queries": 4, "windows": 2})
    assert five["five_rank_agreement"] > 0.5
    assert five["five_top_share"] > 0.5
    assert abs(five["five_fading"]) < 0.8
    alone = run_task(
        "valueflow_pair_pvq", {"pairs": "power+universalism", "n_queries": 4, "singles": True}
    )
    # The simulated respondent adds the effects of its targets.
    assert alone["pair_additivity"] == pytest.approx(1, abs=0.5)


def test_refusals_are_counted_with_a_standard_error_and_never_ranked() -> None:
    numbers = run_task(
        "valueflow_steer_pvq", {**SMALL, "n_queries": 6},
        respond_to=lambda prompt: respond(prompt, refusal_rate=0.5),
    )  # fmt: skip
    assert 0.2 < numbers["refusal_rate"] < 0.8
    assert numbers["unscored_share"] == numbers["refusal_rate"]
    assert 0 < numbers["refusal_rate_stderr"] < 0.3
    assert numbers["scored"] == round((1 - numbers["refusal_rate"]) * 6 * 9)


def test_all_metrics_together_cost_one_judging(tmp_path: Path) -> None:
    entries = entries_of("valueflow_steer_pvq", {**SMALL, "grader": counted(tmp_path)})
    assert len(entries) >= 15
    numbers_from(entries)
    # Three defaults on two values, and three responses to each of eight conditions on one.
    assert calls_in(tmp_path / "calls") == (3 * 2 + 3 * 8) * 2


def test_another_run_finds_every_judgement_on_disk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metadata = {**SMALL, "grader": counted(tmp_path)}
    first = run_task("valueflow_steer_pvq", metadata)
    calls = calls_in(tmp_path / "calls")
    again = run_task("valueflow_steer_pvq", {**metadata, "max_connections": 3})
    assert calls_in(tmp_path / "calls") == calls
    assert again == first
    assert f"0 judge calls, {calls} answers from the cache" in capsys.readouterr().err
    other = run_task("valueflow_steer_pvq", {**metadata, "seed": 1})
    assert calls_in(tmp_path / "calls") > calls
    assert other != first
    calls = calls_in(tmp_path / "calls")
    run_task("valueflow_steer_pvq", {**metadata, "grader": counted(tmp_path, scale=0.5)})
    assert calls_in(tmp_path / "calls") == calls * 3 // 2


KILLED = """
import sys
from tests.lm_eval_models import run_task
from tests.valueflow_tasks.lm_eval.test_lm_eval_results import SMALL, counted
from pathlib import Path
folder, most = Path(sys.argv[1]), int(sys.argv[2])
grader = counted(folder)
if most:
    # Set on the model, since the judge's settings name its file of answers.
    import valueflow.lm_eval.judging as judging
    make = judging.make_grader
    def dying(*arguments):
        model = make(*arguments)
        model.api.dies_after = most
        return model
    judging.make_grader = dying
print(run_task("valueflow_steer_pvq", {**SMALL, "grader": grader, "max_connections": 1}))
"""


def test_a_run_killed_halfway_repeats_no_judge_call(tmp_path: Path) -> None:
    def run(most: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", KILLED, str(tmp_path), str(most)],
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[3],
        )

    assert run(25).returncode == 9
    assert calls_in(tmp_path / "calls") == 25
    again = run(0)
    assert again.returncode == 0, again.stderr
    assert calls_in(tmp_path / "calls") == 60
    assert "35 judge calls, 25 answers from the cache" in again.stderr
    whole = run_task("valueflow_steer_pvq", {**SMALL, "grader": counted(tmp_path)})
    assert str(whole) == again.stdout.strip()


def test_a_line_that_was_cut_off_is_passed_over(tmp_path: Path) -> None:
    metadata = {**SMALL, "grader": counted(tmp_path)}
    run_task("valueflow_steer_pvq", metadata)
    (file,) = (tmp_path / "judgements").glob("judgements-*.jsonl")
    text = file.read_text()
    file.write_text(text[:-20])
    calls = calls_in(tmp_path / "calls")
    # Another number of connections, so that the run of this process is not taken for the same.
    run_task("valueflow_steer_pvq", {**metadata, "max_connections": 3})
    assert calls_in(tmp_path / "calls") == calls + 1
    first, again = (json.loads(t.splitlines()[-1]) for t in (text, file.read_text()))
    assert first["key"] == again["key"]


WAITING = """
import sys
from pathlib import Path
from tests.lm_eval_models import run_task
from tests.valueflow_tasks.lm_eval.test_lm_eval_results import SMALL, counted
run_task("valueflow_steer_pvq", {**SMALL, "grader": counted(Path(sys.argv[1]))})
"""


def test_two_processes_at_once_ask_every_question_once(tmp_path: Path) -> None:
    both = [
        subprocess.Popen(
            [sys.executable, "-c", WAITING, str(tmp_path)],
            cwd=Path(__file__).parents[3],
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    errors = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    assert calls_in(tmp_path / "calls") == 60


def test_a_judge_that_goes_away_gives_nan_and_keeps_the_responses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metadata = {**SMALL, "grader": counted(tmp_path, breaks_after=20), "max_connections": 2}
    numbers = run_task("valueflow_steer_pvq", metadata)
    for metric in ("shift_up", "shift_up_stderr", "range", "monotonicity", "sign_accuracy"):
        assert math.isnan(numbers[metric])
    assert numbers["unscored_share"] > 0.3
    errors = capsys.readouterr().err
    assert "RuntimeError: the judge has gone away" in errors
    assert "no numbers are given" in errors
    assert "valueflow lm-eval score" in errors
    assert calls_in(tmp_path / "calls") == 20
    kept = kept_file(errors)
    grader = json.dumps(counted(tmp_path))
    done = CliRunner().invoke(
        main, ["lm-eval", "score", str(kept), "--grader", grader, "-o", str(tmp_path / "scores")]
    )
    assert done.exit_code == 0, done.output
    finished = run_task("valueflow_steer_pvq", {**SMALL, "grader": counted(tmp_path)})
    assert f"shift_up: {finished['shift_up']:.4g}" in done.output
    assert len(list((tmp_path / "scores").glob("cells_*.csv"))) == 1


def test_a_judge_that_never_answers_is_given_up_after_a_few_calls(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refusing = counted(tmp_path, breaks_after=0)
    numbers = run_task("valueflow_steer_pvq", {**SMALL, "grader": refusing, "max_connections": 1})
    assert numbers["unscored_share"] == 1
    assert numbers["refusal_rate"] == 0
    assert math.isnan(numbers["range"])
    errors = capsys.readouterr().err
    assert "10 judge calls, 0 answers from the cache; 0 of 27 responses scored" in errors
    assert "60 windows could not be judged (RuntimeError: the judge has gone away)" in errors
    assert len(kept_file(errors).read_text().splitlines()) == 30


def test_the_kept_responses_are_columns_of_the_task_valueflow_score(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from valueflow.steering.existing import score

    run_task("valueflow_steer_pvq", {**SMALL, "grader": "none"})
    errors = capsys.readouterr().err
    assert "no grader is named" in errors
    kept = kept_file(errors)
    built = score(responses=str(kept), windows=2, figures="all")
    assert len(built.dataset) == 3 * 2 + 3 * 8
    log = inspect_eval(
        built, model="none", model_roles={"grader": "valueflow/judge"}, display="none"
    )[0]
    assert log.results is not None
    metrics = {name: metric.value for name, metric in log.results.scores[0].metrics.items()}
    assert metrics["power up"] > 2


def test_a_judge_that_stumbles_now_and_then_still_gives_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from valueflow.simulated.models import SimulatedModel

    plain, turns = SimulatedModel.generate, []

    async def stumbling(self: Any, input: list[ChatMessage], *rest: Any, **more: Any) -> Any:
        turns.append(1)
        if len(turns) % 7 == 0:
            raise RuntimeError("too many requests")
        return await plain(self, input, *rest, **more)

    monkeypatch.setattr(SimulatedModel, "generate", stumbling)
    numbers = run_task("valueflow_steer_pvq", {**SMALL, "grader": {**JUDGE, "max_retries": 0}})
    errors = capsys.readouterr().err
    assert numbers["shift_up"] > 2
    assert "8 windows could not be judged (RuntimeError: too many requests)" in errors
    assert "the numbers rest on the other windows" in errors


def test_nonsense_from_the_judge_is_counted_as_unscored(tmp_path: Path) -> None:
    grader = {"model": "valueflow/judge", "model_args": {"failure_rate": 1.0}}
    numbers = run_task("valueflow_steer_pvq", {**SMALL, "grader": grader})
    assert numbers["unscored_share"] == 1
    assert numbers["scored"] == 0
    assert math.isnan(numbers["range"])


def test_the_samples_file_shows_the_cells_of_each_response() -> None:
    entries = entries_of("valueflow_steer_pvq", {**SMALL, "grader": JUDGE})
    assert shown_in(entries)[0] == {}
    numbers_from(entries)
    shown = shown_in(entries)
    assert list(shown[0]["values"]) == ["benevolence", "power"]
    strong = shown[8]["values"]["power"]
    assert strong["cell"] == "power/+2"
    assert strong["windows"] == 2
    assert -10 <= strong["intensity"] <= 10
    json.dumps(entries)


def test_entries_survive_the_way_between_processes() -> None:
    entries = entries_of("valueflow_steer_pvq", {**SMALL, "grader": JUDGE})
    alone = numbers_from(entries)
    assert numbers_from(pickle.loads(pickle.dumps(entries))) == alone
    assert numbers_from({m: list(reversed(found)) for m, found in entries.items()}) == alone


def test_a_part_of_a_run_is_summed_up_all_the_same() -> None:
    for limit in (1, 4, 9, 13):
        numbers = run_task("valueflow_steer_pvq", SMALL, limit=limit)
        assert numbers["scored"] == limit
    assert math.isnan(run_task("valueflow_steer_pvq", SMALL, limit=1)["range"])


def test_tables_go_where_the_option_says(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    run_task("valueflow_steer_pvq", {**SMALL, "output": str(folder)})
    (cells,) = folder.glob("cells_valueflow_steer_pvq_*.csv")
    assert len(cells.read_text().splitlines()) == 1 + 2 * 5
    (figures,) = folder.glob("figures_valueflow_steer_pvq_*.csv")
    assert "power range," in figures.read_text()
    (windows,) = folder.glob("windows_valueflow_steer_pvq_*.jsonl")
    done = CliRunner().invoke(main, ["score", str(windows), "-o", str(tmp_path / "scores")])
    assert done.exit_code == 0, done.output
    assert "60 windows" in done.output


def test_a_folder_that_cannot_be_written_loses_no_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    numbers = run_task("valueflow_steer_pvq", {**SMALL, "output": str(tmp_path / "file" / "x")})
    assert numbers["range"] > 2
    assert "tables were not written" in capsys.readouterr().err


def test_an_error_in_the_figures_gives_nan_and_keeps_the_responses(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("no such share")

    monkeypatch.setattr("valueflow.lm_eval.figures.share", broken)
    numbers = run_task("valueflow_steer_pvq", {**SMALL, "seed": 11})
    assert all(map(math.isnan, numbers.values()))
    errors = capsys.readouterr().err
    assert errors.count("ZeroDivisionError: no such share") == 1
    assert len(kept_file(errors).read_text().splitlines()) == 30


def test_judging_works_inside_a_running_event_loop() -> None:
    import asyncio

    async def notebook() -> dict[str, float]:
        return run_task("valueflow_steer_pvq", SMALL)

    assert asyncio.run(notebook()) == run_task("valueflow_steer_pvq", SMALL)


def test_no_more_calls_are_in_flight_than_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import anyio

    from valueflow.simulated.models import SimulatedModel

    plain, flying, most = SimulatedModel.generate, [0], [0]

    async def slow(self: Any, input: list[ChatMessage], *rest: Any, **more: Any) -> ModelOutput:
        flying[0] += 1
        most[0] = max(most[0], flying[0])
        await anyio.sleep(0.001)
        flying[0] -= 1
        found: ModelOutput = await plain(self, input, *rest, **more)
        return found

    monkeypatch.setattr(SimulatedModel, "generate", slow)
    run_task("valueflow_steer_pvq", {**SMALL, "max_connections": 4})
    assert most[0] == 4


def test_the_judge_is_asked_about_refusals_where_that_is_wanted(tmp_path: Path) -> None:
    metadata = {**SMALL, "grader": counted(tmp_path), "refusal_check": "judge"}
    first = run_task("valueflow_steer_pvq", metadata)
    calls = calls_in(tmp_path / "calls")
    assert calls == 60 + 3 * 9
    assert run_task("valueflow_steer_pvq", {**metadata, "max_connections": 3}) == first
    assert calls_in(tmp_path / "calls") == calls


@pytest.mark.parametrize("mode", ["choice", "rating", "placement"])
def test_judgements_that_are_no_rankings_are_remembered(tmp_path: Path, mode: str) -> None:
    metadata = {**SMALL, "grader": counted(tmp_path), "judge_mode": mode}
    first = run_task("valueflow_steer_pvq", metadata)
    assert first["shift_up"] > 1
    calls = calls_in(tmp_path / "calls")
    assert run_task("valueflow_steer_pvq", {**metadata, "max_connections": 3}) == first
    assert calls_in(tmp_path / "calls") == calls == 60


def test_an_empty_response_is_unscored_not_zero() -> None:
    numbers = run_task("valueflow_steer_pvq", SMALL, respond_to=lambda _: "  ")
    assert numbers["unscored_share"] == 1
    assert math.isnan(numbers["shift_up"])


def test_a_panel_of_judges_has_its_figures_and_its_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = [{"model": "valueflow/judge", "model_args": {"scale": n, "seed": int(n)}} for n in (1, 2)]
    options = {**SMALL, "values": ["power"], "grader": own, "output": str(tmp_path)}
    numbers = run_task("valueflow_steer_pvq", options)
    assert "15 generations and 60 judge calls" in capsys.readouterr().err
    assert numbers["range"] > 2
    (table,) = tmp_path.glob("panel_valueflow_steer_pvq_*.csv")
    first, second = csv.DictReader(table.read_text().splitlines())
    assert first["judge"] == "valueflow/judge [grader]"
    assert (first["judged"], first["asked"], second["lost"]) == ("30", "30", "0")
    assert float(second["range without it"]) != pytest.approx(numbers["range"])
    (windows,) = tmp_path.glob("windows_*.jsonl")
    done = CliRunner().invoke(main, ["score", str(windows), "-o", str(tmp_path / "scores")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "scores" / "agreement.csv").is_file()


@pytest.mark.parametrize(
    ("grader", "options", "message"),
    [
        ([{"model": "valueflow/judge"}] * 2, {}, "grader and grader_b are the same judge"),
        ([], {}, "names at least one|is an empty list"),
        (["valueflow/judge", ["x"]], {}, "is no judge of a panel"),
        ("valueflow/judge", {"panel": "split"}, "split shares the windows among several judges"),
        ("valueflow/judge", {"panel": "splt"}, "'splt' is none of all, split"),
    ],
)
def test_wrong_panels_are_refused_before_anything_is_generated(
    grader: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueflowError, match=message):
        run_task("valueflow_steer_pvq", {**SMALL, **options, "grader": grader})
