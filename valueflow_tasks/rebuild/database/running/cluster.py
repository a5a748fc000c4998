"""Ranks, fits, scales and flags the values of a build on a Ray cluster, a task a value.

    driver   import, categorize, curate; then one task a value; package
    task     the stages of its value, in a folder of its own on whatever machine it runs
    keeper   one process beside the driver, which writes the build's folder: each call and each
             judgement of a task is there before that task asks the next question

A task whose worker dies is started anew by Ray, from what the keeper has: no finished call is made
again. When a task is done, its files take their place in the folder, if they hold every judgement
that was kept for it; then the stages are gone through here, with no call allowed, so that whatever
was made from other rows or settings would be found. The result is that of one machine.
"""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from valueflow.hub_assets.errors import OptionError, ValueflowError
from valueflow.hub_assets.files import read_text, write_bytes
from valueflow.hub_assets.lazy import need
from valueflow.hub_assets.registry.loading import Value
from valueflow.rebuild.database.folder import files_of, read_lines, stage_file
from valueflow.rebuild.database.judging import Budget, BudgetSpent, JudgingDisplay
from valueflow.rebuild.database.rank import expected_windows
from valueflow.rebuild.database.recipe import Recipe, key_of
from valueflow.rebuild.database.running.stages import Run, run_stage, share_of, stage_of_value
from valueflow.scorers.judge.calls.store import JudgementStore, mirrored, open_store, read_store

__all__ = ["LOCAL", "Keeper", "keeper_name", "run_on_cluster"]

LOCAL = "local"
"""The address of a cluster that is started on this machine, for this run alone."""

RETRIES = 20
"""How often a value whose worker died is taken up again."""

SECONDS = 0.5
"""Between two looks at how far the tasks are."""

_KEPT = "what was judged is kept; run the same command again to go on"


@dataclass(frozen=True)
class Job:
    """What a task needs that is not in the build's folder: the recipe, and the files it names."""

    recipe: Recipe
    theory: str
    name: str
    stages: tuple[str, ...]
    catalogue: str | None
    beside: Mapping[str, bytes]
    version: str
    most: int


@dataclass(frozen=True)
class Outcome:
    """What became of a task: the files of its value, or why it stopped."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    error: str = ""
    spent: bool = False


@dataclass(frozen=True)
class Status:
    """How far the tasks are.

    Attributes:
        done: rankings that are kept, by value.
        pids: of the process that last began with a value, and how often one did.
        calls, tokens_in, tokens_out, cost: of all tasks in this run.
    """

    done: Mapping[str, int]
    pids: Mapping[str, tuple[int, int]]
    calls: int
    tokens_in: int
    tokens_out: int
    cost: float


def run_on_cluster(run: Run, stages: Sequence[str], address: str = LOCAL) -> None:
    """Runs stages of a run's values on a cluster, then checks them here.

    Args:
        run: curated; its budget takes what the tasks spend.
        stages: of those that treat each value by itself.
        address: of a Ray cluster that this machine belongs to (`auto` finds it); `local` starts one
            on this machine.

    Raises:
        OptionError: there is no such cluster.
        ValueflowError: a task failed, its judge or the budget; what was judged is kept.
    """
    need("--ray", "ray", "ray")
    if address.startswith("ray://"):
        raise OptionError(
            "ray",
            f"{address} is a client's address, and judgements are kept on the cluster: "
            "run this on one of its machines with --ray auto",
        )
    values = share_of(run)
    with _cluster(address):
        import ray

        try:
            _run(run, tuple(stages), values)
        except ray.exceptions.RayError as error:
            raise ValueflowError(f"the cluster failed ({_line(error)}); {_KEPT}") from None
    for stage in stages:
        run_stage(replace(run, budget=Budget(0)), stage)


@contextmanager
def _cluster(address: str) -> Iterator[None]:
    import ray

    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    own: dict[str, Any] = {"include_dashboard": False} if address == LOCAL else {}
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **own)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise OptionError("ray", f"no cluster answers at {address!r} ({_line(error)})") from None
    try:
        yield
    finally:
        ray.shutdown()


def _run(run: Run, stages: tuple[str, ...], values: Sequence[Value]) -> None:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    before = replace(run.budget)
    most = None if before.most is None else max(0, before.most - before.calls)
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    # Typed as Ray's stubs do not: with them, and where they are missing, it reads alike.
    keeper: Any = (
        ray.remote(Keeper)
        .options(num_cpus=0, scheduling_strategy=here, name=keeper_name(run.folder))
        .remote(str(run.folder.resolve()), most)
    )
    task = ray.remote(work).options(num_cpus=1, max_retries=RETRIES)
    jobs = {key_of(value): _job(run, value, stages) for value in values}
    waiting = {task.remote(job, keeper): (key, job) for key, job in jobs.items()}
    faults: dict[str, Outcome] = {}
    begun: dict[str, int] = {}
    try:
        with JudgingDisplay(", ".join(stages), _expected(run, values), run.budget) as display:
            known = sum(_judged(run.folder, value) for value in values)
            display.known(known)
            while waiting:
                ready, _ = ray.wait(list(waiting), timeout=SECONDS)
                status: Status = ray.get(keeper.status.remote())
                for name in ("calls", "tokens_in", "tokens_out", "cost"):
                    setattr(run.budget, name, getattr(before, name) + getattr(status, name))
                display.asked(sum(status.done.values()) - display.new)
                for key, (_, times) in status.pids.items():
                    if times > max(1, begun.get(key, 1)):
                        run.say(f"{key}: its worker died; another goes on where it was")
                    begun[key] = times
                for reference in ready:
                    key, job = waiting.pop(reference)
                    outcome = _outcome(reference)
                    if not outcome.error:
                        fault = ray.get(keeper.finish.remote(job.theory, job.name, outcome.files))
                        outcome = Outcome(error=fault)
                    if outcome.error and not faults:
                        # The others keep what they are at, and make no further call.
                        ray.get(keeper.stop.remote())
                    if outcome.error:
                        faults[key] = outcome
    finally:
        with suppress(ray.exceptions.RayError):
            # Its files are free for whoever goes on, before this returns.
            ray.get(keeper.close.remote(), timeout=30)
        ray.kill(keeper)
    if faults:
        told = {key: fault for key, fault in faults.items() if not fault.spent} or faults
        message = "; ".join(dict.fromkeys(fault.error for fault in told.values()))
        raise (BudgetSpent if told is faults else ValueflowError)(message)


def keeper_name(folder: Path) -> str:
    """Of the keeper of a build's folder, by which Ray knows it."""
    return f"valueflow keeper of {folder.resolve()}"


