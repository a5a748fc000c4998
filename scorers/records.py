"""The record of one scored response, as it stands in logs and as the statistics read it.

One plain mapping per response, the same under Inspect and anywhere else, so that a log can be read
without the code that wrote it. `window_records` turns responses into the rankings that
`WindowTable.from_records` reads.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NotRequired

from typing_extensions import TypedDict

__all__ = [
    "METADATA_KEY",
    "Distinct",
    "JudgeUsed",
    "ResponseRecord",
    "ValueRecord",
    "WindowRecord",
    "baseline_name",
    "cell_name",
    "count_words",
    "dropped_judges",
    "dropped_note",
    "is_judged",
    "judge_usage",
    "judged_and_lost",
    "lost_windows",
    "measured",
    "panel_of",
    "used_of",
    "window_records",
]


_IDENTIFIERS = re.compile(r"\b(?=\w*\d)[\w-]{5,}")

METADATA_KEY = "valueflow"
"""Where a score's metadata keeps its response's record."""


class WindowRecord(TypedDict):
    """One window: see the saved rankings of `valueflow score`.

    `anchors` are the intensities and `texts` the texts of the k − 1 anchors; `shown` holds all k
    indices in shown order and `order` from most supporting to most opposing (0 the response, i the
    i-th anchor), or None where the judge gave no ranking; `position` is the response's place.
    `ratings` holds the judge's number for each index, None for a text that it was not asked about,
    and `rating_scale` the ends of its scale, where it was asked for numbers.
    `judge` names the judge where several judged the response.
    `choice` holds the judge's probability that each index supports most, where it was asked for a
    choice; `fallback` says why it was asked for a ranking after all.
    """

    anchors: list[float]
    texts: list[str]
    shown: list[int]
    position: int
    labels: list[str]
    order: list[int] | None
    choice: NotRequired[list[float] | None]
    ratings: NotRequired[list[int | None] | None]
    rating_scale: NotRequired[list[int]]
    raw: list[str]
    calls: int
    repaired: bool
    failure: str | None
    error: str | None
    fallback: NotRequired[str | None]
    judge: NotRequired[str]


class ValueRecord(TypedDict):
    """A response's windows for one value, and its cell.

    `group` is empty in a single study; `condition` names all targets where the response was steered
    toward another value too, and is empty or missing otherwise. With a `target_se`, `stopped` says
    why no more windows were asked for: `target`, or `disagreement` where no number of windows would
    have reached it; None where they were used up. `running_judge` is the judge as it then stood,
    `running_judges` are those of a panel.
    """

    theory: str
    value: str
    level: int
    group: str
    condition: NotRequired[str]
    cell: str
    windows: list[WindowRecord]
    borrowed: int
    repeated: int
    stopped: NotRequired[str | None]
    running_judge: NotRequired[dict[str, float]]
    running_judges: NotRequired[dict[str, dict[str, float]]]


class JudgeUsed(TypedDict):
    """What a response's questions took: calls that the provider of the judge `model` answered, that
    a cache answered, and that failed; tokens and US dollars of the first alone."""

    model: str
    asked: int
    cached: int
    failed: int
    tokens_in: int
    tokens_out: int
    cost: float


class ResponseRecord(TypedDict):
    """One response with all its windows.

    `cut` is there, and true, where the token limit ended the model's answer. `unscored` says why
    there are none: `refusal`, `no_response`, `cut`, or `grader_failed` where every window failed;
    None where the response was ranked at least once on every value. `targets` are (theory, value
    or child, level); `design` and `part_of` say what several targets belong to, and `asked` are
    (theory, value, intensity) of every value that a profile knows, in points.
    `response_sha256` (16 digits) is that of the model's whole answer, by which the same response
    is known in two logs. `judge` says who judged it and how; of a panel, `judges` in it lists the
    judges. What they took stands in `judge_used`, or for each of a panel in `judges_used`.
    `versions` hold the wording and language of all that models were told, and `form` what a
    response was asked to be. `paraphrase` numbers the wording of the persona, where a run has
    several.
    """

    item: str
    query: str
    epoch: int
    words: int
    over_word_limit: bool
    refusal: bool
    unscored: str | None
    values: dict[str, ValueRecord]
    targets: NotRequired[list[list[Any]]]
    design: NotRequired[str]
    part_of: NotRequired[str]
    asked: NotRequired[list[list[Any]]]
    refusal_check: NotRequired[str]
    refusal_raw: NotRequired[str]
    truncated: NotRequired[bool]
    cut: NotRequired[bool]
    response_sha256: NotRequired[str]
    judge: NotRequired[dict[str, Any]]
    judge_used: NotRequired[JudgeUsed]
    judges_used: NotRequired[list[JudgeUsed]]
    versions: NotRequired[dict[str, str]]
    form: NotRequired[str]
    paraphrase: NotRequired[int]


def count_words(text: str) -> int:
    """Words as a reader counts them: runs of non-space characters, and each character of a script
    that writes without spaces (Han, Hiragana, Katakana, Thai, Lao, Khmer, Myanmar) as half a word.
    """
    unspaced = len(re.findall(r"[฀-໿က-႟ក-៿぀-ヿ㐀-䶿一-鿿]", text))
    spaced = re.sub(r"[฀-໿က-႟ក-៿぀-ヿ㐀-䶿一-鿿]", " ", text)
    return len(re.findall(r"\w\S*", spaced)) + (unspaced + 1) // 2


CONDITION_MARK = " | "


def cell_name(value: str, level: int, group: str = "", condition: str = "") -> str:
    """The name of a cell: `benevolence/+2`, `benevolence/0`, `GROUP benevolence/+2`, and under
    several targets `benevolence+2&universalism+1 | benevolence/+2`.
    """
    name = f"{value}/{level:+d}" if level else f"{value}/0"
    name = f"{group} {name}" if group else name
    return f"{condition}{CONDITION_MARK}{name}" if condition else name


def baseline_name(cell: str) -> str | None:
    """The cell from which a cell's shift is taken: the same value's default in its group.

    None for the default itself, and for names without a level.
    """
    name = cell.rpartition(CONDITION_MARK)[2]
    if "/" not in name:
        return None
    baseline = f"{name.rpartition('/')[0]}/0"
    return None if baseline == cell else baseline


def is_judged(window: WindowRecord) -> bool:
    """Whether a judge ordered the window, rated it, or gave the probabilities of a choice."""
    given = (window["order"], window.get("choice"), window.get("ratings"))
    return any(judgement is not None for judgement in given)


def used_of(response: ResponseRecord) -> list[JudgeUsed]:
    """What a response's questions took, for each judge; empty in records of earlier versions."""
    if "judges_used" in response:
        return response["judges_used"]
    return [response["judge_used"]] if "judge_used" in response else []


