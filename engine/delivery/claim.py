"""Groups: the messages a sender takes in hand together, from claim to settlement.

queued ─claim─▶ claimed ─start─▶ sending ─settle─▶ sent | failed | in_doubt | queued again. With a connection at
hand, claim and start are one statement. Every transition is guarded by the state and the claim it expects (R8).

Mails that have rows are claimed here; those of a campaign's due step, which have none yet, by `campaigns.due`. The
group names them either way, and both are settled here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from engine.delivery import births, transitions
from engine.delivery.births import Origin
from engine.delivery.outcomes import Outcome
from engine.delivery.transitions import Settled
from engine.messages import variables
from errors import Fenced
from models import arrays, ids, vault


class Member(NamedTuple):
    """One message of a group, with all that composing it takes."""

    email_id: UUID
    message_id: str
    contact_id: UUID
    to: str
    to_name: str | None
    template: str
    variables: Mapping[str, Any]
    kind: str
    campaign_id: UUID | None
    enrollment_id: UUID | None
    step: int | None
    variant: str | None
    attempts: int
    tried_since: datetime


@dataclass(frozen=True, slots=True)
class Dropped:
    """A message that was due but may not go out any more: it was cancelled instead of claimed."""

    email_id: UUID
    contact_id: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class Group:
    """Messages claimed together; `started` once they are recorded as sending. With an `origin` they have no rows."""

    id: UUID
    members: Sequence[Member]
    dropped: Sequence[Dropped]
    started: bool
    origin: Origin | None = None


_CLAIM = text("""
WITH due AS MATERIALIZED (
    SELECT id, contact_id, enrollment_id, kind, accepted_at FROM emails
    WHERE status = 'queued' AND lane = :lane AND due_at <= :now
      AND (campaign_id IS NULL OR campaign_id NOT IN (SELECT id FROM campaigns WHERE state = 'paused'))
    ORDER BY due_at, id LIMIT :limit
    FOR UPDATE SKIP LOCKED
), person AS (
    SELECT due.id, c.email, c.first_name, c.last_name, c.company, c.role, c.industry, c.attributes,
           coalesce(s.reason, n.stop_reason,
                    CASE WHEN due.kind = 'transactional' OR due.enrollment_id IS NOT NULL THEN NULL
                         WHEN c.converted_at > due.accepted_at THEN 'converted'
                         WHEN c.email_followup_status IN ('replied', 'converted')
                              AND EXISTS (SELECT 1 FROM emails r WHERE r.contact_id = c.id
                                                                   AND r.replied_at > due.accepted_at)
                         THEN 'replied' END) AS obstacle,
           CASE WHEN due.kind = 'marketing' THEN c.paused_until END AS pause_ends,
           due.kind = 'marketing' AND c.paused_until > :now AS is_paused
    FROM due
    JOIN contacts c ON c.id = due.contact_id
    LEFT JOIN suppressions s ON s.email_index = c.email_index
         AND (due.kind = 'marketing' OR s.reason IN ('hard_bounce', 'complaint'))
    LEFT JOIN enrollments n ON n.id = due.enrollment_id AND n.state = 'stopped'
)
UPDATE emails e
SET status = CASE WHEN p.obstacle IS NOT NULL THEN 'cancelled' WHEN p.is_paused THEN 'queued' ELSE :status END,
    claim = CASE WHEN p.obstacle IS NULL AND p.is_paused IS NOT TRUE THEN CAST(:group AS uuid) END,
    due_at = CASE WHEN p.is_paused THEN p.pause_ends ELSE e.due_at END,
    reason = CASE WHEN p.obstacle IS NULL AND p.is_paused THEN 'paused' ELSE p.obstacle END
FROM person p WHERE p.id = e.id
RETURNING e.id, e.message_id, e.contact_id, e.template, e.variables, e.kind, e.campaign_id, e.enrollment_id,
          e.step, e.variant, e.attempts, greatest(e.accepted_at, p.pause_ends) AS tried_since, p.obstacle, p.is_paused,
          p.email, p.first_name, p.last_name, p.company, p.role, p.industry, p.attributes
