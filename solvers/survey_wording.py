"""All wording of survey questions that are answered as a group of people would.

Plain functions that know no harness. Question, options and the form of the answer are worded alike
in every pass, so that the passes differ by the persona alone: `blind` has none, `default` the
sentence of the group's attribute, `profile` that sentence and lines on its values.

Source of the passes: VALUEFLOW (arXiv 2602.03160), its experiment with OpinionQA, and Modular
Pluralism (Feng et al. 2024, arXiv 2406.15951) for community messages. The wording is this
project's own; `PROFILE_WORDING_VERSION` goes into every log.
"""

from collections.abc import Sequence
from string import ascii_uppercase

from valueflow.hub_assets.registry.groups import Band, Group
from valueflow.hub_assets.registry.loading import Value, load_registry
from valueflow.hub_assets.survey.sample import OpinionSample
from valueflow.solvers.wording import Prompt, Style

__all__ = [
    "PROFILE_WORDING_VERSION",
    "community_prompt",
    "opinion_prompt",
    "persona",
    "profile_line",
    "question_block",
    "sample_prompt",
]

PROFILE_WORDING_VERSION = "1"

_FORM = "Reply with the letter of one option and nothing else."


def question_block(question: str, options: Sequence[str]) -> str:
    """The question with its lettered options, one a line."""
    lettered = (f"{letter}. {text}" for letter, text in zip(ascii_uppercase, options, strict=False))
    return f"{question}\n\n" + "\n".join(lettered)


def profile_line(value: Value, band: Band) -> str:
    """How strongly a person holds a value.

    For instance `- Gratitude: high. You care a good deal about repaying kindness.`

    Raises:
        ValueError: the value has no steering clause.
    """
    if value.clause is None:
        raise ValueError(f"{value.name} has no clause to make a profile line of")
    return f"- {value.title}: {band.name}. You {band.phrase} {value.clause}."


def persona(group: Group | None, lines: Sequence[tuple[Value, Band]] = ()) -> str:
    """Who is to answer; empty without a group.

    Args:
        group: the group, or None for the blind pass.
        lines: values with the group's bands; none for the default pass.
    """
    if group is None:
        return ""
    parts = [f"Answer a survey as the person described here would.\n\n{group.sentence}"]
    if lines:
        shown = "\n".join(profile_line(value, band) for value, band in lines)
        parts.append(f"This is how much some values count for you:\n{shown}")
    return "\n\n".join(parts)


def opinion_prompt(
    question: str,
    options: Sequence[str],
    who: str = "",
    messages: Sequence[str] = (),
    style: Style = "system",
) -> Prompt:
    """One survey question as a model is given it.

    Args:
        question: its text.
        options: their texts, in order.
        who: from `persona`.
        messages: what community models said about the question.
        style: where the persona stands; `base` gives a text for a base model to continue.
    """
    heard = ""
    if messages:
        numbered = "\n\n".join(f"Voice {n}: {text}" for n, text in enumerate(messages, start=1))
        heard = (
            "Several communities have said what they think of the question below. Let what fits "
            f"the person who is asked guide the answer.\n\n{numbered}"
        )
    block = question_block(question, options)
    if style == "base":
        parts = [who, heard, f"Question: {block}", "Answer:"]
        return Prompt(None, "\n\n".join(part for part in parts if part))
    user = "\n\n".join(part for part in (heard, block, _FORM) if part)
    if not who:
        return Prompt(None, user)
    if style == "user":
        return Prompt(None, f"{who}\n\n{user}")
    return Prompt(who, user)


def community_prompt(question: str, options: Sequence[str]) -> str:
    """What a community model is asked, the same for every group."""
    return (
        "Say in two or three sentences what you think about this survey question and why. Do not "
        f"name a letter.\n\n{question_block(question, options)}"
    )


def sample_prompt(
    sample: OpinionSample, style: Style = "system", messages: Sequence[str] = ()
) -> Prompt:
    """The prompt of one sample of a survey run.

    Args:
        sample: what is asked, of whom, in which pass.
        style: see `opinion_prompt`.
        messages: of the communities, for the pass `modular_pluralism`.
    """
    registry = load_registry()
    group = None if sample.pass_name == "blind" else registry.opinion.group(sample.group)
    lines = [
        (registry.value(name, sample.theory), registry.opinion.band(score))
        for name, score in sample.lines
    ]
    return opinion_prompt(sample.text, sample.options, persona(group, lines), messages, style)