def panel_of(responses: Iterable[ResponseRecord]) -> list[str]:
    """Names of the judges of a panel, in order; empty where one judge judged alone."""
    names: dict[str, None] = {}
    for response in responses:
        for judge in response.get("judge", {}).get("judges", ()):
            names[judge["name"]] = None
    return list(names) if len(names) > 1 else []


def judged_and_lost(responses: Iterable[ResponseRecord]) -> dict[str, tuple[int, int]]:
    """Windows of each judge of a panel that it judged, and that it did not."""
    counts: dict[str, list[int]] = {}
    for response in responses:
        for record in response["values"].values():
            for window in record["windows"]:
                if "judge" in window:
                    counts.setdefault(window["judge"], [0, 0])[not is_judged(window)] += 1
    return {name: (judged, lost) for name, (judged, lost) in counts.items()}


def dropped_judges(counts: Mapping[str, tuple[int, int]]) -> list[str]:
    """The judges of a panel whose windows mostly have no judgement, and which are left out.

    What they did judge is a selection of which nothing is known. Where that is so of all of them,
    none is left out.

    Args:
        counts: of `judged_and_lost`.
    """
    failed = [name for name, (judged, lost) in counts.items() if lost > judged]
    return failed if len(failed) < len(counts) else []


def dropped_note(name: str, counts: tuple[int, int], why: str | None = None) -> str:
    """What is said of a judge that was left out."""
    judged, lost = counts
    return (
        f"{name} was dropped from the panel: {lost:,} of its {judged + lost:,} windows have no "
        f"judgement{f' ({why})' if why else ''}. The figures rest on the other judges; `valueflow "
        "repair` asks for what is missing"
    )


