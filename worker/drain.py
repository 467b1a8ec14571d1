"""Drain a lane: send group after group, and settle each one in the transaction that claims the next."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from time import monotonic, sleep

import settings
from engine import bell, clock, logs
from engine.campaigns import advance, agenda
from engine.campaigns.agenda import CAMPAIGN_LANE, Agenda
from engine.clock import Clock
from engine.delivery import recorder, senders, settle, transitions
from engine.delivery.claim import Claimant, Group
from engine.delivery.settle import OpenGroup
from engine.delivery.transitions import Settled
from engine.templates import host_faults
from models import ids
from models.session import Session, retrying
from worker import process, rescue, spools
from worker.group_composer import HeldTemplate
from worker.group_sender import GroupSender, Results

log = logging.getLogger("cadencia.sending")

GROUP_LEAST = 25  # e-mails
_SHORT_S, _LONG_S = 0.2, 0.6  # at 5,000 e-mails a second a group of 1,000 takes 0.2 s

_TURN_WITHIN_S = 0.5  # the drain waits this long for a turn; later ones are left to the next tick
_WAIT_LEAST_S = 0.03  # e-mails are claimed up to 0.05 s before their turn, so a shorter wait is useless


def drain(lane: str, *, time: Clock = clock) -> bool:
    """Send what is due in `lane` until nothing is, the time slice ends or the worker stops.

    Returns True if more is waiting. Any error abandons the sender: its recorder, not the memory of this process, then
    decides about the e-mails of its group.
    """
    if process.own_recorder() is None:
        rescue.orphans()  # the dead senders of this host, before this process has a sender of its own
    sender = process.current()
    if monotonic() < sender.relay_retry_at:
        return False
    process.collect_garbage()
    process.set_batch_scheduling(lane == CAMPAIGN_LANE)
    spools.apply_consent_changes()
    try:
        return Drain(sender, lane, time).run()
    except BaseException:
        process.retire()
        raise


class Drain:
    """One drain of a lane by a sender."""

    def __init__(self, sender: process.Sender, lane: str, time: Clock = clock) -> None:
        self._sender = sender
        self._lane = lane
        self._time = time
        self._settings = settings.current()
        self._group_sender = GroupSender(sender, time)
        self._agenda: Agenda | None = None

    def run(self) -> bool:
        """Send until nothing is due, the time slice ends or the worker stops. Return True if more is waiting."""
        slice_ends = monotonic() + self._settings.drain_slice_s
        results: Results = []
        limit = self._limit()
        group = self._exchange(None, results, limit=limit) if limit else None
        if group is not None and len(group.emails) == limit:
            bell.ring(self._lane)  # more is due than one sender claims at once: another one may join in
        while group is not None or self._wait_for_turn(slice_ends):
            results = self._send(group) if group is not None else []
            relay_works = monotonic() >= self._sender.relay_retry_at
            more = relay_works and monotonic() < slice_ends and not process.stop.is_set()
            group = self._exchange(group, results, limit=self._limit() if more else 0)
            if not more:
                return relay_works and not process.stop.is_set()
        self._sender.transport.close_if_idle()
        return self._next_turn_s() is not None

    def _limit(self) -> int:
        """Return how many e-mails to claim: 0 if a rate, a quota or a failure of the relays forbids sending now."""
        is_urgent = self._lane == "transactional"
        return self._sender.transport.may_take(self._sender.group_size, is_urgent=is_urgent)

    def _next_turn_s(self) -> float | None:
        """Return the seconds to the next turn of an e-mail that was too early for its domain's limit, if it is soon."""
        turn_s = self._sender.transport.next_due_in_s()
        return turn_s if turn_s is not None and turn_s <= _TURN_WITHIN_S else None

    def _wait_for_turn(self, slice_ends: float) -> bool:
        """Wait for that turn. Return False if there is none within this slice."""
        turn_s = self._next_turn_s()
        if turn_s is None or monotonic() + turn_s >= slice_ends:
            return False
        sleep(max(turn_s, _WAIT_LEAST_S))
        self._agenda = None
        return True

    def _send(self, group: Group) -> Results:
        """Send the group, and adapt the size of the next one: larger after a short time, smaller after a long one.

        Large groups cost less per e-mail, but a pause or a stop does not affect e-mails that are claimed.
        """
        began = monotonic()
        results = self._group_sender.send(group)
        took_s, size = monotonic() - began, self._sender.group_size
        if took_s > _LONG_S:
            self._sender.group_size = max(size // 2, min(GROUP_LEAST, size))
        elif took_s < _SHORT_S and len(group.emails) >= size:
            self._sender.group_size = min(size * 2, self._settings.send_group_size)
        return results

    def _exchange(self, sent: Group | None, results: Results, *, limit: int) -> Group | None:
        """Settle the group that was sent and claim the next one, in one transaction (R9a)."""
        now, asked_at = self._time.now(), recorder.boot_s()

        def work(session: Session) -> tuple[list[Settled], Group | None]:
            senders.hold(session, self._sender.sender_id)
            settled = self._settle(session, sent, results, now) if sent is not None and sent.emails else []
            group = self._claim(session, now, limit) if limit else None
            self._record_templates(session)
            advance.count(session, settled)
            return settled, group

        settled, group = retrying(work)
        self._sender.recorder.lease(asked_at + self._settings.lease_s)
        if sent is not None and len(settled) > 1:
            _log_group(sent, settled, self._lane, self._group_sender.relay)
        untried = _log(settled)
        if self._group_sender.held:
            untried = _log_held(self._group_sender.held, untried)
        if untried:
            self._log_untried(untried, now)
        self._group_sender.held, self._group_sender.released = [], []
        return group

    def _record_templates(self, session: Session) -> None:
        """Store which templates this host could not use in the last group, and which it can use now."""
        sender_id = self._sender.sender_id
        for held in self._group_sender.held:
            host_faults.record(session, sender_id, held.name, held.reason, retry_in_s=held.retry_in_s)
        if self._group_sender.released:
            host_faults.clear(session, sender_id, self._group_sender.released)

    def _log_untried(self, untried: list[Settled], now: datetime) -> None:
        """Write one line for the e-mails of a group that were returned to the queue untried."""
        rest_s = max(self._sender.transport.retry_after_s(), self._sender.relay_retry_at - monotonic())
        due_s = min((email.due_at or now) - now for email in untried).total_seconds() / self._settings.clock_rate
        words = "emails_untried count=%d lane=%s relay=%s next_attempt_in_s=%.0f reason=%s"
        relay = self._group_sender.relay or "none"
        log.warning(words, len(untried), self._lane, relay, max(rest_s, due_s), untried[0].response)

    def _settle(self, session: Session, group: Group, results: Results, now: datetime) -> list[Settled]:
        sent = OpenGroup(group.id, group.step, self._group_sender.relay)
        settled = settle.settle(session, sent, results, now=now, moment=_cached(self._time.at))
        advance.apply_to_contacts(session, settled, now=now)
        if self._agenda is not None and any(email.status == "queued" and not email.has_row for email in settled):
            self._agenda.rewind(group)
        return settled

    def _claim(self, session: Session, now: datetime, limit: int) -> Group | None:
        is_connected, unusable = self._sender.transport.is_open, self._sender.holds.current()
        claimant = Claimant(self._sender.sender_id, self._lane, self._settings.lease_s, is_connected, unusable)
        if self._agenda is None:
            self._agenda = agenda.read(session, self._lane, now=now)
        return self._agenda.claim(session, claimant, limit=limit, now=now)


def _cached(at: Callable[[int], datetime]) -> Callable[[int], datetime]:
    """Return `at` with a cache: it is called once for each millisecond of a group."""
    moments: dict[int, datetime] = {}

    def cached(unix_ms: int) -> datetime:
        moment = moments.get(unix_ms)
        if moment is None:
            moment = moments[unix_ms] = at(unix_ms)
        return moment

    return cached


def _log_held(on_hold: Sequence[HeldTemplate], untried: Sequence[Settled]) -> list[Settled]:
    """Write one line for each template that a group could not use; return the e-mails untried for other reasons."""
    for template in on_hold:
        count = sum(email.response == template.why for email in untried)
        log.error(
            "template_unusable template=%s given_back=%d retry_in_s=%.0f error=%s",
            template.name, count, template.retry_in_s, template.reason,
        )  # fmt: skip
    reasons = {template.why for template in on_hold}
    return [email for email in untried if email.response not in reasons]


def _log_group(group: Group, settled: Sequence[Settled], lane: str, relay: str | None) -> None:
    """Write one line for a group, with the numbers of its e-mails by their next state."""
    campaigns = {group.step.campaign_id} if group.step else {email.campaign_id for email in settled}
    campaign = next(iter(campaigns)) if len(campaigns) == 1 else "several"
    number = Counter(email.status for email in settled)
    log.info(
        "group_settled lane=%s campaign=%s relay=%s sent=%d again=%d failed=%d in_doubt=%d",
        lane, campaign or "none", relay or "none",
        number["sent"], number["queued"], number["failed"], number["in_doubt"],
    )  # fmt: skip


def _log(settled: list[Settled]) -> list[Settled]:
    """Write the specified log lines, after the commit: with ids and the server's redacted text only.

    Returns the e-mails that were returned to the queue untried; they get no lines of their own.
    """
    sent = [f"Email sent: {ids.public(email.email_id)}" for email in settled if email.status == "sent"]
    logs.lines(log, logging.INFO, sent)
    if len(sent) == len(settled):
        return []
    for email in settled:
        if email.status in ("failed", "in_doubt") or (email.attempts and email.status != "sent"):
            log.error("Error sending email: %s %s: %s", ids.public(email.email_id), email.status, email.response)
    return [email for email in settled if email.reason == transitions.UNTRIED]
