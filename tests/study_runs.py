"""Small runs of the real tasks, logs changed by hand, and readers of what a report wrote."""

import csv
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log

from valueflow.results.steering.studies import Studies, studies_of
from valueflow.results.studies import unusable
from valueflow.scorers.records import METADATA_KEY
from valueflow.scorers.saved.logs import find_logs
from valueflow.steering.tasks import steer


def run_log(
    folder: Path, task: Task | None = None, judge: Any = "valueflow/judge", **arguments: Any
) -> Path:
    """Runs a task on the simulated models and returns its log; `arguments` are the respondent's."""
    log = inspect_eval(
        task or steer(values="power,benevolence", levels="-2,2", n_queries=3, figures="all"),
        model="valueflow/respondent",
        model_args=arguments,
        model_roles={"grader": judge} if judge else {},
        display="none",
        log_dir=str(folder),
    )[0]
    assert log.status == "success", log.error
    return Path(log.location)


def read_studies(paths: Sequence[str | Path]) -> Studies:
    """The studies of some logs; the report's error where none can be used."""
    found = studies_of(find_logs(paths))
    if not found.studies:
        raise unusable(paths, found.skipped)
    return found


def changed(path: Path, target: Path, change: Callable[[EvalLog], Any], fresh: bool = True) -> Path:
    """A copy of a log with something changed; `fresh` makes it another task's run."""
    log = read_eval_log(str(path))
    change(log)
    if fresh:
        log.eval.task_id = log.eval.eval_id = f"id-{target.stem}"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_eval_log(log, str(target))
    return target


def copied(path: Path, folder: Path) -> Path:
    """The same log in another folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(path, folder / path.name))


def seen_by_a_browser(page: Path, folder: Path, width: int = 1100) -> str:
    """What Chromium makes of a page: `shown 3 of 3; wide false`, and errors where it tells any.

    The test is skipped where there is no Chromium.
    """
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("chromium is not installed")
    # A copy with a script that writes what the browser made of the page into the page.
    probe = """<script>addEventListener("load", () => {
      const images = [...document.images];
      const shown = images.filter(i => i.complete && i.naturalWidth > 100 && i.naturalHeight > 60);
      document.title = `shown ${shown.length} of ${images.length}; wide `
        + (document.documentElement.scrollWidth > innerWidth);
    })</script></body>"""
    text = page.read_text(encoding="utf-8")
    copy = folder / "index.html"
    copy.write_text(text.replace("</body>", probe), encoding="utf-8")
    done = subprocess.run(
        [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--window-size={width},900",
            "--enable-logging=stderr",
            f"--user-data-dir={folder / 'profile'}",
            "--virtual-time-budget=10000",
            "--dump-dom",
            copy.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    (title,) = re.findall(r"<title>(.*?)</title>", done.stdout)
    return str(title) + ("; errors" if "CONSOLE" in done.stderr else "")


def records_in(log: EvalLog) -> list[dict[str, Any]]:
    """The records of all scored samples, to be changed in place."""
    return [
        score.metadata[METADATA_KEY]
        for sample in log.samples or []
        for score in (sample.scores or {}).values()
        if score.metadata
    ]


class Page(HTMLParser):
    """What a page refers to, its images, its headings and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.references: list[str] = []
        self.images: list[tuple[str, str]] = []
        self.ids: set[str] = set()
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.ids |= {found["id"]} if "id" in found else set()
        for name in ("src", "href", "srcset", "data", "action", "poster", "background"):
            if name in found:
                self.references.append(found[name])
        if tag == "img":
            self.images.append((found["src"], found["alt"]))

    def handle_data(self, data: str) -> None:
        self.text += data


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))
