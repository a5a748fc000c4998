"""The command `valueflow study`: models × judges × tasks × seeds from one file.

Each judge and seed is a set of Inspect's own (`eval_set`) in a folder of its own, so that a study
that was stopped goes on where it stopped. Responses are kept in Inspect's cache by model, prompt
and seed: what several tasks ask of a model, the default above all, is generated once, and what a
judge said of it is taken from the judge's memory; every judge reads the same responses.
"""

import json
import re
from collections.abc import Iterator
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from rich import box
from rich.table import Table

from valueflow.commands.screen import examples, say, show_tables
from valueflow.hub_assets.errors import InputFileError, OptionError, ValueflowError
from valueflow.hub_assets.files import parse_mapping, read_text

if TYPE_CHECKING:
    from valueflow.results.compare import Run

__all__ = ["StudyFile", "read_study", "study_command"]

MOST_BYTES = 1_000_000


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class StudyModel(_Form):
    """An evaluated model or a judge: its name, how it is called in tables, and its options."""

    model: str
    name: str | None = None
    args: dict[str, Any] = Field(default_factory=dict)
    config: dict[str, Any] = Field(default_factory=dict)

    @property
    def slug(self) -> str:
        """A folder's name."""
        told = self.name or " ".join([self.model, *(f"{k}={v}" for k, v in self.args.items())])
        return re.sub(r"[^\w.=-]+", "-", told).strip("-")


class StudyJudge(StudyModel):
    """A judge, or a panel of judges: `panel` in place of `model`."""

    model: str = ""
    panel: list[StudyModel] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_or_several(self) -> "StudyJudge":
        if bool(self.model) == bool(self.panel):
            raise ValueError("give `model`, or `panel` with a list of judges")
        if self.panel and (self.args or self.config):
            raise ValueError("a panel's judges have `args` and `config` of their own")
        if len(self.panel) == 1:
            raise ValueError("a panel has two judges or more; give `model`")
        return self

    @property
    def members(self) -> list[StudyModel]:
        """The judges of the panel, or the judge alone."""
        return self.panel or [self]

    @property
    def called(self) -> str:
        """Its name in tables."""
        return self.name or " + ".join(one.name or one.model for one in self.members)

    @property
    def slug(self) -> str:
        """A folder's name."""
        if self.panel and self.name is None:
            return "+".join(one.slug for one in self.panel)
        return super().slug


class StudyFile(_Form):
    """A study as its file says it.

    Attributes:
        models, judges: names, or mappings of `model`, `name`, `args` and `config`; a judge may be a
            panel, a mapping of `panel` (such a list) and perhaps `name`.
        tasks: a mapping each of a task's name to its options, or its name alone.
        seeds: of questions, anchors and generation; a set of runs each.
        logs, report: folders, beside the file where they are relative.
        prices: a table of prices of your own, beside the file where it is relative.
        max_cost: most US dollars that the plan may come to.
        epochs, limit: see Inspect.
    """

    models: list[StudyModel] = Field(min_length=1)
    judges: list[StudyJudge] = Field(min_length=1)
    tasks: list[tuple[str, dict[str, Any]]] = Field(min_length=1)
    seeds: list[int] = Field(default=[0], min_length=1)
    logs: str = "logs"
    report: str = "report"
    title: str | None = None
    prices: str | None = None
    max_cost: float | None = Field(default=None, gt=0)
    epochs: int = Field(default=1, ge=1)
    limit: int | None = Field(default=None, ge=1)
    max_retries: int = Field(default=6, ge=0)


TASKS = ("steer", "steer_pair", "steer_five", "steer_composite", "steer_profile")


def read_study(path: Path) -> StudyFile:
    """Reads the file of a study.

    Raises:
        InputFileError: it cannot be read, or is no study; the field is named.
    """
    found = parse_mapping(path, read_text(path, MOST_BYTES), "models, judges and tasks")
    for key in ("models", "judges"):
        if isinstance(found.get(key), list):
            found[key] = [_named(one) for one in found[key]]
    if isinstance(found.get("tasks"), list):
        found["tasks"] = [_task_entry(path, one) for one in found["tasks"]]
    try:
        study = StudyFile.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise InputFileError(path, f"{field}: {first['msg']}") from None
    for kind, models in (("models", study.models), ("judges", study.judges)):
        names = [one.slug for one in models]
        if len(set(names)) != len(names):
            raise InputFileError(path, f"{kind}: one stands twice; give them different `name`s")
    if len(set(study.seeds)) != len(study.seeds):
        raise InputFileError(path, "seeds: one stands twice")
    return study


