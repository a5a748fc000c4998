"""Panels of judges under Inspect: who judges what, at what cost, and what becomes of a dead one."""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from inspect_ai import eval as inspect_eval
from inspect_ai import score as inspect_score
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import GenerateConfig, Model, get_model

from tests.chat_server import ChatServer
from valueflow.cli import main
from valueflow.hub_assets.settings import SpendingSettings
from valueflow.scorers.intensity_scorer import intensity
from valueflow.scorers.judge.calls.spending import budget_of
from valueflow.scorers.judge.panel import turn_of
from valueflow.scorers.records import METADATA_KEY, ResponseRecord, judge_usage, judged_and_lost
from valueflow.steering.tasks import steer

REMOTE = "openai-api/local/judge"
A, B = "valueflow/judge [grader]", "valueflow/judge [grader_b]"


def simulated(**arguments: Any) -> Model:
    return get_model("valueflow/judge", memoize=False, **arguments)


def run(folder: Path, graders: dict[str, Any], **options: Any) -> EvalLog:
    task = {"values": "power", "levels": "-2,2", "n_queries": 4, "windows": 2, "figures": "all"}
    task |= options
    [log] = inspect_eval(
        steer(**task),
        model="valueflow/respondent",
        model_roles=graders,
        log_dir=str(folder),
        display="none",
        max_retries=0,
    )
    return log


def two(**second: Any) -> dict[str, Any]:
    return {"grader": simulated(scale=1.2, seed=1), "grader_b": simulated(scale=0.6, **second)}


def records(log: EvalLog) -> list[ResponseRecord]:
    return [
        score.metadata[METADATA_KEY]
        for sample in log.samples or []
        for score in (sample.scores or {}).values()
        if score.metadata
    ]


def windows(log: EvalLog) -> list[Any]:
    return [w for r in records(log) for v in r["values"].values() for w in v["windows"]]


def metrics(log: EvalLog) -> dict[str, float]:
    assert log.results is not None
    return {n: m.value for score in log.results.scores for n, m in score.metrics.items()}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> EvalLog:
    log = run(tmp_path_factory.mktemp("panel"), two(seed=2))
    assert log.status == "success", log.error
    return log


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    pytest.importorskip("openai", reason="the provider's client is not installed")
    with ChatServer({"judge": {}}) as running:
        monkeypatch.setenv("LOCAL_BASE_URL", running.url)
        monkeypatch.setenv("LOCAL_API_KEY", "none")
        yield running


def test_every_judge_of_a_panel_judges_every_window(panel: EvalLog) -> None:
    for record in records(panel):
        own = record["values"]["power"]["windows"]
        assert [w["judge"] for w in own] == [A, B, A, B]
        for one, other in zip(own[::2], own[1::2], strict=True):
            assert (one["texts"], one["shown"]) == (other["texts"], other["shown"])
    used = judge_usage(records(panel))
    assert {name: one["asked"] for name, one in used.items()} == {A: 24, B: 24}
    told = records(panel)[0]["judge"]
    assert [one["role"] for one in told["judges"]] == ["grader", "grader_b"]
    assert (told["model"], told["panel"]) == (f"{A} + {B}", "all")


def test_the_log_says_how_the_judges_agree_and_what_is_without_each(
    panel: EvalLog, tmp_path: Path
) -> None:
    found = metrics(panel)
    assert found["judges"] == 2
    assert found["judge_calls"] == 48
    assert 0.5 < found["judges alpha"] <= 1
    assert found[f"power ({A}) judge_scale"] > found[f"power ({B}) judge_scale"]
    for name in (A, B):
        assert found[f"range without {name}_stderr"] > 0
    # Each of them alone is what a run with the other one says.
    only = run(tmp_path, {"grader": two()["grader"]})
    assert metrics(only)["range"] == pytest.approx(found[f"range without {B}"], abs=1e-9)
    assert "judge" not in windows(only)[0]


def test_the_few_figures_of_a_log_say_what_is_without_each_judge(tmp_path: Path) -> None:
    found = metrics(run(tmp_path, two(seed=2), n_queries=2, figures="few"))
    for name in ("judges", "judges alpha", f"range without {A}", f"range without {B}_stderr"):
        assert name in found


def test_scoring_again_replaces_one_judge_and_keeps_the_others_of_the_log(panel: EvalLog) -> None:
    roles = {"grader": simulated(scale=0.3, seed=5)}
    again = inspect_score(panel, intensity(), action="overwrite", display="none", model_roles=roles)
    found = metrics(again)
    assert found[f"power ({A}) judge_scale"] < metrics(panel)[f"power ({A}) judge_scale"]
    name = f"power ({B}) judge_scale"
    assert found[name] == pytest.approx(metrics(panel)[name], abs=1e-9)


