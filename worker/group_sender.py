"""Send the e-mails of one group: start it, compose and transmit its messages, and renew its lease meanwhile."""

import logging
from collections.abc import Iterable
from time import monotonic

import settings
from engine.clock import Clock
from engine.delivery import claim, recorder, senders, smtp
from engine.delivery.claim import ClaimedEmail, Group
from engine.delivery.outcomes import Outcome, Phase, Rejected, Untried
from engine.messages import compose
from models.session import transaction
from worker import sender_setup
from worker.process import Sender

log = logging.getLogger("cadencia.sending")

Results = list[tuple[ClaimedEmail, Outcome]]

# What has not left by then is given back: a pause, a stop of this worker or the loss of its host affects no more.
_GROUP_WITHIN_S = 1.0


class GroupSender:
    """Sends groups, one after the other, over the connections of a sender."""

    def __init__(self, sender: Sender, time: Clock) -> None:
        self.relay: str | None = None  # of the last group
        self._sender = sender
        self._time = time
        self._lease_s = settings.current().lease_s
        self._mail_from = sender_setup.envelope_sender()
        self._renew_at = 0.0
        self._group_ends_at = 0.0
        self._unavailable = ""  # why no relay could be opened

    def send(self, group: Group) -> Results:
        """Return the outcome of each e-mail. If the relay is unavailable, none is tried."""
        if not group.emails or not (group.started or self._start(group)):
            untried = Untried("", self._unavailable)
            return [(email, untried) for email in group.emails]
        self._group_ends_at = monotonic() + _GROUP_WITHIN_S
        transport = self._sender.transport
        self._renew_at = monotonic() + self._lease_s / 4
        self.relay = transport.name
        self._sender.recorder.begin(group.id, [email.email_id for email in group.emails], self.relay)
        refused: dict[int, Outcome] = {}  # here, without a server
        turns = transport.send_order([email.to for email in group.emails], refused)
        messages = self._messages(group, turns, refused)
        answered = transport.send(
            messages, self._mail_from, self._sender.recorder, tick=lambda: self._tick(group, messages)
        )
        outcomes = {**answered, **refused} if refused else answered
        if transport.failure:
            never = [
                slot for slot, outcome in outcomes.items() if isinstance(outcome, Untried) and not outcome.response
            ]
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

    def _messages(self, group: Group, turns: Iterable[int | None], refused: dict[int, Outcome]) -> smtp.Prefetch:
        """Compose the messages of a group when they are needed; add those that cannot be composed to `refused`."""
        now, eight_bit = self._time.now(), self._sender.transport.eight_bit

        def composed(slot: int) -> smtp.OutgoingMessage | None:
            email = group.emails[slot]
            try:
                data, has_no_dots = self._sender.composer.compose(email, now=now, eight_bit=eight_bit)
            except compose.CannotCompose as error:
                refused[slot] = Rejected(Phase.CONNECT, 0, None, f"cannot be composed: {error}", dead_address=False)
                return None
            # The composer guarantees that every line ends with CRLF.
            return smtp.OutgoingMessage(slot, email.to, data, has_only_crlf=True, has_no_dots=has_no_dots)

        return smtp.Prefetch(turns, composed)

    def _tick(self, group: Group, messages: smtp.Prefetch) -> None:
        """Renew the lease, and end the group when its time is over. Called at least once a second."""
        if monotonic() >= self._group_ends_at:
            messages.end()
        if monotonic() >= self._renew_at:
            self._renew(group)

    def _renew(self, group: Group) -> None:
        asked_at = recorder.boot_s()
        with transaction() as session:
            senders.hold(session, self._sender.sender_id)
            claim.renew(session, group.id, lease_s=self._lease_s)
        self._sender.recorder.lease(asked_at + self._lease_s)
        self._renew_at = monotonic() + self._lease_s / 4
