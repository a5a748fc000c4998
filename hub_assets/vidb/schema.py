"""The form of a kind's tables, that of a value intensity database (VIDB), and what breaks it.

A packaged database is a folder with `data/THEORY/VALUE/full.parquet` and, where judges and people
were compared, `data/THEORY/VALUE/filtered.parquet` with the rows of `full` on which they agree.
Tables of other kinds (`Form`) lie below `data/` too, and are checked by the same functions.
"""

import hashlib
import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from valueflow.hub_assets.errors import ValueflowError
from valueflow.hub_assets.registry.loading import Registry, load_registry
from valueflow.hub_assets.registry.paths import path_fault

__all__ = [
    "COLUMNS",
    "DIRECTIONS",
    "SPLITS",
    "VIDB",
    "Column",
    "Form",
    "Problem",
    "ProblemsError",
    "arrow_schema",
    "check_table",
    "form_files",
    "normalised",
    "one_hash_per_text",
    "row_problems",
    "split_hash_of",
    "text_fault",
]

SPLITS = ("full", "filtered")
DIRECTIONS = ("support", "oppose", "neutral")
_SHOWN_ROWS = 5
_SHOWN_FILES = 3
_SHOWN_KINDS = 50


@dataclass(frozen=True)
class Column:
    """A column: its name, Arrow type, whether a cell may be empty, and what it holds."""

    name: str
    type: str
    optional: bool
    meaning: str


COLUMNS = (
    Column("text", "string", False, "the text, word for word as its source has it"),
    Column("theory", "string", False, "`pvq`, `mft`, `duty` or `right`"),
    Column("value", "string", False, "the value that the intensity is about"),
    Column("path", "string", True, "root-to-leaf labels in the theory's hierarchy, joined by `/`"),
    Column("direction", "string", True, "`support`, `oppose` or `neutral`, as it was labelled"),
    Column(
        "intensity",
        "double",
        False,
        "from -10 (opposes) to 10 (supports); 0 is neutral; values share no unit",
    ),
    Column("intensity_se", "double", True, "standard error of the intensity"),
    Column("utility", "double", True, "Plackett-Luce utility before the scale was fitted"),
    Column("n_comparisons", "int64", True, "ranking windows that the text stood in"),
    Column("source", "string", False, "the dataset that the text comes from"),
    Column("license", "string", False, "the licence of that source"),
    Column(
        "split_hash",
        "string",
        False,
        "16 hexadecimal digits, the same for the same text (and its near duplicates) under every "
        "value: keep rows that share one on the same side of any split",
    ),
)
_NUMBERS = ("intensity", "intensity_se", "utility", "n_comparisons")

Fault = Callable[[str, Any, Mapping[str, Any], Registry], str]
"""(column, cell, row, registry) to what is wrong with a cell that is not empty, or nothing."""


@dataclass(frozen=True)
class Form:
    """The form of a kind's tables, which lie at `data/FOLDERS/SPLIT.parquet`.

    Attributes:
        columns: of every table.
        splits: names of the files.
        folders: columns whose cells name the folders of a table, the outermost first.
        key: columns by which a row is known from version to version.
        compared: columns whose change from version to version is told; of one column of numbers,
            the correlation too.
        changed: the word for such a row, `rescored`.
        fault: what is wrong with a cell.
    """

    columns: tuple[Column, ...]
    splits: tuple[str, ...]
    folders: tuple[str, ...]
    key: tuple[str, ...]
    compared: tuple[str, ...]
    changed: str
    fault: Fault

    @property
    def place(self) -> str:
        """Where tables lie, in words."""
        folders = "".join(f"{name.upper()}/" for name in self.folders)
        return f"data/{folders}{{{','.join(self.splits)}}}.parquet"


@dataclass(frozen=True)
class Problem:
    """What is wrong in one place.

    Attributes:
        file: the file, relative to its folder where it has one.
        row: 1-based data row, or None where the file as a whole is meant.
        column: the column, or the empty string.
        message: what is wrong and what to do; the same for rows with the same fault.
        found: what the cell holds, shortened.
    """

    file: str
    row: int | None
    column: str
    message: str
    found: str = ""


