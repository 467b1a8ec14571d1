"""The example client of the documentation, against a real installation and a server that fails."""

import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from engine.access import accounts
from local import ports
from local.mail.mailstore import Mailstore
from models.session import transaction
from tests import processes

PATH = Path(__file__).parents[2] / "docs" / "examples" / "client.py"
VARIABLES = {"nombre": "Ana", "industria": "Banca", "link_calendly": "https://calendly.example/ana"}


@pytest.fixture(scope="module")
def example() -> Any:
    """The module of the example."""
    spec = importlib.util.spec_from_file_location("example_client", PATH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_sends_follows_lists_and_tracks(
    example: Any, ledger: str, broker: str, inbox: Mailstore, tmp_path: Path
) -> None:
    with transaction() as session:
        accounts.create(session, "web-shop", "a long password", scopes=("send", "reports"))
    port = ports.free()
    with processes.running(tmp_path / "log") as started:
        started.worker("transactional,campaign,events")
        started.web(port)
        url = f"http://127.0.0.1:{port}"
        account = {"CADENCIA_URL": url, "CADENCIA_ACCOUNT": "web-shop", "CADENCIA_PASSWORD": "a long password"}
        ran = subprocess.run(
            [sys.executable, PATH], env=os.environ | account, capture_output=True, text=True, timeout=60
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        sent, first, second, story, tracked = ran.stdout.splitlines()
        assert sent.split()[2] == "success" and first.startswith("batch 0 success email_")
        assert second.startswith("batch 1 refused") and "'emails[1].to'" in second
        assert (story, tracked) == ("story sent Ana, lo que cuesta no hacer seguimiento en Banca", "track success")

        client = example.Client(url, "web-shop", "a long password")
        again = client.send("ana@empresa.example", "email_1_roi", VARIABLES, key="order-1234")
        assert again["email_id"] == sent.split()[1], "the key of the first process"
        listed = list(client.emails(template="email_1_roi", limit="1"))
        assert [email["email_id"] for email in listed] == [again["email_id"]]
        assert "email_1_roi" in {template["name"] for template in client.templates()}
        client._token = "expired"
        with pytest.raises(example.Problem) as refused:
            client.send("ana@empresa.example", "email_1_rio", {})
        assert refused.value.status == 422 and "did you mean email_1_roi?" in refused.value.errors[0]["message"]
        with pytest.raises(example.Problem, match="401"):
            example.Client(url, "web-shop", "another password").templates()


Reply = tuple[int, dict[str, str], dict[str, object]] | None


@contextmanager
def answering(*replies: Reply) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Run a server that gives these replies to calls other than logins, None by closing; yield its URL and the calls.

    A call is its path and its idempotency key.
    """
    calls: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            reply: Reply = (200, {}, {"access_token": f"token {len(calls)}"})
            if not self.path.endswith("/token"):
                calls.append((self.headers["Authorization"], self.headers["Idempotency-Key"]))
                reply = replies[len(calls) - 1]
            if reply is None:
                return
            status, headers, body = reply
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", calls
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


NOW = {"Retry-After": "0"}


def test_the_example_repeats_a_call_under_the_same_key_until_it_succeeds(example: Any) -> None:
    failures: list[Reply] = [(503, NOW, {}), (429, NOW, {}), (409, NOW, {}), None]
    with answering(*failures, (202, {}, {"email_id": "email_1"})) as (url, calls):
        client = example.Client(url, "a", "b")
        assert client.send("ana@empresa.example", "email_1_roi", {}) == {"email_id": "email_1"}
    assert len(calls) == 5 and len({key for _, key in calls}) == 1 and calls[0][1]


def test_the_example_gives_up_and_reports_what_is_final(example: Any) -> None:
    with answering((409, {}, {"detail": "name: is in use"})) as (url, calls):
        with pytest.raises(example.Problem, match="409: name: is in use"):
            example.Client(url, "a", "b").batch([{}])
        assert len(calls) == 1
    busy: Reply = (503, NOW, {"detail": "database"})
    with answering(busy, busy, busy) as (url, calls):
        with pytest.raises(example.Problem, match="503: database"):
            example.Client(url, "a", "b", attempts=3).send("a", "b", {})
        assert len(calls) == 3


def test_the_example_logs_in_again_once(example: Any) -> None:
    with answering((401, {}, {}), (202, {}, {"email_id": "email_1"})) as (url, calls):
        assert example.Client(url, "a", "b").send("a", "b", {})["email_id"] == "email_1"
    assert [token for token, _ in calls] == ["Bearer token 0", "Bearer token 1"]
