"""The panel goes down a hierarchy with several texts a prompt, and pays for no call twice."""

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.conftest import install_catalogue
from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.hub_assets.registry.paths import below, path_fault, path_to
from valueflow.rebuild.database.categorize.stage import categorize
from valueflow.rebuild.database.folder import read_lines
from valueflow.rebuild.database.judging import Budget, BudgetSpent
from valueflow.rebuild.database.planning.estimate import estimate
from valueflow.rebuild.database.recipe import Recipe, read_recipe
from valueflow.rebuild.database.running.stages import Run, run_stage
from valueflow.scorers.judge.calls.store import read_store

PVQ = load_registry().theories["pvq"]
SURE = {"scale": 1e6}
"""A judge without noise."""


def write_texts(folder: Path, count: int = 60, spread: float = 10.0) -> dict[str, dict[str, float]]:
    """Texts that are each about one or two values of pvq, and about a child where there is one.

    Returns:
        By text, the intensity of each node that it is about.
    """
    generator = np.random.default_rng(5)
    truth: dict[str, dict[str, float]] = {}
    values = list(PVQ.values)
    for number in range(count):
        told: dict[str, float] = {}
        for place in generator.choice(len(values), 1 + number % 2, replace=False):
            told[values[place].name] = float(generator.uniform(-spread, spread))
            children = below(PVQ, values[place])
            if children and number % 5:
                child = children[int(generator.integers(len(children)))]
                told[child.name] = float(generator.uniform(spread / 4, spread))
        truth[f"text {number} x" + "y" * int(generator.integers(0, 40))] = told
    with (folder / "truth.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["text", "value", "intensity"])
        for text, told in truth.items():
            rows.writerows([text, f"pvq:{name}", x] for name, x in told.items())
    with (folder / "texts.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["text", "value"])
        for text, told in truth.items():
            names = [name for name in told if PVQ.nodes[name].kind == "value"]
            rows.writerow([text, "|".join(names)])
    return truth


def recipe_in(folder: Path, judge: dict[str, Any] | None = None, **more: Any) -> Recipe:
    args = {"truth": "truth.csv", "seed": 10, **(judge or SURE)}
    panel = {"model": "valueflow/judge", "args": args, "seats": 7}
    raw = {
        "theories": ["pvq"],
        "sources": [{"path": "texts.csv", "source": "made up", "license": "CC0-1.0"}],
        "categorize": {"judges": [panel], "values": "panel", **more},
        "rank": {"judge": {"model": "valueflow/judge"}},
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(raw))
    return read_recipe(path)


def run(recipe: Recipe, output: Path, most: int | None = None) -> tuple[dict[str, Any], int]:
    """Imports and categorises; counts, and calls made."""
    budget = Budget(most)
    run_stage(Run(recipe, output, budget), "import")
    return categorize(recipe, output, budget), budget.calls


def rows_of(output: Path) -> dict[tuple[str, str], dict[str, Any]]:
    rows = list(read_lines(output / "categorize" / "rows.jsonl", "categorize"))
    found = {(row["text"], row["value"]): row for row in rows}
    assert len(found) == len(rows), "a text stands twice under a value"
    return found


def expected_path(value: str, told: dict[str, float]) -> str:
    children = [child.name for child in below(PVQ, PVQ.nodes[value]) if child.name in told]
    return "/".join([path_to(PVQ, PVQ.nodes[value]), *children])


@pytest.mark.parametrize("start", ["values", "top"])
@pytest.mark.parametrize("size", [1, 8])
def test_a_panel_without_noise_finds_values_directions_and_paths(
    tmp_path: Path, start: str, size: int
) -> None:
    truth = write_texts(tmp_path)
    counts, _ = run(recipe_in(tmp_path, start=start, texts_per_prompt=size), tmp_path / "b")
    rows = rows_of(tmp_path / "b")
    values = {
        (text, name)
        for text, told in truth.items()
        for name in told
        if PVQ.nodes[name].kind == "value"
    }
    # What lies within the neutral band is `none` to every seat in the first round.
    assert rows.keys() == {(t, v) for t, v in values if abs(truth[t][v]) > 0.25}
    for (text, value), row in rows.items():
        assert row["direction"] == ("support" if truth[text][value] > 0 else "oppose")
        assert path_fault(row["path"], PVQ) == ""
        # From the top, both parents of a value are accepted by all, and the first is taken.
        assert row["path"] == expected_path(value, truth[text])
        assert row["votes"] == f"{row['direction']}:5"
    assert counts["unresolved"] == counts["unreadable_answers"] == 0
    assert counts["paths_to_a_child"] == sum(
        len(row["path"].split("/")) > path_to(PVQ, PVQ.nodes[value]).count("/") + 1
        for (_, value), row in rows.items()
    )


def test_from_the_top_only_values_of_accepted_groups_are_asked_about(tmp_path: Path) -> None:
    write_texts(tmp_path, 0)
    with (tmp_path / "truth.csv").open("a") as stream:
        stream.write("a,pvq:self-enhancement,4\na,pvq:face,4\nb,pvq:conservation,4\nb,pvq:face,4\n")
        stream.write("c,pvq:self-direction,-4\nd,pvq:humility,3\n")
    (tmp_path / "texts.csv").write_text("text\na\nb\nc\nd\n")
    run(recipe_in(tmp_path, start="top", texts_per_prompt=1), tmp_path / "b")
    asked: dict[str, set[str]] = {}
    journal = read_store(tmp_path / "b" / "categorize" / "judgements.calls.jsonl")
    for key, row in journal.items():
        asked.setdefault(key.split("/")[0], set()).update(json.loads(row["text"]))
    assert asked["groups-1"] == {"growth", "self-protection"}
    assert asked["groups-2"] > {"openness-to-change", "conservation"}
    assert "stimulation" in asked["values"]  # under an accepted group, for some text
    rows = rows_of(tmp_path / "b")
    # Face is about both its parents where neither is known to be nearer; the first is taken.
    assert rows["a", "face"]["path"] == "self-protection/self-enhancement/face"
    assert rows["d", "humility"]["path"] == "growth/self-transcendence/humility"
    assert rows["c", "self-direction"]["path"] == "growth/openness-to-change/self-direction"
    seats = Counter(
        (key.split("/")[0], text)
        for key, row in read_store(tmp_path / "b" / "categorize" / "judgements.jsonl").items()
        for text in row["answer"]
    )
    # A value with two accepted parents is asked about once. The last seats are needed only where
    # they might still lift one parent above the other.
    for (step, _), count in seats.items():
        assert count == 5 or (step == "groups-2" and count == 7)


def test_a_value_with_two_parents_goes_under_the_one_with_most_votes(tmp_path: Path) -> None:
    from valueflow.rebuild.database.categorize.descent import is_open, preferred
    from valueflow.rebuild.database.categorize.votes import Tally

    face = PVQ.nodes["face"]
    five, seven = Tally("yes", 1, "", 5), Tally("yes", 1, "", 7)
    late, no = Tally("yes", 2, "", 7), Tally("no", 1, "", 0)

    def path(enhancement: Tally, conservation: Tally) -> str:
        told = {"self-enhancement": enhancement, "conservation": conservation}
        assert is_open(face, told) == ("yes" in (enhancement.answer, conservation.answer))
        return path_to(PVQ, face, preferred(PVQ, told)).split("/")[1]

    assert path(five, seven) == "conservation"
    assert path(seven, five) == path(five, five) == "self-enhancement"
    assert path(no, five) == "conservation"
    assert path(five, late) == "self-enhancement"  # accepted at once
    assert path(no, no) == "self-enhancement"


@pytest.mark.parametrize("start", ["values", "top"])
def test_seats_that_can_change_nothing_are_spared_and_the_rows_are_the_same(
    tmp_path: Path, start: str
) -> None:
    """One text a prompt, so that a noisy seat says the same in both."""
    write_texts(tmp_path, 40, spread=3)
    found = {}
    for every in (True, False):
        more = {"ask_all_seats": every, "start": start, "texts_per_prompt": 1}
        counts, calls = run(recipe_in(tmp_path, {"scale": 1.0}, **more), tmp_path / str(every))
        rows = rows_of(tmp_path / str(every))
        assert counts["unresolved"] > 0
        queue = (tmp_path / str(every) / "categorize" / "queue.csv").read_text().splitlines()
        waiting = sorted(",".join(line.split(",")[:4]) for line in queue)
        plain = {key: {k: v for k, v in row.items() if k != "votes"} for key, row in rows.items()}
        found[every] = plain, waiting, calls
        votes = [sum(int(v.split(":")[1]) for v in row["votes"].split()) for row in rows.values()]
        assert set(votes) == {7} if every else min(votes) == 5
    assert found[True][:2] == found[False][:2]
    assert found[False][2] < 0.9 * found[True][2]
    ends = Counter(row["path"].count("/") for row in found[True][0].values())
    assert min(ends.values()) > 5  # both values and children were reached


def test_a_place_in_the_batch_shifts_no_text(tmp_path: Path) -> None:
    """Every seat sees the later texts of a prompt as more opposing; no text is always late."""
    write_texts(tmp_path, 0)
    texts = [f"text {n}" for n in range(160)]
    with (tmp_path / "truth.csv").open("a") as stream:
        stream.writelines(f"{text},pvq:power,3\n" for text in texts)
    (tmp_path / "texts.csv").write_text("text,value\n" + "".join(f"{t},power\n" for t in texts))
    judge = {"scale": 1e6, "place_effect": 1e6}  # a point a place: oppose from the fifth on
    more = {"values": "labels", "ask_all_seats": True, "descend": False}
    run(recipe_in(tmp_path, judge, **more), tmp_path / "b")
    first = [
        row
        for key, row in read_store(tmp_path / "b" / "categorize" / "judgements.jsonl").items()
        if key.startswith("values/pvq/1/")
    ]
    votes = Counter(
        text for row in first for text, a in row["answer"].items() if a.get("power") == "support"
    )
    ids = [text["id"] for text in read_lines(tmp_path / "b" / "import" / "texts.jsonl", "import")]
    # Three of eight places are clearly seen as support: as if each seat threw a die for each text.
    share = 3 / 8
    counts = np.array([votes[name] for name in ids])
    assert counts.mean() == pytest.approx(7 * share, abs=1e-9)
    assert counts.var() == pytest.approx(7 * share * (1 - share), rel=0.5)
    halves = counts[:80].mean() - counts[80:].mean()
    assert abs(halves) < 4 * np.sqrt(2 * 7 * share * (1 - share) / 80)
    assert abs(np.corrcoef(counts, np.arange(160))[0, 1]) < 0.3


def test_what_could_be_read_of_an_answer_is_kept_and_only_the_rest_asked_again(
    tmp_path: Path,
) -> None:
    write_texts(tmp_path)
    run(recipe_in(tmp_path), tmp_path / "whole")
    counts, calls = run(recipe_in(tmp_path, {**SURE, "skip_rate": 0.2}), tmp_path / "b")
    rows = list(read_store(tmp_path / "b" / "categorize" / "judgements.jsonl").values())
    assert counts["asked_again"] == sum(row["calls"] - 1 for row in rows) > 0
    assert calls == sum(row["calls"] for row in rows)
    same = {k: (r["direction"], r["path"]) for k, r in rows_of(tmp_path / "whole").items()}
    assert {k: (r["direction"], r["path"]) for k, r in rows_of(tmp_path / "b").items()} == same
    # The second call is about what was missing, and shorter for it.
    journal = read_store(tmp_path / "b" / "categorize" / "judgements.calls.jsonl")
    store = read_store(tmp_path / "b" / "categorize" / "judgements.jsonl")
    seconds = [key.removesuffix("#2") for key in journal if key.endswith("#2")]
    for key in seconds:
        first, second = (json.loads(journal[f"{key}#{n}"]["text"]) for n in (1, 2))
        told = len(second) if isinstance(next(iter(second.values()), {}), dict) else 1
        if first:
            assert len(first) + told <= len(store[key]["answer"])
    assert seconds


def test_seats_that_cannot_be_read_are_counted_and_are_no_votes(tmp_path: Path) -> None:
    write_texts(tmp_path, 20)
    judge = {**SURE, "failure_rate": 0.6}
    counts, calls = run(recipe_in(tmp_path, judge, attempts=2), tmp_path / "b")
    assert counts["unreadable_answers"] > 0
    rows = read_store(tmp_path / "b" / "categorize" / "judgements.jsonl").values()
    assert calls == sum(row["calls"] for row in rows)
    assert counts["rows"] + counts["unresolved"] > 0
    for row in rows_of(tmp_path / "b").values():
        votes = sum(int(v.split(":")[1]) for v in row["votes"].split())
        assert 2 <= votes <= 7


@pytest.mark.slow
@pytest.mark.parametrize("start", ["values", "top"])
def test_stopped_after_any_call_it_goes_on_without_repeating_one(
    tmp_path: Path, start: str
) -> None:
    write_texts(tmp_path, 24, spread=3)
    judge = {"scale": 1.0, "skip_rate": 0.1, "failure_rate": 0.1}
    recipe = recipe_in(tmp_path, judge, start=start)
    counts, calls = run(recipe, tmp_path / "plain")
    made = stops = 0
    while True:
        try:
            resumed, more = run(recipe, tmp_path / "b", 7)
        except BudgetSpent:
            made += 7
            stops += 1
            continue
        break
    assert stops > 5
    assert made + more == calls
    assert resumed == counts
    for name in ("rows.jsonl", "queue.csv"):
        whole = (tmp_path / "plain" / "categorize" / name).read_bytes()
        assert (tmp_path / "b" / "categorize" / name).read_bytes() == whole
    stores = [read_store(tmp_path / d / "categorize" / "judgements.jsonl") for d in ("plain", "b")]
    assert stores[0] == stores[1]
    (tmp_path / "b" / "categorize" / "rows.jsonl").unlink()
    assert run(recipe, tmp_path / "b", 0)[0] == counts  # replayed without a call


@pytest.mark.parametrize("values", ["labels", "panel"])
def test_the_estimate_is_what_a_panel_that_agrees_is_asked(tmp_path: Path, values: str) -> None:
    write_texts(tmp_path)
    long = "long " * 1500
    with (tmp_path / "texts.csv").open("a") as stream:
        stream.writelines(f"{long}{n},power\n" for n in range(5))
    with (tmp_path / "truth.csv").open("a") as stream:
        stream.writelines(f"{(long + str(n))},pvq:power,4\n" for n in range(5))
    recipe = recipe_in(tmp_path, values=values)
    told = {row.stage: row for row in estimate(recipe, tmp_path / "b")}
    _, calls = run(recipe, tmp_path / "b")
    made = Counter(
        key.split("/")[0] for key in read_store(tmp_path / "b" / "categorize" / "judgements.jsonl")
    )
    assert made["values"] == told["categorize, values"].calls
    children = told["categorize, children-1"].calls
    assert made["children-1"] == children if values == "labels" else made["children-1"] < children
    assert calls == sum(made.values())
    after = {row.stage: row for row in estimate(recipe, tmp_path / "b")}
    assert after["categorize, values"].known == made["values"]


def test_labels_with_a_child_are_kept_and_not_asked_about(tmp_path: Path) -> None:
    write_texts(tmp_path, 0)
    with (tmp_path / "truth.csv").open("a") as stream:
        stream.write("a,pvq:power,5\na,pvq:resources,5\nb,pvq:power,-5\nb,pvq:resources,5\n")
    (tmp_path / "texts.csv").write_text("text,value\na,dominance\nb,power\n")
    run(recipe_in(tmp_path, values="labels"), tmp_path / "b")
    rows = rows_of(tmp_path / "b")
    assert rows["a", "power"]["path"].endswith("power/dominance")
    assert rows["b", "power"]["path"].endswith("power/resources")


def test_given_directions_have_whole_paths_and_nobody_is_asked(tmp_path: Path) -> None:
    rows = "a,dominance,support\nb,face,oppose\nc,power,\n"
    (tmp_path / "texts.csv").write_text(f"text,value,direction\n{rows}")
    raw = yaml.safe_load((recipe_in(tmp_path).folder / "recipe.yaml").read_text())
    raw["categorize"] = {"values": "given"}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(raw))
    recipe = read_recipe(tmp_path / "recipe.yaml")
    counts, calls = run(recipe, tmp_path / "b", 0)
    assert (calls, counts["unresolved"]) == (0, 1)  # a person is to say what c is
    assert {key: row["path"] for key, row in rows_of(tmp_path / "b").items()} == {
        ("a", "power"): "self-protection/self-enhancement/power/dominance",
        ("b", "face"): "self-protection/self-enhancement/face",
    }
    assert [row.stage for row in estimate(recipe, tmp_path / "b")] == ["rank"]


def test_without_descent_paths_end_at_the_value(tmp_path: Path) -> None:
    write_texts(tmp_path)
    counts, _ = run(recipe_in(tmp_path, descend=False), tmp_path / "b")
    for (_, value), row in rows_of(tmp_path / "b").items():
        assert row["path"] == path_to(PVQ, PVQ.nodes[value])
    assert "paths_to_a_child" not in counts


def test_what_people_decide_gets_a_path_and_repeats_no_question(tmp_path: Path) -> None:
    truth = write_texts(tmp_path, spread=2)
    recipe = recipe_in(tmp_path, {"scale": 1.0}, human=None)
    counts, _ = run(recipe, tmp_path / "b")
    before = read_store(tmp_path / "b" / "categorize" / "judgements.jsonl")
    with (tmp_path / "b" / "categorize" / "queue.csv").open(newline="") as stream:
        queue = list(csv.DictReader(stream))
    assert len(queue) == counts["unresolved"] > 5

    def decide(rows: list[dict[str, str]]) -> tuple[dict[str, Any], int]:
        with (tmp_path / "decided.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(queue[0]))
            writer.writeheader()
            writer.writerows({**row, "direction": "support"} for row in rows)
        decided = recipe_in(tmp_path, {"scale": 1.0}, human="decided.csv")
        return run(decided, tmp_path / "b")

    assert decide(queue[:4])[0]["unresolved"] == len(queue) - 4
    told, calls = decide(queue)
    assert told["unresolved"] == 0
    after = read_store(tmp_path / "b" / "categorize" / "judgements.jsonl")
    new = {key for key in after if key not in before}
    assert {key.split("/")[0] for key in new} <= {"children-1-alone"}
    with_children = sum(bool(below(PVQ, PVQ.nodes[row["value"]])) for row in queue)
    assert 5 * with_children <= len(new) <= 14 * with_children
    assert calls < len(new)  # the first four were asked about before
    assert all(path_fault(row["path"], PVQ) == "" for row in rows_of(tmp_path / "b").values())
    assert decide(queue)[1] == 0
    del truth


def test_other_settings_are_refused_rather_than_mixed(tmp_path: Path) -> None:
    write_texts(tmp_path, 20)
    run(recipe_in(tmp_path), tmp_path / "b")
    for more in ({"texts_per_prompt": 4}, {"descend": False}, {"start": "top"}):
        with pytest.raises(InputFileError, match="other settings"):
            run(recipe_in(tmp_path, **more), tmp_path / "b")
    with pytest.raises(InputFileError, match="goes with 'values: panel'"):
        recipe_in(tmp_path, start="top", values="labels")


def test_a_theory_without_levels_is_asked_as_from_the_values(tmp_path: Path) -> None:
    write_texts(tmp_path, 0)
    with (tmp_path / "truth.csv").open("a") as stream:
        stream.write("a,duty:fidelity,5\nb,mft:loyalty-betrayal,-5\nb,mft:patriotism,5\n")
    (tmp_path / "texts.csv").write_text("text\na\nb\n")
    raw = yaml.safe_load((recipe_in(tmp_path, start="top").folder / "recipe.yaml").read_text())
    raw["theories"] = ["duty", "mft"]
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(raw))
    run(read_recipe(tmp_path / "recipe.yaml"), tmp_path / "b")
    paths = {key: row["path"] for key, row in rows_of(tmp_path / "b").items()}
    assert paths == {
        ("a", "fidelity"): "fidelity",
        ("b", "loyalty-betrayal"): "loyalty-betrayal/patriotism",
    }


def test_a_catalogue_with_shared_children_and_further_levels_is_gone_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def node(kind: str, *parents: str) -> dict[str, Any]:
        told = {"title": kind, "kind": kind, "parents": list(parents), "definition": "One."}
        return told if kind == "ancestor" else {**told, "clause": "one"}

    nodes = {"hand": node("ancestor"), "eye": node("ancestor")}
    nodes |= {"finish": node("value", "hand", "eye"), "thrift": node("value", "hand")}
    nodes |= {"polish": node("child", "finish", "thrift"), "varnish": node("child", "finish")}
    nodes |= {"gloss": node("child", "polish"), "matt": node("child", "polish")}
    for name, body in nodes.items():
        body["title"] = name
    theory = {"title": "Workshop", "source": "Made up.", "nodes": nodes}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump({"theories": {"workshop": theory}}))
    install_catalogue(monkeypatch, tmp_path / "own.yaml")
    (tmp_path / "truth.csv").write_text(
        "text,value,intensity\n"
        + "".join(f"a,workshop:{n},5\n" for n in ("finish", "thrift", "polish", "gloss"))
        + "b,workshop:finish,-5\nb,workshop:varnish,5\n"
    )
    (tmp_path / "texts.csv").write_text("text\na\nb\n")
    raw = yaml.safe_load((recipe_in(tmp_path, start="top").folder / "recipe.yaml").read_text())
    raw["theories"] = ["workshop"]
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(raw))
    recipe = read_recipe(tmp_path / "recipe.yaml")
    told = {row.stage: row.calls for row in estimate(recipe, tmp_path / "b")}
    run(recipe, tmp_path / "b")
    assert {key: row["path"] for key, row in rows_of(tmp_path / "b").items()} == {
        ("a", "finish"): "eye/finish/polish/gloss",
        ("a", "thrift"): "hand/thrift/polish/gloss",
        ("b", "finish"): "eye/finish/varnish",
    }
    journal = read_store(tmp_path / "b" / "categorize" / "judgements.calls.jsonl")
    steps = [key.split("/")[0] for key in journal]
    assert {step: steps.count(step) for step in ("values", "children-1", "children-2")} == {
        "values": 5,
        "children-1": 5,
        "children-2": 5,
    }
    assert told["categorize, children-2"] == 5
