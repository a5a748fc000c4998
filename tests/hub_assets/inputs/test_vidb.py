"""Anchors load from tables of many shapes; a table that cannot serve says why."""

import gzip
import json
from pathlib import Path

import pytest

from valueflow.hub_assets.errors import InputFileError, OptionError
from valueflow.hub_assets.inputs.anchors import load_vidb
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.hub_assets.vidb.schema import normalised

POWER = load_registry().value("power")


def table(tmp_path: Path, text: str, name: str = "anchors.csv") -> str:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def test_a_table_with_value_and_theory_in_any_spelling(tmp_path: Path) -> None:
    vidb = load_vidb(
        table(
            tmp_path,
            "text,final_rating,value,theory\nI rule,8,Power,SVT\nI heal,9,care/harm,mft\n",
        )
    )
    assert vidb.of(POWER)[0].intensity == 8
    assert set(vidb.anchors) == {("pvq", "power"), ("mft", "care-harm")}


@pytest.mark.parametrize(
    "name",
    [
        "power.csv",
        "Power.csv",
        "pvq_power.csv",
        "svt-power.csv",
        "pvq/power.csv",
        "data/final_ratings/power_pvq_flag_aggregated.csv",
        "power/train-00000-of-00001.csv",
        "PVQ_Power/full.csv",
    ],
)
def test_a_table_per_value_takes_the_value_from_its_name(tmp_path: Path, name: str) -> None:
    path = table(tmp_path, "text,final_rating\nI rule,8\n", name)
    assert load_vidb(path).of(POWER)[0].text == "I rule"
    if "/" in name:
        assert load_vidb(str(tmp_path)).of(POWER)[0].text == "I rule"


def test_columns_of_other_names_are_mapped_by_the_user(tmp_path: Path) -> None:
    path = table(tmp_path, "snippet,mark\nI rule,8\n", "power.csv")
    with pytest.raises(InputFileError, match=r"Found: snippet, mark.*vidb_columns='\{text"):
        load_vidb(path)
    vidb = load_vidb(path, {"text": "Snippet", "intensity": "mark"})
    assert vidb.of(POWER)[0].intensity == 8
    with pytest.raises(InputFileError, match="has no column 'other'; it has snippet, mark"):
        load_vidb(path, {"text": "other", "intensity": "mark"})
    with pytest.raises(OptionError, match="'colour' is not one of"):
        load_vidb(path, {"colour": "mark"})


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("I rule,much", "row 2, column 'intensity': the intensity 'much' is not a number"),
        ("I rule,inf", "row 2, column 'intensity': the intensity 'inf' is not a number"),
        ("I rule,10.5", r"row 2.*10.5 is outside \[-10, 10\]"),
        (" ,5", "row 2, column 'text': the text is empty"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, row: str, message: str) -> None:
    path = table(tmp_path, f"text,intensity\nfine,1\n{row}\n", "power.csv")
    with pytest.raises(InputFileError, match=message):
        load_vidb(path)


def test_true_is_no_intensity_and_seven_no_level(tmp_path: Path) -> None:
    path = table(tmp_path, '{"text": "I rule", "intensity": true}\n', "power.jsonl")
    with pytest.raises(InputFileError, match="not a number"):
        load_vidb(path)
    path = table(tmp_path, "text,intensity,level\nI rule,3,7\n", "power.csv")
    with pytest.raises(InputFileError, match="level '7' is none of"):
        load_vidb(path)


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    vidb = load_vidb(
        table(tmp_path, "text,intensity,value\na,1,power\nA ,2,power\nb,3,charisma\nc,4,power\n")
    )
    assert [anchor.text for anchor in vidb.of(POWER)] == ["a", "c"]
    assert "1 repeated texts of a value (the first was kept)" in vidb.notes
    assert "1 rows of values that the registry does not know (charisma 1)" in vidb.notes


def test_a_table_without_the_value_lists_what_it_has(tmp_path: Path) -> None:
    vidb = load_vidb(table(tmp_path, "text,intensity\na,1\n", "tradition.csv"))
    with pytest.raises(InputFileError, match=r"no anchors for pvq:power; it has .*pvq:tradition"):
        vidb.of(POWER)


