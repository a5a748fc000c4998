"""What a report says first, and the responses that it shows: true to the records, safe as text."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.study_runs import Page, changed, read_studies, run_log
from valueflow.results.page import Verbatim
from valueflow.results.report import write_report
from valueflow.results.steering.series import series_of
from valueflow.results.steering.studies import Studies
from valueflow.results.steering.texts.evidence import enclosing, evidence_of, median_estimate
from valueflow.results.steering.texts.findings import findings
from valueflow.scorers.figures import Figure
from valueflow.steering.tasks import steer

HOSTILE = (
    "</pre><script>alert(1)</script> <b>1 samples have</b> /home/me/x.txt {{ 7 * 7 }} & \x1b[31m"
)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    task = steer(values="power,benevolence", levels="-2,2", n_queries=5)
    return run_log(tmp_path_factory.mktemp("logs"), task, refusal_rate=0.2)


@pytest.fixture(scope="module")
def found(log: Path) -> Studies:
    return read_studies([log])


def test_the_finding_has_the_summarys_figures_and_names_the_ends(found: Studies) -> None:
    (study,) = found.studies
    (sentence,) = findings(series_of([study]))
    mean = study.summary.overall["range"]
    assert f"moves {mean.value:.1f} ± {mean.se:.1f} points on average over 2 values" in sentence
    ranges = {v.value: v.figures["range"].value for v in study.summary.values}
    assert f"most on {max(ranges, key=lambda v: ranges[v])}" in sentence
    assert f"least on {min(ranges, key=lambda v: ranges[v])}" in sentence
    assert "ceiling" not in sentence


def test_two_values_whose_difference_is_noise_are_said_to_be(found: Studies) -> None:
    (study,) = found.studies

    def sentence(low: float) -> str:
        values = [
            replace(v, figures={**v.figures, "range": Figure(x, 0.5)})
            for v, x in zip(study.summary.values, (8.0, low), strict=True)
        ]
        changed = replace(study, summary=replace(study.summary, values=values))
        return findings(series_of([changed]))[0]

    assert "noise alone" in sentence(7.5)
    assert "noise alone" not in sentence(2.0)


def test_values_at_the_ceiling_are_counted_and_named(found: Studies) -> None:
    (study,) = found.studies
    cells = [
        replace(c, beyond_high=0.4) if c.cell == "power/+2" else c for c in study.summary.cells
    ]
    at = replace(study, summary=replace(study.summary, cells=cells))
    (sentence,) = findings(series_of([at]))
    assert "1 of 2 values at the ceiling (power)" in sentence


def test_the_median_response_is_shown_word_for_word_between_its_anchors(found: Studies) -> None:
    (study,) = found.studies
    shown = evidence_of(series_of([study]))
    (power,) = [one for one in shown if one.title == "power: median responses"]
    assert [q.head.partition(":")[0] for q in power.quotes] == [
        "level +2", "level 0 (no steering)", "level −2",
    ]  # fmt: skip
    assert study.summary.evaluation is not None
    items = [e for e in study.summary.evaluation.items if e.cell == "power/+2"]
    below = sum(e.intensity < median_estimate(items).intensity for e in items)
    assert below == (len(items) - 1) // 2
    quote = power.quotes[0]
    assert quote.text == study.texts[median_estimate(items).item][1]
    at = [float(a[0].replace("−", "-")) if a else None for a in (quote.above, quote.below)]
    intensity = median_estimate(items).intensity
    assert at[0] is None or at[0] >= intensity - 0.05
    assert at[1] is None or at[1] <= intensity + 0.05


def test_the_anchors_that_enclose_are_the_next_ones() -> None:
    record: Any = {
        "windows": [
            {"anchors": [-4.0, 2.0], "texts": ["a", "b"]},
            {"anchors": [5.0, 1.0], "texts": ["c", "d"]},
        ]
    }
    assert enclosing(record, 1.5) == ((2.0, "b"), (1.0, "d"))
    assert enclosing(record, 2.0) == ((5.0, "c"), (2.0, "b"))
    assert enclosing(record, 9.0) == (None, (5.0, "c"))
    assert enclosing(record, -9.0) == ((-4.0, "a"), None)


def test_refused_and_surprising_responses_are_shown(found: Studies) -> None:
    (study,) = found.studies
    titles = [one.title for one in evidence_of(series_of([study]))]
    refused = sum(record["refusal"] for record in study.records)
    assert refused
    assert f"valueflow/respondent: {refused} refused" in titles
    (surprising,) = [one for one in evidence_of(series_of([study])) if "furthest" in one.title]
    away = [float(q.head.split(": ")[1].split(" ")[0]) for q in surprising.quotes]
    assert away == sorted(away, reverse=True)
    assert not any(math.isnan(x) for x in away)


def test_a_response_can_hold_any_markup_and_is_changed_in_nothing_but_control_characters(
    log: Path, tmp_path: Path
) -> None:
    def put(one: Any) -> None:
        for sample in one.samples:
            sample.output.choices[0].message.content = HOSTILE
            sample.output.completion = HOSTILE

    hostile = changed(log, tmp_path / "hostile.json", put)
    report = write_report([hostile], tmp_path / "report")
    page = Page(report.folder / "index.html")
    assert "script" not in page.tags
    shown = HOSTILE.replace("\x1b", "\\x1b")
    assert shown in page.text
    assert isinstance(Verbatim("x"), str)


def test_the_page_begins_with_the_finding_and_ends_with_logs(log: Path, tmp_path: Path) -> None:
    report = write_report([log], tmp_path / "report", names={"valueflow/respondent": "Model One"})
    text = (report.folder / "index.html").read_text(encoding="utf-8")
    order = ['class="findings"', 'class="caution"', 'id="findings"', 'id="evidence"', 'id="cost"',
             'id="settings"', 'id="logs"', 'id="methods"']  # fmt: skip
    places = [text.index(mark) for mark in order]
    assert places == sorted(places)
    assert "Model One moves" in text
    assert str(log.parent) not in text
    assert "prefers-color-scheme: dark" in text
    assert sorted(p.suffix for p in (report.folder / "figures").glob("values_by_model*")) == [
        ".pdf", ".png", ".svg",
    ]  # fmt: skip


def test_a_chart_of_nothing_is_a_line_of_text(tmp_path: Path) -> None:
    report = write_report([run_log(tmp_path / "logs")], tmp_path / "report")
    page = Page(report.folder / "index.html")
    assert "No response was refused at any level." in page.text
    assert not list((report.folder / "figures").glob("refusals*"))


def test_a_model_that_judged_itself_stands_in_the_box_with_the_command(
    log: Path, tmp_path: Path
) -> None:
    def put(one: Any) -> None:
        for sample in one.samples:
            for score in sample.scores.values():
                score.metadata["valueflow"].get("judge", {})["is_evaluated_model"] = True

    itself = changed(log, tmp_path / "itself.json", put)
    text = Page(write_report([itself], tmp_path / "report").folder / "index.html").text
    assert "judged its own responses" in text
    assert "inspect score LOG --action overwrite" in text
