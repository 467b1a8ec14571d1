"""Landing pages by the pages of people who sign in: write, move, publish, return, delete; without scripts."""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from engine import clock
from engine.assets import assets
from engine.landing import published, store, visits
from engine.tracking import views
from models import ids
from models.session import transaction
from tests.engine.assets import samples
from tests.engine.forms import signups
from tests.engine.landing import drafts
from tests.web.pages import visitors


@pytest.fixture
def writer(client: FlaskClient) -> FlaskClient:
    """A client signed in with the scope `campaigns`."""
    visitors.visit(client, "lucia", "campaigns", path="/app/pages")
    return client


def send(client: FlaskClient, path: str, at: str = "/app/pages/new", **values: str) -> Any:
    """Send a form with the values that the page at `at` repeats."""
    page = client.get(at)
    hidden = dict(re.findall(r'name="(csrf_token|expected)" value="([^"]*)"', page.text))
    return client.post(path, data={**hidden, **values})


def kinds() -> list[str]:
    with transaction() as session:
        return [block["kind"] for block in store.by_slug(session, "guia").content.blocks]


def test_a_page_is_written_by_forms_and_published(writer: FlaskClient) -> None:
    with transaction() as session:
        signups.create(session)
    made = send(writer, "/app/pages/new", slug="guia", **{"title.es": "Guía", "title.en": "Guide"}, filled="1")
    assert made.location == "/app/pages/guia" and kinds() == ["hero", "benefits", "legal"]
    assert 'value="form"' in writer.get("/app/pages/guia").text
    assert "alert-danger" not in writer.get("/app/pages/guia/blocks/1").text
    added = send(writer, "/app/pages/guia/blocks/3", "/app/pages/guia/blocks/new?kind=form", kind="form", form="guia")
    assert added.status_code == 303 and kinds() == ["hero", "benefits", "form", "legal"]
    assert 'value="form"' not in writer.get("/app/pages/guia").text
    send(writer, "/app/pages/guia/blocks/2/up", "/app/pages/guia")
    send(writer, "/app/pages/guia/blocks/0/remove", "/app/pages/guia")
    assert kinds() == ["form", "benefits", "legal"]
    assert "Formulario</td>" in writer.get("/app/pages/guia", headers={"Accept-Language": "es"}).text  # the note
    shown = writer.get("/app/pages/guia").text
    assert shown.count("<iframe") == 2 and "sandbox" in shown and len(shown) < 40_000
    asked = send(writer, "/app/pages/guia/publish", "/app/pages/guia", version="4")
    assert asked.status_code == 409 and "Primera ventaja" in asked.text and "/blocks/2" in asked.text
    with transaction() as session:
        assert published.current(session, "guia") is None
    anyway = send(writer, "/app/pages/guia/publish", "/app/pages/guia", version="4", anyway="1")
    assert anyway.location == "/app/pages/guia"
    with transaction() as session:
        assert published.current(session, "guia") is not None
    send(writer, "/app/pages/guia/revert", "/app/pages/guia", version="1")
    assert kinds() == ["hero", "benefits", "legal"]
    assert send(writer, "/app/pages/guia/delete", "/app/pages/guia").status_code == 409
    send(writer, "/app/pages/guia/unpublish", "/app/pages/guia")
    assert send(writer, "/app/pages/guia/delete", "/app/pages/guia/delete").location == "/app/pages"


def test_faults_stand_at_their_fields_and_what_was_typed_stays(writer: FlaskClient) -> None:
    with transaction() as session:
        drafts.create(session)
    english = {"Accept-Language": "es"}
    path, hero = "/app/pages/guia/blocks/0", {"title.es": "", "text.es": "<b>x", "target": "javascript:alert(1)"}
    page = writer.get(path, headers=english)
    hidden = dict(re.findall(r'name="(csrf_token|expected|kind)" value="([^"]*)"', page.text))
    refused = writer.post(path, data={**hidden, **hero}, headers=english)
    assert refused.status_code == 422 and refused.text.count('aria-invalid="true"') == 2
    assert "Es obligatorio." in refused.text and "Indique una dirección web como" in refused.text
    assert "&lt;b&gt;x</textarea>" in refused.text and 'value="javascript:alert(1)"' in refused.text
    page = writer.get("/app/pages/guia/settings", headers=english)
    hidden = dict(re.findall(r'name="(csrf_token|expected)" value="([^"]*)"', page.text))
    values = {"title.es": "Guía", "color": "#f2c14e", "background": "#ffffff", "design": "calm", "converted_on": "load"}
    refused = writer.post("/app/pages/guia/settings", data={**hidden, **values}, headers=english)
    assert (
        refused.status_code == 422 and "tiene un contraste de 1,6" in refused.text and 'value="#f2c14e"' in refused.text
    )
    taken = send(writer, "/app/pages/new", slug="guia", **{"title.es": "Guía"})
    assert taken.status_code == 409 and "guia" in taken.text


