"""Survey tasks of the lm-eval adapter, with the harness played by hand; nothing here needs it."""

import csv
import hashlib
import json
import math
import pickle
import re
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner
from inspect_ai import eval as inspect_eval

from tests.conftest import mock_model, output
from valueflow.cli import main
from valueflow.hub_assets.errors import UnknownNameError, ValueflowError
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.hub_assets.survey import profiles
from valueflow.hub_assets.survey.questions import load_opinions, text_hash
from valueflow.hub_assets.survey.sample import OPINION_KEY, OpinionSample
from valueflow.lm_eval.aggregation import Entry
from valueflow.lm_eval.leaves import ANSWERS, all_metrics, opinion_leaves
from valueflow.lm_eval.steering import documents as steering_documents
from valueflow.lm_eval.survey import documents, process_results
from valueflow.lm_eval.task_files import task_folder, yaml_files
from valueflow.simulated.survey import OpinionAnswers, OpinionAnswersOptions
from valueflow.solvers.survey_wording import sample_prompt
from valueflow.survey.task import opinionqa

PASSES = ("blind", "default", "profile")
RICH = "INCOME_$100,000 or more"
FEW: dict[str, Any] = {"groups": [RICH, "SEX_Male"], "n_questions": 6}

Metadata = dict[str, Any]


def rows(task: str = "valueflow_opinionqa_default", **metadata: Any) -> list[dict[str, Any]]:
    given = {f"valueflow_{key}": setting for key, setting in metadata.items()}
    return list(documents(valueflow_task=task, **given)["test"])


def numbers_of(
    task: str, metadata: Metadata, answer: Callable[[dict[str, Any]], list[Any]]
) -> dict[str, float]:
    """A whole run of a task, with the harness played by hand."""
    import valueflow.lm_eval.survey as results

    collected: dict[str, list[Entry]] = {}
    for doc in rows(task, **metadata):
        for metric, entry in process_results(doc, answer(doc)).items():
            collected.setdefault(metric, []).append(entry)
    return {metric: getattr(results, metric)(entries) for metric, entries in collected.items()}


def varied(prompt: str) -> str:
    """An answer in any of many forms, the same whenever the prompt is the same."""
    letters = re.findall(r"^([A-Z])\. (.*)$", prompt, re.MULTILINE)
    drawn = hashlib.sha256(prompt.encode()).digest()
    letter, text = letters[drawn[0] % len(letters)]
    forms = (
        letter,
        letter,
        f"Answer: {letter}.",
        text,
        "purple",
        "I'm sorry, but I can't answer that.",
    )
    return forms[drawn[1] % len(forms)]


def under_inspect(answer: Callable[[str], str], **options: Any) -> dict[str, float]:
    model = mock_model(lambda messages, *_: output(answer(messages[-1].text)))
    log = inspect_eval(opinionqa(**options, style="user"), model=model, display="none")[0]
    assert log.status == "success", log.error
    assert log.results is not None
    return {name: metric.value for name, metric in log.results.scores[0].metrics.items()}


def tied_survey(folder: Path) -> Path:
    """Three questions of four groups; the first has two, the second three tied options."""
    shares = ([0.4, 0.4, 0.2], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.3, 0.2])
    groups = (RICH, "INCOME_Less than $30,000", "SEX_Male", "SEX_Female")
    lines = [
        {
            "question": f"Is it so, number {n}?",
            "options": ["Yes", "No", "Perhaps"],
            "group": group,
            "distribution": gold[place % 2 :] + gold[: place % 2],
            "ordinal": n == 2,
        }
        for n, gold in enumerate(shares)
        for place, group in enumerate(groups)
    ]
    file = folder / "survey.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return file


def profile_table(folder: Path, questions: str = "") -> Path:
    file = folder / "profiles.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["group", "theory", "value", "score", "questions"])
        for n, value in enumerate(load_registry().theories["duty"].values):
            writer.writerow([RICH, "duty", value.name, n / 10, questions])
    return file


def test_the_patterns_for_tasks_match_each_survey_task_once_and_no_group() -> None:
    names = {leaf.name for leaf in opinion_leaves(load_registry())}
    assert names == {f"valueflow_opinionqa_{p}{form}" for p in PASSES for form in ("", "_letters")}
    for name in yaml_files(load_registry()):
        if "opinionqa" in name:
            stem = name.removesuffix(".yaml")
            assert fnmatch(stem, "valueflow_*") == (stem in names)


