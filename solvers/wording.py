"""Steering prompts, put together from the sentences of a language; no harness is known here.

Each function returns a `Prompt`. The question and the form of the answer are worded alike in every
condition, so that a steered prompt differs from the default only by its persona, unless a plain
baseline is asked for. A persona says first what a value means and then, last, where one stands on
it; the levels of a value differ in that last sentence alone. Level 0 means that no persona is given
at all.

Source of the two methods: VALUEFLOW (arXiv 2602.03160), steering by intensity anchor and by user
texts. The sentences are this project's own and stand in `hub_assets/data/prompts`; their version
goes into every log.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from valueflow.hub_assets.inputs.chats import Chat, told
from valueflow.hub_assets.registry.loading import Level, Registry, Value, load_registry
from valueflow.hub_assets.settings import Baseline

__all__ = [
    "Form",
    "Prompt",
    "Style",
    "clause_sentence",
    "default_prompt",
    "definition_prompt",
    "parts_of",
    "target_sentence",
    "user_texts_prompt",
]

Style = Literal["system", "user", "base"]
"""Where the persona stands: a system message, the user message, or a text for a base model."""


@dataclass(frozen=True)
class Prompt:
    """What a model is given: an optional system message and a user message.

    Attributes:
        system: the system message; None where there is none.
        user: the last message.
        history: what user and assistant said before it.
    """

    system: str | None
    user: str
    history: Chat = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """All messages in order, the system's first, empty where there is none."""
        return (self.system or "", *(turn.text for turn in self.history), self.user)


@dataclass(frozen=True)
class Form:
    """The form of an answer, the same in all conditions of a run, and what comes before a question.

    Attributes:
        words: most words that it may have.
        shape: one sentence, or a paragraph.
        style: where the persona stands; `base` gives a text to be continued.
        baseline: how the default is asked, see `default_prompt`.
        system: a system prompt of the user's own, which stands before the persona.
        before: the messages before the question, in a conversation; what its system says stands
            after the user's own system prompt.
        one_text: whether a conversation is given as one user message.
        paraphrase: the wording of a persona of one value, 1 for the usual one.
        registry: the run's catalogue, which holds the sentences; the installation's where None.
    """

    words: int = 100
    shape: Literal["paragraph", "sentence"] = "paragraph"
    style: Style = "system"
    baseline: Baseline = "first_person"
    system: str = ""
    registry: Registry | None = None
    before: Chat = ()
    one_text: bool = False
    paraphrase: int = 1

    def say(self, name: str, **parts: object) -> str:
        """A sentence of steering in the run's language; the persona's in its wording."""
        registry = self.registry or load_registry()
        section = "steering"
        if name == "persona" and self.paraphrase > 1:
            section = f"paraphrase_{self.paraphrase}"
        return registry.sentences.say(f"{section}.{name}", **parts)


def parts_of(value: Value) -> dict[str, str]:
    """What a sentence may say of a value, by the names between braces.

    Raises:
        ValueError: an ancestor has no steering clause.
    """
    if value.clause is None:
        raise ValueError(f"{value.name} has no clause, so that no sentence can be made of it")
    return {
        "term": value.spoken,
        "Term": value.spoken[:1].upper() + value.spoken[1:],
        "title": value.title.lower(),
        "Title": value.title,
        "definition": value.definition,
        "clause": value.clause,
    }


def clause_sentence(
    value: Value, level: Level, registry: Registry | None = None, *, paraphrase: int = 1
) -> str:
    """The sentence that states the stance, for instance `You are strongly against this value.`

    A value of several parts is taken part by part (`Value.object`), at all levels alike: who
    rejects it rejects each of them, and the levels differ in nothing else.

    Args:
        value, level: the target.
        registry: the run's catalogue; the installation's where None.
        paraphrase: the wording of the persona, 1 for the usual one.

    Raises:
        ValueError: level 0 has no sentence, and an ancestor has no steering clause.
    """
    if level.phrase is None or value.clause is None:
        raise ValueError(f"{value.name} at level {level.level} has no persona sentence")
    say = (registry or load_registry()).sentences.say
    thing = value.object or say("steering.object")
    section, phrase = "steering", level.phrase
    if paraphrase > 1:
        section = f"paraphrase_{paraphrase}"
        phrase = say(f"{section}.phrase_{level.level:+d}")
    return say(f"{section}.stance", phrase=phrase, object=thing, **parts_of(value))