""")

_OPEN = text(
    "INSERT INTO send_groups (id, sender_id, lane, campaign_id, step, is_started, members, leased_until) "
    "VALUES (:group, :sender, :lane, :campaign, :step, :started, CAST(:members AS uuid[]), "
    "now() + make_interval(secs => :lease))"
)


@dataclass(frozen=True, slots=True)
class Hand:
    """Who takes messages of which lane in hand, for how many seconds, and whether it begins to send them at once."""

    sender_id: UUID
    lane: str
    lease_s: float
    started: bool


def open_group(
    session: Session, group_id: UUID, hand: Hand, members: Sequence[UUID], *, step: tuple[UUID, int] | None = None
) -> None:
    """A new open group that names its members; `step` is the campaign and step whose mails have no rows yet."""
    campaign_id, number = step or (None, None)
    values = {"group": group_id, "sender": hand.sender_id, "lane": hand.lane, "campaign": campaign_id, "step": number}
    values |= {"started": hand.started, "lease": hand.lease_s, "members": arrays.uuids(members)}
    session.execute(_OPEN, values)


def claim(session: Session, hand: Hand, *, limit: int, now: datetime) -> Group | None:
    """Take up to `limit` due messages of the lane that have rows in hand, oldest first; None when nothing is due.

    If `hand.started` they are recorded as sending at once. Messages to people who may not be mailed any more are
    cancelled on the way (R13), what a stop stepped over because a sender had it just then among them; those to people
    who asked for a pause are due at its end. Claims of others are stepped over, never waited for (R6).
    """
    group_id = ids.new()
    status = "sending" if hand.started else "claimed"
    values = {"lane": hand.lane, "now": now, "limit": limit, "status": status, "group": group_id}
    rows = session.execute(_CLAIM, values).all()
    if not rows:
        return None
    free = [row for row in rows if row.obstacle is None and not row.is_paused]
    if free:
        open_group(session, group_id, hand, [row.id for row in free])
    campaigns = _campaigns(session, {row.campaign_id for row in free if row.campaign_id})
    members = [_member(row, campaigns.get(row.campaign_id, _NONE)) for row in free]
    dropped = [Dropped(row.id, row.contact_id, row.obstacle) for row in rows if row.obstacle is not None]
    return Group(group_id, members, dropped, hand.started)


def start(session: Session, group: Group) -> None:
    """Record a claimed group as sending; to be committed before its first byte leaves."""
    begin = text("UPDATE send_groups SET is_started = true WHERE id = :group AND state = 'open'")
    _expect(_rowcount(session.execute(begin, {"group": group.id})), 1, group.id)
    if group.origin is None:
        update = text("UPDATE emails SET status = 'sending' WHERE claim = :group AND status = 'claimed'")
        _expect(_rowcount(session.execute(update, {"group": group.id})), len(group.members), group.id)


def renew(session: Session, group_id: UUID, *, lease_s: float) -> None:
    """Lengthen the lease of an open group to `lease_s` seconds from now, by the database's clock."""
    update = text(
        "UPDATE send_groups SET leased_until = now() + make_interval(secs => :lease) "
        "WHERE id = :group AND state = 'open'"
    )
    _expect(_rowcount(session.execute(update, {"group": group_id, "lease": lease_s})), 1, group_id)


def settle(
    session: Session,
    group_id: UUID,
    results: Sequence[tuple[transitions.Attempted, Outcome]],
    *,
    origin: Origin | None = None,
    relay: str | None = None,
    state: str = "settled",
    now: datetime,
    moment: Callable[[int], datetime] | None = None,
) -> list[Settled]:
    """Record what became of every message of a group, over `relay`, and close it; all or, raising Fenced, nothing.

    `moment` is product time at a real one (unix ms); without it, all was sent at `now`. With an `origin` the messages
    get their rows here.
    """
    settled = [transitions.decide(member, outcome, now=now, moment=moment) for member, outcome in results]
    if origin is not None:
        settled = _record_new(session, group_id, origin, settled, relay)
    elif settled:
        _record(session, group_id, settled, relay)
    _close(session, group_id, settled, state)
    return settled


