"""Models of contacts and of the import report."""

from uuid import UUID

from flask_openapi3.models import RawModel
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from web.schemas.shapes import Moment, Output


class ContactPath(BaseModel):
    """Path of one contact."""

    contact_id: UUID = Field(description="The id in the response of `GET /api/v1/emails/{email_id}`.")


class CsvFile(RawModel):
    """A CSV file as the request body."""

    mimetypes: list[str] = ["text/csv"]  # noqa: RUF012  # declared like this in the base class


class RowFault(Output):
    """A fault or a note about one line of the file."""

    line: int
    field: str
    message: str


class ImportReport(Output):
    """Result of an import: rows = created + updated + unchanged + duplicates + refused."""

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
    duplicates: int = Field(description="Rows with the address of an earlier row, which counts.")
    refused: int = Field(description="Rows with a fault, not imported.")
    suppressed: int = Field(description="Imported contacts whose address is suppressed: they get no e-mail.")
    faults: list[RowFault] = Field(description="The first 1,000.")
    notes: list[RowFault] = Field(description="The first 1,000.")


class StepTaken(Output):
    """One e-mail of a campaign to this contact."""

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
    relay: str | None = Field(description="The mail server of its last attempt.")


class Journey(Output):
    """A contact's progress in one campaign; `sentence` explains the state in English."""

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
    """A contact with its flags, its score and its campaigns."""

    id: UUID
    email: str | None = Field(description="null if no key of this installation decrypts it.")
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
    suppressed: str | None = Field(description="Reason of the suppression; null if it is not suppressed.")
    campaigns: list[Journey]
