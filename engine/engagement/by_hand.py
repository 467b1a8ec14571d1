"""Suppress, release, pause and erase a contact by hand; an address can be suppressed and released without one."""

import os
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from engine.audience import contact_flags, contacts, preferences, recipients, suppressions
from engine.campaigns import enrollments, stops
from engine.delivery import emails
from engine.tracking import retention
from errors import Conflict, NotFound
from models import vault

# Of the reasons that can be lifted by naming them.
_WHY = {
    "unsubscribed": "the person unsubscribed",
    "hard_bounce": "the address is dead",
    "complaint": "the person complained",
}


class Person(NamedTuple):
    """The blind index of an address, and its contact if there is one."""

    key: bytes
    contact_id: UUID | None


def by_id(session: Session, contact_id: UUID) -> Person:
    """Return the person of a contact; raises NotFound."""
    return Person(contacts.index_of(session, contact_id), contact_id)


def by_address(session: Session, address: str) -> Person:
    """Return the person of a normalised address, who need not be a contact."""
    return Person(vault.current().blind_index(address), contacts.find(session, address))


def by_index(session: Session, index: bytes) -> Person:
    """Return the person of a blind index, who need not be a contact."""
    return Person(index, contacts.find_index(session, index))


def suppress(session: Session, person: Person, *, now: datetime) -> int:
    """Suppress the address as `manual`, and stop the contact's sequences; return how many were running.

    No marketing e-mail goes out to the address any more, also if it is imported later. A stronger reason stays. Safe to
    repeat.
    """
    suppressions.add_indexes(session, [person.key], "manual", now=now)
    if person.contact_id is None:
        return 0
    contact_flags.lock(session, [person.contact_id])
    return stops.stop(session, [person.contact_id], "suppressed", now=now)


def release(session: Session, person: Person, *, even: str | None = None, now: datetime) -> str | None:
    """End the suppression by hand; return the reason that remains, such as an unsubscription behind it.

    Another reason is lifted only if `even` names it, since it is not ours: `unsubscribed`, `hard_bounce` or
    `complaint`. Stopped sequences stay stopped. Raises NotFound if the address is not suppressed; Conflict if it is for
    another reason.
    """
    suppression = suppressions.of_index(session, person.key)
    if suppression is None:
        raise NotFound("suppression: this address has none")
    if suppression.reason not in ("manual", even) or suppression.reason == "erased":
        cause = f"{_WHY.get(suppression.reason, 'its contact was erased')} (since {suppression.since:%Y-%m-%d})"
        advice = (
            f"; name the reason to release it nevertheless: {suppression.reason}" if suppression.reason in _WHY else ""
        )
        raise Conflict(f"suppression: {suppression.reason}, {cause}{advice}")
    suppressions.lift_index(session, person.key, reasons=(suppression.reason,))
    if person.contact_id is not None:
        contact_flags.lock(session, [person.contact_id])
        contacts.note_release(session, person.contact_id, now=now)
        if suppression.reason in _WHY:
            contact_flags.restore_status(session, person.contact_id, stops.BY_SUPPRESSION[suppression.reason])
            contact_flags.recompute(session, [person.contact_id], now=now)
    remaining = suppressions.of_index(session, person.key)
    return None if remaining is None else remaining.reason


def pause(session: Session, contact_id: UUID, *, until: datetime, now: datetime) -> None:
    """Pause marketing e-mails to the contact until `until`, in place of an earlier pause; `now` ends it.

    E-mails that waited for the end of the earlier pause are due at the new end and decided again. Sequences continue
    then. Safe to repeat. Raises NotFound; an erased contact stays as it is.
    """
    contacts.index_of(session, contact_id)
    paused_until = preferences.set_pause(session, contact_id, until=until, now=now)
    if paused_until is not None and paused_until != until:
        emails.end_pause(session, contact_id, paused_until, now=until)
        enrollments.end_pause(session, contact_id, paused_until, now=until)


def erase(session: Session, contact_id: UUID, *, now: datetime) -> None:
    """Erase the personal data of a contact: address, details, variables, and the data of its events.

    Its e-mails and events remain, for the counts, without anything that names the person. The address stays suppressed
    by its blind index, also if it is imported later. Sequences are stopped, queued e-mails of every kind cancelled.
    `forms.people.erase` also erases what forms keep.

    Safe to repeat. Raises NotFound; Conflict while an e-mail to the contact is being sent: `suppress` it, commit, and
    repeat this in a minute.
    """
    index = contacts.index_of(session, contact_id)
    if contacts.view(session, contact_id).erased_at is not None:
        return
    suppressions.add_indexes(session, [index], "manual", now=now)
    stops.stop(session, [contact_id], "erased", now=now)
    emails.erase(session, contact_id, reason="erased")
    if emails.is_in_flight(session, contact_id):
        raise Conflict("contact: an e-mail to it is being sent; repeat in a minute")
    retention.erase(session, contact_id)
    contact_flags.lock(session, [contact_id])
    replacement = os.urandom(len(index))  # no address has it: a person who comes back is a new contact
    contacts.erase(session, contact_id, replacement, now=now)
    suppressions.add_indexes(session, [replacement], "erased", now=now)


def erase_recipient(session: Session, recipient_id: UUID, *, now: datetime) -> bool:
    """Erase the personal data of a recipient, its e-mails and their events; return False while one is being sent."""
    emails.erase(session, recipient_id, reason="erased")
    if emails.is_in_flight(session, recipient_id):
        return False
    retention.erase(session, recipient_id)
    recipients.erase(session, recipient_id, now=now)
    return True


def remove_recipients(session: Session, *, before: datetime, limit: int, now: datetime) -> int:
    """Delete recipients that were erased before `before`, a page of them; return their number.

    Their e-mails stay in the ledger, as those of one erased recipient that stands for all. Safe to run twice at once.
    """
    removed = recipients.to_remove(session, before=before, limit=limit)
    if removed:
        emails.reassign(session, removed, recipients.nobody(session, now=now))
        recipients.remove(session, removed)
    return len(removed)
