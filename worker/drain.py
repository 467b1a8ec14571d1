"""Draining a lane: group after group, each settled in the transaction that starts the next one."""

import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from math import inf
from time import monotonic, sleep

import settings
from engine import bell, clock, logs
from engine.campaigns import advance, due
from engine.clock import Clock
from engine.delivery import claim, recorder, senders, settle, smtp
from engine.delivery.claim import Claimant, ClaimedEmail, Group
from engine.delivery.outcomes import Outcome, Phase, Rejected, Untried
from engine.delivery.transitions import Settled
from engine.messages import compose
from models import ids
from models.session import Session, retrying, transaction
from worker import process, sender_setup, wishes

log = logging.getLogger("cadencia.sending")

Results = list[tuple[ClaimedEmail, Outcome]]

GROUP_LEAST = 25  # messages
_TURN_S = 0.5  # a turn that is longer off is left to the next tick
_LEAST_S = 0.03  # what is taken in hand up to 0.05 s before its moment waits for it
_SHORT_S, _LONG_S = 0.2, 0.6  # at 5,000 messages a second a group of 1,000 takes 0.2 s

_FINISH_S = 2.0  # how long a stop waits for the group in hand; Docker kills after 10 s what has not ended by itself

_UNTRIED = Untried("")


def drain(lane: str, *, time: Clock = clock) -> bool:
    """Send what is due in `lane` until nothing is, the time slice ends or the worker stops.

    Returns whether more is waiting. Any error in between retires the sender: its recorder, not this process's
    memory, then tells what became of the group in hand.
    """
    sending = process.current()
    if monotonic() < sending.relay_rests_until:
        return False
    process.tidy()
    process.yield_to_others(lane == due.LANE)
    wishes.await_granted()
    try:
        return _Drain(sending, lane, time).run()
    except BaseException:
        process.retire()
        raise