def test_every_attribute_has_a_group_of_the_three_passes() -> None:
    class Plain(yaml.SafeLoader):
        """Reads a function as its name."""

    Plain.add_constructor("!function", lambda loader, node: loader.construct_scalar(node))
    for attribute in load_registry().opinion.attributes:
        for form in ("", "letters-"):
            name = f"valueflow-opinionqa-{form}{attribute.lower()}"
            text = (task_folder() / f"{name}.yaml").read_text(encoding="utf-8")
            members = yaml.load(text, Plain)["task"]
            assert [member["task"] for member in members] == list(PASSES)
            for member in members:
                task = member["dataset_kwargs"]["valueflow_task"]
                assert task == f"{name}::{member['task']}"
                found = rows(task, n_questions=1)
                asked = {json.loads(doc["sample"])["attribute"] for doc in found}
                assert asked == {attribute}


def test_no_metric_has_a_comma_or_a_space() -> None:
    assert all(re.fullmatch(r"\w+", name) for name in all_metrics(load_registry()))
    assert "accuracy_INCOME_100_000_or_more" in all_metrics(load_registry())


@pytest.mark.parametrize("letters", ["", "_letters"])
@pytest.mark.parametrize("name", PASSES)
def test_documents_are_inspects_samples_with_their_prompts(name: str, letters: str) -> None:
    options = {**FEW, "seed": 3}
    built = opinionqa(**options, passes=name, threshold=0)
    found = rows(f"valueflow_opinionqa_{name}{letters}", **options)
    assert [doc["id"] for doc in found] == [sample.id for sample in built.dataset]
    for doc, sample in zip(found, built.dataset, strict=True):
        assert sample.metadata is not None
        settings = OpinionSample.model_validate(sample.metadata[OPINION_KEY])
        assert OpinionSample.model_validate_json(doc["sample"]) == settings
        assert doc["prompt"] == sample_prompt(settings, "user").user
        assert doc["letters"] == list(ascii_uppercase[: len(settings.options)])


def test_no_judge_is_needed_and_all_questions_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VALUEFLOW_GRADER", raising=False)
    assert len(rows("valueflow_opinionqa_profile")) == 64 * 22


def test_a_base_model_gets_one_text_to_go_on_with() -> None:
    (doc,) = rows(groups=[RICH], n_questions=1, style="base")
    assert doc["prompt"].endswith("\n\nAnswer:")
    assert "$100,000" in doc["prompt"]


@pytest.mark.parametrize("ties", [False, True])
def test_the_same_answers_give_inspects_numbers(ties: bool, tmp_path: Path) -> None:
    options: Metadata = {"groups": "RELIG,INCOME", "n_questions": 5}
    if ties:
        options = {"data": str(tied_survey(tmp_path))}
    log = under_inspect(varied, **options, threshold=0)
    compared = 0
    unread: list[bool] = []
    for name in PASSES:
        task = f"valueflow_opinionqa_{name}"
        found = numbers_of(task, options, lambda doc: [varied(doc["prompt"])])
        leaf = next(leaf for leaf in opinion_leaves(load_registry()) if leaf.name == task)
        for metric, figure in leaf.metrics(load_registry()).items():
            if metric == "answers":
                assert found[metric] * 3 == log[figure]
                continue
            if metric not in found:
                assert figure not in log
                continue
            assert found[metric] == pytest.approx(log[figure], abs=1e-9)
            if f"{metric}_stderr" in found:
                error = log.get(f"{figure}_stderr", math.nan)
                assert found[f"{metric}_stderr"] == pytest.approx(error, abs=1e-9, nan_ok=True)
                compared += math.isfinite(error)
        unread += [found["refused"] > 0, found["unparsed"] > 0]
        assert (log["gold_ties"] > 0) == ties
    assert compared > 20
    assert any(unread[::2])
    assert any(unread[1::2])


