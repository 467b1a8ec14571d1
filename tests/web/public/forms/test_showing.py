"""The public page of a form: languages, errors at their fields, robots, other sites, bounded input."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from engine import clock
from engine.audience import contacts, suppressions
from engine.forms import counts, forms
from engine.forms.forms import StoredForm
from engine.forms.signer import Signer
from models.session import transaction
from tests.conftest import environment
from tests.engine.forms import signups
from tests.engine.forms.signups import ADDRESS
from tests.sends import NOW
from tests.web import applications
from web import process
from web.public.forms import views

SHOP = "https://www.empresa.example"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def form(app: Flask) -> StoredForm:
    with transaction() as session:
        return signups.create(session, origins=[SHOP])


@pytest.fixture
def stamp(app: Flask, form: StoredForm) -> str:
    """A stamp of a minute ago."""
    return Signer(process.of(app).settings.tracking_ring).stamp(form.id, datetime.now(UTC) - timedelta(minutes=1))


def filled(stamp: str, **changes: str) -> dict[str, str]:
    values = {"email": ADDRESS, "first_name": "Ana", "size": "", "consent": "1", "website": "", "lang": "es"}
    return {**values, "stamp": stamp, **changes}


def submissions() -> int:
    with transaction() as session:
        return int(session.scalar(text("SELECT count(*) FROM form_submissions")) or 0)


@pytest.mark.parametrize(("language", "label"), [("es", "Nombre"), ("en", "First name")])
def test_the_page_is_in_the_readers_language_and_loads_nothing_from_elsewhere(
    client: FlaskClient, form: StoredForm, language: str, label: str
) -> None:
    page = client.get("/f/guia?utm_source=blog", headers={"Accept-Language": language})
    assert page.status_code == 200 and f'<html lang="{language}">' in page.text and label in page.text
    assert 'name="utm_source" value="blog"' in page.text and "<script" not in page.text
    assert "default-src 'none'; style-src 'self'; form-action 'self'" in page.headers["Content-Security-Policy"]
    names = set(re.findall(r'<(?:input|select)[^>]* id="(\w+)"', page.text))
    assert names == set(re.findall(r'<label for="(\w+)"', page.text))
    assert len(page.data) < 40_000


def test_a_submission_asks_for_the_confirmation_and_makes_no_contact(
    client: FlaskClient, form: StoredForm, stamp: str
) -> None:
    answer = client.post(
        "/f/guia", data=filled(stamp), headers={"Referer": "https://www.empresa.example/x?a=b@c.example"}
    )
    assert answer.status_code == 200 and "Confirma tu dirección" in answer.text and ADDRESS not in answer.text
    with transaction() as session:
        assert session.scalars(text("SELECT id FROM contacts WHERE NOT is_recipient")).all() == []
        assert session.scalar(text("SELECT page FROM form_submissions")) == "https://www.empresa.example/x"
    assert [mail["template"] for mail in signups.emails()] == ["confirmation_es"]


def test_wrong_values_are_kept_and_marked_in_the_readers_language(
    client: FlaskClient, form: StoredForm, stamp: str
) -> None:
    values = filled(stamp, email="ana@", first_name="<script>alert(1)</script>", lang="en")
    del values["consent"]
    answer = client.post("/f/guia", data=values)
    assert answer.status_code == 422 and submissions() == 0
    assert 'value="ana@"' in answer.text and "&lt;script&gt;" in answer.text and "<script>" not in answer.text
    assert "Enter a whole address" in answer.text and "To go on, agree to this text." in answer.text
    assert answer.text.count('aria-invalid="true"') == 2


def test_robots_store_nothing(app: Flask, client: FlaskClient, form: StoredForm, stamp: str) -> None:
    signer = Signer(process.of(app).settings.tracking_ring)
    quick = signer.stamp(form.id, datetime.now(UTC))
    old = signer.stamp(form.id, datetime.now(UTC) - timedelta(hours=25))
    with transaction() as session:
        other = signups.create(session, slug="otra")
    foreign = signer.stamp(other.id, datetime.now(UTC) - timedelta(minutes=1))
    answers = [client.post("/f/guia", data=filled(each)) for each in (quick, old, foreign, "", "x" * 44)]
    assert {answer.status_code for answer in answers} == {422}
    assert all("una vez más" in answer.text for answer in answers)
    trapped = client.post("/f/guia", data=filled(stamp, website="https://spam.example"))
    assert trapped.text == client.post("/f/guia", data=filled(stamp)).text
    assert submissions() == 1


def test_a_form_filled_in_too_quickly_passes_when_it_is_sent_again(
    app: Flask, client: FlaskClient, form: StoredForm
) -> None:
    signer, now = Signer(process.of(app).settings.tracking_ring), datetime.now(UTC)
    quick = signer.stamp(form.id, now)
    again = client.post("/f/guia", data=filled(quick))
    assert f'name="stamp" value="{quick}"' in again.text


def test_a_network_may_send_so_many_submissions_only(ledger: str) -> None:
    with environment(DATABASE_URL=ledger, FORM_RATE="3 per hour"):
        app = applications.create()
        with transaction() as session:
            form = signups.create(session)
        stamp = Signer(process.of(app).settings.tracking_ring).stamp(form.id, datetime.now(UTC) - timedelta(minutes=1))

        def post(address: str) -> int:
            data = filled(stamp, email="p@empresa.example")
            return app.test_client().post("/f/guia", data=data, environ_overrides={"REMOTE_ADDR": address}).status_code

        assert [post(f"2001:db8::{number}") for number in range(5)] == [200] * 3 + [429] * 2
        assert post("2001:db8:1::1") == 200
        again = app.test_client().post("/f/guia", data=filled(stamp), environ_overrides={"REMOTE_ADDR": "2001:db8::9"})
        assert "Demasiados intentos" in again.text and "Retry-After" in again.headers


def test_only_the_sites_of_the_form_may_use_it(client: FlaskClient, form: StoredForm, stamp: str) -> None:
    described = client.get("/f/guia", headers={"Accept": "application/json", "Origin": SHOP})
    assert described.headers["Access-Control-Allow-Origin"] == SHOP
    assert [field["label"] for field in described.json["fields"]] == ["Nombre", "Tamaño"]
    assert [field["autocomplete"] for field in described.json["fields"]] == ["given-name", "on"]
    answer = client.post("/f/guia", json=filled(stamp), headers={"Origin": SHOP})
    assert (answer.status_code, answer.json["status"]) == (200, "confirm")
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP
    preflight = client.options("/f/guia", headers={"Origin": SHOP})
    assert (preflight.status_code, preflight.headers["Access-Control-Allow-Headers"]) == (204, "Content-Type")
    for origin in ("https://evil.example", "https://www.empresa.example.evil.example"):
        refused = client.post("/f/guia", json=filled(stamp), headers={"Origin": origin})
        assert refused.status_code == 403 and "Access-Control-Allow-Origin" not in refused.headers
        assert "Access-Control-Allow-Origin" not in client.options("/f/guia", headers={"Origin": origin}).headers


@pytest.mark.parametrize("state", ["known", "unsubscribed", "complaint", "unknown"])
def test_the_response_is_the_same_for_every_address(
    client: FlaskClient, form: StoredForm, stamp: str, state: str
) -> None:
    with transaction() as session:
        if state != "unknown":
            contacts.upsert(session, [contacts.Draft(ADDRESS)], now=NOW)
            if state != "known":
                suppressions.add_addresses(session, [ADDRESS], state, now=NOW)
    answer = client.post("/f/guia", json=filled(stamp))
    assert answer.json == {"status": "confirm", "message": None, "redirect": None}


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"&".join(b"f%d=x" % number for number in range(10_000)), 422),
        (b"first_name=" + b"x" * 10_000_000, 413),
        (b"email[]=a&__proto__=b", 422),
        (b"email=%FF", 422),
        (b"email=a@b.example&email=c@d.example", 422),
        (b"first_name=%0D%0ABcc:%20x@x.example&email=ana@empresa.example&consent=1", 422),
        (b"first_name%0D%0ABcc=x&first_name=Ana&email=ana@empresa.example&consent=1", 422),
        (b"redirect=https://evil.example&first_name=Ana&email=ana@empresa.example&consent=1", 422),
        (b"first_name=Ana&email=ana@empresa.example&consent=1", 200),
    ],
)
def test_hostile_bodies_are_refused_and_the_last_one_is_not(
    client: FlaskClient, form: StoredForm, stamp: str, data: bytes, status: int
) -> None:
    body = data + f"&stamp={stamp}".encode()
    answer = client.post("/f/guia", data=body, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == status and len(answer.data) < 40_000 and submissions() == (status == 200)


def test_views_are_counted_by_day_and_those_of_machines_apart(
    app: Flask, client: FlaskClient, form: StoredForm
) -> None:
    for agent in ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "python-requests/2.32"):
        client.get("/f/guia", headers={"User-Agent": agent})
    client.get("/f/guia", headers={"Accept": "application/json", "User-Agent": "curl/8.5"})
    with app.app_context():
        views.of_process().flush()
    with transaction() as session:
        assert session.execute(text("SELECT form_id, views, machine_views FROM form_views")).all() == [(form.id, 1, 2)]
        [day] = counts.count(session, form.id, now=clock.now())["days"].values()
    assert day == {"shown": 1, "machines": 2}


def test_a_disabled_form_is_not_there(client: FlaskClient, form: StoredForm) -> None:
    with transaction() as session:
        forms.set_active(session, "guia", False, now=NOW)
    assert {client.get(path).status_code for path in ("/f/guia", "/f/none", "/f/" + "x" * 300)} == {404}
    for path, says in (("/f/guia", "no form here"), ("/p/none", "no page here"), ("/f/confirm/x", "from the e-mail")):
        assert says in client.get(path, headers={"Accept-Language": "en"}).text


def test_a_redirect_of_a_form_without_confirmation_may_leave_for_its_target_only(
    client: FlaskClient, app: Flask
) -> None:
    with transaction() as session:
        form = signups.create(session, origins=[SHOP], redirect=f"{SHOP}/gracias", double_opt_in=False)
    stamp = Signer(process.of(app).settings.tracking_ring).stamp(form.id, datetime.now(UTC) - timedelta(minutes=1))
    assert f"form-action 'self' {SHOP};" in client.get("/f/guia").headers["Content-Security-Policy"]
    answer = client.post("/f/guia", data=filled(stamp))
    assert (answer.status_code, answer.location) == (303, f"{SHOP}/gracias")


def test_the_script_for_other_sites_is_small(client: FlaskClient) -> None:
    answer: Any = client.get("/f/guia.js")
    assert answer.status_code == 200 and len(answer.data) < 5_000 and b"http" not in answer.data
