"""Sending and following e-mails over HTTP, on a real ledger."""

import re
from datetime import UTC
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import select, text

from models import Contact, Email, ids, vault
from models.session import transaction
from tests.web.examples import fields, send

URL = "/api/v1/emails/send"


def stored() -> list[Email]:
    with transaction() as session:
        return list(session.scalars(select(Email).order_by(Email.id)))


def test_send_answers_the_three_keys_of_the_specification(client: FlaskClient, sender: dict[str, str]) -> None:
    answer = client.post(URL, json=send(), headers=sender)
    assert answer.status_code == 202
    assert set(answer.json or ()) == {"status", "email_id", "sent_at"}
    assert answer.json["status"] == "success"
    assert re.fullmatch(r"email_[0-9a-f]{32}", answer.json["email_id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", answer.json["sent_at"])


def test_an_address_outside_ascii_is_taken_and_is_one_person_in_any_normal_form(
    client: FlaskClient, sender: dict[str, str]
) -> None:
    for to in ("begoña@ñandú.example", "begon\u0303a@xn--and-6ma2c.example"):
        assert client.post(URL, json=send(to=to), headers=sender).status_code == 202
    with transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM contacts")) == 1


def test_a_202_has_its_row_and_no_readable_address(client: FlaskClient, sender: dict[str, str]) -> None:
    answer = client.post(URL, json=send(), headers=sender)
    [email] = stored()
    assert ids.public(email.id) == answer.json["email_id"]
    assert (email.status, email.lane, email.kind, email.step) == ("queued", "transactional", "marketing", 1)
    assert vault.current().decrypt(email.subject) == "Juan Pérez, lo que cuesta no hacer seguimiento en Marketing"
    with transaction() as session:
        assert session.scalar(select(Contact.email)) == "prospecto@empresa.example"
        raw = session.execute(text("SELECT email FROM contacts")).scalar_one()
    assert "prospecto" not in raw and "Juan" not in (email.variables or "") and "Juan" not in email.subject


def test_follow_tells_the_story_when_asked_by_either_form_of_the_id(
    client: FlaskClient, sender: dict[str, str]
) -> None:
    email_id = client.post(URL, json=send(), headers=sender).json["email_id"]
    bare = str(ids.parse(email_id))
    story = client.get(f"/api/v1/emails/{email_id}", headers=sender)
    assert story.status_code == 200
    assert story.json == client.get(f"/api/v1/emails/{bare}", headers=sender).json
    assert story.json["status"] == "queued"
    assert story.json["sent_at"] is None
    assert story.json["accepted_at"].endswith("Z")
    assert story.json["events"] == []
    assert story.json["subject"] == "Juan Pérez, lo que cuesta no hacer seguimiento en Marketing"
    assert "empresa.example" not in story.text


def test_follow_is_404_or_422_for_an_id_nobody_has(client: FlaskClient, sender: dict[str, str]) -> None:
    for email_id in ("email_0", "%00", "x" * 70, ids.public(ids.new()), str(ids.new()), "\N{SLIGHTLY SMILING FACE}"):
        answer = client.get(f"/api/v1/emails/{email_id}", headers=sender)
        assert answer.status_code == (422 if len(email_id) > 64 else 404), email_id
        assert answer.content_type == "application/problem+json"


CASES: list[tuple[str, dict[str, Any], set[str]]] = [
    ("no address", send(to="prospecto"), {"to"}),
    ("two addresses", send(to="a@empresa.example, b@empresa.example"), {"to"}),
    ("a name and an address", send(to="Ana <ana@empresa.example>"), {"to"}),
    ("a line break in the address", send(to="ana@empresa.example\r\nBcc: otra@empresa.example"), {"to"}),
    ("a long local part", send(to="a" * 65 + "@empresa.example"), {"to"}),
    ("a long address", send(to="a" * 400 + "@empresa.example"), {"to"}),
    ("an address that is no text", send(to=["ana@empresa.example"]), {"to"}),
    ("an unknown template", send(template="email_9"), {"template"}),
    ("a template outside the folder", send(template="../email_1_roi"), {"template"}),
    ("an unknown field", send(subject="Hola"), {"subject"}),
    (
        "a missing variable",
        send(variables={"industria": "x", "link_calendly": "https://x.example"}),
        {"variables.nombre"},
    ),
    (
        "two missing variables",
        send(variables={"link_calendly": "https://x.example"}),
        {"variables.nombre", "variables.industria"},
    ),
    ("variables that are a list", send(variables=["nombre"]), {"variables"}),
    ("an unknown kind", send(kind="urgent"), {"kind"}),
    ("nothing", {}, {"to", "template"}),
]


def test_send_is_422_and_names_the_fields_when_they_are_wrong(client: FlaskClient, sender: dict[str, str]) -> None:
    for case, body, at_fault in CASES:
        answer = client.post(URL, json=body, headers=sender)
        assert (answer.status_code, answer.content_type) == (422, "application/problem+json"), case
        assert at_fault <= fields(answer), case
        assert "empresa.example" not in answer.text, case
    assert stored() == []


def test_send_is_422_when_a_variable_of_the_subject_has_line_breaks(
    client: FlaskClient, sender: dict[str, str]
) -> None:
    for value in ("Ana\r\nBcc: otra@empresa.example", "Ana\nX: y", "Ana\x1b[2J"):
        body = send()
        body["variables"]["nombre"] = value
        answer = client.post(URL, json=body, headers=sender)
        assert (answer.status_code, fields(answer)) == (422, {"variables.nombre"})
        assert "Bcc" not in answer.text


def test_send_takes_html_in_a_variable_as_text(client: FlaskClient, sender: dict[str, str]) -> None:
    body = send()
    body["variables"]["industria"] = "<script>alert(1)</script>"
    assert client.post(URL, json=body, headers=sender).status_code == 202


def test_send_is_422_when_the_variables_have_more_than_64_kb(client: FlaskClient, sender: dict[str, str]) -> None:
    body = send()
    body["variables"]["nota"] = "x" * 65_536
    answer = client.post(URL, json=body, headers=sender)
    assert answer.status_code == 422
    assert all(field.startswith("variables") for field in fields(answer))


def test_send_is_422_when_a_link_leads_nowhere(client: FlaskClient, sender: dict[str, str]) -> None:
    body = send()
    body["variables"]["link_calendly"] = "javascript:alert(1)"
    answer = client.post(URL, json=body, headers=sender)
    assert fields(answer) == {"variables.link_calendly"}


def test_a_name_nobody_would_choose_is_not_repeated(client: FlaskClient, sender: dict[str, str]) -> None:
    answer = client.post(URL, json=send(**{"ana@empresa.example": 1}), headers=sender)
    assert fields(answer) == {"?"}
    assert "empresa.example" not in answer.text


def test_transactional_needs_its_scope(client: FlaskClient, bearer: Any) -> None:
    body = send(kind="transactional")
    assert client.post(URL, json=body, headers=bearer("send")).status_code == 403
    assert client.post(URL, json=body, headers=bearer("send", "send:transactional")).status_code == 202
    assert [email.kind for email in stored()] == ["transactional"]


BATCH = "/api/v1/emails/batch"


def test_a_batch_takes_the_good_ones_and_names_what_is_wrong_with_the_others(
    client: FlaskClient, sender: dict[str, str]
) -> None:
    wanted = [send(), send(to="nadie"), send(to="otra@empresa.example"), 7, send(template="nope")]
    answer = client.post(BATCH, json={"emails": wanted}, headers=sender)
    assert answer.status_code == 202
    assert (answer.json["status"], answer.json["accepted"], answer.json["refused"]) == ("partial", 2, 3)
    results = answer.json["results"]
    assert [result["status"] for result in results] == ["success", "refused", "success", "refused", "refused"]
    assert results[1]["errors"][0]["field"] == "emails[1].to"
    assert {ids.public(email.id) for email in stored()} == {results[0]["email_id"], results[2]["email_id"]}
    assert {email.lane for email in stored()} == {"campaign"}


def test_a_batch_is_422_when_nothing_of_it_can_be_taken(client: FlaskClient, sender: dict[str, str]) -> None:
    answer = client.post(BATCH, json={"emails": [send(to="nadie"), {}]}, headers=sender)
    assert answer.status_code == 422
    assert fields(answer) == {"emails[0].to", "emails[1].to", "emails[1].template"}
    assert stored() == []


def test_a_batch_takes_1000_and_not_one_more(client: FlaskClient, sender: dict[str, str]) -> None:
    wanted = [send(to=f"persona{number}@empresa.example") for number in range(1_001)]
    too_many = client.post(BATCH, json={"emails": wanted}, headers=sender)
    assert (too_many.status_code, fields(too_many)) == (422, {"emails"})
    assert client.post(BATCH, json={"emails": wanted[:1_000]}, headers=sender).json["accepted"] == 1_000
    assert len(stored()) == 1_000
    assert client.post(BATCH, json={"emails": []}, headers=sender).status_code == 422


def test_a_batch_may_have_eight_megabytes_and_a_send_one(client: FlaskClient, sender: dict[str, str]) -> None:
    heavy = send()
    heavy["variables"]["nota"] = "x" * 60_000
    body = {"emails": [heavy] * 20}
    assert client.post(BATCH, json=body, headers=sender).status_code == 202
    assert client.post(BATCH, json={"emails": [heavy] * 140}, headers=sender).status_code == 413
    assert client.post(URL, json=body, headers=sender).status_code == 413


def test_the_moment_of_acceptance_is_the_products(client: FlaskClient, sender: dict[str, str]) -> None:
    answer = client.post(URL, json=send(), headers=sender)
    [email] = stored()
    assert answer.json["sent_at"] == email.accepted_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
