"""What `valueflow report` makes of survey runs, from rows of known truth to the page."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from inspect_ai.log import EvalLog

from tests.conftest import inspect_command, mock_model, output
from tests.study_runs import (
    Page,
    changed,
    copied,
    rows,
    run_log,
    seen_by_a_browser,
)
from valueflow.cli import main
from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.survey import profiles
from valueflow.hub_assets.survey.questions import load_opinions, text_hash
from valueflow.hub_assets.survey.sample import OPINION_KEY, OpinionSample, Pass
from valueflow.results.report import Report, write_report
from valueflow.results.survey.logs import AskedQuestion
from valueflow.results.survey.rows import (
    accuracy_rows,
    answer_rows,
    difference_rows,
    extreme_rows,
    main_comparison,
    question_rows,
)
from valueflow.scorers.survey.accuracy import summarize_options
from valueflow.scorers.survey.answers import READER_VERSION, ReadAnswer
from valueflow.scorers.survey.records import OptionRecord, option_record
from valueflow.survey.task import opinionqa

INCOME = "INCOME_$100,000 or more"
EDUCATION = "EDUCATION_College graduate/some postgrad"
RESPONDENT = "valueflow/respondent"


def record(
    question: str,
    group: str,
    pass_name: Pass,
    option: int | None,
    gold: tuple[float, ...] = (0.7, 0.3),
    leakage: str = "",
) -> OptionRecord:
    """An answer of which the truth is plain; no option is a refusal."""
    sample = OpinionSample(
        pass_name=pass_name,
        group=group,
        attribute=group.split("_")[0],
        question=question,
        text=f"What of {question}?",
        options=("Yes", "No"),
        gold=gold,
        pooled=(0.6, 0.4),
        leakage=leakage,
    )
    return option_record(sample, ReadAnswer(option, "refused" if option is None else "letter"))


@pytest.fixture
def known() -> list[OptionRecord]:
    """Two questions and two groups: option 0 is right everywhere. The default is right once in
    four; the profile pass three times of three, and declines once."""
    told = {
        ("a", "SEX_Male"): (0, 0),
        ("a", INCOME): (1, 0),
        ("b", "SEX_Male"): (1, 0),
        ("b", INCOME): (1, None),
    }
    return [
        one
        for (question, group), (default, profile) in told.items()
        for one in (
            record(question, group, "default", default),
            record(question, group, "profile", profile),
        )
    ]


def test_rows_of_known_answers_say_the_known_shares(known: list[OptionRecord]) -> None:
    found = {(r["scope"], r["pass"]): r for r in accuracy_rows("x", summarize_options(known))}
    assert found["all", "default"]["accuracy"] == 0.25
    assert found["all", "profile"]["accuracy"] == 1
    assert found["all", "profile"]["accuracy_all"] == found["all", "default"]["accuracy"] + 0.5
    assert (found["all", "profile"]["answers"], found["all", "profile"]["named"]) == (4, 3)
    assert found["all", "group-blind majority (oracle)"]["accuracy"] == 1
    # Means by question are 1/2 and 0: an error of a quarter, and 12.7 of them each way.
    assert found["all", "default"]["accuracy_se"] == pytest.approx(0.25)
    ends = [found["all", "default"][f"accuracy_{end}"] for end in ("lower", "upper")]
    assert ends == [0, 1]
    assert found[INCOME, "default"]["kind"] == "group"
    assert found["SEX", "default"]["kind"] == "attribute"
    scopes = list(dict.fromkeys(scope for scope, _ in found))
    assert scopes == ["all", "mean of attributes", "INCOME", "SEX", INCOME, "SEX_Male"]


def test_differences_are_over_what_both_answered(known: list[OptionRecord]) -> None:
    found = difference_rows("x", summarize_options(known))
    assert [r["comparison"] for r in found if r["kind"] == "all"] == [
        "profile − default",
        "profile − group-blind majority (oracle)",
        "default − group-blind majority (oracle)",
    ]
    first = found[0]
    assert (first["answers"], first["only_first_right"], first["only_second_right"]) == (3, 2, 0)
    assert first["difference"] == pytest.approx(2 / 3)
    assert first["mcnemar_p"] == pytest.approx(0.5)


def test_answers_are_those_that_name_an_option_and_those_that_do_not(
    known: list[OptionRecord],
) -> None:
    tied = record("c", "SEX_Male", "profile", 1, gold=(0.5, 0.5))
    unread = option_record(
        OpinionSample.model_validate(
            {**OPINION, "pass_name": "profile", "group": "SEX_Male", "attribute": "SEX"}
        ),
        ReadAnswer(None, "unparsed"),
        truncated=True,
    )
    found = {(r["pass"], r["scope"]): r for r in answer_rows("x", [*known, tied, unread])}
    row = found["profile", "all"]
    counts = [row[n] for n in ("answers", "named", "refused", "unparsed", "truncated", "ties")]
    assert counts == [6, 4, 1, 1, 1, 1]
    assert row["by_letter"] == 4
    assert found["profile", "INCOME"]["answers"] == 2


OPINION = {
    "question": "d",
    "text": "And d?",
    "options": ["Yes", "No"],
    "gold": [0.9, 0.1],
    "pooled": [0.9, 0.1],
}


def test_gains_and_losses_are_told_by_question(known: list[OptionRecord]) -> None:
    lost = [record("c", g, p, n) for g in ("SEX_Male", INCOME) for p, n in LOST]
    records = [*known, *lost]
    questions = {q: AskedQuestion(f"What of {q}?", ("Yes", "No")) for q in "abc"}
    golds = {(r["group"], r["question"]): (0.7, 0.3) for r in records}
    found = question_rows("x", records, questions, golds, [("profile", "default")])
    shown = [(r["question"], r["answers"], r["gained"], r["lost"], r["difference"]) for r in found]
    # Of equal nets the larger difference stands first: one answer of one before one of two.
    assert shown == [
        ("What of b?", 1, 1, 0, 1.0),
        ("What of a?", 2, 1, 0, 0.5),
        ("What of c?", 2, 0, 2, -1.0),
    ]
    assert found[1]["groups_gained"] == INCOME
    assert found[1]["first_says"] == "A 2"
    assert found[1]["second_says"] == "A 1, B 1"
    assert found[1]["groups_say"] == "A 2"
    assert found[1]["options"] == "A: Yes; B: No"
    ends = [(r["list"], r["question"]) for r in extreme_rows(found, most=1)]
    assert ends == [("gain", "What of b?"), ("loss", "What of c?")]


LOST: tuple[tuple[Pass, int], ...] = (("default", 0), ("profile", 1))


def test_the_comparison_that_a_reader_came_for_stands_first() -> None:
    assert main_comparison(["blind", "default", "profile"]) == ("profile", "default")
    assert main_comparison(["default", "modular_pluralism"]) == ("modular_pluralism", "default")
    assert main_comparison(["blind", "default"]) == ("default", "blind")
    assert main_comparison(["default"]) is None


def test_a_pass_whose_profile_knew_the_questions_is_marked_in_its_rows() -> None:
    leaked = "profile built on the scored questions"
    records = [record("a", "SEX_Male", p, 0, leakage=leaked) for p in ("default", "profile")]
    marks = {r["pass"]: r["mark"] for r in accuracy_rows("x", summarize_options(records))}
    assert marks == {"profile": leaked, "default": None, "group-blind majority (oracle)": None}
    differing = difference_rows("x", summarize_options(records))
    assert {r["comparison"]: r["mark"] for r in differing}["profile − default"] == leaked


def survey(folder: Path, groups: tuple[str, ...] = (INCOME, EDUCATION, "SEX_Male")) -> Path:
    file = folder / "survey.jsonl"
    lines = [
        {
            "question": f"Is {n} <b>so</b> & $5 to $9?",
            "options": ["Yes", "No", "Perhaps"],
            "group": group,
            "distribution": [0.2 + 0.1 * n, 0.7 - 0.1 * n, 0.1],
        }
        for n in range(4)
        for group in groups
    ]
    lines.append({**lines[0], "options": ["Only"], "distribution": [1.0]})
    file.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def mini_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some groups and questions of the embedded set, in three passes."""
    task = opinionqa(groups="SEX,INCOME", n_questions=5, threshold=0)
    return run_log(tmp_path_factory.mktemp("mini"), task, judge=None)


