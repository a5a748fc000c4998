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


def ranks(order: list[str]) -> list[tuple[str, int]]:
    """(code, rank) in the order of `LABELS`, as a judge that walks through the texts writes it."""
    return [(label, order.index(label) + 1) for label in LABELS]


@pytest.mark.parametrize(
    "written",
    [
        lambda pairs: ", ".join(f"{code} ({rank})" for code, rank in pairs),
        lambda pairs: "\n".join(f"{code} ({rank})" for code, rank in pairs),
        lambda pairs: "\n".join(f"{rank}. {code}" for code, rank in pairs),
        lambda pairs: "\n".join(f"{rank}) **{code}**" for code, rank in pairs),
        lambda pairs: "Here they are:\n" + "\n".join(f"{rank}. {code}" for code, rank in pairs),
        lambda pairs: "; ".join(f"[{rank}] {code}" for code, rank in pairs),
        lambda pairs: ", ".join(f"{rank}. {code} ({rank})" for code, rank in pairs),
    ],
)
@given(order=ORDERS)
def test_ranks_that_contradict_the_order_written_decide_it(
    written: Callable[[list[tuple[str, int]]], str], order: list[str]
) -> None:
    ranking = read_ranking(written(ranks(order)), LABELS)
    falling = tuple(order) == LABELS[::-1]
    if ranking is None:
        assert falling, "only ranks that fall from k to 1 behind the codes are refused"
    else:
        assert ranking.labels == tuple(order)
        assert ranking.repaired


@given(ORDERS)
def test_ranks_never_contradict_arrows(order: list[str]) -> None:
    read = read_ranking(" > ".join(f"{code} ({rank})" for code, rank in ranks(order)), LABELS)
    assert (read is not None) == (tuple(order) == LABELS)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=4, max_size=4), st.booleans(), st.booleans())
def test_numbers_that_are_no_ranks_make_no_ranking(
    numbers: list[int], behind: bool, arrows: bool
) -> None:
    both = zip(LABELS, numbers, strict=True)
    pieces = [f"{code} ({n})" if behind else f"{n}. {code}" for code, n in both]
    read = read_ranking((" > " if arrows else ", ").join(pieces), LABELS)
    if sorted(numbers) != [1, 2, 3, 4]:
        assert read is None


SEPARATORS = [" > ", ", ", "; ", " | ", "\n", " - ", " → ", " >= ", " = ", " < ", " ", " :: "]


@settings(max_examples=300, deadline=None)
@given(ORDERS, st.lists(st.sampled_from(SEPARATORS), min_size=3, max_size=3))
def test_what_separates_the_codes_is_the_same_everywhere(
    order: list[str], between: list[str]
) -> None:
    answer = order[0] + "".join(b + code for b, code in zip(between, order[1:], strict=True))
    read = read_ranking(answer, LABELS)
    if read is not None:
        assert read.labels == tuple(order)
        assert len({"→" if b == " → " else b for b in between} - {" > "}) <= 1
        assert (" > " in between) <= (set(between) <= {" > ", " → "})


@given(ORDERS, st.integers(0, 3), st.integers(2, 4), st.sampled_from(["()", "[]", "{}"]))
def test_brackets_around_some_of_the_codes_are_a_tie(
    order: list[str], first: int, count: int, brackets: str
) -> None:
    count = min(count, 4 - first)
    pieces = list(order)
    pieces[first] = brackets[0] + pieces[first]
    pieces[first + count - 1] += brackets[1]
    for between in (" > ", ", "):
        read = read_ranking(between.join(pieces), LABELS)
        assert (read is not None) == (count in (1, 4)), between.join(pieces)