def judge_usage(responses: Iterable[ResponseRecord]) -> dict[str, JudgeUsed]:
    """What was asked of each judge, by its name, and what it took.

    A record names the judge that made it, so that after a new judge has scored a log its own calls
    and tokens stand here and none of the earlier one's. Records of earlier versions say nothing.
    """
    found: dict[str, JudgeUsed] = {}
    for response in responses:
        for used in used_of(response):
            name = used["model"]
            if name not in found:
                found[name] = {**used}
                continue
            total = found[name]
            total["asked"] += used["asked"]
            total["cached"] += used["cached"]
            total["failed"] += used["failed"]
            total["tokens_in"] += used["tokens_in"]
            total["tokens_out"] += used["tokens_out"]
            total["cost"] += used["cost"]
    return found


def lost_windows(responses: Iterable[ResponseRecord], judge: str | None = None) -> Counter[str]:
    """Why windows have no ranking, the commonest first: the provider's words where it failed.

    With `judge`, those of one judge of a panel.

    Words that differ in numbers and identifiers alone, as requests have them, count together.
    """
    words: dict[str, str] = {}
    lost: Counter[str] = Counter()
    for response in responses:
        for record in response["values"].values():
            for window in record["windows"]:
                if not is_judged(window) and judge in (None, window.get("judge")):
                    why = window["error"] or window["failure"] or "not judged"
                    lost[words.setdefault(_IDENTIFIERS.sub("#", why), why)] += 1
    return Counter(dict(lost.most_common()))


def measured(responses: Iterable[ResponseRecord]) -> Iterator[ResponseRecord]:
    """The responses that cells are made of: those that did not decline.

    A refusal that was ranked all the same (`refusals=rank`) has a figure of its own, the shift with
    refusals, and stays out of every other one, wherever records are read.
    """
    return (response for response in responses if not response["refusal"])


class Distinct:
    """Knows the measurements that were there before, so that the same one counts once.

    A model and a judge that always answer alike give several runs the same response, shown beside
    the same anchors and judged the same; pooled, it would tell as much as so many.
    """

    def __init__(self) -> None:
        self.repeated = 0
        """Responses' values that were left out, each with all of its windows."""
        self._seen: set[str] = set()

    def of(self, response: ResponseRecord) -> ResponseRecord:
        """The response without the values whose windows were there before; itself, where none was.

        A record without the response's hash is taken as new.
        """
        digest = response.get("response_sha256")
        if digest is None:
            return response
        values = {}
        for name, value in response["values"].items():
            shown = [
                [w["texts"], w["shown"], w["order"], w.get("choice"), w.get("ratings")]
                + ([w["judge"]] if "judge" in w else [])
                for w in value["windows"]
            ]
            key = json.dumps([digest, response["query"], value["cell"], name, shown])
            if value["windows"] and key in self._seen:
                self.repeated += 1
                continue
            self._seen.add(key)
            values[name] = value
        return (
            response if len(values) == len(response["values"]) else {**response, "values": values}
        )


def window_records(responses: Iterable[ResponseRecord]) -> Iterator[dict[str, Any]]:
    """All ranked windows of some responses, one mapping each, as saved rankings.

    Windows without a ranking are left out; they are counted where responses are counted.
    """
    for response in responses:
        paraphrase = response.get("paraphrase")
        for record in response["values"].values():
            for window in record["windows"]:
                if not is_judged(window):
                    continue
                unused = {
                    name for name in ("order", "choice", "ratings") if window.get(name) is None
                }
                yield {
                    "item": response["item"],
                    "cell": record["cell"],
                    "value": record["value"],
                    "query": response["query"],
                    **({"paraphrase": paraphrase} if paraphrase is not None else {}),
                    **{name: cell for name, cell in window.items() if name not in unused},
                }
