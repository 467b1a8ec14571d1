"""Models of the templates that a send may use, and of tests."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from engine.previews import sends
from models import ids
from web.schemas.shapes import Input, Output


class TemplatePath(BaseModel):
    """Path of one template."""

    name: str = Field(description="The name of a template.", max_length=50)


class Headers(BaseModel):
    """Headers of a request that sends tests."""

    idempotency_key: str = Field(
        "",
        alias="Idempotency-Key",
        description="1 to 255 printable characters. The same key and body get the same response for 48 hours.",
    )


class Test(Input):
    """Tests of a template to send."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"to": ["lucia@empresa.example"]}]})

    to: list[Annotated[str, Field(max_length=320)]] = Field(
        min_length=1, max_length=sends.ADDRESSES_MAX, description=f"One to {sends.ADDRESSES_MAX} addresses."
    )
    contact_id: UUID | None = Field(
        None, description="Use the values of this contact, which needs the scope `contacts`, instead of the sample's."
    )
    campaign_id: UUID | None = Field(None, description="Use the variables of this campaign.")
    variables: dict[str, JsonValue] = Field(default_factory=dict, description="Values that replace these.")


class TestAccepted(Output):
    """The stored tests, each of which can be followed as any e-mail."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"status": "success", "email_ids": ["email_018d0c1b2e7a7c3f9a5e4d2b1c0f8e6d"]}]}
    )

    status: Literal["success"]
    email_ids: list[str] = Field(description="In the order of the addresses; a repeated one has no second id.")

    @classmethod
    def of(cls, email_ids: Sequence[UUID]) -> Self:
        """Return the result of these stored tests."""
        return cls(status="success", email_ids=[ids.public(email_id) for email_id in email_ids])


class Variable(Output):
    """A variable of a template."""

    name: str
    required: bool = Field(description="False if the template also works without it.")
    sample: JsonValue = Field(description="Its value in the template's preview; null if it has none.")


class Template(Output):
    """A template, and the variables that a send needs."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "email_1_roi",
                    "language": "es",
                    "subject": "{{ nombre }}, una idea",
                    "sample_subject": "Ana, una idea",
                    "variables": [{"name": "nombre", "required": True, "sample": "Ana"}],
                    "fault": None,
                    "source": "folder",
                    "published_version": None,
                    "newest_version": None,
                    "hides_folder": False,
                }
            ]
        }
    )

    name: str
    language: str | None = Field(description="The `lang` of its HTML, such as `es`; null if it states none.")
    subject: str | None = Field(description="The subject as it is written, with its variables.")
    sample_subject: str | None = Field(description="The subject with the sample values.")
    variables: list[Variable]
    fault: str | None = Field(description="Why no e-mail can be made of it; null if it can be used.")
    source: Literal["folder", "database"] = Field(description="Where its sources are; only the latter can be changed.")
    published_version: int | None = Field(description="The version in the database that new e-mails use.")
    newest_version: int | None = Field(description="The version in the database that was saved last.")
    hides_folder: bool = Field(description="True if there is a folder of this name, too, which is not used.")


class TemplatesQuery(Input):
    """The page of the list."""

    after: Annotated[str, Field(max_length=50)] = Field("", description="The `next` of the page before.")


class Templates(Output):
    """A page of the templates, by name."""

    templates: list[Template]
    next: str | None = Field(description="Pass it as `after` for the next page; null after the last.")
