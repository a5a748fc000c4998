"""A ranking is read from a complete permutation with harmless decoration, and from nothing else."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valueflow.scorers.judge_answer import read_ranking, strip_reasoning

LABELS = ("CDFGH", "JKLMN", "PQRTV", "WX346")
ORDERS = st.permutations(LABELS)

DECORATIONS: list[Callable[[list[str]], str]] = [
    " > ".join,
    ", ".join,
    "\n".join,
    lambda o: " > ".join(o) + ".",
    lambda o: " > ".join(o).lower(),
    lambda o: "Ranking: " + " > ".join(o),
    lambda o: "**Final ranking:** " + " > ".join(o),
    lambda o: "```\n" + " > ".join(o) + "\n```",
    lambda o: "\n".join(f"{i}. {label}" for i, label in enumerate(o, 1)),
    lambda o: "\n".join(f"{i}) **{label}**" for i, label in enumerate(o, 1)),
    lambda o: "\n".join(f"- `{label}`" for label in o),
    lambda o: json.dumps({"order": o}),
    lambda o: "```json\n" + json.dumps({"order": o}, indent=1) + "\n```",
    lambda o: "[" + ", ".join(f'"{label}"' for label in o) + "]",
    lambda o: " → ".join(o),
    lambda o: "<think>" + " > ".join(reversed(o)) + "</think>\n" + " > ".join(o),
    lambda o: "weighing " + o[-1] + "</think>\n\n" + " > ".join(o),
    lambda o: f"{o[1]} sounds warm, while {o[0]} is neutral.\n\n" + " > ".join(o),
    lambda o: "I looked at each text.\n" + "\n".join(f"{i}. {c}" for i, c in enumerate(o, 1)),
]


@pytest.mark.parametrize("decorate", DECORATIONS)
@given(order=ORDERS)
def test_any_order_in_any_harmless_form_is_read_back(
    decorate: Callable[[list[str]], str], order: list[str]
) -> None:
    ranking = read_ranking(decorate(list(order)), LABELS)
    assert ranking is not None
    assert ranking.labels == tuple(order)


def test_only_the_bare_line_and_json_need_no_repair() -> None:
    for text, repaired in [
        (" > ".join(LABELS), False),
        (json.dumps({"order": LABELS}), False),
        ("Ranking: " + " > ".join(LABELS), True),
        ("\n".join(LABELS), True),
    ]:
        ranking = read_ranking(text, LABELS)
        assert ranking is not None
        assert ranking.repaired is repaired


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I cannot rank these.",
        "CDFGH > JKLMN > PQRTV",
        "CDFGH > JKLMN > PQRTV > WX346 > CDFGH",
        "CDFGH > JKLMN > PQRTV > CDFGH",
        "CDFGH > JKLMN > PQRTV > ZZZZZ",
        "CDFGH > JKLMN > PQRTV > WX346 > ZZZZZ",
        "CDFGH beats JKLMN, then PQRTV, and WX346 is last",
        "1 > 2 > 3 > 4",
        "<think>CDFGH > JKLMN > PQRTV > WX346",
        "<think>CDFGH > JKLMN > PQRTV > WX346</think>",
        '{"order": ["CDFGH", "JKLMN", "PQRTV"]}',
        '{"order": "CDFGH > JKLMN"}',
        '{"ranking": 3}',
        "CDFGH > JKLMN > PQRTV > WX346\n\nBut I am not sure about it.",
        "CDFGHJKLMN PQRTV WX346 A",
    ],
)
def test_anything_else_is_no_ranking(text: str) -> None:
    assert read_ranking(text, LABELS) is None


@given(st.text(max_size=200))
def test_no_text_raises(text: str) -> None:
    read_ranking(text, LABELS)
    assert strip_reasoning(strip_reasoning(text)) == strip_reasoning(text)


@given(ORDERS, st.integers(0, 3))
def test_a_missing_code_is_never_filled_in(order: list[str], lost: int) -> None:
    rest = [label for i, label in enumerate(order) if i != lost]
    assert read_ranking(" > ".join(rest), LABELS) is None


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("<think>a</think>b", "b"),
        ("a</think>b", "b"),
        ("<THINKING>a\n</THINKING>\nb", "b"),
        ("b<think>never closed", "b"),
        ("I think so", "I think so"),
        ("<reasoning>x</reasoning><think>y</think>b", "b"),
    ],
)
def test_reasoning_between_tags_is_stripped(text: str, rest: str) -> None:
    assert strip_reasoning(text) == rest
