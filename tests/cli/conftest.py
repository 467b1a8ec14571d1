"""Running the command line within the process of the tests."""

import logging
from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner, Result

from cli import main
from engine import logs

Run = Callable[..., Result]


@pytest.fixture
def cadencia() -> Iterator[Run]:
    """Return a function that runs `cadencia --quiet` with some words; unexpected errors are raised."""

    def running(*words: str, status: int = 0, text: str | None = None) -> Result:
        result = CliRunner().invoke(main.root, ["--quiet", *words], text, catch_exceptions=False, prog_name="cadencia")
        assert result.exit_code == status, result.output
        return result

    yield running
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler.formatter, logs.Redacting)]:
        root.removeHandler(handler)  # it writes to a stream that CliRunner has closed
        handler.close()


@pytest.fixture
def run(ledger: str, cadencia: Run) -> Run:
    """Return a function that runs `cadencia` on a fresh database."""
    return cadencia