def test_saved_windows_of_a_panel_give_the_same_numbers_and_tables(
    panel: EvalLog, tmp_path: Path
) -> None:
    done = CliRunner().invoke(main, ["score", panel.location, "-o", str(tmp_path / "log")])
    assert done.exit_code == 0, done.output
    cells = {row["cell"]: float(row["intensity"]) for row in rows(tmp_path / "log" / "cells.csv")}
    assert cells["power/+2"] == pytest.approx(metrics(panel)["power/+2 mean"], abs=1e-5)
    judges = rows(tmp_path / "log" / "panel.csv")
    assert [(row["judge"], row["judged"], row["calls"]) for row in judges] == [
        (A, "24", "24"),
        (B, "24", "24"),
    ]
    (pair,) = rows(tmp_path / "log" / "agreement.csv")
    assert (pair["responses"], pair["first"]) == ("12", A)
    assert float(pair["lower"]) <= float(pair["correlation"]) <= float(pair["upper"])
    without = rows(tmp_path / "log" / "without_judge.csv")
    assert {row["without"] for row in without} == {A, B}
    run_json = json.loads((tmp_path / "log" / "run.json").read_text())
    assert run_json["panel"]["alpha"] == pytest.approx(metrics(panel)["judges alpha"])
    assert {row["judge"] for row in rows(tmp_path / "log" / "judges.csv")} == {A, B}
    # The same from lines with a field `judge`.
    lines = tmp_path / "windows.jsonl"
    with lines.open("w") as stream:
        for record in records(panel):
            value = record["values"]["power"]
            for window in value["windows"]:
                names = ("anchors", "texts", "shown", "order", "position", "judge")
                line = {name: window[name] for name in names}  # type: ignore[literal-required]
                line |= {"item": record["item"], "cell": value["cell"], "value": "power"}
                stream.write(json.dumps(line | {"query": record["query"]}) + "\n")
    done = CliRunner().invoke(main, ["score", str(lines), "-o", str(tmp_path / "lines")])
    assert done.exit_code == 0, done.output
    for name in ("cells.csv", "items.csv", "agreement.csv"):
        one, other = (rows(tmp_path / folder / name) for folder in ("lines", "log"))
        assert sorted(one, key=str) == sorted(other, key=str)


def test_the_report_shows_the_panel(panel: EvalLog, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["report", panel.location, "-o", str(tmp_path)])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "index.html").read_text()
    assert "Panel of judges" in page
    assert "Krippendorff" in page
    assert f"without {B}" in page or "without_judge" in page
    names = {path.stem for path in tmp_path.rglob("*.png")} | {
        path.stem for path in tmp_path.rglob("*.svg")
    }
    assert {"panel_without", "panel_agreement"} <= names


def test_judges_that_share_windows_ask_what_one_judge_asks(tmp_path: Path) -> None:
    log = run(tmp_path, two(seed=2), panel="split", windows=3, n_queries=2)
    assert log.status == "success", log.error
    assert metrics(log)["judge_calls"] == 3 * 3 * 2
    by_cell: Counter[tuple[str, str]] = Counter()
    for record in records(log):
        value = record["values"]["power"]
        by_cell.update((value["cell"], w["judge"]) for w in value["windows"])
        assert len({tuple(w["texts"]) for w in value["windows"]}) == 3
    assert set(by_cell.values()) == {3}
    assert records(log)[0]["judge"]["panel"] == "split"


def test_turns_are_balanced_over_cells_and_over_the_levels_of_a_query() -> None:
    judges, queries, levels = 3, 6, (-2, -1, 0, 1, 2, 3)
    seen: Counter[tuple[str, int, int]] = Counter()
    for level in levels:
        for query in range(queries):
            judge, number = turn_of(query, judges, 0, level, "pvq", "power")
            assert number == query // judges
            seen["level", level, judge] += 1
            seen["query", query, judge] += 1
    assert set(seen.values()) == {2}
    firsts = {turn_of(0, judges, seed, 0, "pvq", "power")[0] for seed in range(20)}
    assert firsts == {0, 1, 2}


def test_a_dead_judge_is_dropped_before_the_run_and_told_everywhere(
    server: ChatServer, tmp_path: Path
) -> None:
    server.breaks["judge"] = (0, 401)
    remote = get_model(REMOTE, memoize=False, base_url=server.url)
    log = run(tmp_path, {"grader": simulated(scale=1.2, seed=1), "grader_b": remote})
    assert log.status == "success", log.error
    assert server.requests["judge"] == 1
    judged = judged_and_lost(records(log))
    assert judged == {"valueflow/judge": (24, 0), REMOTE: (0, 24)}
    assert metrics(log)["judges_dropped"] == 1
    alone = run(tmp_path / "alone", {"grader": simulated(scale=1.2, seed=1)})
    assert metrics(log)["range"] == pytest.approx(metrics(alone)["range"], abs=1e-9)
    done = CliRunner().invoke(main, ["score", log.location, "-o", str(tmp_path / "scores")])
    assert f"{REMOTE} was dropped from the panel: 24 of its 24 windows" in " ".join(
        done.output.split()
    )
    # Repaired, it is on the panel.
    server.breaks.clear()
    done = CliRunner().invoke(main, ["repair", log.location])
    assert done.exit_code == 0, done.output
    mended = read_eval_log(log.location)
    assert judged_and_lost(records(mended)) == {"valueflow/judge": (24, 0), REMOTE: (24, 0)}
    assert metrics(mended)["judges_dropped"] == 0
    assert server.requests["judge"] == 25


