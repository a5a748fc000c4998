"""A small local server that speaks the read protocol of the Hugging Face Hub.

    with HubServer({"org/table": {"v1": {"power.csv": b"..."}}}) as hub:
        ...  # HF_ENDPOINT=hub.endpoint, in a process of its own: the variable is read at import

A dataset's revisions are names (branches or tags); each set of files has one commit.
"""

import hashlib
import json
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

Files = Mapping[str, bytes]


def commit_of(files: Files) -> str:
    """The commit under which a set of files is served: 40 hexadecimal digits."""
    return hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()


class HubServer:
    """Serves datasets for reading: repository id to revision to path to contents."""

    def __init__(self, datasets: Mapping[str, Mapping[str, Files]]) -> None:
        self.datasets = datasets
        self.requests: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for a path of the Hub's interface."""
        parts = [unquote(part) for part in path.strip("/").split("/")]
        api = parts[0] == "api"
        match parts[1:] if api else parts:
            case ["datasets", owner, name, action, revision, *rest]:
                repo = f"{owner}/{name}"
            case _:
                return _missing("EntryNotFound")
        if repo not in self.datasets:
            return _missing("RepoNotFound")
        named = self.datasets[repo]
        files = named.get(revision) or {commit_of(f): f for f in named.values()}.get(revision)
        if files is None:
            return _missing("RevisionNotFound")
        commit = commit_of(files)
        if api and action == "revision":
            siblings = [{"rfilename": path} for path in files]
            return _json({"id": repo, "sha": commit, "siblings": siblings, "private": False})
        if api and action == "tree":
            return _json(
                [
                    {"type": "file", "path": path, "size": len(body), "oid": _etag(body)}
                    for path, body in files.items()
                ]
            )
        body = files.get("/".join(rest))
        if api or action != "resolve" or body is None:
            return _missing("EntryNotFound")
        return 200, {"ETag": f'"{_etag(body)}"', "X-Repo-Commit": commit}, body

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                hub.requests.append(f"{self.command} {self.path}")
                status, headers, body = hub._answer(urlsplit(self.path).path)
                self.send_response(status)
                for name, text in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, text)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_HEAD = _serve

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler


def _etag(body: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()


def _json(content: Any) -> tuple[int, dict[str, str], bytes]:
    return 200, {"Content-Type": "application/json"}, json.dumps(content).encode()


def _missing(code: str) -> tuple[int, dict[str, str], bytes]:
    return 404, {"X-Error-Code": code, "Content-Type": "application/json"}, b"{}"
