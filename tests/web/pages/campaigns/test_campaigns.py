"""The overview and the pages of campaigns, as people use them."""

from time import sleep
from uuid import UUID

from flask.testing import FlaskClient
from sqlalchemy import text

from engine import figures
from engine.campaigns import campaigns
from models.session import transaction
from tests import sequence
from tests.web.pages import visitors


def _campaign(contacts: int = 3) -> UUID:
    with transaction() as session:
        sequence.people(session, contacts)
        return sequence.create(session, timezone="Europe/Madrid", weekdays=[1, 2, 3, 4, 5])


def test_an_empty_installation_leads_to_the_first_campaign(client: FlaskClient) -> None:
    page = visitors.visit(client, "ana", "admin")
    assert "Todavía no hay ninguna campaña" in page.text and "/app/campaigns/new" in page.text
    assert page.text.index("Todavía no hay ninguna campaña") < page.text.index("Enviados hoy")  # above empty figures
    assert 'href="/app/health">Los procesos no funcionan' in page.text  # nothing swept here yet


def test_a_campaign_is_launched_paused_and_resumed_by_its_pages(client: FlaskClient) -> None:
    campaign_id = _campaign()
    page = visitors.visit(client, "ana", "campaigns", path=f"/app/campaigns/{campaign_id}")
    path = f"/app/campaigns/{campaign_id}"
    assert "borrador" in page.text and f"{path}/launch" in page.text and "3 días después" in page.text
    # Each step leads to its e-mail and a test; nothing was sent, so there are no figures.
    assert f"/app/templates/email_1_roi?campaign={campaign_id}" in page.text and "Embudo" not in page.text
    asked = client.get(f"{path}/launch")
    assert "3 contactos reciben correos" in asked.text
    form = {"csrf_token": visitors.token(asked)}
    assert client.post(f"{path}/launch", data=form).location == path
    assert "Estas cifras son de antes del lanzamiento" in client.get(path).text  # not three zeros without a word
    late = client.post(f"{path}/launch", data=form)  # by a second person
    assert late.status_code == 409 and "Ya está lanzada" in late.text
    assert client.get(f"{path}/launch").status_code == 409
    for action in ("delete", "resume"):  # an old link leads to the present actions
        assert client.get(f"{path}/{action}").location == path
    client.post(f"{path}/pause", data=form | {"reason": "la oferta cambió <b>"})
    assert "la oferta cambió &lt;b&gt;" in client.get(path).text
    assert "la oferta cambió" in client.get("/app/").text  # needs attention
    client.post(f"{path}/resume", data=form)
    with transaction() as session:
        assert campaigns.view(session, campaign_id).state == "running"


def test_a_campaign_is_started_now_retried_and_cancelled_by_its_pages(client: FlaskClient) -> None:
    campaign_id = _campaign()
    with transaction() as session:
        campaigns.launch(session, campaign_id, now=sequence.NOW)
        sequence.send_due(session, sequence.REFUSED, now=sequence.NOW)
    path = f"/app/campaigns/{campaign_id}"
    form = {"csrf_token": visitors.token(visitors.visit(client, "ana", "campaigns", path=path))}
    assert "Reintentar los correos fallidos" in client.get(path).text
    assert "durante un día" in client.get(f"{path}/start-now").text
    assert client.post(f"{path}/start-now", data=form).location == path
    assert client.post(f"{path}/retry", data=form | {"reason": "nada"}).status_code == 422
    assert client.post(f"{path}/retry", data=form | {"reason": "refused"}).location == path
    assert "no puede reanudarse" in client.get(f"{path}/cancel").text
    assert client.post(f"{path}/cancel", data=form | {"reason": "fin"}).location == path
    shown = client.get(path).text
    assert "cancelada" in shown and "deteniendo sus contactos" in shown and "fin" in shown and "/cancel" not in shown
    assert client.post(f"{path}/resume", data=form).status_code == 409


def test_a_launch_without_contacts_leads_to_the_draft_and_to_an_import(client: FlaskClient) -> None:
    campaign_id = _campaign(contacts=0)
    path = f"/app/campaigns/{campaign_id}"
    page = visitors.visit(client, "ana", "campaigns", path=f"{path}/launch").text
    assert f'href="{path}/edit"' in page and 'href="/app/contacts/import"' not in page
    visitors.grant("ana", "admin")
    assert 'href="/app/contacts/import"' in client.get(f"{path}/launch").text


