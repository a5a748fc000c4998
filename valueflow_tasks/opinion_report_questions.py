"""Gains and losses question by question, as rows of a survey report."""

from collections import Counter
from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Protocol

from valueflow.opinion_report_rows import Row, pair_rank, pass_title
from valueflow.scorers.option_accuracy import PAIRS
from valueflow.scorers.option_gold import top_options
from valueflow.scorers.option_questions import QuestionDifference, question_differences
from valueflow.scorers.option_records import OptionRecord

__all__ = ["Question", "extreme_rows", "main_comparison", "question_rows"]


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
