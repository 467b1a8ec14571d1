"""Models of errors (RFC 9457)."""

from pydantic import BaseModel, ConfigDict, Field


class FieldFault(BaseModel):
    """One field at fault."""

    field: str = Field(description="Path of the field: `to`, `variables.nombre`, `emails[3].template`.")
    message: str = Field(description="The fault and how to correct it.")


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
