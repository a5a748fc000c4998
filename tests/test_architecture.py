"""The arrows between the rooms point one way, and the mathematics knows no harness."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = {
    "valueflow_tasks": "",
    "solvers": "solvers",
    "scorers": "scorers",
    "hub_assets": "hub_assets",
}

# Inspect is known at these edges of `scorers`, and of `solvers`, only.
SCORER_EDGES = {
    "intensity_scorer",
    "judging",
    "metrics",
    "option_scorer",
    "saved_rankings",
    "choice_judging",
    "judge_response",
    "log_samples",
    "refusal_judging",
    "response_scoring",
}
SOLVER_EDGES = {"steering_solver", "profile_solver", "modular_pluralism", "shared_answers"}


def imported(path: Path) -> set[str]:
    """Every module that a file imports, inside functions too."""
    found = set()
    package = "valueflow." + ROOMS[path.parent.name] if ROOMS[path.parent.name] else "valueflow"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            found.add(f"{package}.{module}" if node.level else module)
    return found


def modules(room: str) -> list[Path]:
    return sorted((ROOT / room).glob("*.py"))


def room_of(module: str) -> str | None:
    if not module.startswith("valueflow"):
        return None
    part = module.split(".")[1] if "." in module else ""
    return part if part in ("solvers", "scorers", "hub_assets") else "tasks"


@pytest.mark.parametrize(
    ("room", "may_know"),
    [
        ("hub_assets", {"hub_assets"}),
        ("solvers", {"hub_assets", "solvers"}),
        ("scorers", {"hub_assets", "scorers"}),
    ],
)
def test_rooms_import_only_what_lies_below(room: str, may_know: set[str]) -> None:
    for path in modules(room):
        known = {found for module in imported(path) if (found := room_of(module))}
        assert known <= may_know, f"{room}/{path.name} imports {known - may_know}"


@pytest.mark.parametrize(
    ("room", "edges"),
    [("hub_assets", set()), ("solvers", SOLVER_EDGES), ("scorers", SCORER_EDGES)],
)
def test_only_edges_know_a_harness(room: str, edges: set[str]) -> None:
    for path in modules(room):
        if path.stem not in edges:
            harness = {m for m in imported(path) if m.split(".")[0] in ("inspect_ai", "lm_eval")}
            assert not harness, f"{room}/{path.name} imports {harness}"


def test_light_imports_load_no_harness_and_no_heavy_library() -> None:
    math = [p.stem for p in modules("scorers") if p.stem not in SCORER_EDGES | {"__init__"}]
    lines = ["import valueflow, valueflow.scorers, valueflow.solvers, valueflow.hub_assets"]
    lines += [f"import valueflow.scorers.{name}" for name in math]
    lines += ["import sys", "print(sorted({m.split('.')[0] for m in sys.modules}))"]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True
    )
    for heavy in ("inspect_ai", "lm_eval", "torch", "datasets", "pandas", "matplotlib"):
        assert f"'{heavy}'" not in done.stdout


@pytest.mark.parametrize("first", ["import valueflow._registry", "pass"])
def test_public_names_are_the_objects_whatever_was_imported_first(first: str) -> None:
    code = f"""{first}
from valueflow import score, steer
from valueflow.scorers import WindowTable, intensity, read_rankings, steering_summary, summarize
from valueflow.solvers import steer_values
from valueflow.hub_assets import load_queries, load_registry, load_vidb
assert all(map(callable, (score, steer, intensity, steer_values, summarize, load_vidb)))
import valueflow
assert callable(valueflow.steer) and valueflow.__version__
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_no_private_part_of_inspect_is_imported() -> None:
    for room in ROOMS:
        for path in modules(room):
            private = [
                m
                for m in imported(path)
                if m.startswith("inspect_ai.") and any(p.startswith("_") for p in m.split("."))
            ]
            assert not private, f"{room}/{path.name} imports {private}"