def _named(entry: Any) -> Any:
    """A model or judge as a mapping, a panel's judges too."""
    if isinstance(entry, str):
        return {"model": entry}
    if isinstance(entry, dict) and isinstance(entry.get("panel"), list):
        return {**entry, "panel": [_named(one) for one in entry["panel"]]}
    return entry


def _task_entry(path: Path, entry: Any) -> tuple[str, dict[str, Any]]:
    if isinstance(entry, str):
        entry = {entry: {}}
    if not isinstance(entry, dict) or len(entry) != 1:
        raise InputFileError(path, f"tasks: {entry!r} is not one task's name with its options")
    ((name, options),) = entry.items()
    name = str(name).removeprefix("valueflow/")
    if name not in TASKS:
        raise InputFileError(path, f"tasks: {name!r} is none of {', '.join(TASKS)}")
    options = options or {}
    if not isinstance(options, dict):
        raise InputFileError(path, f"tasks: the options of {name} are no mapping")
    for option in ("seed", "plan"):
        if option in options:
            raise InputFileError(path, f"tasks: {name} cannot take {option} here; see `seeds`")
    return name, options


@click.command(
    "study",
    epilog=examples(
        "valueflow study study.yaml --plan     what it costs, without any call",
        "valueflow study study.yaml            run it, or go on where it stopped",
    ),
)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--plan",
    is_flag=True,
    help="Print generations, judge calls, tokens and money, and end without any call.",
)
@click.option(
    "--display",
    default="rich",
    show_default=True,
    help="Inspect's display: full, rich, plain, log or none.",
)
def study_command(file: Path, plan: bool, display: str) -> None:
    """Run a study: every model of FILE on every task, judged by every judge, under every seed.

    FILE is YAML with `models`, `judges` and `tasks`, and perhaps `seeds`, `epochs`, `limit`,
    `logs`, `report`, `prices` and `max_cost`. What it costs is printed first. The same command goes
    on with a study that was stopped. At its end stand the report and, judge by judge, a comparison
    of the models.
    """
    study = read_study(file)
    folder = file.resolve().parent
    total, table = _planned(study, folder)
    show_tables([table])
    say(
        "No price is known for all of it; give `prices: FILE` in the study"
        if total is None
        else f"In all about ${total:,.2f}; retries and reasoning are not counted"
    )
    if study.max_cost is not None:
        if total is None:
            raise OptionError("max_cost", "needs the price of every model; give `prices: FILE`")
        if total > study.max_cost:
            raise OptionError("max_cost", f"the plan comes to ${total:,.2f}, above it")
    if plan:
        say("Nothing was asked")
        return
    unfinished = _run(study, folder, display)
    if unfinished:
        raise ValueflowError(
            f"not finished: {', '.join(unfinished)}. Run the same command again to go on"
        )
    _conclude(study, folder)


def _tasks(study: StudyFile, seed: int) -> list[Any]:
    """The tasks of a seed, made anew."""
    import valueflow

    # Each task prints its own plan; the study's stands for all.
    with redirect_stderr(StringIO()):
        return [getattr(valueflow, name)(**options, seed=seed) for name, options in study.tasks]


def _planned(study: StudyFile, folder: Path) -> tuple[float | None, Table]:
    """What a study costs, None where a price is not known, and a table of it."""
    from valueflow.hub_assets.inputs.anchors import load_vidb
    from valueflow.steering.design import planned_of
    from valueflow.steering.plan import costs_of

    prices = str(folder / study.prices) if study.prices else None
    table = Table("model", "judge", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title="Plan")
    for name in ("generations", "judge calls", "tokens in", "tokens out", "US dollars"):
        table.add_column(name, justify="right")
    total: float | None = 0.0
    asked: list[tuple[Any, Any, Any]] = []
    for seed in study.seeds:
        seen: set[tuple[str, ...]] = set()
        for task in _tasks(study, seed):
            samples, settings, registry = planned_of(task, seen, study.limit)
            vidb = load_vidb(settings.vidb, settings.columns, registry)
            asked.append((samples * study.epochs, settings, vidb))
    for model in study.models:
        for place, judge in enumerate(study.judges):
            # A panel that splits the windows asks as much as one judge, each of its judges a part.
            found = [
                (
                    costs_of(*one, model=model.model, judge=each.model, prices=prices),
                    1 / len(judge.members) if one[1].panel == "split" else 1.0,
                    first_of_panel == 0,
                )
                for one in asked
                for first_of_panel, each in enumerate(judge.members)
            ]
            # Every judge reads the same responses.
            first = place == 0
            money: float | None = 0.0
            for cost, part, leads in found:
                of_judge = None if cost.judge_money is None else part * cost.judge_money
                for one in ([cost.money] if first and leads else []) + [of_judge]:
                    money = None if money is None or one is None else money + one
            total = None if total is None or money is None else total + money
            read = sum(p * c.judge_read + (c.read if first and n else 0) for c, p, n in found)
            written = sum(
                p * c.judge_written + (c.written if first and n else 0) for c, p, n in found
            )
            table.add_row(
                model.name or model.model,
                judge.called,
                f"{sum(c.generations for c, _, n in found if n) if first else 0:,}",
                f"{sum(p * c.calls for c, p, _ in found):,.0f}",
                f"{read:,.0f}",
                f"{written:,.0f}",
                "" if money is None else f"{money:,.2f}",
            )
    return total, table


