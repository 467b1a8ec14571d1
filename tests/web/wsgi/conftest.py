"""A web server with real sockets."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local import ports
from tests import processes


@pytest.fixture
def port(ledger: str, tmp_path: Path) -> Iterator[int]:
    """The port of a web server with one process."""
    chosen = ports.free()
    with processes.running(tmp_path / "log") as running:
        running.web(chosen)
        yield chosen
