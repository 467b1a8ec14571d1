"""From one row of the ledger to the bytes of one mail."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from engine.messages import headers, links, mime, prerendered
from engine.templates import compiling, templates
from engine.tracking import tokens
from errors import CadenciaError

# Auto-Submitted (RFC 3834 section 5) keeps holiday responders quiet, whose replies would end the contact's sequence.
_FIXED = "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
_LEAVE = "List-Unsubscribe"
_ONE_CLICK = "List-Unsubscribe-Post: List-Unsubscribe=One-Click"  # RFC 8058 section 3.1


class CannotCompose(CadenciaError):
    """This message can never be composed as it is; names template and variable, never a value."""


@dataclass(frozen=True, slots=True)
class From:
    """Who the mails come from (`address` or `Name <address>`), and where their links lead."""

    mail_from: str
    reply_to: str | None
    public_url: str


class Composable(Protocol):
    """What composing a mail takes; a sender's own row of it will do. `message_id` is bare, without angle brackets."""

    @property
    def email_id(self) -> UUID: ...
    @property
    def message_id(self) -> str: ...
    @property
    def to(self) -> str: ...
    @property
    def to_name(self) -> str | None: ...
    @property
    def template(self) -> str: ...
    @property
    def variables(self) -> Mapping[str, object]: ...
    @property
    def kind(self) -> str: ...


class Message(NamedTuple):
    """A mail to be composed, on its own; `kind` is marketing or transactional."""

    email_id: UUID
    message_id: str
    to: str
    to_name: str | None
    template: str
    variables: Mapping[str, object]
    kind: str


class Composer:
    """Composes mails; made once per process, safe to share between threads.

    ValueError at once if a sender's mailbox or the public address is none.
    """

    def __init__(self, library: templates.Library, signer: tokens.Signer, sender: From) -> None:
        self._library = library
        self._signer = signer
        self._public_url = _home(sender.public_url)
        self._from = _sender_field("From", sender.mail_from)
        self._fixed = _FIXED
        if sender.reply_to:
            self._fixed = f"{_sender_field('Reply-To', sender.reply_to)}\r\n{_FIXED}"
        self._dated: tuple[datetime | None, str] = (None, "")
        self._skeletons: dict[str, prerendered.Skeletons | None] = {}

    def compose(self, message: Composable, *, now: datetime, eight_bit: bool) -> bytes:
        """The whole mail with CRLF line ends, not dot-stuffed, the same on every call but for its Date.

        `eight_bit`: the server takes 8BITMIME. CannotCompose if template and values make no mail.
        """
        return self.made(message, now=now, eight_bit=eight_bit).data

    def made(self, message: Composable, *, now: datetime, eight_bit: bool) -> prerendered.Filled:
        """As `compose`, with what whoever sends it may want to know."""
        try:
            try:
                ready = self._skeletons[message.template]
            except KeyError:
                ready = self._prepare(message.template)
            if ready is not None:
                signed = self._signer.mail(message.email_id)
                to = headers.address_field("To", message.to, message.to_name or "")
                mail = prerendered.Mail(signed, to, self._date(now), headers.message_id_field(message.message_id))
                unsubscribes = message.kind == "marketing"
                filled = ready.fill(message.variables, mail, unsubscribes=unsubscribes, eight_bit=eight_bit)
                if filled is not None:
                    return filled
            return prerendered.Filled(self.at_length(message, now=now, eight_bit=eight_bit), False)
        except (templates.UnknownTemplate, templates.CannotRender, compiling.BrokenTemplate, ValueError) as failure:
            raise CannotCompose(self._told(message, failure)) from None

    def _prepare(self, name: str) -> prerendered.Skeletons | None:
        template = self._library.get(name)
        ready = prerendered.Skeletons(template, self._public_url, self._head) if template.is_regular else None
        self._skeletons[name] = ready
        return ready

    def at_length(self, message: Composable, *, now: datetime, eight_bit: bool) -> bytes:
        """The mail composed from its beginning, whatever the template does; raises what its parts raise."""
        signed = self._signer.mail(message.email_id)
        addresses = links.SignedLinks(signed, self._public_url, unsubscribes=message.kind == "marketing")
        subject, html, text = self._library.get(message.template).encode(message.variables, addresses)
        head = self._head(
            headers.address_field("To", message.to, message.to_name or ""),
            headers.text_field("Subject", subject),
            self._date(now),
            headers.message_id_field(message.message_id),
            addresses.unsubscribe,
        ).encode()
        if not (eight_bit or head.isascii()):
            raise ValueError("To: its name before the @ is outside ASCII, which this relay cannot take")
        return mime.alternative(text, html, boundary=signed.boundary(), eight_bit=eight_bit, head=head)

    def _head(self, to: str, subject: str, date: str, message_id: str, unsubscribe: str) -> str:
        leave = f"\r\n{_LEAVE}: <{unsubscribe}>\r\n{_ONE_CLICK}" if unsubscribe else ""
        return f"{self._from}\r\n{to}\r\n{subject}\r\n{date}\r\n{message_id}{leave}\r\n{self._fixed}"

    def _date(self, now: datetime) -> str:
        """The Date field; the mails of a group share one `now`."""
        known, field = self._dated
        if known is not now:
            field = headers.date_field(now)
            self._dated = (now, field)
        return field

    def _told(self, message: Composable, failure: Exception) -> str:
        """Template, variable and fault; the slow way, for few messages ever fail."""
        said = f"template {message.template!r}: "
        if isinstance(failure, (templates.UnknownTemplate, compiling.BrokenTemplate)):
            return said + str(failure)
        faults = self._library.get(message.template).check(message.variables)
        if faults:
            return said + "; ".join(f"{fault.field} {fault.message}" for fault in faults)
        if isinstance(failure, UnicodeError):
            return said + "holds text that is no Unicode"
        return said + str(failure)


def _home(public_url: str) -> str:
    """The address that all of a mail's own links begin with; what the unsubscribe link adds has one length."""
    if not tokens.is_web(public_url):
        raise ValueError("public_url: an absolute http:// or https:// address is needed")
    home = public_url.rstrip("/")
    headers.url_field(_LEAVE, f"{home}/u/{'A' * tokens.SHORT_CHARS}")
    return home


def _sender_field(name: str, written: str) -> str:
    try:
        return headers.address_field(name, *headers.mailbox(written))
    except ValueError as fault:
        raise ValueError(f"{name}: {fault}") from None
