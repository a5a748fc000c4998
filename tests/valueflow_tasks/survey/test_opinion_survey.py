"""The task valueflow/opinionqa, run by the real harness on simulated and stand-in models."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai import score as inspect_score
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import Logprob, Logprobs, ModelOutput, TopLogprob
from inspect_ai.scorer import Score, scorer

from tests.conftest import inspect_command, mock_model, output
from valueflow.hub_assets.errors import ValueflowError
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.hub_assets.survey import profiles
from valueflow.hub_assets.survey.questions import load_opinions, text_hash
from valueflow.hub_assets.survey.sample import OPINION_KEY
from valueflow.scorers.survey.records import blind_credit, jensen_shannon, top_options
from valueflow.scorers.survey.scorer import option_choice
from valueflow.survey.task import opinionqa

RESPONDENT = "valueflow/respondent"
INCOME = "INCOME_$100,000 or more"


HARNESS_OPTIONS = ("limit", "epochs", "fail_on_error")


def run(
    model: Any = RESPONDENT, roles: Any = None, model_args: Any = None, **options: Any
) -> EvalLog:
    arguments = {key: options.pop(key) for key in HARNESS_OPTIONS if key in options}
    log = inspect_eval(
        opinionqa(**{"groups": "RELIG_Atheist", "n_questions": 6, **options}),
        model=model,
        model_roles=roles,
        model_args=model_args or {},
        display="none",
        **arguments,
    )[0]
    return log


def metrics_of(log: EvalLog) -> dict[str, float]:
    assert log.status == "success", log.error
    assert log.results is not None
    return {name: metric.value for name, metric in log.results.scores[0].metrics.items()}


def samples_of(**options: Any) -> list[dict[str, Any]]:
    built = opinionqa(**options)
    return [sample.metadata[OPINION_KEY] for sample in built.dataset]  # type: ignore[index]


def answering(answer: Callable[[str], str]) -> Any:
    """A model that answers by a function of all that it is given."""
    return mock_model(lambda messages, *_: output(answer("\n\n".join(m.text for m in messages))))


def profile_table(tmp_path: Path, questions: str | None = None, group: str = INCOME) -> Path:
    file = tmp_path / "profiles.csv"
    columns = ["group", "theory", "value", "score"] + (["questions"] if questions else [])
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        for n, value in enumerate(load_registry().theories["duty"].values):
            row = [group, "Duty", value.name, n / 10]
            writer.writerow(row + ([questions] if questions else []))
    return file


def survey(tmp_path: Path, *rows: dict[str, Any]) -> Path:
    file = tmp_path / "survey.jsonl"
    plain = {
        "question": "Is it so?",
        "options": ["Yes", "No"],
        "group": "SEX_Male",
        "distribution": [0.6, 0.4],
    }
    file.write_text("\n".join(json.dumps({**plain, **row}) for row in rows), encoding="utf-8")
    return file


def test_the_command_of_the_documentation_runs_offline(tmp_path: Path) -> None:
    line = f"eval valueflow/opinionqa --model {RESPONDENT} -T groups=SEX -T n_questions=2"
    done = inspect_command(*line.split(), "-T", "threshold=0", "--log-dir", tmp_path)
    assert done.exit_code == 0, done.output
    assert "passes blind, default, profile: 10 generations" in done.output
    (log,) = tmp_path.glob("*.eval")
    assert "default accuracy" in metrics_of(read_eval_log(str(log)))


def test_passes_lie_side_by_side_and_the_prompts_differ_by_the_persona() -> None:
    built = opinionqa(groups=[INCOME, "SEX_Male"], n_questions=2, threshold=0)
    assert [str(sample.id).split("/", 1)[1] for sample in built.dataset][:6] == [
        "INCOME_100_000_or_more/blind",
        "INCOME_100_000_or_more/default",
        "INCOME_100_000_or_more/profile",
        "SEX_Male/blind",
        "SEX_Male/default",
        "SEX_Male/profile",
    ]
    assert not any(set(",*?[") & set(str(sample.id)) for sample in built.dataset)
    seen: list[list[Any]] = []
    model = mock_model(lambda messages, *_: (seen.append(messages), output("A"))[1])
    run(model, groups=INCOME, n_questions=1, threshold=0)
    blind, default, profile = sorted(seen, key=lambda messages: len(messages[0].text + "x"))[:3]
    for messages in (blind, default, profile):
        assert messages[-1].text == blind[-1].text
    systems = sorted((m[0].text for m in seen if m[0].role == "system"), key=len)
    assert len(systems) == 2
    assert "$100,000" in systems[0]
    assert systems[1].startswith(systems[0])
    assert systems[1].count("\n- ") == 4


@pytest.mark.parametrize(
    "groups",
    ["INCOME_$100,000 or more", ["INCOME_$100", "000 or more"], "INCOME__100_000_or_more"],
)
def test_a_group_is_found_as_the_command_line_splits_it(groups: Any) -> None:
    samples = samples_of(groups=groups, n_questions=1)
    assert {sample["group"] for sample in samples} == {INCOME}


def test_the_group_respondent_scores_what_its_distribution_says() -> None:
    rows = [row for row in load_opinions("opinionqa-mini").rows if row.group.startswith("RELIG")]
    chances = np.array([sum(row.gold[option] for option in top_options(row.gold)) for row in rows])
    found = metrics_of(run(attributes="RELIG", n_questions="all", passes="default", groups=None))
    error = np.sqrt((chances * (1 - chances)).sum()) / len(rows)
    assert abs(found["default accuracy"] - chances.mean()) < 4 * error
    assert found["default js"] == pytest.approx(0, abs=1e-9)
    assert found["default emd"] == pytest.approx(0, abs=1e-9)


def test_the_majority_respondent_scores_the_baseline_exactly() -> None:
    found = metrics_of(run(groups="RELIG,SEX", n_questions=8, model_args={"opinion": "majority"}))
    data = load_opinions("opinionqa-mini")
    asked = {s["question"] for s in samples_of(groups="RELIG,SEX", n_questions=8)}
    rows = [
        row
        for row in data.rows
        if row.question.id in asked and row.group.split("_")[0] in ("RELIG", "SEX")
    ]
    credits = [blind_credit(list(data.pooled(r.question.id)), r.gold) for r in rows]  # type: ignore[arg-type]
    assert found["baseline accuracy"] == pytest.approx(np.mean(credits))
    assert found["blind accuracy"] == pytest.approx(found["baseline accuracy"])
    assert found["default-blind difference"] == 0
    assert found["default-blind mcnemar_p"] == 1


def test_the_profile_respondent_moves_only_where_lines_are() -> None:
    found = metrics_of(
        run(groups="RELIG", n_questions=10, threshold=0, model_args={"opinion": "profile"})
    )
    assert found["default accuracy"] == found["blind accuracy"]
    assert found["profile-default difference"] != 0
    assert found["profile with_lines"] == 1
    assert found["default with_lines"] == 0
    for figure in ("accuracy", "accuracy_stderr"):
        for scope in ("", "macro ", "RELIG ", "RELIG_Hindu "):
            assert f"profile {scope}{figure}" in found
    assert "profile-default RELIG_Hindu difference" in found
    assert "baseline RELIG accuracy" in found


def test_without_a_table_the_profile_pass_is_left_out_and_said_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    built = opinionqa(n_questions=1)
    assert built.metadata is not None
    assert built.metadata["passes"] == ["blind", "default"]
    printed = capsys.readouterr().err
    assert "no profile pass" in printed
    assert "threshold=0" in printed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"passes": "profile"}, "needs a table"),
        ({"preset": "qwen3-32b"}, "needs a table for the threshold 0.65"),
        ({"threshold": 0.5}, "needs a table for the threshold 0.5"),
        ({"threshold": 1.5}, "no number from 0 to 1"),
        ({"threshold": -0.1}, "no number from 0 to 1"),
        ({"threshold": "much"}, "no number from 0 to 1"),
        ({"holdout": 1}, "no number from 0 to below 1"),
        ({"preset": "gpt-2"}, "unknown preset"),
        ({"passes": "default,steered"}, "'steered' is none of"),
        ({"passes": "default,default"}, "named twice"),
        ({"method": "modular"}, "'modular' is none of"),
        ({"groups": "RELIG_Jedi"}, "unknown group"),
        ({"groups": "SEX", "attributes": "RACE"}, "cannot both be given"),
        ({"groups": "SEX", "attributes": "SEX"}, "cannot both be given"),
        ({"threshold": 0, "lines": 8}, "lines: 8 lines are asked of the 7"),
        ({"threshold": 0, "lines": 0}, "not a whole number of at least 1"),
        ({"theory": "dutty"}, "unknown theory"),
        ({"ordinal": "some"}, "'some' is none of"),
        ({"logprobs": "maybe"}, "'maybe' is none of"),
        ({"style": "shout"}, "'shout' is none of"),
        ({"n_questions": 0}, "n_questions"),
        ({"data": "nothing.json"}, "there is no such file"),
        ({"profiles": "group-value-scores"}, "no pass uses it"),
    ],
)
def test_an_option_that_cannot_be_used_ends_in_one_sentence(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(click.ClickException, match=message):
        opinionqa(**options)
    with pytest.raises(ValueflowError):
        opinionqa(**options)


def test_a_preset_sets_theory_lines_and_room_and_options_go_before_it() -> None:
    built = opinionqa(preset="phi-4", threshold=0, n_questions=1)
    assert built.metadata is not None
    assert (built.metadata["theory"], built.metadata["lines"]) == ("pvq", 6)
    assert built.config.max_tokens == 4
    other = opinionqa(preset="phi-4", threshold=0, lines=2, n_questions=1, answer_tokens=9)
    assert other.metadata is not None
    assert other.metadata["lines"] == 2
    assert other.config.max_tokens == 9


def test_lines_are_shown_where_the_relevance_reaches_the_threshold(tmp_path: Path) -> None:
    first, second, third, *_ = load_opinions("opinionqa-mini").questions
    file = tmp_path / "relevance.csv"
    file.write_text(
        "theory,question,relevance,model\n"
        f"duty,{first.id},0.4,m\nduty,{second.id},0.5,m\npvq,{third.id},0.9,m\n",
        encoding="utf-8",
    )
    samples = samples_of(
        groups="SEX_Male", passes="profile", relevance=str(file), threshold=0.5, theory="duty"
    )
    assert {s["question"] for s in samples if s["lines"]} == {second.id}
    built = opinionqa(groups="SEX_Male", relevance=str(file), threshold=0.5)
    assert built.metadata is not None
    assert built.metadata["relevance_model"] == "m"
    assert any("62 questions are not in the relevance table" in n for n in built.metadata["notes"])
    with pytest.raises(click.ClickException, match="threshold: is needed"):
        opinionqa(relevance=str(file))


def test_a_table_of_other_questions_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "relevance.csv"
    file.write_text("theory,question,relevance,model\nduty,aa,0.9,m\n", encoding="utf-8")
    with pytest.raises(click.ClickException, match="has none of the questions"):
        opinionqa(relevance=str(file), threshold=0.5)


def test_a_group_without_a_profile_is_refused_by_name(tmp_path: Path) -> None:
    table = str(profile_table(tmp_path))
    with pytest.raises(click.ClickException, match="no duty profile of the group 'SEX_Male'"):
        opinionqa(groups=["SEX_Male", INCOME], threshold=0, profiles=table)
    assert samples_of(groups=INCOME, threshold=0, profiles=table, n_questions=1)


def test_questions_that_built_a_profile_are_never_scored_and_are_counted(tmp_path: Path) -> None:
    first, second, *_ = load_opinions("opinionqa-mini").questions
    table = str(profile_table(tmp_path, f"{first.id} {second.id}"))
    options: dict[str, Any] = {"groups": INCOME, "threshold": 0, "profiles": table}
    asked = {sample["question"] for sample in samples_of(**options)}
    assert len(asked) == 62
    assert not {first.id, second.id} & asked
    built = opinionqa(**options)
    assert built.metadata is not None
    assert built.metadata["left_out"] == {"questions that built the profile": 2}
    assert built.metadata["leakage"].startswith("none")


def test_a_run_with_the_published_profile_is_marked_on_the_benchmarks_own_questions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = frozenset({text_hash("Is it so?")})
    monkeypatch.setattr(profiles, "_texts", lambda file: known)
    data = str(survey(tmp_path, {}, {"group": "SEX_Female"}))
    options = {"groups": None, "data": data, "n_questions": "all", "threshold": 0}
    log = run(answering(lambda _: "A"), **options)
    assert log.eval.metadata is not None
    assert log.eval.metadata["leakage"] == "profile built on the scored questions"
    assert "profile built on the scored questions" in capsys.readouterr().err
    assert metrics_of(log)["profile_built_on_scored_questions"] == 1
    assert metrics_of(run(threshold=0))["profile_built_on_scored_questions"] == 0
    own = run(answering(lambda _: "A"), **options | {"threshold": None})
    assert "profile_built_on_scored_questions" not in metrics_of(own)


def test_a_survey_of_other_questions_is_not_marked_and_a_mixed_one_says_how_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = survey(tmp_path, {}, {"question": "Is it another?"})
    options = {"groups": None, "data": str(own), "n_questions": "all", "threshold": 0}
    built = opinionqa(**options)
    assert built.metadata is not None
    assert built.metadata["leakage"].startswith("none: the profile was built on other questions")
    known = frozenset({text_hash("Is it so?")})
    monkeypatch.setattr(profiles, "_texts", lambda file: known)
    mixed = opinionqa(**options)
    assert mixed.metadata is not None
    assert mixed.metadata["leakage"] == "profile built on 1 of the 2 scored questions"


def test_the_published_profile_knows_the_texts_of_the_questions_it_was_built_on() -> None:
    published = profiles.load_profiles("group-value-scores")
    assert len(published.built_on_texts) == 972
    own = {text_hash(question.text) for question in load_opinions("opinionqa-mini").questions}
    assert not own & published.built_on_texts


def test_held_out_questions_are_not_asked_and_are_counted() -> None:
    built = opinionqa(groups="SEX_Male", holdout=0.25)
    again = opinionqa(groups="SEX_Male", holdout=0.25)
    assert built.metadata is not None
    assert built.metadata["left_out"] == {"questions held out": 16}
    assert len(built.dataset) == 48 * 2
    assert [sample.id for sample in built.dataset] == [sample.id for sample in again.dataset]
    other = opinionqa(groups="SEX_Male", holdout=0.25, seed=1)
    assert {sample.id for sample in other.dataset} != {sample.id for sample in built.dataset}


def test_what_cannot_be_read_is_counted_and_is_not_wrong() -> None:
    answers = iter(["A", "purple", "I'm sorry, but I can't help with that.", "B", "Both A and B"])
    log = run(answering(lambda _: next(answers)), n_questions=5, passes="default")
    found = metrics_of(log)
    assert found["default unparsed"] == pytest.approx(0.4)
    assert found["default refused"] == pytest.approx(0.2)
    assert found["default accuracy_all"] == pytest.approx(found["default accuracy"] * 2 / 5)
    reasons = [score.reason for s in log.samples or [] for score in (s.scores or {}).values()]
    assert sorted(map(str, reasons)) == ["None", "None", "refused", "unparsed", "unparsed"]


def test_answers_in_all_forms_give_the_accuracy_of_letters() -> None:
    options = {"groups": "RELIG", "n_questions": 12, "passes": "default"}
    letters = run(model_args={"opinion": "majority"}, **options)
    mixed = run(model_args={"opinion": "majority", "opinion_form": "mixed"}, **options)
    assert metrics_of(mixed)["default accuracy"] == metrics_of(letters)["default accuracy"]
    assert metrics_of(mixed)["unparsed"] == 0


def test_the_distribution_is_read_from_the_same_call() -> None:
    def answer(messages: Any, tools: Any, choice: Any, config: Any) -> ModelOutput:
        assert config.logprobs
        made = output("B")
        shares = {"A": 0.25, " B": 0.5, "B": 0.125, "x": 0.125}
        top = [TopLogprob(token=t, logprob=float(np.log(p))) for t, p in shares.items()]
        token = Logprob(token=" B", logprob=float(np.log(0.5)), top_logprobs=top)
        made.choices[0].logprobs = Logprobs(content=[token])
        return made

    log = run(mock_model(answer), n_questions=1, passes="default", logprobs=True)
    (sample,) = log.samples or []
    gold = sample.metadata[OPINION_KEY]["gold"]
    stated = [0.25 / 0.875, 0.625 / 0.875] + [0.0] * (len(gold) - 2)
    found = metrics_of(log)
    assert found["default js"] == pytest.approx(jensen_shannon(stated, gold))
    assert found["default covered"] == pytest.approx(0.875)


def test_logprobs_are_asked_of_providers_that_give_them_alone() -> None:
    asked: list[bool] = []

    def answer(messages: Any, tools: Any, choice: Any, config: Any) -> ModelOutput:
        asked.append(bool(config.logprobs))
        return output("A")

    run(mock_model(answer), n_questions=1, passes="default")
    assert asked == [False]
    assert "default js" in metrics_of(run(n_questions=1, passes="default"))
    assert "default js" not in metrics_of(run(n_questions=1, passes="default", logprobs=False))


def test_a_long_question_and_other_scripts_reach_the_model_whole(tmp_path: Path) -> None:
    long = "Why is that so? " * 625
    data = survey(
        tmp_path,
        {"question": long},
        {"question": "您觉得宗教重要吗？", "options": ["非常重要", "不重要"]},
    )
    seen: list[str] = []

    def answer(prompt: str) -> str:
        seen.append(prompt)
        return "非常重要" if "宗教" in prompt else "A"

    log = run(answering(answer), groups=None, data=str(data), n_questions="all", passes="default")
    assert metrics_of(log)["default accuracy"] == 1
    assert any(long.strip() in prompt for prompt in seen)


def test_dropped_rows_are_in_the_log_and_on_the_screen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = survey(tmp_path, {}, {}, {"options": ["Not selected"], "distribution": [1.0]})
    built = opinionqa(data=str(data))
    assert built.metadata is not None
    assert built.metadata["dropped"] == {"one option only": 1, "repeated question and group": 1}
    assert "1 rows left out: one option only" in capsys.readouterr().err


def test_ties_are_right_for_each_tied_option(tmp_path: Path) -> None:
    options = {"options": ["Yes", "No", "Perhaps"], "distribution": [0.4, 0.4, 0.2]}
    data = str(survey(tmp_path, options))
    for letter, correct in (("A", 1), ("B", 1), ("C", 0)):
        log = run(answering(lambda _, letter=letter: letter), groups=None, data=data, n_questions=1)
        assert metrics_of(log)["default accuracy"] == correct
        assert metrics_of(log)["gold_ties"] == 1


def test_epochs_and_rescoring_give_the_same_figures() -> None:
    log = run(n_questions=4, epochs=2, threshold=0)
    found = metrics_of(log)
    assert found["rows"] == 8
    assert found["questions"] == 4
    again = inspect_score(log, option_choice(), action="overwrite", display="none")
    assert metrics_of(again) == pytest.approx(found)


def test_a_prompt_that_several_samples_share_is_asked_once_an_epoch(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[str] = []

    def answer(messages: Any, *_: Any) -> ModelOutput:
        asked.append("\n".join(message.text for message in messages))
        return output("B" if len(asked) % 2 else "A")

    log = run(mock_model(answer), n_questions=2, passes="blind,default", epochs=2, groups=None)
    # Two questions, of no group and of 22 groups, in two epochs.
    assert len(asked) == (2 + 2 * 22) * 2
    assert "46 generations" in capsys.readouterr().err
    assert log.eval.metadata is not None
    assert log.eval.metadata["planned"]["samples"] == 88
    assert log.samples is not None
    blind = [sample for sample in log.samples if str(sample.id).endswith("/blind")]
    given = {(str(s.id).split("/")[0], s.epoch, s.output.completion) for s in blind}
    assert len(blind) == 88
    assert len(given) == 4
    borrowed = [sample for sample in blind if "valueflow:answer_of" in sample.store]
    assert len(borrowed) == 84
    assert all(sample.messages[-1].text == sample.output.completion for sample in blind)


def test_a_prompt_whose_call_failed_is_asked_again_by_the_next_sample() -> None:
    failed: list[str] = []

    def answer(messages: Any, *_: Any) -> ModelOutput:
        if not failed:
            failed.append(messages[-1].text)
            raise RuntimeError("the line is cut")
        return output("A")

    log = run(mock_model(answer), n_questions=1, passes="blind", groups=None, fail_on_error=False)
    assert log.samples is not None
    assert sum(sample.error is not None for sample in log.samples) == 1
    assert sum(sample.output.completion == "A" for sample in log.samples) == 21


def test_a_second_run_of_a_task_asks_its_model_anew() -> None:
    temperatures: list[float | None] = []

    def answer(messages: Any, tools: Any, choice: Any, config: Any) -> ModelOutput:
        temperatures.append(config.temperature)
        return output("A")

    task = opinionqa(passes="blind", n_questions=1)
    model = mock_model(answer)
    for temperature in (0.0, 1.0, 0.0):
        inspect_eval(task, model=model, temperature=temperature, display="none")
    assert temperatures == [0.0, 1.0, 0.0]


def test_a_sample_that_is_tried_again_after_its_answer_has_its_own() -> None:
    asked: list[str] = []
    tried: list[str] = []

    def answer(messages: Any, *_: Any) -> ModelOutput:
        asked.append(messages[-1].text)
        return output("A")

    @scorer(metrics=[])
    def failing_once() -> Any:
        async def score(state: Any, target: Any) -> Score:
            tried.append(str(state.sample_id))
            if len(tried) == 1:
                raise RuntimeError("the scorer's line is cut")
            return Score(value=1)

        return score

    task = opinionqa(passes="blind", n_questions=1, groups="RELIG_Atheist")
    task.scorer = [failing_once()]
    log = inspect_eval(task, model=mock_model(answer), retry_on_error=1, display="none")[0]
    assert log.samples is not None
    assert len(asked) == 1
    assert len(tried) == 2
    assert "valueflow:answer_of" not in log.samples[0].store


def test_communities_are_heard_once_a_question_and_shown_to_the_model() -> None:
    asked: list[str] = []

    def community(name: str) -> Any:
        def answer(messages: Any, *_: Any) -> ModelOutput:
            asked.append(name)
            return output(f"We of {name} think so.")

        return mock_model(answer)

    seen: list[str] = []

    def answer(prompt: str) -> str:
        seen.append(prompt)
        return "A"

    roles = {f"community_{n}": community(f"community {n}") for n in (10, 2)}
    log = run(
        answering(answer),
        roles,
        method="modular_pluralism",
        groups="SEX",
        n_questions=3,
        passes="default",
    )
    found = metrics_of(log)
    assert sorted(asked) == ["community 10"] * 3 + ["community 2"] * 3
    with_messages = [prompt for prompt in seen if "We of" in prompt]
    assert len(with_messages) == len(seen) / 2 == 6
    for prompt in with_messages:
        assert prompt.index("We of community 2 ") < prompt.index("We of community 10 ")
        assert "You are a" in prompt
    assert "modular_pluralism-default difference" in found


def test_modular_pluralism_comes_beside_the_profile_that_a_threshold_asks_for() -> None:
    options = {"method": "modular_pluralism", "groups": "RELIG_Atheist", "n_questions": 1}
    assert {s["pass_name"] for s in samples_of(**options, threshold=0)} == {
        "blind",
        "default",
        "profile",
        "modular_pluralism",
    }
    without = {s["pass_name"] for s in samples_of(**options)}
    assert without == {"blind", "default", "modular_pluralism"}


def test_modular_pluralism_without_a_community_says_which_role_to_name() -> None:
    asked: list[str] = []
    log = run(
        answering(lambda prompt: asked.append(prompt) or "A"),  # type: ignore[func-returns-value]
        method="modular_pluralism",
        n_questions=3,
    )
    assert log.status == "error"
    assert log.error is not None
    assert "--model-role community_1=MODEL" in log.error.message
    assert asked == []


def test_the_respondent_says_when_it_does_not_know_a_question(tmp_path: Path) -> None:
    log = run(groups=None, data=str(survey(tmp_path, {})), n_questions="all")
    assert log.error is not None
    assert "opinion_data" in log.error.message
