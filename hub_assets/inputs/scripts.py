"""Writing systems, as far as it matters here: where words end, and how many tokens a text takes."""

import re

__all__ = ["WITHOUT_BLANKS", "tokens_of"]

WITHOUT_BLANKS = (
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Tibetan, Burmese, Khmer
    "\u3005\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # kana, Chinese characters
    "\U00020000-\U0003ffff"
)
"""Characters of scripts that write words without blanks between them, for a class of a pattern."""

_SIGNS = re.compile(f"[{WITHOUT_BLANKS}\uac00-\ud7af]")
_OTHERS = re.compile(f"[^\\x00-\u024f{WITHOUT_BLANKS}\uac00-\ud7af]")


def tokens_of(text: str) -> float:
    """About how many tokens a text takes: one for four Latin letters, for two of another alphabet
    and for one Chinese, Japanese, Korean, Thai ... sign, as tokenizers of today cut them."""
    signs, others = len(_SIGNS.findall(text)), len(_OTHERS.findall(text))
    return signs + others / 2 + (len(text) - signs - others) / 4