@pytest.fixture(scope="module")
def mini(mini_log: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    return write_report([mini_log], tmp_path_factory.mktemp("report"))


@pytest.mark.usefixtures("not_drawn")
def test_a_run_of_the_real_command_becomes_a_page(tmp_path: Path) -> None:
    """Groups are named as the survey spells them, with a comma, a dollar and a slash."""
    line = [
        "eval", "valueflow/opinionqa", "--model", RESPONDENT,
        "-T", f"groups={INCOME},{EDUCATION}", "-T", "n_questions=3", "-T", "threshold=0",
        "--display=none", "--log-dir", tmp_path / "logs",
    ]  # fmt: skip
    assert inspect_command(*line).exit_code == 0
    result = CliRunner().invoke(
        main, ["report", str(tmp_path / "logs"), "-o", str(tmp_path / "out")]
    )
    assert result.exit_code == 0, result.output
    assert "1 study, 5 figures" in result.output
    listed = json.loads((tmp_path / "out" / "report.json").read_text())["files"]
    assert all((tmp_path / "out" / name).is_file() for name in listed)
    groups = rows(tmp_path / "out" / "tables" / "survey_groups.csv")
    assert {row["scope"] for row in groups} == {INCOME, EDUCATION}
    text = Page(tmp_path / "out" / "index.html").text
    assert "Survey report" in text
    assert EDUCATION in text
    assert "$100,000 or more" in text


def test_tables_and_figures_say_what_the_log_says(mini: Report) -> None:
    (study,) = mini.surveys.studies
    assert [name for name in mini.files if name.endswith(".svg")] == [
        f"figures/survey_{name}.svg" for name in ("accuracy", "differences", "groups", "js", "emd")
    ]
    found = {r["pass"]: r for r in rows(mini.folder / "tables/survey_accuracy.csv")
             if r["kind"] == "all"}  # fmt: skip
    summary = {s.pass_name: s for s in study.summary.scopes if not s.scope}
    assert float(found["profile"]["accuracy"]) == pytest.approx(
        summary["profile"].figures["accuracy"].value
    )
    assert float(found["default"]["accuracy_upper"]) == pytest.approx(
        min(1, summary["default"].bounds["accuracy"][1])
    )
    questions = rows(mini.folder / "tables" / "survey_questions.csv")
    assert len(questions) == 3 * 5
    by_table = sum(int(r["gained"]) for r in questions if r["comparison"] == "profile − default")
    assert (
        by_table
        == study.summary.differences[
            [(d.first, d.second, d.scope) for d in study.summary.differences].index(
                ("profile", "default", "")
            )
        ].first_only
    )


def test_invented_data_and_simulated_models_are_told(mini: Report) -> None:
    page = Page(mini.folder / "index.html")
    assert "Simulated models answered the survey" in page.text
    assert "invented answers of 22 groups" in page.text
    assert "they say nothing about any real group" in page.text
    assert "Profile built on the scored questions" not in page.text


def test_the_page_is_one_file_and_every_figure_is_in_it(mini: Report) -> None:
    page = Page(mini.folder / "index.html")
    assert len(page.images) == 5
    assert all(len(alt) > 20 for _, alt in page.images)
    assert not [r for r in page.references if not r.startswith(("data:", "#"))]
    assert "script" not in page.tags


@pytest.mark.parametrize("width", [1100, 500])
def test_a_browser_shows_the_page_on_wide_and_narrow_screens(
    mini: Report, tmp_path: Path, width: int
) -> None:
    seen = seen_by_a_browser(mini.folder / "index.html", tmp_path, width)
    assert seen == "shown 5 of 5; wide false"


def test_the_methods_name_what_a_paper_must(mini: Report) -> None:
    text = (mini.folder / "methods.txt").read_text(encoding="utf-8")
    assert "Value intensities" not in text
    (study,) = mini.surveys.studies
    for wanted in (
        "Model valueflow/respondent;",
        "Passes: profile, default, blind",
        f"opinionqa-mini (revision 1, SHA-256 {study.settings['data hash']}",
        "5 questions, 4 groups, 20 rows",
        "4 of the theory duty from group-value-scores (SHA-256",
        "every question (threshold 0): 20 of 20 prompts",
        "Seed of every draw: 0",
        f"Inspect AI {study.logs[0].versions['inspect_ai']}",
        "clusters of all standard errors",
        f"fixed rules (version {READER_VERSION})",
    ):
        assert wanted in text


@pytest.mark.usefixtures("not_drawn")
def test_a_published_profile_on_such_data_is_marked_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = frozenset(text_hash(f"Is {n} <b>so</b> & $5 to $9?") for n in range(4))
    monkeypatch.setattr(profiles, "_texts", lambda file: known)
    data = str(survey(tmp_path))
    task = opinionqa(data=data, threshold=0)
    log = run_log(tmp_path / "logs", task, judge=None, opinion_data=data)
    report = write_report([log], tmp_path / "out")
    page = Page(report.folder / "index.html")
    assert "Profile built on the scored questions: the table" in page.text
    for name in ("survey_accuracy", "survey_differences"):
        marked = rows(report.folder / "tables" / f"{name}.csv")
        assert "profile built on the scored questions" in {row["mark"] for row in marked}
    methods = (report.folder / "methods.txt").read_text(encoding="utf-8")
    assert "no evidence for new questions" in methods
    assert "Rows of the data left out: 1 one option only" in methods
    # A question's text stands as it is: no markup, no formula.
    assert "b" not in page.tags
    assert any(f"Is {n} <b>so</b> & $5 to $9?" in page.text for n in range(4))


@pytest.mark.usefixtures("not_drawn")
def test_the_methods_name_the_threshold_and_the_model_of_the_relevance(tmp_path: Path) -> None:
    (first, *_) = load_opinions("opinionqa-mini").questions
    table = tmp_path / "relevance.csv"
    table.write_text(f"theory,question,relevance,model\nduty,{first.id},0.9,judge-7\n", "utf-8")
    task = opinionqa(groups="SEX_Male", relevance=str(table), preset="qwen3-32b", n_questions=64)
    log = run_log(tmp_path / "logs", task, judge=None)
    write_report([log], tmp_path / "out")
    text = (tmp_path / "out" / "methods.txt").read_text(encoding="utf-8")
    assert "whose relevance is at least 0.65 by" in text
    assert "(model judge-7, method" in text
    assert "SHA-256 not stated" not in text
    assert "1 of 64 prompts of the pass had them" in text
    assert "preset qwen3-32b" in text


@pytest.mark.usefixtures("not_drawn")
def test_runs_of_different_passes_pair_and_other_settings_stay_apart(tmp_path: Path) -> None:
    some: dict[str, Any] = {"groups": "SEX", "n_questions": 4}
    one = run_log(tmp_path / "a", opinionqa(passes="default", **some), judge=None)
    two = run_log(tmp_path / "b", opinionqa(passes="profile", threshold=0, **some), judge=None)
    paired = write_report([one, two], tmp_path / "paired")
    (study,) = paired.surveys.studies
    assert study.passes == ["profile", "default"]
    assert {d.rows for d in study.summary.differences if not d.scope} == {8}
    fewer = opinionqa(passes="profile", threshold=0, lines=2, **some)
    three = run_log(tmp_path / "c", fewer, judge=None)
    apart = write_report([one, two, three], tmp_path / "apart")
    assert [study.passes for study in apart.surveys.studies] == [
        ["default"],
        ["profile"],
        ["profile"],
    ]
    assert "lines: 2" in apart.surveys.studies[2].label
    assert any("differ in lines" in warning for warning in apart.warnings)
    assert "figures/survey_models.svg" in apart.files


def test_several_models_stand_side_by_side(mini_log: Path, tmp_path: Path) -> None:
    def name(log: EvalLog) -> None:
        log.eval.model = "other/$model_$1"

    other = changed(mini_log, tmp_path / "other.eval", name)
    report = write_report([mini_log, other], tmp_path / "out")
    assert [study.tag for study in report.surveys.studies] == ["A", "B"]
    assert {"figures/survey_groups_A.svg", "figures/survey_groups_B.svg"} <= set(report.files)
    overall = rows(report.folder / "tables" / "survey_accuracy.csv")
    assert {row["study"] for row in overall} == {f"A: {RESPONDENT}", "B: other/$model_$1"}


@pytest.mark.usefixtures("not_drawn")
def test_a_question_answered_in_two_logs_counts_once(mini_log: Path, tmp_path: Path) -> None:
    def first_only(log: EvalLog) -> None:
        log.samples = (log.samples or [])[:12]

    part = changed(mini_log, tmp_path / "part.eval", first_only)
    report = write_report([part, mini_log], tmp_path / "out")
    (study,) = report.surveys.studies
    assert (len(study.logs), len(study.records), study.counts["repeated"]) == (2, 60, 12)
    assert any("12 answers" in note for note in study.notes)
    same = write_report([mini_log, copied(mini_log, tmp_path / "copy")], tmp_path / "same")
    assert len(same.surveys.studies[0].logs) == 1
    assert len(same.skipped) == 1


@pytest.mark.usefixtures("not_drawn")
def test_failed_and_missing_samples_are_counted_and_told(mini_log: Path, tmp_path: Path) -> None:
    def broken(log: EvalLog) -> None:
        log.status = "error"
        log.samples = (log.samples or [])[:50]
        for sample in log.samples[:2]:
            sample.scores = None

    report = write_report([changed(mini_log, tmp_path / "b.eval", broken)], tmp_path / "out")
    text = Page(report.folder / "index.html").text
    assert "12 of 60 planned samples failed, are missing or have no score" in text
    assert "the run did not finish (status error)" in text
    assert "the passes hold different questions, groups or epochs" in text
    (row,) = rows(report.folder / "tables" / "survey_counts.csv")
    assert [row[f"samples_{n}"] for n in ("planned", "in_logs", "without_score")] == [
        "60",
        "50",
        "2",
    ]


def test_a_model_that_declines_everything_gets_counts_and_the_baseline(tmp_path: Path) -> None:
    task = opinionqa(groups="SEX", n_questions=2, threshold=0)
    log = run_log(tmp_path / "logs", task, judge=None, opinion_refusals=1.0)
    report = write_report([log], tmp_path / "out")
    text = Page(report.folder / "index.html").text
    assert "none of its 12 answers names an option" in text
    read = rows(report.folder / "tables" / "survey_answers.csv")
    (all_,) = [row for row in read if row["pass"] == "profile"]
    assert (all_["answers"], all_["refused"]) == ("4", "4")


def test_without_logprobs_there_is_no_distribution_section(tmp_path: Path) -> None:
    task = opinionqa(groups="SEX_Male", n_questions=1, passes="default")
    log = run_log_of(mock_model(lambda *_: output("A")), task, tmp_path / "logs")
    report = write_report([log], tmp_path / "out")
    assert not [name for name in report.files if "survey_js" in name or "distances" in name]
    # One question has no error and no interval, and one pass no comparison.
    (row,) = [
        r
        for r in rows(report.folder / "tables" / "survey_accuracy.csv")
        if r["kind"] == "all" and r["pass"] == "default"
    ]
    assert row["accuracy_lower"] == ""
    assert not math.isnan(float(row["accuracy"]))


def run_log_of(model: Any, task: Any, folder: Path) -> Path:
    from inspect_ai import eval as inspect_eval

    log = inspect_eval(task, model=model, display="none", log_dir=str(folder))[0]
    assert log.status == "success", log.error
    return Path(log.location)


@pytest.mark.usefixtures("not_drawn")
def test_steering_and_survey_logs_of_one_folder_make_one_page(
    mini_log: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "logs"
    run_log(folder)
    copied(mini_log, folder)
    report = write_report([folder], tmp_path / "out")
    assert [study.label[:2] for study in report.studies] == ["A:", "B:"]
    page = Page(report.folder / "index.html")
    assert "Value steering and survey report" in page.text
    assert {"values_by_model_pvq", "survey_accuracy"} <= page.ids
    methods = (report.folder / "methods.txt").read_text(encoding="utf-8")
    assert "Study A. Model" in methods
    assert "Survey study B. Model" in methods


def test_a_survey_log_without_scores_says_how_to_score_it(mini_log: Path, tmp_path: Path) -> None:
    def bare(log: EvalLog) -> None:
        for sample in log.samples or []:
            sample.scores = None

    with pytest.raises(InputFileError, match="--scorer valueflow/option_choice"):
        write_report([changed(mini_log, tmp_path / "bare.eval", bare)], tmp_path / "out")


def test_of_two_scores_the_newest_counts_and_it_is_told(mini_log: Path, tmp_path: Path) -> None:
    def twice(log: EvalLog) -> None:
        for sample in log.samples or []:
            assert sample.scores is not None
            (score,) = sample.scores.values()
            assert score.metadata is not None
            assert OPINION_KEY in score.metadata
            sample.scores["option_choice1"] = score

    report = write_report([changed(mini_log, tmp_path / "twice.eval", twice)], tmp_path / "out")
    (study,) = report.surveys.studies
    assert study.counts["rescored"] == study.counts["scored"] == len(study.records)
    assert any("scored more than once" in note for note in study.notes)


def test_the_same_survey_logs_make_the_same_files(
    mini: Report, mini_log: Path, tmp_path: Path
) -> None:
    again = write_report([mini_log], tmp_path)
    assert again.files == mini.files
    for name in again.files:
        assert (again.folder / name).read_bytes() == (mini.folder / name).read_bytes()
