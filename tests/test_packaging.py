"""The package works as a wheel, as a wheel made from the sdist, and as an editable install."""

import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.packaging

CHECK = """
import sys
from importlib.metadata import entry_points, files, version
from importlib.resources import files as resources
from pathlib import Path
import valueflow
from valueflow.hub_assets import load_queries, load_registry, load_vidb
from valueflow.hub_assets.registry import registry_path
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
    """A copy of the files that git tracks, so that builds leave nothing in the checkout."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in run("git", "ls-files", cwd=ROOT).splitlines():
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
    return copy


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("wheel"), "wheel", checkout)


@pytest.fixture(scope="module")
def sdist(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("sdist"), "sdist", checkout)


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
    package, registry = run(str(python), "-c", CHECK, cwd=tmp_path).splitlines()[-2:]
    return Path(package), Path(registry)


def test_a_wheel_works(wheel: Path, tmp_path: Path) -> None:
    package, registry = install_and_check(tmp_path, str(wheel))
    assert package.is_relative_to(tmp_path)
    assert registry == package.parent / "hub_assets" / "registry.yaml"


def test_a_wheel_made_from_the_sdist_works(sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    (tmp_path / "made").mkdir()
    package, registry = install_and_check(tmp_path, str(built(tmp_path / "made", "wheel", source)))
    assert package.is_relative_to(tmp_path)
    assert registry.read_bytes() == (ROOT / "registry.yaml").read_bytes()


def test_an_editable_install_reads_the_checkout(checkout: Path, tmp_path: Path) -> None:
    package, registry = install_and_check(tmp_path, "-e", str(checkout))
    assert package == (checkout / "valueflow_tasks" / "__init__.py").resolve()
    assert registry == (checkout / "registry.yaml").resolve()


def test_a_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    outside = [n for n in names if not n.startswith(("valueflow/", "valueflow-"))]
    assert outside == []
    assert [n for n in names if n.endswith("registry.yaml")] == [
        "valueflow/hub_assets/registry.yaml"
    ]
    assert not [n for n in names if "test" in n or "benchmark" in n]
    assert len([n for n in names if "vidb-mini" in n and n.endswith(".jsonl")]) == 32
    assert "valueflow/hub_assets/data/LICENSE" in names
    for room in ("solvers", "scorers", "hub_assets"):
        modules = {path.name for path in (ROOT / room).glob("*.py")}
        inside = {Path(n).name for n in names if n.startswith(f"valueflow/{room}/")}
        tracked = set(run("git", "ls-files", room, cwd=ROOT).split())
        assert {m for m in modules if f"{room}/{m}" in tracked} <= inside


def test_the_base_install_asks_for_no_torch(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (metadata,) = [n for n in archive.namelist() if n.endswith("METADATA")]
    needs = [
        line for line in archive.read(metadata).decode().splitlines()
        if line.startswith("Requires-Dist:") and "extra ==" not in line
    ]  # fmt: skip
    assert len(needs) >= 8
    assert not [line for line in needs if "torch" in line or "==" in line]
