"""What one pass gains or loses against another, question by question."""

from collections.abc import Sequence
from dataclasses import dataclass

from valueflow.scorers.survey.records import OptionRecord

__all__ = ["QuestionDifference", "question_differences"]

Key = tuple[str, int]


@dataclass(frozen=True)
class QuestionDifference:
    """One question's answers in two passes, over the groups that both answered.

    Attributes:
        question: its hash.
        rows: answers, one per group and epoch, in which both passes name an option.
        gained, lost: groups of the answers that only the first, or only the second, got right; a
            group stands once for each epoch.
        first_named, second_named: how often each option was named in those rows, by its place.
    """

    question: str
    rows: int
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    first_named: dict[int, int]
    second_named: dict[int, int]

    @property
    def net(self) -> int:
        """Answers gained, less those lost."""
        return len(self.gained) - len(self.lost)

    @property
    def difference(self) -> float:
        """The accuracy of the first pass minus that of the second."""
        return self.net / self.rows


def question_differences(
    records: Sequence[OptionRecord], first: str, second: str
) -> list[QuestionDifference]:
    """Every question that both passes answered, the largest gain first.

    They are ordered by the net number of answers gained, so that a question which one group was
    asked does not stand before one which twenty were; equal ones by the difference, then by hash.

    Args:
        records: scored answers of any passes, groups and epochs.
        first, second: names of passes; the second is subtracted from the first.
    """
    by_question: dict[str, tuple[dict[Key, OptionRecord], dict[Key, OptionRecord]]] = {}
    for record in records:
        if record["pass_name"] in (first, second) and record["option"] is not None:
            pair = by_question.setdefault(record["question"], ({}, {}))
            side = pair[0 if record["pass_name"] == first else 1]
            side[record["group"], record["epoch"]] = record
    found = []
    for question, (one, two) in by_question.items():
        both = [(one[key], two[key]) for key in one if key in two]
        if both:
            found.append(_difference(question, both))
    return sorted(found, key=lambda d: (-d.net, -d.difference, d.question))


def _difference(
    question: str, both: Sequence[tuple[OptionRecord, OptionRecord]]
) -> QuestionDifference:
    named: tuple[dict[int, int], dict[int, int]] = ({}, {})
    gained, lost = [], []
    for pair in both:
        for counts, record in zip(named, pair, strict=True):
            option = record["option"]
            assert option is not None
            counts[option] = counts.get(option, 0) + 1
        right = [record["correct"] or 0.0 for record in pair]
        if right[0] > right[1]:
            gained.append(pair[0]["group"])
        elif right[1] > right[0]:
            lost.append(pair[0]["group"])
    return QuestionDifference(
        question=question,
        rows=len(both),
        gained=tuple(gained),
        lost=tuple(lost),
        first_named=dict(sorted(named[0].items())),
        second_named=dict(sorted(named[1].items())),
    )
