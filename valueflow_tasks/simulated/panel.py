"""A simulated seat of a panel: it sees known intensities through noise (`JudgeOptions.truth`)."""

import math
from functools import partial

import numpy as np

from valueflow.hub_assets.seeds import generator_for
from valueflow.scorers.database.panel.prompts import PlausibleQuestion, by_number, read_panel_prompt
from valueflow.scorers.database.panel.proposals import MOST_WORDS, read_proposals_prompt
from valueflow.scorers.records import count_words
from valueflow.simulated.judge import NONSENSE, JudgeOptions, KnownAnchors, drawn_noise

__all__ = ["panel_answer", "proposals_answer"]


def panel_answer(prompt: str, conversation: str, options: JudgeOptions, known: KnownAnchors) -> str:
    """The simulated judge's answer as a member of a panel; see `JudgeOptions.truth`.

    Arguments are those of `judge_answer`.

    Raises:
        ValueError: the question is none, or is about a value that there is not.
    """
    generator = generator_for(options.seed, "panel", conversation)
    asked = read_panel_prompt(prompt)
    if generator.random() < options.failure_rate:
        return NONSENSE[int(generator.integers(len(NONSENSE)))]
    error = partial(_error, options, generator)
    if isinstance(asked, PlausibleQuestion):
        truth = known.of_name(asked.value, asked.theory).get(asked.text, 0.0)
        # Odd is what lies three standard deviations of such noise from what it sees.
        far = 3 * math.pi / math.sqrt(3) / options.scale
        return "odd" if abs(asked.score - truth - error()) > far else "plausible"
    told: dict[int, dict[str, str]] = {}
    for place, (text, names) in enumerate(asked.texts):
        skipped = len(asked.texts) > 1 and generator.random() < options.skip_rate
        shift = -options.place_effect * place / options.scale
        answers = {}
        for name in names:
            seen = error() + shift
            if asked.kind == "about":
                strength = known.strengths(name, asked.theory).get(text)
                answers[name] = _about(strength, seen, asked.round_number, options)
            else:
                intensity = known.of_name(name, asked.theory).get(text)
                answers[name] = _direction(intensity, seen, asked.round_number, options)
        if not skipped:
            told[place] = answers
    return by_number(told, len(asked.texts))


def proposals_answer(
    prompt: str, conversation: str, options: JudgeOptions, known: KnownAnchors
) -> str:
    """The simulated judge's candidates of a value: texts that its `truth` has for it, those
    of a few words as concepts and longer ones as instances.

    Arguments are those of `judge_answer`.
    """
    asked = read_proposals_prompt(prompt)
    generator = generator_for(options.seed, "proposals", conversation)
    if generator.random() < options.failure_rate:
        return ""
    least, most = (0, MOST_WORDS["theory"])
    if asked.kind == "individual":
        least, most = most + 1, MOST_WORDS["individual"]
    texts = [
        text
        for text, intensity in known.of_name(asked.value, asked.theory).items()
        if intensity > 0 and least <= count_words(text) <= most
    ]
    drawn = generator.permutation(len(texts))[: asked.count]
    return "\n".join(f"{n + 1}. {texts[i]}" for n, i in enumerate(drawn))


def _error(options: JudgeOptions, generator: np.random.Generator) -> float:
    """The error of one look at a text, in points."""
    return float(drawn_noise(options.noise, 2, generator) @ (1, -1)) / options.scale


def _direction(truth: float | None, error: float, number: int, options: JudgeOptions) -> str:
    if truth is None:
        return "none"
    if abs(truth + error) <= options.neutral_band:
        return "none" if number == 1 else "neutral"
    return "support" if truth + error > 0 else "oppose"


def _about(strength: float | None, error: float, number: int, options: JudgeOptions) -> str:
    if strength is None:
        return "no"
    if number == 2 and abs(strength + error) <= options.neutral_band:
        return "neutral"
    return "yes" if strength + error > 0 else "no"
