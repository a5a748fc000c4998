"""Puts all questions about one response to the judge, and keeps the answers as records.

Windows are drawn beforehand and judged all at once, whatever the sampling; but `adaptive`
windows are drawn one after the other, each for what the earlier ones left open.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from anyio import to_thread
from inspect_ai.util import collect
from numpy.typing import NDArray

from valueflow.hub_assets.errors import OptionError
from valueflow.hub_assets.inputs.anchors import Anchor, vidb_of_run
from valueflow.hub_assets.registry.loading import Value
from valueflow.hub_assets.seeds import generator_for
from valueflow.hub_assets.settings import EvaluatorSettings, SampleSettings
from valueflow.scorers.judge.asking import (
    PLACEMENT,
    RANKING,
    RATING,
    Judgement,
    judge_window,
    worded,
)
from valueflow.scorers.judge.calls.memory import Used, accounting
from valueflow.scorers.judge.panel import Grader, turn_of
from valueflow.scorers.judge.questions.choice import ask_choice, in_window_order
from valueflow.scorers.judge.questions.ranking import draw_labels
from valueflow.scorers.judge.questions.rating import RATING_SCALE, placement_prompt
from valueflow.scorers.judge.questions.wordings import STANDARD, Wording
from valueflow.scorers.records import (
    ValueRecord,
    WindowRecord,
    cell_name,
    count_words,
    is_judged,
)
from valueflow.scorers.windows.adaptive import next_window, posterior_after
from valueflow.scorers.windows.draw import (
    Nearness,
    Window,
    draw_windows,
    near_in_length,
    nearest_of_buckets,
    place_of_window,
    preferred_anchors,
    shown_order,
)
from valueflow.scorers.windows.running import RunningPanel

__all__ = ["ResponseToJudge", "judge_again", "judge_response", "value_record"]


@dataclass(frozen=True)
class ResponseToJudge:
    """A response with all that its questions need.

    Attributes:
        text: the response as the judge sees it.
        sample_id, epoch: what makes its draws its own.
        sample: the sample's settings.
        exemplars: texts that steered it, which are never its anchors.
        judges: who judges it; each is asked under a state of the run.
        without_logprobs: judges that were found to return no logprobs; shared by a run's responses,
            so that no call is wasted on asking them for a choice again.
        running: what the run's windows say of the judge so far, where windows are adaptive.
        used: what the windows of each judge took, by its name.
        nearness: how far anchors are from a response, for `sampling=nearest`.
        wording: of the questions; placements and choices have the standard one alone.
    """

    text: str
    sample_id: str
    epoch: int
    sample: SampleSettings
    exemplars: frozenset[str]
    judges: Sequence[Grader]
    without_logprobs: set[str]
    running: RunningPanel
    used: dict[str, Used] = field(default_factory=dict)
    nearness: Nearness | None = None
    wording: Wording = STANDARD

    @property
    def settings(self) -> EvaluatorSettings:
        """How the response is measured."""
        return self.sample.evaluator


def value_record(value: Value, sample: SampleSettings) -> ValueRecord:
    """The record of a response's windows for one value, still without windows."""
    level = sample.level_of(value)
    condition = sample.condition_of(value)
    return {
        "theory": value.theory,
        "value": value.name,
        "level": level,
        "group": sample.group,
        "condition": condition,
        "cell": cell_name(value.name, level, sample.group, condition),
        "windows": [],
        "borrowed": 0,
        "repeated": 0,
    }


async def judge_response(response: ResponseToJudge, values: Sequence[Value]) -> list[ValueRecord]:
    """Judges a response on every value, all at once.

    Returns:
        One record per value, in order.
    """
    asked = [_judge_value(response, value) for value in values]
    # A single question needs no task group, which would add events to the transcript.
    return [await asked[0]] if len(asked) == 1 else await collect(*asked)


