"""A real inbox for the worker's tests, and a worker that starts without what another test made."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.inbox import Inbox
from local.mailstore import Mailstore
from local.receiver import DEMO_RULES
from tests.conftest import environment
from worker import process


@pytest.fixture
def inbox(ledger: str, tmp_path: Path) -> Iterator[Mailstore]:
    """The store of a mail server that this process sends to, with the demo's refusals."""
    store = Mailstore(tmp_path / "inbox")
    with (
        Inbox(store, rules=DEMO_RULES) as server,
        environment(SMTP_URL=f"smtp://127.0.0.1:{server.smtp_port}", SEND_GROUP_SIZE="25"),
    ):
        yield store
        process.close()
