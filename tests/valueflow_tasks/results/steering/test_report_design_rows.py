"""Rows of a report about several values at once."""

from types import SimpleNamespace

from valueflow.results.steering.figures.designs import pair_planes
from valueflow.results.steering.rows import pair_rows
from valueflow.scorers.figures import Figure
from valueflow.scorers.summary.designs.pairs import PairPoint, PairSummary


def study(values: tuple[str, ...], names: list[str]) -> SimpleNamespace:
    targets = (("craft", "one", 2), ("craft", "two", 2))
    numbers = tuple(Figure(float(place), 0.1) for place in range(len(values)))
    figures = {name: Figure(float(place), 0.1) for place, name in enumerate(names)}
    point = PairPoint("one+2&two+2", targets, (2, 2), numbers, numbers, figures)
    pair = PairSummary("craft", "one&two", ("one", "two"), values, numbers, [point])
    return SimpleNamespace(label="A", summary=SimpleNamespace(pairs=[pair]))


def test_a_pair_with_a_child_of_two_parents_has_columns_for_every_value() -> None:
    one = study(("thrift", "finish", "care"), ["along", "interaction_care"])
    (row,) = pair_rows(one)  # type: ignore[arg-type]
    assert (row["third_value"], row["third_shift"]) == ("care", 2.0)
    assert row["interaction_third"] == 1.0
    assert pair_planes([one]) == []  # type: ignore[list-item]


def test_a_value_whose_name_begins_with_the_others_keeps_its_own_column() -> None:
    (row,) = pair_rows(study(("care", "care-harm"), ["retained_care", "retained_care-harm"]))  # type: ignore[arg-type]
    assert (row["retained_first"], row["retained_second"]) == (0.0, 1.0)
