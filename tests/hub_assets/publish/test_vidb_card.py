"""The card: metadata that tools read, and what a person must know before using the data."""

from pathlib import Path

import pytest
import yaml

from tests.hub_assets.packaged import ROWS, package
from valueflow.hub_assets.publish.statistics import statistics_of


def parts(folder: Path) -> tuple[dict[str, object], str]:
    _, metadata, text = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(metadata), text


def configs(folder: Path) -> dict[str, dict[str, str]]:
    found = parts(folder)[0]["configs"]
    assert isinstance(found, list)
    return {
        c["config_name"]: {file["split"]: file["path"] for file in c["data_files"]} for c in found
    }


def test_there_is_a_configuration_for_all_for_each_theory_and_for_each_value(
    tmp_path: Path,
) -> None:
    rows = [*ROWS, {**ROWS[0], "value": "justice"}]
    found = configs(package(tmp_path / "db", rows))
    assert list(found) == ["all", "duty", "pvq", "duty-justice", "pvq-power"]
    assert found["pvq"] == {
        "full": "data/pvq/*/full.parquet",
        "filtered": "data/pvq/*/filtered.parquet",
    }
    # A split without rows is not promised.
    assert found["duty-justice"] == {"full": "data/duty/justice/full.parquet"}


def test_one_licence_is_the_datasets_own_and_several_are_named_with_the_strictest_terms(
    tmp_path: Path,
) -> None:
    metadata, _ = parts(package(tmp_path / "one", ROWS))
    assert metadata["license"] == "cc-by-4.0"
    rows = [{**ROWS[0], "license": "CC-BY-NC-SA-4.0", "source": "theirs"}, *ROWS[1:]]
    metadata, text = parts(package(tmp_path / "two", rows))
    assert (metadata["license"], metadata["license_name"]) == ("other", "mixed")
    assert "| theirs | [CC-BY-NC-SA-4.0](https://creativecommons.org/" in text
    assert (
        f"| made-up | [CC-BY-4.0](https://creativecommons.org/licenses/by/4.0/) | {len(rows) - 1}"
        in text
    )
    assert "No commercial use of the whole (CC-BY-NC-SA-4.0)" in text


def test_construction_notes_and_held_out_texts_are_told(tmp_path: Path) -> None:
    notes, held = tmp_path / "notes.md", tmp_path / "held.txt"
    notes.write_text("Words of {{ my }} own.")
    held.write_text("a\nb\n")
    folder = package(
        tmp_path / "db", ROWS, notes=notes, held_out=held, construction={"judge": "a | simulated"}
    )
    _, text = parts(folder)
    assert "Words of {{ my }} own." in text
    assert r"| judge | a \| simulated |" in text
    assert "2 texts that are kept for tests" in text
    assert "did not record how" in parts(package(tmp_path / "bare", ROWS))[1]


def test_the_statistics_are_those_of_the_rows(tmp_path: Path) -> None:
    rows = [
        {**row, "intensity_se": 0.5, "n_comparisons": i, "direction": "support"}
        for i, row in enumerate(ROWS)
    ]
    folder = package(tmp_path / "db", rows)
    found = statistics_of(folder)
    [power] = found.values
    intensities = [float(str(row["intensity"])) for row in ROWS]
    assert power.full == len(ROWS)
    assert power.filtered == sum(bool(row["filtered"]) for row in ROWS)
    assert power.mean == pytest.approx(sum(intensities) / len(ROWS))
    assert (power.median_se, power.median_comparisons) == (0.5, (len(ROWS) - 1) / 2)
    assert sum(power.bins) == len(ROWS)
    assert found.against_label == sum(x < 0 for x in intensities)
    assert f"contradicts the label in {found.against_label} rows" in parts(folder)[1]


def test_without_matplotlib_the_card_has_no_picture_and_says_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_picture = package(tmp_path / "with", ROWS)
    assert (with_picture / "intensities.png").read_bytes().startswith(b"\x89PNG")
    assert "](intensities.png)" in parts(with_picture)[1]
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    without = package(tmp_path / "without", ROWS)
    assert not (without / "intensities.png").exists()
    assert "intensities.png" not in parts(without)[1]
