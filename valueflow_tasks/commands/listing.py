"""The command `valueflow list`, and its tables, made from the registry.

It answers at once, so nothing that needs a harness or SciPy is imported unless it is listed.
"""

import ast
import inspect
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from valueflow import TASK_MODULES
from valueflow.commands.screen import examples, form_options, show_tables
from valueflow.hub_assets.registry.loading import Registry, load_registry
from valueflow.hub_assets.settings import described

__all__ = ["list_command", "tables"]


@click.command(
    "list",
    epilog=examples(
        "valueflow list",
        "valueflow list values",
        "valueflow list values --theory duty --all",
        "valueflow list pairs --theory right",
        "valueflow list assets --json",
    ),
)
@click.argument(
    "what",
    type=click.Choice(
        [
            "overview",
            "theories",
            "values",
            "levels",
            "pairs",
            "squares",
            "composites",
            "groups",
            "tasks",
            "options",
            "assets",
            "queries",
        ]
    ),
    default="overview",
)
@click.option("--theory", help="Only this theory (values, pairs, squares, composites).")
@click.option("--all", "everything", is_flag=True, help="Ancestors and children too (values).")
@form_options
def list_command(what: str, theory: str | None, everything: bool, form: str | None) -> None:
    """Show the catalogue: theories, values, pairs, squares, tasks, assets and so on."""
    show_tables(list(tables(what, theory, everything)), form)


def tables(what: str, theory: str | None = None, everything: bool = False) -> Iterator[Table]:
    """The tables to show.

    Args:
        what: `overview`, `theories`, `values`, `levels`, `pairs`, `squares`, `composites`,
            `groups`, `tasks`, `options`, `assets` or `queries`.
        theory: for values and what is made of them, only this one.
        everything: for `values`, ancestors and children too.

    Raises:
        UnknownNameError: an unknown theory.
    """
    registry = load_registry()
    if what in ("overview", "theories"):
        yield _theories(registry)
    if what == "values":
        yield _values(registry, theory, everything)
    if what in ("overview", "levels"):
        yield _levels(registry)
    if what in ("overview", "tasks"):
        yield _tasks(everything=what == "tasks")
    if what == "options":
        yield _options()
    if what in ("overview", "assets"):
        yield _assets(registry)
    if what == "pairs":
        yield _pairs(registry, theory)
    if what == "squares":
        yield _squares(registry, theory)
    if what == "composites":
        yield _composites(registry, theory)
    if what == "groups":
        yield _groups(registry)
    if what == "queries":
        yield _query_families(registry)


def _theories(registry: Registry) -> Table:
    table = Table("theory", "title", "values", "also", title="Theories")
    for theory in registry.theories.values():
        names = ", ".join(value.name for value in theory.values)
        table.add_row(theory.name, theory.title, names, ", ".join(theory.aliases))
    return table


def _values(registry: Registry, theory: str | None, everything: bool) -> Table:
    chosen = [registry.theory(theory)] if theory else list(registry.theories.values())
    table = Table("theory", "value", "kind", "parents", "definition", title="Values")
    for one in chosen:
        for node in one.nodes.values():
            if everything or node.kind == "value":
                table.add_row(
                    one.name, node.name, node.kind, ", ".join(node.parents), node.definition
                )
    return table


def _levels(registry: Registry) -> Table:
    table = Table("level", "name", "persona phrase", title="Levels")
    for level in registry.levels:
        say = registry.sentences.say
        stance = say("steering.stance", phrase=level.phrase, object=say("steering.object"))
        phrase = stance if level.phrase else "(no persona)"
        table.add_row(f"{level.level:+d}" if level.level else "0", level.name, phrase)
    return table


def _pairs(registry: Registry, theory: str | None) -> Table:
    wanted = registry.theory(theory).name if theory else None
    table = Table("theory", "pair", "levels", "scored on", title="Pairs")
    for pair in registry.pairs:
        if wanted in (None, registry.theory(pair.theory).name):
            levels = ", ".join(f"({a:+d}, {b:+d})" for a, b in registry.levels_of_pair(pair))
            members = registry.check_pair(pair)
            scored = dict.fromkeys(v.name for m in members for v in registry.scored_on(m))
            table.add_row(pair.theory, "+".join(pair.values), levels, ", ".join(scored))
    return table


def _squares(registry: Registry, theory: str | None) -> Table:
    wanted = registry.theory(theory).name if theory else None
    pattern = ", ".join(f"{level:+d}" for level in registry.defaults.five_values.levels)
    table = Table("square", "values", "why", title=f"Five-value squares (first row {pattern})")
    for square in registry.five_value_squares.values():
        if wanted in (None, registry.theory(square.theory).name):
            table.add_row(square.name, ", ".join(square.values), square.why)
    return table


def _composites(registry: Registry, theory: str | None) -> Table:
    table = Table("theory", "value", "children", title="Composites")
    for value in registry.composites(theory):
        children = ", ".join(child.name for child in registry.children_of(value))
        table.add_row(value.theory, value.name, children)
    return table


def _tasks(everything: bool) -> Table:
    """The tasks, each with the first line of its docstring, and `everything`: their parameters."""
    table = Table("task", "what it does", title="Inspect tasks")
    if everything:
        table.add_column("parameters (-T name=...)")
    else:
        table.caption = "parameters: valueflow list tasks"
    for name, module in TASK_MODULES.items():
        row = [f"valueflow/{name}", _first_line(module, name)]
        if everything:
            # Imported here: a task needs Inspect, which takes two seconds to import.
            row.append(", ".join(_parameters(getattr(import_module(module), name))))
        table.add_row(*row)
    return table


def _parameters(task: Callable[..., Any]) -> list[str]:
    given = inspect.signature(task).parameters.values()
    return [parameter.name for parameter in given if parameter.kind is not parameter.VAR_KEYWORD]


def _first_line(module: str, function: str) -> str:
    """The first line of a function's docstring, read from its module without importing that."""
    found = find_spec(module)
    assert found is not None
    assert found.origin is not None
    parsed = ast.parse(Path(found.origin).read_text(encoding="utf-8"))
    for node in parsed.body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            return (ast.get_docstring(node) or "").partition("\n")[0]
    raise LookupError(f"{module} has no function {function}")


def _options() -> Table:
    from valueflow.steering.settings import STEERED

    table = Table("option", "what it is", "default", title="Options of steering (-T name=...)")
    options = {name: field for model in STEERED for name, field in model.model_fields.items()}
    for name, meaning, default in described(options):
        table.add_row(name, meaning.replace("`", ""), default.replace("`", ""))
    return table


def _assets(registry: Registry) -> Table:
    table = Table("asset", "kind", "where", "revision", "license", "note", title="Assets")
    for asset in registry.assets.values():
        where = asset.repo_id or "embedded"
        table.add_row(asset.name, asset.kind, where, asset.revision, asset.license, asset.note)
    return table


def _groups(registry: Registry) -> Table:
    table = Table("attribute", "group", "also", "sentence", title="Groups (surveys)")
    for one in registry.opinion.attributes.values():
        for group in one.groups:
            also = ", ".join(group.aliases)
            table.add_row(f"{one.name} ({one.title})", group.name, also, group.sentence)
    return table


def _query_families(registry: Registry) -> Table:
    table = Table("family", "title", title="Query families")
    for family in registry.query_families:
        table.add_row(family.name, family.title)
    return table