class ProblemsError(ValueflowError):
    """Everything that is wrong with a database, in one error.

    Args:
        subject: the folder or table.
        problems: all problems; places with the same fault are shown in one line.
    """

    def __init__(self, subject: object, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        lines = [f"{subject}: {len(self.problems):,} problem{'s' * (len(self.problems) != 1)}"]
        kinds: defaultdict[tuple[str, str], list[Problem]] = defaultdict(list)
        for problem in self.problems:
            kinds[problem.column, problem.message].append(problem)
        for (column, message), found in list(kinds.items())[:_SHOWN_KINDS]:
            named = f", column {column!r}" if column else ""
            lines.append(f"  {_places(found)}{named}: {message}")
        if len(kinds) > _SHOWN_KINDS:
            lines.append(f"  and {len(kinds) - _SHOWN_KINDS} more kinds of problem")
        super().__init__("\n".join(lines))


def _places(problems: Sequence[Problem]) -> str:
    files: defaultdict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        files[problem.file].append(problem)
    shown = [f"{file}{_rows(found)}" for file, found in list(files.items())[:_SHOWN_FILES]]
    if len(files) > _SHOWN_FILES:
        rest = sum(map(len, list(files.values())[_SHOWN_FILES:]))
        shown.append(f"{rest:,} more places in {len(files) - _SHOWN_FILES} more files")
    return "; ".join(shown)


def _rows(problems: Sequence[Problem]) -> str:
    rows = [problem for problem in problems if problem.row is not None]
    if not rows:
        return ""
    shown = ", ".join(f"{p.row} ({p.found})" if p.found else str(p.row) for p in rows[:_SHOWN_ROWS])
    more = f" and {len(rows) - _SHOWN_ROWS:,} more" if len(rows) > _SHOWN_ROWS else ""
    return f", row{'s' * (len(rows) != 1)} {shown}{more}"


def arrow_schema(form: Form) -> Any:
    """The schema of every Parquet file of a form, a `pyarrow.Schema`."""
    import pyarrow

    types = {"string": pyarrow.string(), "double": pyarrow.float64(), "int64": pyarrow.int64()}
    types["list<string>"] = pyarrow.list_(pyarrow.string())
    return pyarrow.schema(
        [pyarrow.field(c.name, types[c.type], nullable=c.optional) for c in form.columns]
    )


def form_files(folder: Path, form: Form) -> Iterator[tuple[tuple[str, ...], Path]]:
    """Names of its folders, and path, of every table that lies where tables of the form lie; the
    stem of the path is its split."""
    for path in sorted((folder / "data").glob("*/" * len(form.folders) + "*.parquet")):
        if path.stem in form.splits:
            yield path.relative_to(folder / "data").parts[:-1], path


def normalised(text: str) -> str:
    """A text without what makes no difference to a reader: letter case, spacing, width of signs."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def split_hash_of(text: str) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of the normalised text."""
    return hashlib.sha256(normalised(text).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def check_table(
    table: Any,
    file: str,
    form: Form,
    folders: Sequence[str] = (),
    registry: Registry | None = None,
) -> list[Problem]:
    """Everything that is wrong with one table.

    Args:
        table: a `pyarrow.Table`.
        file: its name, for the problems.
        form: of the table.
        folders: what the form's `folders` must be in all rows; anything where not given.
        registry: whose names; the installation's where not given.
    """
    problems = []
    for field in arrow_schema(form):
        if field.name not in table.column_names:
            problems.append(Problem(file, None, field.name, "the column is missing"))
        elif table.schema.field(field.name).type != field.type:
            is_type = table.schema.field(field.name).type
            message = f"the column is of type {is_type}; it must be {field.type}"
            problems.append(Problem(file, None, field.name, message))
    names = [column.name for column in form.columns]
    problems += [
        Problem(file, None, name, "is not a column of the schema; take it out")
        for name in table.column_names
        if name not in names
    ]
    if len(set(table.column_names)) < len(table.column_names):
        problems.append(Problem(file, None, "", "a column stands twice"))
        return problems
    wrong = {problem.column for problem in problems}
    usable = [name for name in names if name not in wrong]
    for number, cells in enumerate(_rows_of(table.select(usable)), start=1):
        problems += row_problems(cells, file, number, form, registry)
        for name, wanted in zip(form.folders, folders, strict=False):
            if cells.get(name) not in (None, wanted):
                message = f"must be {wanted!r}, as the file's folder says"
                problems.append(Problem(file, number, name, message, _shown(cells[name])))
    return problems


def _rows_of(table: Any) -> Iterator[Mapping[str, Any]]:
    for batch in table.to_batches(max_chunksize=10_000):
        yield from batch.to_pylist()


def row_problems(
    cells: Mapping[str, Any],
    file: str,
    number: int,
    form: Form,
    registry: Registry | None = None,
) -> Iterator[Problem]:
    """Everything that is wrong with one row; columns that are not there are not looked at."""
    registry = registry or load_registry()
    for column in form.columns:
        if column.name not in cells:
            continue
        cell = cells[column.name]
        if cell is None:
            if not column.optional:
                yield Problem(file, number, column.name, "is empty")
            continue
        message = form.fault(column.name, cell, cells, registry)
        if message:
            yield Problem(file, number, column.name, message, _shown(cell))


def _shown(cell: Any) -> str:
    text = f"{cell:g}" if isinstance(cell, float) else str(cell)
    return repr(text if len(text) <= 30 else text[:27] + "...")


def _fault(name: str, cell: Any, cells: Mapping[str, Any], registry: Registry) -> str:
    """What is wrong with a cell that is not empty; the empty string where nothing is."""
    if name in _NUMBERS:
        return _number_fault(name, cell)
    if fault := text_fault(cell):
        return fault
    if name == "direction" and cell not in DIRECTIONS:
        return f"is none of {', '.join(DIRECTIONS)}"
    if name == "split_hash" and not re.fullmatch(r"[0-9a-f]{16}", cell):
        return "is not 16 hexadecimal digits"
    if name in ("theory", "value", "path"):
        theory, value = str(cells.get("theory")), str(cells.get("value"))
        return _name_fault(name, cell, theory, value, registry)
    return ""


def text_fault(cell: Any) -> str:
    """What is wrong with a cell that must be text; the empty string where nothing is."""
    if not isinstance(cell, str):
        return "is not text"
    if not cell.strip():
        return "is empty"
    if not cell.isascii() and any("\ud800" <= sign <= "\udfff" for sign in cell):
        return "holds half a character (a lone surrogate), which no file can store"
    return ""


@lru_cache(maxsize=10_000)
def _name_fault(name: str, cell: str, theory: str, value: str, registry: Registry) -> str:
    """What is wrong with a name of the registry."""
    if name == "theory":
        return "" if cell in registry.theories else f"is none of {', '.join(registry.theories)}"
    if theory not in registry.theories:
        return ""
    known = {v.name for v in registry.theories[theory].values}
    if name == "value":
        found = "" if cell in known else f"is not a value of {theory}"
        return found and f"{found}; `valueflow list values` shows their names"
    nodes = cell.split("/")
    if value in known and value not in nodes:
        return "does not pass through the row's value"
    return path_fault(cell, registry.theories[theory])


def _number_fault(name: str, cell: Any) -> str:
    if isinstance(cell, bool) or not isinstance(cell, int | float) or not math.isfinite(cell):
        return "is not a finite number"
    if name == "intensity" and not -10 <= cell <= 10:
        return "is outside [-10, 10]"
    if name in ("intensity_se", "n_comparisons") and cell < 0:
        return "is negative"
    if name == "n_comparisons" and cell != int(cell):
        return "is not a whole number"
    return ""


VIDB = Form(
    COLUMNS,
    SPLITS,
    folders=("theory", "value"),
    key=("theory", "value", "text"),
    compared=("intensity",),
    changed="rescored",
    fault=_fault,
)
"""The form of a value intensity database."""


def one_hash_per_text(rows: Iterable[tuple[str, int, str, str]]) -> list[Problem]:
    """Texts that carry different hashes in different places, which would let them leak.

    Args:
        rows: (file, row, text, split_hash) of every row.
    """
    first: dict[str, str] = {}
    problems = []
    for file, number, text, given in rows:
        if first.setdefault(normalised(text), given) != given:
            message = "the same text has another split_hash elsewhere; give it one"
            problems.append(Problem(file, number, "split_hash", message, _shown(given)))
    return problems
