"""Rows of a survey report's tables, from records and summaries alone: no log and no harness.

Gains and losses question by question, as rows of a survey report.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any, Protocol

from valueflow.hub_assets.errors import UnknownNameError
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.scorers.survey.accuracy import MACRO, ORDER, PAIRS, OptionSummary
from valueflow.scorers.survey.questions import QuestionDifference, question_differences
from valueflow.scorers.survey.records import OptionRecord, top_options

__all__ = [
    "Question",
    "accuracy_rows",
    "answer_rows",
    "difference_rows",
    "extreme_rows",
    "main_comparison",
    "pair_rank",
    "pass_title",
    "question_rows",
    "scope_kind",
    "scope_rank",
    "scope_title",
]

Row = dict[str, Any]

FIGURES = ("accuracy", "accuracy_all", "js", "emd")
"""Figures that get a standard error and an interval, in a table's order."""

TITLES = {
    "blind": "blind",
    "default": "default",
    "profile": "profile",
    "modular_pluralism": "modular pluralism",
    "baseline": "group-blind majority (oracle)",
    "baseline_others": "majority of the other groups",
}

KINDS = ("all", "mean of attributes", "attribute", "group")


def pass_title(name: str) -> str:
    """A pass as a reader is told of it."""
    return TITLES.get(name, name)


def scope_kind(summary: OptionSummary, scope: str) -> str:
    """One of `KINDS`."""
    if not scope:
        return "all"
    if scope == MACRO:
        return "mean of attributes"
    return "group" if scope in summary.groups else "attribute"


def scope_rank(scope: str) -> tuple[int, int, str]:
    """Where a scope stands: all rows, the mean, attributes and groups as the registry has them."""
    attributes = load_registry().opinion.attributes
    groups = [group.name for group in load_registry().opinion.groups]
    if scope in ("", MACRO):
        return 0, int(bool(scope)), ""
    if scope in attributes:
        return 1, list(attributes).index(scope), ""
    return (2, groups.index(scope), "") if scope in groups else (3, 0, scope)


def scope_title(scope: str) -> str:
    """A scope in words: `Income`, or `Income: $100,000 or more`."""
    if scope in ("", MACRO):
        return "Mean of attributes" if scope else "All"
    opinion = load_registry().opinion
    if scope in opinion.attributes:
        return opinion.attributes[scope].title
    try:
        group = opinion.group(scope)
    except UnknownNameError:
        return scope
    rest = group.name.removeprefix(f"{group.attribute}_")
    return f"{opinion.attributes[group.attribute].title}: {rest}"


def accuracy_rows(label: str, summary: OptionSummary) -> list[Row]:
    """One row for each scope and pass: accuracy with its interval, shares not read, distances.

    Args:
        label: the study's.
        summary: its statistics. Shares are from 0 to 1; an interval's ends are kept in that range.
    """
    rows = []
    for one in summary.scopes:
        row: Row = {
            "study": label,
            "kind": scope_kind(summary, one.scope),
            "scope": _scope(one.scope),
            "pass": pass_title(one.pass_name),
            "accuracy": None,
            "accuracy_se": None,
            "accuracy_lower": None,
            "accuracy_upper": None,
            "mark": _mark(summary, one.pass_name),
            "answers": one.rows,
            "named": one.counts.get("accuracy", 0),
        }
        for name in FIGURES:
            figure = one.figures.get(name)
            if name == "emd" or name == "js":
                row[f"{name}_answers"] = one.counts.get(name)
            row[name] = figure.value if figure else None
            row[f"{name}_se"] = figure.se if figure else None
            low, high = one.bounds.get(name, (None, None))
            if name != "accuracy_all":
                row[f"{name}_lower"] = _within(low, 0)
                row[f"{name}_upper"] = _within(high, 0)
        for name in ("refused", "unparsed", "covered", "with_lines"):
            share = one.figures.get(name)
            # Lines in the prompt are of the profile pass alone.
            hidden = name == "with_lines" and one.pass_name != "profile"
            row[name] = share.value if share and not hidden else None
        rows.append((scope_rank(one.scope), ORDER.index(one.pass_name), row))
    return [row for _, _, row in sorted(rows, key=lambda item: item[:2])]


def difference_rows(label: str, summary: OptionSummary) -> list[Row]:
    """One row for each comparison and scope: the paired difference, its interval, McNemar's p.

    Args:
        label: the study's.
        summary: its statistics. Differences are of shares, from -1 to 1.
    """
    rows = []
    for pair in summary.differences:
        row: Row = {
            "study": label,
            "comparison": f"{pass_title(pair.first)} − {pass_title(pair.second)}",
            "kind": scope_kind(summary, pair.scope),
            "scope": _scope(pair.scope),
            "difference": pair.figure.value,
            "difference_se": pair.figure.se,
            "lower": _within(pair.low, -1),
            "upper": _within(pair.high, -1),
            "mcnemar_p": pair.p_value,
            "mark": _mark(summary, pair.first),
            "answers": pair.rows,
            "only_first_right": pair.first_only,
            "only_second_right": pair.second_only,
        }
        place = PAIRS.index((pair.first, pair.second))
        rows.append((pair_rank(place), scope_rank(pair.scope), row))
    return [row for _, _, row in sorted(rows, key=lambda item: item[:2])]


