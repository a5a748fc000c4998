"""A local server that speaks the part of the Hugging Face Hub's protocol that downloads use."""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["hub_server"]


@contextmanager
def hub_server(repo: str, revision: str, commit: str, files: Mapping[str, bytes]) -> Iterator[str]:
    """Serves one dataset at one revision.

    Args:
        repo: `ORG/NAME`.
        revision: the tag or branch that is known, besides the commit itself.
        commit: 40 hexadecimal digits.
        files: path to content.

    Yields:
        The server's address, for `HF_ENDPOINT`.
    """

    class Handler(BaseHTTPRequestHandler):
        def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for name, text in headers.items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def _missing(self, code: str) -> None:
            self._send(404, b"{}", {"X-Error-Code": code, "X-Error-Message": "not found"})

        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            api, resolve = f"/api/datasets/{repo}", f"/datasets/{repo}/resolve/"
            if path.startswith(f"{api}/revision/") or path == api:
                wanted = path.rpartition("/")[2]
                if path != api and wanted not in (revision, commit):
                    self._missing("RevisionNotFound")
                    return
                siblings = [{"rfilename": name} for name in files]
                body = {"id": repo, "sha": commit, "siblings": siblings, "private": False}
                self._send(200, json.dumps(body).encode(), {"Content-Type": "application/json"})
            elif path.startswith(f"{api}/tree/"):
                tree = [
                    {
                        "type": "file",
                        "path": name,
                        "size": len(content),
                        "oid": hashlib.sha1(content).hexdigest(),
                    }
                    for name, content in files.items()
                ]
                self._send(200, json.dumps(tree).encode(), {"Content-Type": "application/json"})
            elif path.startswith(resolve):
                at, _, name = path[len(resolve) :].partition("/")
                if at not in (revision, commit):
                    self._missing("RevisionNotFound")
                elif name not in files:
                    self._missing("EntryNotFound")
                else:
                    etag = hashlib.sha1(files[name]).hexdigest()
                    headers = {"ETag": f'"{etag}"', "X-Repo-Commit": commit}
                    self._send(200, files[name], headers)
            else:
                self._missing("RepoNotFound")

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Keeps the tests' output quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
