"""Inspect solver: injects the sample's value-intensity targets into its prompt, and generates.

Takes any number of targets, so that one value, pairs and larger sets share it. The targets stand in
the sample's metadata (see `valueflow.hub_assets.settings`); the wording is in
`valueflow.solvers.wording`.
"""

from typing import get_args

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
)
from inspect_ai.solver import Generate, Solver, TaskState, solver

from valueflow.hub_assets.errors import OptionError
from valueflow.hub_assets.inputs.anchors import vidb_of_run
from valueflow.hub_assets.inputs.chats import Chat, Turn, chat_of
from valueflow.hub_assets.registry.loading import Kind, load_registry
from valueflow.hub_assets.seeds import generator_for
from valueflow.hub_assets.settings import EXEMPLARS_KEY, SampleSettings, read_sample
from valueflow.solvers.exemplars import choose_exemplars
from valueflow.solvers.wording import (
    Form,
    Prompt,
    Style,
    definition_prompt,
    user_texts_prompt,
)

__all__ = ["METHODS", "as_message", "check_method", "steer_values", "steered_prompt"]

METHODS = ("definition", "user_texts")


def check_method(method: str, style: str) -> None:
    """Checks the solver's options.

    Raises:
        OptionError: an unknown method or style.
    """
    if method not in METHODS:
        raise OptionError("method", f"{method!r} is none of {', '.join(METHODS)}")
    if style not in get_args(Style):
        raise OptionError("style", f"{style!r} is none of {', '.join(get_args(Style))}")


@solver
def steer_values(
    method: str = "definition",
    style: Style = "system",
    exemplars: int | None = None,
    system: str = "",
) -> Solver:
    """Steers the model toward the sample's targets and generates its response.

    Args:
        method: `definition` (a persona sentence with an intensity phrase and the value's meaning)
            or `user_texts` (texts of the value at the target's level, as things a user said).
        style: where the persona stands: `system` message, `user` message, or `base`, one text for
            a base model to continue.
        exemplars: texts per target for `user_texts`; the registry's default where not given.
        system: a system prompt of one's own, which stands before the persona.

    Raises:
        OptionError: an unknown method or style; a level with too few texts.
    """
    check_method(method, style)
    count = exemplars or load_registry().defaults.steer.exemplars

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        sample = read_sample(state.metadata)
        chat = chat_of(state.input)
        prompt, texts = steered_prompt(sample, method, style, count, chat, system)
        system_turn = [] if prompt.system is None else [Turn("system", prompt.system)]
        state.messages = [
            as_message(turn) for turn in (*system_turn, *prompt.history, Turn("user", prompt.user))
        ]
        if texts:
            state.store.set(EXEMPLARS_KEY, texts)
        return await generate(state)

    return solve


def as_message(turn: Turn) -> ChatMessage:
    """A turn of a conversation as Inspect has it."""
    match turn.role:
        case "system":
            return ChatMessageSystem(content=turn.text)
        case "assistant":
            return ChatMessageAssistant(content=turn.text)
    return ChatMessageUser(content=turn.text)


def steered_prompt(
    sample: SampleSettings,
    method: str,
    style: Style,
    exemplars: int,
    chat: Chat,
    system: str = "",
    *,
    one_text: bool = False,
) -> tuple[Prompt, list[str]]:
    """The prompt of one sample, and the texts that it quotes.

    The conversation is what is asked, the question alone or with what was said before it; with
    `one_text` it is put into one user message. The texts of several targets are pooled and
    shuffled; which texts are drawn depends on the run's seed, the query, the value and the level
    alone.
    """
    registry = sample.registry
    seed = sample.evaluator.seed
    query = chat[-1].text
    form = Form(
        sample.word_limit,
        sample.form,
        style,
        sample.baseline,
        system,
        registry,
        before=chat[:-1],
        one_text=one_text,
        paraphrase=sample.paraphrase or 1,
    )
    kinds: tuple[Kind, ...] = ("value", "child")
    targets = [
        (registry.value(name, theory, kinds), registry.level(level))
        for theory, name, level in sample.targets
    ]
    if method == "definition":
        return definition_prompt(query, targets, form), []
    vidb = vidb_of_run(sample.evaluator.vidb, sample.evaluator.columns, registry)
    texts: list[str] = []
    for value, level in targets:
        if level.phrase is None:
            continue
        generator = generator_for(
            seed, "exemplars", sample.query, value.theory, value.name, level.level
        )
        chosen = choose_exemplars(vidb.of(value), value, level.level, exemplars, generator)
        texts += [anchor.text for anchor in chosen]
    if len(targets) > 1:
        generator_for(seed, "pooled", sample.query, *map(str, sample.targets)).shuffle(texts)
    return user_texts_prompt(query, texts, form), texts