def _outcome(reference: Any) -> Outcome:
    import ray

    try:
        found: Outcome = ray.get(reference)
    except ray.exceptions.RayError as error:
        return Outcome(error=f"the cluster failed ({_line(error)}); {_KEPT}")
    return found


def _line(error: Exception) -> str:
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1].strip()}" if lines else type(error).__name__


def _expected(run: Run, values: Sequence[Value]) -> int:
    """Judgements that ranking will take; those of panels on odd rows come on top."""
    files = (stage_file(run.folder, "curate", value, ".jsonl") for value in values)
    return sum(
        expected_windows(sum(1 for _ in read_lines(f, "curate")), run.recipe.rank) for f in files
    )


def _judged(folder: Path, value: Value) -> int:
    return len(read_store(stage_file(folder, "rank", value, ".jsonl")))


def _job(run: Run, value: Value, stages: tuple[str, ...]) -> Job:
    """What goes to a task.

    Raises:
        OptionError: a file that the recipe names lies outside of its folder.
    """
    recipe = run.recipe
    names = [recipe.scale.ratings]
    names += [
        judge.args.get(key)
        for judge in (recipe.rank.judge, *recipe.flag.judges)
        for key in ("truth", "vidb")
    ]
    beside: dict[str, bytes] = {}
    for name in names:
        # Absolute ones must be there on every machine, as models in a shared folder are.
        if not isinstance(name, str) or Path(name).expanduser().is_absolute():
            continue
        file = recipe.path(name)
        if not file.is_file():
            continue
        if not file.resolve().is_relative_to(recipe.folder.resolve()):
            raise OptionError("ray", f"{name} lies outside of the recipe's folder; put it there")
        beside[name] = file.read_bytes()
    catalogue = recipe.registry.catalogue
    return Job(
        recipe,
        value.theory,
        value.name,
        stages,
        None if catalogue is None else read_text(Path(catalogue)),
        beside,
        version("valueflow"),
        run.budget.most or 0,
    )


