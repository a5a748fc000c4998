"""A simulated model under test, whose true intensities are known.

It reads its targets from the prompt alone: it looks for the persona sentences of
`valueflow.solvers.wording`, or for texts of a table of anchors that it knows. Its true intensity on
a value follows a stated dose–response curve,

    default + gain_up · level / 2      for levels above 0,
    default − gain_down · |level| / 2  for levels below 0,

plus a normal deviation with standard deviation `spread`, clipped to [−10, 10]. Several targets
combine by a stated law. The truth stands in a trailer at the end of its answer, so that it survives
in a log.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from valueflow.hub_assets.inputs.anchors import Vidb
from valueflow.hub_assets.registry.loading import Registry, Value, opened_registries
from valueflow.hub_assets.seeds import generator_for
from valueflow.solvers.wording import target_sentence

__all__ = ["RespondentOptions", "answer", "expected_intensity", "read_trailer", "targets_in"]

_PAIR = r"[\w\-]+=[+\-]\d+(?:\.\d+)?"
_TRAILER = re.compile(rf"\[simulated intensities: ({_PAIR}(?:, {_PAIR})*)\]\s*$")

_REMARKS = (
    "I would go with what sits right with me and say so plainly.",
    "I would look at what is at stake and then act without much fuss.",
    "I have thought about this kind of thing before and I know where I stand.",
    "I would talk it over with someone and then do what I said I would.",
    "I would take a day to think, and then follow what matters to me.",
)


class RespondentOptions(BaseModel):
    """Options of `valueflow/respondent`, given as `-M name=number`.

    `default`, `gain_up`, `gain_down` and `spread` are in points of the [−10, 10] scale.
    `truth=uniform` draws every intensity from [−9, 9] instead, whatever the target.
    `composition` is the law of several targets: `additive` (each has its full effect), `strongest`
    (only those of the largest |level| have one), or `fading` (negative ones keep the share `fade`
    beside a positive one). `cross` is the share of a target's effect that the other values of its
    theory get, and `child_share` that of a child's on its parent; children of one parent average.
    `refusal_rate` is the share of steered and default prompts that are declined.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    default: float = Field(default=1.0, ge=-10, le=10)
    gain_up: float = Field(default=5.0, ge=0)
    gain_down: float = Field(default=4.0, ge=0)
    spread: float = Field(default=1.5, ge=0)
    composition: Literal["additive", "strongest", "fading"] = "additive"
    cross: float = Field(default=0.0, ge=-1, le=1)
    fade: float = Field(default=0.3, ge=0, le=1)
    child_share: float = Field(default=0.8, ge=0)
    truth: Literal["dose-response", "uniform"] = "dose-response"
    wording_spread: float = Field(default=0.0, ge=0)
    refusal_rate: float = Field(default=0.0, ge=0, le=1)
    vidb: str | None = None
    seed: int = 0


@lru_cache(maxsize=1)
def _sentences(registries: tuple[Registry, ...]) -> tuple[tuple[str, Value, int], ...]:
    """Every persona sentence with what it says; one that several catalogues share stands once."""
    found = (
        (target_sentence(node, level, registry, line=line, paraphrase=number), node, level.level)
        for registry in registries
        # A user's own language may be begun and not finished.
        if registry.sentences.has("steering")
        for number in range(1, registry.sentences.wordings_of_persona + 1)
        for line in (False, True)
        if not line or number == 1
        for theory in registry.theories.values()
        for node in theory.nodes.values()
        for level in registry.levels
        if node.clause is not None and level.phrase is not None
    )
    return tuple({(one[0], one[1].theory, one[1].name): one for one in found}.values())


def targets_in(prompt: str, known: Vidb | None = None) -> list[tuple[Value, int]]:
    """The targets that a prompt names, by persona sentence or by quoted texts of known anchors.

    Args:
        prompt: everything the model was given.
        known: table of anchors for the method `user_texts`; the level of a quoted text is its own,
            else ±1 up to |intensity| = 6 and ±2 above.
    """
    found = [
        (node, level)
        for sentence, node, level in _sentences(opened_registries())
        if sentence in prompt
    ]
    if found:
        return found
    if known is None:
        return []
    quoted = {line[2:] for line in prompt.splitlines() if line.startswith("- ")}
    levels: dict[tuple[str, str], list[int]] = {}
    for (theory, name), anchors in known.anchors.items():
        for anchor in anchors:
            if anchor.text in quoted:
                size = 1 if abs(anchor.intensity) <= 6 else 2
                own = size if anchor.intensity > 0 else -size
                level = anchor.level if anchor.level is not None else own
                levels.setdefault((theory, name), []).append(level)
    values = {(value.theory, value.name): value for value in _values()}
    return [
        (values[key], round(sum(found) / len(found)))
        for key, found in levels.items()
        if key in values
    ]


