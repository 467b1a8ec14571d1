"""The calls in README.md and docs/api.md, run as they stand against a real installation."""

import os
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.access import accounts, bearer_tokens
from local import ports
from local.mail.mailstore import Mailstore
from models.session import transaction
from tests import processes

ROOT = Path(__file__).parents[2]
ADDRESS = "http://127.0.0.1:8000"
# A refused call fails the script; what it answered is printed.
STRICT = 'set -eu\ncurl() { command curl -sS --fail-with-body "$@"; echo >&2; }\n'


def calls(page: str) -> str:
    """The shell blocks of a page that call the API, one after the other."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return "\n".join(block for block in blocks if f"{ADDRESS}/api/" in block)


@pytest.fixture
def token(ledger: str) -> str:
    scopes = ("send", "campaigns", "contacts", "reports")
    with transaction() as session:
        account = accounts.create(session, "web-shop", "a long password", scopes=scopes)
    return bearer_tokens.issue(account, now=datetime.now(UTC)).access


@pytest.mark.parametrize("page", ["README.md", "README.es.md", "docs/api.md"])
def test_every_documented_call_is_answered(
    page: str, token: str, broker: str, inbox: Mailstore, tmp_path: Path
) -> None:
    script = calls(page)
    assert script.count("curl ") >= 2
    port = ports.free()
    with processes.running(tmp_path / "processes.log") as started:
        started.worker("transactional,campaign")
        started.web(port)
        ran = subprocess.run(
            ["bash", "-c", STRICT + script.replace(ADDRESS, f"http://127.0.0.1:{port}")],
            env=os.environ | {"TOKEN": token},
            cwd=tmp_path, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout + ran.stderr
        processes.until(lambda: inbox.last >= 1, "the mail is in the inbox")