def test_letters_give_the_distances_that_inspect_reads_from_logprobs() -> None:
    options = OpinionAnswersOptions(opinion="profile", opinion_follow=0.7)
    respondent = OpinionAnswers(options, 0)

    def likelihoods(doc: dict[str, Any]) -> list[Any]:
        _, stated = respondent.answer(doc["prompt"])
        # Half of the certainty goes elsewhere than to letters, and below half no answer is read.
        return [(stated.get(x, -math.inf) + math.log(0.6), False) for x in doc["letters"]]

    chosen: Metadata = {"groups": "RELIG", "n_questions": 10}
    log = inspect_eval(
        opinionqa(**chosen, threshold=0, style="user"),
        model="valueflow/respondent",
        model_args={"opinion": "profile", "opinion_follow": 0.7},
        display="none",
    )[0]
    assert log.results is not None
    under = {name: metric.value for name, metric in log.results.scores[0].metrics.items()}
    for name in PASSES:
        found = numbers_of(f"valueflow_opinionqa_{name}_letters", chosen, likelihoods)
        for metric in ("js", "emd"):
            assert found[metric] == pytest.approx(under[f"{name} {metric}"], abs=1e-9)
            error = under[f"{name} {metric}_stderr"]
            assert found[f"{metric}_stderr"] == pytest.approx(error, abs=1e-9)
            assert found[f"baseline_{metric}"] == pytest.approx(under[f"baseline {metric}"])
        assert found["covered"] == pytest.approx(0.6)
        assert found["unparsed"] == 0


def test_the_likeliest_letter_is_the_answer_however_little_the_letters_have() -> None:
    chosen: Metadata = {"groups": [RICH, "SEX_Male"], "n_questions": 8}

    def knowing(doc: dict[str, Any]) -> list[Any]:
        gold = json.loads(doc["sample"])["gold"]
        return [(math.log(share / 10), False) for share in gold]

    found = numbers_of("valueflow_opinionqa_default_letters", chosen, knowing)
    assert found["accuracy"] == 1
    assert found["covered"] == pytest.approx(0.1)
    assert math.isnan(found["js"])
    ignorant = numbers_of(
        "valueflow_opinionqa_default_letters",
        chosen,
        lambda doc: [(math.nan, False) for _ in doc["letters"]],
    )
    assert ignorant["unparsed"] == 1
    assert math.isnan(ignorant["accuracy"])


def test_a_group_with_a_comma_can_be_asked_alone_and_has_its_own_metric(tmp_path: Path) -> None:
    for spelling in (RICH, [RICH], "INCOME__100_000_or_more"):
        found = rows(groups=spelling, n_questions=1)
        assert [json.loads(doc["sample"])["group"] for doc in found] == [RICH]
    task = "valueflow-opinionqa-income::default"
    folder = tmp_path / "tables"
    numbers = numbers_of(
        task, {"n_questions": 4, "output": str(folder)}, lambda doc: [doc["target"]]
    )
    assert numbers["accuracy_INCOME_100_000_or_more"] == 1
    assert numbers["accuracy_INCOME_Less_than_30_000"] == 1
    (figures,) = folder.glob("figures_valueflow-opinionqa-income-default_*.csv")
    with figures.open(newline="", encoding="utf-8") as stream:
        table = {row["figure"]: row["value"] for row in csv.DictReader(stream)}
    assert table[f"default {RICH} accuracy"] == "1"
    (answers,) = folder.glob("answers_*.csv")
    with answers.open(newline="", encoding="utf-8") as stream:
        assert [row["group"] for row in csv.DictReader(stream)].count(RICH) == 4


def test_groups_that_are_not_asked_have_no_metric() -> None:
    task = "valueflow-opinionqa-income::default"
    numbers = numbers_of(task, {**FEW, "groups": [RICH]}, lambda doc: [doc["target"]])
    assert numbers["accuracy_INCOME_100_000_or_more"] == pytest.approx(1)
    assert "accuracy_INCOME_Less_than_30_000" not in numbers


def test_an_attributes_task_asks_the_named_groups_of_its_own() -> None:
    found = rows("valueflow-opinionqa-income::blind", **FEW)
    assert {json.loads(doc["sample"])["group"] for doc in found} == {RICH}
    with pytest.raises(ValueflowError, match=r"none of SEX belongs to RELIG.*--tasks"):
        rows("valueflow-opinionqa-relig::blind", groups="SEX")


