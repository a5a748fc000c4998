"""What changed between two versions is counted row by row and correlated."""

from pathlib import Path

from tests.hub_assets.packaged import ROWS, package
from valueflow.hub_assets.publish.changes import changes_between
from valueflow.hub_assets.vidb.schema import VIDB


def test_added_removed_and_rescored_rows_are_told_apart_in_each_split(tmp_path: Path) -> None:
    old = package(tmp_path / "old", ROWS)
    rows = [dict(row) for row in ROWS[2:]]
    rows[0]["intensity"] = float(str(rows[0]["intensity"])) - 0.25
    rows.append({**ROWS[0], "text": "New.", "filtered": True})
    new = package(tmp_path / "new", rows)
    found = changes_between(old, new, "v1", VIDB)
    full, filtered = found["splits"]["full"], found["splits"]["filtered"]
    counts = ("added", "removed", "rescored", "unchanged")
    assert [full[c] for c in counts] == [1, 2, 1, len(ROWS) - 3]
    assert [filtered[c] for c in counts] == [1, 1, 0, 3]
    assert filtered["correlation"] == 1.0
    assert full["values"]["pvq-power"] == {k: full[k] for k in (*counts, "correlation")}


def test_the_same_text_under_another_value_is_another_row(tmp_path: Path) -> None:
    old = package(tmp_path / "old", [ROWS[0]])
    new = package(tmp_path / "new", [{**ROWS[0], "value": "face"}])
    full = changes_between(old, new, "v1", VIDB)["splits"]["full"]
    assert (full["added"], full["removed"], full["correlation"]) == (1, 1, None)


def test_turned_round_intensities_correlate_negatively(tmp_path: Path) -> None:
    old = package(tmp_path / "old", ROWS)
    rows = [{**row, "intensity": -float(str(row["intensity"]))} for row in ROWS]
    full = changes_between(old, package(tmp_path / "new", rows), "v1", VIDB)["splits"]["full"]
    assert full["correlation"] == -1.0


def test_a_version_before_in_another_form_has_no_rows_in_common(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    full = changes_between(tmp_path / "old", package(tmp_path / "new", ROWS), "v1", VIDB)["splits"][
        "full"
    ]
    assert (full["added"], full["removed"]) == (len(ROWS), 0)
