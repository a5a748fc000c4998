"""The server of a review answers this machine, this page and nobody else."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.review_folder import MARKUP, review_folder
from valueflow.hub_assets.errors import OptionError
from valueflow.rebuild.database.review.decisions import Decisions, open_decisions, read_decisions
from valueflow.rebuild.database.review.queue import items_of
from valueflow.rebuild.database.review.server import bound_socket, make_app
from valueflow.rebuild.database.review.session import Session

TOKEN = "secret"
HOST = "127.0.0.1:4000"


def session_of(folder: Path, decisions: Decisions, **more: Any) -> Session:
    items = [i for q in ("directions", "ratings") for i in items_of(folder, q, decisions)]
    return Session(items, decisions, **more)


def client_of(session: Session) -> TestClient:
    app = make_app(session, TOKEN, frozenset({HOST}))
    return TestClient(app, base_url=f"http://{HOST}", raise_server_exceptions=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return review_folder(tmp_path)


@pytest.fixture
def client(folder: Path) -> Iterator[TestClient]:
    with open_decisions(folder) as decisions:
        yield client_of(session_of(folder, decisions))


def ask(client: TestClient, what: str, **fields: Any) -> dict[str, Any]:
    answer = client.post(f"/{TOKEN}/{what}", json={"reviewer": "Ada", **fields})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def refused(client: TestClient, what: str, **fields: Any) -> str:
    answer = client.post(f"/{TOKEN}/{what}", json={"reviewer": "Ada", **fields})
    assert answer.status_code == 400
    return str(answer.json()["error"])


def test_only_the_token_opens_it(client: TestClient) -> None:
    assert client.get(f"/{TOKEN}/").status_code == 200
    assert client.get("/wrong/").status_code == 403
    assert client.get("/").status_code == 404
    assert client.post("/wrong/next", json={"reviewer": "Ada"}).status_code == 403


def test_no_other_sites_name_and_no_other_page_reach_it(client: TestClient) -> None:
    for host in ("evil.example", "evil.example:4000", "127.0.0.1", "127.0.0.1:4001", ""):
        assert client.get(f"/{TOKEN}/", headers={"host": host}).status_code == 403
    path, body = f"/{TOKEN}/next", {"reviewer": "Ada"}
    for origin, status in (("http://evil.example", 403), ("null", 403), (f"http://{HOST}", 200)):
        assert client.post(path, json=body, headers={"origin": origin}).status_code == status
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        sent = client.post(path, content=json.dumps(body), headers={"content-type": kind})
        assert sent.status_code == 415


def test_requests_that_make_no_sense_are_refused_and_change_nothing(client: TestClient) -> None:
    path = f"/{TOKEN}/decide"
    kind = {"content-type": "application/json"}
    deep = b'{"item": ' + b"[" * 90_000
    for content in (b"", b"[1]", b"{", b'{"reviewer": 1}', b"\xff", deep):
        assert client.post(path, content=content, headers=kind).status_code == 400
    assert client.post(path, content=b" " * 200_000, headers=kind).status_code == 413
    item = ask(client, "next")["item"]["name"]
    assert "not in this review" in refused(client, "decide", item="none", answer="support")
    assert "none of" in refused(client, "decide", item=item, answer="maybe")
    assert "5,000" in refused(client, "decide", item=item, answer="none", comment="x" * 5001)
    assert "give a name" in refused(client, "decide", item=item, answer="none", reviewer=" ")
    assert "nothing to take back" in refused(client, "undo")
    assert ask(client, "next")["progress"]["reviewers"][0]["done"] == 0


def test_the_page_is_whole_in_itself_and_lets_nothing_else_in(client: TestClient) -> None:
    got = client.get(f"/{TOKEN}/")
    assert "http://" not in got.text.replace("http://www.w3.org", "")
    assert "https://" not in got.text
    policy = got.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert got.headers["referrer-policy"] == "no-referrer"
    assert got.headers["cache-control"] == "no-store"
    assert "hateful" in got.text


def test_a_name_with_markup_stays_text(folder: Path) -> None:
    with open_decisions(folder) as decisions:
        client = client_of(session_of(folder, decisions))
        item = ask(client, "next")["item"]["name"]
        ask(client, "skip", item=item, reviewer='"><script>alert(1)</script>')
        assert "<script>alert" not in client.get(f"/{TOKEN}/").text


def test_one_item_after_the_other_and_back(client: TestClient) -> None:
    first = ask(client, "next")["item"]
    second = ask(client, "decide", item=first["name"], answer="oppose", comment="why")["item"]
    assert second["name"] != first["name"]
    back = ask(client, "undo")
    assert (back["item"], back["answer"], back["comment"]) == (first, "oppose", "why")
    assert ask(client, "next")["item"] == first
    seen = set()
    state = ask(client, "next")
    while state["item"] is not None:
        seen.add(state["item"]["name"])
        answer = "none" if state["item"]["queue"] == "directions" else 4
        state = ask(client, "decide", item=state["item"]["name"], answer=answer)
    assert len(seen) == 7
    assert state["progress"]["reviewers"] == [
        {"reviewer": "Ada", "done": 7, "skipped": 0, "left": 0}
    ]


def test_what_was_skipped_comes_again_when_it_is_asked_for(client: TestClient) -> None:
    order = []
    state = ask(client, "next")
    while state["item"] is not None:
        order.append(state["item"]["name"])
        state = ask(client, "skip", item=order[-1], comment=f"note {len(order)}")
    assert state["progress"]["reviewers"][0] == {
        "reviewer": "Ada",
        "done": 0,
        "skipped": 7,
        "left": 7,
    }
    again = ask(client, "next", again=True)
    assert (again["item"]["name"], again["comment"]) == (order[0], "note 1")
    assert ask(client, "skip", again=True, item=order[0])["item"]["name"] == order[1]


def test_half_a_character_in_a_comment_breaks_nothing(client: TestClient) -> None:
    item = ask(client, "next")["item"]["name"]
    kind = {"content-type": "application/json"}

    def sent(what: str, **fields: str) -> int:
        body = json.dumps({"reviewer": "Ada", "item": item, **fields})
        return client.post(f"/{TOKEN}/{what}", content=body, headers=kind).status_code

    assert sent("skip", comment="a\ud800b") == 200
    assert ask(client, "undo")["comment"] == "a?b"
    assert sent("decide", answer="\ud800") == 400
    assert sent("skip", reviewer="\ud800") == 400


def test_reviewers_see_how_far_others_are_and_not_what_they_said(folder: Path) -> None:
    with open_decisions(folder) as decisions:
        client = client_of(session_of(folder, decisions))
        item = ask(client, "next", reviewer="Ben")["item"]["name"]
        ask(client, "decide", reviewer="Ben", item=item, answer="oppose", comment="Ben's words")
        told = []
        state = ask(client, "next")
        while state["item"] is not None:
            told.append(json.dumps(state))
            state = ask(client, "skip", item=state["item"]["name"])
        assert len(told) == 7
        assert not any("Ben's words" in text for text in told)
        assert all('"answer": null' in text for text in told)
        assert state["progress"]["reviewers"][1]["done"] == 1
        assert ask(client, "next", reviewer="BEN")["reviewer"] == "Ben"


def test_a_review_of_one_reviewer_lets_nobody_else_in(folder: Path) -> None:
    with open_decisions(folder) as decisions:
        client = client_of(session_of(folder, decisions, reviewer="Ben"))
        assert "is Ben's" in refused(client, "next")


def test_blind_sends_nothing_that_a_model_said(folder: Path) -> None:
    for blind in (False, True):
        with open_decisions(folder) as decisions:
            client = client_of(session_of(folder, decisions, blind=blind))
            sent = ""
            state = ask(client, "next", reviewer=f"Ada {blind}")
            while state["item"] is not None:
                sent += json.dumps(state)
                answer = "none" if state["item"]["queue"] == "directions" else 4
                item = state["item"]["name"]
                fields = {"item": item, "answer": answer, "reviewer": f"Ada {blind}"}
                state = ask(client, "decide", **fields)
        for said in ("oppose 3, support 4", "standard error", "ranked as supporting", "direction"):
            # "directions" is the queue's name, in every state.
            assert (said in sent.replace("directions", "")) is not blind
        assert MARKUP in json.loads(json.dumps(sent)).replace("\\", "")
    kept = read_decisions(folder)
    assert {d.blind for d in kept.latest("Ada True").values()} == {True}
    assert {d.blind for d in kept.latest("Ada False").values()} == {False}


def test_it_listens_on_the_loopback_address_and_says_when_a_port_is_taken() -> None:
    with bound_socket(0) as listening:
        host, port = listening.getsockname()
        assert host == "127.0.0.1"
        with pytest.raises(OptionError, match=f"port: {port} cannot be used"):
            bound_socket(port)
