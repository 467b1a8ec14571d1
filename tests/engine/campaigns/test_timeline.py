"""The timeline of a contact: complete, newest first, in pages."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.audience import contacts
from engine.campaigns import campaigns
from engine.campaigns.reports import timeline
from engine.engagement import by_hand
from errors import InvalidInput
from models import ids
from tests import sequence
from tests.sequence import NOW

HOUR = timedelta(hours=1)
_EMAIL = """
INSERT INTO emails (id, contact_id, template, subject, lane, kind, message_id, due_at, status, accepted_at, sent_at)
VALUES (:id, :contact, 't', '', 'campaign', :kind, '', :at, 'sent', :at, :at)
"""


def test_a_timeline_has_everything_newest_first(session: Session) -> None:
    (ana,) = sequence.people(session, 1)
    campaigns.launch(session, sequence.create(session, "Otoño"), now=NOW + HOUR)
    sequence.send_due(session, now=NOW + 2 * HOUR)
    moments = ", ".join(f"{kind}_at = :at" for kind in timeline.OF_EMAILS if kind != "sent")
    session.execute(text(f"UPDATE emails SET {moments}"), {"at": NOW + 3 * HOUR})
    by_hand.suppress(session, by_hand.by_id(session, ana), now=NOW + 4 * HOUR)
    by_hand.release(session, by_hand.by_id(session, ana), now=NOW + 5 * HOUR)
    by_hand.suppress(session, by_hand.by_id(session, ana), now=NOW + 6 * HOUR)
    entries = timeline.page(session, ana).entries
    assert [entry.at for entry in entries] == sorted((entry.at for entry in entries), reverse=True)
    kinds = [entry.kind for entry in entries]
    assert kinds[:3] == ["suppressed", "released", "stopped"]
    assert set(kinds[3:]) == {*timeline.OF_EMAILS, "enrolled", "created", "listed"} and len(kinds) == len(set(kinds))
    sent = next(entry for entry in entries if entry.kind == "sent")
    assert (sent.campaign, sent.step, sent.template) == ("Otoño", 1, "email_1_roi")
    assert next(entry for entry in entries if entry.kind == "stopped").reason == "suppressed"


def test_a_conversion_without_an_email_and_an_unsent_email_are_told(session: Session) -> None:
    (ana,) = sequence.people(session, 1)
    campaigns.launch(session, sequence.create(session), now=NOW)
    sequence.send_due(session, sequence.REFUSED, now=NOW)
    session.execute(text("UPDATE contacts SET converted = true, converted_at = :at"), {"at": NOW + HOUR})
    entries = {entry.kind: entry for entry in timeline.page(session, ana).entries}
    assert "converted_by_hand" in entries and "sent" not in entries
    assert "5.7.1" in (entries["failed"].reason or "")


def test_pages_of_any_size_are_the_whole(session: Session) -> None:
    (ana,) = sequence.people(session, 1)
    campaigns.launch(session, sequence.create(session), now=NOW)
    sequence.send_due(session, now=NOW)
    session.execute(text("UPDATE emails SET opened_at = sent_at, clicked_at = sent_at"))
    whole = timeline.page(session, ana)
    assert whole.before is None and len(whole.entries) == 6
    for limit in (1, 2, 5):
        entries: list[timeline.Entry] = []
        before, pages = None, 0
        while pages == 0 or before is not None:
            page = timeline.page(session, ana, before=before, limit=limit)
            entries, before, pages = [*entries, *page.entries], page.before, pages + 1
        assert tuple(entries) == whole.entries and pages == -(-6 // limit)
    for wrong in ("", "1", "x.y.z", f"{ana.hex}.{10**30}.{ana.hex}.sent"):
        with pytest.raises(InvalidInput, match="before"):
            timeline.page(session, ana, before=wrong)


def test_a_page_reads_a_window_of_emails_and_all_windows_are_the_whole(session: Session) -> None:
    (ana,) = sequence.people(session, 1)
    moments = [NOW + number * HOUR for number in range(40)]
    rows = [
        {"id": ids.at(at), "contact": ana, "at": at, "kind": "test" if at.hour % 2 else "marketing"} for at in moments
    ]
    session.execute(text(_EMAIL), rows)
    session.execute(text("UPDATE emails SET opened_at = sent_at + interval '40 hours'"))
    campaigns.launch(session, sequence.create(session), now=NOW)
    whole = timeline.page(session, ana, limit=1000).entries
    for window in (1, 7, 39, 40):
        entries: list[timeline.Entry] = []
        before, pages = None, 0
        while pages == 0 or before is not None:
            page = timeline.page(session, ana, before=before, limit=5, window=window)
            assert page.entries
            entries, before, pages = [*entries, *page.entries], page.before, pages + 1
        assert len(entries) == len(whole) and set(entries) == set(whole)
    assert tuple(entries) == whole
    assert {entry.is_test for entry in whole if entry.kind == "opened"} == {True, False}


def test_an_erased_contact_keeps_its_timeline(session: Session) -> None:
    (ana,) = sequence.people(session, 1)
    by_hand.erase(session, ana, now=NOW + HOUR)
    assert contacts.view(session, ana).erased_at is not None
    assert {entry.kind for entry in timeline.page(session, ana).entries} == {"created", "erased", "suppressed"}
