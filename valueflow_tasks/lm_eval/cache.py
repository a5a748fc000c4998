"""What judges said, kept on disk from call to call, so that no question is paid for twice.

One file per judge, a line per answer, written and flushed as the answer comes. An answer is found
again by the judge's settings, the versions of the questions' wording and the conversation, which
holds the window's texts and its seeded codes. A lock keeps a second process waiting that uses the
same judge, so that it finds the answers instead of asking for them too.
"""

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import anyio
from filelock import FileLock, Timeout
from inspect_ai.model import ChatMessage, ChatMessageUser, GenerateConfig, Model, ModelOutput

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.settings import CALL_SETTINGS
from valueflow.scorers.judge.choice import CHOICE_PROMPT_VERSION
from valueflow.scorers.judge.prompt import JUDGE_PROMPT_VERSION
from valueflow.scorers.judge.refusals import REFUSAL_PROMPT_VERSION

__all__ = ["CACHE_VARIABLE", "JudgeGone", "RememberingJudge", "cache_folder", "check_cache_folder"]

CACHE_VARIABLE = "VALUEFLOW_CACHE_DIR"

GIVE_UP_AFTER = 10
"""Errors of the provider in a row, without any answer, after which no more is asked."""


class JudgeGone(RuntimeError):
    """The judge answered with nothing but errors, so the rest of the run is not asked for."""


def cache_folder() -> Path:
    """`VALUEFLOW_CACHE_DIR`, else `valueflow` in the user's cache folder."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "valueflow"


def check_cache_folder() -> None:
    """Makes the folder and writes into it, before anything is spent.

    Raises:
        InputFileError: it cannot be made or written to.
    """
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputFileError(
            folder,
            f"cannot be written to ({error.strerror}), and judgements are kept there; name another "
            f"folder in {CACHE_VARIABLE}",
        ) from None


class RememberingJudge(Model):
    """A judge that looks an answer up before it asks, and keeps every new one.

    Simulated judges answer faster than a disk does and are not remembered.

    Attributes:
        asked: calls that reached the model.
        found: answers that were there already.
        last_error: of the provider, where there was one.
    """

    def __init__(self, inner: Model, connections: int) -> None:
        """Takes the model and the most calls in flight; to be made inside an event loop."""
        super().__init__(inner.api, inner.config, inner.model_args)
        self.inner = inner
        # Outside a task, Inspect does not count a provider's connections.
        self._limit = anyio.CapacityLimiter(connections)
        self.asked = 0
        self.found = 0
        self.last_error: str | None = None
        self._failures = 0
        self._warned = False
        self._answers: dict[str, dict[str, Any]] = {}
        self._remembers = not getattr(inner.api, "simulated", False)
        self._identity = json.dumps(
            {
                "model": str(inner),
                "base_url": inner.api.base_url,
                "model_args": inner.model_args,
                "config": inner.config.model_dump(exclude_none=True, exclude=set(CALL_SETTINGS)),
                "prompts": [JUDGE_PROMPT_VERSION, CHOICE_PROMPT_VERSION, REFUSAL_PROMPT_VERSION],
            },
            sort_keys=True,
            default=str,
        )

    @property
    def gave_up(self) -> bool:
        """Whether the last answers were errors alone, and so many that no more are asked for."""
        return self._failures >= GIVE_UP_AFTER

    @property
    def file(self) -> Path:
        """Where this judge's answers are kept."""
        name = re.sub(r"[^\w.\-]+", "-", str(self.inner))[:60]
        digest = hashlib.sha256(self._identity.encode()).hexdigest()[:16]
        return cache_folder() / f"judgements-{name}-{digest}.jsonl"

    @contextmanager
    def open(self) -> Iterator[None]:
        """Reads what is known, and keeps other processes that use this judge waiting.

        Raises:
            InputFileError: the folder cannot be written to.
        """
        if not self._remembers:
            yield
            return
        check_cache_folder()
        lock = FileLock(f"{self.file}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print(
                f"valueflow: another process uses {self.inner} as its judge; waiting until it is "
                f"done (other folders in {CACHE_VARIABLE} need not wait for each other)",
                file=sys.stderr,
                flush=True,
            )
            lock.acquire()
        try:
            self._answers = _read(self.file)
            yield
        finally:
            lock.release()

    async def generate(self, input: Any, *arguments: Any, **named: Any) -> ModelOutput:
        """See `Model.generate`; the cache of this class takes the place of Inspect's.

        Raises:
            JudgeGone: the provider has failed too often in a row.
        """
        messages = [ChatMessageUser(content=input)] if isinstance(input, str) else list(input)
        key = self._key(messages, named.get("config"))
        if key in self._answers:
            self.found += 1
            return ModelOutput.model_validate(self._answers[key])
        async with self._limit:
            if self.gave_up:
                raise JudgeGone(
                    f"not asked after {self._failures} errors in a row: {self.last_error}"
                )
            named["cache"] = False
            self.asked += 1
            try:
                output = await self.inner.generate(messages, *arguments, **named)
            except Exception as error:
                self._failures += 1
                self.last_error = f"{type(error).__name__}: {error}"[:500]
                raise
            self._failures = 0
            if self._remembers:
                self._keep(key, output)
            return output

    def _key(self, messages: list[ChatMessage], config: GenerateConfig | None) -> str:
        said = [[message.role, message.text] for message in messages]
        asked = config.model_dump(exclude_none=True) if config is not None else {}
        text = json.dumps([self._identity, said, asked], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    def _keep(self, key: str, output: ModelOutput) -> None:
        kept = output.model_dump(mode="json", exclude_none=True)
        self._answers[key] = kept
        try:
            with self.file.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps({"key": key, "output": kept}) + "\n")
        except OSError as error:
            # The answer is paid for and counts in this run all the same.
            if not self._warned:
                self._warned = True
                print(
                    f"valueflow: {self.file} cannot be written to ({error.strerror}); from here on "
                    "judgements are not kept for another run",
                    file=sys.stderr,
                    flush=True,
                )


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """All answers of a file; a last line that a killed process left unfinished is ended here."""
    if not path.is_file():
        return {}
    found = {}
    text = path.read_text(encoding="utf-8", errors="replace")
    for line in text.split("\n"):
        try:
            kept = json.loads(line)
            found[str(kept["key"])] = kept["output"]
        except (ValueError, KeyError, TypeError):
            continue
    if text and not text.endswith("\n"):
        with path.open("a", encoding="utf-8") as stream:
            stream.write("\n")
    return found