def _sets(study: StudyFile, folder: Path) -> Iterator[tuple[StudyJudge, int, Path]]:
    """Judge, seed and folder of each set of runs."""
    for judge in study.judges:
        for seed in study.seeds:
            yield judge, seed, folder / study.logs / judge.slug / f"seed-{seed}"


def _run(study: StudyFile, folder: Path, display: str) -> list[str]:
    """Runs what is not done; returns what is not finished."""
    from inspect_ai import eval_set
    from inspect_ai.model import CachePolicy, GenerateConfig, Model, get_model

    def made(one: StudyModel, cache: CachePolicy | None = None) -> Model:
        config = GenerateConfig(**one.config)
        if cache is not None:
            config.cache = cache
        return get_model(one.model, config=config, memoize=False, **one.args)

    def cache(one: StudyModel, seed: int) -> CachePolicy:
        # Inspect's key has the model's name and settings, and not its arguments.
        arguments = json.dumps(one.args, sort_keys=True, default=str)
        scopes = {"valueflow study": str(seed), "model arguments": arguments}
        return CachePolicy(expiry=None, scopes=scopes)

    unfinished = []
    for judge, seed, logs in _sets(study, folder):
        success, found = eval_set(
            _tasks(study, seed),
            log_dir=str(logs),
            model=[made(model, cache(model, seed)) for model in study.models],
            model_roles={
                f"grader_{number}" if number else "grader": made(one)
                for number, one in enumerate(judge.members)
            },
            epochs=study.epochs,
            limit=study.limit,
            # One after the other, so that what one task has asked the next finds in the cache.
            max_tasks=1,
            display=display,  # type: ignore[arg-type]
            max_retries=study.max_retries,
        )
        if not success:
            unfinished += [
                f"{log.eval.task} of {log.eval.model} judged by {judge.called}"
                for log in found
                if log.status != "success"
            ]
    return unfinished


def _name_of(study: StudyFile, run: "Run") -> str | None:
    """What the file calls the model of a run, told by its options too; None where it does not."""
    option = "model option "
    given = {k.removeprefix(option): v for k, v in run.setup.items() if k.startswith(option)}
    for one in study.models:
        if one.model == run.model and {k: str(v) for k, v in one.args.items()} == given:
            return one.name
    return None


def _conclude(study: StudyFile, folder: Path) -> None:
    """The comparison of the models judge by judge, and the report."""
    from importlib.util import find_spec

    from valueflow.commands.results.report import NEEDED
    from valueflow.results import compare as comparing

    names = {one.model: one.name for one in study.models if one.name}
    # Models that differ in their options alone keep their letters.
    models = [one.model for one in study.models]
    names = {model: name for model, name in names.items() if models.count(model) == 1}
    for judge in study.judges:
        logs = [path for other, _, path in _sets(study, folder) if other is judge]
        if len(study.models) < 2:
            break
        if len(logs) > 1:
            say(
                f"{judge.called}: {len(logs)} seeds; `valueflow compare --logs "
                "FOLDER` compares the models of one"
            )
            continue
        runs = comparing.runs_by_model(logs)
        told: list[str | None] = [_name_of(study, run) for run in runs]
        if None in told or len(set(told)) < len(told):
            told = [*comparing.names_of_runs(runs, names)]
        by_name = dict(zip(map(str, told), runs, strict=True))
        found = comparing.compare_run_figures(by_name)
        say(f"\nJudge {judge.called}")
        show_tables([t for t in comparing.figure_tables(found) if "A − B" not in str(t.title)])
        for sentence in comparing.figure_summary(found):
            say(sentence)
        path = folder / study.logs / f"comparison-{judge.slug}.csv"
        comparing.write_figures(path, found, by_name)
        say(f"All differences in {path}")
    if lacking := [name for name in NEEDED if find_spec(name) is None]:
        say(f"No report without {', '.join(lacking)}: pip install 'valueflow[report]'", err=True)
        return
    from valueflow.results.report import write_report

    report = write_report([folder / study.logs], folder / study.report, study.title, names=names)
    say(f"Report in {report.folder / 'index.html'}")
