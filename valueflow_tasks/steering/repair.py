"""Asks again about the windows of a log that have no ranking, and about no other.

A judge that was out for a while leaves windows without a ranking in a finished log. Its responses
were paid for, and so were the rankings that came; what is missing alone is asked for here, of the
same judge, in the same words.
"""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import anyio
from inspect_ai.log import (
    EvalLog,
    EvalSample,
    recompute_metrics,
    write_eval_log,
)
from inspect_ai.model import Model

from valueflow.hub_assets.errors import InputFileError, OptionError
from valueflow.hub_assets.settings import CALL_SETTINGS, read_sample
from valueflow.scorers.intensity_scorer import intensity_score
from valueflow.scorers.judge.answer import strip_reasoning
from valueflow.scorers.judge.asking import GRADER_ROLE
from valueflow.scorers.judge.calls.memory import Budget, JudgeState, Used, judge_with
from valueflow.scorers.judge.model import make_grader
from valueflow.scorers.judge.panel import Grader
from valueflow.scorers.judge.scoring import Judging, repair_response
from valueflow.scorers.records import (
    METADATA_KEY,
    ResponseRecord,
    judge_usage,
    lost_windows,
)
from valueflow.scorers.saved.logs import ScoredLog

__all__ = ["Repaired", "repair_log"]


_OF_THE_SCORER = ("judge_mode", "judge_attempts", "seed", "panel")
"""Settings that decide how a window is asked about, which `inspect score` may have changed."""


@dataclass(frozen=True)
class Repaired:
    """What became of a log.

    Attributes:
        failed: windows that had no ranking.
        left: how many of them still have none, by the reason.
        judge: who was asked; None where nothing had to be.
        used: what that took.
        stopped: whether a budget ended it before all were asked about.
    """

    failed: int
    left: Mapping[str, int]
    judge: str | None
    used: Used
    stopped: bool = False


def repair_log(
    path: Path,
    output: Path,
    *,
    grader: Mapping[str, Any] | None = None,
    connections: int = 20,
    max_calls: int | None = None,
) -> Repaired:
    """Repairs a log, and writes it whole or not at all.

    Args:
        path: a log of a task of this project, finished.
        output: where the repaired log goes; may be the log itself.
        grader: the judge, from `grader_spec`; the one that the log names where not given.
        connections: most calls in flight.
        max_calls: most calls; what was answered until then is kept.

    Raises:
        InputFileError: the log cannot be read, or has no scored response.
        OptionError: the judge is another than the one whose rankings stand in the log, or cannot be
            made.
    """
    reading = ScoredLog(path)
    every = list(reading.samples(exclude=frozenset()))
    log = reading.header
    log.samples = [sample for sample, _ in every]
    found = [(sample, cast(ResponseRecord, record)) for sample, record in every if record]
    if not found:
        raise InputFileError(path, "has no response that valueflow/intensity scored")
    lost = [(sample, record) for sample, record in found if lost_windows([record])]
    failed = sum(lost_windows(record for _, record in lost).values())
    if not failed:
        return Repaired(0, {}, None, Used())
    judges = _judges(log, lost[0][1], grader, connections, path)
    budget = Budget(max_calls)
    before = judge_usage(record for _, record in lost)
    stopped = anyio.run(_repair, judges, lost, budget, connections)
    for sample, record in lost:
        _put(sample, record)
    if log.results is not None:
        recompute_metrics(log)
    log.eval.metadata = {**(log.eval.metadata or {}), "repaired_windows": failed}
    _write(log, output)
    used = Used()
    for name, after in judge_usage(record for _, record in lost).items():
        earlier = before.get(name)
        names = ("asked", "cached", "failed", "tokens_in", "tokens_out", "cost")
        spent = {n: after[n] - (earlier[n] if earlier else 0) for n in names}  # type: ignore[literal-required]
        used.plus(Used(**spent))
    left = lost_windows(record for _, record in lost)
    asked = " + ".join(judge.name for judge in judges)
    return Repaired(failed, dict(left), asked, used, stopped)


