"""What an extra brings is asked for before the feature begins, by the extra's name."""

import re
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from valueflow.cli import main
from valueflow.hub_assets.errors import ValueflowError
from valueflow.hub_assets.lazy import need

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NOT_OURS = {
    "inspect_ai": "inspect-ai",
    "huggingface_hub": "huggingface-hub",
    "yaml": "pyyaml",
    "sklearn": "scikit-learn",
}


def name_of(requirement: str) -> str:
    return re.split(r"[<>=\[ ]", requirement)[0]


def test_what_is_missing_is_named_with_its_extra() -> None:
    need("a page", "review", "json", "re")
    with pytest.raises(ValueflowError) as error:
        need("a page", "review", "json", "no_such_module", "nor_this")
    assert str(error.value) == (
        "a page needs no_such_module, nor_this: python -m pip install 'valueflow[review]'"
    )


@pytest.mark.parametrize(
    ("options", "lacking"),
    [([], "the review page needs starlette, uvicorn"), (["--agreement"], "krippendorff")],
)
def test_a_review_without_its_extra_says_so_before_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], lacking: str
) -> None:
    here = {"starlette": None, "uvicorn": None, "krippendorff": None}
    monkeypatch.setattr("valueflow.hub_assets.lazy.find_spec", lambda name: here.get(name, name))
    done = CliRunner().invoke(main, ["review", str(tmp_path), *options])
    assert done.exit_code == 1
    assert lacking in done.output
    assert "pip install 'valueflow[review]'" in done.output


def test_every_extra_is_described_in_the_readme_with_what_it_brings() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for extra, packages in PROJECT["optional-dependencies"].items():
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{extra}` |")]
        if extra in ("report", "review"):
            assert all(name_of(package) in row for package in packages)


def test_the_development_extra_has_what_reports_and_reviews_need() -> None:
    extras = PROJECT["optional-dependencies"]
    assert {*extras["report"], *extras["review"]} <= set(extras["dev"])


def test_every_package_that_is_imported_is_declared() -> None:
    declared = {name_of(one) for one in PROJECT["dependencies"]}
    for packages in PROJECT["optional-dependencies"].values():
        declared |= {name_of(one) for one in packages}
    found: set[str] = set()
    line = re.compile(r"^\s*(?:from|import) (\w+)[\w.]*(?: import| as|$)", re.MULTILINE)
    for room in ("hub_assets", "solvers", "scorers", "valueflow_tasks"):
        for path in (ROOT / room).rglob("*.py"):
            found |= set(line.findall(path.read_text(encoding="utf-8")))
    foreign = found - set(sys.stdlib_module_names) - {"valueflow"}
    assert {"anyio", "pyarrow", "numpy"} <= foreign
    assert {NOT_OURS.get(name, name.replace("_", "-")) for name in foreign} <= declared
