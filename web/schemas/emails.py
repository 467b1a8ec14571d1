"""Models of single sends, batches and the history of an e-mail."""

from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue, SkipValidation, field_validator
from pydantic.config import JsonDict

from engine.audience import addresses
from engine.delivery import email_pages
from errors import InvalidInput
from web.schemas.problems.problems import FieldFault
from web.schemas.shapes import Input, Moment, Output, Second

Status: TypeAlias = Literal[
    "queued", "claimed", "sending", "sent", "failed", "bounced", "complained", "in_doubt", "cancelled"
]

_SEND: JsonDict = {
    "to": "prospecto@empresa.example",
    "template": "email_1_roi",
    "variables": {
        "nombre": "Juan Pérez",
        "industria": "Marketing",
        "link_calendly": "https://calendly.example/juan",
    },
}
_ACCEPTED: JsonDict = {
    "status": "success",
    "email_id": "email_018d0c1b2e7a7c3f9a5e4d2b1c0f8e6d",
    "sent_at": "2024-01-15T10:00:00Z",
}


class Headers(BaseModel):
    """Headers of a request that sends e-mails."""

    idempotency_key: str = Field(
        "",
        alias="Idempotency-Key",
        description="1 to 255 printable characters. The same key and body get the same response for 48 hours.",
    )


class WaitingHeaders(Headers):
    """Headers of a request that may wait for the mail server."""

    prefer: str = Field(
        "", alias="Prefer", description="`wait=N`, N up to 30: wait N seconds for the mail server (RFC 7240)."
    )


class Send(Input):
    """One e-mail to send."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SEND]})

    to: Annotated[str, Field(description="One address; SMTPUTF8 and IDNA are taken.", max_length=320)]
    template: Annotated[str, Field(description="The name of a template.", max_length=50)]
    variables: dict[str, JsonValue] = Field(default_factory=dict, description="Values of the template's variables.")
    kind: Literal["marketing", "transactional"] = Field(
        "marketing",
        description="`transactional` (needs the scope `send:transactional`) reaches people who unsubscribed.",
    )

    @field_validator("to")
    @classmethod
    def _address(cls, value: str) -> str:
        try:
            return addresses.normalise(value)
        except InvalidInput as error:
            raise ValueError(error.faults[0].message) from None


class Batch(Input):
    """Up to 1,000 e-mails in one request; each is accepted or refused on its own."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"emails": [_SEND]}]})

    # Not validated here, so that an invalid e-mail does not refuse the others.
    emails: list[SkipValidation[Send]] = Field(min_length=1)


class Accepted(Output):
    """The stored e-mail; after `Prefer: wait`, its outcome."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ACCEPTED]})

    status: Literal["success", "failed"]
    email_id: str
    sent_at: Second | None = Field(
        description="202: when it was accepted. 200: when the mail server accepted it; null if it failed."
    )
    reason: str | None = Field(
        None, exclude_if=lambda value: value is None, description="Why it failed; with 202 `deferred` or `in_doubt`."
    )


class Result(Output):
    """Result of one e-mail of a batch."""

    index: int = Field(description="Position in the request, from 0.")
    status: Literal["success", "refused"]
    email_id: str | None = None
    sent_at: Second | None = None
    errors: list[FieldFault] | None = None


class BatchAccepted(Output):
    """Results of a batch, in the order of the request."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "success",
                    "accepted": 1,
                    "refused": 0,
                    "results": [{"index": 0, **_ACCEPTED, "errors": None}],
                }
            ]
        }
    )

    status: Literal["success", "partial"]
    accepted: int
    refused: int
    results: list[Result]


class StoryEvent(Output):
    """One event of an e-mail."""

    event_type: str
    timestamp: Moment
    source: str = Field(description="human, machine (such as a scanner; sets no flag) or unknown.")
    event_data: dict[str, Any]


class Story(Output):
    """Everything recorded about one e-mail except the recipient's address, which belongs to the contact."""

    email_id: str
    contact_id: str
    template: str
    template_version: int | None = Field(description="Its version in the database; null for a folder's.")
    subject: str | None = Field(
        description="As its recipient reads it; of a campaign's e-mail, with the contact's present values. "
        "null if no key of this installation decrypts it."
    )
    kind: str
    campaign_id: str | None
    step: int | None
    status: Status
    accepted_at: Moment
    due_at: Moment
    sent_at: Moment | None
    opened_at: Moment | None
    clicked_at: Moment | None
    machine_opened_at: Moment | None
    machine_clicked_at: Moment | None
    converted_at: Moment | None
    attempts: int
    reason: str | None = Field(
        description="Why it has its status; `untried` if it was returned to the queue without an attempt."
    )
    response: str | None = Field(
        description="The mail server's reply, or why the e-mail was not tried, with addresses removed."
    )
    relay: str | None = Field(description="The mail server of its last attempt, as `outbox relays` names it.")
    message_id: str
    events: list[StoryEvent]


class EmailsQuery(BaseModel):
    """Conditions on the e-mails to list, and the page of them."""

    model_config = ConfigDict(extra="forbid")

    contact_id: UUID | None = Field(None, description="Those of this contact.")
    campaign_id: UUID | None = Field(None, description="Those of this campaign.")
    status: Status | None = Field(None, description="Those with this status.")
    template: str | None = Field(None, description="Those of this template.", max_length=50)
    before: str | None = Field(None, description="The `next` of the page before.", max_length=64)
    limit: int = Field(100, ge=1, le=email_pages.LIMIT_MAX, description="The largest number of e-mails.")


class Listed(Output):
    """An e-mail in a list; `GET /api/v1/emails/{email_id}` has its whole story."""

    email_id: str
    contact_id: UUID
    template: str
    subject: str | None
    kind: str
    campaign_id: UUID | None
    step: int | None
    status: Status
    accepted_at: Moment
    sent_at: Moment | None
    opened_at: Moment | None
    clicked_at: Moment | None
    converted_at: Moment | None
    reason: str | None


class Emails(Output):
    """A page of e-mails, newest first. A page may be short although another follows: read on until `next` is null."""

    emails: list[Listed]
    next: str | None = Field(description="`before` of the next page; null after the last one.")


class EmailPath(BaseModel):
    """Path of one e-mail."""

    email_id: str = Field(description="The `email_…` that the send returned, or the bare UUID.", max_length=64)