def test_a_table_of_unknown_or_unnamed_values_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=r"holds no anchor.*1 rows of values"):
        load_vidb(table(tmp_path, "text,intensity,value\na,1,charisma\n"))
    with pytest.raises(InputFileError, match=r"its name says none.*vidb_columns"):
        load_vidb(table(tmp_path, "text,intensity\na,1\n", "anchors2.csv"))


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = table(tmp_path, "text,intensity\na,1\n", "power.csv")
    assert load_vidb(path).of(POWER)[0].intensity == 1
    table(tmp_path, "text,intensity\na,2\n", "power.csv")
    assert load_vidb(path).of(POWER)[0].intensity == 2


def test_a_column_without_a_name_is_no_level_and_no_theory(tmp_path: Path) -> None:
    """Tables saved with a row index begin with such a column."""
    vidb = load_vidb(
        table(tmp_path, ",text,intensity,value\n0,I rule,8,power\n7,I yield,-8,power\n")
    )
    assert [(a.text, a.level) for a in vidb.of(POWER)] == [("I rule", None), ("I yield", None)]
    assert vidb.notes == ()


def test_an_empty_theory_is_none_given(tmp_path: Path) -> None:
    vidb = load_vidb(
        table(tmp_path, "text,intensity,value,theory\nI rule,8,power,\nI heal,9,care,mft\n")
    )
    assert set(vidb.anchors) == {("pvq", "power"), ("mft", "care-harm")}


@pytest.mark.parametrize(
    ("intensity", "message"),
    [
        ("1" + "0" * 400, "is not a number"),
        ("1e999", "inf is not a number"),
        ("true", "True is not a number"),
        ("[1]", "is not a number"),
        ("-10.01", r"-10.01 is outside \[-10, 10\]; rescale the table"),
    ],
)
def test_an_intensity_of_json_that_cannot_serve_is_named_with_row_and_column(
    tmp_path: Path, intensity: str, message: str
) -> None:
    rows = f'{{"text": "fine", "mark": 1}}\n{{"text": "I rule", "mark": {intensity}}}\n'
    path = table(tmp_path, rows, "power.jsonl")
    with pytest.raises(InputFileError, match=rf"power\.jsonl, row 2, column 'mark': .*{message}"):
        load_vidb(path, {"intensity": "mark"})


def test_the_ends_of_the_scale_are_on_it(tmp_path: Path) -> None:
    path = table(
        tmp_path, "text,intensity,level\nI rule,10,+2\nI serve,-10,-2.0\nI sit,0,\n", "power.csv"
    )
    found = [(a.intensity, a.level) for a in load_vidb(path).of(POWER)]
    assert found == [(10, 2), (-10, -2), (0, None)]


def test_a_table_without_rows_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=r"power\.csv: holds no anchor of a known value"):
        load_vidb(table(tmp_path, "text,intensity\n", "power.csv"))


@pytest.mark.parametrize(
    ("low", "high", "warned"),
    [(1, 5, True), (0, 10, True), (-4, 4, True), (-9, -1, True), (-10, 10, False), (-5, 5, False)],
)
def test_intensities_that_were_rated_on_another_scale_are_warned_of(
    tmp_path: Path, low: float, high: float, warned: bool
) -> None:
    rows = f"Low,{low}\nMiddle,{(low + high) / 2}\nHigh,{high}\n"
    notes = load_vidb(table(tmp_path, f"text,intensity\n{rows}", "power.csv")).notes
    assert any("another scale" in note and "pvq:power" in note for note in notes) is warned


def test_the_embedded_anchors_span_the_scale() -> None:
    assert not any("another scale" in note for note in load_vidb("vidb-mini").notes)


@pytest.mark.parametrize("text", [["I rule"], {"a": 1}, True])
def test_an_anchor_that_is_no_text_is_refused(tmp_path: Path, text: object) -> None:
    rows = json.dumps({"text": text, "intensity": 3, "value": "power"})
    with pytest.raises(InputFileError, match=r"row 1, column 'text': is a.*not a text"):
        load_vidb(table(tmp_path, rows, "anchors.jsonl"))


