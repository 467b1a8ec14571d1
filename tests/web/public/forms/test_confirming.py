"""The page of a confirmation link: machines confirm nothing, people at most with one click."""

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from engine import clock
from engine.forms import forms
from engine.forms.signer import Signer
from models.session import transaction
from tests.engine.forms import signups
from tests.engine.forms.signups import ADDRESS
from tests.engine.tracking.bots import test_sequences as labelled
from tests.sends import NOW
from web import process

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
ROBOT = {"User-Agent": "python-requests/2.32"}
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def url(app: Flask) -> str:
    """The link of a pending submission."""
    with transaction() as session:
        form = signups.create(session)
    signups.submit(form, now=clock.now())
    with transaction() as session:
        session.execute(
            text("UPDATE emails SET status = 'sent', sent_at = :at"), {"at": clock.now() - timedelta(hours=1)}
        )
    return f"/f/confirm/{Signer(process.of(app).settings.tracking_ring).confirmation(signups.submission_id())}"


def state() -> str:
    with transaction() as session:
        return str(session.scalar(text("SELECT state FROM form_submissions")))


def test_fetching_the_link_changes_nothing_and_shows_no_address(client: FlaskClient, url: str) -> None:
    page = client.get(url, headers=BROWSER)
    assert page.status_code == 200 and page.text.count("<button") == 1 and ADDRESS not in page.text
    assert "data-press" in page.text and "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert client.head(url).status_code == 200
    assert state() == "pending"


def test_the_page_presses_itself_for_people_only(client: FlaskClient, url: str) -> None:
    assert "data-press" not in client.get(url, headers=ROBOT).text
    again = client.post(url, data={"by": "page"}, headers=ROBOT)
    assert again.status_code == 200 and "<button" in again.text and state() == "pending"
    assert client.post(url, data={"by": "page"}, headers=BROWSER).status_code == 200
    assert state() == "confirmed"


def test_no_labelled_machine_confirms_by_what_it_requests(client: FlaskClient, url: str) -> None:
    """Each click of a labelled machine is a request of the link; scanners that run scripts get none to run."""
    pressed, clicks = set(), 0
    for sequence in labelled.read():
        for number, hit in enumerate(sequence.hits):
            if hit.kind == "clicked" and sequence.labels[number] == "machine":
                headers = {"User-Agent": hit.agent} | ({"Sec-Purpose": hit.purpose} if hit.purpose else {})
                page = client.open(url, method=hit.method, headers=headers)
                clicks += 1
                if "data-press" in page.text:
                    pressed.add(sequence.name)
    assert clicks > 30 and state() == "pending"
    # Without the moment of the sending and the other hits of its e-mail only the agent is evidence; see test_visits.
    assert len(pressed) < clicks / 2


def test_a_press_confirms_and_a_used_link_says_so(client: FlaskClient, url: str) -> None:
    done = client.post(url, data={"by": "press"}, headers=BROWSER)
    assert "Listo" in done.text and state() == "confirmed"
    again = client.post(url, data={"by": "press"}, headers=BROWSER)  # the second press of a double click
    assert (again.status_code, again.text) == (done.status_code, done.text)
    used = client.get(url)
    assert used.status_code == 200 and "Ya estaba confirmado" in used.text and "Continuar" not in used.text
    with transaction() as session:
        row = session.execute(text("SELECT confirmed_by, confirmed_network FROM form_submissions")).one()
    assert row.confirmed_by == "press" and row.confirmed_network


def test_a_used_link_still_leads_to_the_target_of_the_form(client: FlaskClient, url: str) -> None:
    target = "https://www.empresa.example/guia.pdf"
    with transaction() as session:
        changed = signups.definition(redirect=target, origins=["https://www.empresa.example"])
        forms.change(session, "guia", changed, services=signups.services(), now=NOW)
    for _ in range(2):
        assert client.post(url, data={"by": "press"}, headers=BROWSER).headers["Location"] == target
    assert f'<a href="{target}">Continuar</a>' in client.get(url).text


def test_an_expired_link_offers_the_form_again(client: FlaskClient, url: str) -> None:
    with transaction() as session:
        session.execute(text("UPDATE form_submissions SET submitted_at = :at"), {"at": NOW - timedelta(days=8)})
    for answer in (client.get(url), client.post(url, data={"by": "press"})):
        assert "ha caducado" in answer.text and 'href="/f/guia"' in answer.text
    assert state() == "pending"


@pytest.mark.parametrize("token", ["x", "A" * 43, "%F0%9F%8C%B5", "A" * 5_000])
def test_a_forged_link_is_not_there(client: FlaskClient, url: str, token: str) -> None:
    assert client.get(f"/f/confirm/{token}").status_code == 404
    assert client.post(f"/f/confirm/{token}", data={"by": "press"}).status_code == 404
