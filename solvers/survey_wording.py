"""Survey questions that are answered as a group of people would, put together from the sentences of
a language.

Plain functions that know no harness. Question, options and the form of the answer are worded alike
in every pass, so that the passes differ by the persona alone: `blind` has none, `default` the
sentence of the group's attribute, `profile` that sentence and lines on its values. A line says
first what a value means and then how much it counts.

Source of the passes: VALUEFLOW (arXiv 2602.03160), its experiment with OpinionQA, and Modular
Pluralism (Feng et al. 2024, arXiv 2406.15951) for community messages. The sentences are this
project's own and stand in `hub_assets/data/prompts`; their version goes into every log.
"""

from collections.abc import Sequence
from string import ascii_uppercase

from valueflow.hub_assets.registry.groups import Band, Group
from valueflow.hub_assets.registry.loading import Registry, Value, load_registry
from valueflow.hub_assets.survey.sample import OpinionSample
from valueflow.solvers.wording import Prompt, Style, parts_of

__all__ = [
    "community_prompt",
    "opinion_prompt",
    "persona",
    "profile_line",
    "question_block",
    "sample_prompt",
]


def _say(registry: Registry | None, name: str, **parts: object) -> str:
    return (registry or load_registry()).sentences.say(f"survey.{name}", **parts)


def question_block(question: str, options: Sequence[str]) -> str:
    """The question with its lettered options, one a line."""
    lettered = (f"{letter}. {text}" for letter, text in zip(ascii_uppercase, options, strict=False))
    return f"{question}\n\n" + "\n".join(lettered)


def profile_line(value: Value, band: Band, registry: Registry | None = None) -> str:
    """How strongly a person holds a value.

    For instance `- Gratitude (repaying kindness): high. You care a good deal about it.`

    Raises:
        ValueError: the value has no steering clause.
    """
    return _say(registry, "profile_line", band=band.spoken, phrase=band.phrase, **parts_of(value))


def persona(
    group: Group | None,
    lines: Sequence[tuple[Value, Band]] = (),
    registry: Registry | None = None,
) -> str:
    """Who is to answer; empty without a group.

    Args:
        group: the group, or None for the blind pass.
        lines: values with the group's bands; none for the default pass.
        registry: the run's catalogue, which holds the sentences; the installation's where None.
    """
    if group is None:
        return ""
    parts = [_say(registry, "persona", group=group.sentence)]
    if lines:
        shown = "\n".join(profile_line(value, band, registry) for value, band in lines)
        parts.append(_say(registry, "profile", lines=shown))
    return "\n\n".join(parts)


def opinion_prompt(
    question: str,
    options: Sequence[str],
    who: str = "",
    messages: Sequence[str] = (),
    style: Style = "system",
    registry: Registry | None = None,
) -> Prompt:
    """One survey question as a model is given it.

    Args:
        question: its text.
        options: their texts, in order.
        who: from `persona`.
        messages: what community models said about the question.
        style: where the persona stands; `base` gives a text for a base model to continue.
        registry: see `persona`.
    """
    heard = ""
    if messages:
        numbered = "\n\n".join(
            _say(registry, "voice", number=n, text=text) for n, text in enumerate(messages, start=1)
        )
        heard = _say(registry, "voices", voices=numbered)
    block = question_block(question, options)
    if style == "base":
        asked = _say(registry, "base_question", question=block)
        parts = [who, heard, asked, _say(registry, "base_answer")]
        return Prompt(None, "\n\n".join(part for part in parts if part))
    user = "\n\n".join(part for part in (heard, block, _say(registry, "form")) if part)
    if not who:
        return Prompt(None, user)
    if style == "user":
        return Prompt(None, f"{who}\n\n{user}")
    return Prompt(who, user)


def community_prompt(
    question: str, options: Sequence[str], registry: Registry | None = None
) -> str:
    """What a community model is asked, the same for every group."""
    return _say(registry, "community", question=question_block(question, options))


def sample_prompt(
    sample: OpinionSample, style: Style = "system", messages: Sequence[str] = ()
) -> Prompt:
    """The prompt of one sample of a survey run.

    Args:
        sample: what is asked, of whom, in which pass.
        style: see `opinion_prompt`.
        messages: of the communities, for the pass `modular_pluralism`.
    """
    registry = sample.registry
    group = None if sample.pass_name == "blind" else registry.opinion.group(sample.group)
    lines = [
        (registry.value(name, sample.theory), registry.opinion.band(score))
        for name, score in sample.lines
    ]
    who = persona(group, lines, registry)
    return opinion_prompt(sample.text, sample.options, who, messages, style, registry)