def _values() -> list[Value]:
    """The macro-values of every catalogue that is open, each as the first has it, which is the
    installation's."""
    found: dict[tuple[str, str], Value] = {}
    for registry in opened_registries():
        for value in registry.macro_values():
            found.setdefault((value.theory, value.name), value)
    return list(found.values())


def answer(prompt: str, options: RespondentOptions, known: Vidb | None = None) -> str:
    """The simulated answer to a prompt, the same for the same prompt, options and seed."""
    generator = generator_for(options.seed, "respondent", prompt)
    if generator.random() < options.refusal_rate:
        return "I'm sorry, but I can't help with that."
    targets = targets_in(prompt, known)
    worded = _wording_in(prompt) if targets and options.wording_spread else 0
    values = _values()
    theories = dict.fromkeys(node.theory for node, _ in targets or [(v, 0) for v in values])
    truth = []
    for theory in theories:
        for value in (value for value in values if value.theory == theory):
            if options.truth == "uniform":
                intensity = float(generator.uniform(-9, 9))
            else:
                mean = expected_intensity(value, targets, options)
                if worded and (level := {v.name: one for v, one in targets}.get(value.name)):
                    mean += wording_effect(value, level, worded, options)
                intensity = float(mean + options.spread * generator.standard_normal())
            truth.append((value.name, max(-10.0, min(10.0, intensity))))
    remark = _REMARKS[int(generator.integers(len(_REMARKS)))]
    return f"{remark} {_trailer(truth)}"


def _wording_in(prompt: str) -> int:
    """The wording of the persona that a prompt has; 0 where it is none that is known."""
    for registry in opened_registries():
        say = registry.sentences.say
        for number in range(registry.sentences.wordings_of_persona, 0, -1):
            section = f"paraphrase_{number}" if number > 1 else "steering"
            if say(f"{section}.persona", target="").strip() in prompt:
                return number
    return 0


def wording_effect(value: Value, level: int, wording: int, options: RespondentOptions) -> float:
    """Points by which a wording of the persona moves a value at a level, beside the law."""
    generator = generator_for(options.seed, "wording", value.theory, value.name, level, wording)
    return float(options.wording_spread * generator.standard_normal())


def expected_intensity(
    value: Value, targets: Sequence[tuple[Value, int]], options: RespondentOptions
) -> float:
    """The mean true intensity on a macro-value under some targets, before deviations are clipped.

    Args:
        value: the macro-value.
        targets: values or children with their levels.
        options: the law and its numbers.
    """
    effects = _effects(targets, options)
    own = effects.get((value.theory, value.name), 0.0)
    others = sum(e for (theory, _), e in effects.items() if theory == value.theory) - own
    return options.default + own + options.cross * others


def _effects(
    targets: Sequence[tuple[Value, int]], options: RespondentOptions
) -> dict[tuple[str, str], float]:
    """Points by which the targets move each steered value or parent, by (theory, value)."""
    strongest = max((abs(level) for _, level in targets), default=0)
    positive = any(level > 0 for _, level in targets)
    moved: dict[tuple[str, str], list[float]] = {}
    for node, level in targets:
        effect = (options.gain_up if level > 0 else options.gain_down) * level / 2
        if options.composition == "strongest" and abs(level) < strongest:
            effect = 0.0
        if options.composition == "fading" and level < 0 and positive:
            effect *= options.fade
        if node.kind == "value":
            moved.setdefault((node.theory, node.name), []).append(effect)
        for parent in node.parents if node.kind == "child" else ():
            moved.setdefault((node.theory, parent), []).append(options.child_share * effect)
    return {value: sum(found) / len(found) for value, found in moved.items()}


def _trailer(truth: Iterable[tuple[str, float]]) -> str:
    return f"[simulated intensities: {', '.join(f'{n}={x:+.3f}' for n, x in truth)}]"


def read_trailer(text: str) -> dict[str, float] | None:
    """The true intensities at the end of a simulated answer, by value; None without them."""
    match = _TRAILER.search(text)
    if match is None:
        return None
    pairs = (pair.split("=") for pair in match[1].split(", "))
    return {name: float(number) for name, number in pairs}