def test_a_panel_of_dead_judges_ends_the_run_before_anything(
    server: ChatServer, tmp_path: Path
) -> None:
    server.breaks["judge"] = (0, 401)
    graders = {
        f"grader{end}": get_model(
            REMOTE, memoize=False, base_url=server.url, config=GenerateConfig(seed=len(end))
        )
        for end in ("", "_b")
    }
    log = run(tmp_path, graders)
    assert log.status == "error"
    assert log.error is not None
    assert "Nothing was generated" in log.error.message
    assert server.requests["judge"] == 2


def test_a_judge_that_costs_its_share_is_asked_no_more_and_the_others_go_on(
    server: ChatServer, tmp_path: Path
) -> None:
    prices = tmp_path / "prices.csv"
    prices.write_text(f"model,input,output\n{REMOTE},1000,1000\nvalueflow/judge,0.001,0.001\n")
    remote = get_model(REMOTE, memoize=False, base_url=server.url)
    log = run(
        tmp_path,
        {"grader": simulated(seed=1), "grader_b": remote},
        max_cost=10,
        prices=str(prices),
        windows=3,
    )
    assert log.status == "success", log.error
    judged = judged_and_lost(records(log))
    assert judged["valueflow/judge"] == (36, 0)
    assert 0 < judged[REMOTE][1] < 36
    assert metrics(log)["unscored"] == 0
    lost = {w["error"] for w in windows(log) if w["order"] is None}
    assert lost == {"the $5.00 for judge calls are spent"}


def test_budgets_are_shared_evenly() -> None:
    budget = budget_of(SpendingSettings(max_judge_calls=7), simulated(), 2)
    assert budget is not None
    assert budget.most == 3


@pytest.mark.parametrize(
    ("graders", "options", "said"),
    [
        (
            {"grader": {"scale": 0.5}, "grader_b": {"scale": 0.5}},
            {},
            "grader and grader_b are the same judge, valueflow/judge",
        ),
        ({"grader": {}}, {"panel": "split"}, "split shares the windows among several judges"),
    ],
)
def test_wrong_panels_end_the_run_before_anything_is_generated(
    graders: dict[str, Any], options: dict[str, Any], said: str, tmp_path: Path
) -> None:
    log = run(tmp_path, {role: simulated(**own) for role, own in graders.items()}, **options)
    assert log.status == "error"
    assert log.error is not None
    assert said in log.error.message
    assert all(not sample.output.choices for sample in log.samples or [])


def test_a_panel_rates_too(tmp_path: Path) -> None:
    log = run(tmp_path, two(seed=2), judge_mode="rating", windows=1, n_queries=3)
    assert log.status == "success", log.error
    assert {w["judge"] for w in windows(log)} == {A, B}
    found = metrics(log)
    assert found[f"power ({A}) judge_slope"] > 0
    assert found["judges alpha"] > 0.5


def test_two_judges_of_saved_windows_of_which_one_lacks_a_value(tmp_path: Path) -> None:
    lines = tmp_path / "windows.jsonl"
    with lines.open("w") as stream:
        for judge, values in (("a", ("power", "face")), ("b", ("power",))):
            for value in values:
                for n in range(6):
                    order = [3, 0, 2, 1] if n % 2 else [3, 2, 0, 1]
                    window = {"anchors": [-6 + n, n / 2, 5 + n / 2], "order": order, "position": 0}
                    window |= {"item": f"i{n}", "cell": value, "value": value, "judge": judge}
                    stream.write(json.dumps(window) + "\n")
    done = CliRunner().invoke(main, ["score", str(lines), "-o", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "b judged no window of face" in " ".join(done.output.split())
    bad = tmp_path / "bad.jsonl"
    text = lines.read_text().splitlines()
    bad.write_text("\n".join([text[0], text[1].replace(', "judge": "a"', "")]) + "\n")
    done = CliRunner().invoke(main, ["score", str(bad), "-o", str(tmp_path)])
    assert done.exit_code == 1
    assert "row 2" in " ".join(done.output.split())
    assert "is missing, while earlier records name theirs" in " ".join(done.output.split())
