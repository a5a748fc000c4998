"""The local Hub of the tests."""

from tests.hub_assets.conftest import hub as hub
