"""The embedded data are what their labels say."""

import re
from collections import Counter
from itertools import combinations

import pytest

from valueflow.hub_assets.inputs.anchors import load_vidb
from valueflow.hub_assets.inputs.queries import load_queries
from valueflow.hub_assets.registry.loading import Value, load_registry

VIDB = load_vidb("vidb-mini")


@pytest.mark.parametrize("value", list(load_registry().macro_values()), ids=lambda v: v.name)
def test_each_value_has_anchors_spread_over_the_scale(value: Value) -> None:
    intensities = [anchor.intensity for anchor in VIDB.of(value)]
    assert len(intensities) >= 40
    bands = Counter(min(int((x + 10) // 4), 4) for x in intensities)
    assert all(bands[band] >= 7 for band in range(5))
    assert min(intensities) <= -9
    assert max(intensities) >= 9
    assert sum(abs(x) <= 0.5 for x in intensities) >= 2


def test_nothing_was_left_out_and_every_text_is_short() -> None:
    assert VIDB.notes == ()
    for anchors in VIDB.anchors.values():
        for anchor in anchors:
            assert 4 <= len(anchor.text.split()) <= 45
            assert "\n" not in anchor.text


def test_no_two_texts_are_alike() -> None:
    texts = [anchor.text for anchors in VIDB.anchors.values() for anchor in anchors]
    assert len({text.casefold() for text in texts}) == len(texts)
    words = [frozenset(re.findall(r"\w+", text.lower())) for text in texts]
    alike = [
        (texts[i], texts[j])
        for i, j in combinations(range(len(texts)), 2)
        if len(words[i] & words[j]) > 0.6 * len(words[i] | words[j])
    ]
    assert alike == []


def test_no_template_runs_through_a_value() -> None:
    for key, anchors in VIDB.anchors.items():
        openings = Counter(" ".join(anchor.text.lower().split()[:2]) for anchor in anchors)
        assert openings.most_common(1)[0][1] <= 4, (key, openings.most_common(1))


def test_each_family_has_20_questions() -> None:
    families = Counter(query.family for query in load_queries("queries-mini").queries)
    assert set(families) == {family.name for family in load_registry().query_families}
    assert min(families.values()) >= 20
