"""The local server of a review: one page, a few JSON requests, nothing but this machine.

It listens on the loopback address only. Every address has a random token in it, the Host header
must name this machine (so that no other site's name can be pointed here), and what changes anything
must be JSON from this page.
"""

import contextlib
import json
import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from valueflow.hub_assets.errors import OptionError, ValueflowError
from valueflow.hub_assets.lazy import need
from valueflow.rebuild.database.review.session import Session

__all__ = ["bound_socket", "make_app", "page_text", "serve"]

HOST = "127.0.0.1"
MOST_BYTES = 100_000
"""Of a request's body; a comment is far shorter."""


def page_text(session: Session, nonce: str) -> str:
    """The page as HTML, whole in itself."""
    from jinja2 import Environment, StrictUndefined

    template = (
        files("valueflow.rebuild.database.review")
        .joinpath("page.html.jinja")
        .read_text(encoding="utf-8")
    )
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(template).render(
        nonce=nonce,
        blind=session.blind,
        reviewer=session.reviewer or "",
        known=session.decisions.reviewers,
        counts=session.counts(),
    )


def make_app(session: Session, token: str, hosts: frozenset[str]) -> Any:
    """The application (ASGI).

    Args:
        session: the review.
        token: what every address starts with.
        hosts: the Host headers that are answered, with the port.
    """
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, JSONResponse, Response
    from starlette.routing import Route

    def refused(request: Request) -> Response | None:
        if request.headers.get("host", "").lower() not in hosts:
            return _plain(403, "This server answers on the loopback address only.")
        if not secrets.compare_digest(str(request.path_params["token"]).encode(), token.encode()):
            return _plain(
                403, "This address is not, or no longer, valid. Use the one printed last."
            )
        if request.method == "POST":
            origin = request.headers.get("origin")
            if origin is not None and urlsplit(origin).netloc.lower() not in hosts:
                return _plain(403, "Requests from other pages are not answered.")
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json":
                return _plain(415, "Send JSON.")
        return None

    def _plain(status: int, text: str) -> Response:
        # What was asked may hold halves of characters, and the answer names it.
        plain = text.encode("utf-8", "replace").decode("utf-8")
        return JSONResponse({"error": plain}, status_code=status)

    async def page(request: Request) -> Response:
        if (no := refused(request)) is not None:
            return no
        nonce = secrets.token_urlsafe(16)
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
            "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )
        return HTMLResponse(page_text(session, nonce), headers={"Content-Security-Policy": policy})

    def answering(act: Callable[[Mapping[str, Any]], dict[str, Any]]) -> Any:
        async def endpoint(request: Request) -> Response:
            if (no := refused(request)) is not None:
                return no
            body = b""
            async for part in request.stream():
                body += part
                if len(body) > MOST_BYTES:
                    return _plain(413, "That is too long.")
            try:
                asked = json.loads(body)
                if not isinstance(asked, dict):
                    raise ValueError("Send an object.")
                return JSONResponse(act(asked))
            except ValueflowError as error:
                return _plain(400, str(error))
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                return _plain(400, f"That request cannot be read ({error}).")

        return endpoint

    routes = [Route("/{token}/", page, methods=["GET"])]
    for name, act in (
        ("next", session.show),
        ("decide", session.decide),
        ("skip", session.skip),
        ("undo", session.undo),
    ):
        routes.append(Route(f"/{{token}}/{name}", answering(act), methods=["POST"]))
    app = Starlette(routes=routes)

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        async def sent(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (b"referrer-policy", b"no-referrer"),
                    (b"x-content-type-options", b"nosniff"),
                    (b"cache-control", b"no-store"),
                ]
            await send(message)

        await app(scope, receive, sent)

    return guarded


def bound_socket(port: int) -> socket.socket:
    """A listening socket on the loopback address; port 0 takes a free one.

    Raises:
        OptionError: the port is taken.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen()
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or error
        raise OptionError("port", f"{port} cannot be used ({reason}); 0 takes a free one") from None
    return listening


def serve(session: Session, port: int, browser: bool, say: Callable[[str], None]) -> None:
    """Serves the page until Ctrl-C.

    Args:
        session: the review.
        port: to listen on; 0 for a free one.
        browser: whether to open one.
        say: told the address.

    Raises:
        OptionError: the port is taken.
        ValueflowError: a package of the extra `review` is not installed.
    """
    need("the review page", "review", "starlette", "uvicorn", "jinja2")
    import uvicorn

    with bound_socket(port) as listening:
        number = listening.getsockname()[1]
        token = secrets.token_urlsafe(16)
        hosts = frozenset(f"{name}:{number}" for name in (HOST, "localhost"))
        address = f"http://{HOST}:{number}/{token}/"
        say(f"The review is open at {address} (Ctrl-C ends it; all decisions are kept)")
        if browser:
            # In a thread: a browser in the terminal would keep the server waiting.
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        config = uvicorn.Config(
            make_app(session, token, hosts),
            log_level="error",
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=2,
        )
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])
