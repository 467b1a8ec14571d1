"""Incoming messages are matched to the e-mails that they answer, whatever they contain."""

import re
from random import Random

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.inbound import incoming
from engine.inbound.incoming import Recorded
from models import Event, ids
from tests.mails import NOW, Mail, mail

ANSWER = """From: Ana Prieto <ana.prieto@empresa.example>
To: hola@cadencia.example
Subject: Re: ROI
Message-ID: <answer@empresa.example>
Content-Type: text/plain; charset=utf-8
"""


def name(made: Mail) -> str:
    return f"<{made.id.hex}@cadencia.example>"


def reply(*headers: str, body: str = "Me interesa.") -> bytes:
    return (ANSWER + "\n".join(headers) + "\n\n" + body).replace("\n", "\r\n").encode()


def test_record_stores_a_reply_as_an_event_of_the_email_it_answers(session: Session) -> None:
    sent = mail(session)
    raw = reply(f"In-Reply-To: {name(sent)}")
    assert incoming.record(session, raw, now=NOW) == Recorded(sent.id, "replied", is_new=True)
    [event] = session.scalars(select(Event)).all()
    assert (event.email_id, event.event_type, event.timestamp, event.source) == (sent.id, "replied", NOW, "human")


def test_record_stores_no_text_and_no_address(session: Session) -> None:
    sent = mail(session)
    incoming.record(session, reply(f"In-Reply-To: {name(sent)}"), now=NOW)
    kept = str([vars(event) for event in session.scalars(select(Event))])
    assert not re.search(r"ana|empresa|interesa|answer@", kept, re.IGNORECASE)


@pytest.mark.parametrize("headers", [(), ("Message-ID:",)])
def test_record_stores_a_message_once_if_it_is_delivered_twice(session: Session, headers: tuple[str, ...]) -> None:
    sent = mail(session)
    raw = reply(f"In-Reply-To: {name(sent)}")
    if headers:
        raw = re.sub(rb"Message-ID: \S+", headers[0].encode(), raw)
    assert [incoming.record(session, raw, now=NOW).is_new for _ in range(2)] == [True, False]


def test_record_prefers_in_reply_to_and_then_the_newest_reference(session: Session) -> None:
    first, second, third = mail(session), mail(session), mail(session)
    references = f"References: {name(first)}\n {name(second)} <other@empresa.example>"
    unknown = f"In-Reply-To: <{ids.new().hex}@cadencia.example>"
    answered = [
        incoming.record(session, reply(*headers), now=NOW)
        for headers in [(references, f"In-Reply-To: {name(third)}"), (references,), (references, unknown)]
    ]
    assert [reply and reply.email_id for reply in answered] == [third.id, second.id, second.id]


def test_record_reads_an_id_in_capitals_or_with_another_domain(session: Session) -> None:
    sent = mail(session)
    raw = reply(f"In-Reply-To: < {sent.id.hex.upper()}@old.example>")
    assert incoming.record(session, raw, now=NOW) == Recorded(sent.id, "replied", is_new=True)


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ("In-Reply-To: <answer@empresa.example>",),
        (f"In-Reply-To: <{ids.new().hex}@cadencia.example>",),
        ("In-Reply-To: <0123456789abcdef@cadencia.example>",),
    ],
)
def test_record_ignores_a_message_that_answers_none_of_ours(session: Session, headers: tuple[str, ...]) -> None:
    mail(session)
    assert incoming.record(session, reply(*headers), now=NOW) is None
    assert session.scalars(select(Event)).all() == []


@pytest.mark.parametrize("kind", ["delivery-status", "disposition-notification"])
def test_record_ignores_a_report(session: Session, kind: str) -> None:
    sent = mail(session)
    header = f'Content-Type: multipart/report; report-type={kind}; boundary="b"'
    raw = re.sub(rb"Content-Type: text/plain; charset=utf-8", header.encode(), reply(f"In-Reply-To: {name(sent)}"))
    assert incoming.record(session, raw, now=NOW) is None


def test_record_distinguishes_automatic_replies(session: Session) -> None:
    sent = mail(session)
    raw = reply(f"In-Reply-To: {name(sent)}", "Auto-Submitted: auto-replied")
    assert incoming.record(session, raw, now=NOW) == Recorded(sent.id, "auto_replied", is_new=True)
    assert session.scalars(select(Event.source)).all() == ["machine"]


def test_record_accepts_any_bytes(session: Session) -> None:
    sent = mail(session)
    whole = reply(
        f"In-Reply-To: {name(sent)}", "Subject: =?utf-8?q?Qu=C3=A9_tal?=", "References: <a@b>", body="x" * 500
    )
    random = Random(2822)
    noise = [b"", b"\0", b"\r\n\r\n", b":", b"In-Reply-To", b"\xff\xfe" * 40, "Subject: ñ€".encode(), bytes(range(256))]
    for _ in range(400):
        mangled = bytearray(whole)
        for _ in range(random.randint(1, 12)):
            mangled[random.randrange(len(mangled))] = random.randrange(256)
        noise.append(bytes(mangled[: random.randrange(len(mangled))]))
    answered = [incoming.record(session, raw, now=NOW) for raw in noise]
    assert {reply.email_id for reply in answered if reply} == {sent.id}
