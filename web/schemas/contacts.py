"""Models of contacts and of the import report."""

from typing import Annotated, Literal, Self
from uuid import UUID

from flask_openapi3.models import RawModel
from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from engine.audience.directory import contact_pages
from web.schemas.forms import ConsentRecord
from web.schemas.shapes import Input, Moment, Output

PRINTABLE = r"^[^\x00-\x1f\x7f-\x9f]*$"  # no control characters, as in an import


class ContactPath(BaseModel):
    """Path of one contact."""

    contact_id: UUID = Field(description="The id in the response of `GET /api/v1/emails/{email_id}`.")


class CsvFile(RawModel):
    """A CSV file as the request body."""

    mimetypes: list[str] = ["text/csv"]  # noqa: RUF012  # declared like this in the base class


class ImportOptions(Input):
    """Options for a file whose recognition fails, and the dry run."""

    map: list[str] = Field(
        default=[],
        max_length=100,
        description="Meaning of a column, as `E-mail 1 - Value=email`; may be repeated. After the sign stands one of "
        "email, first_name, last_name, industry, role, company, timezone, locale, opt_out, opt_in, status, converted, "
        "converted_at, the name of an attribute, or nothing to leave the column out.",
    )
    encoding: str | None = Field(default=None, max_length=40, description="Such as `cp1252`; null to recognise it.")
    dry_run: bool = Field(default=False, description="Report only; store nothing.")


class RowFault(Output):
    """A fault or a note about one line of the file."""

    line: int
    field: str
    message: str


class ColumnReport(Output):
    """One column of the file and how it is understood."""

    name: str
    meaning: str | None = Field(description="null: only an attribute, or left out.")
    attribute: str | None = Field(description="Attribute that keeps cells not used for the meaning.")
    by: str | None = Field(description="The meaning follows from the `name`, the `content` or the `map`.")
    after: str | None = Field(description="Column that counts before this one if both are filled.")
    filled: int
    mended: int = Field(description="Cells that were changed; `notes` says how.")
    left_out: int = Field(description="Filled cells that were not stored.")


class FileReport(Output):
    """The reading of the file."""

    encoding: str
    separator: str
    header_line: int | None = Field(description="null: the file has no header.")
    columns: list[ColumnReport]


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
                    "opted_out": 0,
                    "converted": 0,
                    "lost_lines": 0,
                    "file": {
                        "encoding": "UTF-8",
                        "separator": ";",
                        "header_line": 1,
                        "columns": [
                            {
                                "name": "correo",
                                "meaning": "email",
                                "attribute": None,
                                "by": "name",
                                "after": None,
                                "filled": 3,
                                "mended": 0,
                                "left_out": 1,
                            }
                        ],
                    },
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
    refused: int = Field(description="Rows without a valid address, or that cannot be read; not imported.")
    suppressed: int = Field(description="Imported contacts whose address is suppressed: they get no e-mail.")
    opted_out: int = Field(description="Addresses that a column of the file suppresses.")
    converted: int = Field(description="Contacts that converted according to the file.")
    lost_lines: int = Field(description="Lines of rows that cannot be read.")
    file: FileReport
    faults: list[RowFault] = Field(description="The first 1,000.")
    notes: list[RowFault] = Field(description="The first 1,000.")


_Word = Annotated[str, Field(max_length=50, pattern=PRINTABLE)]
_Name = Annotated[str, Field(max_length=100, pattern=PRINTABLE)]


class NewContact(Input):
    """A contact to create or to update; details that are null stay as they are."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"email": "eva@empresa.example", "first_name": "Eva", "industry": "Marketing"}]}
    )

    email: Annotated[str, Field(max_length=320)]
    first_name: _Name | None = None
    last_name: _Name | None = None
    company: _Name | None = None
    role: _Word | None = None
    industry: _Word | None = None
    attributes: dict[_Word, Annotated[str, Field(max_length=1_000)]] = Field(default_factory=dict, max_length=50)


class Person(Input):
    """A contact or an address; give one of the two."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "ana@empresa.example"}]})

    email: Annotated[str, Field(max_length=320)] | None = Field(None, description="It need not be a contact's.")
    contact_id: UUID | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.email is None) == (self.contact_id is None):
            raise ValueError("give either email or contact_id")
        return self


class Release(Person):
    """A contact or an address to release; `even` names another reason than `manual` that is known to be wrong."""

    even: Literal["unsubscribed", "hard_bounce", "complaint"] | None = Field(
        None, description="Release it although it is suppressed for this reason."
    )


class Consent(Output):
    """The state of an address: why it is suppressed, null if it is not, and its contact if there is one."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"contact_id": "0199f3a0-5b7c-7d12-8e4f-1a2b3c4d5e6f", "suppressed": "manual"}]}
    )

    contact_id: UUID | None
    suppressed: str | None


class Erased(Output):
    """The contact whose personal data was erased; its row remains for the counts."""

    contact_id: UUID


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
    email: str | None = Field(description="null if it was erased, or no key of this installation decrypts it.")
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
    listed_at: Moment | None = Field(description="Since when audiences include it; null: known from single sends only.")
    erased_at: Moment | None = Field(description="When its personal data was erased.")
    suppressed: str | None = Field(description="Reason of the suppression; null if it is not suppressed.")
    campaigns: list[Journey]
    consents: list[ConsentRecord] = Field(description="What it agreed to by forms, the newest first; at most 50.")


class ContactsQuery(BaseModel):
    """Conditions on the contacts to list, and the page of them."""

    model_config = ConfigDict(extra="forbid")

    prefix: str = Field(
        "", max_length=100, description="Beginning of a name or company, without regard to case and accents."
    )
    industry: str | None = Field(None, max_length=50, description="Those of this industry.")
    role: str | None = Field(None, max_length=50, description="Those with this role.")
    followup_status: str | None = Field(None, max_length=50, description="Those with this status.")
    min_score: int | None = Field(None, ge=0, le=100, description="Those with at least this score.")
    after: str | None = Field(None, description="The `next` of the page before.", max_length=600)
    limit: int = Field(contact_pages.LIMIT, ge=1, le=contact_pages.LIMIT_MAX, description="The most contacts.")


class ListedContact(Output):
    """A contact in a list; `GET /api/v1/contacts/{contact_id}` has the whole record."""

    id: UUID
    email: str | None
    first_name: str | None
    last_name: str | None
    company: str | None
    role: str | None
    industry: str | None
    score: int
    followup_status: str
    converted: bool
    suppressed: str | None = Field(description="Reason of the suppression.")
    paused_until: Moment | None
    in_sequence: bool = Field(description="A campaign still has e-mails for it.")
    listed_at: Moment | None
    erased_at: Moment | None


class Contacts(Output):
    """A page of contacts. A page may be short although another follows: read on until `next` is null."""

    contacts: list[ListedContact]
    next: str | None = Field(description="`after` of the next page; null after the last one.")


class Address(Input):
    """An address to look up."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "eva@empresa.example"}]})

    email: Annotated[str, Field(max_length=320)]