def target_sentence(
    value: Value,
    level: Level,
    registry: Registry | None = None,
    *,
    line: bool = False,
    paraphrase: int = 1,
) -> str:
    """What a persona says of one target: the value's meaning, and the stance.

    Args:
        value, level: the target.
        registry: the run's catalogue; the installation's where None.
        line: whether it is one of several, which have the usual wording alone.
        paraphrase: the wording of the persona, 1 for the usual one.

    Raises:
        ValueError: see `clause_sentence`.
    """
    say = (registry or load_registry()).sentences.say
    stance = clause_sentence(value, level, registry, paraphrase=paraphrase)
    section = "steering" if paraphrase == 1 else f"paraphrase_{paraphrase}"
    name = f"{section}.target{'_line' if line else ''}"
    return say(name, stance=stance, **parts_of(value))


def default_prompt(query: str, form: Form) -> Prompt:
    """The query with the form of the answer and no persona.

    Args:
        query: the question.
        form: of the answer. With the baseline `plain` the default has the word limit alone, and is
            the model as it is when nobody asks it to be anyone; with `first_person` it is asked in
            the very words of the steered prompts.
    """
    return _assemble("", query, form)


def definition_prompt(query: str, targets: Sequence[tuple[Value, Level]], form: Form) -> Prompt:
    """Steering by intensity anchor: for each value its meaning, and where the persona stands on it.

    Args:
        query: the question.
        targets: values with their levels; targets at level 0 add nothing.
        form: of the answer.
    """
    active = [(value, level) for value, level in targets if level.phrase is not None]
    if not active:
        return default_prompt(query, form)
    if len(active) == 1:
        target = target_sentence(*active[0], form.registry, paraphrase=form.paraphrase)
        persona = form.say("persona", target=target)
    else:
        lines = [target_sentence(*target, form.registry, line=True) for target in active]
        persona = form.say("personas", targets="\n".join(lines))
    return _assemble(persona, query, form)


def user_texts_prompt(query: str, texts: Sequence[str], form: Form) -> Prompt:
    """Steering by user texts: the model infers from them what a person holds, and how strongly.

    Args:
        query: the question.
        texts: the exemplars, in the order in which they are shown; none gives the default prompt.
        form: of the answer.
    """
    if not texts:
        return default_prompt(query, form)
    said = "\n".join(f"- {text}" for text in texts)
    return _assemble(form.say("texts", texts=said), query, form)


def _assemble(persona: str, query: str, form: Form) -> Prompt:
    plain = "_plain" if not persona and form.baseline == "plain" else ""
    shape = "_sentence" if form.shape == "sentence" else ""
    asked = form.say(f"form{plain}{shape}", words=form.words)
    said = [turn.text for turn in form.before if turn.role == "system"]
    persona = "\n\n".join(part for part in (form.system, *said, persona) if part)
    history = tuple(turn for turn in form.before if turn.role != "system")
    if form.style == "base" or (form.one_text and history):
        say = (form.registry or load_registry()).sentences.say
        earlier = [told(turn, say) for turn in history]
        question = form.say("base_question", query=query)
        answer = form.say("base_answer") if form.style == "base" else ""
        parts = [persona, *earlier, question, asked, answer]
        return Prompt(None, "\n\n".join(part for part in parts if part))
    user = f"{query}\n\n{asked}"
    if persona and form.style == "user":
        if not history:
            return Prompt(None, f"{persona}\n\n{user}")
        # Where a model without system messages would read one: before all that is said.
        first = history[0]._replace(text=f"{persona}\n\n{history[0].text}")
        return Prompt(None, user, (first, *history[1:]))
    return Prompt(persona or None, user, history)
