"""Drafts by their form: created, checked, edited, cloned, deleted; faults stand at their fields."""

import re
from typing import Any
from uuid import UUID

from flask.testing import FlaskClient

from engine.campaigns import campaigns, enrollments, steps
from engine.campaigns.drafting import drafts
from models.session import transaction
from tests import sequence
from tests.engine.forms import signups
from tests.web.pages import visitors

NEW = "/app/campaigns/new"


def _form(page: Any, **changes: Any) -> dict[str, Any]:
    return {
        "csrf_token": visitors.token(page),
        "name": "Otoño",
        "timezone": "Europe/Madrid",
        "step_1-template": "email_1_roi",
        "step_1-delay": "0",
        "step_1-unit": "86400",
        "step_1-opens": "09:00",
        "step_1-closes": "00:00",
        "step_1-weekdays": ["1", "2"],
        "step_3-template": "email_2_caso",
        "step_3-delay": "36",
        "step_3-unit": "3600",
        "step_3-opens": "00:00",
        "step_3-closes": "00:00",
        "step_3-weekdays": ["1", "2", "3", "4", "5", "6", "7"],
        "industry-0": " Banca ",
        "industry-1": "Moda",
        "min_score": "20",
        "attributes-0-name": "origen",
        "attributes-0-value": "feria",
        "variable-link_calendly": "https://calendly.example/v",
        **changes,
    }


def _error(page: Any, field: str) -> str:
    """Return the error below the field with this id."""
    match = re.search(
        rf'id="{field}-help">\s*(?:<div class="form-text[^>]*>[^<]*</div>\s*)*<div class="invalid[^>]*>([^<]*)',
        page.text,
    )
    return match[1] if match else ""


def test_a_draft_is_created_by_the_form_and_shown_in_it_again(client: FlaskClient) -> None:
    page = visitors.visit(client, "ana", "campaigns", path=NEW)
    assert "Juan Pérez, lo que cuesta no hacer seguimiento" in page.text  # the subject with sample values
    assert "link_calendly" in page.text and "confirmation_es" not in page.text and "link_confirm" not in page.text
    assert "Por ejemplo: https://" in page.text  # the template's own sample of link_calendly
    stored = client.post(NEW, data=_form(page))
    assert stored.status_code == 303, stored.text
    campaign_id = UUID(stored.location.rpartition("/")[2])
    with transaction() as session:
        draft = drafts.of(session, campaign_id)
    assert draft == drafts.CampaignDraft(
        "Otoño",
        [
            steps.StepDraft("email_1_roi", 0, 540, 1440, (1, 2)),
            steps.StepDraft("email_2_caso", 36 * 3600, 0, 1440, (1, 2, 3, 4, 5, 6, 7)),
        ],
        "Europe/Madrid",
        {"industry": ["Banca", "Moda"], "min_score": 20, "attributes": {"origen": "feria"}},
        {"link_calendly": "https://calendly.example/v"},
    )
    shown = client.get(f"{stored.location}/edit").text
    for value in ('value="Banca"', 'value="https://calendly.example/v"', 'value="origen"', 'value="36"'):
        assert value in shown, value


def test_faults_stand_at_their_fields_and_what_was_typed_stays(client: FlaskClient) -> None:
    page = visitors.visit(client, "ana", "campaigns", path=NEW)
    wrong = {
        "name": "",
        "timezone": "Madrid",
        "step_1-weekdays": [],
        "step_3-delay": "-3",
        "step_3-opens": "12:00",
        "step_3-closes": "11:00",
        "min_score": "mucho",
        "variable-link_calendly": "javascript:alert(1)",
        "industry-0": '<script>"x',
    }
    answer = client.post(NEW, data=_form(page, **wrong))
    assert answer.status_code == 422
    assert _error(answer, "name") == "Escriba de 1 a 100 caracteres imprimibles."
    assert _error(answer, "timezone").endswith("¿quiso decir Europe/Madrid?")
    assert _error(answer, "step_1-weekdays") == "Elija al menos un día."
    assert _error(answer, "step_3-delay") == "Espere entre 0 y 366 días."
    assert _error(answer, "step_3-closes") == "El horario debe empezar antes de terminar."
    assert _error(answer, "min_score")
    assert _error(answer, "variable-link_calendly").startswith("Es el destino de un enlace")
    for value in ('value="mucho"', 'value="javascript:alert(1)"', "&lt;script&gt;", 'value="12:00"'):
        assert value in answer.text, value
    assert "<script>&#34;x" not in answer.text
    missing = client.post(NEW, data=_form(page, **{"step_1-template": "", "step_3-template": ""}))
    assert _error(missing, "step_1-template") == "Elija una plantilla."
    with transaction() as session:
        assert campaigns.latest(session) == []


