"""The page of a review in a real browser, worked by keys, and a server that is killed."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.review_folder import LONG, MARKUP, SCRIPTS, review_folder
from valueflow.rebuild.database.review.decisions import decisions_path, read_decisions

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

Start = Callable[..., tuple["subprocess.Popen[str]", str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts `valueflow review` in a process of its own; gives it and the address."""
    running = []

    def started(folder: Path, *options: str) -> tuple["subprocess.Popen[str]", str]:
        command = [sys.executable, "-m", "valueflow.cli", "review", str(folder), "--no-browser"]
        process = subprocess.Popen(
            [*command, *options], stderr=subprocess.PIPE, text=True, env=dict(os.environ)
        )
        running.append(process)
        assert process.stderr is not None
        told = ""
        for line in process.stderr:
            told += line
            if found := re.search(r"http://127\.0\.0\.1:\d+/\S+/", line):
                return process, found[0]
        raise AssertionError(told)

    yield started
    for process in running:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


class Reviewer:
    """Somebody at the keyboard."""

    def __init__(self, browser: Any, address: str, name: str | None, width: int = 1000) -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 800})
        self.problems: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", lambda said: self.problems.append(said.text))
        self.page.goto(address)
        if name is not None:
            self.page.keyboard.type(name)
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector("#head:not([hidden])")

    def press(self, *keys: str) -> None:
        """Presses keys; waits for the server after those that ask it."""
        for key in keys:
            if key in ("Enter", "k", "u", "Control+Enter"):
                with self.page.expect_response(lambda answer: answer.request.method == "POST"):
                    self.page.keyboard.press(key)
                self.page.wait_for_function("() => !busy")
            else:
                self.page.keyboard.press(key)

    def read(self, name: str) -> str:
        return str(self.page.text_content(f"#{name}"))

    def sees(self, name: str) -> bool:
        return bool(self.page.is_visible(f"#{name}"))


