"""Small runs of the real tasks, logs changed by hand, and readers of what a report wrote."""

import csv
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log

from valueflow.scorers.records import METADATA_KEY
from valueflow.steering import steer


def run_log(
    folder: Path, task: Task | None = None, judge: Any = "valueflow/judge", **arguments: Any
) -> Path:
    """Runs a task on the simulated models and returns its log; `arguments` are the respondent's."""
    log = inspect_eval(
        task or steer(values="power,benevolence", levels="-2,2", n_queries=3),
        model="valueflow/respondent",
        model_args=arguments,
        model_roles={"grader": judge} if judge else {},
        display="none",
        log_dir=str(folder),
    )[0]
    assert log.status == "success", log.error
    return Path(log.location)


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