async def _judge_value(response: ResponseToJudge, value: Value) -> ValueRecord:
    settings, sample = response.settings, response.sample
    record = value_record(value, sample)
    table = settings.anchor_panel or settings.vidb
    anchors = vidb_of_run(table, settings.columns, sample.registry).of(value)
    anchors = await _near(response, anchors)
    index = (response.epoch - 1) * sample.queries + sample.query_index
    responses = max(sample.queries, 1)
    windows = settings.windows_of(index % responses, responses)
    first = index * settings.windows
    plan = [_turn(response, value, record, n) for n in range(first, first + windows)]
    generator = generator_for(
        settings.seed, "windows", response.sample_id, response.epoch, value.theory, value.name
    )
    if settings.sampling == "adaptive":
        own = preferred_anchors(
            np.array([anchor.intensity for anchor in anchors]),
            index,
            responses,
            settings.windows_of(0, responses) * (settings.window_size - 1),
            settings.seed,
            value.theory,
            record["cell"],
        )
        await _adaptive(response, value, record, anchors, own, plan, generator)
        return record
    drawn = draw_windows(
        anchors,
        windows=windows,
        window_size=settings.window_size,
        sampling=settings.sampling,
        places=[turn.place for turn in plan],
        generator=generator,
        exclude=response.exemplars,
    )
    asked = [
        _judge(response, grader, value, window, n)
        for n, (window, turn) in enumerate(zip(drawn.windows, plan, strict=True))
        for grader in turn.graders
    ]
    judged = [await asked[0]] if len(asked) == 1 else await collect(*asked)
    record["windows"] = judged
    record["borrowed"], record["repeated"] = drawn.borrowed, drawn.repeated
    return record


async def _near(response: ResponseToJudge, anchors: tuple[Anchor, ...]) -> tuple[Anchor, ...]:
    """The anchors that windows are drawn from: all, or those near the response in some respect."""
    settings = response.settings
    size = (settings.windows, settings.window_size)
    usable = [n for n, anchor in enumerate(anchors) if anchor.text not in response.exemplars]
    if settings.anchor_length == "near":
        words = count_words(response.text)
        return tuple(near_in_length([anchors[n] for n in usable], words, *size))
    if settings.sampling != "nearest":
        return anchors
    nearness = response.nearness
    if nearness is None:
        raise OptionError("sampling", "nearest is not to be had here; take sampling=bucket")
    # An encoder takes its time, in which other responses can be judged.
    apart = await to_thread.run_sync(nearness, settings.nearness_model, response.text, anchors)
    return tuple(nearest_of_buckets([anchors[n] for n in usable], apart[usable], *size))


class _Turn(NamedTuple):
    """Who judges a window, and at which place it shows the response."""

    graders: Sequence[Grader]
    place: int


def _turn(response: ResponseToJudge, value: Value, record: ValueRecord, number: int) -> _Turn:
    """Where judges share the windows of a cell, places are balanced for each of them."""
    settings, graders = response.settings, response.judges
    cell: tuple[object, ...] = (value.theory, record["cell"])
    if len(graders) > 1 and settings.panel == "split":
        beside = (record["group"], record.get("condition", ""))
        judge, number = turn_of(
            number, len(graders), settings.seed, record["level"], value.theory, value.name, *beside
        )
        graders, cell = [graders[judge]], (*cell, judge)
    return _Turn(graders, place_of_window(number, settings.window_size, settings.seed, *cell))


