"""Models of templates in the database: their content, versions, comparisons and changes."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StrictInt

from engine.edits import NOTE_CHARS_MAX
from engine.templates.versions.content import PART_BYTES_MAX, Content
from engine.templates.versions.history import Version as Saved
from web.schemas.shapes import Input, Moment, Output

_CONTENT: dict[str, JsonValue] = {
    "subject": "{{ nombre }}, una propuesta",
    "preheader": "Tres ideas para {{ empresa }}",
    "html": "<p>Hola, {{ nombre }}:</p>",
    "sample": {"nombre": "Ana", "empresa": "Ronda"},
}
_VERSION: dict[str, JsonValue] = {
    "name": "oferta",
    "version": 2,
    "digest": "9f" * 32,
    "subject": "{{ nombre }}, una propuesta",
    "note": "Asunto más corto",
    "author": "lucia",
    "created_at": "2026-11-30T09:00:00.000Z",
    "is_published": False,
    "is_newest": True,
}
_FINDING: dict[str, JsonValue] = {
    "part": "body.html",
    "line": 12,
    "code": "contrast",
    "severity": "error",
    "message": "text in #999999 on #ffffff has a contrast of 2.85; 4.5 are needed",
    "remedy": "write it in #737373, or change the background",
}
_Number = Annotated[StrictInt, Field(ge=1, le=32_767)]
_Note = Annotated[str, Field(max_length=NOTE_CHARS_MAX)]
_PART = f"at most {PART_BYTES_MAX} bytes of Jinja."


class IfMatch(BaseModel):
    """Header of a request that saves a version."""

    if_match: str = Field(
        "", alias="If-Match", description="The ETag of the newest version, as it was read. 409 if another one is newer."
    )


class VersionQuery(BaseModel):
    """Query for one version."""

    model_config = ConfigDict(extra="forbid")

    version: int | None = Field(None, ge=1, le=32_767, description="A version in the database; else the newest.")


class VersionsQuery(BaseModel):
    """Query for a page of versions."""

    model_config = ConfigDict(extra="forbid")

    before: int | None = Field(None, ge=1, le=32_767, description="The `next` of the page before.")


class DiffQuery(BaseModel):
    """Query for the difference of two versions."""

    model_config = ConfigDict(extra="forbid")

    old: int | None = Field(None, alias="from", ge=1, le=32_767, description="By default the version before `to`.")
    new: int | None = Field(None, alias="to", ge=1, le=32_767, description="By default the newest version.")


class _Content(Input):
    subject: str = Field(description="The subject, on one line; variables as `{{ nombre }}`.")
    preheader: str = Field("", description="The line that mail programs show beside the subject; empty for none.")
    html: str | None = Field(None, description=f"The HTML, {_PART} Give this or `mjml`.")
    mjml: str | None = Field(None, description=f"The body as MJML, {_PART}")
    text: str | None = Field(None, description=f"The text part, {_PART} Without it, it is derived from the HTML.")
    sample: dict[str, JsonValue] = Field(
        default_factory=dict, description="Values for previews; publishing needs one of each required variable."
    )

    def content(self) -> Content:
        """Return the content."""
        return Content(**{name: getattr(self, name) for name in Content.__dataclass_fields__})


class NewTemplate(_Content):
    """A template to create."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "oferta", **_CONTENT}]})

    name: str = Field(description="1 to 50 of a to z, 0 to 9 and _.")
    note: _Note | None = Field(None, description="Words about this version.")


class NewVersion(_Content):
    """A version to save."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CONTENT | {"note": "Asunto más corto"}]})

    note: _Note | None = Field(None, description="Words about this version.")


class Unsaved(_Content):
    """A content to check that is not saved."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CONTENT]})

    subject: str = Field("", description="The subject, on one line; variables as `{{ nombre }}`.")


class Publication(Input):
    """A version to publish."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"version": 2}]})

    version: _Number = Field(description="The version that new e-mails use.")


class Revert(Input):
    """An old version to save again as the newest."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"version": 1, "note": "Como antes"}]})

    version: _Number = Field(description="The version with the content to save again.")
    note: _Note | None = Field(None, description="Words about the new version.")


class Copy(Input):
    """A copy to create."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "oferta_breve"}]})

    name: str = Field(description="The name of the copy.")
    note: _Note | None = Field(None, description="Words about its first version.")


class Version(Output):
    """One saved state of a template in the database."""

    model_config = ConfigDict(json_schema_extra={"examples": [_VERSION]})

    name: str
    version: int
    digest: str = Field(description="SHA-256 of the content; also the ETag, in quotes.")
    subject: str
    note: str | None
    author: str | None = Field(description="The account that saved it; null for the command line.")
    created_at: Moment
    is_published: bool = Field(description="True if new e-mails use this version.")
    is_newest: bool

    @classmethod
    def of(cls, saved: Saved) -> "Version":
        """Return the model of a version."""
        return cls(**{name: getattr(saved, name) for name in cls.model_fields})


class Versions(Output):
    """A page of versions, newest first."""

    versions: list[Version]
    next: int | None = Field(description="The `before` of the next page; null on the last page.")


class TemplateContent(Output):
    """The sources of a template. Those of a folder have their layouts filled in."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "oferta",
                    "source": "database",
                    "version": 2,
                    "published_version": 1,
                    "digest": "9f" * 32,
                    **_CONTENT,
                    "mjml": None,
                    "text": None,
                }
            ]
        }
    )

    name: str
    source: Literal["folder", "database"]
    version: int | None = Field(description="Null for a template of the folder.")
    published_version: int | None = Field(description="The version that new e-mails use.")
    digest: str = Field(description="SHA-256 of the content; also the ETag, in quotes.")
    subject: str
    preheader: str
    html: str | None
    mjml: str | None
    text: str | None
    sample: dict[str, JsonValue]


class Finding(Output):
    """A fault of a template that does not prevent e-mails, such as text that cannot be read."""

    part: str = Field(description="The part, as the name of a file, such as `body.html`.")
    line: int
    code: str = Field(description="A constant name, such as `contrast`; docs/templates.md lists them.")
    severity: Literal["error", "warning"]
    message: str
    remedy: str


class Valid(Output):
    """A content of which e-mails can be made."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"status": "valid", "required": ["nombre"], "findings": [_FINDING]}]}
    )

    status: Literal["valid"]
    required: list[str] = Field(description="The variables that a send must give.")
    findings: list[Finding] = Field(description="Faults of the e-mails for readers; they prevent no publication.")


class Diff(Output):
    """The parts that differ in two versions, each as the lines of a unified diff."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"parts": {"subject": ["@@ -1 +1 @@", "-Hola", "+Hola, {{ nombre }}"]}}]}
    )

    parts: dict[str, list[str]] = Field(description="By field, such as `html`; equal parts are left out.")


class DeletedTemplate(Output):
    """A deleted template."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "oferta", "status": "deleted"}]})

    name: str
    status: Literal["deleted"]
