"""The local Hub server of the tests, with the write side: create, upload, commit, tag.

Repositories are datasets or models, one name for one of them.

    with WritableHub() as hub:
        hub.fails["commit"] = 500  # this step fails until the entry is taken out

Steps that can fail: `create`, `validate-yaml`, `preupload`, `batch`, `upload`, `verify`, `commit`,
`tag`, `refs`. A fault is an HTTP status, `CUT`: the connection ends within the request, or
`CUT_AFTER`: it is carried out and the answer is lost.
`cut_uploads` holds the SHA-256 of files whose upload alone is cut.
Tokens: `WRITER` may write, `READER` may not, any other is unknown.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

from tests.hub_server import Files, HubServer, commit_of

WRITER = "hf_theWriterOfTheTests"
READER = "hf_theReaderOfTheTests"
CUT, CUT_AFTER = -1, -2
SIGNATURE = "X-Signature=neverToBeShown"

Answer = tuple[int, dict[str, str], bytes]


class WritableHub(HubServer):
    """A Hub in memory: repository to names of revisions (main, tags, commits) to files."""

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, Files]] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.proposed: dict[str, Files] = {}
        self.private: set[str] = set()
        self.types: dict[str, str] = {}
        self.objects: dict[str, bytes] = {}
        self.fails: dict[str, int] = {}
        self.cut_uploads: set[str] = set()
        self.steps: list[str] = []
        super().__init__(self.repositories)

    def files(self, repo: str, revision: str = "main") -> Files:
        """What a repository holds at a revision."""
        return self.repositories[repo][revision]

    def keep(self, repo: str, files: Files, repo_type: str = "dataset") -> str:
        """Makes a set of files the newest of a repository, and gives its commit."""
        commit = commit_of(files)
        self.types.setdefault(repo, repo_type)
        self.repositories.setdefault(repo, {}).update({"main": files, commit: files})
        return commit

    def answer(self, method: str, path: str, body: bytes, token: str) -> Answer | None:
        """Status, headers and body of the answer; None where the connection is cut."""
        path, query = urlsplit(path).path, parse_qs(urlsplit(path).query)
        parts = [unquote(part) for part in path.strip("/").split("/")]
        # One collection holds repositories of both types, under the paths of datasets.
        wanted = "dataset"
        if parts[:2] == ["api", "models"]:
            wanted, parts = "model", ["api", "datasets", *parts[2:]]
            path = path.replace("/models/", "/datasets/", 1)
        elif parts[2:3] in (["resolve"], ["info"]):
            wanted, parts, path = "model", ["datasets", *parts], f"/datasets{path}"
        if "datasets" in parts[:2]:
            repo = "/".join(parts[2:4] if parts[0] == "api" else parts[1:3]).removesuffix(".git")
            if self.types.get(repo, wanted) != wanted:
                return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"
        step, act = self._step(method, parts)
        if act is None:
            return self._read(path, parts, query, token)
        self.steps.append(step)
        fault = self.fails.get(step)
        if fault == CUT:
            return None
        if fault and fault != CUT_AFTER:
            return fault, {"X-Error-Message": f"told to fail, {SIGNATURE}"}, b"{}"
        if step not in ("upload", "refs", "validate-yaml") and token != WRITER:
            return (403 if token == READER else 401), {}, b'{"error": "not for you"}'
        answer = act(body, query)
        return None if fault == CUT_AFTER else answer

    def _step(
        self, method: str, parts: list[str]
    ) -> tuple[str, Callable[[bytes, dict[str, list[str]]], Answer] | None]:
        match method, parts:
            case "POST", ["api", "repos", "create"]:
                return "create", self._create
            case "POST", ["api", "validate-yaml"]:
                return "validate-yaml", _validate_yaml
            case "GET", ["api", "datasets", owner, name, "refs"]:
                return "refs", lambda body, query: self._refs(f"{owner}/{name}")
            case "POST", ["api", "datasets", owner, name, "preupload", _]:
                return "preupload", lambda body, query: self._preupload(f"{owner}/{name}", body)
            case "POST", ["datasets", _, _, "info", "lfs", "objects", "batch"]:
                return "batch", self._batch
            case "PUT", ["lfs", oid]:
                return "upload", lambda body, query: self._upload(oid, body)
            case "POST", ["lfs", "verify"]:
                return "verify", self._verify
            case "POST", ["api", "datasets", owner, name, "commit", _]:
                return "commit", lambda body, query: self._commit(f"{owner}/{name}", body, query)
            case "POST", ["api", "datasets", owner, name, "tag", revision]:
                return "tag", lambda body, query: self._tag(f"{owner}/{name}", revision, body)
        return "", None

    def _read(self, path: str, parts: list[str], query: dict[str, list[str]], token: str) -> Answer:
        repo = "/".join(parts[2:4] if parts[0] == "api" else parts[1:3])
        if repo in self.private and token not in (WRITER, READER):
            return 401, {"X-Error-Code": "RepoNotFound"}, b"{}"
        if parts[0] == "api" and len(parts) == 4:
            path += "/revision/main"
        if parts[0] == "api" and parts[4:5] == ["tree"]:
            return self._tree(repo, parts[5], "/".join(parts[6:]), query)
        status, headers, body = self._answer(path)
        if status == 200 and repo in self.private and "revision" in path:
            body = body.replace(b'"private": false', b'"private": true')
        return status, headers, body

    def _tree(self, repo: str, revision: str, under: str, query: dict[str, list[str]]) -> Answer:
        """Files and folders under a folder, those within its folders too where asked."""
        named = self.repositories.get(repo)
        if named is None or revision not in named:
            return 404, {"X-Error-Code": "RevisionNotFound" if named else "RepoNotFound"}, b"{}"
        entries: dict[str, dict[str, Any]] = {}
        prefix = f"{under}/" if under else ""
        for path, content in named[revision].items():
            if not path.startswith(prefix):
                continue
            oid = hashlib.sha1(path.encode() + content).hexdigest()
            folders = [str(f) for f in PurePosixPath(path).parents if str(f).startswith(prefix)]
            for folder in folders:
                if folder != ".":
                    entries[folder] = {"type": "directory", "path": folder, "size": 0, "oid": oid}
            entries[path] = {"type": "file", "path": path, "size": len(content), "oid": oid}
        if query.get("recursive") != ["true"]:
            entries = {p: e for p, e in entries.items() if "/" not in p.removeprefix(prefix)}
        if not entries:
            return 404, {"X-Error-Code": "EntryNotFound"}, b"{}"
        return _json(list(entries.values()))

    def _create(self, body: bytes, query: object) -> Answer:
        asked = json.loads(body)
        repo = f"{asked['organization']}/{asked['name']}"
        if repo in self.repositories:
            return 409, {}, b'{"error": "there already"}'
        self.keep(repo, {".gitattributes": b"*.parquet filter=lfs\n"}, asked.get("type", "model"))
        if asked.get("private") or asked.get("visibility") == "private":
            self.private.add(repo)
        return _json({"url": f"{self.endpoint}/{self._page(repo)}", "id": repo})

    def _page(self, repo: str) -> str:
        return repo if self.types[repo] == "model" else f"datasets/{repo}"

    def _refs(self, repo: str) -> Answer:
        if repo not in self.repositories:
            return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"
        head = commit_of(self.files(repo))
        tags = [
            {"name": name, "ref": f"refs/tags/{name}", "targetCommit": commit}
            for name, commit in self.tags.get(repo, {}).items()
        ]
        main = {"name": "main", "ref": "refs/heads/main", "targetCommit": head}
        return _json({"branches": [main], "converts": [], "tags": tags})

    def _preupload(self, repo: str, body: bytes) -> Answer:
        there = self.files(repo)
        modes = []
        for file in json.loads(body)["files"]:
            path = file["path"]
            mode = "lfs" if path.endswith((".parquet", ".png", ".safetensors")) else "regular"
            oid = None
            if path in there:
                content = there[path]
                blob = b"blob %d\0" % len(content) + content
                oid = (hashlib.sha256(content) if mode == "lfs" else hashlib.sha1(blob)).hexdigest()
            modes.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return _json({"files": modes})

    def _batch(self, body: bytes, query: object) -> Answer:
        objects = []
        for asked in json.loads(body)["objects"]:
            found: dict[str, Any] = {"oid": asked["oid"], "size": asked["size"]}
            if asked["oid"] not in self.objects:
                upload = f"{self.endpoint}/lfs/{asked['oid']}?{SIGNATURE}"
                verify = f"{self.endpoint}/lfs/verify"
                found["actions"] = {"upload": {"href": upload}, "verify": {"href": verify}}
            objects.append(found)
        return _json({"transfer": "basic", "objects": objects})

    def _upload(self, oid: str, body: bytes) -> Answer:
        if hashlib.sha256(body).hexdigest() != oid:
            return 400, {}, b"wrong contents"
        self.objects[oid] = body
        return 200, {}, b""

    def _verify(self, body: bytes, query: object) -> Answer:
        asked = json.loads(body)
        there = len(self.objects.get(asked["oid"], b"")) == asked["size"]
        return (200 if there else 404), {}, b"{}"

    def _commit(self, repo: str, body: bytes, query: dict[str, list[str]]) -> Answer:
        files = dict(self.files(repo))
        for line in body.decode().splitlines():
            entry = json.loads(line)
            value = entry["value"]
            match entry["key"]:
                case "header":
                    parent = value.get("parentCommit")
                    if parent not in (None, commit_of(self.files(repo))):
                        return 412, {}, b'{"error": "a commit has happened since"}'
                case "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    files[value["path"]] = self.objects[value["oid"]]
                case "deletedFile":
                    del files[value["path"]]
                case other:
                    raise AssertionError(other)
        answer = {"success": True, "commitOid": commit_of(files)}
        answer["commitUrl"] = f"{self.endpoint}/{self._page(repo)}/commit/{answer['commitOid']}"
        if query.get("create_pr"):
            self.proposed[repo] = files
            answer["pullRequestUrl"] = f"{self.endpoint}/{self._page(repo)}/discussions/1"
        else:
            self.keep(repo, files)
        return _json(answer)

    def _tag(self, repo: str, revision: str, body: bytes) -> Answer:
        tag = json.loads(body)["tag"]
        tags = self.tags.setdefault(repo, {})
        if tag in tags:
            return 409, {}, b'{"error": "Tag reference exists already"}'
        files = self.repositories[repo][revision]
        tags[tag] = commit_of(files)
        self.repositories[repo][tag] = files
        return _json({})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                hub.requests.append(f"{self.command} {self.path}")
                token = self.headers.get("Authorization", "").removeprefix("Bearer ")
                oid = urlsplit(self.path).path.rpartition("/")[2]
                cut = hub.fails.get("upload") == CUT or oid in hub.cut_uploads
                if self.command == "PUT" and cut:
                    hub.steps.append("upload")
                    self.rfile.read(int(self.headers["Content-Length"]) // 2)
                    self.close_connection = True
                    self.connection.close()
                    return
                answer = hub.answer(self.command, self.path, self._body(), token)
                if answer is None:
                    self.close_connection = True
                    self.connection.close()
                    return
                status, headers, body = answer
                self.send_response(status)
                for name, text in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, text)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def _body(self) -> bytes:
                if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                    return self.rfile.read(int(self.headers.get("Content-Length", 0)))
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            do_GET = do_HEAD = do_POST = do_PUT = _serve

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler


def _json(content: Any) -> Answer:
    return 200, {"Content-Type": "application/json"}, json.dumps(content).encode()


def _validate_yaml(body: bytes, query: object) -> Answer:
    card = json.loads(body)["content"]
    errors = []
    try:
        metadata = yaml.safe_load(card.split("---")[1])
        configs = metadata["configs"] if "library_name" not in metadata else []
        if not all("config_name" in config for config in configs):
            errors.append({"message": "a configuration without a name"})
    except (yaml.YAMLError, IndexError, KeyError, TypeError) as error:
        errors.append({"message": repr(error)})
    return (400 if errors else 200), {}, json.dumps({"errors": errors, "warnings": []}).encode()
