"""What `valueflow report` writes, from logs of the real tasks on simulated models."""

import base64
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib import image

from tests.study_runs import Page, rows, run_log, seen_by_a_browser
from valueflow.results.report import Report, write_report
from valueflow.steering.tasks import steer, steer_composite, steer_five, steer_pair


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every task once for one model, and single values for another one that refuses some."""
    folder = tmp_path_factory.mktemp("logs")
    values = "power,tradition,benevolence"
    run_log(folder, steer(values=values, n_queries=3))
    run_log(folder, steer_pair(pairs="power+universalism", n_queries=3))
    run_log(folder, steer_pair(theory="right", pairs="expression+assembly", n_queries=3))
    run_log(folder, steer_five(n_queries=3))
    run_log(folder, steer_composite(theory="mft", values="care-harm", levels="-2,2", n_queries=3))
    run_log(folder, steer(values=values, n_queries=3), gain_up=2, refusal_rate=0.3)
    return folder


@pytest.fixture(scope="module")
def report(logs: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    return write_report([logs], tmp_path_factory.mktemp("report") / "new" / "folder")


@pytest.fixture(scope="module")
def read_page(report: Report) -> Page:
    return Page(report.folder / "index.html")


def test_the_page_is_one_file_without_scripts_or_references(read_page: Page) -> None:
    assert read_page.references
    outside = [r for r in read_page.references if not r.startswith(("data:", "#"))]
    assert not outside
    assert not {"script", "link rel=stylesheet", "iframe", "object"} & set(read_page.tags)
    anchors = {r[1:] for r in read_page.references if r.startswith("#")}
    assert anchors <= read_page.ids


def test_the_style_loads_nothing(report: Report) -> None:
    text = (report.folder / "index.html").read_text(encoding="utf-8")
    (style,) = re.findall(r"<style>(.*?)</style>", text, flags=re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style


def test_every_figure_is_inlined_whole_and_lies_beside_the_page(
    report: Report, read_page: Page
) -> None:
    files = sorted(name for name in report.files if name.endswith(".svg"))
    assert len(read_page.images) == len(files) >= 12
    inlined = set()
    for source, alt in read_page.images:
        assert len(alt) > 20
        kind, _, content = source.partition(";base64,")
        assert kind == "data:image/svg+xml"
        svg = base64.b64decode(content).decode()
        root = ElementTree.fromstring(svg)
        assert root.tag.endswith("svg")
        assert len(list(root.iter())) > 50
        inlined.add(svg)
    written = {(report.folder / name).read_text(encoding="utf-8") for name in files}
    assert inlined == written
    for name in files:
        picture = image.imread(report.folder / name.replace(".svg", ".png"))
        # Something is drawn, and the paper is white.
        assert 0.003 < float(np.mean(picture[..., :3].min(axis=2) < 0.95)) < 0.9, name
        assert picture[0, 0, :3] == pytest.approx([1, 1, 1])


@pytest.mark.parametrize(
    "name",
    [
        "steerability_pvq",
        "values_by_model_pvq",
        "models_by_value_pvq",
        "dose_response_pvq",
        "pair_pvq_power_universalism",
        "pair_right_expression_assembly",
        "square_pvq_pvq",
        "composites_mft",
        "refusals",
        "shifts_with_refusals",
        "judge_fit",
        "judge_parameters",
    ],
)
def test_each_kind_of_figure_is_there(report: Report, read_page: Page, name: str) -> None:
    assert f"figures/{name}.png" in report.files
    assert name in read_page.ids


def test_a_browser_shows_every_figure_and_reports_no_error(report: Report, tmp_path: Path) -> None:
    figures = sum(name.endswith(".svg") for name in report.files)
    # Wide tables scroll in their own boxes; the page does not.
    seen = seen_by_a_browser(report.folder / "index.html", tmp_path)
    assert seen == f"shown {figures} of {figures}; wide false"


def test_tables_say_what_the_summaries_say(report: Report) -> None:
    cells = {
        (row["study"], row["value"], row["condition"], row["level"]): row
        for row in rows(report.folder / "tables" / "cells.csv")
    }
    study = report.found.studies[0]
    assert len(cells) == sum(len(s.summary.cells) for s in report.found.studies)
    for cell in study.summary.cells:
        row = cells[study.label, cell.value, cell.condition, str(cell.level)]
        assert float(row["mean"]) == pytest.approx(cell.mean.value, rel=1e-4)
        assert float(row["lower"]) == pytest.approx(cell.lower, rel=1e-4)
    pairs = rows(report.folder / "tables" / "pairs.csv")
    assert {row["pair"] for row in pairs} == {"power&universalism", "expression&assembly"}
    one_axis = [row for row in pairs if row["pair"] == "expression&assembly"]
    assert all(row["second_mean"] == "" for row in one_axis)
    assert len(rows(report.folder / "tables" / "square_cells.csv")) == 25
    assert {row["value"] for row in rows(report.folder / "tables" / "composites.csv")} == {
        "care-harm"
    }


def test_values_stand_in_the_registrys_order(report: Report) -> None:
    label = report.found.studies[1].label
    listed = [r["value"] for r in rows(report.folder / "tables/values.csv") if r["study"] == label]
    assert listed == ["benevolence", "power", "tradition"]


def test_five_logs_of_one_model_are_one_study_beside_the_other_model(report: Report) -> None:
    assert [len(study.logs) for study in report.found.studies] == [5, 1]


def test_cautions_name_demonstration_assets_and_simulations(read_page: Page) -> None:
    assert "Simulated models were used (A, B)" in read_page.text
    assert "say nothing about any language model" in read_page.text
    assert "Intensities were assigned by the authors" in read_page.text
    assert "not for publication" in read_page.text


def test_the_cut_offs_of_the_regimes_are_stated(read_page: Page, report: Report) -> None:
    assert "weak below 4 points" in read_page.text
    assert "without cut-offs" in read_page.text
    ranked = rows(report.folder / "tables" / "ranking.csv")
    first = [row for row in ranked if row["theory"] == "pvq"]
    assert [row["study"][0] for row in first] == ["A", "B"]
    assert first[0]["regime"].startswith("strong")


def test_methods_name_models_judges_versions_seeds_and_hashes(
    report: Report, read_page: Page
) -> None:
    text = (report.folder / "methods.txt").read_text(encoding="utf-8")
    for part in text.split("\n\n"):
        assert part.strip() in read_page.text
    judge = report.found.studies[0].judge
    settings = report.found.studies[0].settings
    for wanted in (
        "valueflow/respondent (gain_up=2",
        "Judge: valueflow/judge",
        f"vidb-mini (revision 1, SHA-256 {judge['vidb_sha256']}",
        f"queries-mini (revision 1, SHA-256 {settings['queries hash']}",
        "Seed of every draw: 0",
        "steer_five (version 2)",
        f"Inspect AI {report.found.studies[0].versions['inspect_ai']}",
        "arXiv 2602.03160",
    ):
        assert wanted in text


def test_costs_and_losses_are_counted(report: Report) -> None:
    counted = rows(report.folder / "tables" / "counts.csv")
    other = report.found.studies[1]
    row = next(r for r in counted if r["study"] == other.label)
    refused = sum(record["refusal"] for record in other.records)
    assert refused > 2
    assert int(row["unscored_refusal"]) == int(row["refusals"]) == refused
    assert int(row["generations"]) == len(other.records) == 39
    tokens = rows(report.folder / "tables" / "cost.csv")
    judged = [r for r in tokens if r["study"] == other.label and r["counted_by"] == "judge"]
    assert int(judged[0]["total"]) == other.usage["judge", "valueflow/judge"]["total"] > 0


def test_a_refused_default_counts_once_whatever_it_is_scored_on(report: Report) -> None:
    label = report.found.studies[1].label
    found = rows(report.folder / "tables" / "refusals.csv")
    responses = {r["level"]: int(r["responses"]) for r in found if r["study"] == label}
    assert responses == {"-2": 9, "-1": 9, "0": 3, "1": 9, "2": 9}
