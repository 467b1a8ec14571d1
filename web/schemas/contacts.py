"""Contacts: what an import did, and what is known of one."""

from uuid import UUID

from flask_openapi3.models import RawModel
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from web.schemas.shapes import Moment, Output


class ContactPath(BaseModel):
    """Which contact."""

    contact_id: UUID = Field(description="As an e-mail's story or an import tells it.")


class CsvFile(RawModel):
    """A CSV file as the body."""

    mimetypes: list[str] = ["text/csv"]  # noqa: RUF012  # as its base class has it


class RowFault(Output):
    """What is wrong with, or worth knowing of, one line."""

    line: int
    field: str
    message: str


class ImportReport(Output):
    """What became of a file: rows = created + updated + unchanged + duplicates + refused."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "rows": 3,
                    "created": 1,
                    "updated": 0,
                    "unchanged": 0,
                    "duplicates": 1,
                    "refused": 1,
                    "suppressed": 0,
                    "faults": [{"line": 3, "field": "email", "message": "An email address must have an @-sign"}],
                    "notes": [{"line": 4, "field": "email", "message": "is the address of line 2, which counts"}],
                }
            ]
        }
    )

    rows: int
    created: int
    updated: int
    unchanged: int
    duplicates: int = Field(description="Rows whose address an earlier row has; that one counts.")
    refused: int = Field(description="Rows with a fault; none of them was imported.")
    suppressed: int = Field(description="Contacts that were taken in but get no mail.")
    faults: list[RowFault] = Field(description="The first 1,000.")
    notes: list[RowFault] = Field(description="The first 1,000.")


class StepTaken(Output):
    """One mail of a campaign to this contact."""

    step: int
    email_id: str
    template: str
    status: str
    sent_at: Moment | None
    opened_at: Moment | None
    clicked_at: Moment | None
    machine_opened_at: Moment | None
    machine_clicked_at: Moment | None
    converted_at: Moment | None
    reason: str | None
    relay: str | None = Field(description="The mail server its last attempt went over.")


class Journey(Output):
    """The contact's way through one campaign; `sentence` tells where it stands and why."""

    campaign_id: UUID
    campaign: str
    state: str
    stop_reason: str | None
    stopped_at: Moment | None
    next_step: int
    next_at: Moment | None
    sentence: str
    steps: list[StepTaken]


class Contact(Output):
    """All that is known of a contact."""

    id: UUID
    email: str
    first_name: str | None
    last_name: str | None
    industry: str | None
    role: str | None
    company: str | None
    timezone: str | None
    locale: str | None
    attributes: dict[str, JsonValue]
    created_at: Moment
    updated_at: Moment
    followup_status: str
    flags: dict[str, bool] = Field(description="`email_1_sent` to `email_3_clicked`.")
    converted: bool
    converted_at: Moment | None
    score: int = Field(description="0 to 100.")
    suppressed: str | None = Field(description="Why it gets no mail, if it gets none.")
    campaigns: list[Journey]
