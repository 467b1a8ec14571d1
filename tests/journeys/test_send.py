"""A send by HTTP through the real web server, queue and worker: the mail arrives, its links work, flags follow."""

import email
import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from local import ports
from local.mail.mailstore import Mailstore
from models.session import transaction
from tests import processes
from tests.conftest import environment

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"  # a shorter one is a program's
BODY = {
    "to": "prospecto@empresa.example",
    "template": "email_1_roi",
    "variables": {"nombre": "Juan Pérez", "industria": "Marketing", "link_calendly": "https://cal.example/juan"},
}


class Api:
    """The HTTP interface as a program of a user sees it."""

    def __init__(self, base: str, token: str) -> None:
        self._base = base
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def post(self, path: str, body: object, **headers: str) -> tuple[int, dict[str, Any]]:
        request = urllib.request.Request(  # our own server
            self._base + path, json.dumps(body).encode(), {**self._headers, **headers}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)

    def get(self, path: str) -> dict[str, Any]:
        request = urllib.request.Request(self._base + path, headers=self._headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return dict(json.load(answer))


@pytest.fixture
def api(broker: str, inbox: Mailstore, tmp_path: Path) -> Iterator[Api]:
    """A whole installation: web server, workers for every queue, beat."""
    port = ports.free()
    base = f"http://127.0.0.1:{port}"
    with environment(PUBLIC_URL=base), processes.running(tmp_path / "processes.log") as started:
        cadencia("accounts", "create", "journey", "--scope", "send", "--password-stdin", text="a long pass phrase\n")
        token = cadencia("tokens", "create", "journey").strip()
        started.worker("transactional")
        started.worker("events,imports,sequence")
        started.beat()
        started.web(port)
        yield Api(base, token)


def cadencia(*words: str, text: str = "") -> str:
    command = [str(processes.ROOT / "cadencia"), *words]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=True).stdout


def test_a_send_arrives_and_what_the_reader_does_comes_back(api: Api, inbox: Mailstore) -> None:
    status, accepted = api.post("/api/v1/emails/send", BODY)
    assert (status, accepted["status"]) == (202, "success")
    assert accepted.keys() >= {"status", "email_id", "sent_at"}

    processes.until(lambda: inbox.last == 1, "the mail arrives")
    (mail,) = inbox.since(0)
    message = email.message_from_bytes(mail.raw, policy=policy.default)
    assert mail.recipients == (BODY["to"],)

    html = part(message, "html")
    follow(next(url for url in re.findall(r'src="([^"]+)"', html) if "/o/" in url))
    time.sleep(3)  # opens and clicks within a second are no reader's
    follow(next(url for url in re.findall(r'href="([^"]+)"', html) if "/c/" in url))
    path = f"/api/v1/emails/{accepted['email_id']}"
    processes.until(lambda: api.get(path)["clicked_at"], "the click is applied")
    story = api.get(path)
    assert story["status"] == "sent"
    assert story["opened_at"]

    status, tracked = api.post("/api/v1/events/track", {"email_id": accepted["email_id"], "event_type": "converted"})
    assert (status, tracked["status"]) == (202, "success")
    processes.until(lambda: api.get(path)["converted_at"], "the conversion is applied")
    with transaction() as session:
        flags = session.execute(
            text("SELECT email_1_sent, email_1_opened, email_1_clicked, converted, email_2_sent FROM contacts")
        ).one()
    assert tuple(flags) == (True, True, True, True, False)
    _wait_for_the_true_moment(api, inbox)


def _wait_for_the_true_moment(api: Api, inbox: Mailstore) -> None:
    """Send as a caller that waits; not a test of its own, because the processes take ten seconds of CPU to start."""
    status, answer = api.post("/api/v1/emails/send", BODY, Prefer="wait=20")
    assert (status, inbox.last) == (200, 2)
    assert api.get(f"/api/v1/emails/{answer['email_id']}")["sent_at"][:19] == answer["sent_at"][:19]


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content())


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def follow(url: str) -> None:
    """Request a link as a reader's browser does, without following the redirect."""
    opener = urllib.request.build_opener(_NoRedirect)
    request = urllib.request.Request(url.replace("&amp;", "&"), headers={"User-Agent": BROWSER})
    try:
        opener.open(request, timeout=10).close()
    except urllib.error.HTTPError as answer:
        assert answer.code == 302
