"""`valueflow summary`: the same table to read, for programs and for papers."""

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.table import Table

from tests.study_runs import run_log
from valueflow.cli import main
from valueflow.commands.screen import as_latex, as_markdown
from valueflow.scorers.saved.logs import ScoredLog
from valueflow.scorers.summary.run import flatten, summarize
from valueflow.steering.tasks import steer


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_log(tmp_path_factory.mktemp("logs"))


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["summary", *map(str, arguments)])


def test_the_table_for_programs_has_the_numbers_of_the_summary(log: Path) -> None:
    summary = summarize(list(ScoredLog(log).records()))  # type: ignore[arg-type]
    rows = json.loads(call(log, "--json").stdout)
    assert [row["value"] for row in rows] == ["benevolence", "power"]
    for value in summary.values:
        (row,) = [row for row in rows if row["value"] == value.value]
        assert row["range"] == pytest.approx(value.figures["range"].value, rel=1e-5)
        assert row["range se"] == pytest.approx(value.figures["range"].se, rel=1e-5)
    found = list(csv.DictReader(io.StringIO(call(log, "--csv").stdout)))
    assert float(found[0]["range"]) == rows[0]["range"]


def test_every_figure_is_listed_by_the_name_that_the_metrics_have(log: Path) -> None:
    flat = flatten(summarize(list(ScoredLog(log).records())))  # type: ignore[arg-type]
    rows = json.loads(call(log, "--all", "--json").stdout)
    assert {row["figure"] for row in rows} == {n for n in flat if not n.endswith("_stderr")}
    (row,) = [row for row in rows if row["figure"] == "power/+2 mean"]
    assert row["value"] == pytest.approx(flat["power/+2 mean"], rel=1e-5)
    assert row["se"] == pytest.approx(flat["power/+2 mean_stderr"], rel=1e-5)


def test_values_can_be_chosen_and_models_named(log: Path, tmp_path: Path) -> None:
    other = run_log(tmp_path, steer(values="power", levels="-2,2", n_queries=2), gain_up=2)
    said = call(log, other, "--values", "power", "--label", "valueflow/respondent=Model & Sons")
    assert said.exit_code == 0, said.output
    assert "benevolence" not in said.output
    assert "A: Model & Sons" in said.output
    latex = call(log, "--latex", "--values", "power").stdout
    assert "benevolence" not in latex
    assert r"\begin{tabular}{lrrrrrr}" in latex
    assert r"$\pm$" in latex
    assert "value | -2" in call(log, "--markdown").stdout


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--values", "powr"), "measured in no log"),
        (("--values", ","), "names no value"),
        (("--label", "model"), "MODEL=NAME"),
        (("--label", "other/model=x"), "no log is of this model"),
    ],
)
def test_names_that_are_not_there_are_errors(
    log: Path, options: tuple[str, str], word: str
) -> None:
    said = call(log, *options)
    assert said.exit_code == 1
    assert word in said.output


def test_no_text_of_a_table_is_markup() -> None:
    table = Table("value_1", r"50 % & more")
    table.add_column("number", justify="right")
    table.add_row("a|b*c", r"x\y{z}~^#$", "-1.5 ± 0.2▲")
    assert as_latex(table) == "\n".join(
        [
            r"\begin{tabular}{llr}",
            r"\toprule",
            r"value\_1 & 50 \% \& more & number \\",
            r"\midrule",
            r"a|b*c & x\textbackslash{}y\{z\}\textasciitilde{}\textasciicircum{}\#\$ & "
            r"$-$1.5 $\pm$ 0.2$^\blacktriangle$ \\",
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )
    assert as_markdown(table).splitlines()[2].startswith(r"| a\|b\*c | x\\y\{z\}\~^\#$ |")