class _Drain:
    def __init__(self, sending: process.Sending, lane: str, time: Clock = clock) -> None:
        self._sending = sending
        self._lane = lane
        self._time = time
        self._settings = settings.current()
        self._mail_from = sender_setup.envelope_sender()
        self._renew_at = 0.0
        self._stops_at = inf
        self._has_planned = False
        self._agenda: due.Agenda | None = None
        self._relay: str | None = None  # which carried the group in hand

    def run(self) -> bool:
        slice_ends = monotonic() + self._settings.drain_slice_s
        results: Results = []
        limit = self._may_take()
        group = self._exchange(None, results, limit=limit) if limit else None
        if group is not None and len(group.emails) == limit:
            bell.ring(self._lane)  # there is more than one sender's worth: let another join in
        while group is not None or self._turn_comes(slice_ends):
            results = self._timed(group) if group is not None else []
            relay_works = monotonic() >= self._sending.relay_rests_until
            more = relay_works and monotonic() < slice_ends and not process.is_stopping()
            group = self._exchange(group, results, limit=self._may_take() if more else 0)
            if not more:
                return relay_works and not process.is_stopping()
        self._sending.transport.close_if_idle()
        return self._turn_s() is not None

    def _may_take(self) -> int:
        """How many messages the relays want now: none, when a rate, a ceiling or a failure keeps them from it."""
        is_urgent = self._lane == "transactional"
        return self._sending.transport.may_take(self._sending.group_size, is_urgent=is_urgent)

    def _turn_s(self) -> float | None:
        """The seconds to the next turn of a mail that came too early for its domain, if that is soon."""
        turn_s = self._sending.transport.next_due_in_s()
        return turn_s if turn_s is not None and turn_s <= _TURN_S else None

    def _turn_comes(self, slice_ends: float) -> bool:
        """Wait for that turn; False when there is none within this slice."""
        turn_s = self._turn_s()
        if turn_s is None or monotonic() + turn_s >= slice_ends:
            return False
        sleep(max(turn_s, _LEAST_S))
        self._agenda = None
        return True

    def _timed(self, group: Group) -> Results:
        """What became of each message; the next group is larger when this one took no time, smaller when it took long.

        Large groups cost less a message, but what a sender has in hand no pause and no stop reaches.
        """
        began = monotonic()
        results = self._send(group)
        took_s, size = monotonic() - began, self._sending.group_size
        if took_s > _LONG_S:
            self._sending.group_size = max(size // 2, min(GROUP_LEAST, size))
        elif took_s < _SHORT_S and len(group.emails) >= size:
            self._sending.group_size = min(size * 2, self._settings.send_group_size)
        return results

    def _exchange(self, done: Group | None, results: Results, *, limit: int) -> Group | None:
        """One transaction: settle the group that was sent, and take the next one in hand (R9a)."""
        now, asked_at = self._time.now(), recorder.boot_s()

        def work(session: Session) -> tuple[list[Settled], Group | None]:
            senders.hold(session, self._sending.sender_id)
            if not self._has_planned:
                senders.replan(session)
            settled: list[Settled] = []
            if done is not None and done.emails:
                settled = settle.settle(
                    session,
                    done.id,
                    results,
                    step=done.step,
                    relay=self._relay,
                    now=now,
                    moment=_remembered(self._time.at),
                )
                advance.carried(session, settled, now=now)
            group = self._claim(session, now, limit) if limit else None
            advance.counted(session, settled)
            return settled, group

        settled, group = retrying(work)
        self._has_planned = True
        self._sending.recorder.lease(asked_at + self._settings.lease_s)
        _tell(settled)
        return group

    def _claim(self, session: Session, now: datetime, limit: int) -> Group | None:
        """Mails that have a row come first: they have waited before. Then what is due in campaigns."""
        started = self._sending.transport.is_open
        claimant = Claimant(self._sending.sender_id, self._lane, self._settings.lease_s, started)
        group = claim.claim(session, claimant, limit=limit, now=now)
        if group is not None and group.dropped:
            advance.dropped(session, group.dropped, now=now)
        if group is not None or self._lane != due.LANE:
            return group
        if self._agenda is None:
            self._agenda = due.agenda(session)
        return self._agenda.claim(session, claimant, limit=limit, now=now)

    def _send(self, group: Group) -> Results:
        """What became of each message; a group whose relay cannot be reached is given back untouched."""
        if not group.emails or not (group.started or self._start(group)):
            return [(email, _UNTRIED) for email in group.emails]
        self._renew_at = monotonic() + self._settings.lease_s / 4
        self._relay = self._sending.transport.name
        self._sending.recorder.begin(group.id, [email.email_id for email in group.emails], self._relay)
        own: dict[int, Outcome] = {}
        turns = self._sending.transport.send_order([email.to for email in group.emails], own)
        messages = self._messages(group, turns, own)
        heard = self._sending.transport.send(
            messages, self._mail_from, self._sending.recorder, tick=lambda: self._tick(group, messages)
        )
        answers = {**heard, **own} if own else heard
        return [(email, answers.get(slot, _UNTRIED)) for slot, email in enumerate(group.emails)]

    def _start(self, group: Group) -> bool:
        """Connect, then record the group as sending."""
        try:
            self._sending.transport.open()
        except smtp.RelayUnavailable as error:
            self._sending.relay_rests_until = monotonic() + error.retry_after_s
            log.error("Error sending email: %s", error)
            return False
        with transaction() as session:
            senders.hold(session, self._sending.sender_id)
            claim.start(session, group)
        return True

    def _messages(self, group: Group, turns: Iterable[int | None], own: dict[int, Outcome]) -> smtp.Prefetch:
        """The messages of a group, in their turns; what cannot be composed is refused here."""
        now, eight_bit = self._time.now(), self._sending.transport.eight_bit

        def composed(slot: int) -> smtp.OutgoingMessage | None:
            email = group.emails[slot]
            try:
                data, has_no_dots = self._sending.composer.compose(email, now=now, eight_bit=eight_bit)
            except compose.CannotCompose as error:
                own[slot] = Rejected(Phase.CONNECT, 0, None, f"cannot be composed: {error}", dead_address=False)
                return None
            # That it has only CRLF is the composer's promise.
            return smtp.OutgoingMessage(slot, email.to, data, has_only_crlf=True, has_no_dots=has_no_dots)

        return smtp.Prefetch(turns, composed)

    def _tick(self, group: Group, messages: smtp.Prefetch) -> None:
        """At least once a second while a group is sent; where it takes too long for a stop, its rest is left."""
        if process.is_stopping():
            self._stops_at = min(self._stops_at, monotonic() + _FINISH_S)
            if monotonic() >= self._stops_at:
                messages.end()
        self._renew(group)

    def _renew(self, group: Group) -> None:
        if monotonic() < self._renew_at:
            return
        asked_at = recorder.boot_s()
        with transaction() as session:
            senders.hold(session, self._sending.sender_id)
            claim.renew(session, group.id, lease_s=self._settings.lease_s)
        self._sending.recorder.lease(asked_at + self._settings.lease_s)
        self._renew_at = monotonic() + self._settings.lease_s / 4


def _remembered(at: Callable[[int], datetime]) -> Callable[[int], datetime]:
    """Product time by real time, asked once for each millisecond of a group."""
    known: dict[int, datetime] = {}

    def remembered(unix_ms: int) -> datetime:
        moment = known.get(unix_ms)
        if moment is None:
            moment = known[unix_ms] = at(unix_ms)
        return moment

    return remembered


def _tell(settled: list[Settled]) -> None:
    """The log lines of the specification, once the ledger has them; ids and the server's redacted words only."""
    sent = [f"Email sent: {ids.public(mail.email_id)}" for mail in settled if mail.status == "sent"]
    logs.lines(log, logging.INFO, sent)
    if len(sent) < len(settled):
        for mail in settled:
            if mail.status in ("failed", "in_doubt") or (mail.attempts and mail.status != "sent"):
                log.error("Error sending email: %s %s: %s", ids.public(mail.email_id), mail.status, mail.response)
