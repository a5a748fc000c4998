"""Which licences allow texts to be passed on in a scored table, and what terms follow together."""

import pytest

from valueflow.hub_assets.vidb.licenses import LICENSES, joint_license, license_of, terms_of


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("CC BY 4.0", "CC-BY-4.0"),
        ("cc-by-sa-4.0", "CC-BY-SA-4.0"),
        ("Creative Commons Attribution 4.0", "CC-BY-4.0"),
        ("CC BY-NC-SA", "CC-BY-NC-SA"),
        ("AI2 ImpACT MR", "AI2-ImpACT-MR"),
        ("mit", "MIT"),
    ],
)
def test_usual_spellings_name_one_licence(spelling: str, name: str) -> None:
    found = license_of(spelling)
    assert found is not None
    assert found.name == name


def test_a_licence_that_is_not_known_is_not_guessed() -> None:
    for unknown in ("", "CC BY", "CC-BY-9.0", "mine", None):
        assert license_of(unknown) is None


def test_no_derivatives_and_restricted_artifacts_may_not_be_passed_on_and_say_why() -> None:
    barred = {license.name for license in LICENSES if not license.redistributable}
    assert {"CC-BY-ND-4.0", "AI2-ImpACT-MR", "AI2-ImpACT-HR"} <= barred
    assert all(license.note for license in LICENSES if not license.redistributable)
    assert not barred & {"CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-SA-4.0", "CC0-1.0"}


def test_every_licence_is_found_by_its_own_name() -> None:
    for license in LICENSES:
        assert license_of(license.name) is license
        assert license.url.startswith("https://")


def test_the_strictest_terms_name_the_licences_that_they_come_from() -> None:
    names = ("CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-SA-4.0", "CC0-1.0")
    terms = terms_of([found for name in names if (found := license_of(name))])
    text = " ".join(terms)
    assert "Name the sources (CC-BY-4.0, CC-BY-NC-SA-4.0, CC-BY-SA-4.0)" in text
    assert "No commercial use of the whole (CC-BY-NC-SA-4.0)" in text
    assert "keep them apart by the column `license`" in text
    free = license_of("CC0-1.0")
    assert free is not None
    assert terms_of([free]) == ()


@pytest.mark.parametrize(
    ("base", "sources", "joint"),
    [
        ("Apache-2.0", ["CC0-1.0", "CC-BY-4.0"], "Apache-2.0"),
        ("Apache-2.0", ["CC-BY-4.0", "CC-BY-NC-SA-4.0"], "CC-BY-NC-SA-4.0"),
        ("CC-BY-NC-4.0", ["CC-BY-4.0"], "CC-BY-NC-4.0"),
        ("MIT", ["CC-BY-SA-4.0", "CC-BY-NC-SA-4.0"], None),
        ("MIT", ["CC-BY-SA-4.0", "CC-BY-NC-4.0"], None),
        ("Apache-2.0", ["AI2-ImpACT-MR"], "AI2-ImpACT-MR"),
        ("Apache-2.0", ["AI2-ImpACT-MR", "CC-BY-NC-4.0"], None),
    ],
)
def test_one_licence_follows_where_it_holds_the_terms_of_all(
    base: str, sources: list[str], joint: str | None
) -> None:
    known = [license_of(name) for name in (base, *sources)]
    first, *others = [found for found in known if found is not None]
    found = joint_license(first, others)
    assert (found.name if found else None) == joint


def test_what_may_not_be_derived_from_may_not_be_passed_on_either() -> None:
    barred = {license.name for license in LICENSES if not license.derivable}
    assert {"CC-BY-ND-4.0", "AI2-ImpACT-HR"} <= barred
    assert barred <= {license.name for license in LICENSES if not license.redistributable}
    assert "AI2-ImpACT-MR" not in barred
