"""The funnel of a campaign: e-mails and reactions of each step, enrollments by state, stops by reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class StepCounts:
    """The e-mails of one step, by status and by reaction.

    `sent` counts all that the mail server accepted, also if they bounced or drew a complaint later. `queued` counts all
    that are undecided, also if a sender has claimed them. Opens and clicks by machines are counted apart.
    """

    step: int
    template: str
    queued: int
    sent: int
    failed: int
    in_doubt: int
    cancelled: int
    bounced: int
    complained: int
    opened: int
    clicked: int
    converted: int
    machine_opened: int
    machine_clicked: int


@dataclass(frozen=True, slots=True)
class Funnel:
    """Enrollments by state, stopped ones by reason, and the steps in order."""

    enrolled: int
    states: Mapping[str, int]
    stop_reasons: Mapping[str, int]
    steps: tuple[StepCounts, ...]


_STEPS = text("""
    SELECT campaign_steps.step, campaign_steps.template,
           count(*) FILTER (WHERE status IN ('queued', 'claimed', 'sending')) + coalesce((
               SELECT sum(cardinality(members)) FROM send_groups
                WHERE state = 'open' AND campaign_id = :campaign_id AND step = campaign_steps.step), 0) AS queued,
           count(*) FILTER (WHERE sent_at IS NOT NULL) AS sent,
           count(*) FILTER (WHERE status = 'failed') AS failed,
           count(*) FILTER (WHERE status = 'in_doubt') AS in_doubt,
           count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
           count(*) FILTER (WHERE status = 'bounced') AS bounced,
           count(*) FILTER (WHERE status = 'complained') AS complained,
           count(opened_at) AS opened, count(clicked_at) AS clicked, count(converted_at) AS converted,
           count(machine_opened_at) AS machine_opened, count(machine_clicked_at) AS machine_clicked
      FROM campaign_steps LEFT JOIN emails
        ON emails.campaign_id = campaign_steps.campaign_id AND emails.step = campaign_steps.step
     WHERE campaign_steps.campaign_id = :campaign_id
     GROUP BY campaign_steps.step, campaign_steps.template ORDER BY campaign_steps.step
""")
_STATES = text("""
    SELECT state, stop_reason, count(*) AS contacts FROM enrollments
     WHERE campaign_id = :campaign_id GROUP BY state, stop_reason ORDER BY contacts DESC, stop_reason
""")
_NO_ENROLLMENTS = {"active": 0, "waiting": 0, "finished": 0, "stopped": 0}


def of(session: Session, campaign_id: UUID) -> Funnel:
    """Return the funnel of one campaign, counted from its rows; without steps if the campaign does not exist."""
    counts = session.execute(_STATES, {"campaign_id": campaign_id}).all()
    states = dict(_NO_ENROLLMENTS)
    for state, _, contacts in counts:
        states[state] += contacts
    return Funnel(
        enrolled=sum(states.values()),
        states=states,
        stop_reasons={reason: contacts for _, reason, contacts in counts if reason},
        steps=tuple(StepCounts(**row._mapping) for row in session.execute(_STEPS, {"campaign_id": campaign_id})),
    )


class Ahead(NamedTuple):
    """Contacts whose next step this is, and when the first of them is due; None while their e-mails are under way."""

    contacts: int
    first_at: datetime | None


_AHEAD = text("""
    SELECT next_step, count(*), min(next_at) FROM enrollments
     WHERE campaign_id = :campaign_id AND state IN ('active', 'waiting') GROUP BY next_step
""")


def ahead(session: Session, campaign_id: UUID) -> dict[int, Ahead]:
    """Return the contacts under way by their next step."""
    rows = session.execute(_AHEAD, {"campaign_id": campaign_id})
    return {step: Ahead(contacts, first_at) for step, contacts, first_at in rows}
