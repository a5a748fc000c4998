"""What a panel of judges says of itself: who judged how much, and how far the judges agree.

Agreement is that of the judges' own estimates of the same responses, each calibrated by the anchors
of its own windows, so that a judge that uses the scale in its own way is not a judge that
disagrees. Intervals draw queries.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from valueflow.scorers.agreement import Agreement, agreement_of_numbers, correlation_of_numbers
from valueflow.scorers.estimate.evaluation import Evaluation, FittedPanel, own_estimates
from valueflow.scorers.estimate.table import WindowTable
from valueflow.scorers.figures import Figure
from valueflow.scorers.records import JudgeUsed

__all__ = ["JudgePair", "PanelJudge", "PanelSummary", "panel_summary"]


@dataclass(frozen=True)
class PanelJudge:
    """One judge of a panel.

    Attributes:
        name: its name.
        judged, lost: windows that it judged, and those of its windows that have no judgement.
        dropped: whether it was left out of the figures, since most are lost.
        used: calls, tokens and money; None where the records do not tell.
        without: the figures of the run without this judge, by name; empty where it was dropped.
    """

    name: str
    judged: int
    lost: int
    dropped: bool = False
    used: JudgeUsed | None = None
    without: dict[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class JudgePair:
    """How far two judges agree.

    Attributes:
        first, second: their names.
        responses: responses' values that both judged.
        correlation: of their estimates of these.
        together: the correlation of their disagreements with the anchors that both saw, with its
            standard error; `used` is what of it the estimates of responses take for granted.
        anchors: how many anchors both saw.
    """

    first: str
    second: str
    responses: int
    correlation: Figure
    together: Figure
    used: float
    anchors: int


@dataclass(frozen=True)
class PanelSummary:
    """A panel of judges.

    Attributes:
        judges: in the order of their roles.
        agreement: Krippendorff's alpha (interval) of the judges' estimates of responses.
        pairs: every two judges that were not dropped.
    """

    judges: list[PanelJudge]
    agreement: Agreement
    pairs: list[JudgePair]


def panel_summary(
    table: WindowTable,
    fitted: FittedPanel,
    evaluation: Evaluation,
    counts: Mapping[str, tuple[int, int]],
    used: Mapping[str, JudgeUsed],
    without: Mapping[str, Mapping[str, Figure]],
) -> PanelSummary:
    """Sums up a panel.

    Args:
        table: its windows, without those of judges that were dropped.
        fitted: its judges.
        evaluation: of the table.
        counts: windows judged and lost, by judge.
        used: what each judge took.
        without: the run's figures without each judge.
    """
    names = fitted.names
    own = own_estimates(table, fitted)
    query = table.item_query
    pairs = []
    for b in range(len(names)):
        for a in range(b):
            both = ~np.isnan(own[:, [a, b]]).any(axis=1)
            shared = evaluation.shared
            together, kept, anchors = Figure(float("nan")), 0.0, 0
            if shared is not None:
                together = Figure(float(shared.estimate[a, b]), float(shared.se[a, b]))
                kept, anchors = float(shared.correlation[a, b]), int(shared.anchors[a, b])
            pairs.append(
                JudgePair(
                    names[a],
                    names[b],
                    int(both.sum()),
                    correlation_of_numbers(own[:, a], own[:, b], query),
                    together,
                    kept,
                    anchors,
                )
            )
    every = _in_order(counts, names)
    judges = [
        PanelJudge(
            name,
            *counts.get(name, (0, 0)),
            dropped=name not in names,
            used=used.get(name),
            without=dict(without.get(name, {})),
        )
        for name in every
    ]
    return PanelSummary(judges, agreement_of_numbers(own, query), pairs)


def _in_order(counts: Mapping[str, tuple[int, int]], names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*counts, *names]))
