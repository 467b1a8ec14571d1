"""The unsubscribe page: languages, unsubscribe, resubscribe, pause, resume."""

from collections.abc import Callable
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text

from engine.tracking import tokens
from models import Contact
from models.session import transaction
from tests import sends
from tests.conftest import environment
from tests.sends import NOW
from tests.web import applications
from tests.web.public.state import apply, paused, stored, suppressed
from web import process
from web.public import languages


def set_locale(locale: str | None) -> None:
    with transaction() as session:
        session.execute(text("UPDATE contacts SET locale = :locale"), {"locale": locale})


def test_fetching_the_unsubscribe_page_repeatedly_changes_nothing(
    client: FlaskClient, email_id: UUID, signer: tokens.Signer
) -> None:
    url = f"/u/{signer.unsubscribe(email_id)}"
    for _ in range(10):
        assert client.get(url).status_code == 200
    assert client.head(url).status_code == 200
    page = client.get(url).text
    assert f'<form method="post" action="{url}">' in page and "Darme de baja" in page
    assert (stored(), suppressed()) == ([], [])


@pytest.mark.parametrize(
    ("form", "source"),
    [({"List-Unsubscribe": "One-Click"}, "unknown"), ({"confirmar": "baja"}, "human"), ({}, "human")],
)
def test_a_post_unsubscribes_at_once_without_cookie_or_redirect(
    client: FlaskClient, email_id: UUID, signer: tokens.Signer, form: dict[str, str], source: str
) -> None:
    answer = client.post(f"/u/{signer.unsubscribe(email_id)}", data=form)
    assert (answer.status_code, "Set-Cookie" in answer.headers) == (200, False)
    assert suppressed() == ["unsubscribed"]
    assert stored() == [("unsubscribed", source)]
    apply()
    with transaction() as session:
        assert session.scalar(select(Contact.email_followup_status)) == "unsubscribed"


@pytest.mark.parametrize("applied_before_undo", [True, False])
def test_an_undo_works_before_and_after_the_event_is_applied(
    client: FlaskClient, email_id: UUID, signer: tokens.Signer, applied_before_undo: bool
) -> None:
    step: Callable[[], None] = apply if applied_before_undo else lambda: None
    url = f"/u/{signer.unsubscribe(email_id)}"
    assert f'action="{url}/undo"' in client.post(url).text
    step()
    assert client.post(f"{url}/undo").status_code == 200
    apply()
    assert suppressed() == []
    with transaction() as session:
        assert session.scalar(select(Contact.email_followup_status)) == "new"


def test_an_undo_does_not_lift_a_complaint(client: FlaskClient, email_id: UUID, signer: tokens.Signer) -> None:
    url = f"/u/{signer.unsubscribe(email_id)}"
    client.post(url)
    with transaction() as session:
        session.execute(text("UPDATE suppressions SET reason = 'complaint'"))
    client.post(f"{url}/undo")
    assert suppressed() == ["complaint"]


@pytest.mark.parametrize("language", languages.AVAILABLE)
def test_the_pages_load_only_their_style_sheet_and_send_no_referrer(
    client: FlaskClient, email_id: UUID, signer: tokens.Signer, language: str
) -> None:
    set_locale(language)
    url = f"/u/{signer.unsubscribe(email_id)}"
    answers = [client.get(url), *(client.post(url + path) for path in ("", "/undo", "/pause", "/resume"))]
    for answer in (*answers, client.get("/u/x", headers={"Accept-Language": language})):
        assert "script" not in answer.text and 'name="robots" content="noindex"' in answer.text
        assert (answer.text.count("<h1>"), f'<html lang="{language}">' in answer.text) == (1, True)
        headers = answer.headers
        assert "default-src 'none'; style-src 'self'; form-action 'self'" in headers["Content-Security-Policy"]
        assert (headers["Referrer-Policy"], headers["Cache-Control"]) == ("no-referrer", "no-store")
    assert client.get("/style/readers.css").content_type.startswith("text/css")


