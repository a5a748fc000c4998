"""The package works as a wheel, as a wheel made from the sdist, and as an editable install."""

import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Folder of the checkout to folder of the package.
ROOMS = {
    "valueflow_tasks": "valueflow",
    "solvers": "valueflow/solvers",
    "scorers": "valueflow/scorers",
    "hub_assets": "valueflow/hub_assets",
}
STRAY = (
    "valueflow_tasks/scores.csv",
    "solvers/notes.txt",
    "scorers/rankings.jsonl",
    "hub_assets/draft.yaml",
    "hub_assets/data/draft.txt",
)

CHECK = """
import sys
from importlib.metadata import entry_points, files, version
from importlib.resources import files as resources
from pathlib import Path
import valueflow
from valueflow.hub_assets import load_queries, load_registry, load_vidb
from valueflow.hub_assets.registry.loading import registry_path
registry = load_registry()
assert len(registry.theories) == 4
assert len(list(registry.macro_values())) == 32
assert len(load_vidb("vidb-mini").anchors) == 32
assert len(load_queries("queries-mini").queries) >= 100
assert resources("valueflow").joinpath("py.typed").is_file()
assert version("valueflow") == valueflow.__version__
assert "valueflow" in [e.name for e in entry_points(group="inspect_ai")]
assert "valueflow" in [e.name for e in entry_points(group="console_scripts")]
import valueflow._registry
print(Path(valueflow.__file__).resolve())
print(registry_path().resolve())
"""


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def built(folder: Path, kind: str, source: Path = ROOT) -> Path:
    run(sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "--outdir", str(folder),
        str(source), cwd=folder)  # fmt: skip
    (found,) = folder.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return found


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout with stray files in it; builds leave nothing in the real one."""
    copy = tmp_path_factory.mktemp("checkout")
    for path in ROOT.iterdir():
        if path.is_file() and not path.name.startswith("."):
            shutil.copy(path, copy)
    for folder in (*ROOMS, "tests", "benchmarks", "docs"):
        ignored = shutil.ignore_patterns("__pycache__", ".*")
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignored)
    for stray in STRAY:
        (copy / stray).write_text("{}\n")
    return copy


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("wheel"), "wheel", checkout)


@pytest.fixture(scope="module")
def wheel_from_sdist(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(built(folder, "sdist", checkout)) as archive:
        archive.extractall(folder / "source", filter="data")
    (source,) = (folder / "source").iterdir()
    return built(folder, "wheel", source)


def environment(folder: Path) -> Path:
    """A virtual environment that sees this one's packages, but not its valueflow."""
    venv.create(folder)
    (site,) = (folder / "lib").glob("python*/site-packages")
    # A path in a .pth file is searched, but editable installs inside it are not activated.
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return folder / "bin" / "python"


def install_and_check(tmp_path: Path, *what: str) -> tuple[Path, Path]:
    python = environment(tmp_path / "environment")
    run(str(python), "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation",
        "--ignore-installed", *what, cwd=tmp_path)  # fmt: skip
    run(str(python.with_name("valueflow")), "--version", cwd=tmp_path)
    package, registry = run(str(python), "-c", CHECK, cwd=tmp_path).splitlines()[-2:]
    return Path(package), Path(registry)


@pytest.mark.packaging
def test_a_wheel_works(wheel: Path, tmp_path: Path) -> None:
    package, registry = install_and_check(tmp_path, str(wheel))
    assert package.is_relative_to(tmp_path)
    assert registry == package.parent / "hub_assets" / "registry.yaml"


@pytest.mark.packaging
def test_a_wheel_made_from_the_sdist_works(wheel_from_sdist: Path, tmp_path: Path) -> None:
    package, registry = install_and_check(tmp_path, str(wheel_from_sdist))
    assert package.is_relative_to(tmp_path)
    assert registry == package.parent / "hub_assets" / "registry.yaml"


@pytest.mark.packaging
def test_an_editable_install_reads_the_checkout(checkout: Path, tmp_path: Path) -> None:
    package, registry = install_and_check(tmp_path, "-e", str(checkout))
    assert package == (checkout / "valueflow_tasks" / "__init__.py").resolve()
    assert registry == (checkout / "registry.yaml").resolve()


@pytest.mark.packaging
@pytest.mark.parametrize("made", ["wheel", "wheel_from_sdist"])
def test_a_wheel_holds_the_package_and_nothing_else(
    made: str, request: pytest.FixtureRequest
) -> None:
    archive = zipfile.ZipFile(request.getfixturevalue(made))
    names = {n for n in archive.namelist() if ".dist-info/" not in n}
    expected = {
        f"{inside}/{path.relative_to(ROOT / room).as_posix()}"
        for room, inside in ROOMS.items()
        for kind in ("*.py", "*.jinja")
        for path in ROOT.glob(f"{room}/**/{kind}")
    }
    expected |= {"valueflow/py.typed", "valueflow/eval.yaml"}
    expected |= {"valueflow/hub_assets/registry.yaml"}
    expected |= {"lm_eval/valueflow-tasks.txt"} | {
        f"lm_eval/tasks/valueflow/{path.name}"
        for path in ROOT.glob("valueflow_tasks/lm_eval/harness_tasks/*.yaml")
    }
    data = [
        path
        for path in (ROOT / "hub_assets" / "data").rglob("*")
        if path.suffix in (".csv", ".jsonl", ".yaml") or path.name == "LICENSE"
    ]
    expected |= {f"valueflow/{path.relative_to(ROOT).as_posix()}" for path in data}
    assert names == expected
    assert len([n for n in names if "/vidb-mini/" in n]) == 32
    registry = archive.read("valueflow/hub_assets/registry.yaml")
    assert registry == (ROOT / "registry.yaml").read_bytes()


@pytest.mark.packaging
def test_the_base_install_asks_for_no_torch(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (metadata,) = [n for n in archive.namelist() if n.endswith("METADATA")]
    needs = [
        line for line in archive.read(metadata).decode().splitlines()
        if line.startswith("Requires-Dist:") and "extra ==" not in line
    ]  # fmt: skip
    assert len(needs) >= 8
    assert not [line for line in needs if "torch" in line or "==" in line]


@pytest.mark.parametrize(
    "before",
    [
        "",
        "import valueflow._registry",
        """for module in walk_packages(valueflow.__path__, "valueflow."):
    try:
        import_module(module.name)
    except ModuleNotFoundError as error:
        # What only an extra brings.
        assert error.name in ("sentence_transformers", "torch", "safetensors"), error
""",
    ],
    ids=["nothing", "entry point", "every module"],
)
def test_no_exported_name_is_hidden_by_a_module(before: str) -> None:
    code = f"""
from importlib import import_module
from pkgutil import iter_modules, walk_packages
from types import ModuleType
import valueflow
{before}
for name in {list(ROOMS.values())}:
    package = import_module(name.replace("/", "."))
    assert not set(package.__all__) & {{module.name for module in iter_modules(package.__path__)}}
    for export in package.__all__:
        found = getattr(package, export)
        # A module that is exported under its name on purpose is nobody else's submodule.
        own = f"{{package.__name__}}.{{export}}"
        assert not isinstance(found, ModuleType) or found.__name__ != own
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
