"""Reports of mail systems become bounces (RFC 3464) and complaints (RFC 5965) of the e-mails that they are about."""

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

import settings
from engine.engagement import reactions
from engine.inbound import incoming
from engine.tracking.address_tags import AddressTags
from models import Contact, Event
from tests.mails import NOW, Mail, campaign, campaign_mail

DEAD = "Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 <{to}>: user unknown\n"


def report(to: str, fields: str = DEAD, *, original: str = "", headers: str = "") -> bytes:
    """Return a report as postfix writes it, with `original` as the headers of the returned message."""
    whole = f"""Return-Path: <>
From: MAILER-DAEMON@mx.empresa.example
To: hola@cadencia.example
Subject: Undelivered Mail Returned to Sender
Message-ID: <report@mx.empresa.example>
{headers}Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b

I'm sorry to have to inform you that your message could not be delivered.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.empresa.example

Final-Recipient: rfc822; {to}
{fields.replace("{to}", to)}
--b
Content-Type: text/rfc822-headers

From: Cadencia <hola@cadencia.example>
{original}
--b--
"""
    return whole.replace("\n", "\r\n").encode()


@pytest.fixture
def sent(session: Session) -> Mail:
    """An e-mail of a running sequence."""
    return campaign_mail(session, campaign(session), response="250 Ok 0102018f6a7b1111-aaaa-000000")


def address(session: Session, sent: Mail) -> str:
    return session.get_one(Contact, sent.contact_id).email


def returned(sent: Mail) -> str:
    return f"Message-ID: <{sent.id.hex}@cadencia.example>"


def effects(session: Session) -> tuple[str, str, int]:
    """Return the status of the e-mail, the state of its enrollment and the number of suppressions, after reacting."""
    reactions.apply(session, now=NOW)
    return tuple(
        session.execute(
            text("SELECT emails.status, state, (SELECT count(*) FROM suppressions) FROM emails, enrollments")
        ).one()
    )


def test_a_dead_address_is_suppressed_and_its_sequence_ends(session: Session, sent: Mail) -> None:
    raw = report(address(session, sent), original=returned(sent))
    assert incoming.record(session, raw, now=NOW) == incoming.Recorded(sent.id, "bounced", is_new=True)
    assert incoming.record(session, raw, now=NOW) == incoming.Recorded(sent.id, "bounced", is_new=False)
    assert effects(session) == ("bounced", "stopped", 1)


def test_no_address_is_stored(session: Session, sent: Mail) -> None:
    to = address(session, sent)
    incoming.record(session, report(to, original=returned(sent)), now=NOW)
    [data] = session.scalars(select(Event.event_data)).all()
    assert data == {"hard": True, "status": "5.1.1", "response": "550 5.1.1 <[address]>: user unknown"}


@pytest.mark.parametrize(
    "fields",
    [
        "Action: failed\nStatus: 5.2.2\nDiagnostic-Code: smtp; 552 5.2.2 mailbox full\n",
        "Action: failed\nStatus: 5.7.1\nDiagnostic-Code: smtp; 550 5.7.1 blocked by our policy\n",
        "Action: failed\nStatus: 4.4.7\nDiagnostic-Code: smtp; 450 4.4.7 delivery time expired\n",
        "Action: failed\nStatus: 5.0.0\n",
        "Action: failed\nStatus: 5.1.0\nDiagnostic-Code: smtp; 5.1.0 - Unknown address error 550-'5.2.2 <{to}>... "
        "Mailbox Full' (delivery attempts: 0)\n",
        "Original-Recipient: rfc822; {to}\nFinal-Recipient: rfc822; ana@forwarded.example\nAction: failed\n"
        "Status: 5.1.1\n",
    ],
    ids=["full", "policy", "expired", "bare", "quoted", "forwarded"],
)
def test_a_failure_without_evidence_suppresses_nobody(session: Session, sent: Mail, fields: str) -> None:
    whole = report(address(session, sent), fields, original=returned(sent))
    if b"forwarded" in whole:
        whole = whole.replace(b"Final-Recipient: rfc822; " + address(session, sent).encode() + b"\r\n", b"", 1)
    assert incoming.record(session, whole, now=NOW) == incoming.Recorded(sent.id, "bounced", is_new=True)
    assert effects(session) == ("sent", "active", 0)


@pytest.mark.parametrize("action", ["delayed", "delivered", "relayed"])
def test_a_report_of_no_failure_changes_nothing(session: Session, sent: Mail, action: str) -> None:
    raw = report(address(session, sent), f"Action: {action}\nStatus: 4.4.1\n", original=returned(sent))
    assert incoming.record(session, raw, now=NOW) is None
    assert effects(session) == ("sent", "active", 0)


def test_the_email_is_found_by_the_tag_of_the_return_path(session: Session, sent: Mail) -> None:
    tag = AddressTags(settings.current().tracking_ring).tag(sent.id)
    raw = report("ana@empresa.example", headers=f"Delivered-To: bounces+{tag}@cadencia.example\n")
    assert incoming.record(session, raw, now=NOW) == incoming.Recorded(sent.id, "bounced", is_new=True)


def test_the_email_is_found_by_the_id_that_the_relay_gave_it(session: Session, sent: Mail) -> None:
    original = "Message-ID: <0102018f6a7b1111-aaaa-000000@eu-west-1.amazonses.com>"
    raw = report(address(session, sent), original=original)
    assert incoming.record(session, raw, now=NOW) == incoming.Recorded(sent.id, "bounced", is_new=True)


def test_the_email_is_found_by_its_id_in_a_text(session: Session, sent: Mail) -> None:
    raw = report(address(session, sent), original=f"\r\n> {returned(sent)}\r\n")
    raw = raw.replace(b"text/rfc822-headers", b"text/plain")
    assert incoming.record(session, raw, now=NOW) == incoming.Recorded(sent.id, "bounced", is_new=True)


def test_a_bounce_of_another_email_is_ignored(session: Session, sent: Mail, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    raw = report(address(session, sent), original="Message-ID: <somebody-elses@empresa.example>")
    assert incoming.record(session, raw, now=NOW) is None
    assert [record.getMessage() for record in caplog.records] == ["inbound_ignored reason=report_of_none_of_ours"]


@pytest.mark.parametrize(("kind", "event_type"), [("abuse", "complained"), ("not-spam", None), ("auth-failure", None)])
def test_a_complaint_is_recorded(session: Session, sent: Mail, kind: str, event_type: str | None) -> None:
    feedback = b"message/feedback-report\r\n\r\nFeedback-Type: %s\r\nVersion: 1\r\n\r\n" % kind.encode()
    raw = report(address(session, sent), original=returned(sent)).replace(b"message/delivery-status\r\n\r\n", feedback)
    recorded = incoming.record(session, raw, now=NOW)
    assert (recorded.event_type if recorded else None) == event_type
    assert effects(session) == (("complained", "stopped", 1) if event_type else ("sent", "active", 0))


def test_a_report_nested_too_deeply_is_ignored(session: Session) -> None:
    nested = b"".join(
        b"Content-Type: multipart/report; boundary=b%d\r\n\r\n--b%d\r\n" % (depth, depth) for depth in range(3_000)
    )
    assert incoming.record(session, nested, now=NOW) is None
