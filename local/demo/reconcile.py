"""The ledger held against the inbox, message by message, and against what the recipients did."""

import email
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from email import policy
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from engine.delivery import audit
from local.mail.mailstore import Mailstore
from models import vault

_MAILS = text("""
    SELECT e.id, e.message_id, e.status, e.sent_at, e.step, e.opened_at, e.clicked_at, e.converted_at, e.replied_at,
           e.unsubscribed_at, c.email, c.converted,
           CASE e.step WHEN 1 THEN c.email_1_opened WHEN 2 THEN c.email_2_opened ELSE c.email_3_opened END AS opened,
           CASE e.step WHEN 1 THEN c.email_1_clicked WHEN 2 THEN c.email_2_clicked ELSE c.email_3_clicked END AS clicked
      FROM emails e JOIN contacts c ON c.id = e.contact_id JOIN enrollments n ON n.id = e.enrollment_id
""")
_UNTOLD = text("""
    SELECT c.id FROM contacts c LEFT JOIN enrollments n ON n.contact_id = c.id
     WHERE n.id IS NULL OR n.state NOT IN ('finished', 'stopped') OR (n.state = 'stopped' AND n.stop_reason IS NULL)
""")
_UNAPPLIED = text("SELECT id FROM events WHERE applied_at IS NULL")
# A mail that a sender has in hand when a stop is committed cannot be called back, and with a day in a second that
# moment is an hour of product time. What no sender may do is begin a claim after the commit and still take the mail.
# The stop is the last writing of its enrollment's row, `started_at` the claim's beginning. The second in between is
# for slow disks: a commit has its timestamp before it is flushed, and is seen by others only after.
_TAKEN_LATE = text("""
    SELECT DISTINCT m.id FROM send_groups g CROSS JOIN unnest(g.members) AS m(id) LEFT JOIN emails e ON e.id = m.id
      JOIN enrollments n ON n.id = CASE WHEN g.campaign_id IS NULL THEN e.enrollment_id ELSE m.id END
     WHERE n.state = 'stopped' AND g.started_at > pg_xact_commit_timestamp(n.xmin) + interval '1 second'
""")

# What a recipient did, and the column of its mail that tells.
_TOLD_BY = {
    "opened": "opened_at",
    "clicked": "clicked_at",
    "converted": "converted_at",
    "replied": "replied_at",
    "unsubscribed": "unsubscribed_at",
}


def findings(session: Session, store: Mailstore, deeds: Mapping[str, set[str]]) -> list[str]:
    """Everything that does not agree; empty when all does. Reads only."""
    account = audit.run(session)
    rows = session.execute(_MAILS).all()
    return [
        *(str(finding) for finding in account.findings),
        *_deliveries(rows, store),
        *_deeds(rows, deeds),
        *(f"mail {found}: taken in hand after its sequence was stopped" for found in session.scalars(_TAKEN_LATE)),
        *(f"contact {found}: nobody can say how its campaign ended" for found in session.scalars(_UNTOLD)),
        *(f"event {found}: never applied" for found in session.scalars(_UNAPPLIED)),
    ]


def _deliveries(rows: Sequence[Row[Any]], store: Mailstore) -> Iterator[str]:
    """Every mail recorded as sent arrived once, at its contact; no other did."""
    arrived: Counter[tuple[str, str]] = Counter()
    for mail in store.since(0):
        message = email.message_from_bytes(mail.raw, policy=policy.default)
        arrived[str(message["Message-ID"]).strip("<>"), mail.recipients[0].casefold()] += 1
    recorded = {(row.message_id, vault.current().decrypt(row.email).casefold()): row for row in rows}
    for key, row in recorded.items():
        times = arrived.pop(key, 0)
        if row.status == "in_doubt":
            if times > 1:
                yield f"mail {row.id}: in doubt, and arrived {times} times"
        elif times != (row.sent_at is not None):
            yield f"mail {row.id}: recorded as {row.status}, arrived {times} times"
    for (message_id, _), times in arrived.items():
        yield f"mail {message_id}: arrived {times} times, and the ledger does not know of it"


def _deeds(rows: Sequence[Row[Any]], deeds: Mapping[str, set[str]]) -> Iterator[str]:
    """What each recipient did with a mail is what the mail's row and the contact's flags tell; no more, no less."""
    for row in rows:
        done = deeds.get(f"<{row.message_id}>", set())
        for deed, column in _TOLD_BY.items():
            if (deed in done) != (getattr(row, column) is not None):
                yield f"mail {row.id}: {deed} {'' if deed in done else 'not '}done, and {column} tells otherwise"
        flags = {"opened": row.opened, "clicked": row.clicked}
        for deed in ("opened", "clicked"):
            if (deed in done) != flags[deed]:
                yield f"mail {row.id}: its contact's flag email_{row.step}_{deed} tells otherwise"
        if "converted" in done and not row.converted:
            yield f"mail {row.id}: its contact converted, and is not flagged so"
