"""A ranking is read from a complete permutation with harmless decoration, and from nothing else."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from valueflow.scorers.judge.answer import read_ranking, strip_reasoning

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
        # A tie, and a chain that runs the other way.
        "CDFGH > JKLMN = PQRTV > WX346",
        "CDFGH < JKLMN < PQRTV < WX346",
        "CDFGH > JKLMN <= PQRTV > WX346",
        "CDFGH > JKLMN <-> PQRTV > WX346",
        # Lists that are too long: the last four lines alone would be complete.
        "1. ZZZZZ\n2. CDFGH\n3. JKLMN\n4. PQRTV\n5. WX346",
        "- WX346\n- CDFGH\n- JKLMN\n- PQRTV\n- WX346",
        "First:\n_QQQQQ_\nCDFGH\nJKLMN\nPQRTV\nWX346",
        "I put them so: 1. QQQQQ\n2. CDFGH\n3. JKLMN\n4. PQRTV\n5. WX346",
        "QQQQQ >\nCDFGH > JKLMN > PQRTV > WX346",
        "It is QQQQQ\n> CDFGH > JKLMN > PQRTV > WX346",
        # JSON that Python will not read.
        '{"order": ' + "[" * 5000 + "]" * 5000 + "}",
        '{"order": ' + "9" * 5000 + "}",
        '{"order": ["CDFGH", "JKLMN", "PQRTV", 3]}',
        '["CDFGH", {"order": 1}]',
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


# Decorations to mix. A code in `IN_FRONT` is prose, and passed over.
BEFORE_CODES = st.sampled_from(["{n}. ", "{n}) ", "({n}) ", "- ", "* ", "• ", ""])
AROUND_CODES = st.sampled_from(
    ["{}", "**{}**", "`{}`", '"{}"', "“{}”", "[{}]", "({})", "_{}_", "<{}>"]
)
BETWEEN_CODES = st.sampled_from(
    [" > ", ">", " >> ", ", ", "; ", " → ", " ≻ ", " => ", " | ", "\n", " >\n"]
)
IN_FRONT = st.sampled_from(
    [
        *("", "Ranking: ", "**Final answer:** ", "order is: ", "```\n", "\n\n"),
        "<think>Hm, {}!</think>\n",
        "{} is kind, and that is what counts.\n\n",
        "Let me compare them.\n",
    ]
)
BEHIND = st.sampled_from(["", ".", "\n", " \n\n", "\n```"])


@st.composite
def decorated(draw: st.DrawFn, codes: list[str]) -> str:
    before, around = draw(BEFORE_CODES), draw(AROUND_CODES)
    written = [
        before.format(n=n) + around.format(draw(st.sampled_from([code, code.lower()])))
        for n, code in enumerate(codes, 1)
    ]
    return draw(IN_FRONT).format(LABELS[0]) + draw(BETWEEN_CODES).join(written) + draw(BEHIND)


@settings(max_examples=300, deadline=None)
@given(ORDERS, st.data())
def test_any_mixture_of_decorations_is_read_back(order: list[str], data: st.DataObject) -> None:
    ranking = read_ranking(data.draw(decorated(list(order))), LABELS)
    assert ranking is not None
    assert ranking.labels == tuple(order)


FOREIGN = st.text(st.sampled_from("CDFGHJKLMNPQRTVWX34679"), min_size=5, max_size=5).filter(
    lambda code: code not in LABELS
)


@settings(max_examples=400, deadline=None)
@given(ORDERS, st.data())
def test_a_missing_repeated_or_foreign_code_is_never_passed_over(
    order: list[str], data: st.DataObject
) -> None:
    codes, at = list(order), data.draw(st.integers(0, len(LABELS) - 1))
    fault = data.draw(st.sampled_from(["missing", "repeated", "foreign", "swapped", "prose"]))
    if fault == "missing":
        del codes[at]
    elif fault == "repeated":
        codes.insert(at, data.draw(st.sampled_from(LABELS)))
    elif fault == "foreign":
        codes.insert(at, data.draw(FOREIGN))
    elif fault == "swapped":
        codes[at] = data.draw(FOREIGN | st.sampled_from([c for c in LABELS if c != codes[at]]))
    else:
        codes[max(at, 1)] = "perhaps " + codes[max(at, 1)]
    answer = data.draw(decorated(codes))
    assert read_ranking(answer, LABELS) is None, answer


PIECES = st.sampled_from(
    [
        *(
            *LABELS,
            *LABELS,
            "ZZZZZ",
            " > ",
            ">",
            "<",
            "=",
            "\n",
            "\n",
            ", ",
            "1. ",
            "2) ",
            "(",
            "]",
        ),
        *("```", "{", "}", '"order"', ": ", "[", '"', "and ", "<think>", "</think>", "Ranking: "),
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=25).map("".join))
def test_whatever_is_read_is_complete(text: str) -> None:
    ranking = read_ranking(text, LABELS)
    assert ranking is None or sorted(ranking.labels) == sorted(LABELS)


def test_a_list_before_the_answers_line_and_a_revised_answer_are_passed_over() -> None:
    listed = "\n".join(f"{n}. {code}" for n, code in enumerate(reversed(LABELS), 1))
    line = " > ".join(LABELS)
    for text in (f"{listed}\n\n{line}", f"{' > '.join(reversed(LABELS))}\n{line}"):
        ranking = read_ranking(text, LABELS)
        assert ranking is not None
        assert ranking.labels == LABELS


@pytest.mark.parametrize(
    "text",
    [
        "<think>" * 3000,
        "1 " * 10_000,
        "> " * 10_000,
        "CDFGH " * 4000,
        "Ranking " * 3000,
        "12." * 7000 + "x",
        "CDFGH" + "  >  " * 4000 + "x",
    ],
)
@pytest.mark.timeout(60)
def test_a_long_answer_does_not_hang_the_reader(text: str) -> None:
    assert read_ranking(text, LABELS) is None