def _judges(
    log: EvalLog,
    record: ResponseRecord,
    grader: Mapping[str, Any] | None,
    connections: int,
    path: Path,
) -> list[Grader]:
    """The judges of a log, each as it was."""
    told = record.get("judge")
    if told is None:
        raise InputFileError(path, "does not say who judged it")
    if "judges" not in told:
        model, named = _judge(log, told, GRADER_ROLE, grader, connections)
        return [Grader(model, named, str(model))]
    if grader is not None:
        raise OptionError(
            "grader",
            f"the log has a panel of judges ({told['model']}), and each is asked for its own "
            "windows; leave --grader out",
        )
    found = []
    for one in told["judges"]:
        model, _ = _judge(log, {**one, "is_evaluated_model": False}, one["role"], None, connections)
        found.append(Grader(model, True, one["name"], one["role"]))
    return found


def _judge(
    log: EvalLog,
    told: Mapping[str, Any],
    role: str,
    grader: Mapping[str, Any] | None,
    connections: int,
) -> tuple[Model, bool]:
    """A judge of a log, and whether it was named by its role."""
    named = not told["is_evaluated_model"]
    spec = dict(grader) if grader is not None else _logged(log, told["model"], role, named=named)
    if spec is None:
        raise OptionError(
            "grader",
            f"the log does not say how its judge {told['model']} was made; give --grader "
            f"{told['model']}",
        )
    model = make_grader(spec, connections)
    if not named:
        model.config = model.config.model_copy(update={"temperature": None, "max_tokens": None})
    if str(model) != told["model"]:
        raise OptionError(
            "grader",
            f"{model} is not {told['model']}, whose rankings stand in the log; two judges in one "
            "log cannot be told apart. To judge all of it anew, use inspect score",
        )
    differ = _differences(told.get("config", {}), model.config.model_dump(exclude_none=True))
    if named and differ:
        raise OptionError(
            "grader", f"is set otherwise than the judge of the log ({', '.join(differ)})"
        )
    return model, named


def _differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Settings that change an answer and are not the same."""
    unused = {*CALL_SETTINGS, "response_schema"}
    names = sorted({*one, *other} - unused)
    return [name for name in names if one.get(name) != other.get(name)]


def _logged(log: EvalLog, judge: str, role: str, *, named: bool) -> dict[str, Any] | None:
    """How the log says that its judge was made, where it is the one that judged."""
    if not named:
        own = log.eval.model_generate_config.model_dump(exclude_none=True)
        args = {"model_args": log.eval.model_args, "base_url": log.eval.model_base_url}
        return {"model": log.eval.model, **args, **own} if log.eval.model == judge else None
    name, _, place = role.partition("#")
    held = (log.eval.model_roles or {}).get(name)
    listed = held if isinstance(held, list) else [held]
    one = listed[int(place or 1) - 1] if int(place or 1) <= len(listed) else None
    if one is None or one.model != judge:
        return None
    config = one.config.model_dump(exclude_none=True)
    return {"model": one.model, "model_args": one.args, "base_url": one.base_url, **config}


async def _repair(
    judges: list[Grader],
    lost: list[tuple[EvalSample, ResponseRecord]],
    budget: Budget,
    connections: int,
) -> bool:
    limits = [anyio.CapacityLimiter(connections) for _ in judges]
    asked = [
        replace(judge, model=judge_with(judge.model, JudgeState(budget=budget, limit=limit)))
        for judge, limit in zip(judges, limits, strict=True)
    ]
    judging = Judging(lambda: asked)
    limit = anyio.CapacityLimiter(connections)

    async def one(sample: EvalSample, record: ResponseRecord) -> None:
        async with limit:
            if budget.spent():
                return
            text = sample.output.completion
            told = record.get("judge") or {}
            same = {name: told[name] for name in _OF_THE_SCORER if name in told}
            settings = read_sample(sample.metadata, same)
            await repair_response(record, text, settings, judging)

    async with anyio.create_task_group() as group:
        for sample, record in lost:
            group.start_soon(one, sample, record)
    for judge in judges:
        await judge.model.api.aclose()
    return budget.spent()


def _put(sample: EvalSample, record: ResponseRecord) -> None:
    """Puts the repaired record's numbers into the sample's score."""
    for score in (sample.scores or {}).values():
        if score.metadata and score.metadata.get(METADATA_KEY) is record:
            new = intensity_score(record, strip_reasoning(sample.output.completion))
            score.value, score.explanation = new.value, new.explanation
            score.reason = new.reason


def _write(log: EvalLog, output: Path) -> None:
    """Writes the log beside its place and moves it there, so that a kill leaves the old one."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output.parent) as folder:
            beside = Path(folder) / output.name
            write_eval_log(log, str(beside))
            os.replace(beside, output)
    except OSError as error:
        raise InputFileError(output, f"cannot be written ({error.strerror})") from None
