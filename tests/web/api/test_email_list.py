"""The list of e-mails over HTTP, and that of templates."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

import settings
from models import ids
from tests.conftest import environment
from tests.web import applications
from tests.web.examples import send

URL = "/api/v1/emails"


def test_emails_are_listed_in_pages_newest_first(client: FlaskClient, bearer: Any) -> None:
    headers = bearer("send", "reports")
    sent = [
        client.post(f"{URL}/send", json=send(to=f"p{number % 2}@empresa.example"), headers=headers).json["email_id"]
        for number in range(5)
    ]
    first = client.get(f"{URL}?limit=3", headers=headers).json
    second = client.get(f"{URL}?limit=3&before={first['next']}", headers=headers).json
    listed = first["emails"] + second["emails"]
    assert [email["email_id"] for email in listed] == sorted(sent, reverse=True)
    assert second["next"] is None
    assert listed[0]["subject"] == "Juan Pérez, lo que cuesta no hacer seguimiento en Marketing"
    of_contact = client.get(f"{URL}?contact_id={listed[0]['contact_id']}&status=queued", headers=headers).json
    assert len(of_contact["emails"]) in (2, 3) and of_contact["next"] is None
    assert client.get(f"{URL}?campaign_id={ids.new()}", headers=headers).json == {"emails": [], "next": None}
    assert client.get(f"{URL}?template=email_2_caso", headers=headers).json == {"emails": [], "next": None}


def test_a_wrong_condition_is_repeated_with_the_nearest(client: FlaskClient, bearer: Any) -> None:
    cases = {
        "template=email_1_rio": ("template", "'email_1_rio' is not known; did you mean email_1_roi? There are"),
        "template=%00": ("template", "is not known; there are"),
        "status=failled": ("status", "'failled' is not known; did you mean failed? There are queued, claimed"),
        "contact_id=7": ("contact_id", "is not an id"),
        "before=x": ("before", "give the `next` of the page before"),
        "limit=501": ("limit", "at most 500"),
        "limit=0": ("limit", "at least 1"),
        "limit=many": ("limit", "give a whole number"),
        "stauts=sent": ("stauts", "did you mean status?"),
    }
    headers = bearer("reports")
    for query, (field, message) in cases.items():
        answer = client.get(f"{URL}?{query}", headers=headers)
        assert answer.status_code == 422, query
        [fault] = answer.json["errors"]
        assert fault["field"] == field and message in fault["message"], fault


def test_listing_needs_the_scope_to_read(client: FlaskClient, bearer: Any) -> None:
    assert client.get(URL, headers=bearer("send", "contacts", "campaigns")).status_code == 403
    assert client.get("/api/v1/templates", headers=bearer("contacts")).status_code == 403


def test_templates_are_listed_with_variables_samples_and_faults(
    ledger: str, tmp_path: Path, bearer: Callable[..., dict[str, str]]
) -> None:
    copy = tmp_path / "email_templates"
    shutil.copytree(settings.current().templates_dir, copy)
    (copy / "email_2_caso" / "subject.txt").write_text("{% if %}")
    with environment(TEMPLATES_DIR=str(copy)):
        client = applications.create().test_client()
    listed = client.get("/api/v1/templates", headers=bearer("send")).json["templates"]
    by_name = {each["name"]: each for each in listed}
    assert list(by_name) == sorted(by_name) and {"email_1_roi", "email_2_caso"} <= set(by_name)
    roi = by_name["email_1_roi"]
    assert (roi["language"], roi["fault"]) == ("es", None)
    assert "{{ nombre }}" in roi["subject"]
    assert roi["sample_subject"] == "Juan Pérez, lo que cuesta no hacer seguimiento en Marketing"
    variables = {each["name"]: each for each in roi["variables"]}
    assert variables["nombre"]["sample"] == "Juan Pérez"
    assert variables["link_calendly"]["required"] is True
    assert not any(name.startswith("_") or name == "unsubscribe_url" for name in variables)
    assert "is broken" in by_name["email_2_caso"]["fault"] and by_name["email_2_caso"]["variables"] == []
