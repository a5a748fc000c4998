"""Conversations: a question with the messages that come before it.

A conversation is a list of messages, `{"role": "user", "content": "..."}`, in a table's cell also
as JSON. It may begin with a message of the system, goes on between user and assistant by turns,
and ends with the user's question.
"""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

__all__ = ["Chat", "Turn", "chat_of", "in_words", "messages_in", "read_chat", "told"]


class Turn(NamedTuple):
    """One message: who says it (`system`, `user` or `assistant`), and what."""

    role: str
    text: str


Chat = tuple[Turn, ...]
"""A conversation whose last message is the question; without others, the question alone."""


class Message(Protocol):
    """A message as a harness has it."""

    @property
    def role(self) -> str:
        """Who says it."""

    @property
    def text(self) -> str:
        """What is said."""


def chat_of(asked: str | Sequence[Message]) -> Chat:
    """The conversation that a sample asks: a question alone, or a harness's messages."""
    if isinstance(asked, str):
        return (Turn("user", asked),)
    return tuple(Turn(message.role, message.text) for message in asked)


def messages_in(cell: Any) -> Any:
    """A cell's list of messages where it holds one, also as JSON; else the cell as it is.

    A conversation as Python prints it cannot be read back for certain: it gives an empty list.
    """
    if not isinstance(cell, str):
        return cell
    if re.match(r'\s*\[\s*\{\s*"(?:role|content)"', cell):
        try:
            return json.loads(cell)
        except (ValueError, RecursionError):
            return cell
    return [] if re.match(r"\s*\[\s*\{\s*'(?:role|content)'", cell) else cell


def read_chat(messages: Sequence[Any]) -> Chat:
    """The conversation that a list of messages stands for.

    Raises:
        ValueError: it is none; the message says what a conversation must be and which message is
            not as it should be.
    """
    if not messages:
        raise ValueError('is no conversation; write [{"role": "user", "content": "..."}, ...]')
    found: list[Turn] = []
    for number, message in enumerate(messages, 1):
        match message:
            case {"role": str(role), "content": str(content)}:
                found.append(Turn(role, content.strip()))
            case _:
                raise ValueError(
                    f'has a message ({number}) that is not {{"role": "user", "content": "a text"}}'
                )
        if not found[-1].text:
            raise ValueError(f"has a message ({number}) without text")
    turns = found[1:] if found[0].role == "system" else found
    for place, turn in enumerate(turns):
        expected = ("user", "assistant")[place % 2]
        if turn.role != expected:
            raise ValueError(
                f"has a message ({len(found) - len(turns) + place + 1}) of the role "
                f"'{turn.role}' where '{expected}' must speak; a conversation goes on by turns, "
                "after at most one message of the system"
            )
    if not turns or turns[-1].role != "user":
        raise ValueError("ends without a question; its last message must be the user's")
    return tuple(found)


def in_words(chat: Chat, say: Callable[..., str]) -> str:
    """A conversation as one text, with what the system says left out; a question alone is itself.

    Args:
        chat: the conversation.
        say: a sentence of the run's language by its name, see `Sentences.say`.
    """
    turns = [turn for turn in chat if turn.role != "system"]
    if len(turns) == 1:
        return turns[0].text
    return "\n\n".join(told(turn, say) for turn in turns)


def told(turn: Turn, say: Callable[..., str]) -> str:
    """One message with the word for who says it."""
    return say("chat.user" if turn.role == "user" else "chat.assistant", text=turn.text)
