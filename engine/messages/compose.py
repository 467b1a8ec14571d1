"""Compose an e-mail: from its template, variables and recipient to the bytes of the message."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from engine.messages import headers, links, mime, prerendered, subjects
from engine.messages.prerendered import Composed
from engine.templates import compiling, templates
from engine.templates.templates import Template
from engine.tracking import tokens
from engine.tracking.address_tags import AddressTags
from errors import CadenciaError
from models import ids
from models.email import MARKETING, TEST

log = logging.getLogger(__name__)

_FIXED = "MIME-Version: 1.0\r\n"
# RFC 3834 section 5: of a notification, to which nobody should reply. A marketing e-mail asks for a reply.
_NOTIFICATION = "Auto-Submitted: auto-generated"
_UNSUBSCRIBE = "List-Unsubscribe"
_ONE_CLICK = "List-Unsubscribe-Post: List-Unsubscribe=One-Click"  # RFC 8058 section 3.1


class CannotCompose(CadenciaError):
    """The e-mail can never be composed; the message names the template and the variable, never a value.

    `is_render`: the template failed on the variables. If it fails on those of every e-mail, it is itself at fault.
    """

    def __init__(self, message: str, *, is_render: bool) -> None:
        super().__init__(message)
        self.is_render = is_render


@dataclass(frozen=True, slots=True)
class From:
    """The sender (`address` or `Name <address>`), the reply address, and the base address of our own links.

    With `tags`, each e-mail has a return path of its own, if one is set, and a reply address with `has_reply_tags`.
    """

    mail_from: str
    reply_to: str | None
    public_url: str
    tags: AddressTags | None = None
    return_path: str | None = None
    has_reply_tags: bool = False


class Composable(Protocol):
    """The fields of an e-mail that composing needs; `message_id` has no angle brackets."""

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
    def template_version(self) -> int | None: ...
    @property
    def variables(self) -> Mapping[str, object]: ...
    @property
    def kind(self) -> str: ...


class Email(NamedTuple):
    """An e-mail that no sender has claimed; `kind` is one of `models.email.KINDS`."""

    email_id: UUID
    message_id: str
    to: str
    to_name: str | None
    template: str
    variables: Mapping[str, object]
    kind: str
    template_version: int | None = None


class Templates(Protocol):
    """The templates of a composer, such as a library."""

    def pinned(self, name: str, version: int | None) -> Template:
        """Return the template of an e-mail: a version in the database, or that of the folder if there is no version."""

    def forget(self, name: str, version: int | None = None) -> None:
        """Compile the template again at its next use."""

    def forget_edited(self) -> list[str]:
        """Forget templates of the folder whose files have changed, and return their names."""


class Composer:
    """Composes e-mails for one sender; made once per process, safe to share between threads.

    Raises ValueError at once if the sender, the reply address or the public address is invalid.
    """

    def __init__(self, library: Templates, signer: tokens.Signer, sender: From) -> None:
        self._library = library
        self._signer = signer
        self._public_url = _base_url(sender.public_url)
        self._from = _sender_field("From", sender.mail_from)
        self._fixed = _FIXED
        self._tags = sender.tags
        self._return_path = sender.return_path.rsplit("@", 1) if sender.return_path and sender.tags else None
        self._reply_to: list[str] | None = None
        if sender.has_reply_tags and sender.tags:
            self._reply_to = _sender_field("Reply-To", sender.reply_to or sender.mail_from).rsplit("@", 1)
        elif sender.reply_to:
            self._fixed = f"{_sender_field('Reply-To', sender.reply_to)}\r\n{_FIXED}"
        self._last_date: tuple[datetime | None, str] = (None, "")
        self._prerendered: dict[str, prerendered.PrerenderedTemplate | None] = {}
        self._versions: dict[tuple[str, int], prerendered.PrerenderedTemplate | None] = {}

    def compose(self, email: Composable, *, now: datetime, eight_bit: bool) -> Composed:
        """Return the message with CRLF line ends, not dot-stuffed; the same on every call but for its Date.

        `eight_bit`: the server supports 8BITMIME. Raise UnusableTemplate if the template cannot be used on this host,
        for any e-mail; CannotCompose if this e-mail is at fault.
        """
        try:
            message = self.fill(email, now=now, eight_bit=eight_bit)
            if message is not None:
                return message
            return Composed(self.render(email, now=now, eight_bit=eight_bit), False)
        except compiling.UnusableTemplate:
            raise
        except Exception as failure:  # noqa: BLE001  # one e-mail that breaks our own code stops no other
            raise self._cannot(email, failure) from None

    def return_path(self, email_id: UUID) -> str:
        """Return the envelope sender of an e-mail, or "" if it has none of its own."""
        if self._return_path is None or self._tags is None:
            return ""
        local, domain = self._return_path
        return f"{local}+{self._tags.tag(email_id)}@{domain}"

    def recompile(self, name: str, version: int | None) -> None:
        """Read the template again at its next use."""
        self._library.forget(name, version)
        self._prerendered.pop(name, None) if version is None else self._versions.pop((name, version), None)

    def reread(self) -> None:
        """Read templates again whose files have changed, if that is configured. Call it before a group."""
        for name in self._library.forget_edited():
            self._prerendered.pop(name, None)

    def fill(self, email: Composable, *, now: datetime, eight_bit: bool) -> Composed | None:
        """Return the message from its prerendered template; None if it must be rendered, as a test is."""
        if email.kind == TEST:
            return None
        version = email.template_version
        try:
            template = self._prerendered[email.template] if version is None else self._versions[email.template, version]
        except KeyError:
            template = self._prerender(email)
        if template is None:
            return None
        signed = self._signer.email(email.email_id)
        to = headers.address_field("To", email.to, email.to_name or "")
        message_id = self._identity(email)
        fields = prerendered.EmailFields(signed, to, self._date(now), message_id)
        return template.fill(email.variables, fields, unsubscribes=email.kind == MARKETING, eight_bit=eight_bit)

    def render(self, email: Composable, *, now: datetime, eight_bit: bool) -> bytes:
        """Return the message rendered in full, for any template; raise the errors of the steps."""
        signed = self._signer.email(email.email_id)
        if email.kind == TEST:
            unsubscribe = ""
            subject, html, text = self._encode_test(email)
        else:
            addresses = links.SignedLinks(signed, self._public_url, unsubscribes=email.kind == MARKETING)
            unsubscribe = addresses.unsubscribe
            subject, html, text = self._template(email).encode(email.variables, addresses)
        head = self._head(
            headers.address_field("To", email.to, email.to_name or ""),
            headers.text_field("Subject", subject),
            self._date(now),
            self._identity(email),
            unsubscribe,
        ).encode()
        if not (eight_bit or head.isascii()):
            raise ValueError("To: the local part is not ASCII, which this relay does not support")
        return mime.alternative(text, html, boundary=signed.boundary(), eight_bit=eight_bit, head=head)

    def _encode_test(self, email: Composable) -> tuple[str, bytes, bytes]:
        """Return marked subject, HTML and text without tracking; the unsubscribe link leads to a page that explains."""
        template = self._template(email)
        addresses = links.PlainLinks(f"{self._public_url}/u/{TEST}")
        subject, html, text = template.encode(email.variables, addresses)
        return subjects.of_test(subject, template.language), compiling.without_pixel(html), text

    def _prerender(self, email: Composable) -> prerendered.PrerenderedTemplate | None:
        template, version = self._template(email), email.template_version
        simple = prerendered.PrerenderedTemplate(template, self._public_url, self._head) if template.is_simple else None
        if version is None:
            self._prerendered[email.template] = simple
            return simple
        self._versions[email.template, version] = simple
        while len(self._versions) > templates.VERSIONS_KEPT:
            self._versions.pop(next(iter(self._versions)))
        return simple

    def _template(self, email: Composable) -> Template:
        """Return the template of an e-mail. Raise UnusableTemplate if it cannot be read now."""
        try:
            return self._library.pinned(email.template, email.template_version)
        except compiling.UnusableTemplate:
            raise
        except Exception as failure:  # of the database: the e-mail is not at fault
            label = templates.label(email.template, email.template_version)
            reason = f"{label!r} cannot be read now ({type(failure).__name__})"
            raise compiling.UnusableTemplate.of("template", reason) from failure

    def _head(self, to: str, subject: str, date: str, message_id: str, unsubscribe: str) -> str:
        """Return the header; an e-mail without an unsubscribe address is transactional or a test."""
        of_kind = f"{_UNSUBSCRIBE}: <{unsubscribe}>\r\n{_ONE_CLICK}" if unsubscribe else _NOTIFICATION
        return f"{self._from}\r\n{to}\r\n{subject}\r\n{date}\r\n{message_id}\r\n{of_kind}\r\n{self._fixed}"

    def _identity(self, email: Composable) -> str:
        """Return the Message-ID line, and the Reply-To line if that names the e-mail as well."""
        line = headers.message_id_field(email.message_id)
        if self._reply_to is None or self._tags is None:
            return line
        begin, domain = self._reply_to
        return f"{line}\r\n{begin}+{self._tags.tag(email.email_id)}@{domain}"

    def _date(self, now: datetime) -> str:
        """Return the Date line; the e-mails of a group share one `now`."""
        last, field = self._last_date
        if last is not now:
            field = headers.date_field(now)
            self._last_date = (now, field)
        return field

    def _cannot(self, email: Composable, failure: Exception) -> CannotCompose:
        """Return the error with template, variable and fault; renders again, because few e-mails fail."""
        prefix = f"template {templates.label(email.template, email.template_version)!r}: "
        try:
            faults = self._template(email).check(email.variables)
        except Exception as unexpected:  # noqa: BLE001  # as above
            faults, failure = [], unexpected
        if faults:
            reason = "; ".join(f"{fault.field} {fault.message}" for fault in faults)
            return CannotCompose(prefix + reason, is_render=True)
        if isinstance(failure, UnicodeError):
            return CannotCompose(f"{prefix}contains invalid Unicode", is_render=False)
        if isinstance(failure, ValueError):
            return CannotCompose(prefix + str(failure), is_render=False)
        if isinstance(failure, templates.CannotRender):
            return CannotCompose(prefix + str(failure), is_render=True)
        log.error(
            "compose_failed email=%s error=%s", ids.public(email.email_id), type(failure).__name__, exc_info=failure
        )
        return CannotCompose(f"{prefix}fails with {type(failure).__name__}", is_render=True)


def _base_url(public_url: str) -> str:
    """Return the base address of our own links; raise ValueError if List-Unsubscribe would exceed its line."""
    if not tokens.is_web(public_url):
        raise ValueError("public_url: an absolute http:// or https:// address is needed")
    base = public_url.rstrip("/")
    headers.url_field(_UNSUBSCRIBE, f"{base}/u/{'A' * tokens.SHORT_CHARS}")
    return base


def _sender_field(name: str, mailbox: str) -> str:
    try:
        return headers.address_field(name, *headers.mailbox(mailbox))
    except ValueError as fault:
        raise ValueError(f"{name}: {fault}") from None