async def judge_again(response: ResponseToJudge, value: Value, record: ValueRecord) -> int:
    """Asks again about the windows of a record that have no ranking, and about no other.

    The windows are those of the record: the same anchors in the same places under the same codes.

    Returns:
        How many were asked about; those that have a ranking now have it in the record.
    """
    failed = [n for n, window in enumerate(record["windows"]) if not is_judged(window)]
    # Where all judges see a window, their records of it follow one another.
    several = len(response.judges) if response.settings.panel == "all" else 1

    async def one(number: int) -> WindowRecord:
        told = record["windows"][number]
        pairs = zip(told["texts"], told["anchors"], strict=True)
        window = Window(tuple(Anchor(text, at) for text, at in pairs), tuple(told["shown"]))
        judge = next((g for g in response.judges if g.name == told.get("judge", g.name)), None)
        if judge is None:
            return told
        return await _judge(response, judge, value, window, number // several)

    asked = [one(number) for number in failed]
    judged = [await asked[0]] if len(asked) == 1 else await collect(*asked)
    for number, window in zip(failed, judged, strict=True):
        record["windows"][number] = window
    return len(failed)


async def _adaptive(
    response: ResponseToJudge,
    value: Value,
    record: ValueRecord,
    anchors: Sequence[Anchor],
    own: NDArray[np.bool_],
    plan: Sequence[_Turn],
    generator: np.random.Generator,
) -> None:
    """Windows one after the other, until the budget, the target or the anchors are used up.

    Anchors of the response's own part go before others, and no anchor is shown twice. Where numbers
    are asked for, the anchors calibrate the judge and tell nothing of the response, so that every
    window spans the scale.
    """
    settings, running = response.settings, response.running
    item = f"{response.sample_id}#{response.epoch}"
    usable = np.array([anchor.text not in response.exemplars for anchor in anchors])
    intensities = np.array([anchor.intensity for anchor in anchors])
    count = settings.window_size - 1
    judged: list[WindowRecord] = []
    posterior = None
    for number, (graders, place) in enumerate(plan):
        if usable.sum() < count:
            break
        free = np.flatnonzero(usable & own)
        if len(free) < count:
            free = np.flatnonzero(usable)
        scale = running.design_scale
        ranked = [one for one in judged if one["order"] is not None]
        posterior = posterior_after(ranked, scale=scale) if ranked else None
        chosen = free[
            next_window(
                intensities[free],
                generator,
                posterior=posterior,
                scale=scale,
                window_size=settings.window_size,
            )
        ]
        usable[chosen] = False
        shown = shown_order(place, settings.window_size, generator)
        window = Window(tuple(anchors[i] for i in chosen), shown)
        asked = [_judge(response, grader, value, window, number) for grader in graders]
        new = [await asked[0]] if len(asked) == 1 else await collect(*asked)
        judged += new
        record["windows"] = judged
        if not any(map(is_judged, new)):
            continue
        for one in new:
            if is_judged(one):
                running.learn(value.name, item, number, one)
        if settings.target_se is None:
            continue
        told = [one for one in judged if is_judged(one)]
        standing = running.standing(value.name, told, len(anchors))
        known = running.told(value.name)
        if len(known) == 1:
            record["running_judge"] = next(iter(known.values()))
        else:
            record["running_judges"] = known
        record["stopped"] = standing.stops(settings.target_se)
        if record["stopped"]:
            break


async def _judge(
    response: ResponseToJudge, grader: Grader, value: Value, window: Window, number: int
) -> WindowRecord:
    """One judge's judgement of one window, named where there are several judges."""
    with accounting() as used:
        if grader.dead is not None:
            record = _record(window, ())
            record["failure"], record["error"] = "provider error", grader.dead
        else:
            record = await _ask(response, grader, value, window, number)
    response.used.setdefault(grader.name, Used()).plus(used)
    if len(response.judges) > 1:
        record["judge"] = grader.name
    return record


async def _ask(
    response: ResponseToJudge, grader: Grader, value: Value, window: Window, number: int
) -> WindowRecord:
    settings = response.settings
    names = (response.sample_id, response.epoch, value.theory, value.name, number)
    if settings.judge_mode in ("rating", "placement"):
        return await _rate(response, grader, value, window, names)
    registry = response.sample.registry
    theory, said = registry.theories[value.theory], registry.sentences
    texts = [response.text if i == 0 else window.anchors[i - 1].text for i in window.shown]
    fallback, earlier, before = None, 0, []
    if settings.judge_mode == "choice" and str(grader.model) in response.without_logprobs:
        fallback = "no logprobs: found earlier in the run"
    elif settings.judge_mode == "choice":
        generator = generator_for(settings.seed, "choice labels", *names)
        choice = await ask_choice(
            grader.model,
            value,
            theory,
            texts,
            generator,
            own_config=grader.named,
            sentences=said,
        )
        chosen = _record(window, choice.labels)
        if choice.probabilities is not None:
            chosen["choice"] = in_window_order(choice.probabilities, window.shown)
            chosen["raw"], chosen["calls"] = [choice.raw], choice.calls
            return chosen
        # The judge is asked for a ranking instead, and the record says why.
        fallback, earlier = f"{choice.failure}: {choice.error or choice.raw[:200]}", choice.calls
        before = [choice.raw]
        if choice.failure == "no logprobs":
            response.without_logprobs.add(str(grader.model))
    labels = draw_labels(texts, generator_for(settings.seed, "labels", *names))
    judgement = await judge_window(
        grader.model,
        response.wording.ranking(value, theory, texts, labels, said),
        labels,
        attempts=settings.judge_attempts,
        own_config=grader.named,
        form=worded(RANKING, response.wording),
        sentences=said,
    )
    record = _record(window, labels)
    if judgement.labels is not None:
        index_of = dict(zip(labels, window.shown, strict=True))
        record["order"] = [index_of[label] for label in judgement.labels]
    record = _told(record, judgement)
    record["raw"], record["calls"] = [*before, *judgement.raw], judgement.calls + earlier
    record["fallback"] = fallback
    return record


async def _rate(
    response: ResponseToJudge,
    grader: Grader,
    value: Value,
    window: Window,
    names: tuple[str, int, str, str, int],
) -> WindowRecord:
    """Asks for numbers instead of an order.

    Where texts are placed, all anchors but one are the ruler, in order of their intensities; the
    one that is left, drawn for the window, is placed like the response and tells how well.
    """
    settings = response.settings
    registry = response.sample.registry
    theory, said = registry.theories[value.theory], registry.sentences
    ruler: list[int] = []
    if settings.judge_mode == "placement":
        generator = generator_for(settings.seed, "placed anchor", *names)
        hidden = 1 + int(generator.integers(len(window.anchors)))
        ruler = [n for n in range(1, len(window.anchors) + 1) if n != hidden]
        ruler.sort(key=lambda n: window.anchors[n - 1].intensity)
        placed = [index for index in window.shown if index in (0, hidden)]
        window = Window(window.anchors, (*ruler, *placed))
    texts = [response.text if i == 0 else window.anchors[i - 1].text for i in window.shown]
    labels = draw_labels(texts, generator_for(settings.seed, "labels", *names))
    asked = labels[len(ruler) :]
    form = PLACEMENT if ruler else worded(RATING, response.wording)
    if ruler:
        known = [(window.anchors[i - 1].text, window.anchors[i - 1].intensity) for i in ruler]
        prompt = placement_prompt(
            value, theory, known, labels[: len(ruler)], texts[len(ruler) :], asked, said
        )
    else:
        prompt = response.wording.rating(value, theory, texts, labels, said)
    judgement = await judge_window(
        grader.model,
        prompt,
        asked,
        attempts=settings.judge_attempts,
        own_config=grader.named,
        form=form,
        sentences=said,
    )
    record = _record(window, labels)
    if judgement.numbers is not None:
        of = dict(zip(window.shown, labels, strict=True))
        record["ratings"] = [judgement.numbers.get(of[index]) for index in range(len(of))]
        record["rating_scale"] = list(RATING_SCALE)
    return _told(record, judgement)


def _told(record: WindowRecord, judgement: Judgement) -> WindowRecord:
    """The record with what the judge said and how it was asked."""
    record["raw"], record["calls"] = list(judgement.raw), judgement.calls
    record["repaired"] = judgement.repaired
    record["failure"], record["error"] = judgement.failure, judgement.error
    return record


def _record(window: Window, labels: Sequence[str]) -> WindowRecord:
    """The record of a window that was not judged yet."""
    return {
        "anchors": [anchor.intensity for anchor in window.anchors],
        "texts": [anchor.text for anchor in window.anchors],
        "shown": list(window.shown),
        "position": window.position,
        "labels": list(labels),
        "order": None,
        "choice": None,
        "raw": [],
        "calls": 0,
        "repaired": False,
        "failure": None,
        "error": None,
        "fallback": None,
    }
