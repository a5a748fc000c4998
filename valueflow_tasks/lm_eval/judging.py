"""Judges the responses of a task of lm-evaluation-harness, all at once, after generation.

The same functions judge them as under Inspect; here they run in an event loop of their own.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import anyio
from rich.console import Console
from rich.progress import Progress

from valueflow.hub_assets.settings import SAMPLE_KEY, SpendingSettings, read_sample
from valueflow.scorers.database.embedding.kept import nearness
from valueflow.scorers.judge.calls.memory import JudgeState, remembering
from valueflow.scorers.judge.calls.spending import budget_of
from valueflow.scorers.judge.model import GraderSpec, grader_specs, make_grader
from valueflow.scorers.judge.panel import Grader, named_graders
from valueflow.scorers.judge.scoring import Answer, Judging, score_response
from valueflow.scorers.records import ResponseRecord, is_judged

__all__ = ["GivenResponse", "JudgedResponses", "judge_responses"]


@dataclass(frozen=True)
class GivenResponse:
    """A response with its document, see `valueflow.lm_eval.steering`."""

    doc: Mapping[str, str]
    text: str

    @property
    def id(self) -> str:
        """The document's id, which is that of Inspect's sample."""
        return self.doc["id"]

    @property
    def identity(self) -> str:
        """Tells it from other responses, and from the same one to be judged in another way."""
        return json.dumps([self.id, self.text, self.doc["settings"], self.doc["run"]])

    @property
    def settings(self) -> dict[str, Any]:
        """What the response was steered toward and is scored on."""
        return dict(json.loads(self.doc["settings"]))

    @property
    def run(self) -> dict[str, Any]:
        """How the run is judged."""
        return dict(json.loads(self.doc["run"]))


@dataclass(frozen=True)
class JudgedResponses:
    """Records in the order of the responses.

    Attributes:
        asked, remembered: questions that the judge answered now, and that it had answered before.
        failed: windows that a provider's error ended; another run asks for them again.
        error: the last such error.
        gave_up: whether the judge (of a panel, every judge) gave errors alone, so that it was not
            asked for the rest.
    """

    records: list[ResponseRecord]
    asked: int
    remembered: int
    failed: int
    error: str | None
    gave_up: bool

    @property
    def gone(self) -> bool:
        """Whether the judge failed as a whole, and not on single windows."""
        return self.gave_up or (self.failed > 0 and not self.ranked)

    @property
    def ranked(self) -> bool:
        """Whether there is any ranking."""
        return any(
            is_judged(window)
            for record in self.records
            for value in record["values"].values()
            for window in value["windows"]
        )


def judge_responses(
    responses: Sequence[GivenResponse],
    grader: GraderSpec,
    connections: int,
    spending: SpendingSettings,
) -> JudgedResponses:
    """Judges responses; waits where another process uses the same judge.

    Args:
        responses: all responses of a run.
        grader: from `grader_spec`: a judge, or a panel.
        connections: most questions in flight.
        spending: what the judge may cost.

    Raises:
        ValueflowError: the judge or the cache folder cannot be used.
    """

    def run() -> JudgedResponses:
        return anyio.run(_judge, responses, grader, connections, spending)

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return run()
    # A notebook has a loop already, and a second one needs a thread of its own.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


async def _judge(
    responses: Sequence[GivenResponse],
    grader: GraderSpec,
    connections: int,
    spending: SpendingSettings,
) -> JudgedResponses:
    specs = grader_specs(grader)
    made = named_graders([(role, make_grader(spec, connections)) for role, spec in specs.items()])
    records: list[ResponseRecord | None] = [None] * len(responses)
    screen = Console(stderr=True)
    progress = Progress(console=screen, transient=True, disable=not screen.is_terminal)
    with ExitStack() as stack, progress:
        states: list[JudgeState] = []
        asked: list[Grader] = []
        for judge in sorted(made, key=lambda one: one.name):  # Files are locked in one order.
            budget = budget_of(spending, judge.model, len(made))
            model, state = stack.enter_context(remembering(judge.model, connections, budget))
            states.append(state)
            asked.append(replace(judge, model=model))
        asked.sort(key=lambda one: one.role)
        bar = progress.add_task("Judging", total=len(responses))
        judging = Judging(lambda: asked, nearness, spending=spending)
        limit = anyio.CapacityLimiter(connections)

        async def judge_one(place: int) -> None:
            async with limit:
                records[place] = await _record(responses[place], judging)
                progress.advance(bar)

        async with anyio.create_task_group() as group:
            for place in range(len(responses)):
                group.start_soon(judge_one, place)
    for judge in made:
        await judge.model.api.aclose()
    found = [record for record in records if record is not None]
    failed = sum(
        window["failure"] == "provider error"
        for record in found
        for value in record["values"].values()
        for window in value["windows"]
    )
    return JudgedResponses(
        found,
        sum(state.asked for state in states),
        sum(state.found for state in states),
        failed,
        next((state.last_error for state in states if state.last_error), None),
        all(state.gone for state in states),
    )


async def _record(response: GivenResponse, judging: Judging) -> ResponseRecord:
    answer = Answer(
        text=response.text,
        question=response.doc["question"],
        sample_id=response.id,
        exemplars=frozenset(json.loads(response.doc["exemplars"])),
    )
    sample = read_sample({SAMPLE_KEY: response.settings})
    return await score_response(answer, sample, judging)
