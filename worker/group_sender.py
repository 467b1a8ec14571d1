"""Send the e-mails of one group: start it, compose and transmit its messages, and renew its lease meanwhile."""

import logging
from time import monotonic

import settings
from engine.clock import Clock
from engine.delivery import claim, senders, smtp
from engine.delivery.claim import ClaimedEmail, Group
from engine.delivery.outcomes import Outcome, Untried
from models.session import transaction
from worker.group_composer import GroupComposer, HeldTemplate
from worker.lease import Lease
from worker.process import Sender

log = logging.getLogger("cadencia.sending")

Results = list[tuple[ClaimedEmail, Outcome]]

# E-mails that were not sent by then are given back. A pause, a stop of this worker or the loss of its host affects no
# more than these.
_GROUP_WITHIN_S = 1.0


class GroupSender:
    """Sends groups, one after the other, over the connections of a sender."""

    def __init__(self, sender: Sender, time: Clock) -> None:
        self.relay: str | None = None  # of the last group, as are the templates that failed, and those that work now
        self.held: list[HeldTemplate] = []
        self.released: list[str] = []
        self._sender = sender
        self._time = time
        self._lease_s = settings.current().lease_s
        self._mail_from = settings.current().envelope_sender
        self._group_ends_at = 0.0
        self._unavailable = ""  # why no relay could be opened

    def send(self, group: Group) -> Results:
        """Return the outcome of each e-mail. If the relay is unavailable, none is tried."""
        self.held, self.released = [], []
        if not group.emails or not (group.started or self._start(group)):
            untried = Untried("", self._unavailable)
            return [(email, untried) for email in group.emails]
        self._group_ends_at = monotonic() + _GROUP_WITHIN_S
        transport = self._sender.transport
        lease = Lease(self._sender.sender_id, self._sender.recorder, group.id, self._lease_s)
        self.relay = transport.name
        self._sender.recorder.begin(group.id, [email.email_id for email in group.emails], self.relay)
        composer = GroupComposer(
            self._sender.composer, self._sender.holds, group, now=self._time.now(), eight_bit=transport.eight_bit
        )
        turns = transport.send_order([email.to for email in group.emails], composer.refused)
        messages = smtp.Prefetch(turns, composer.message)
        answered = transport.send(
            messages, self._mail_from, self._sender.recorder, tick=lambda: self._tick(lease, messages)
        )
        composer.finish()
        self.held, self.released = list(composer.held.values()), composer.released
        outcomes = {**answered, **composer.refused} if composer.refused else answered
        if transport.failure:
            never = [slot for slot, outcome in outcomes.items() if outcome == Untried("")]
            outcomes |= dict.fromkeys(never, Untried("", transport.failure))
        untried = Untried("", transport.failure)
        return [(email, outcomes.get(slot, untried)) for slot, email in enumerate(group.emails)]

    def _start(self, group: Group) -> bool:
        """Connect and record the group as sending. Return False if no relay is available."""
        try:
            self._sender.transport.open()
        except smtp.RelayUnavailable as error:
            self._sender.relay_retry_at = monotonic() + error.retry_after_s
            self._unavailable, self.relay = str(error), None
            log.error("Error sending email: %s", error)
            return False
        with transaction() as session:
            senders.hold(session, self._sender.sender_id)
            claim.start(session, group)
        return True

    def _tick(self, lease: Lease, messages: smtp.Prefetch) -> None:
        """Renew the lease, and end the group when its time is over or its lease nearly is.

        Called at least once a second.
        """
        if not lease.tick() or monotonic() >= self._group_ends_at:
            messages.end()
