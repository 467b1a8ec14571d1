"""Compose the messages of one group; distinguish faults of one e-mail from faults of its template."""

import logging
from dataclasses import dataclass
from datetime import datetime

from engine.delivery import smtp
from engine.delivery.claim import ClaimedEmail, Group
from engine.delivery.outcomes import Phase, Rejected, Untried
from engine.messages import compose
from engine.templates import templates
from engine.templates.compiling import UnusableTemplate
from worker import unreadable
from worker.template_holds import TemplateHolds

log = logging.getLogger("cadencia.sending")

# A template is at fault, not its e-mails, if the first of them that this process composes fail for the same reason:
# this many, or all of a group, which then has at least so many.
TRIAL, TRIAL_OF_GROUP = 10, 3


@dataclass(frozen=True, slots=True)
class HeldTemplate:
    """A template that was put on hold while a group was composed; `name` is its label, such as `oferta@3`."""

    name: str
    reason: str
    retry_in_s: float

    @property
    def why(self) -> str:
        """Return the reason why e-mails of the template were not tried."""
        return f"template unusable on this host: {self.reason}"


class GroupComposer:
    """Composes the e-mails of a group for one relay.

    `refused` has the outcome of each e-mail that has no message, by its position in the group. `held` and `released`
    are the templates that failed and those that worked for the first time.
    """

    def __init__(
        self, composer: compose.Composer, holds: TemplateHolds, group: Group, *, now: datetime, eight_bit: bool
    ) -> None:
        self.refused = unreadable.outcomes(group.emails)
        self.held: dict[str, HeldTemplate] = {}
        self.released: list[str] = []
        self._composer = composer
        composer.reread()
        self._holds = holds
        self._emails = group.emails
        self._now = now
        self._eight_bit = eight_bit
        self._working: tuple[str, int | None] = ("", None)  # the template of the last message, and its version
        self._failures: dict[str, dict[int, str]] = {}  # of templates that have not worked: reasons by position

    def message(self, slot: int) -> smtp.OutgoingMessage | None:
        """Return the message of an e-mail, or None after adding its outcome to `refused`."""
        email = self._emails[slot]
        if not email.to:  # it is in `refused` already
            return None
        if self.held and (held := self.held.get(_label(email))):
            self.refused[slot] = _untried(held)
            return None
        try:
            data, has_no_dots = self._composer.compose(email, now=self._now, eight_bit=self._eight_bit)
        except UnusableTemplate as error:
            self._hold(email, error.faults[0].message)
            self.refused[slot] = _untried(self.held[_label(email)])
            return None
        except compose.CannotCompose as error:
            self._refuse(slot, email, error)
            return None
        working, version = self._working
        if email.template is not working or email.template_version != version:
            self._release(email)
        # The composer guarantees that every line ends with CRLF.
        sender = self._composer.return_path(email.email_id)
        return smtp.OutgoingMessage(slot, email.to, data, has_only_crlf=True, has_no_dots=has_no_dots, sender=sender)

    def finish(self) -> None:
        """Hold the templates of which every e-mail of the group failed for the same reason. Call after the last one."""
        for name, failures in list(self._failures.items()):
            if len(failures) >= TRIAL_OF_GROUP and name not in self.held and not self._holds.works(name):
                self._hold_if_alike(name, failures)

    def _refuse(self, slot: int, email: ClaimedEmail, error: compose.CannotCompose) -> None:
        self.refused[slot] = Rejected(Phase.CONNECT, 0, None, f"cannot be composed: {error}", dead_address=False)
        name = _label(email)
        if error.is_render and not self._holds.works(name):
            failures = self._failures.setdefault(name, {})
            failures[slot] = str(error)
            if len(failures) == TRIAL:
                self._hold_if_alike(name, failures)

    def _hold_if_alike(self, name: str, failures: dict[int, str]) -> None:
        reasons = set(failures.values())
        if len(reasons) == 1:
            self._hold(self._emails[next(iter(failures))], f"no e-mail can be composed: {reasons.pop()}")
            for slot in failures:
                self.refused[slot] = _untried(self.held[name])

    def _hold(self, email: ClaimedEmail, reason: str) -> None:
        name = _label(email)
        retry_in_s = self._holds.hold(name)
        self._composer.recompile(email.template, email.template_version)
        self.held[name] = HeldTemplate(name, reason, retry_in_s)

    def _release(self, email: ClaimedEmail) -> None:
        self._working = (email.template, email.template_version)
        name = _label(email)
        self._failures.pop(name, None)
        if self._holds.release(name):
            self.released.append(name)


def _label(email: ClaimedEmail) -> str:
    return templates.label(email.template, email.template_version)


def _untried(template: HeldTemplate) -> Untried:
    return Untried("", template.why)  # due at once, because another host may send it
