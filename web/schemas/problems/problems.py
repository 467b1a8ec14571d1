"""Models of errors (RFC 9457)."""

from collections.abc import Sequence
from http import HTTPStatus

from pydantic import BaseModel, ConfigDict, Field

from errors import Fault


class FieldFault(BaseModel):
    """One field at fault."""

    field: str = Field(description="Path of the field: `to`, `variables.nombre`, `emails[3].template`.")
    message: str = Field(description="The fault and how to correct it.")
    line: int | None = Field(None, description="The line in a longer text, such as the HTML of a template.")


class Problem(BaseModel):
    """An error and how to correct it (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:cadencia:problem:unprocessable-entity",
                    "title": "Unprocessable Entity",
                    "status": 422,
                    "detail": "variables.nombre: is missing",
                    "errors": [{"field": "variables.nombre", "message": "is missing"}],
                }
            ]
        }
    )

    type: str = Field(description="Kind of problem; stable, so programs may compare it.")
    title: str
    status: int
    detail: str
    errors: list[FieldFault] | None = None

    @classmethod
    def of(cls, status: int, detail: str, faults: Sequence[Fault] = ()) -> "Problem":
        """Return the problem with this status; `faults` name the fields at fault."""
        title = HTTPStatus(status).phrase
        listed = [FieldFault(field=fault.field, message=fault.message, line=fault.line) for fault in faults]
        kind = f"urn:cadencia:problem:{title.lower().replace(' ', '-')}"
        return cls(type=kind, title=title, status=status, detail=detail, errors=listed or None)
