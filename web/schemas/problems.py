"""Errors as RFC 9457 has them."""

from pydantic import BaseModel, ConfigDict, Field


class FieldFault(BaseModel):
    """One field at fault."""

    field: str = Field(description="Where it is: `to`, `variables.nombre`, `emails[3].template`.")
    message: str = Field(description="What is wrong with it and what would be right.")


class Problem(BaseModel):
    """What went wrong, and what to do about it (RFC 9457)."""

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

    type: str = Field(description="The kind of problem; does not change for the same kind.")
    title: str
    status: int
    detail: str
    errors: list[FieldFault] | None = None
