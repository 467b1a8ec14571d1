"""E-mails in doubt: people see the evidence and decide; of two decisions at once the second reports it."""

from typing import Any
from uuid import UUID

from flask.testing import FlaskClient
from sqlalchemy import text

from engine.campaigns import campaigns
from engine.delivery import in_doubt
from models.session import transaction
from tests import sequence
from tests.web.pages import visitors

PATH = "/app/in-doubt"


def _doubtful(contacts: int = 3, name: str = "Otoño <b>") -> UUID:
    """Return a campaign whose first e-mails are all in doubt."""
    with transaction() as session:
        sequence.people(session, contacts, prefix=name.casefold().split()[0].replace("ñ", "n"))
        campaign_id = sequence.create(session, name)
        campaigns.launch(session, campaign_id, now=sequence.NOW)
        sequence.send_due(session, sequence.IN_DOUBT, now=sequence.NOW)
    return campaign_id


def _listed() -> list[UUID]:
    with transaction() as session:
        return in_doubt.listed(session)


def _decide(client: FlaskClient, page: Any, decision: str, **fields: Any) -> Any:
    form = {"csrf_token": visitors.token(page), "decision": decision, **fields}
    return client.post(f"{PATH}/decide", data=form, follow_redirects=True)


def test_the_evidence_of_each_email_is_shown(client: FlaskClient) -> None:
    _doubtful(1)
    [email_id] = _listed()
    with transaction() as session:
        session.execute(text("UPDATE emails SET relay = 'smtp.example:587', response = 'connection lost'"))
        session.execute(
            text(
                "INSERT INTO events (id, email_id, event_type, source, dedupe_key, timestamp) "
                "VALUES (gen_random_uuid(), :id, 'opened', 'machine', '\\x00', '2026-11-02T09:01:00Z')"
            ),
            {"id": email_id},
        )
    page = visitors.visit(client, "ana", "admin", path=PATH)
    assert f"{email_id.hex}@" in page.text and "smtp.example:587" in page.text and "connection lost" in page.text
    assert "Otoño &lt;b&gt;" in page.text and "email_1_roi" in page.text and "contactoo" not in page.text
    assert "abierto 2 nov 2026, 9:01" in page.text.replace("09:01", "9:01") and "por una máquina" in page.text
    assert "@empresa.example" in page.text
    assert f'href="{PATH}"' in client.get("/app/").text


def test_who_may_only_read_reports_sees_neither_addresses_nor_buttons(client: FlaskClient) -> None:
    _doubtful(1)
    page = visitors.visit(client, "ana", "reports", path=PATH)
    assert (
        "@empresa.example" not in page.text
        and "/decide" in page.text
        and '<button class="btn btn-primary"' not in page.text
    )
    assert client.get(f"{PATH}/decide?decision=sent&all=1").status_code == 403
    assert client.post(f"{PATH}/decide", data={"csrf_token": visitors.token(page)}).status_code == 403


def test_selected_emails_are_recorded_as_sent_and_their_sequences_continue(client: FlaskClient) -> None:
    _doubtful(3)
    first, second, third = _listed()
    visitors.visit(client, "ana", "admin", path=PATH)
    nothing = client.get(f"{PATH}/decide?decision=sent", follow_redirects=True)
    assert "Seleccione al menos un correo" in nothing.text
    asked = client.get(f"{PATH}/decide?decision=sent&email={first}&email={second}")
    assert "2 correos" in asked.text and "Sus secuencias continúan" in asked.text
    shown = _decide(client, asked, "sent", email=[first, second], number=2)
    assert "2 correos se han dado por enviados" in shown.text and _listed() == [third]
    with transaction() as session:
        rows = session.execute(text("SELECT state, next_step FROM enrollments ORDER BY next_step DESC")).all()
    assert [tuple(row) for row in rows] == [("active", 2), ("active", 2), ("waiting", 1)]


def test_the_second_of_two_people_is_told(client: FlaskClient) -> None:
    _doubtful(2)
    first, second = _listed()
    page = visitors.visit(client, "ana", "admin", path=f"{PATH}/decide?decision=again&email={first}&email={second}")
    with transaction() as session:
        in_doubt.resend(session, [first], now=sequence.NOW)
    shown = _decide(client, page, "again", email=[first, second], number=2)
    assert "1 correo se envía otra vez" in shown.text and "1 ya no estaba en duda" in shown.text
    again = _decide(client, page, "sent", email=[first, second], number=2)
    assert "0 correos" in again.text and "2 ya no estaban en duda" in again.text and _listed() == []


def test_all_of_a_campaign_are_decided_and_no_others(client: FlaskClient) -> None:
    campaign_id, _ = _doubtful(30), _doubtful(2, "Invierno")  # to all 32 contacts
    page = visitors.visit(client, "ana", "admin", path=f"{PATH}?campaign={campaign_id}")
    assert page.text.count('type="checkbox"') == 25 and "Invierno" in page.text
    further = client.get(f"{PATH}?campaign={campaign_id}&after={_listed()[24]}")
    assert further.text.count('type="checkbox"') == 5
    asked = client.get(f"{PATH}/decide?decision=sent&all=1&campaign={campaign_id}")
    assert "30 correos" in asked.text and "Otoño &lt;b&gt;" in asked.text
    shown = _decide(client, asked, "sent", campaign=campaign_id, number=30)
    assert "30 correos se han dado por enviados" in shown.text and len(_listed()) == 32
    assert "Invierno" in shown.text


def test_a_choice_that_is_not_offered_is_refused(client: FlaskClient) -> None:
    _doubtful(1)
    page = visitors.visit(client, "ana", "admin", path=PATH)
    token = {"csrf_token": visitors.token(page)}
    for fields in ({"decision": "x"}, {"decision": "sent", "email": "x"}, {"decision": "sent", "campaign": "x"}):
        assert client.post(f"{PATH}/decide", data=token | fields).status_code in (404, 422)
    for query in ("after=x", "campaign=x", "decision=sent&number=x&missed=-1"):
        assert client.get(f"{PATH}?{query}").status_code in (200, 404)
    assert len(_listed()) == 1
