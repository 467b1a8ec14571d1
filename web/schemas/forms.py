"""Models of sign-up forms and of what servers submit to them."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from engine.forms import definitions
from web.schemas.shapes import Input, Moment, Output

_FORM: dict[str, JsonValue] = {
    "slug": "guia-roi",
    "title": {"es": "Guía de seguimiento", "en": "Follow-up guide"},
    "fields": [{"name": "first_name", "label": {"es": "Nombre", "en": "First name"}, "required": True}],
    "consent": {"es": "Acepto recibir correos de Cadencia.", "en": "I agree to get e-mails from Cadencia."},
    "attributes": {"origen": "guia-roi"},
    "origins": ["https://www.tienda.example"],
    "redirect": "https://www.tienda.example/gracias",
}
_Texts = Annotated[dict[str, str], Field(max_length=2, description="By language: `es`, `en` or both.")]


class FormPath(BaseModel):
    """Path of one form."""

    slug: Annotated[str, Field(max_length=64, description="The slug that its creation named.")]


class FormFieldWanted(Input):
    """One field of a form."""

    name: Annotated[str, Field(max_length=50, description="A detail (`first_name`, `company`, …) or an attribute.")]
    label: _Texts
    required: bool = False
    options: list[str] = Field(default_factory=list, max_length=50, description="The person chooses one of these.")


class FormChange(Input):
    """A new definition of a form; what is left out has its default."""

    model_config = ConfigDict(json_schema_extra={"examples": [{key: _FORM[key] for key in _FORM if key != "slug"}]})

    title: _Texts
    fields: list[FormFieldWanted] = Field(
        default_factory=list, max_length=50, description=f"Besides the address; up to {definitions.FIELDS_MAX}."
    )
    consent: _Texts = Field(default_factory=dict, description="What people agree to; each change is a new version.")
    thanks: _Texts = Field(default_factory=dict, description="Shown at the end, if there is no `redirect`.")
    redirect: str | None = Field(None, max_length=2_000, description="At the end; on our own site or in `origins`.")
    double_opt_in: bool = Field(True, description="Ask for a confirmation by mail; false: confirmed at once.")
    attributes: dict[str, str] = Field(default_factory=dict, description="Set on each confirmed contact.")
    campaign_id: UUID | None = Field(None, description="Enroll each confirmed contact in this campaign.")
    origins: list[str] = Field(default_factory=list, max_length=50, description="Sites that may show and post it.")
    notify: list[str] = Field(
        default_factory=list, max_length=50, description="Addresses notified of each confirmation."
    )


class FormWanted(FormChange):
    """A form to create."""

    model_config = ConfigDict(json_schema_extra={"examples": [_FORM]})

    slug: Annotated[str, Field(max_length=64, description="Its name in addresses: a to z, 0 to 9 and -.")]


class FormField(Output):
    """One field of a form."""

    name: str
    label: dict[str, str]
    required: bool
    options: list[str]


class Form(Output):
    """A form with its state and address."""

    id: UUID
    slug: str
    state: str = Field(description="active or disabled.")
    url: str = Field(description="The page for everybody.")
    title: dict[str, str]
    fields: list[FormField]
    consent: dict[str, str]
    thanks: dict[str, str]
    redirect: str | None
    double_opt_in: bool
    attributes: dict[str, str]
    campaign_id: UUID | None
    origins: list[str]
    notified: int = Field(description="Number of addresses notified of each confirmation.")
    created_at: Moment
    updated_at: Moment


class FormStory(Form):
    """A form and its submissions by state."""

    submitted: int
    pending: int
    confirmed: int
    expired: int


class Forms(Output):
    """Forms in the order of their slugs; at most 50."""

    forms: list[Form]
    next: str | None = Field(description="Pass it as `after` for the next page; null after the last.")


class FormsQuery(Input):
    """The page of the list."""

    after: Annotated[str, Field(max_length=64)] = Field("", description="The `next` of the page before.")


class Submission(Input):
    """A submission by a server, for a person who filled in a form there."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"email": "eva@empresa.example", "fields": {"first_name": "Eva"}, "consent": True}]
        }
    )

    email: Annotated[str, Field(max_length=320)]
    fields: dict[str, Annotated[str, Field(max_length=2_000)]] = Field(default_factory=dict, max_length=50)
    consent: bool = Field(False, description="The person agreed to the form's consent text.")
    language: Annotated[str, Field(pattern="^(es|en)$")] = "es"
    page: Annotated[str, Field(max_length=500)] = Field("", description="Where the person filled it in.")


class Submitted(Output):
    """The same response for every address."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "confirm"}]})

    status: str = Field(description="`confirm`: the person gets a mail to confirm it; `done`: confirmed.")


class ConsentRecord(Output):
    """A confirmed submission of a form: what the contact agreed to, when, where, and in which words."""

    form: str
    submitted_at: Moment
    confirmed_at: Moment
    confirmed_by: str = Field(description="`press`: the person; `page`: the page, once a person was there; `form`.")
    page: str | None = Field(description="Address of the page with the form, without its query.")
    network: str | None = Field(description="As events keep it: see EVENT_ADDRESSES.")
    confirmed_network: str | None
    language: str
    version: int | None = Field(description="Version of the form's consent text; null: the form had none.")
    digest: str | None = Field(description="SHA-256 of the text in all languages.")
    text: str