def test_only_those_who_sign_up_is_a_choice_of_the_form_and_of_the_launch(client: FlaskClient) -> None:
    page = visitors.visit(client, "ana", "campaigns", path=NEW)
    with transaction() as session:
        sequence.people(session, 3)
    estimate = client.post("/app/campaigns/estimate", data=_form(page, only_sign_ups="y"))
    assert "Solo quienes se registren" in estimate.text and "contactos" not in estimate.text
    stored = client.post(NEW, data=_form(page, only_sign_ups="y"))
    campaign_id = UUID(stored.location.rpartition("/")[2])
    with transaction() as session:
        assert drafts.of(session, campaign_id).audience == {"only_sign_ups": True}
        everybody = sequence.create(session, "Todos")
        signups.create(session, campaign_id=str(everybody))
    edited = client.get(f"/app/campaigns/{campaign_id}/edit").text
    assert re.search(r'<input checked [^>]*id="only_sign_ups"', edited)
    refused = client.get(f"/app/campaigns/{campaign_id}/launch").text
    assert "ningún formulario abierto" in refused and 'class="btn btn-primary" href="/app/forms"' in refused
    launch = f"/app/campaigns/{everybody}/launch"
    asked = client.get(launch)
    assert "3 contactos reciben correos" in asked.text and "only_sign_ups" in asked.text
    done = client.post(launch, data={"csrf_token": visitors.token(asked), "only_sign_ups": "y"})
    assert done.status_code == 303
    with transaction() as session:
        assert not enrollments.any_of(session, everybody)


def test_a_check_stores_nothing_and_shows_audience_dates_and_missing_variables(client: FlaskClient) -> None:
    with transaction() as session:
        sequence.people(session, 3)
    page = visitors.visit(client, "ana", "campaigns", path=NEW)
    data = _form(page, check="1", **{"industry-0": "", "industry-1": "", "min_score": "", "attributes-0-name": ""})
    answer = client.post(NEW, data=data | {"variable-link_calendly": ""})
    assert answer.status_code == 200 and "<strong>3 contactos</strong>" in answer.text
    assert _error(answer, "variable-link_calendly").startswith("Falta: ")
    typed = client.post("/app/campaigns/estimate", data=data | {"max_score": "0", "min_score": "1"})
    assert "<strong>0 contactos</strong>" in typed.text and "<html" not in typed.text
    assert len(re.findall("<li>Paso", typed.text)) == 2
    assert client.post("/app/campaigns/estimate", data={"csrf_token": "x"}).status_code == 403
    with transaction() as session:
        assert campaigns.latest(session) == []


def test_of_two_people_who_edit_at_once_the_second_is_told(client: FlaskClient) -> None:
    with transaction() as session:
        campaign_id = sequence.create(session)
    path = f"/app/campaigns/{campaign_id}/edit"
    page = visitors.visit(client, "ana", "campaigns", path=path)
    form = _form(page, version="1")
    assert client.post(path, data=form | {"timezone": "UTC"}).status_code == 303
    late = client.post(path, data=form | {"name": "Invierno"})
    assert late.status_code == 409 and "Otra persona ha editado" in late.text and 'value="Invierno"' in late.text
    with transaction() as session:
        sequence.people(session, 1)
        assert campaigns.view(session, campaign_id).timezone == "UTC"
        campaigns.cancel(session, campaign_id)
    assert client.get(path).status_code == client.post(path, data=form | {"version": "2"}).status_code == 409


def test_a_name_in_use_is_said_at_the_name(client: FlaskClient) -> None:
    with transaction() as session:
        sequence.create(session)
    page = visitors.visit(client, "ana", "campaigns", path=NEW)
    answer = client.post(NEW, data=_form(page))
    assert answer.status_code == 409 and _error(answer, "name") == "Otra campaña tiene este nombre; elija otro."


def test_variables_that_are_no_text_stay_when_the_form_is_saved(client: FlaskClient) -> None:
    with transaction() as session:
        campaign_id = sequence.create(session, variables={**sequence.VARIABLES, "lista": [1, 2]})
    path = f"/app/campaigns/{campaign_id}/edit"
    page = visitors.visit(client, "ana", "campaigns", path=path)
    assert "variable-lista" not in page.text
    assert client.post(path, data=_form(page, version="1")).status_code == 303
    with transaction() as session:
        assert campaigns.view(session, campaign_id).variables["lista"] == [1, 2]


def test_a_campaign_is_cloned_and_the_draft_deleted(client: FlaskClient) -> None:
    with transaction() as session:
        campaign_id = sequence.create(session)
    page = visitors.visit(client, "ana", "campaigns", path=f"/app/campaigns/{campaign_id}")
    token = {"csrf_token": visitors.token(page)}
    copied = client.post(f"/app/campaigns/{campaign_id}/clone", data=token)
    assert 'value="Otoño (copia)"' in client.get(copied.location).text
    asked = copied.location.replace("/edit", "/delete")
    assert "Eliminar: Otoño (copia)" in client.get(asked).text
    assert client.post(asked, data=token).location == "/app/campaigns"
    assert client.get(copied.location).status_code == 404


def test_a_reader_of_reports_can_open_no_form(client: FlaskClient) -> None:
    page = visitors.visit(client, "ana", "reports", path="/app/campaigns")
    assert NEW not in page.text
    assert client.get(NEW).status_code == client.post(NEW, data={"csrf_token": visitors.token(page)}).status_code == 403
