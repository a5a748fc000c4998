"""A small local server that speaks the chat protocol of OpenAI, answered by the simulated models.

    with ChatServer({"judge": {"scale": 1.0}}) as server:
        ...  # --model openai-api/local/judge, with LOCAL_BASE_URL=server.url and any LOCAL_API_KEY

The real client of the real provider speaks to it, so that what is tested is all but the network.
"""

import json
import threading
from collections import Counter
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self

import anyio
from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageUser, GenerateConfig
from inspect_ai.model import ChatMessageSystem as System

from valueflow.simulated.models import SimulatedModel

_ROLES = {"system": System, "user": ChatMessageUser, "assistant": ChatMessageAssistant}


class ChatServer:
    """Serves `/v1/chat/completions`.

    Attributes:
        asked: how often each model gave an answer.
        requests: how often each model was asked, answered or not.
        fails: statuses that the next requests get, first to last, in place of an answer.
        breaks: what a model gives in place of an answer, and after how many requests: a status, the
            empty text, or an answer without choices.
    """

    def __init__(self, models: Mapping[str, Mapping[str, Any]]) -> None:
        self.models = {name: SimulatedModel(name, **dict(args)) for name, args in models.items()}
        self.asked: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()
        self.fails: list[int] = []
        self.breaks: dict[str, tuple[int, int | Literal["empty text", "no choices"]]] = {}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        name = str(body["model"])
        if name not in self.models:
            return 404, {"error": {"message": f"there is no model {name}"}}
        self.requests[name] += 1
        after, broken = self.breaks.get(name, (0, None))
        if self.requests[name] <= after:
            broken = None
        if isinstance(broken, int):
            return broken, {"error": {"message": f"the account of {name} is empty"}}
        messages: list[ChatMessage] = [
            _ROLES[message["role"]](content=_text(message["content"]))
            for message in body["messages"]
        ]
        output = anyio.run(self.models[name].generate, messages, [], "none", GenerateConfig())
        self.asked[name] += broken is None
        usage = output.usage
        text = "" if broken == "empty text" else output.completion
        assert usage is not None
        return 200, {
            "id": "chat",
            "object": "chat.completion",
            "created": 0,
            "model": name,
            "choices": []
            if broken == "no choices"
            else [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text},
                    "finish_reason": "stop",
                }
            ],
            "usage": {
                "prompt_tokens": usage.input_tokens,
                "completion_tokens": usage.output_tokens,
                "total_tokens": usage.total_tokens,
            },
        }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with outer._lock:
                    status = outer.fails.pop(0) if outer.fails else 200
                    told: dict[str, Any] = {"error": {"message": f"status {status}"}}
                    if status == 200:
                        status, told = outer._answer(body)
                data = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def _text(content: str | list[dict[str, Any]]) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)
