"""The timeline of a contact: all that happened to it and to its e-mails, newest first, in pages."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from errors import InvalidInput
from models import ids

LIMIT = 50
_NOBODY = UUID(int=0)

# Moments of an e-mail, each the first of its kind; `…_at` columns.
OF_EMAILS = ("sent", "opened", "clicked", "machine_opened", "machine_clicked", "converted", "replied", "unsubscribed",
             "bounced", "complained")  # fmt: skip
OF_CONTACTS = ("created", "listed", "converted_by_hand", "released", "erased")
KINDS = ("accepted", "failed", "cancelled", "in_doubt", *OF_EMAILS, *OF_CONTACTS, "enrolled", "stopped", "suppressed")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened: its kind, one of `KINDS`, and the e-mail or campaign that it is about, if any.

    `reason` is that of a stop, of a suppression, or of an e-mail that was not sent.
    """

    at: datetime
    kind: str
    email_id: UUID | None
    campaign_id: UUID | None
    campaign: str | None
    step: int | None
    template: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, newest first, and the position before which the next page begins; None after the last page."""

    entries: tuple[Entry, ...]
    before: str | None


# An e-mail that ended unsent has no moment of its end, so it stands at the moment of its acceptance.
_UNSENT = """(CASE WHEN e.status IN ('failed', 'cancelled', 'in_doubt') THEN e.status
                   WHEN e.campaign_id IS NULL OR e.sent_at IS NULL THEN 'accepted' END)"""
_MOMENTS = {**{f"'{kind}'": f"e.{kind}_at" for kind in OF_EMAILS}, _UNSENT: "e.accepted_at"}
_BEFORE = "(CAST(:at AS timestamptz), CAST(:id AS uuid), :kind)"
# The entries of a page belong to the e-mails with the newest moments before its position. To find those is three times
# as fast as to sort all moments of all e-mails.
_NEWEST = ", ".join(
    f"CASE WHEN {kind} IS NOT NULL AND ({at}, e.id, {kind}) < {_BEFORE} THEN {at} END" for kind, at in _MOMENTS.items()
)
_PAGE = text(f"""
WITH listed AS (
    SELECT e.*, greatest({_NEWEST}) AS newest FROM emails e WHERE e.contact_id = :contact_id
), newest AS (
    SELECT * FROM listed WHERE newest IS NOT NULL
     ORDER BY newest DESC FETCH FIRST (CAST(:limit AS bigint)) ROWS WITH TIES
), happened AS (
    SELECT v.at, v.kind, e.id, e.campaign_id, e.step, e.template,
           CASE WHEN v.kind = 'cancelled' THEN e.reason
                WHEN v.kind IN ('failed', 'bounced') THEN concat_ws(': ', e.reason, e.response) END AS reason
      FROM newest e CROSS JOIN LATERAL (VALUES
           {", ".join(f"({kind}, {at})" for kind, at in _MOMENTS.items())}) AS v (kind, at)
     WHERE v.at IS NOT NULL AND v.kind IS NOT NULL
    UNION ALL
    SELECT v.at, v.kind, v.id, n.campaign_id, NULL, NULL, v.reason
      FROM enrollments n CROSS JOIN LATERAL (VALUES
           ('enrolled', n.created_at, n.id, NULL),
           ('stopped', n.stopped_at, n.id, n.stop_reason)) AS v (kind, at, id, reason)
     WHERE n.contact_id = :contact_id AND v.at IS NOT NULL
    UNION ALL
    SELECT v.at, v.kind, CAST(:nobody AS uuid), NULL, NULL, NULL, NULL
      FROM contacts c CROSS JOIN LATERAL (VALUES
           ('created', c.created_at), ('listed', c.listed_at), ('released', c.released_at), ('erased', c.erased_at),
           ('converted_by_hand', CASE WHEN c.converted_at IS NOT NULL AND NOT EXISTS (
               SELECT FROM emails e WHERE e.contact_id = c.id AND e.converted_at = c.converted_at
           ) THEN c.converted_at END)) AS v (kind, at)
     WHERE c.id = :contact_id AND v.at IS NOT NULL
    UNION ALL
    SELECT s.since, 'suppressed', CAST(:nobody AS uuid), NULL, NULL, NULL, s.reason
      FROM contacts c JOIN suppressions s ON s.email_index = c.email_index WHERE c.id = :contact_id
)
SELECT happened.*, campaigns.name AS campaign FROM (
    SELECT * FROM happened WHERE (at, id, kind) < {_BEFORE}
     ORDER BY at DESC, id DESC, kind DESC LIMIT :limit) AS happened
  LEFT JOIN campaigns ON campaigns.id = happened.campaign_id
 ORDER BY happened.at DESC, happened.id DESC, happened.kind DESC
""")  # noqa: S608  # constants only


def page(session: Session, contact_id: UUID, *, before: str | None = None, limit: int = LIMIT) -> Page:
    """Return up to `limit` entries of a contact; reads all its e-mails, by their index.

    Raises InvalidInput for a `before` that no page returned.
    """
    at = {"at": "infinity", "id": _NOBODY, "kind": ""} if before is None else _read(before)
    values = {"contact_id": contact_id, "nobody": _NOBODY, "limit": limit + 1, **at}
    rows = session.execute(_PAGE, values).all()
    return Page(tuple(map(_entry, rows[:limit])), _written(rows[limit - 1]) if len(rows) > limit else None)


def _entry(row: Row[Any]) -> Entry:
    is_email = row.template is not None
    return Entry(
        at=row.at,
        kind=row.kind,
        email_id=row.id if is_email else None,
        campaign_id=row.campaign_id,
        campaign=row.campaign,
        step=row.step,
        template=row.template,
        reason=row.reason,
    )


def _written(row: Row[Any]) -> str:
    return f"{ids.microseconds(row.at)}.{row.id.hex}.{row.kind}"


def _read(before: str) -> dict[str, object]:
    try:
        number, at_id, kind = before.split(".")
        return {"at": ids.moment_at(int(number)), "id": UUID(at_id), "kind": kind.replace("\0", "")}
    except (ValueError, OverflowError):
        raise InvalidInput.of("before", "give the `before` of the page before") from None
