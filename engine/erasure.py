"""Erase a person: the contact, and what forms keep of the same address."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from engine.audience import contacts, recipients
from engine.engagement import by_hand
from engine.forms import consents
from errors import Conflict


def suppress_and_erase(
    run: Callable[[Callable[[Session], object]], object], contact_id: UUID, *, now: datetime
) -> None:
    """Suppress the contact, commit, and erase it, each in a transaction that `run` opens; raises what they raise.

    So nothing more goes out to it, also if the erasure must be repeated.
    """
    run(lambda session: by_hand.suppress(session, by_hand.by_id(session, contact_id), now=now))
    run(lambda session: erase(session, contact_id, now=now))


def erase(session: Session, contact_id: UUID, *, now: datetime) -> None:
    """Erase a contact as `by_hand.erase` does, its sign-ups that wait, and all of its consents but their proof.

    The proof is the form, the moments and the version of the text. Safe to repeat. Raises NotFound; Conflict while an
    e-mail to the address is being sent.
    """
    index = contacts.index_of(session, contact_id)
    address = contacts.view(session, contact_id).email
    by_hand.erase(session, contact_id, now=now)
    consents.erase(session, contact_id, index)
    recipient_id = recipients.find(session, address) if address else None
    if recipient_id is not None and not by_hand.erase_recipient(session, recipient_id, now=now):
        raise Conflict("contact: an e-mail to it is being sent; repeat in a minute")
