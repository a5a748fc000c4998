"""`valueflow judge-study`: tables from saved judgements, and what it says of wrong ones."""

import csv
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from valueflow.cli import main

REAL = os.environ.get("VALUEFLOW_REAL_DATA")


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def rows(judge: str = "A", shift: float = 0.0, texts: int = 12) -> list[dict[str, Any]]:
    """Numbers for single texts: the label, the judge's shift, and a little of the text's own."""
    generator = np.random.default_rng(5)
    labels = generator.uniform(-8, 8, texts).round(1).tolist()
    return [
        {
            "item": f"text {n}",
            "value": "power",
            "judge": judge,
            "wording": "one",
            "human": label,
            "rating": round(max(-10.0, min(10.0, label + shift))),
        }
        for n, label in enumerate(labels)
    ]


def written(path: Path, lines: list[dict[str, Any]]) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    else:
        with path.open("w", newline="") as stream:
            table = csv.DictWriter(stream, list(lines[0]))
            table.writeheader()
            table.writerows(lines)
    return path


def figures(folder: Path) -> dict[tuple[str, str, str], dict[str, str]]:
    with (folder / "figures.csv").open() as stream:
        return {(r["way"], r["scale"], r["figure"]): r for r in csv.DictReader(stream)}


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_two_judges_of_two_files_are_compared(suffix: str, tmp_path: Path) -> None:
    one = written(tmp_path / f"a{suffix}", rows("A"))
    two = written(tmp_path / f"b{suffix}", rows("B", 2.0))
    done = call("judge-study", one, two, "-o", tmp_path / "out", "-c", "label=human")
    assert done.exit_code == 0, done.output
    found = figures(tmp_path / "out")
    change = found["rating", "raw", "judge_range"]
    assert float(change["value"]) == pytest.approx(2.0, abs=0.3)
    assert float(change["published"]) == 7.1
    assert float(found["rating", "calibrated", "judge_range"]["value"]) < 1.0
    assert "12 texts, 2 judges" in done.output
    assert "one wording, so nothing differs between wordings" in done.output
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert run["texts"] == 12
    assert {p.name for p in (tmp_path / "out").iterdir()} >= {
        "figures.csv", "differences.csv", "judges.csv", "scores.csv", "run.json",
    }  # fmt: skip


def test_names_of_files_stand_for_judges_or_wordings_where_rows_name_none(tmp_path: Path) -> None:
    lines = [{k: v for k, v in row.items() if k not in ("judge", "wording")} for row in rows()]
    files = [written(tmp_path / f"{name}.jsonl", lines) for name in ("first", "second")]
    done = call("judge-study", *files, "-o", tmp_path / "w", "-c", "label=human")
    assert ("rating", "raw", "wording_change") in figures(tmp_path / "w"), done.output
    line = ("judge-study", *files, "-o", tmp_path / "j", "-c", "label=human")
    assert call(*line, "--files-are", "judges").exit_code == 0
    assert ("rating", "raw", "judge_variance") in figures(tmp_path / "j")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"rating": "a lot"}, "row 4: 'rating' is wrong: 'a lot' is not a number"),
        ({"rating": 400}, "row 4: 'rating' is wrong: 400 lies outside"),
        ({"item": ""}, "row 4: 'item' is wrong"),
        ({"human": "strong"}, "row 4: 'label' is wrong: 'strong' is not a number"),
    ],
)
def test_a_wrong_row_is_named_with_its_file(
    change: dict[str, Any], told: str, tmp_path: Path
) -> None:
    lines = rows()
    lines[3] |= change
    file = written(tmp_path / "a.csv", lines)
    done = call("judge-study", file, "-o", tmp_path / "out", "-c", "label=human")
    assert done.exit_code == 1
    assert str(file) in done.output
    assert told in " ".join(done.output.split())


def test_wrong_columns_and_files_are_told(tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", rows())
    out = ("-o", tmp_path / "out")
    assert "has no column 'truth'" in call("judge-study", file, *out, "-c", "label=truth").output
    assert "'mark' is not one of" in call("judge-study", file, *out, "-c", "mark=human").output
    assert "not FIELD=COLUMN" in call("judge-study", file, *out, "-c", "label").output
    lost = [{**row, "rating": None, "failure": "provider error"} for row in rows()]
    empty = written(tmp_path / "lost.jsonl", lost)
    assert "no judgement (12 provider error)" in call("judge-study", empty, *out).output


@pytest.mark.skipif(not REAL, reason="set VALUEFLOW_REAL_DATA to the folder of the real data")
def test_the_real_judgements_are_read_as_they_are(tmp_path: Path) -> None:
    folder = Path(str(REAL), "real_judge")
    done = call("judge-study", *folder.glob("ra*.jsonl"), "-o", tmp_path, "-c", "label=truth")
    assert done.exit_code == 0, done.output
    found = figures(tmp_path)
    for way in ("window_rating", "ranking"):
        for name in ("sign_accuracy", "pairwise_accuracy", "correlation"):
            figure = found[way, "calibrated", name]
            assert 0.75 < float(figure["value"]) < 1
            assert not math.isnan(float(figure["lower"]))
