"""The licences of sources that valueflow knows, and what they allow of a database of texts.

A database row holds the text of its source word for word, with scores added. What counts here is
therefore whether a licence lets a person pass the text itself on in such a table. This is a
reading aid for the check before a push, not legal advice; the licence's own text decides.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

__all__ = ["LICENSES", "License", "license_of", "terms_of"]


@dataclass(frozen=True)
class License:
    """A licence and its terms.

    Attributes:
        name: SPDX identifier where there is one.
        title: the name in words.
        url: where its text stands.
        hub: the identifier that a dataset card on the Hub uses; `other` where there is none.
        redistributable: whether the text may be passed on, word for word, in a table with scores.
        attribution: the source must be named.
        share_alike: what is adapted from it keeps the licence.
        non_commercial: commercial use is not allowed.
        note: what else must be known, or why the text may not be passed on.
    """

    name: str
    title: str
    url: str
    hub: str = "other"
    redistributable: bool = True
    attribution: bool = True
    share_alike: bool = False
    non_commercial: bool = False
    note: str = ""


_CC = "https://creativecommons.org/licenses/"
_IMPACT = "https://allenai.org/impact-license"
_NO_DERIVATIVES = "it forbids sharing changed versions, and a table of scored texts is one"


def _creative_commons() -> tuple[License, ...]:
    found = []
    for terms, words in (
        ("by", "Attribution"),
        ("by-sa", "Attribution-ShareAlike"),
        ("by-nc", "Attribution-NonCommercial"),
        ("by-nc-sa", "Attribution-NonCommercial-ShareAlike"),
        ("by-nd", "Attribution-NoDerivatives"),
        ("by-nc-nd", "Attribution-NonCommercial-NoDerivatives"),
    ):
        for version in ("3.0", "4.0"):
            name = f"cc-{terms}-{version}"
            found.append(
                License(
                    name.upper(),
                    f"Creative Commons {words} {version}",
                    f"{_CC}{terms}/{version}/",
                    "other" if name == "cc-by-nd-3.0" else name,
                    redistributable="nd" not in terms,
                    share_alike="sa" in terms,
                    non_commercial="nc" in terms,
                    note=_NO_DERIVATIVES if "nd" in terms else "",
                )
            )
    return tuple(found)


LICENSES = (
    License(
        "CC0-1.0",
        "Creative Commons Zero 1.0",
        "https://creativecommons.org/publicdomain/zero/1.0/",
        "cc0-1.0",
        attribution=False,
    ),
    *_creative_commons(),
    License(
        "CC-BY-NC-SA",
        "Creative Commons Attribution-NonCommercial-ShareAlike, version not stated by the source",
        f"{_CC}by-nc-sa/4.0/",
        share_alike=True,
        non_commercial=True,
        note="the source states no version",
    ),
    License("MIT", "MIT License", "https://opensource.org/license/mit", "mit"),
    License(
        "Apache-2.0",
        "Apache License 2.0",
        "https://www.apache.org/licenses/LICENSE-2.0",
        "apache-2.0",
    ),
    License(
        "ODC-By-1.0",
        "Open Data Commons Attribution 1.0",
        "https://opendatacommons.org/licenses/by/1-0/",
        "odc-by",
    ),
    License(
        "ODbL-1.0",
        "Open Database License 1.0",
        "https://opendatacommons.org/licenses/odbl/1-0/",
        "odbl",
        share_alike=True,
    ),
    License(
        "AI2-ImpACT-LR",
        "AI2 ImpACT License, low risk",
        _IMPACT,
        note="its restrictions of use go with every copy",
    ),
    License(
        "AI2-ImpACT-MR",
        "AI2 ImpACT License, medium risk",
        _IMPACT,
        redistributable=False,
        note="the texts themselves may not be passed on, only what was derived from them",
    ),
    License(
        "AI2-ImpACT-HR",
        "AI2 ImpACT License, high risk",
        _IMPACT,
        redistributable=False,
        note="neither the texts nor what was derived from them may be passed on",
    ),
)


def license_of(name: object) -> License | None:
    """The licence of that name in any usual spelling (`CC BY 4.0`, `cc-by-4.0`), or None."""
    return _by_spelling().get(_spelling(name))


def _spelling(name: object) -> str:
    return re.sub(r"[^a-z0-9]+", "", str(name).lower().replace("creative commons", "cc"))


@cache
def _by_spelling() -> dict[str, License]:
    return {_spelling(name): found for found in LICENSES for name in (found.name, found.title)}


def terms_of(licenses: Iterable[License]) -> tuple[str, ...]:
    """The strictest terms that follow for a person who uses rows of all these licences together."""
    found = sorted(set(licenses), key=lambda license: license.name)

    def names(term: str) -> str:
        return ", ".join(license.name for license in found if getattr(license, term))

    terms = []
    if names("attribution"):
        terms.append(f"Name the sources ({names('attribution')}).")
    if names("non_commercial"):
        terms.append(f"No commercial use of the whole ({names('non_commercial')}).")
    if names("share_alike"):
        terms.append(f"Share what you adapt under the same licence ({names('share_alike')}).")
    if len({license.name for license in found if license.share_alike}) > 1:
        terms.append(
            "Each row keeps its own licence: the share-alike licences here do not allow their "
            "texts to be merged into one adapted work, so keep them apart by the column `license`."
        )
    terms += [f"{license.name}: {license.note}." for license in found if license.note]
    return tuple(terms)