@pytest.mark.parametrize("language", languages.AVAILABLE)
def test_the_pages_name_the_brand_and_state_the_situation(ledger: str, language: str) -> None:
    ronda = {"BRAND_NAME": "Ronda & Hijos", "BRAND_ADDRESS": "Calle Mayor 1, Madrid", "BRAND_COLOR": "#ffcc00",
             "BRAND_SUPPORT": "ayuda@ronda.example", "BRAND_LOGO_URL": "https://ronda.example/l.png"}  # fmt: skip
    with environment(DATABASE_URL=ledger, **ronda):
        app = applications.create()
        client = app.test_client()
        with transaction() as session:
            (email_id,) = sends.queue(session, now=NOW)
        set_locale(language)
        url = f"/u/{process.of(app).signer.unsubscribe(email_id)}"
        titles = []
        for path in ("", "/undo", "/pause", "/resume"):
            answers = [client.post(url + path), client.get(url)]
            titles.append([answer.text.partition("<title>")[2].partition("<")[0] for answer in answers])
            for answer in (*answers, client.get("/u/x")):
                assert all(shown in answer.text for shown in ("Ronda &amp; Hijos", "Calle Mayor 1", "ayuda@ronda"))
                assert "img-src https://ronda.example" in answer.headers["Content-Security-Policy"]
        style = client.get("/style/readers.css")
        assert "--mark: #ffcc00; --on-mark: #000000;" in style.text
        assert client.get("/style/readers.css", headers={"If-None-Match": style.headers["ETag"]}).status_code == 304
    asking = {"es": "Darse de baja", "en": "Unsubscribe"}[language]
    assert [after == done for done, after in titles] == [
        True,
        False,
        True,
        False,
    ]  # unsubscribed, undone, paused, resumed
    assert [after for _, after in titles][1::2] == [asking, asking]


def test_a_pause_is_shown_with_its_last_day(client: FlaskClient, email_id: UUID, signer: tokens.Signer) -> None:
    url = f"/u/{signer.unsubscribe(email_id)}"
    client.post(f"{url}/pause")
    with transaction() as session:
        session.execute(text("UPDATE contacts SET paused_until = '2126-12-30 10:00Z'"))
    assert "en pausa hasta el 30 de diciembre de 2126" in client.get(url).text
    set_locale("en")
    assert "paused until 30 December 2126" in client.get(url).text


@pytest.mark.parametrize(
    ("locale", "language"),
    [("en", "en"), ("en-GB", "en"), ("EN_us", "en"), ("es-MX", "es"), ("fr", "es"), ("", "es"), (None, "es")],
)
def test_the_pages_use_the_language_of_the_contact_else_of_the_template(
    client: FlaskClient, email_id: UUID, signer: tokens.Signer, locale: str | None, language: str
) -> None:
    set_locale(locale)
    url = f"/u/{signer.unsubscribe(email_id)}"
    assert f'<html lang="{language}">' in client.get(url).text
    for path in ("", "/undo", "/pause", "/resume"):
        answer = client.post(url + path)
        assert (answer.status_code, f'<html lang="{language}">' in answer.text) == (200, True), path


def test_each_language_has_every_page() -> None:
    pages = [{page.name for page in (languages._FOLDER / language).iterdir()} for language in languages.AVAILABLE]
    assert len(pages) >= 2 and len(pages[0]) == 16
    assert all(each == pages[0] for each in pages)


def test_pages_without_an_email_use_the_browsers_language(client: FlaskClient) -> None:
    for asked, language in (("en-GB,en;q=0.9,es;q=0.5", "en"), ("fr", "es")):
        answer = client.get("/u/x", headers={"Accept-Language": asked})
        assert (answer.status_code, f'lang="{language}"' in answer.text) == (404, True)


def test_only_a_post_pauses_and_a_pause_can_be_ended(
    client: FlaskClient, email_id: UUID, signer: tokens.Signer
) -> None:
    url = f"/u/{signer.unsubscribe(email_id)}"
    assert f'action="{url}/pause"' in client.get(url).text
    for method in ("GET", "HEAD", "OPTIONS"):
        client.open(f"{url}/pause", method=method, headers={"Sec-Purpose": "prefetch"})
    assert not paused()
    for _ in range(2):
        answer = client.post(f"{url}/pause")
        assert (answer.status_code, paused()) == (200, True)
    assert f'action="{url}/resume"' in answer.text and f'action="{url}"' in answer.text
    assert client.post(f"{url}/resume").status_code == 200
    assert not paused()
    assert (stored(), suppressed()) == ([], [])


def test_scanners_change_nothing_with_any_method_and_path(
    client: FlaskClient, email_id: UUID, signer: tokens.Signer
) -> None:
    url = f"/u/{signer.unsubscribe(email_id)}"
    for method in ("GET", "HEAD", "OPTIONS"):
        for path in ("", "/undo", "/pause", "/resume"):
            for purpose in ({}, {"Sec-Purpose": "prefetch"}, {"X-Moz": "prefetch"}):
                assert client.open(url + path, method=method, headers=purpose).status_code in (200, 405)
    assert (stored(), suppressed(), paused()) == ([], [], False)
