"""A generator depends on what it is for, and on nothing else."""

import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from valueflow.hub_assets.seeds import generator_for

NAMES = st.lists(st.text(st.characters(exclude_characters="\x1f"), max_size=8), max_size=4)


def first(seed: int, *names: object) -> int:
    return int(generator_for(seed, *names).integers(2**62))


@given(st.integers(), NAMES, st.integers(), NAMES)
def test_two_purposes_share_a_stream_only_where_they_are_the_same(
    seed: int, names: list[str], other_seed: int, other_names: list[str]
) -> None:
    same = (seed, names) == (other_seed, other_names)
    assert (first(seed, *names) == first(other_seed, *other_names)) is same


def test_names_are_kept_apart() -> None:
    assert first(0, "ab", "c") != first(0, "a", "bc") != first(0, "abc")
    assert first(1, "1") != first(11)


def test_asking_for_others_in_between_changes_nothing() -> None:
    alone = [first(0, "windows", sample) for sample in range(5)]
    np.random.default_rng(0)
    shuffled = {sample: first(0, "windows", sample) for sample in (3, 1, 4, 0, 2)}
    assert [shuffled[sample] for sample in range(5)] == alone


def test_another_process_draws_the_same() -> None:
    code = (
        "from valueflow.hub_assets.seeds import generator_for\n"
        "print(generator_for(7, 'windows', 'ünö', 3).integers(2**62))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == first(7, "windows", "ünö", 3)