def last(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(decisions_path(folder).read_text().splitlines()[-1])
    return found


def test_directions_are_decided_by_keys_and_taken_back(
    start: Start, browser: Any, tmp_path: Path
) -> None:
    folder = review_folder(tmp_path)
    process, address = start(folder, "--queue", "directions")
    ada = Reviewer(browser, address, "Ada")
    texts = []
    for key, answer in (("s", "support"), ("o", "oppose"), ("n", "neutral"), ("x", "none")):
        texts.append(ada.read("text"))
        ada.press(key, "Enter")
        assert last(folder)["answer"] == answer
    assert ada.sees("done")
    assert {MARKUP, LONG, SCRIPTS} < set(texts)
    assert ada.page.title() == "Review"  # the markup in the text did not run
    ada.press("u")
    assert ada.read("text") == texts[-1]
    assert ada.page.is_checked("input[value=none]")
    ada.press("u")
    assert (ada.read("text"), ada.read("far")) == (texts[-2], "2 done, 2 left")
    ada.press("c")
    ada.page.keyboard.type("sonk?")  # keys are letters in a comment
    ada.press("Escape", "s", "Enter")
    assert (last(folder)["answer"], last(folder)["comment"]) == ("support", "sonk?")
    assert ada.problems == []
    process.send_signal(signal.SIGINT)
    told = process.communicate()[1]
    assert process.returncode == 0
    assert "3 decisions made" in told
    assert f"`valueflow build vidb RECIPE.yaml -o {folder}` takes the directions up" in told


def test_ratings_are_typed_or_moved_by_arrows(start: Start, browser: Any, tmp_path: Path) -> None:
    folder = review_folder(tmp_path, flagged=4)
    ada = Reviewer(browser, start(folder, "--queue", "ratings", "--reviewer", "Ada")[1], None)
    ada.page.keyboard.press("Enter")
    assert "Give a number from −10 to 10" in ada.read("told")
    ada.press("-", "7", ".", "5", "Enter")
    assert last(folder)["answer"] == -7.5
    ada.press(*["ArrowRight"] * 3, "Shift+ArrowLeft", "Enter")
    assert last(folder)["answer"] == 2.5
    ada.press(*["ArrowLeft"] * 12, "Enter")
    assert last(folder)["answer"] == -10
    ada.press("1", "1")
    ada.page.keyboard.press("Enter")
    assert "Give a number" in ada.read("told")
    assert len(read_decisions(folder).answers()) == 3
    ada.press("Backspace", "Enter")
    assert last(folder)["answer"] == 1
    assert ada.sees("done")
    assert ada.problems == []


def test_help_opens_and_what_was_skipped_comes_again(
    start: Start, browser: Any, tmp_path: Path
) -> None:
    folder = review_folder(tmp_path, divided=2, flagged=0)
    ada = Reviewer(browser, start(folder)[1], "Ada")
    ada.press("?")
    assert ada.sees("help")
    ada.press("s", "Escape")
    assert not ada.sees("help")
    assert not ada.page.is_checked("input[value=support]")
    ada.press("k", "k")
    assert ada.read("over") == "The rest you skipped"
    ada.press("k", "o", "Enter")
    assert ada.read("far") == "1 done, 1 left (1 skipped)"


def test_two_reviewers_at_once_and_one_more_after_a_restart(
    start: Start, browser: Any, tmp_path: Path
) -> None:
    folder = review_folder(tmp_path)
    process, address = start(folder, "--queue", "directions", "--blind")
    ada, ben = (Reviewer(browser, address, name) for name in ("Ada", "Ben"))
    assert not ada.sees("evidence")
    ada.press("s", "Enter", "s", "Enter")
    ben.press("o", "Enter")
    process.send_signal(signal.SIGINT)
    process.communicate()
    ben.page.keyboard.press("o")
    ben.page.keyboard.press("Enter")
    ben.page.wait_for_function("() => document.getElementById('told').textContent")
    assert "Not kept: the server does not answer" in ben.read("told")
    address = start(folder, "--queue", "directions")[1]
    ben = Reviewer(browser, address, "ben")
    assert ben.read("far") == "1 done, 3 left"
    assert "oppose 3, support 4" in ben.read("evidence")
    ben.press("o", "Enter")
    found = read_decisions(folder)
    assert [d.blind for d in found.latest("Ben").values()] == [True, False]
    assert len(found.latest("Ada")) == 2


@pytest.mark.parametrize("width", [400, 1200])
def test_nothing_runs_over_the_edge_of_the_window(
    start: Start, browser: Any, tmp_path: Path, width: int
) -> None:
    folder = review_folder(tmp_path, divided=3)
    ada = Reviewer(browser, start(folder)[1], "A" * 60, width)
    while not ada.sees("done"):
        assert ada.page.evaluate("document.documentElement.scrollWidth") <= width
        box = ada.page.locator("#accept").bounding_box()
        assert box["y"] + box["height"] <= 800  # in sight, however long the text
        ada.press("k")
    assert ada.page.evaluate("document.documentElement.scrollWidth") <= width


def test_every_field_has_a_name_for_those_who_cannot_see(
    start: Start, browser: Any, tmp_path: Path
) -> None:
    folder = review_folder(tmp_path, divided=0)
    ada = Reviewer(browser, start(folder)[1], "Ada")
    page = ada.page
    assert page.get_by_role("slider", name="Rating").is_visible()
    assert page.get_by_role("textbox", name="Rating from -10 to 10").is_visible()
    assert page.get_by_label("Comment, if you like").is_visible()
    assert page.get_by_role("region", name="Text").is_visible()
    assert page.evaluate("document.activeElement.id") == "text"
    page.keyboard.press("Enter")
    assert page.get_by_role("status").inner_text().startswith("Give a number")


def test_a_killed_server_has_lost_no_decision(start: Start, tmp_path: Path) -> None:
    import httpx

    folder = review_folder(tmp_path, divided=10)
    made = {}
    for _ in range(3):
        process, address = start(folder, "--queue", "directions")
        with httpx.Client(base_url=address) as client:
            state = client.post("next", json={"reviewer": "Ada"}).json()
            for _ in range(3):
                name = state["item"]["name"]
                assert name not in made
                made[name] = "support"
                fields = {"reviewer": "Ada", "item": name, "answer": "support"}
                state = client.post("decide", json=fields).json()
            process.kill()
            process.wait()
        found = read_decisions(folder).latest("Ada")
        assert {"/".join(key): d.answer for key, d in found.items()} == made
    assert len(made) == 9
