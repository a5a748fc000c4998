"""How many tokens a text takes, by its script."""

import pytest

from valueflow.hub_assets.inputs.scripts import tokens_of


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Four letters a token", 5),
        ("É così", 1.5),
        ("Москва", 3),
        ("人权高于一切", 6),
        ("สวัสดี", 6),
        ("안녕하세요", 5),
        ("", 0),
    ],
)
def test_tokens_are_counted_by_script(text: str, tokens: float) -> None:
    assert tokens_of(text) == tokens
