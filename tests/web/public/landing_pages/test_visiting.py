"""The public page: languages, versions, the cache, greeting, hostile texts, its form and style sheet."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from engine import clock
from engine.forms.signer import Signer
from engine.landing import store, visits
from engine.landing.visits import Counts
from models import ids
from models.session import transaction
from tests.conftest import environment
from tests.engine.forms import signups
from tests.engine.landing import drafts
from tests.engine.landing.drafts import both
from tests.sends import NOW
from web import process
from web.ingest import group_commit
from web.public.landing_pages import page_cache, renewal
from web.public.landing_pages.page_cache import CachedPage

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
FORM = {"kind": "form", "form": "guia", "title": both("Pídala", "Ask for it")}
SHOP = "https://www.empresa.example"


@pytest.fixture(autouse=True)
def counted(app: Flask) -> Iterator[None]:
    """Count the visits of a test in its own database."""
    yield
    page_cache.of(app).visits.flush()


@pytest.fixture
def page(app: Flask) -> store.StoredPage:
    """A published page with every kind of block."""
    with transaction() as session:
        signups.create(session, origins=[SHOP], redirect=f"{SHOP}/gracias")
        return drafts.published(session, blocks=[*drafts.blocks(), FORM], design="bold")


def a_second_later(app: Flask) -> None:
    """Let the page in memory be a second old."""
    cached = page_cache.of(app).fresh("guia")
    assert cached is not None
    cached.checked_at -= 1.5


@pytest.mark.parametrize(
    ("path", "browser", "language", "words"),
    [
        ("/p/guia", "es", "es", "Más respuestas"),
        ("/p/guia", "en-GB,en;q=0.9", "en", "More replies"),
        ("/p/guia?lang=en", "es", "en", "More replies"),
        ("/p/guia?lang=fr", "fr", "es", "Más respuestas"),
    ],
)
def test_the_page_is_in_the_readers_language(
    client: FlaskClient, page: store.StoredPage, path: str, browser: str, language: str, words: str
) -> None:
    for _ in range(2):  # the view, then memory
        shown = client.get(path, headers={"Accept-Language": browser})
        assert shown.status_code == 200 and words in shown.text and f'<html lang="{language}">' in shown.text
        assert (shown.headers["Content-Language"], shown.headers["Vary"]) == (language, "Accept-Language")
        assert shown.headers["X-Content-Type-Options"] == "nosniff"
        assert int(shown.headers["Content-Length"]) == len(shown.data) < 40_000
    assert client.head(path).status_code == 200 and client.head(path).data == b""


def test_it_loads_nothing_from_elsewhere_and_has_social_tags(client: FlaskClient, page: store.StoredPage) -> None:
    shown = client.get("/p/guia")
    policy = shown.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'")
    assert f"form-action 'self' {SHOP};" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert " style=" not in shown.text and "<style" not in shown.text and shown.text.count("<script") == 1
    own = "http://127.0.0.1:8000"
    assert f'<link rel="canonical" href="{own}/p/guia?lang=es">' in shown.text
    assert f'<meta property="og:image" content="{own}{drafts.PICTURE}">' in shown.text
    assert 'data-on="submit"' in shown.text and "noindex" not in shown.text
    assert shown.text.count("<h1") == 1
    sources = re.findall(r'(?:src|href)="([^"#?][^"]*)"', shown.text)
    foreign = {each for each in sources if not each.startswith(("/", own, "data:,", "https://ronda.example/legal"))}
    assert foreign == set()


def test_a_change_is_seen_once_it_is_published_and_a_second_old(
    app: Flask, client: FlaskClient, page: store.StoredPage
) -> None:
    client.get("/p/guia")
    with transaction() as session:
        store.save(session, "guia", drafts.content(blocks=[]), change=store.Change(), now=NOW)
    a_second_later(app)
    assert "Más respuestas" in client.get("/p/guia").text
    with transaction() as session:
        store.publish(session, "guia", None, now=NOW)
    a_second_later(app)
    shown = client.get("/p/guia").text
    assert "Más respuestas" not in shown and '<h1 dir="auto">Guía de seguimiento</h1>' in shown
    with transaction() as session:
        store.unpublish(session, "guia")
    a_second_later(app)
    assert client.get("/p/guia").status_code == 404


def test_of_many_first_visitors_one_renders_the_page(app: Flask, page: store.StoredPage) -> None:
    def ask(_: int) -> CachedPage:
        with app.test_request_context():
            return renewal.page("guia", group_commit.of(app).run)

    with ThreadPoolExecutor(8) as pool:
        assert len({id(cached) for cached in pool.map(ask, range(8))}) == 1


def test_drafts_and_odd_addresses_show_nothing(client: FlaskClient) -> None:
    with transaction() as session:
        drafts.create(session)
    for path in ("guia", "../x", "%2e%2e%2fx", "__proto__", "%00", "x" * 5_000, "guia/", "%F0%9F%8C%B5"):
        assert client.get(f"/p/{path}").status_code == 404


def test_pages_stay_while_the_database_is_unavailable(app: Flask, client: FlaskClient, page: store.StoredPage) -> None:
    client.get("/p/guia")
    a_second_later(app)
    with environment(DATABASE_URL="postgresql://cadencia:x@127.0.0.1:9/gone"):
        assert "Más respuestas" in client.get("/p/guia").text
        assert client.get("/p/otra").status_code == 503


def test_hostile_texts_are_shown_as_text(client: FlaskClient, app: Flask) -> None:
    odd = '<script>alert(1)</script>"><img src=x onerror=y> {{ 7*7 }} مرحبا ' + "🎉" * 30
    hero = {
        "kind": "hero",
        "title": both(odd),
        "text": both(odd),
        "button": both("x"),
        "target": "https://b.example/?a&b",
    }
    with transaction() as session:
        drafts.published(session, title=both(odd[:150]), blocks=[hero, {"kind": "text", "text": both(odd)}])
    shown = client.get("/p/guia?utm_source=%3Cscript%3E&utm_term=%22%3E%3Cb%3E").text
    assert "<script>alert" not in shown and "<img src=x" not in shown and "onerror=y>" not in shown.replace("&gt;", "")
    assert "{{ 7*7 }}" in shown and "49" not in re.sub(r"[0-9a-f]{6,}", "", shown) and "مرحبا" in shown
    assert 'href="https://b.example/?a&amp;b"' in shown


def test_utm_parameters_reach_the_form_and_the_other_language(client: FlaskClient, page: store.StoredPage) -> None:
    for _ in range(2):
        shown = client.get("/p/guia?utm_source=a%22b&x=1&lang=es").text
        assert '<input type="hidden" name="utm_source" value="a&#34;b">' in shown
        assert 'href="?lang=en&amp;utm_source=a%22b"' in shown
    assert "utm_source" not in client.get("/p/guia?utm_source=%0D%0A&" + "x=1&" * 2_000).text


def test_a_reader_of_our_mail_is_greeted_by_name_and_nobody_else(
    client: FlaskClient, page: store.StoredPage, email_id: UUID
) -> None:
    with transaction() as session:
        session.execute(text("UPDATE emails SET sent_at = :at"), {"at": clock.now() - timedelta(days=1)})
        session.execute(text("UPDATE contacts SET first_name = '<b>Ana</b>'"))
    greeted = client.get(f"/p/guia?cadencia={ids.public(email_id)}")
    assert "Hola, &lt;b&gt;Ana&lt;/b&gt;:" in greeted.text
    assert greeted.headers["Cache-Control"] == "private, no-store"
    for other in ("/p/guia", "/p/guia?cadencia=email_" + "0" * 32, "/p/guia?cadencia=x"):
        shown = client.get(other)
        assert "Ana" not in shown.text and shown.headers["Cache-Control"] == "private, no-cache"


def test_a_click_to_our_own_page_carries_the_email_id(client: FlaskClient, app: Flask, email_id: UUID) -> None:
    target = f"{process.of(app).own_pages}guia"
    location = client.get(f"/c/{process.of(app).signer.clicked(email_id, 0, target)}").headers["Location"]
    assert location == f"{target}?cadencia={ids.public(email_id)}"


def filled(app: Flask, **changes: str) -> dict[str, str]:
    with transaction() as session:
        form_id = session.scalar(text("SELECT id FROM forms"))
    stamp = Signer(process.of(app).settings.tracking_ring).stamp(form_id, datetime.now(UTC) - timedelta(minutes=1))
    return {"email": signups.ADDRESS, "first_name": "Ana", "size": "", "consent": "1", "website": "", "lang": "es",
            "utm_source": "Blog", "stamp": stamp, **changes}  # fmt: skip


def test_its_form_is_submitted_confirmed_and_counted(app: Flask, client: FlaskClient, page: store.StoredPage) -> None:
    client.get("/p/guia?utm_source=Blog", headers=BROWSER)
    client.get("/p/guia?utm_source=Blog", headers={"User-Agent": "Googlebot/2.1"})
    answer = client.post("/p/guia", data=filled(app))
    assert answer.status_code == 200 and "Confirma tu dirección" in answer.text
    signups.confirm(clock.now())
    page_cache.of(app).visits.flush()
    with transaction() as session:
        counted = visits.by_source(session, page.id, since=clock.now() - timedelta(days=1))
    assert counted == {"blog": Counts(1, 1, 1, 1)}


def test_faults_of_the_form_are_shown_in_the_page(app: Flask, client: FlaskClient, page: store.StoredPage) -> None:
    answer = client.post("/p/guia", data=filled(app, email="ana@", first_name="<script>"))
    assert answer.status_code == 422 and "Más respuestas" in answer.text
    assert 'value="ana@"' in answer.text and "&lt;script&gt;" in answer.text and 'action="#form"' in answer.text
    assert 'aria-invalid="true"' in answer.text and "utm_source" in answer.text
    assert answer.headers["Cache-Control"] == "private, no-store"
    trapped = client.post("/p/guia", data=filled(app, website="https://spam.example"))
    assert trapped.status_code == 200 and "Confirma tu dirección" in trapped.text
    with transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM form_submissions")) == 0


def test_a_page_without_a_form_or_with_a_closed_one_takes_nothing(client: FlaskClient, page: store.StoredPage) -> None:
    with transaction() as session:
        session.execute(text("UPDATE forms SET state = 'disabled'"))
    assert "Este formulario está cerrado." in client.get("/p/guia").text
    assert client.post("/p/guia", data={"email": signups.ADDRESS}).status_code == 404
    assert client.post("/p/otra", data={"email": signups.ADDRESS}).status_code == 404


def test_the_style_sheet_has_the_colours_and_is_cached(client: FlaskClient, page: store.StoredPage) -> None:
    [path] = re.findall(r'<link rel="stylesheet" href="([^"]+)">', client.get("/p/guia").text)
    sheet = client.get(path)
    assert sheet.content_type.startswith("text/css") and "--mark: #0b6b62" in sheet.text and "url(" not in sheet.text
    again = client.get(path, headers={"If-None-Match": sheet.headers["ETag"]})
    assert (again.status_code, again.headers["Cache-Control"]) == (304, "max-age=3600")
    for odd in ("x", "0b6b62", "0b6b62-ffffff-1", "0b6b6;-ffffff"):
        assert client.get(f"/p/style/{odd}.css").status_code == 404


def test_distinct_sources_of_an_hour_are_bounded(app: Flask, page: store.StoredPage) -> None:
    counter, observed = page_cache.of(app).visits, {"method": "GET", "agent": BROWSER["User-Agent"], "network": "other"}
    for number in range(300):
        counter.count(page.id, f"s{number}", observed)
    counter.flush()
    with transaction() as session:
        counted: Any = session.execute(text("SELECT count(*), sum(views) FROM page_visits")).one()
        others = session.scalar(text("SELECT views FROM page_visits WHERE source = 'other'"))
    assert (counted[0], counted[1], others) == (101, 300, 200)
