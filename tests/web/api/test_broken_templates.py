"""Routes whose template broke or vanished: each answers without a 5xx, and unsubscribing works."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

import settings
from engine.tracking import tokens
from models import ids
from models.session import transaction
from tests.conftest import environment
from tests.web import applications
from tests.web.examples import send
from tests.web.public.state import stored, suppressed

BREAKS: dict[str, Callable[[Path], object]] = {
    "link": lambda folder: (folder / "body.html").write_text('<p><a href="javascript:alert(1)">x</a></p>'),
    "syntax": lambda folder: (folder / "body.html").write_text("<p>{% if %}</p>"),
    "empty": lambda folder: (folder / "body.html").write_text(""),
    "bytes": lambda folder: (folder / "body.html").write_bytes(b"<p>\xff\xfe</p>"),
    "file": lambda folder: (folder / "body.html").unlink(),
    "sample": lambda folder: (folder / "sample.json").write_text("[1]"),
    "nested sample": lambda folder: (folder / "sample.json").write_text("[" * 100_000),
    "template": shutil.rmtree,
}


@pytest.fixture
def folder(ledger: str, tmp_path: Path) -> Iterator[Path]:
    """A copy of the templates, which the application uses and a test may break."""
    copy = tmp_path / "email_templates"
    shutil.copytree(settings.current().templates_dir, copy)
    with environment(TEMPLATES_DIR=str(copy)):
        yield copy


@pytest.fixture
def sent(folder: Path, bearer: Callable[..., dict[str, str]]) -> tuple[UUID, dict[str, str]]:
    """An e-mail of a template that is still valid, and the headers of its caller."""
    headers = bearer("send", "campaigns")
    answer = applications.create().test_client().post("/api/v1/emails/send", json=send(), headers=headers)
    email_id = ids.parse(answer.json["email_id"])
    assert email_id is not None
    with transaction() as session:
        session.execute(text("UPDATE emails SET status = 'sent', sent_at = now()"))
    return email_id, headers


def unsubscribe_path(email_id: UUID) -> str:
    return f"/u/{tokens.Signer(settings.current().tracking_ring).unsubscribe(email_id)}"


def assert_names_the_template(answer: Any, field: str) -> None:
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json"), answer.text
    [fault] = answer.json["errors"]
    assert fault["field"] == field
    assert "email_1_roi" in fault["message"] or "is not known" in fault["message"]
    assert str(settings.current().templates_dir) not in answer.text


@pytest.mark.parametrize("name", BREAKS)
def test_no_route_fails_when_a_template_broke_after_sending(
    name: str, folder: Path, sent: tuple[UUID, dict[str, str]]
) -> None:
    email_id, headers = sent
    BREAKS[name](folder / "email_1_roi")
    client: FlaskClient = applications.create().test_client()
    path = unsubscribe_path(email_id)
    assert client.get(path).status_code == 200
    assert client.post(path, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert (suppressed(), len(stored())) == (["unsubscribed"], 1)
    for action in ("undo", "pause", "resume"):
        assert client.post(f"{path}/{action}").status_code == 200
    single = client.post("/api/v1/emails/send", json=send(), headers=headers)
    assert_names_the_template(single, "template")
    good = send(template="email_2_caso")
    batch = client.post("/api/v1/emails/batch", json={"emails": [send(), good]}, headers=headers)
    assert (batch.status_code, batch.json["accepted"], batch.json["refused"]) == (202, 1, 1)
    assert batch.json["results"][0]["errors"][0]["field"] == "emails[0].template"
    campaign = {
        "name": "Otoño",
        "steps": [{"template": "email_1_roi"}],
        "variables": {"link_calendly": "https://x.example"},
    }
    assert_names_the_template(client.post("/api/v1/campaigns", json=campaign, headers=headers), "steps[0].template")


def test_no_route_fails_without_the_folder_of_the_templates(folder: Path, sent: tuple[UUID, dict[str, str]]) -> None:
    email_id, headers = sent
    shutil.rmtree(folder)
    client = applications.create().test_client()
    assert client.post(unsubscribe_path(email_id)).status_code == 200
    assert_names_the_template(client.post("/api/v1/emails/send", json=send(), headers=headers), "template")


def test_a_repaired_template_is_used_without_a_restart(folder: Path, sent: tuple[UUID, dict[str, str]]) -> None:
    body = folder / "email_1_roi" / "body.html"
    good = body.read_text()
    body.write_text("{% if %}")
    client = applications.create().test_client()
    assert client.post("/api/v1/emails/send", json=send(), headers=sent[1]).status_code == 422
    body.write_text(good)
    assert client.post("/api/v1/emails/send", json=send(), headers=sent[1]).status_code == 202