def test_the_profile_task_has_lines_everywhere_unless_a_threshold_is_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = rows("valueflow_opinionqa_profile", **FEW)
    assert all(doc["prompt"].count("\n- ") == 4 for doc in found)
    assert "every question (threshold 0)" in capsys.readouterr().err
    first, second, *_ = load_opinions("opinionqa-mini").questions
    table = tmp_path / "relevance.csv"
    table.write_text(
        f"theory,question,relevance,model\nduty,{first.id},0.4,m\nduty,{second.id},0.5,m\n",
        encoding="utf-8",
    )
    found = rows("valueflow_opinionqa_profile", groups=RICH, relevance=str(table), threshold=0.45)
    assert sum("\n- " in doc["prompt"] for doc in found) == 1
    with pytest.raises(ValueflowError, match="valueflow_threshold: is needed"):
        rows("valueflow_opinionqa_profile", relevance=str(table))
    with pytest.raises(ValueflowError, match=r"needs a table for the threshold 0\.65"):
        rows("valueflow_opinionqa_profile", preset="qwen3-32b")


@pytest.mark.parametrize(
    "options",
    [
        {"preset": "gpt-2", "threshold": 0},
        {"threshold": 1.5},
        {"threshold": "much"},
        {"threshold": 0.5},
        {"holdout": 1},
        {"groups": "RELIG_Jedi"},
        {"groups": "SEX", "attributes": "RACE"},
        {"lines": 8, "threshold": 0},
        {"lines": 0},
        {"theory": "dutty"},
        {"ordinal": "some"},
        {"n_questions": 0},
        {"seed": "one"},
        {"data": "nothing.json"},
        {"data_columns": "text"},
        {"relevance": "nothing.csv", "threshold": 0.5},
        {"profiles": "nothing.csv", "threshold": 0},
        {"style": "shout"},
    ],
)
def test_a_wrong_option_ends_in_inspects_sentence(options: dict[str, Any]) -> None:
    with pytest.raises(click.ClickException) as inspects:
        opinionqa(**{"threshold": 0, **options}, passes="profile")
    with pytest.raises(ValueflowError) as ours:
        rows("valueflow_opinionqa_profile", **options)
    told = re.sub(r"-T (\w+)=", r"valueflow_\1=", inspects.value.message)
    if "style" in options:
        assert str(ours.value).startswith("valueflow_style: 'shout' is none of user, base")
    elif told.split(":")[0] in options:
        assert str(ours.value) == f"valueflow_{told}"
    else:
        assert str(ours.value).removeprefix("valueflow_") == told


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_question": 3}, "unknown key in --metadata.*Did you mean 'valueflow_n_questions'"),
        ({"passes": "blind"}, "valueflow_passes: .*every pass is a task"),
        ({"answer_tokens": 4}, "valueflow_answer_tokens: .*--gen_kwargs max_gen_toks"),
        ({"logprobs": True}, "valueflow_logprobs: .*_letters"),
        ({"method": "modular_pluralism"}, "runs under Inspect alone"),
        ({"style": "system"}, "cannot be a system message"),
    ],
)
def test_an_option_that_lm_eval_has_elsewhere_is_told(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueflowError, match=message):
        rows(**options)


def test_an_unknown_task_is_named() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'valueflow_opinionqa_blind'"):
        rows("valueflow_opinionqa_blnd")


def test_one_metadata_holds_for_steering_and_surveys() -> None:
    both = {"values": "power", "n_queries": 1, "n_questions": 1, "groups": RICH, "seed": 1}
    assert len(rows(**both, grader="none", method="definition")) == 1
    given = {f"valueflow_{key}": setting for key, setting in both.items()}
    task = "valueflow_steer_pvq"
    made = steering_documents(valueflow_task=task, valueflow_grader="none", **given)
    assert len(made["test"]) == 5


def test_questions_that_built_a_profile_are_asked_in_no_pass(tmp_path: Path) -> None:
    first, second, *_ = load_opinions("opinionqa-mini").questions
    table = str(profile_table(tmp_path, f"{first.id} {second.id}"))
    for name in PASSES:
        found = rows(f"valueflow_opinionqa_{name}", groups=RICH, profiles=table)
        assert len(found) == 62
        assert not {first.id, second.id} & {doc["id"].split("/")[0] for doc in found}


