"""Models of templates."""

from pydantic import ConfigDict, Field, JsonValue

from web.schemas.shapes import Output


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


class Templates(Output):
    """All templates, by name."""

    templates: list[Template]
