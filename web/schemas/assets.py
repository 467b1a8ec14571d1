"""Models of assets."""

from typing import Annotated
from uuid import UUID

from flask_openapi3.models import RawModel
from pydantic import BaseModel, Field

from engine.assets import pictures
from web.schemas.shapes import Input, Moment, Output


class PictureFile(RawModel):
    """A picture as the request body."""

    mimetypes: list[str] = [*pictures.FORMATS.values()]  # noqa: RUF012  # declared like this in the base class


class PictureOptions(Input):
    """The name of a picture that is uploaded."""

    name: Annotated[str, Field(max_length=100, description="The name of the file, to recognise it in lists.")] = ""


class AssetPath(BaseModel):
    """Path of one asset."""

    digest: Annotated[str, Field(max_length=64, description="The `digest` that its upload answered.")]


class AssetsQuery(Input):
    """The page of the list."""

    before: UUID | None = Field(None, description="The `next` of the page before.")


class Asset(Output):
    """A picture and its address."""

    digest: str = Field(description="Of its content: the same picture has the same digest.")
    url: str = Field(description="For e-mails and pages. It never changes.")
    width: int
    height: int
    size_bytes: int
    name: str
    created_at: Moment


class Assets(Output):
    """Pictures, the newest first; at most 24."""

    assets: list[Asset]
    next: UUID | None = Field(description="Pass it as `before` for the next page; null after the last.")


class Removed(Output):
    """The asset that was deleted."""

    digest: str
