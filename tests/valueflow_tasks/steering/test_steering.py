"""The task valueflow/steer, run by the real harness on simulated and stand-in models."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from inspect_ai import Epochs, eval_retry
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import ChatMessage, ModelAPI, ModelOutput, get_model, modelapi

from tests.conftest import CountingJudge, inspect_command, mock_model, obedient, output
from valueflow.hub_assets.errors import ValueflowError
from valueflow.hub_assets.inputs.queries import load_queries
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.results.steering.logs import read_study_log
from valueflow.scorers.intensity_scorer import steering_summary
from valueflow.scorers.records import METADATA_KEY
from valueflow.scorers.summary.run import summarize
from valueflow.simulated.models import SimulatedModel
from valueflow.solvers.wording import target_sentence
from valueflow.steering.tasks import steer

RESPONDENT = "valueflow/respondent"
JUDGE = {"grader": "valueflow/judge"}


def run(model: Any = RESPONDENT, roles: Any = None, **options: Any) -> EvalLog:
    arguments = {key: options.pop(key) for key in ("limit", "epochs") if key in options}
    return inspect_eval(
        steer(**{"values": "power", "n_queries": 2, "figures": "all", **options}),
        model=model,
        model_roles=JUDGE if roles is None else roles,
        display="none",
        **arguments,
    )[0]


def metrics_of(log: EvalLog) -> dict[str, float]:
    assert log.results is not None
    return {name: metric.value for name, metric in log.results.scores[0].metrics.items()}


def records_of(log: EvalLog) -> list[dict[str, Any]]:
    return [
        score.metadata[METADATA_KEY]
        for sample in log.samples or []
        for score in (sample.scores or {}).values()
        if score.metadata
    ]


def test_the_default_design_is_980_generations_and_3600_judge_calls_and_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    built = steer()
    assert len(built.dataset) == 980
    assert built.metadata is not None
    assert built.metadata["planned"]["judge_calls"] == 3600
    printed = capsys.readouterr().err
    assert "980 generations" in printed
    assert "3,600 judge calls" in printed
    families = {sample.metadata["valueflow"]["family"] for sample in built.dataset}  # type: ignore[index]
    assert len(families) == 5


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, ("2", "paragraph", "first_person")),
        ({"wording": 1, "baseline": "plain"}, ("1", "paragraph", "plain")),
        ({"form": "sentence"}, ("2", "sentence", "first_person")),
    ],
)
def test_a_log_says_what_models_were_told_and_asked_for(
    options: dict[str, Any], told: tuple[str, str, str]
) -> None:
    log = run(levels="-2,2", n_queries=1, windows=1, **options)
    wording, form, baseline = told
    assert log.status == "success"
    assert log.eval.metadata is not None
    said = {name: log.eval.metadata[name] for name in ("wording", "form", "baseline", "language")}
    assert said == {"wording": wording, "form": form, "baseline": baseline, "language": "en"}
    for record in records_of(log):
        assert record["form"] == form
        assert record["versions"]["wording"] == wording == record["judge"]["wording"]
        assert record["versions"]["language"] == "en"
    registry = load_registry(wording=wording)
    power = registry.value("power")
    for sample in log.samples or []:
        shown = "\n".join(message.text for message in sample.messages)
        assert ("one plain sentence of at most 18 words" in shown) == (form == "sentence")
        if "-2" in str(sample.id):
            assert target_sentence(power, registry.level(-2), registry) in shown


def test_the_persona_is_told_in_several_wordings_each_to_its_share_of_the_questions() -> None:
    log = run(levels="-2,2", n_queries=6, windows=1, wordings=3, seed=3)
    assert log.status == "success"
    records = records_of(log)
    of_query = {record["query"]: record["paraphrase"] for record in records}
    assert sorted(of_query.values()) == [1, 1, 2, 2, 3, 3]
    assert all(record["paraphrase"] == of_query[record["query"]] for record in records)
    registry = load_registry()
    power = registry.value("power")
    for sample in log.samples or []:
        number = of_query[str(sample.id).partition("/")[0]]
        if sample.messages[0].role == "system":
            level = registry.level(-2 if str(sample.id).endswith("-2") else 2)
            told = target_sentence(power, level, registry, paraphrase=number)
            assert sample.messages[0].text.endswith(told)
    assert "wordings sd" in metrics_of(log)
    assert log.eval.metadata is not None
    assert log.eval.metadata["wordings"] == 3
    without = [{**record, "paraphrase": None} for record in records]
    se = []
    for kept in (records, without):
        evaluation = summarize(kept).evaluation  # type: ignore[arg-type]
        assert evaluation is not None
        assert bool(evaluation.wordings) == (kept is records)
        se.append(next(cell.se for cell in evaluation.cells if cell.cell == "power/+2"))
    assert se[0] >= se[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"wordings": 3, "n_queries": 5}, "wordings: 3 need at least 6 queries"),
        ({"wordings": 6, "n_queries": 20}, "wordings: 6 asked for, but the persona has 5"),
        ({"wordings": 2, "wording": 1, "n_queries": 9}, "persona has 1 in en, wording 1"),
        ({"wordings": 2, "language": "de", "n_queries": 9, "refusal_check": "judge"}, "1 in de"),
        ({"wordings": 2, "method": "user_texts", "n_queries": 9}, "personas of one value"),
        ({"wordings": 0}, "wordings"),
    ],
)
def test_wordings_that_cannot_be_compared_are_refused(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises((ValueflowError, click.ClickException), match=message):
        steer(**{"values": "power", **options})


def test_questions_may_be_conversations(tmp_path: Path) -> None:
    said = ("I lead a team.", "Since when?", "Should I go on?")
    messages = [
        {"role": role, "content": text}
        for role, text in zip(("user", "assistant", "user"), said, strict=True)
    ]
    queries = tmp_path / "talks.json"
    queries.write_text(
        json.dumps([{"id": "talk", "messages": messages}, {"messages": "Why lead?"}])
    )
    asked = []

    def answer(messages: list[ChatMessage], *_: Any) -> ModelOutput:
        asked.append(messages[0].text)
        return output("no" if "declines" in asked[-1] else "no ranking")

    roles = {"grader": mock_model(answer)}
    log = run(roles=roles, queries=str(queries), levels="2", windows=1, refusal_check="judge")
    assert log.status == "success"
    talks = [sample for sample in log.samples or [] if str(sample.id).startswith("talk/")]
    one = next(sample for sample in talks if sample.messages[0].role == "system")
    assert [message.role for message in one.messages[:4]] == [
        "system", "user", "assistant", "user"
    ]  # fmt: skip
    assert [message.text for message in one.messages[1:3]] == [*said[:2]]
    assert one.messages[3].text.startswith(said[2])
    assert any("Question: I lead a team.\n\nAnswer: Since when?" in text for text in asked)
    assert {record["query"] for record in records_of(log)} == {"talk", "talks-002"}
    study = read_study_log(log.location)
    assert "Assistant: Since when?" in next(iter(study.texts.values()))[0]


def test_pairs_that_are_off_topic_are_left_out_on_request_and_counted_either_way(
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = {"values": "power,hedonism", "levels": "-2,2", "n_queries": 10, "windows": 1}
    every, kept = steer(**options), steer(**options, relevant=True)
    assert every.metadata is not None
    assert kept.metadata is not None
    topics = every.metadata["topics"]
    assert topics["pairs"] == topics["known"] == 20
    assert 0 < topics["off_topic"] < 20
    assert topics["left_out"] == 0
    assert kept.metadata["topics"] == {**topics, "left_out": topics["off_topic"]}
    printed = capsys.readouterr().err
    assert "of pairs are off topic (" in printed
    assert "are off topic and left out (" in printed

    loaded = load_queries("queries-mini")
    queries = {query.id: query for query in loaded.queries}
    registry = load_registry()
    wanted = set()
    for sample in every.dataset:
        query, condition = str(sample.id).split("/")
        values = ["power", "hedonism"] if condition == "default" else [condition[:-2]]
        on = [v for v in values if not loaded.off_topic(queries[query], registry.value(v))]
        wanted |= {(sample.id, v) for v in on}
    found = {
        (sample.id, value)
        for sample in kept.dataset
        for _, value in (sample.metadata or {})["valueflow"]["score_on"]
    }
    assert found == wanted
    assert kept.metadata["planned"]["generations"] == len(kept.dataset)
    assert kept.metadata["planned"]["judge_calls"] == len(found)


def test_a_system_prompt_of_ones_own_reaches_the_model_and_the_log(tmp_path: Path) -> None:
    file = tmp_path / "system.txt"
    file.write_text("You are a pharmacist.\n")
    log = run(levels="2", n_queries=1, windows=1, system=str(file))
    assert log.eval.metadata is not None
    assert log.eval.metadata["system_sha256"]
    for sample in log.samples or []:
        assert sample.messages[0].role == "system"
        assert sample.messages[0].text.startswith("You are a pharmacist.")
    file.write_text(" \n")
    with pytest.raises(click.ClickException, match=r"system\.txt: is empty"):
        steer(values="power", system=str(file))


def test_a_set_that_does_not_say_what_is_off_topic_cannot_leave_it_out(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text("query\nWhy?\n")
    with pytest.raises(click.ClickException, match="does not say which values a query has to do"):
        steer(values="power", queries=str(file), n_queries=1, relevant=True)
    file.write_text("query,related\nWhy?,power\nHow?,face\n")
    with pytest.raises(click.ClickException, match=r"none of the 1 queries .* of face-2"):
        steer(values="power,face", queries=str(file), n_queries=1, seed=0, relevant=True)


def test_samples_come_query_by_query_with_the_default_first() -> None:
    built = steer(values="power,tradition", levels="-2,2", n_queries=3)
    ids = [str(sample.id) for sample in built.dataset]
    assert len(ids) == 3 * (1 + 2 * 2)
    for query in range(3):
        block = ids[query * 5 : query * 5 + 5]
        assert len({i.split("/")[0] for i in block}) == 1
        assert [i.split("/")[1] for i in block] == [
            "default",
            "power-2",
            "power+2",
            "tradition-2",
            "tradition+2",
        ]


def test_level_0_is_generated_once_and_scored_on_every_value() -> None:
    built = steer(values="power,tradition", levels="2", n_queries=1)
    default, *steered = built.dataset
    assert default.metadata is not None
    assert default.metadata["valueflow"]["targets"] == []
    assert [name for _, name in default.metadata["valueflow"]["score_on"]] == ["power", "tradition"]
    assert len(steered) == 2


def test_a_run_reports_every_cell_and_figure_and_finds_the_simulated_direction() -> None:
    log = run(values="power", n_queries=6)
    assert log.status == "success", log.error
    metrics = metrics_of(log)
    for level in ("-2", "-1", "+1", "+2"):
        for figure in (
            "count",
            "mean",
            "mean_stderr",
            "shift",
            "shift_stderr",
            "sign_accuracy",
            "refusal_rate",
            "unscored",
            "over_word_limit",
        ):
            assert f"power/{level} {figure}" in metrics
    for figure in ("up", "down", "range", "asymmetry", "monotonicity", "slope"):
        assert f"power {figure}" in metrics
        assert figure in metrics
    # The simulated respondent moves by +5 and -4 between level 0 and the outer levels.
    assert metrics["power up"] == pytest.approx(5, abs=2.5)
    assert metrics["power down"] == pytest.approx(-4, abs=2.5)
    assert metrics["judge_calls"] == 6 * 5 * 3
    assert metrics["unscored"] == 0


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others() -> None:
    first, again, other = run(seed=1), run(seed=1), run(seed=2)
    assert metrics_of(first) == metrics_of(again)
    assert metrics_of(first) != metrics_of(other)


def test_every_window_is_kept_with_anchors_shown_order_answer_and_attempts() -> None:
    record = records_of(run(values="power", levels="2", n_queries=1))[0]
    assert len(record["values"]["power"]["windows"]) == 3
    for window in record["values"]["power"]["windows"]:
        assert sorted(window["order"]) == sorted(window["shown"]) == list(range(6))
        assert window["shown"][window["position"]] == 0
        assert len(window["anchors"]) == len(window["texts"]) == 5
        assert window["calls"] == 1
        assert window["raw"][0].count(" > ") == 5
    assert record["judge"]["model"] == "valueflow/judge"
    assert record["judge"]["vidb"] == "vidb-mini"


def test_epochs_add_responses_but_no_queries() -> None:
    once = metrics_of(run(levels="2"))
    twice = metrics_of(run(levels="2", epochs=Epochs(2)))
    assert twice["power/+2 count"] == 2 * once["power/+2 count"]
    assert twice["judge_calls"] == 2 * once["judge_calls"]


def test_metrics_take_any_part_of_a_run() -> None:
    from inspect_ai.scorer import SampleScore

    log = run(values="power,tradition", n_queries=2)
    scores = [
        SampleScore(score=score, sample_id=sample.id)
        for sample in log.samples or []
        for score in (sample.scores or {}).values()
    ]
    compute = steering_summary()
    for part in (scores[:0], scores[:1], scores[1:2], scores[1:4], scores[5:12], scores[::3]):
        found = compute(part)
        assert isinstance(found, dict)
        assert found["responses"] == len(part)
    assert dict(compute(scores)) == metrics_of(log)  # type: ignore[arg-type]


def test_limit_keeps_whole_designs() -> None:
    metrics = metrics_of(run(values="power", n_queries=4, limit=5))
    assert [metrics[f"power/{level} count"] for level in ("-2", "-1", "0", "+1", "+2")] == [1] * 5


def test_user_texts_steer_the_simulated_respondent_and_are_no_anchors() -> None:
    log = run(method="user_texts", values="power", n_queries=4)
    metrics = metrics_of(log)
    assert metrics["power range"] > 4
    for sample in log.samples or []:
        texts = set(sample.store.get("valueflow:exemplars", []))
        steered = not str(sample.id).endswith("default")
        assert len(texts) == (3 if steered else 0)
        assert all(text in sample.messages[0].text for text in texts)
        for score in (sample.scores or {}).values():
            assert score.metadata is not None
            for window in score.metadata[METADATA_KEY]["values"]["power"]["windows"]:
                assert not texts & set(window["texts"])


def test_adaptive_windows_stop_at_the_target_and_never_repeat_an_anchor() -> None:
    log = run(n_queries=6, sampling="adaptive", windows=6, target_se=1.5, design_text_sd=0)
    metrics = metrics_of(log)
    assert metrics["responses"] <= metrics["windows"] < 6 * 30
    assert metrics["power up"] == pytest.approx(5, abs=2.5)
    for record in records_of(log):
        windows = record["values"]["power"]["windows"]
        texts = [text for window in windows for text in window["texts"]]
        assert len(set(texts)) == len(texts)


def test_adaptive_ratings_stop_where_more_windows_tell_nothing() -> None:
    """Of six windows that are allowed, hardly any response takes a second."""
    judge = get_model("valueflow/judge", memoize=False, scale=1.2, text_sd=4.0)
    log = run(roles={"grader": judge}, n_queries=8, sampling="adaptive", windows=6, target_se=1.0,
              judge_mode="rating")  # fmt: skip
    values = [record["values"]["power"] for record in records_of(log)]
    assert metrics_of(log)["windows"] < 2 * len(values)
    stopped = [value["stopped"] for value in values]
    assert stopped.count("disagreement") > 0.8 * len(stopped)
    assert all(value["running_judge"]["text_sd"] > 1 for value in values)
    assert "target_se" in " ".join(summarize(records_of(log)).notes)  # type: ignore[arg-type]


def test_a_cell_budget_is_kept() -> None:
    log = run(n_queries=4, levels="2", cell_windows=6)
    per_response = [len(r["values"]["power"]["windows"]) for r in records_of(log)]
    assert sorted(per_response) == [1, 1, 1, 1, 2, 2, 2, 2]


@pytest.mark.parametrize("style", ["system", "user", "base"])
def test_each_style_puts_the_persona_in_its_place(style: str) -> None:
    log = run(style=style, levels="2", n_queries=1)
    default, steered = log.samples or []
    roles = [message.role for message in steered.messages]
    expected = ["system", "user", "assistant"] if style == "system" else ["user", "assistant"]
    assert roles == expected
    assert "You are strongly in favour of" in steered.messages[0].text
    assert "You strongly" not in default.messages[0].text
    assert metrics_of(log)["power up"] > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"values": "benevolense"}, "Did you mean 'benevolence'"),
        ({"values": "power", "theory": "mft"}, "theory=pvq"),
        ({"values": "power,Power"}, "named twice"),
        ({"theory": "pvc"}, "Did you mean 'pvq'"),
        ({"levels": "-2,3"}, "'3' is not a level"),
        ({"levels": "0"}, "no level but 0"),
        ({"method": "charm"}, "definition, user_texts"),
        ({"style": "loud"}, "system, user, base"),
        ({"sampling": "spiral"}, "bucket, random, fixed, adaptive"),
        ({"windows": 0}, "windows: 0 is not a whole number of at least 1"),
        ({"window_size": 1}, "window_size"),
        ({"window_size": 60}, "44 usable anchors"),
        ({"n_queries": 0}, "n_queries"),
        ({"n_queries": 1000}, "give 1 to 120, or 'all'"),
        ({"queries": "nowhere.csv"}, "no such file"),
        ({"vidb": "vidb-mega"}, "vidb-mini"),
        ({"sampling": "fixed"}, "-T anchor_panel=FILE"),
        ({"judge_mode": "vote"}, "ranking, rating, placement, choice"),
        ({"judge_mode": "placement", "window_size": 2}, "at least 3 texts"),
        ({"judge_mode": "choice", "sampling": "adaptive"}, "does not go with"),
        ({"target_se": 1.0}, "is for sampling=adaptive"),
        ({"sampling": "adaptive", "target_se": 0}, "target_se: 0 is not a positive number"),
        ({"cell_windows": 3}, "3 windows are too few for 20 responses"),
        ({"panel": "vidb-mini", "sampling": "bucket"}, "panel is for sampling=fixed"),
        ({"method": "user_texts", "exemplars": 30}, "-T exemplars="),
        ({"vidb_columns": "text"}, "not a mapping"),
    ],
)
def test_bad_options_end_before_anything_is_spent(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueflowError, match=message.replace("(", r"\(")) as error:
        steer(**options)
    # A click error is what Inspect's command line shows without a traceback.
    assert isinstance(error.value, click.ClickException)


def test_the_command_line_runs_the_task_and_shows_errors_as_one_message(tmp_path: Path) -> None:
    line = ["eval", "valueflow/steer", "--model", RESPONDENT]
    line += ["--model-role", "grader=valueflow/judge", "--display", "plain", "-T"]
    program = Path(sys.executable).parent / "inspect"
    good = subprocess.run(
        [program, *line, "values=power", "-T", "levels=-2,2", "-T", "n_queries=1"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert good.returncode == 0, good.stdout + good.stderr
    assert "planned 3 generations and 9 judge calls" in good.stderr
    assert re.search(r"^power .* ± ", good.stderr, re.MULTILINE)
    assert re.search(r"^range +\d", good.stdout, re.MULTILINE)
    bad = inspect_command(*line, "values=benevolense")
    assert bad.exit_code == 1
    assert isinstance(bad.exception, SystemExit)
    assert "Did you mean 'benevolence'" in bad.stderr
    assert "Traceback" not in bad.output


def test_a_model_that_refuses_everything_is_counted_and_never_ranked() -> None:
    judge = CountingJudge(obedient)
    model = mock_model(lambda *_: output("I'm sorry, but I can't help with that."))
    log = run(model=model, roles={"grader": judge.model})
    assert log.status == "success"
    metrics = metrics_of(log)
    assert metrics["refusal_rate"] == 1
    assert metrics["unscored"] == metrics["responses"] == 10
    assert judge.calls == 1  # before the first generation
    assert {r["unscored"] for r in records_of(log)} == {"refusal"}
    assert "power/+2 mean" not in metrics


def test_an_empty_response_is_unscored_not_zero() -> None:
    log = run(model=mock_model(lambda *_: output("  ")), roles={"grader": "valueflow/judge"})
    assert {r["unscored"] for r in records_of(log)} == {"no_response"}
    for sample in log.samples or []:
        for score in (sample.scores or {}).values():
            assert isinstance(score.value, dict)
            assert all(number != number for number in score.value.values())


@modelapi(name="flaky")
def flaky() -> type[ModelAPI]:
    """A respondent whose fourth call fails, once; it writes every call into a file."""

    class Flaky(SimulatedModel):
        def __init__(self, model_name: str, calls: str = "", **arguments: Any) -> None:
            super().__init__("respondent", **arguments)
            self.calls = Path(calls)

        async def generate(self, input: list[ChatMessage], **rest: Any) -> ModelOutput:
            done = self.calls.read_text().splitlines() if self.calls.exists() else []
            self.calls.write_text("\n".join([*done, "call"]))
            if len(done) == 3:
                raise RuntimeError("the connection broke")
            return await super().generate(input, **rest)

    return Flaky


def test_a_failed_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    log = inspect_eval(
        steer(values="power", n_queries=1, figures="all"),
        model="flaky/respondent",
        model_args={"calls": str(tmp_path / "calls")},
        model_roles=JUDGE,
        display="none",
        max_samples=1,
    )[0]
    assert log.status == "error"
    retried = eval_retry(read_eval_log(log.location), display="none", max_samples=1)[0]
    assert retried.status == "success", retried.error
    # Three responses before the failure, the failure, and the two that were missing.
    assert len((tmp_path / "calls").read_text().splitlines()) == 3 + 1 + 2
    assert metrics_of(retried) == metrics_of(run(values="power", n_queries=1))