@pytest.mark.parametrize(
    "answer",
    [
        "(CDFGH, JKLMN) > PQRTV > WX346",
        "CDFGH, JKLMN > PQRTV > WX346",
        "CDFGH | JKLMN > PQRTV > WX346",
        "CDFGH >= JKLMN > PQRTV > WX346",
        "CDFGH / JKLMN > PQRTV > WX346",
        "CDFGH, JKLMN\nPQRTV\nWX346",
        "- CDFGH, JKLMN\n- PQRTV\n- WX346",
        "1. CDFGH, JKLMN\n2. PQRTV\n3. WX346",
        "1. CDFGH\n2. JKLMN\n2. PQRTV\n3. WX346",
        '[["CDFGH"], ["JKLMN", "PQRTV"], ["WX346"]]',
        "CDFGH (8.5) > JKLMN (3) > PQRTV (-2) > WX346 (-9)",
        "CDFGH (4) > JKLMN (3) > PQRTV (2) > WX346 (1)",
        "CDFGHJKLMNPQRTVWX346",
        '{"order": ["CDFGH", "JKLMN", "PQRTV", "WX346"], "order": ["WX346"]}',
        '{"direction": "most opposing first", "order": ["CDFGH", "JKLMN", "PQRTV", "WX346"]}',
    ],
)
def test_ties_points_and_answers_that_say_two_things_are_no_ranking(answer: str) -> None:
    assert read_ranking(answer, LABELS) is None


TURNED = [
    "From most opposing to most supporting:",
    "**From the most opposing to the most supporting**",
    "Most opposing to least opposing:",
    "Least to most supportive:",
    "Order (least supporting first):",
    "I go from the text that opposes it most to the one that supports it most.",
    "Most supporting last, as I read it:",
    "In reverse order:",
    "The order is reversed here.",
]
NOT_MEANT = [
    "This is not the ranking:",
    "This is not my final answer.",
    "This isn't my ranking:",
    "An example of the form:",
    "It would be wrong to say:",
    "Ignore this draft:",
]
HARMLESS = [
    "From most supporting to most opposing:",
    "Most supporting first, most opposing last:",
    "Least opposing to most opposing:",
    "Here is my ranking (no ties):",
    "While the second text is not about the value, I rank them so:",
    "It is hard to tell, but it opposes the value to some extent; WX346 supports it.",
    "JKLMN is opposed to supporting anybody.",
]


@pytest.mark.parametrize("before", [*TURNED, *NOT_MEANT])
@given(order=ORDERS)
def test_an_order_that_runs_the_other_way_or_is_not_meant_is_refused(
    before: str, order: list[str]
) -> None:
    listed = "\n".join(f"{n}. {code}" for n, code in enumerate(order, 1))
    for form in (" > ".join(order), listed, json.dumps({"order": order})):
        assert read_ranking(f"{before}\n{form}", LABELS) is None
        assert read_ranking(f"I read all of them.\n\n{before}\n\n{form}", LABELS) is None


@pytest.mark.parametrize("before", HARMLESS)
@given(order=ORDERS)
def test_what_an_honest_judge_says_before_its_ranking_is_passed_over(
    before: str, order: list[str]
) -> None:
    read = read_ranking(f"{before}\n{' > '.join(order)}", LABELS)
    assert read is not None
    assert read.labels == tuple(order)


def test_the_direction_that_is_named_last_counts() -> None:
    backwards = " > ".join(reversed(LABELS))
    answer = f"{TURNED[0]}\n{backwards}\nSo, most supporting first:\n{' > '.join(LABELS)}"
    read = read_ranking(answer, LABELS)
    assert read is not None
    assert read.labels == LABELS


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
        "(" * 20_000,
        "opposing " * 4000,
        "most " * 4000 + "to",
        "opposing to " * 3000 + "\nCDFGH > JKLMN",
    ],
)
@pytest.mark.timeout(60)
def test_a_long_answer_does_not_hang_the_reader(text: str) -> None:
    assert read_ranking(text, LABELS) is None
    after = read_ranking(f"{text}\n{' > '.join(LABELS)}", LABELS)
    assert after is None or after.labels == LABELS
