"""Senders compile versions of templates as claims bring them, without a restart."""

import email
from collections import Counter
from email import policy
from uuid import UUID

import pytest
from sqlalchemy import text

import settings
from engine import clock
from engine.delivery import outbox
from engine.delivery.outbox import SendRequest
from engine.messages import compose
from engine.templates import host_faults
from engine.templates.compiling import UnusableTemplate
from engine.templates.templates import Library
from engine.templates.versions import history, store
from engine.templates.versions.content import Content
from local.mail.mailstore import Mailstore
from models.session import transaction
from tests import sends
from tests.conftest import environment
from worker import drain, process, template_holds

LANE = "transactional"


def save(subject: str, html: str = "<p>{{ nombre }}</p>") -> int:
    """Store and publish a version of `oferta`, and return its number."""
    library = Library(settings.current().templates_dir)
    content = Content(subject=subject, html=html, sample={"nombre": "Ana"})
    change = store.Change(None, clock.now())
    with transaction() as session:
        newest = history.templates(session)
        if newest:
            saved = store.save(session, "oferta", content, expected=newest[0].digest, change=change)
        else:
            saved = store.create(session, "oferta", content, library=library, change=change)
        return store.publish(session, "oferta", saved.version, library=library).version


def queue(version: int | None, count: int = 3) -> list[UUID]:
    requests = [
        SendRequest(f"a{number}@empresa.example", "oferta", "S", {"nombre": "Ana"}, template_version=version)
        for number in range(count)
    ]
    with transaction() as session:
        return outbox.add(session, requests, now=clock.now())


def subjects(inbox: Mailstore) -> Counter[str]:
    return Counter(email.message_from_bytes(mail.raw, policy=policy.default)["Subject"] for mail in inbox.since(0))


def counts(email_ids: list[UUID]) -> Counter[str]:
    with transaction() as session:
        return Counter(sends.statuses(session, email_ids))


@pytest.mark.parametrize("html", ["<p>{{ nombre }}</p>", "<p>{{ nombre|upper }}</p>"], ids=["prerendered", "rendered"])
def test_each_email_is_composed_from_its_version(inbox: Mailstore, html: str) -> None:
    first = save("Uno", html)
    queue(first)
    drain.drain(LANE)
    second = save("Dos", html)
    queue(first)
    queue(second)
    drain.drain(LANE)
    assert subjects(inbox) == {"Uno": 6, "Dos": 3}


def test_a_version_that_this_host_cannot_use_holds_no_other(inbox: Mailstore) -> None:
    """Publishing refuses such a version, so it is one that another host could compile."""
    good, bad = save("Uno"), save("Dos")
    with transaction() as session:
        session.execute(text("UPDATE template_versions SET html = '{% if %}' WHERE version = 2"))
    waiting, sent = queue(bad), queue(good)
    drain.drain(LANE)
    assert (counts(waiting), counts(sent)) == ({"queued": 3}, {"sent": 3})
    with transaction() as session:
        [fault] = host_faults.current(session)
    assert (fault.template, "body.html line 1" in fault.reason) == ("oferta@2", True)
    assert process.current().holds.current() == ["oferta@2"]
    more = queue(bad)
    drain.drain(LANE)  # none of them is claimed
    with transaction() as session:
        assert {outbox.details(session, email_id).response for email_id in more} == {None}
        session.execute(text("UPDATE template_versions SET html = 'x' WHERE version = 2"))
    process.current().holds = template_holds.TemplateHolds()
    drain.drain(LANE)
    assert counts(waiting + more) == {"sent": 6}
    with transaction() as session:
        assert host_faults.current(session) == []


def test_an_email_is_not_at_fault_while_its_version_cannot_be_read(ledger: str) -> None:
    email_id = UUID(int=1)
    message = compose.Email(email_id, "1@a.example", "a@a.example", None, "oferta", {}, "marketing", 1)
    with environment(DATABASE_URL="postgresql://x@127.0.0.1:9/none"):
        composer = process.composer()
        for _ in range(2):
            with pytest.raises(UnusableTemplate, match=r"'oferta@1' cannot be read now \(Unavailable\)"):
                composer.compose(message, now=clock.now(), eight_bit=True)


def test_an_email_of_a_template_that_was_deleted_meanwhile_is_sent(inbox: Mailstore) -> None:
    """Another process may accept it in the second in which it still knows the version."""
    version = save("Uno")
    with transaction() as session:
        store.delete(session, "oferta")
    late = queue(version)
    drain.drain(LANE)
    assert counts(late) == {"sent": 3}
