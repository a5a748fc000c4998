"""Users' files of earlier versions are read with the same numbers.

`tests/made_before/files` holds logs, rankings, databases and tables that an earlier version made,
and `expected.json` what that version read out of them; `tests/made_before/make.py` tells how. What
is read, counted and estimated by the published estimator holds for good. Figures of the default
estimator hold until its version rises.
"""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from tests.made_before.reading import ARTEFACTS, Study, cells_of_refusals_log, opened

FILES = Path(__file__).parent / "made_before" / "files"
EXPECTED = json.loads((FILES / "expected.json").read_text(encoding="utf-8"))


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return opened(FILES, tmp_path)


def differences(found: Any, expected: Any, tolerance: float, place: str = "") -> list[str]:
    """Where two trees of mappings, lists and numbers differ, and by what."""
    if isinstance(expected, dict) and isinstance(found, dict):
        parts = [(f"{place} > {key}", key) for key in {**expected, **found}]
        return [
            told
            for where, key in parts
            for told in (
                differences(found[key], expected[key], tolerance, where)
                if key in found and key in expected
                else [f"{where}: only {'found' if key in found else 'expected'}"]
            )
        ]
    if isinstance(expected, list) and isinstance(found, list | tuple):
        if len(expected) != len(found):
            return [f"{place}: {len(found)} entries, expected {len(expected)}"]
        return [
            told
            for number, (one, other) in enumerate(zip(found, expected, strict=True))
            for told in differences(one, other, tolerance, f"{place}[{number}]")
        ]
    numbers = all(isinstance(x, int | float) for x in (found, expected))
    same = found == expected or (
        numbers
        and (
            math.isclose(found, expected, rel_tol=tolerance, abs_tol=tolerance)
            or (math.isnan(found) and math.isnan(expected))
        )
    )
    return [] if same else [f"{place}: {found!r}, expected {expected!r}"]


def test_a_difference_of_any_kind_is_told() -> None:
    tree = {"a": [1.0, math.nan, {"b": "c"}], "d": None}
    assert differences({"a": (1.0 + 1e-12, math.nan, {"b": "c"}), "d": None}, tree, 1e-9) == []
    for other in (
        {"a": [1.0 + 1e-6, math.nan, {"b": "c"}], "d": None},
        {"a": [1.0, 0.0, {"b": "c"}], "d": None},
        {"a": [1.0, math.nan, {"b": "x"}], "d": None},
        {"a": [1.0, math.nan], "d": None},
        {"a": [1.0, math.nan, {"b": "c"}]},
        {"a": [1.0, math.nan, {"b": "c"}], "d": 0.0},
    ):
        assert len(differences(other, tree, 1e-9)) == 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("artefact", ARTEFACTS)
def test_an_old_file_is_read_with_the_same_numbers(artefact: str, study: Study) -> None:
    found, expected = ARTEFACTS[artefact](study), EXPECTED[artefact]
    assert differences(found["always"], expected["always"], 1e-9) == []
    told = differences(found["estimator"], expected["estimator"], 1e-5)
    assert told == [], (
        "figures of the default estimator changed; where its version rose on purpose, run "
        "`python tests/made_before/make.py tests/made_before/files --figures estimator`"
    )


def test_nothing_that_was_kept_is_asked_for_again() -> None:
    assert EXPECTED["lm_eval_steer"]["always"]["judge_calls"] == 0
    finished = EXPECTED["database_finished"]["always"]
    half = EXPECTED["database_half"]["always"]
    assert finished["calls_made"] == 0
    assert 0 < half["calls_made"] == finished["calls_kept"] - half["calls_kept"]
    assert half["calls_told"] == half["calls_made"]


def test_the_files_hold_what_is_hard_to_read() -> None:
    refusals = EXPECTED["steer_refusals"]["always"]
    assert refusals["refused"]
    assert refusals["read"]["unscored"]
    assert refusals["metrics"]["windows_failed"] > 0
    assert EXPECTED["score"]["always"]["read"]["unscored"]
    assert EXPECTED["rankings_jsonl"]["always"]["read"]["left_out"]
    assert EXPECTED["rankings_csv"]["always"]["read"]["left_out"]


@pytest.mark.parametrize("estimator", ["reference", "population"])
def test_cells_of_a_log_hold_no_refused_response(estimator: str, study: Study) -> None:
    """The log's own metrics leave them out, under `refusals=rank` too; its tables have to."""
    known = EXPECTED["steer_refusals"]
    if estimator == "reference":
        cells = known["always"]["without_refused"]["cells"]
        expected = {cell: [items, mean] for cell, (items, mean, *_) in cells.items()}
    else:
        metrics = {**known["always"]["metrics"], **known["estimator"]["metrics"]}
        cells = known["always"]["without_refused"]["cells"]
        expected = {c: [int(metrics[f"{c} count"]), metrics[f"{c} mean"]] for c in cells}
    assert differences(cells_of_refusals_log(study, estimator), expected, 1e-5) == []


def test_no_file_names_a_machine() -> None:
    forbidden = (b"/home/", b"/Users/", b"/root/", b"/tmp/", b"C:\\Users")
    for path in FILES.rglob("*"):
        if path.is_file():
            held = path.read_bytes()
            assert not [word for word in forbidden if word in held], path