def test_a_profile_that_was_built_on_the_questions_is_marked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = frozenset(text_hash(f"Is it so, number {n}?") for n in range(3))
    monkeypatch.setattr(profiles, "_texts", lambda file: known)
    data = str(tied_survey(tmp_path))
    answer = lambda doc: [doc["target"]]  # noqa: E731
    numbers = numbers_of("valueflow_opinionqa_profile", {"data": data}, answer)
    assert numbers["profile_built_on_scored_questions"] == 1
    told = capsys.readouterr().err
    assert "valueflow_opinionqa_profile: profile built on the scored questions: the pub" in told
    assert re.search(r"valueflow_opinionqa_profile: 12 answers.*profile built on", told)
    run = json.loads(rows("valueflow_opinionqa_profile", data=data)[0]["run"])
    assert run["leakage"] == "profile built on the scored questions"
    own = numbers_of("valueflow_opinionqa_profile", FEW, answer)
    assert own["profile_built_on_scored_questions"] == 0
    plain = numbers_of("valueflow_opinionqa_default", {"data": data}, answer)
    assert "profile_built_on_scored_questions" not in plain
    assert "leakage" not in json.loads(rows(data=data)[0]["run"])


def test_what_is_held_out_is_not_asked() -> None:
    assert len(rows(groups="SEX_Male", holdout=0.25)) == 48


def test_entries_survive_the_way_between_processes() -> None:
    import valueflow.lm_eval.survey as results

    entries = [process_results(doc, [doc["target"]]) for doc in rows(**FEW)]
    there = [one["accuracy"] for one in entries]
    assert results.accuracy(pickle.loads(pickle.dumps(there))) == results.accuracy(there) == 1
    assert entries[0][ANSWERS]["rule"] == "letter"
    json.dumps(entries)
    with pytest.raises(AttributeError):
        _ = results.acuracy


def test_a_folder_that_cannot_be_written_loses_no_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    options = {**FEW, "output": str(tmp_path / "file" / "x")}
    assert numbers_of("valueflow_opinionqa_blind", options, lambda d: [d["target"]])["accuracy"]
    assert "tables were not written" in capsys.readouterr().err


def test_an_error_in_the_figures_gives_nan_and_its_reason_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("no such mean")

    monkeypatch.setattr("valueflow.lm_eval.survey.summarize_options", broken)
    options = {**FEW, "n_questions": 7}
    numbers = numbers_of("valueflow_opinionqa_blind", options, lambda d: [d["target"]])
    assert len(numbers) > 5
    assert all(map(math.isnan, numbers.values()))
    told = capsys.readouterr().err
    assert told.count("ZeroDivisionError: no such mean") == 1
    assert told.count("valueflow_opinionqa_blind: not summed up, for the error above") == 1


def samples_file(folder: Path, name: str, **metadata: Any) -> Path:
    """What the harness writes with `--log_samples`."""
    file = folder / f"samples_valueflow_opinionqa_{name}.jsonl"
    lines = [
        json.dumps({"doc": doc, "filtered_resps": [varied(doc["prompt"])]})
        for doc in rows(f"valueflow_opinionqa_{name}", **metadata)
    ]
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def test_samples_of_several_passes_are_compared_as_inspect_compares_them(tmp_path: Path) -> None:
    options: Metadata = {"groups": "RELIG,INCOME", "n_questions": 5}
    files = [str(samples_file(tmp_path, name, **options)) for name in PASSES]
    arguments = ["lm-eval", "score", *files, "-o", str(tmp_path / "scores")]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert "profile-default difference: " in done.output
    (figures,) = (tmp_path / "scores").glob("figures_survey_*.csv")
    with figures.open(newline="", encoding="utf-8") as stream:
        table = {row["figure"]: float(row["value"] or "nan") for row in csv.DictReader(stream)}
    log = under_inspect(varied, **options, threshold=0)
    assert set(table) == {name for name in log if not name.endswith("_stderr")}
    for name, number in table.items():
        assert number == pytest.approx(log[name], rel=1e-5, abs=1e-9)


def test_samples_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    first = samples_file(tmp_path, "blind", **FEW)
    same = samples_file(tmp_path / "other", "blind", **FEW)
    other = samples_file(tmp_path / "other", "default", **{**FEW, "seed": 1})
    broken = tmp_path / "broken.jsonl"
    broken.write_text(first.read_text().replace('"prompt"', '"x"').replace("[[", "[") + "\n{}\n")
    for file, message in ((same, "repeats the blind answer"), (other, "other settings")):
        done = CliRunner().invoke(
            main, ["lm-eval", "score", str(first), str(file), "-o", str(tmp_path / "out")]
        )
        assert done.exit_code == 1
        assert message in done.output
    done = CliRunner().invoke(main, ["lm-eval", "score", str(broken), "-o", str(tmp_path)])
    assert done.exit_code == 1
    assert "row 13: is no answer of a survey task" in done.output
