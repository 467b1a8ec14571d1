"""Outcomes of e-mails that cannot be decrypted: a damaged row fails its own, a missing key is the host's fault."""

import logging
from collections.abc import Sequence

from engine.audience import unreadable
from engine.delivery.claim import ClaimedEmail
from engine.delivery.outcomes import Outcome, Phase, Rejected, Untried
from models.session import transaction

log = logging.getLogger("cadencia.sending")

_DAMAGED = Rejected(
    Phase.CONNECT, 0, None, "its address or its variables are damaged and cannot be decrypted", dead_address=False,
    reason="undecryptable",
)  # fmt: skip
_NO_KEY = Untried("no key in FERNET_KEYS of this host decrypts its address or its variables")


def outcomes(emails: Sequence[ClaimedEmail]) -> dict[int, Outcome]:
    """Return the outcome of each e-mail of a group that cannot be decrypted, by slot."""
    slots = [slot for slot, email in enumerate(emails) if not email.to]
    if not slots:
        return {}
    with transaction() as session:
        damaged = unreadable.damaged(session, {emails[slot].email_id: emails[slot].contact_id for slot in slots})
    log.error("undecryptable damaged=%d without_key=%d", len(damaged), len(slots) - len(damaged))
    return {slot: _DAMAGED if emails[slot].email_id in damaged else _NO_KEY for slot in slots}
