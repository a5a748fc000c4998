"""The licences of sources that valueflow knows, and what they allow of texts and of models.

A database row holds the text of its source word for word, with scores added. What counts for it is
whether a licence lets a person pass the text itself on in such a table; for a model that was
trained on the text, whether it lets what was derived from the text be passed on. This is a reading
aid for the check before a push, not legal advice; the licence's own text decides.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

__all__ = ["LICENSES", "License", "joint_license", "license_of", "terms_of"]


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
        derivable: whether what was derived from the text, such as a model's weights, may be passed
            on. Whether a licence without derivatives forbids that is not settled; it is read
            strictly here.
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
    derivable: bool = True


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
                    derivable="nd" not in terms,
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
        derivable=False,
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


def joint_license(base: License, sources: Iterable[License]) -> License | None:
    """The licence of a model that follows from that of its base and those of its texts.

    Returns:
        The one licence among them whose terms hold all terms of the others: that of the base where
        it does, else the strictest of the sources'. None where no single one does: two share-alike
        licences, share-alike that lacks another's terms, or restrictions of use of its own (a
        note) that others lack.
    """
    others = sorted(set(sources), key=lambda found: found.name)
    every = [base, *others]

    def covers(one: License) -> bool:
        terms = ("attribution", "share_alike", "non_commercial")
        return all(
            one == other
            or (
                not other.note
                and not other.share_alike
                and all(getattr(one, term) >= getattr(other, term) for term in terms)
            )
            for other in every
        )

    return next((one for one in every if covers(one)), None)
