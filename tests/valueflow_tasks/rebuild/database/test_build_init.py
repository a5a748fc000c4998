"""The first recipe for a user's texts, and what a build is expected to take."""

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner

from valueflow.cli import main
from valueflow.rebuild.database.recipe import read_recipe


def texts(folder: Path, header: list[str], row: list[str], delimiter: str = ",") -> Path:
    file = folder / "texts.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream, delimiter=delimiter)
        rows.writerow(header)
        rows.writerows(
            [[f"{cell} {n}" if not i else cell for i, cell in enumerate(row)] for n in range(60)]
        )
    return file


def invoke(*arguments: object) -> str:
    done = CliRunner().invoke(main, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize(
    ("header", "row", "values"),
    [
        (["text"], ["I share"], "panel"),
        (["sentence", "value"], ["I share", "benevolence"], "labels"),
        (["text", "value", "direction"], ["I share", "benevolence", "support"], "given"),
    ],
)
def test_the_recipe_fits_the_table(
    header: list[str], row: list[str], values: str, tmp_path: Path
) -> None:
    recipe = tmp_path / "recipe.yaml"
    said = invoke(
        "build", "init", texts(tmp_path, header, row, ";"), "-o", recipe, "--theory", "svt"
    )
    assert "60 texts" in said
    read = read_recipe(recipe)
    assert read.categorize.values == values
    assert read.theories == ("pvq",)
    assert read.sources[0].path == "texts.csv"
    assert recipe.read_text().count("#") > 10


def test_a_recipe_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("mine")
    file = texts(tmp_path, ["text"], ["I share"])
    done = CliRunner().invoke(main, ["build", "init", str(file), "-o", str(recipe)])
    assert done.exit_code != 0
    assert recipe.read_text() == "mine"


def test_a_dry_run_has_one_kind_of_number_a_column_and_money(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    file = texts(tmp_path, ["text"], ["I share"])
    judge = ("--judge", "valueflow/judge", "--theory", "pvq")
    invoke("build", "init", file, "-o", recipe, *judge)
    prices = tmp_path / "prices.csv"
    prices.write_text("model,input,output\nvalueflow/judge,1000,0\n")
    said = invoke("build", "vidb", recipe, "-o", tmp_path / "b", "--dry-run", "--prices", prices)
    for column in ("least", "expected", "most", "left", "US$"):
        assert column in said
    assert "$1000 and $0 per million tokens" in said
    assert not (tmp_path / "b").exists()


def test_a_judge_that_cannot_be_made_is_named_before_the_first_call(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    invoke("build", "init", texts(tmp_path, ["text"], ["I share"]), "-o", recipe)
    text = (
        recipe.read_text()
        .replace('  judge: {model: "vllm/google/gemma-3-27b-it"}', "  judge: {model: nobody/knows}")
        .replace("vllm/google/gemma-3-27b-it", "valueflow/judge")
    )
    recipe.write_text(text)
    for more in ((), ("--dry-run",)):
        done = CliRunner().invoke(
            main, ["build", "vidb", str(recipe), "-o", str(tmp_path / "b"), *more]
        )
        assert done.exit_code != 0
        assert "rank.judge nobody/knows" in done.output
    assert not (tmp_path / "b").exists()