def _record_new(
    session: Session, group_id: UUID, origin: Origin, settled: Sequence[Settled], relay: str | None
) -> list[Settled]:
    decided = [one for one in settled if one.attempts]
    if decided:
        _expect(births.record(session, group_id, origin, decided, relay=relay), len(decided), group_id)
    if len(decided) == len(settled):
        return decided
    return decided + births.hand_back(session, group_id, [one for one in settled if not one.attempts])


_RECORD = text("""
UPDATE emails e
SET status = v.status, sent_at = v.sent_at, due_at = coalesce(v.due_at, e.due_at), response = v.response,
    reason = v.reason, attempts = e.attempts + v.attempts,
    relay = CASE WHEN v.attempts > 0 THEN :relay ELSE e.relay END,
    claim = CASE WHEN v.status = 'in_doubt' THEN e.claim END
FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[]), CAST(:sent AS timestamptz[]),
            CAST(:due AS timestamptz[]), CAST(:responses AS text[]), CAST(:reasons AS text[]),
            CAST(:attempts AS int[]))
     AS v(id, status, sent_at, due_at, response, reason, attempts)
WHERE e.id = v.id AND e.claim = :group AND e.status IN ('claimed', 'sending')
""")


def _record(session: Session, group_id: UUID, settled: Sequence[Settled], relay: str | None) -> None:
    values = {
        "group": group_id,
        "relay": relay,
        "ids": arrays.uuids([one.email_id for one in settled]),
        "statuses": arrays.words([one.status for one in settled]),
        "sent": arrays.moments([one.sent_at for one in settled]),
        "due": arrays.moments([one.due_at for one in settled]),
        "responses": arrays.words([one.response for one in settled]),
        "reasons": arrays.words([one.reason for one in settled]),
        "attempts": [one.attempts for one in settled],
    }
    _expect(_rowcount(session.execute(_RECORD, values)), len(settled), group_id)


_CLOSE = text(
    "UPDATE send_groups SET state = :state, ended_at = now(), answered = :answered, given_back = :given_back, "
    "in_doubt = :in_doubt WHERE id = :group AND state = 'open'"
)


def _close(session: Session, group_id: UUID, settled: Sequence[Settled], state: str) -> None:
    given_back = sum(one.status == "queued" and not one.attempts for one in settled)
    in_doubt = sum(one.status == "in_doubt" for one in settled)
    counts = {"answered": len(settled) - given_back - in_doubt, "given_back": given_back, "in_doubt": in_doubt}
    _expect(_rowcount(session.execute(_CLOSE, {"group": group_id, "state": state, **counts})), 1, group_id)


def _expect(changed: int, rows: int, group_id: UUID) -> None:
    """The guard of every transition: others changed these rows, so this sender's view of the group is dead."""
    if changed != rows:
        raise Fenced(f"group {group_id}: {rows} rows were ours, {changed} still are; it was given to others")


def _rowcount(result: Any) -> int:
    return int(result.rowcount)


class _Campaign(NamedTuple):
    """What a campaign's mails share, and when a person resumed it last."""

    variables: Mapping[str, Any]
    resumed_at: datetime | None


_NONE = _Campaign({}, None)


def _campaigns(session: Session, ids: set[UUID]) -> dict[UUID, _Campaign]:
    if not ids:
        return {}
    query = text("SELECT id, variables, pardoned_at FROM campaigns WHERE id = ANY(:ids)")
    rows = session.execute(query, {"ids": list(ids)})
    return {row.id: _Campaign(row.variables, row.pardoned_at) for row in rows}


def _member(row: Row[Any], campaign: _Campaign) -> Member:
    name = " ".join(part for part in (row.first_name, row.last_name) if part)
    return Member(
        email_id=row.id,
        message_id=row.message_id,
        contact_id=row.contact_id,
        to=vault.current().decrypt(row.email),
        to_name=name or None,
        template=row.template,
        variables=variables.of(row, campaign.variables),
        kind=row.kind,
        campaign_id=row.campaign_id,
        enrollment_id=row.enrollment_id,
        step=row.step,
        variant=row.variant,
        attempts=row.attempts,
        tried_since=max(row.tried_since, campaign.resumed_at or row.tried_since),
    )
