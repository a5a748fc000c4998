"""Arrows between rooms and between packages point one way; mathematics knows no harness."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = {
    "valueflow_tasks": "valueflow",
    "solvers": "valueflow.solvers",
    "scorers": "valueflow.scorers",
    "hub_assets": "valueflow.hub_assets",
}
HARNESSES = {"inspect_ai", "lm_eval"}

# Inspect is known at these edges of `scorers`, and of `solvers`, only.
EDGES = {
    "scorers": {
        "database.embedding.scorer",
        "intensity_scorer",
        "judge.asking",
        "judge.questions.choice",
        "judge.calls.memory",
        "judge.model",
        "judge.panel",
        "judge.probe",
        "judge.response",
        "judge.scoring",
        "judge.calls.spending",
        "saved.logs",
        "saved.rankings",
        "summary.while_running",
        "survey.scorer",
    },
    "solvers": {"steering_solver", "survey_solver", "communities", "shared_answers"},
    "hub_assets": set(),
}

# Which packages of a room a package may import; modules beside the packages are open to all.
MAY_KNOW = {
    "valueflow_tasks": {
        "commands": {"lm_eval", "simulated", "results", "rebuild", "survey", "steering"},
        "rebuild": {"simulated", "results"},
        "lm_eval": {"steering", "survey", "results"},
        "results": set(),
        "simulated": {"steering", "survey"},
        "steering": set(),
        "survey": {"steering"},
    },
    "scorers": {
        "database": {"judge"},
        "estimate": set(),
        "judge": {"estimate", "windows"},
        "saved": {"estimate", "summary"},
        "summary": {"estimate"},
        "survey": {"judge", "summary"},
        "windows": {"estimate"},
    },
    "hub_assets": {
        "inputs": {"vidb", "registry"},
        "publish": {"survey", "inputs", "vidb", "registry"},
        "registry": set(),
        "survey": {"inputs", "registry", "vidb"},
        "vidb": {"registry"},
    },
    "solvers": {},
}


def modules(room: str) -> list[Path]:
    return sorted(path for path in (ROOT / room).rglob("*.py") if "__pycache__" not in path.parts)


def inside(path: Path) -> tuple[str, ...]:
    """A module's place in its room, `("judge", "asking")`; `__init__` is the package."""
    room, *parts = path.relative_to(ROOT).with_suffix("").parts
    assert room in ROOMS
    return tuple(part for part in parts if part != "__init__")


def dotted(path: Path) -> str:
    return ".".join((ROOMS[path.relative_to(ROOT).parts[0]], *inside(path)))


KNOWN = {dotted(path): path for room in ROOMS for path in modules(room)}


def imported(path: Path) -> set[str]:
    """Every module that a file imports, inside functions too; relative imports resolved."""
    found = set()
    package = dotted(path) if path.name == "__init__.py" else dotted(path).rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                base = package.split(".")[: len(package.split(".")) - node.level + 1]
                module = ".".join([*base, *([module] if module else [])])
            # `from package import module` imports the module.
            below = {f"{module}.{alias.name}" for alias in node.names} & set(KNOWN)
            found |= below or {module}
    return found


def of_the_project(path: Path) -> Iterator[Path]:
    for name in imported(path):
        if name in KNOWN:
            yield KNOWN[name]


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


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
        # The package `valueflow` itself is only a name above the rooms.
        known = {room_of(other) for other in of_the_project(path) if dotted(other) != "valueflow"}
        assert known <= may_know, f"{dotted(path)} imports {known - may_know}"


@pytest.mark.parametrize("room", list(ROOMS))
def test_packages_of_a_room_import_only_what_the_picture_allows(room: str) -> None:
    for path in modules(room):
        place = inside(path)
        if len(place) < 2:
            continue
        for other in of_the_project(path):
            there = inside(other)
            if room_of(other) == room and len(there) > 1 and there[0] != place[0]:
                allowed = MAY_KNOW[room][place[0]]
                assert there[0] in allowed, f"{dotted(path)} imports {dotted(other)}"


def test_the_report_on_survey_runs_and_that_on_steering_runs_do_not_know_each_other() -> None:
    for path in modules("valueflow_tasks"):
        sides = {"steering", "survey"}
        place = inside(path)
        if place[:1] == ("results",) and len(place) > 2 and place[1] in sides:
            others = {".".join(inside(other)[:2]) for other in of_the_project(path)}
            assert not others & {f"results.{side}" for side in sides - {place[1]}}, dotted(path)


def test_no_imports_go_in_a_circle() -> None:
    arrows = {name: {dotted(o) for o in of_the_project(path)} for name, path in KNOWN.items()}
    # Lazy exports import nothing; what remains must be peeled off from its leaves.
    arrows = {n: {o for o in others if o != n} for n, others in arrows.items()}
    for package in [n for n, path in KNOWN.items() if path.name == "__init__.py"]:
        arrows[package] = set()
    while leaves := {name for name, others in arrows.items() if not others & set(arrows)}:
        arrows = {name: others for name, others in arrows.items() if name not in leaves}
    assert not arrows, f"in a circle: {sorted(arrows)}"


@pytest.mark.parametrize("room", list(EDGES))
def test_only_edges_know_a_harness(room: str) -> None:
    for path in modules(room):
        if ".".join(inside(path)) not in EDGES[room]:
            harness = {m for m in imported(path) if m.split(".")[0] in HARNESSES}
            assert not harness, f"{dotted(path)} imports {harness}"


def test_every_edge_is_there() -> None:
    for room, edges in EDGES.items():
        assert edges <= {".".join(inside(path)) for path in modules(room)}


@pytest.mark.parametrize("room", list(ROOMS))
def test_a_folder_shows_at_most_twelve_entries(room: str) -> None:
    folders = {ROOT / room} | {p.parent for p in modules(room)}
    for folder in folders:
        entries = [e.name for e in folder.iterdir() if e.name != "__pycache__"]
        assert len(entries) <= 12, f"{folder.relative_to(ROOT)}: {sorted(entries)}"


@pytest.mark.parametrize("room", list(ROOMS))
def test_files_that_share_a_prefix_are_a_package(room: str) -> None:
    for folder in {p.parent for p in modules(room)}:
        prefixes = [p.stem.split("_")[0] for p in folder.glob("*.py") if "_" in p.stem.strip("_")]
        shared = {prefix for prefix in prefixes if prefixes.count(prefix) > 2}
        assert not shared, f"{folder.relative_to(ROOT)}: {shared}"


def test_light_imports_load_no_harness_and_no_heavy_library() -> None:
    edges = {f"valueflow.scorers.{edge}" for edge in EDGES["scorers"]}
    math = [name for name, path in KNOWN.items() if room_of(path) == "scorers"]
    lines = ["import valueflow, valueflow.scorers, valueflow.solvers, valueflow.hub_assets"]
    lines += [f"import {name}" for name in math if name not in edges]
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
            assert not private, f"{dotted(path)} imports {private}"
