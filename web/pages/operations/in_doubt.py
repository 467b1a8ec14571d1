"""E-mails in doubt: their evidence, and the decision of a person that they were sent, or that they are sent again."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from flask import Response, request
from flask_babel import ngettext

from engine import bell, clock
from engine.audience import contacts
from engine.campaigns import advance, campaigns
from engine.delivery import in_doubt
from errors import InvalidInput, NotFound
from models.session import Session, retrying
from web import pages
from web.pages.frame import layout, sessions
from web.pages.frame.languages import gettext, lazy_gettext

views = layout.blueprint("in_doubt")

SENT, AGAIN = "sent", "again"
_SHOWN = 25
_ACTIONS = {SENT: lazy_gettext("Record as sent"), AGAIN: lazy_gettext("Send again")}


@views.get("/in-doubt")
@pages.needs("campaigns", "reports")
def listing() -> Response:
    """List the e-mails in doubt with their evidence, oldest first."""
    fault = gettext("Select at least one e-mail.") if request.args.get("selected") == "none" else ""
    return _listing(done=_done(), fault=fault)


@views.get("/in-doubt/decide")
@pages.needs("admin")
def ask() -> Response:
    """State the effect of a decision, and ask for it."""
    chosen, campaign_id = _ids(request.args.getlist("email")), _campaign_id(request.args.get("campaign", ""))
    if not chosen and "all" not in request.args:
        return layout.redirect_to("in_doubt_pages.listing", campaign=campaign_id, selected="none")
    with sessions.reading() as session:
        number = len(chosen or in_doubt.listed(session, campaign_id=campaign_id))
        campaign = campaigns.view(session, campaign_id) if campaign_id else None
    return layout.page(
        "operations/in_doubt_decide",
        decision=_decision(request.args.get("decision", "")),
        actions=_ACTIONS,
        chosen=chosen,
        campaign=campaign,
        number=number,
    )


@views.post("/in-doubt/decide")
@pages.changes("admin")
def decide() -> Response:
    """Record the e-mails as sent, or queue them again, as far as they are still in doubt."""
    decision = _decision(request.form.get("decision", ""))
    chosen, campaign_id = _ids(request.form.getlist("email")), _campaign_id(request.form.get("campaign", ""))

    number = retrying(lambda session: _decided(session, decision, chosen, campaign_id))
    if decision == AGAIN:
        for lane in ("transactional", "campaign"):
            bell.ring(lane)
    missed = max(0, request.form.get("number", default=0, type=int) - number)
    return layout.redirect_to(
        "in_doubt_pages.listing", decision=decision, number=number, missed=missed, campaign=campaign_id
    )


def _decided(session: Session, decision: str, chosen: Sequence[UUID], campaign_id: UUID | None) -> int:
    """Decide about the chosen e-mails, or about all; return how many were still in doubt."""
    now, email_ids = clock.now(), chosen or in_doubt.listed(session, campaign_id=campaign_id)
    if decision == SENT:
        return len(advance.prove(session, email_ids, now=now, reason="closed by an operator"))
    return in_doubt.resend(session, email_ids, now=now)


def _listing(**shown: Any) -> Response:
    campaign_id, after = _campaign_id(request.args.get("campaign", "")), _ids(request.args.getlist("after"))
    with sessions.reading() as session:
        rows = in_doubt.pending(session, limit=_SHOWN + 1, after=after[0] if after else None, campaign_id=campaign_id)
        shares = in_doubt.shares(session)
        content: dict[str, Any] = {
            "evidence": in_doubt.evidence(session, [row.email_id for row in rows]),
            "addresses": contacts.addresses(session, [row.contact_id for row in rows])
            if layout.may("contacts")
            else {},
        }
    content |= {"rows": rows[:_SHOWN], "next": rows[_SHOWN - 1].email_id if len(rows) > _SHOWN else None}
    content |= {"shares": shares, "campaign_id": campaign_id, "is_first": not after}
    content |= {"counted_max": in_doubt.COUNTED_MAX, "total": sum(share.number for share in shares)}
    return layout.page("operations/in_doubt", **content, **shown)


def _done() -> list[str]:
    """Return the result of the decision that led here, in words."""
    decision = request.args.get("decision", "")
    number, missed = (request.args.get(name, default=0, type=int) for name in ("number", "missed"))
    texts = []
    if decision == SENT:
        texts = [ngettext("%(num)s e-mail is recorded as sent.", "%(num)s e-mails are recorded as sent.", number)]
    elif decision == AGAIN:
        texts = [ngettext("%(num)s e-mail is sent again.", "%(num)s e-mails are sent again.", number)]
    if texts and missed > 0:
        texts.append(
            ngettext(
                "%(num)s was no longer in doubt: somebody else or an event decided before.",
                "%(num)s were no longer in doubt: somebody else or an event decided before.",
                missed,
            )
        )
    return texts


def _decision(text: str) -> str:
    if text not in _ACTIONS:
        raise InvalidInput.of("decision", f"give one of {', '.join(_ACTIONS)}")
    return text


def _ids(texts: Sequence[str]) -> list[UUID]:
    """Return the ids in this list; NotFound for a text that is none."""
    try:
        return [UUID(text) for text in texts[: in_doubt.DECIDED_MAX]]
    except ValueError:
        raise NotFound("email: there is none with this id") from None


def _campaign_id(text: str) -> UUID | None:
    return _ids([text])[0] if text else None