def test_a_save_over_that_of_somebody_else_is_refused_and_loses_no_text(writer: FlaskClient) -> None:
    with transaction() as session:
        drafts.create(session)
    path = "/app/pages/guia/blocks/1"
    page = writer.get(path)
    hidden = dict(re.findall(r'name="(csrf_token|expected|kind)" value="([^"]*)"', page.text))
    with transaction() as session:
        store.save(session, "guia", drafts.content(blocks=drafts.blocks()[:2]), change=store.Change(), now=clock.now())
    late = writer.post(path, data={**hidden, "text.es": "Mi texto largo"})
    assert late.status_code == 409 and "Mi texto largo" in late.text and 'role="alert"' in late.text
    assert writer.post("/app/pages/guia/blocks/0/down", data=hidden).status_code == 409


def test_a_preview_shows_the_draft_and_runs_nothing(writer: FlaskClient) -> None:
    with transaction() as session:
        drafts.create(session)
    shown = writer.get("/app/pages/guia/preview?lang=en")
    assert "More replies" in shown.text and "<script" not in shown.text
    assert "More replies" in writer.get("/app/pages/guia/preview", headers={"Accept-Language": "en"}).text
    policy = shown.headers["Content-Security-Policy"]
    assert policy.endswith("; sandbox") and "frame-ancestors 'self'" in policy
    assert writer.get("/app/pages/guia/preview?version=7").status_code == 404
    writer.delete_cookie("cadencia")
    assert writer.get("/app/pages/guia/preview").status_code == 303


def test_readers_see_figures_and_no_controls(client: FlaskClient) -> None:
    with transaction() as session:
        page = drafts.published(session)
        visits.add(session, {views.key(page.id, "blog", clock.now()): (41, 7)})
        form_id = signups.create(session).id
        signed_up = text("""INSERT INTO form_submissions (id, form_id, landing_page_id, language, submitted_at, state)
                            VALUES (:id, :form_id, :page_id, 'es', :now, 'pending')""")
        session.execute(signed_up, {"id": ids.new(), "form_id": form_id, "page_id": page.id, "now": clock.now()})
    visitors.visit(client, "ana", "reports")
    shown = client.get("/app/pages/guia").text
    assert ">41<" in shown and ">7<" in shown and "blog" in shown
    drawn = re.findall(r'<svg class="chart [^"]*" viewBox.*?</svg>', shown, re.DOTALL)
    bars = [set(re.findall(r'<path class="(\w+)"', each)) for each in drawn]
    assert bars == [{"first"}] * 3 + [{"second"}] * 3  # one sign-up is no part of 41 views, nor on top of them
    assert "/publish" not in shown and "/remove" not in shown and "settings" not in shown
    assert ">41<" in client.get("/app/pages").text
    assert client.get("/app/pages/guia/settings").status_code == 403


def test_a_picture_is_chosen_from_those_that_are_uploaded(writer: FlaskClient) -> None:
    with transaction() as session:
        store.create(
            session, "guia", {"title": {"es": "Guía"}, "blocks": []}, change=store.Change("lucia"), now=clock.now()
        )
        first = assets.add(session, samples.GIF, "<feria>.gif", account_id=None, now=clock.now())
    ask, save = "/app/pages/guia/blocks/new?kind=picture", "/app/pages/guia/blocks/0"
    page = writer.get(ask)
    assert f'<img src="{first.path}" width="4" height="2" alt=""' in page.text and "&lt;feria&gt;.gif" in page.text
    with transaction() as session:
        second = assets.add(session, samples.png(), "stand.png", account_id=None, now=clock.now())
    typed = {"kind": "picture", "alt.es": "La feria"}
    again = send(writer, save, ask, **typed, picture=first.path, refresh="1")
    assert again.status_code == 200 and second.path in again.text and 'value="La feria"' in again.text
    assert f'value="{first.path}" checked' in again.text and kinds() == []
    none = send(writer, save, ask, **typed)
    assert none.status_code == 422 and "invalid-feedback" in none.text
    wrong = send(writer, save, ask, **typed, picture=first.path, **{"picture.address": "/a/x.svg"})
    assert wrong.status_code == 422 and 'name="picture.address" value="/a/x.svg"' in wrong.text
    assert send(writer, save, ask, **typed, picture=first.path).status_code == 303
    assert f'value="{first.path}" checked' in writer.get(save).text and kinds() == ["picture"]
    settings = writer.get("/app/pages/guia/settings").text
    assert 'name="logo" value="" checked' in settings and f'name="logo" value="{second.path}"' in settings
