"""The audit of the demo: compares the ledger with the inbox, message by message, and with the recipients' actions."""

import email
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from email import policy
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from engine.delivery import audit
from engine.forms import definitions
from local.mail.mailstore import Mailstore
from models import vault

_EMAILS = text("""
    SELECT e.id, e.message_id, e.status, e.sent_at, e.step, e.opened_at, e.clicked_at, e.converted_at, e.replied_at,
           e.unsubscribed_at, c.email, c.converted,
           CASE e.step WHEN 1 THEN c.email_1_opened WHEN 2 THEN c.email_2_opened ELSE c.email_3_opened END AS opened,
           CASE e.step WHEN 1 THEN c.email_1_clicked WHEN 2 THEN c.email_2_clicked ELSE c.email_3_clicked END AS clicked
      FROM emails e JOIN contacts c ON c.id = e.contact_id
""")
_UNFINISHED = text("""
    SELECT c.id FROM contacts c LEFT JOIN enrollments n ON n.contact_id = c.id
     WHERE NOT c.is_recipient AND (n.id IS NULL OR n.state NOT IN ('finished', 'stopped')
                                   OR (n.state = 'stopped' AND n.stop_reason IS NULL))
""")
# With a day per second a slow machine may read the e-mail more than a week after the form was sent.
_UNCONFIRMED = text("""
    SELECT s.id, coalesce(e.clicked_at > s.submitted_at + :valid, FALSE) AS was_late
      FROM form_submissions s LEFT JOIN emails e ON e.id = s.email_id WHERE s.state <> 'confirmed' ORDER BY s.id
""")
_UNAPPLIED = text("SELECT id FROM events WHERE applied_at IS NULL")
# An e-mail that is claimed when a stop is committed cannot be recalled, and with a day per second that moment is an
# hour of product time. But a claim that starts after the commit must not claim the e-mail. The stop is the last update
# of its enrollment's row; `started_at` is the start of the claim. The second between them allows for slow disks: a
# commit gets its timestamp before it is flushed, and becomes visible only afterwards.
_CLAIMED_LATE = text("""
    SELECT DISTINCT m.id FROM send_groups g CROSS JOIN unnest(g.members) AS m(id) LEFT JOIN emails e ON e.id = m.id
      JOIN enrollments n ON n.id = CASE WHEN g.campaign_id IS NULL THEN e.enrollment_id ELSE m.id END
     WHERE n.state = 'stopped' AND g.started_at > pg_xact_commit_timestamp(n.xmin) + interval '1 second'
""")

# The column of the e-mail that records each action of a recipient.
_COLUMN_OF = {
    "opened": "opened_at",
    "clicked": "clicked_at",
    "converted": "converted_at",
    "replied": "replied_at",
    "unsubscribed": "unsubscribed_at",
}


def findings(session: Session, store: Mailstore, actions: Mapping[str, set[str]]) -> list[str]:
    """Return every inconsistency; empty if there is none. Reads only."""
    account = audit.run(session)
    rows = session.execute(_EMAILS).all()
    return [
        *(str(finding) for finding in account.findings),
        *_deliveries(rows, store),
        *_actions(rows, actions),
        *(f"e-mail {email_id}: claimed after its sequence was stopped" for email_id in session.scalars(_CLAIMED_LATE)),
        *(f"contact {contact_id}: its campaign has no recorded end" for contact_id in session.scalars(_UNFINISHED)),
        *(f"submission {each.id}: was not confirmed" for each in _unconfirmed(session) if not each.was_late),
        *(f"event {event_id}: never applied" for event_id in session.scalars(_UNAPPLIED)),
    ]


def late_signups(session: Session) -> int:
    """Return how many people pressed the button of their sign-up after it had expired."""
    return sum(each.was_late for each in _unconfirmed(session))


def _unconfirmed(session: Session) -> Sequence[Row[Any]]:
    return session.execute(_UNCONFIRMED, {"valid": definitions.VALID}).all()


def _deliveries(rows: Sequence[Row[Any]], store: Mailstore) -> Iterator[str]:
    """Check that every e-mail recorded as sent arrived once, at its contact, and no other arrived."""
    arrived: Counter[tuple[str, str]] = Counter()
    for stored in store.since(0):
        message = email.message_from_bytes(stored.raw, policy=policy.default)
        arrived[str(message["Message-ID"]).strip("<>"), stored.recipients[0].casefold()] += 1
    recorded = {(row.message_id, vault.current().decrypt(row.email).casefold()): row for row in rows}
    for key, row in recorded.items():
        times = arrived.pop(key, 0)
        if row.status == "in_doubt":
            if times > 1:
                yield f"e-mail {row.id}: in doubt, and arrived {times} times"
        elif times != (row.sent_at is not None):
            yield f"e-mail {row.id}: recorded as {row.status}, arrived {times} times"
    for (message_id, _), times in arrived.items():
        yield f"e-mail {message_id}: arrived {times} times, and the ledger has no row of it"


def _actions(rows: Sequence[Row[Any]], actions: Mapping[str, set[str]]) -> Iterator[str]:
    """Check that each e-mail and its contact's flags record exactly the actions of its recipient."""
    for row in (row for row in rows if row.step):  # the others ask for confirmations
        done = actions.get(f"<{row.message_id}>", set())
        for action, column in _COLUMN_OF.items():
            if (action in done) != (getattr(row, column) is not None):
                yield f"e-mail {row.id}: {action} {'' if action in done else 'not '}done, but {column} says otherwise"
        flags = {"opened": row.opened, "clicked": row.clicked}
        for action in ("opened", "clicked"):
            if (action in done) != flags[action]:
                yield f"e-mail {row.id}: its contact's flag email_{row.step}_{action} says otherwise"
        if "converted" in done and not row.converted:
            yield f"e-mail {row.id}: its contact converted, but has no flag for it"
