"""Pairs, squares and composites in real runs, on respondents whose law of composition is known."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai import score as inspect_score
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import get_model

from tests.conftest import CountingJudge, inspect_command, obedient
from tests.hub_assets.registry.test_catalogues import OWN, write
from valueflow.hub_assets.errors import ValueflowError
from valueflow.scorers.intensity_scorer import intensity
from valueflow.scorers.records import METADATA_KEY
from valueflow.scorers.summary.run import flatten, summarize
from valueflow.steering.tasks import steer, steer_composite, steer_five, steer_pair


def run(task: Task, judge: dict[str, Any] | None = None, **respondent: Any) -> dict[str, float]:
    log = run_log(task, judge, **respondent)
    assert log.results is not None
    return {name: metric.value for name, metric in log.results.scores[0].metrics.items()}


def run_log(task: Task, judge: dict[str, Any] | None = None, **respondent: Any) -> EvalLog:
    model = get_model("valueflow/respondent", memoize=False, spread=0.5, **respondent)
    grader = get_model("valueflow/judge", memoize=False, **{"scale": 2.0, **(judge or {})})
    log = inspect_eval(task, model=model, model_roles={"grader": grader}, display="none")[0]
    assert log.status == "success"
    return log


def near(found: dict[str, float], name: str, truth: float, most: float = 0.7) -> bool:
    """Within three standard errors, which are themselves below `most`."""
    error = found[f"{name}_stderr"]
    return 0 < error < most and abs(found[name] - truth) < 3 * error


def test_pairs_of_an_additive_respondent_add_even_where_targets_oppose_each_other() -> None:
    found = run(
        steer_pair(
            pairs="power+universalism",
            levels="2/2,2/-2",
            singles=True,
            n_queries=10,
            figures="all",
            wording=1,
        ),
        cross=-0.3,
    )
    both, against = "power+2&universalism+2", "power+2&universalism-2"
    assert near(found, f"{both} additivity", 1)
    assert near(found, f"{against} additivity", 1)
    # Each takes 0.3 of the other's effect away, or gives it where the other is negative.
    assert near(found, f"{both} retained_power", 0.7)
    assert near(found, f"{against} retained_power", 1.24)
    assert found[f"{both} cosine"] > 0.98
    assert near(found, "power+2 | universalism/0 shift", -1.5, most=0.9)


def test_where_the_strongest_wins_it_dominates_and_the_weaker_keeps_nothing() -> None:
    found = run(
        steer_pair(
            pairs="power+universalism",
            levels="2/1,1/2",
            singles=True,
            n_queries=10,
            figures="all",
            wording=1,
        ),
        composition="strongest",
    )
    first, second = "power+2&universalism+1", "power+1&universalism+2"
    assert near(found, f"{first} dominance", 2.5, 1.2)
    assert near(found, f"{second} dominance", -2.5, 1.2)
    assert near(found, f"{first} retained_universalism", 0)
    assert near(found, f"{first} retained_power", 1)


@pytest.mark.slow
def test_a_square_shows_how_much_of_negative_targets_is_left() -> None:
    found = run(
        steer_five(n_queries=4, singles=True, figures="all", wording=1),
        composition="fading",
        fade=0.25,
        gain_down=5,
    )
    assert near(found, "five pvq fading", 0.75)
    assert near(found, "five pvq retained_at_-2", 0.25)
    assert near(found, "five pvq retained_at_+2", 1)
    assert found["five pvq top_share"] == 1
    log_additive = run(steer_five(n_queries=4, figures="all", wording=1), gain_down=5)
    assert near(log_additive, "five pvq fading", 0)
    assert log_additive["five rank_agreement"] > 0.85


@pytest.mark.slow
def test_the_order_of_the_samples_changes_no_figure_of_a_pair_or_square() -> None:
    for task in (
        steer_pair(pairs="power+universalism", n_queries=3, singles=True, figures="all", wording=1),
        steer_five(n_queries=3, figures="all", wording=1),
    ):
        log = run_log(task)
        records = [s.scores["intensity"].metadata[METADATA_KEY] for s in log.samples or []]  # type: ignore[index]
        assert flatten(summarize(records[::-1])) == pytest.approx(flatten(summarize(records)))


def test_composites_are_compared_with_direct_steering() -> None:
    found = run(
        steer_composite(
            values="benevolence", levels="-2,2", n_queries=24, figures="all", wording=1
        ),
        child_share=0.6,
    )
    assert near(found, "composite benevolence relative_size", 0.6)
    assert found["composite benevolence direction_agreement"] == 1
    assert near(found, "benevolence up", 5)


def test_two_rights_of_one_group_are_scored_once_and_told_as_one_dimension() -> None:
    log = run_log(
        steer_pair(pairs="expression+assembly", levels="2/2", n_queries=4, figures="all", wording=1)
    )
    assert log.results is not None
    metrics = log.results.scores[0].metrics
    assert metrics["expression+2&assembly+2 along"].value == pytest.approx(4, abs=1.2)
    assert "pair cosine" not in metrics
    for sample in log.samples or []:
        record = sample.scores["intensity"].metadata[METADATA_KEY]  # type: ignore[index]
        assert list(record["values"]) == ["political_rights"]


def test_every_target_of_a_condition_is_in_the_prompt_and_the_default_is_asked_once() -> None:
    log = run_log(steer_pair(pairs="power+universalism", n_queries=2))
    ids = [str(sample.id).split("/")[-1] for sample in log.samples or []]
    assert ids.count("default") == 2
    sample = next(s for s in log.samples or [] if str(s.id).endswith("power+2&universalism+1"))
    lines = [line for line in sample.messages[0].text.splitlines() if line.startswith("- ")]
    assert "having control" in lines[0]
    assert "You are strongly in favour of" in lines[0]
    assert "treating all people" in lines[1]
    assert "You are slightly in favour of" in lines[1]


def test_user_texts_of_both_values_are_pooled() -> None:
    found = run(
        steer_pair(
            pairs="power+universalism",
            levels="2/2",
            method="user_texts",
            n_queries=3,
            figures="all",
            wording=1,
        )
    )
    assert found["power+2&universalism+2 cosine"] > 0.95


def test_refusals_are_left_out_or_ranked_as_told() -> None:
    excluded = run(
        steer(values="power", levels=2, n_queries=16, figures="all", wording=1), refusal_rate=0.3
    )
    assert 0 < excluded["power/+2 refusal_rate"] < 1
    share = 1 - excluded["power/+2 refusal_rate"]
    with_refusals = excluded["power/+2 shift_with_refusals"]
    assert with_refusals == pytest.approx(share * excluded["power/+2 shift"])


def test_a_judge_finds_refusals_that_no_phrase_finds_at_one_call_each() -> None:
    def answer(prompt: str) -> str:
        return "Das kommt für mich nicht infrage."

    from tests.conftest import mock_model, output

    model = mock_model(lambda messages, *_: output(answer(messages[0].text)))
    grader = get_model("valueflow/judge", memoize=False)
    task = steer(values="power", levels=2, n_queries=2, refusal_check="judge")
    log = inspect_eval(task, model=model, model_roles={"grader": grader}, display="none")[0]
    assert log.status == "success"
    assert log.results is not None
    assert log.results.scores[0].metrics["refusal_rate"].value == 1
    record = log.samples[0].scores["intensity"].metadata[METADATA_KEY]  # type: ignore[index]
    assert (record["refusal_check"], record["refusal_raw"]) == ("judge", "yes")
    assert task.metadata is not None
    assert task.metadata["planned"]["judge_calls"] == 4 * 3 + 4


def test_an_own_catalogue_runs_from_steering_to_metrics(tmp_path: Path) -> None:
    path = write(tmp_path, OWN)
    found = run(
        steer_pair(theory="craft", catalogue=str(path), n_queries=6, figures="all", wording=1),
        judge={"vidb": "craft-anchors"},
    )
    assert found["thrift+2&finish-2 cosine"] > 0.97


def test_catalogues_of_other_runs_change_neither_values_nor_anchors_of_a_run(
    tmp_path: Path,
) -> None:
    (tmp_path / "first").mkdir()
    steer_pair(theory="craft", catalogue=str(write(tmp_path / "first", OWN)), n_queries=1)
    node = OWN["theories"]["craft"]["nodes"]["thrift"]  # type: ignore[index]
    second = {
        "theories": {"pvq": {"nodes": {"caution": node}}},
        "pairs": [{"theory": "pvq", "values": ["power", "face"]}],
        "assets": {"second-anchors": {"kind": "vidb", "title": "t", "path": "second.csv"}},
    }
    path = tmp_path / "second.yaml"
    path.write_text(yaml.safe_dump(second), encoding="utf-8")
    rows = [f"power,text {i},{i * 2 - 10}\n" for i in range(11)]
    (tmp_path / "second.csv").write_text("value,text,intensity\n" + "".join(rows), "utf-8")
    with_own = steer(values="power", catalogue=str(path), n_queries=1)
    assert with_own.metadata is not None
    assert with_own.metadata["evaluator"]["vidb"] == "second-anchors"
    without = steer(n_queries=1).metadata
    pairs = steer_pair(n_queries=1).metadata
    assert without is not None
    assert pairs is not None
    assert without["evaluator"]["vidb"] == "vidb-mini"
    assert len(without["values"]) == 12
    assert len(pairs["pairs"]) == 5


def test_two_runs_of_one_process_whose_catalogues_disagree_keep_apart(tmp_path: Path) -> None:
    theory = OWN["theories"]["craft"]  # type: ignore[index]
    meanings = {"saves": "wasting nothing", "hoards": "piling up all one can"}
    tasks = []
    for name, clause in meanings.items():
        node = {**theory["nodes"]["thrift"], "definition": f"Who {name}.", "clause": clause}
        own = {**theory, "nodes": {"thrift": node}}
        folder = tmp_path / name
        folder.mkdir()
        path = write(folder, {**OWN, "theories": {"craft": own}, "pairs": []})
        rows = [f"thrift,{name} {i},{i * 2 - 10}\n" for i in range(11)]
        (folder / "anchors.csv").write_text("value,text,intensity\n" + "".join(rows), "utf-8")
        # Both are open before either runs.
        tasks.append(steer(theory="craft", levels=2, n_queries=2, windows=1, catalogue=str(path)))
    judge = CountingJudge(obedient)
    logs = inspect_eval(
        tasks, model="valueflow/respondent", model_roles={"grader": judge.model}, display="none"
    )
    again = inspect_score(
        read_eval_log(logs[0].location),
        intensity(windows=2),
        model_roles={"grader": judge.model},
        action="overwrite",
        display="none",
    )
    for log, name in [*zip(logs, meanings, strict=True), (again, "saves")]:
        assert log.status == "success"
        for sample in log.samples or []:
            record = (sample.scores or {})["intensity"].metadata[METADATA_KEY]  # type: ignore[index]
            for window in record["values"]["thrift"]["windows"]:
                assert {text.split()[0] for text in window["texts"]} == {name}
    for log, name in zip(logs, meanings, strict=True):
        (other,) = set(meanings) - {name}
        said = "\n".join(
            text
            for sample in log.samples or []
            for text in (*sample.attachments.values(), *(m.text for m in sample.messages))
        )
        assert f"Who {name}." in said
        assert meanings[name] in said
        assert f"Who {other}." not in said
        assert meanings[other] not in said


def steer_pair_command(*parameters: str) -> Result:
    command = "eval valueflow/steer_pair --model valueflow/respondent"
    command += " --model-role grader=valueflow/judge"
    given = [word for parameter in parameters for word in ("-T", parameter)]
    return inspect_command(*command.split(), *given)


def test_a_condition_file_with_an_unknown_value_ends_the_run_with_one_sentence(
    tmp_path: Path,
) -> None:
    faulty = {**OWN, "pairs": [{"theory": "craft", "values": ["thrift", "finishing"]}]}
    path = write(tmp_path, faulty)
    done = steer_pair_command(f"catalogue={path}")
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    assert "unknown value of craft 'finishing'" in done.output
    assert "Traceback" not in done.output
    assert yaml.safe_load(path.read_text())["pairs"]


def test_the_command_line_takes_pairs_and_levels() -> None:
    done = steer_pair_command(
        "pairs=power+universalism,power+face",
        "levels=2/2,2/-2",
        "n_queries=1",
        "windows=1",
    )
    assert done.exit_code == 0, done.output
    assert "planned 5 generations and 11 judge calls" in done.stderr


@pytest.mark.parametrize(
    "make",
    [
        lambda: steer_pair(pairs="power+power"),
        lambda: steer_pair(levels="2"),
        lambda: steer_pair(singles="maybe"),
        lambda: steer_five(sets="nine"),
        lambda: steer_composite(theory="duty"),
        lambda: steer(values="power", refusals="hide"),
        lambda: steer(values="power", refusal_check="oracle"),
    ],
)
def test_options_that_cannot_be_used_end_before_anything_is_made(make: Any) -> None:
    with pytest.raises(ValueflowError):
        make()
