"""Test sends: e-mails that show a template to colleagues; they are in no count and concern no contact's sequences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.audience import addresses, suppressions
from engine.campaigns import decisions
from engine.campaigns.decisions import Facts, Skip
from engine.delivery import outbox
from engine.delivery.outbox import SendRequest
from engine.messages import subjects
from engine.templates.templates import Template
from errors import Fault, InvalidInput
from models import arrays, vault
from models.email import TEST

ADDRESSES_MAX = 5
LANE = "transactional"
_WORDS = {
    "invalid": "is no address; give one such as name@company.example",
    "bounced": "does not exist, as a mail server said; no e-mail goes there",
    "complained": "complained about an e-mail of ours; no e-mail goes there",
    "erased": "had its data erased; no e-mail goes there",
}
_STATUSES = text("""
SELECT e.id, e.status, e.sent_at, e.reason, e.response, c.email FROM emails e JOIN contacts c ON c.id = e.contact_id
 WHERE e.id = ANY(CAST(:ids AS uuid[])) AND e.kind = 'test' AND e.template = :template
""")


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a test, with the mail server's reply; `to` is None if no key decrypts it."""

    email_id: UUID
    to: str | None
    status: str
    sent_at: datetime | None
    reason: str | None
    response: str | None


class RefusedAddresses(InvalidInput):
    """Some addresses cannot get a test; `codes` has `invalid`, `bounced`, `complained` or `erased` by position."""

    def __init__(self, codes: Mapping[int, str]) -> None:
        super().__init__([Fault(f"to[{index}]", _WORDS[code]) for index, code in codes.items()])
        self.codes = codes


def send(
    session: Session, template: Template, to: Sequence[str], variables: Mapping[str, Any], *, now: datetime
) -> list[UUID]:
    """Queue a test to each of these addresses and return the ids, in their order; a repeated address gets one.

    Queue none and raise RefusedAddresses if an address is invalid or may not be mailed, InvalidInput if the template
    cannot be rendered with these variables. Commit, then ring the bell of `LANE`.
    """
    recipients = _recipients(session, to, now)
    faults = template.check(variables)
    if faults:
        raise InvalidInput(faults)
    subject = subjects.of_test(template.subject(variables), template.language)
    requests = [
        SendRequest(each, template.name, subject, variables, kind=TEST, lane=LANE, template_version=template.version)
        for each in recipients
    ]
    return outbox.add(session, requests, now=now)


def statuses(session: Session, template: str, email_ids: Sequence[UUID]) -> list[Status]:
    """Return the states of these tests of a template, in the order of `email_ids`; others are left out."""
    values = {"ids": arrays.uuids(email_ids), "template": template}
    rows = {row.id: row for row in session.execute(_STATUSES, values)}
    recipients = vault.current().decrypt_all([row.email for row in rows.values()])
    to = dict(zip(rows, recipients, strict=True))
    return [
        Status(row.id, to[row.id], row.status, row.sent_at, row.reason, row.response)
        for email_id in email_ids
        if (row := rows.get(email_id))
    ]


def _recipients(session: Session, to: Sequence[str], now: datetime) -> list[str]:
    """Return the normalised addresses; raise an error with the faults of all."""
    if not 0 < len(to) <= ADDRESSES_MAX:
        raise InvalidInput.of("to", f"give 1 to {ADDRESSES_MAX} addresses; there are {len(to)}")
    recipients: list[str] = []
    codes: dict[int, str] = {}
    for index, written in enumerate(to):
        try:
            recipients.append(addresses.normalise(written))
        except InvalidInput:
            codes[index] = "invalid"
            continue
        if code := _refusal(session, recipients[-1], now):
            codes[index] = code
    if codes:
        raise RefusedAddresses(codes)
    return list(dict.fromkeys(recipients))


def _refusal(session: Session, address: str, now: datetime) -> str | None:
    """Return the reason for which a claim would cancel a test to this address, or None."""
    suppression = suppressions.of_index(session, vault.current().blind_index(address))
    decision = decisions.decide(
        Facts(suppression.reason if suppression else None, is_enrolled=False, kind=TEST), None, now
    )
    return decision.code if isinstance(decision, Skip) else None