def answer_rows(label: str, records: Sequence[OptionRecord]) -> list[Row]:
    """How answers were read, one row for each pass and attribute, with all attributes first.

    `answers` is the sum of those that name an option, refused and unparsed ones; `truncated` are
    among the unparsed. `ties` are answers to a question and group whose top several options share.
    """
    tally: dict[tuple[str, str], Counter[str]] = {}
    for record in records:
        for scope in ("", record["attribute"]):
            counted = tally.setdefault((record["pass_name"], scope), Counter())
            named = record["option"] is not None
            counted["answers"] += 1
            counted["named"] += named
            counted["refused"] += record["rule"] == "refused"
            counted["unparsed"] += record["rule"] == "unparsed"
            counted["truncated"] += record["truncated"]
            counted["ties"] += record["tied"]
            if named:
                counted[f"by_{record['rule'].replace(' ', '_')}"] += 1
    rules = sorted({name for counted in tally.values() for name in counted if name[:3] == "by_"})
    order = sorted(tally, key=lambda key: (ORDER.index(key[0]), scope_rank(key[1])))
    first = ("answers", "named", "refused", "unparsed", "truncated", "ties")
    return [
        {
            "study": label,
            "pass": pass_title(name),
            "scope": _scope(scope),
            **{column: tally[name, scope][column] for column in (*first, *rules)},
        }
        for name, scope in order
    ]


def pair_rank(place: int) -> tuple[bool, int, int]:
    """Comparisons of passes before those with the baseline; the richest first pass first, and the
    nearest second one."""
    first, second = PAIRS[place]
    return second == "baseline", ORDER.index(first), -_NEAR.index(second)


_NEAR = ("modular_pluralism", "blind", "default", "baseline")
"""Second passes, from the last that is shown to the first."""


def _within(end: float | None, least: float) -> float | None:
    """An interval's end, no farther than the number itself can go; NaN stays."""
    return end if end is None or math.isnan(end) else min(1.0, max(least, end))


def _scope(scope: str) -> str:
    return {"": "all", MACRO: "mean of attributes"}.get(scope, scope)


def _mark(summary: OptionSummary, pass_name: str) -> str | None:
    """What is known against a pass's numbers."""
    told = summary.leakage.startswith("profile built on")
    return summary.leakage if told and pass_name == "profile" else None


class Question(Protocol):
    """A question's text and options."""

    @property
    def text(self) -> str: ...

    @property
    def options(self) -> tuple[str, ...]: ...


def main_comparison(passes: Sequence[str]) -> tuple[str, str] | None:
    """The comparison that a reader came for; None with fewer than two passes."""
    return next(iter(_comparisons(passes)), None)


def question_rows(
    label: str,
    records: Sequence[OptionRecord],
    questions: Mapping[str, Question],
    golds: Mapping[tuple[str, str], Sequence[float]],
    comparisons: Sequence[tuple[str, str]] | None = None,
) -> list[Row]:
    """One row for each question and comparison of two passes, the largest net gain first.

    Args:
        label: the study's.
        records: its answers.
        questions: text and options by hash.
        golds: distribution of each (group, question), for the groups' own most frequent options.
        comparisons: pairs of passes; all that the records have where not given.
    """
    if comparisons is None:
        comparisons = _comparisons({record["pass_name"] for record in records})
    own: dict[str, Counter[int]] = {}
    for (_, question), gold in golds.items():
        own.setdefault(question, Counter()).update(top_options(gold))
    rows = []
    for first, second in comparisons:
        for one in question_differences(records, first, second):
            rows.append(_question_row(label, first, second, one, questions[one.question], own))
    return rows


def extreme_rows(rows: Sequence[Row], most: int = 10) -> list[Row]:
    """The largest gains and then the largest losses of one comparison's rows, `most` of each."""
    gains = [{"list": "gain", **row} for row in rows if row["net"] > 0][:most]
    losses = [{"list": "loss", **row} for row in reversed(rows) if row["net"] < 0][:most]
    return gains + losses


def _question_row(
    label: str,
    first: str,
    second: str,
    one: QuestionDifference,
    question: Question,
    own: Mapping[str, Mapping[int, int]],
) -> Row:
    options = "; ".join(
        f"{letter}: {text}" for letter, text in zip(ascii_uppercase, question.options, strict=False)
    )
    return {
        "study": label,
        "comparison": f"{pass_title(first)} − {pass_title(second)}",
        "answers": one.rows,
        "gained": len(one.gained),
        "lost": len(one.lost),
        "net": one.net,
        "difference": one.difference,
        "question": question.text,
        "options": options,
        "groups_say": _letters(own.get(one.question, {})),
        "first_says": _letters(one.first_named),
        "second_says": _letters(one.second_named),
        "groups_gained": "; ".join(one.gained),
        "groups_lost": "; ".join(one.lost),
        "question_hash": one.question,
    }


def _letters(counts: Mapping[int, int]) -> str:
    """Counts of options in short: `A 12, C 3`, the most frequent first."""
    falling = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{ascii_uppercase[option]} {count}" for option, count in falling)


def _comparisons(passes: Sequence[str] | set[str]) -> list[tuple[str, str]]:
    """The pairs of passes that are compared, the one a reader came for first."""
    places = sorted(range(len(PAIRS)), key=pair_rank)
    return [PAIRS[place] for place in places if {*PAIRS[place]} <= set(passes)]