def test_texts_are_the_same_where_packaging_says_so(tmp_path: Path) -> None:
    """A sign more is another text; letter case, spacing and width of signs are not."""
    texts = ["I rule.", "I rule!", "i  RULE.", "Ｉ rule!"]
    rows = "".join(f'"{text}",{index}\n' for index, text in enumerate(texts))
    vidb = load_vidb(table(tmp_path, f"text,intensity\n{rows}", "power.csv"))
    assert [anchor.text for anchor in vidb.of(POWER)] == texts[:2]
    assert len({normalised(text) for text in texts}) == 2


def test_a_packed_table_is_read_as_the_table(tmp_path: Path) -> None:
    (tmp_path / "pvq").mkdir()
    packed = tmp_path / "pvq" / "power.csv.gz"
    packed.write_bytes(gzip.compress(b"text,final_rating\nI rule,8\n"))
    assert load_vidb(str(packed)).of(POWER)[0].intensity == 8
    assert load_vidb(str(tmp_path)).of(POWER)[0].text == "I rule"
    packed.write_bytes(gzip.compress(b"text,final_rating\nI rule,8\n" * 1000)[:40])
    with pytest.raises(InputFileError, match=r"power\.csv\.gz.*cannot be unpacked.*cut short"):
        load_vidb(str(packed))
    packed.write_bytes(b"text,final_rating\nI rule,8\n")
    with pytest.raises(InputFileError, match="no gzip file"):
        load_vidb(str(packed))


def test_a_packed_table_has_a_size_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("valueflow.hub_assets.inputs.rows.MOST_TABLE_BYTES", 2**20)
    packed = tmp_path / "power.csv.gz"
    packed.write_bytes(gzip.compress(b"text,intensity\n" + b"a" * 2**21 + b",1\n"))
    with pytest.raises(InputFileError, match="more than 1 MiB when unpacked"):
        load_vidb(str(packed))


def test_rows_without_an_intensity_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = "text,intensity\nI rule,8\nI wait,\nI sit,nan\nI serve,-8\n"
    vidb = load_vidb(table(tmp_path, rows, "power.csv"))
    assert [a.text for a in vidb.of(POWER)] == ["I rule", "I serve"]
    assert "2 rows without an intensity" in vidb.notes


def test_a_declared_scale_is_mapped_onto_ours(tmp_path: Path) -> None:
    path = table(tmp_path, "text,mark\nno,1\nso so,3\nyes,5\n", "power.csv")
    vidb = load_vidb(path, {"intensity": "mark", "range": "1..5"})
    assert [a.intensity for a in vidb.of(POWER)] == [-10, 0, 10]
    assert "intensities were mapped from 1 to 5 onto -10 to 10" in vidb.notes
    with pytest.raises(InputFileError, match=r"5 is outside \[0, 4\]"):
        load_vidb(path, {"intensity": "mark", "range": "0 to 4"})
    for wrong in ("5..1", "wide", "1"):
        with pytest.raises(OptionError, match=r"is no scale; write its ends"):
            load_vidb(path, {"intensity": "mark", "range": wrong})


def test_a_file_of_an_unknown_value_among_others_is_named(tmp_path: Path) -> None:
    table(tmp_path, "text,intensity\na,1\nb,2\n", "pvq/charisma.csv")
    path = table(tmp_path, "text,intensity\nI rule,8\nI serve,-8\n", "pvq/power.csv")
    vidb = load_vidb(str(Path(path).parent.parent))
    assert set(vidb.anchors) == {("pvq", "power")}
    assert any("2 rows of values" in n and "the file charisma.csv 2" in n for n in vidb.notes)


def test_columns_that_cannot_be_mapped_come_with_the_files_found(tmp_path: Path) -> None:
    for value in ("power", "tradition"):
        table(tmp_path, "snippet,mark\na,1\n", f"pvq/{value}.csv")
    with pytest.raises(InputFileError, match=r"Found: snippet, mark.*pvq/power.csv, pvq/tradition"):
        load_vidb(str(tmp_path))
