"""Visits of a confirmation link: decide if a visit looks like a machine's, by the rules of bot detection."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.tracking import bursts
from engine.tracking.bots import classifier
from engine.tracking.bots.classifier import Bursts
from engine.tracking.bots.hits import Hit
from models import ids

_TOGETHER = timedelta(seconds=60)
_HITS = text("""
SELECT e.sent_at, h.id, h.event_type, h.timestamp, h.event_data
  FROM emails e LEFT JOIN LATERAL (
       SELECT * FROM events WHERE email_id = e.id AND event_type IN ('opened', 'clicked') ORDER BY id LIMIT 100
  ) AS h ON true
 WHERE e.id = :email_id
""")


def is_machine(session: Session, email_id: UUID | None, observed: Mapping[str, str], *, now: datetime) -> bool:
    """Return True if a visit, as `Observer.observe` describes it, is classified as a machine's.

    It is compared with all hits of the e-mail that has the link, such as the click that led here.
    """
    rows = session.execute(_HITS, {"email_id": email_id}).all()
    hits = [Hit.of(row.id, row.event_type, row.timestamp, row.event_data) for row in rows if row.id and row.event_data]
    counted = bursts.count(session, _places(hits, observed, now)).counts
    sent_at = rows[0].sent_at if rows else None
    return classify(hits, observed, sent_at=sent_at, bursts=counted, now=now) == "machine"


def classify(
    hits: Sequence[Hit], seen: Mapping[str, Any], *, sent_at: datetime | None, bursts: Bursts, now: datetime
) -> str:
    """Return the source of a visit that follows these hits: a machine's if its own click is.

    `bursts` has the e-mails that were hit in the places of the clicks, as `classifier.classify` takes them.
    """
    visit = Hit.of(ids.at(now), "clicked", now, seen)
    # The redirect of the same person's click is the same link, not a second one at once.
    own = [
        hit
        for hit in hits
        if hit.kind == "clicked"
        and abs(now - hit.at) <= _TOGETHER
        and (hit.agent, hit.network, hit.prefix) == (visit.agent, visit.network, visit.prefix)
    ]
    if own:
        visit = visit._replace(link=own[-1].link)
    classified = classifier.classify([*hits, visit], sent_at=sent_at, bursts=bursts)
    source = classified[-1].source
    clicks = {hit.id for hit in own}
    return "machine" if any(each.source == "machine" for each in classified if each.id in clicks) else source


def _places(hits: Sequence[Hit], seen: Mapping[str, Any], now: datetime) -> list[bursts.Place]:
    """Return the places of the clicks just before a visit from its network: those of an e-mail's links, and its own."""
    at = [now, *(hit.at for hit in hits if hit.kind == "clicked" and abs(now - hit.at) <= _TOGETHER)]
    network, prefix = seen.get("network", ""), seen.get("prefix", "")
    return [place for moment in at if (place := bursts.place(network, prefix, moment))]