def test_start_now_is_offered_only_while_hours_hold_somebody(client: FlaskClient) -> None:
    campaign_id = _campaign()
    with transaction() as session:
        campaigns.launch(session, campaign_id, now=sequence.NOW)
    path = f"/app/campaigns/{campaign_id}"
    page = visitors.visit(client, "ana", "campaigns", path=path)
    assert "/start-now" not in page.text  # all are due already
    with transaction() as session:
        session.execute(text("UPDATE enrollments SET next_at = now() + interval '1 hour'"))
        session.execute(text("UPDATE contacts SET paused_until = now() + interval '1 hour'"))
    assert "/start-now" not in client.get(path).text  # their pauses hold them
    with transaction() as session:
        session.execute(text("UPDATE contacts SET paused_until = NULL"))
    assert "/start-now" in client.get(path).text
    assert client.post(f"{path}/start-now", data={"csrf_token": visitors.token(page)}).location == path
    assert "/start-now" not in client.get(path).text  # although step 1 is not sent to all


def test_the_cancellation_of_a_draft_says_that_nothing_was_sent(client: FlaskClient) -> None:
    path = f"/app/campaigns/{_campaign()}/cancel"
    page = visitors.visit(client, "ana", "campaigns", path=path).text
    assert "No se ha enviado nada" in page and "en camino" not in page


def test_progress_shows_the_counted_figures_and_304_while_they_stay(client: FlaskClient) -> None:
    campaign_id = _campaign()
    with transaction() as session:
        campaigns.launch(session, campaign_id, now=sequence.NOW)
    path = f"/app/campaigns/{campaign_id}/progress"
    visitors.visit(client, "ana", "campaigns", path=path)
    with transaction() as session:
        sequence.record(session, sequence.take(session, now=sequence.NOW), now=sequence.NOW)
    stale = client.get(path)
    with transaction() as session:
        figures.refresh(session, figures.name_of(campaign_id), now=sequence.NOW)
    while (fresh := client.get(path)).text == stale.text:  # for a second, all open pages share their content
        sleep(0.05)
    assert fresh.headers["Cache-Control"] == "private, no-cache"
    again = client.get(path, headers={"If-None-Match": fresh.headers["ETag"]})
    assert (again.status_code, again.text, again.headers["ETag"]) == (304, "", fresh.headers["ETag"])
    english = client.get(path, headers={"If-None-Match": fresh.headers["ETag"], "Accept-Language": "en"})
    assert english.status_code == 200 and "Still in the sequence" in english.text
    visitors.grant("ana", "reports", "contacts")  # its numbers are links now
    assert "/steps/1/sent" in client.get(path, headers={"If-None-Match": fresh.headers["ETag"]}).text
    listed = client.get("/app/campaigns").text
    assert 'data-label="Enviados">3<' in listed


def test_who_may_only_read_reports_sees_no_buttons_and_is_refused(client: FlaskClient) -> None:
    campaign_id = _campaign()
    path = f"/app/campaigns/{campaign_id}"
    page = visitors.visit(client, "ana", "reports", path=path)
    assert "/launch" not in page.text
    assert client.get(f"{path}/launch").status_code == 403
    assert client.post(f"{path}/launch", data={"csrf_token": visitors.token(page)}).status_code == 403
    with transaction() as session:
        assert campaigns.view(session, campaign_id).state == "draft"


def test_pages_without_the_scope_are_hidden_and_refused(client: FlaskClient) -> None:
    page = visitors.visit(client, "ana", "send", path="/app/account")
    assert "/app/campaigns" not in page.text
    for path in ("/app/", "/app/campaigns"):
        refused = client.get(path)
        assert refused.status_code == 403 and "No tiene permiso" in refused.text


def test_a_fragment_without_a_session_is_a_401_that_no_script_follows(client: FlaskClient) -> None:
    answer = client.get("/app/overview/figures", headers={"X-Fragment": "1"})
    assert answer.status_code == 401 and "Location" not in answer.headers


def test_an_unknown_campaign_is_a_page(client: FlaskClient) -> None:
    visitors.visit(client, "ana", "admin")
    for path in (f"/app/campaigns/{UUID(int=1)}", "/app/campaigns/x"):
        answer = client.get(path)
        assert answer.status_code == 404


def test_pages_state_their_policy(client: FlaskClient) -> None:
    page = visitors.visit(client, "ana", "admin")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:" in policy
    assert "unsafe" not in policy and " style=" not in page.text and "<script>" not in page.text