class Keeper:
    """Writes what tasks say into the build's folder; one process, beside the driver."""

    def __init__(self, folder: str, most: int | None) -> None:
        self.folder = Path(folder)
        self.most = most
        self.stopped = self.closed = False
        self.open: dict[str, tuple[JudgementStore, ExitStack]] = {}
        self.done: dict[str, int] = {}
        self.pids: dict[str, tuple[int, int]] = {}
        self.spent: dict[tuple[str, int], tuple[int, int, float]] = {}
        self.calls = 0

    def begin(self, theory: str, name: str, pid: int) -> dict[str, bytes]:
        """The files of a value, for a task that begins with it or takes it up again."""
        key = f"{theory}:{name}"
        self.pids[key] = (pid, self.pids.get(key, (0, 0))[1] + 1)
        return files_of(self.folder, theory, name)

    def take(self) -> bool:
        """Whether a call may be made; it is counted."""
        if self.stopped or (self.most is not None and self.calls >= self.most):
            return False
        self.calls += 1
        return True

    def stop(self) -> None:
        self.stopped = True

    def add(
        self,
        key: str,
        file: str,
        row: Mapping[str, Any],
        begun: bytes | None,
        spent: tuple[int, int, float],
    ) -> None:
        """Keeps a line of a task's store.

        Args:
            key: of the value.
            file: the store, within the folder.
            row: the line.
            begun: what the store's judgements are asked with, with the first line of a store.
            spent: tokens read, tokens written and cost of the task so far.
        """
        if self.closed:
            raise RuntimeError("the command that these judgements are for has ended")
        if file not in self.open:
            stack = ExitStack()
            self.open[file] = (stack.enter_context(open_store(self.folder / file)), stack)
        if begun is not None:
            write_bytes(self.folder / begun_file(file), begun)
        store = self.open[file][0]
        self.spent[key, self.pids.get(key, (0, 0))[0]] = spent
        name, rest = str(row["key"]), {k: part for k, part in row.items() if k != "key"}
        if name not in store:  # A worker that was cut off may have said it before.
            store.add(name, rest)
            if file.startswith("rank/") and not file.endswith(".calls.jsonl"):
                self.done[key] = self.done.get(key, 0) + 1

    def status(self) -> Status:
        sums = [sum(part[n] for part in self.spent.values()) for n in range(3)]
        tokens = (int(sums[0]), int(sums[1]), float(sums[2]))
        return Status(dict(self.done), dict(self.pids), self.calls, *tokens)

    def finish(self, theory: str, name: str, files: Mapping[str, bytes]) -> str:
        """Puts the files of a value in their place; why not, where they lack what was kept."""
        stores = [file for file in self.open if Path(file).name.startswith(f"{theory}.{name}.")]
        for file in stores:
            store, stack = self.open[file]
            with TemporaryDirectory() as room:
                theirs = Path(room) / "store.jsonl"
                theirs.write_bytes(files.get(file, b""))
                lacking = set(store.rows) - set(read_store(theirs))
            if lacking:
                return (
                    f"{theory}:{name}: its worker lacks {len(lacking):,} judgements that were kept "
                    f"in {self.folder / file}; run the same command again"
                )
            stack.close()
            del self.open[file]
        for file, content in files.items():
            write_bytes(self.folder / file, content)
        return ""

    def close(self) -> None:
        """Lets go of all files; nothing is kept any more."""
        self.stopped = self.closed = True
        for _, stack in self.open.values():
            stack.close()
        self.open.clear()


def begun_file(store: str) -> str:
    """Where it stands what a store's judgements, or its journal's calls, are asked with."""
    return store.removesuffix(".jsonl").removesuffix(".calls") + ".begun.json"


@dataclass
class _Shared(Budget):
    """The budget of a task, which asks the keeper before each call; `most` is for messages."""

    keeper: Any = None

    def take(self) -> None:
        import ray

        if not ray.get(self.keeper.take.remote()):
            self.refused = True
            raise BudgetSpent("the budget of calls is spent")
        self.calls += 1


def work(job: Job, keeper: Any) -> Outcome:
    """A task: the stages of one value, wherever it runs."""
    import ray

    if version("valueflow") != job.version:
        return Outcome(
            error=f"a machine of the cluster has valueflow {version('valueflow')}, and this one "
            f"{job.version}; install the same on all"
        )
    with TemporaryDirectory(prefix="valueflow-") as temporary:
        room, folder = Path(temporary), Path(temporary) / "build"
        recipe = _settled(job, room / "recipe")
        value = recipe.registry.value(job.name, job.theory)
        there = ray.get(keeper.begin.remote(job.theory, job.name, os.getpid()))
        for name, content in there.items():
            write_bytes(folder / name, content)
        budget = _Shared(job.most, keeper=keeper)
        seen: set[str] = set()

        def say(path: Path, row: Mapping[str, Any]) -> None:
            name = path.relative_to(folder).as_posix()
            note = folder / begun_file(name)
            begun = note.read_bytes() if name not in seen and note.is_file() else None
            seen.add(name)
            spent = (budget.tokens_in, budget.tokens_out, budget.cost)
            key = f"{job.theory}:{job.name}"
            ray.get(keeper.add.remote(key, name, dict(row), begun, spent))

        run = Run(recipe, folder, budget)
        try:
            with mirrored(say):
                for stage in job.stages:
                    stage_of_value(run, stage, value)
        except ray.exceptions.RayError as error:
            return Outcome(error=f"judgements could not be kept ({_line(error)})")
        except ValueflowError as error:
            return Outcome(error=str(error), spent=isinstance(error, BudgetSpent))
        return Outcome(files_of(folder, job.theory, job.name))


def _settled(job: Job, folder: Path) -> Recipe:
    """The recipe with the files that it names beside it, in a folder of this machine."""
    for name, content in job.beside.items():
        write_bytes(folder / name, content)
    catalogue = None
    if job.catalogue is not None:
        write_bytes(folder / "own-catalogue.yaml", job.catalogue.encode())
        catalogue = "own-catalogue.yaml"
    return job.recipe.model_copy(update={"folder": folder, "catalogue": catalogue})
