"""Decide on a due e-mail or step: send it, do so later, skip it, or stop its sequence. Pure: no statements, no clock.

Every claim decides here: of new e-mails and due steps, of retries, and of e-mails that are due again after a resumption
or a doubt. A claim re-reads the facts, so nothing that was decided earlier is trusted.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeAlias

from engine.campaigns.steps import Step
from engine.campaigns.stops import BY_SUPPRESSION
from engine.delivery.emails import PARKED

# A transactional e-mail and a test obey these suppressions only.
_BINDS_ALL = ("hard_bounce", "complaint", "erased")
_NOT_SENDING = ("draft", "paused")


class Facts(NamedTuple):
    """State of a due e-mail, or of a due step whose e-mail has no row yet, its contact and its campaign.

    `suppression` is the reason of the address's suppression, `stopped` that of a stopped enrollment. `converted` and
    `replied` count for an e-mail outside a campaign only if they happened after its acceptance.
    """

    suppression: str | None = None
    stopped: str | None = None
    converted: bool = False
    replied: bool = False
    paused_until: datetime | None = None
    campaign_state: str | None = None
    is_enrolled: bool = True
    kind: str = "marketing"


@dataclass(frozen=True, slots=True)
class Send:
    """Send it now."""


@dataclass(frozen=True, slots=True)
class Later:
    """Decide again at `until`. The code is `campaign_paused`, `paused` (by the contact) or `window`."""

    until: datetime
    code: str


@dataclass(frozen=True, slots=True)
class Skip:
    """Never send this e-mail; it ends nothing else. The code is a stop reason."""

    code: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Never send this e-mail, and stop its enrollment. The code is the stop reason."""

    code: str


Decision: TypeAlias = Send | Later | Skip | Stop

SEND = Send()


def decide(facts: Facts, step: Step | None, moment: datetime) -> Decision:
    """Return what to do with an e-mail, or with `step` of an enrollment, that is due at `moment`.

    An end comes before a wait: a stopped contact is stopped also while the campaign is paused.
    """
    code = _end(facts)
    if code is not None:
        return Stop(code) if facts.is_enrolled else Skip(code)
    if facts.campaign_state in _NOT_SENDING:
        return Later(PARKED, "campaign_paused")
    if facts.paused_until is not None and facts.paused_until > moment and facts.kind == "marketing":
        return Later(facts.paused_until, "paused")
    opens = step.opens(moment) if step is not None else moment
    return SEND if opens <= moment else Later(opens, "window")


def _end(facts: Facts) -> str | None:
    """Return the stop reason that applies, or None."""
    if facts.kind != "marketing":
        return BY_SUPPRESSION[facts.suppression] if facts.suppression in _BINDS_ALL else None
    if facts.suppression is not None:
        return BY_SUPPRESSION[facts.suppression]
    if facts.stopped is not None:
        return facts.stopped
    if facts.converted:
        return "converted"
    if facts.replied:
        return "replied"
    return "cancelled" if facts.campaign_state == "cancelled" else None
