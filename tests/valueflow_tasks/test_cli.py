"""The command valueflow, as users type it."""

import click
import pytest
from click.testing import CliRunner

from valueflow.cli import main

ALONE = sorted(name for name, one in main.commands.items() if not isinstance(one, click.Group))


@pytest.mark.parametrize("command", [[], *([name] for name in ALONE)])
def test_every_help_has_examples(command: list[str]) -> None:
    result = CliRunner().invoke(main, [*command, "--help"])
    assert result.exit_code == 0
    assert "Examples:" in result.output
