"""An answer is matched to its e-mail by a tag, by its references, by the relay's id, or by its author."""

from datetime import timedelta
from email.utils import parseaddr
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

import settings
from engine.inbound import incoming
from engine.tracking.address_tags import AddressTags
from models import Contact, Event, ids
from tests.mails import NOW, Mail, campaign, campaign_mail, contact, mail

SES = "0102018f6a7b1111-aaaa-000000"


def answer(*headers: str, author: str = "otra@empresa.example", subject: str = "Re: ROI") -> bytes:
    lines = [f"From: Ana <{author}>", "To: hola@cadencia.example", f"Subject: {subject}", *headers, "", "Llámame."]
    return "\r\n".join(lines).encode()


def address(session: Session, sent: Mail) -> str:
    return session.get_one(Contact, sent.contact_id).email


def answered(session: Session, raw: bytes) -> tuple[object, str] | None:
    recorded = incoming.record(session, raw, now=NOW)
    return (recorded.email_id, recorded.event_type) if recorded else None


@pytest.fixture
def sent(session: Session) -> Mail:
    """An e-mail that the relay accepted under an id of its own, among others."""
    campaign_mail(session, campaign(session))
    return campaign_mail(session, campaign(session), response=f"250 Ok {SES}")


def test_an_answer_to_the_relays_own_id_belongs_to_the_email_with_that_id(session: Session, sent: Mail) -> None:
    newer = mail(session, contact_id=sent.contact_id, campaign_id=sent.campaign_id, sent_at=NOW, response="250 Ok")
    raw = answer(f"In-Reply-To: <{SES}@eu-west-1.amazonses.com>", author=address(session, sent))
    assert answered(session, raw) == (sent.id, "replied") != (newer.id, "replied")


def test_an_answer_that_refers_to_nothing_belongs_to_the_newest_email_of_a_campaign(
    session: Session, sent: Mail
) -> None:
    mail(session, contact_id=sent.contact_id, step=None, lane="transactional", sent_at=NOW)
    author = address(session, sent)
    assert answered(session, answer(author=author.upper(), subject="Propuesta")) == (sent.id, "replied")
    assert answered(session, answer("Reply-To: " + author, "Message-ID: <2@a.example>")) == (sent.id, "replied")


def test_a_tag_in_the_address_names_the_email_whoever_answers(session: Session, sent: Mail) -> None:
    tag = AddressTags(settings.current().tracking_ring).tag(sent.id)
    raw = answer(f"Delivered-To: respuestas+{tag.upper()}@cadencia.example", "In-Reply-To: <x@y.example>")
    assert answered(session, raw) == (sent.id, "replied")
    forged = answer(f"Delivered-To: respuestas+{sent.id.hex}{'0' * 12}@cadencia.example")
    assert answered(session, forged) is None


@pytest.mark.parametrize(
    "columns", [{"sent_at": NOW - timedelta(days=91)}, {"sent_at": None, "status": "queued"}], ids=["old", "unsent"]
)
def test_an_author_without_a_recent_email_answers_none(session: Session, columns: dict[str, Any]) -> None:
    author = address(session, mail(session, **columns))
    assert answered(session, answer(author=author)) is None


def test_an_automatic_message_that_refers_to_nothing_answers_none(session: Session, sent: Mail) -> None:
    author = address(session, sent)
    assert answered(session, answer("Auto-Submitted: auto-generated", author=author)) is None
    named = answer("Auto-Submitted: auto-replied", f"In-Reply-To: <{SES}@amazonses.com>", author=author)
    assert answered(session, named) == (sent.id, "auto_replied")


@pytest.mark.parametrize(
    "headers",
    [
        ["Received: by mx.example"] * 51,
        [f"Message-ID: <{ids.new().hex}@cadencia.example>"],
    ],
    ids=["hops", "our own"],
)
def test_a_message_in_a_loop_is_dropped(session: Session, sent: Mail, headers: list[str]) -> None:
    assert answered(session, answer(*headers, author=address(session, sent))) is None


def test_our_own_message_is_no_answer(session: Session, sent: Mail) -> None:
    raw = answer(f"In-Reply-To: <{sent.id.hex}@cadencia.example>", author=parseaddr(settings.current().mail_from)[1])
    assert answered(session, raw) is None
    assert session.scalars(select(Event)).all() == []


@pytest.mark.parametrize("author", ["", "no address", "a@b@c", "x" * 5_000, "@", "ana@" + "b." * 200 + "example"])
def test_an_author_without_a_valid_address_answers_none(session: Session, author: str) -> None:
    contact(session)
    assert answered(session, answer(author=author)) is None
