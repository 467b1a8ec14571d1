"""From one row of the ledger to the bytes of one mail."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from engine.messages import templates
from engine.tracking import tokens
from errors import CadenciaError


class CannotCompose(CadenciaError):
    """This message can never be composed as it is; names template and variable, never a value."""


@dataclass(frozen=True, slots=True)
class From:
    """Who the mails come from, and where their links lead."""

    mail_from: str
    reply_to: str | None
    public_url: str


@dataclass(frozen=True, slots=True)
class Message:
    """What the ledger knows of one mail to be composed; `message_id` is bare, without angle brackets."""

    email_id: UUID
    message_id: str
    to: str
    to_name: str | None
    template: str
    variables: Mapping[str, object]
    kind: Literal["marketing", "transactional"]


class Composer:
    """Composes mails; made once per process, safe to share between threads."""

    def __init__(self, library: templates.Library, signer: tokens.Signer, sender: From) -> None:
        raise NotImplementedError

    def compose(self, message: Message, *, now: datetime, eight_bit: bool) -> bytes:
        """The whole mail with CRLF line ends, not dot-stuffed, or CannotCompose."""
        raise NotImplementedError
