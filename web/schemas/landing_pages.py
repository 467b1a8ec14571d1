"""Models of landing pages."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from web.schemas.shapes import Input, Moment, Output

_PAGE: dict[str, JsonValue] = {
    "slug": "guia-roi",
    "title": {"es": "Guía de seguimiento", "en": "Follow-up guide"},
    "description": {"es": "Doce páginas sobre correos que se responden."},
    "design": "bold",
    "color": "#0b6b62",
    "blocks": [
        {"kind": "hero", "title": {"es": "Más respuestas"}, "button": {"es": "Quiero la guía"}, "target": "#form"},
        {"kind": "text", "text": {"es": "Escriba <strong>menos</strong>, y a tiempo."}},
    ],
}
_Texts = Annotated[dict[str, str], Field(description="By language: `es`, `en` or both.")]


class PagePath(BaseModel):
    """Path of one page."""

    page: Annotated[str, Field(max_length=64, description="The slug that its creation named.")]


class PageContent(Input):
    """The content of a page; what is left out has its default."""

    title: _Texts
    description: _Texts = Field(default_factory=dict)
    design: str = Field("calm", description="`calm` or `bold`.")
    color: str = Field("#0b6b62", description="Of buttons and links; its contrast is checked.")
    background: str = Field("#ffffff", description="Of the page in the light theme.")
    logo: str = Field("", description="Address of an uploaded picture; without one the brand's name is shown.")
    noindex: bool = Field(False, description="Ask search engines to leave it out.")
    converted_on: str = Field("submit", description="When `converted` is reported: `submit`, `load` or `never`.")
    blocks: list[dict[str, JsonValue]] = Field(
        default_factory=list, description="At most 40: hero, text, benefits, quote, picture, form, legal."
    )


class PageWanted(PageContent):
    """A page to create."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PAGE]})

    slug: Annotated[str, Field(max_length=64, description="Its name in addresses: a to z, 0 to 9 and -.")]
    note: Annotated[str, Field(max_length=200)] = ""


class PageChange(PageContent):
    """New content of a page, as a draft."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{key: _PAGE[key] for key in _PAGE if key != "slug"} | {"expected": "0" * 64}]}
    )

    expected: Annotated[str, Field(max_length=64, description="The `digest` of the version that was edited.")]
    note: Annotated[str, Field(max_length=200)] = ""


class PageVersion(Input):
    """A version of a page to publish or to return to."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"version": 3}]})

    version: Annotated[int, Field(ge=1, le=2**31 - 1)]


class Page(Output):
    """A page with the content of its newest version."""

    slug: str
    url: str = Field(description="The page for everybody, once it is published.")
    version: int
    digest: str = Field(description="SHA-256 of the content; pass it as `expected`.")
    published: int | None = Field(description="The version that everybody sees; null: none.")
    published_at: Moment | None
    created_at: Moment
    updated_at: Moment
    title: dict[str, str]
    description: dict[str, str]
    design: str
    color: str
    background: str
    logo: str
    noindex: bool
    converted_on: str
    blocks: list[dict[str, JsonValue]]


class PublishedPage(Page):
    """The page, and warnings about what everybody sees now."""

    warnings: list[str] = Field(description="Texts of the sample that nobody has replaced.")


class PageLine(Output):
    """A page in a list."""

    slug: str
    url: str
    title: dict[str, str]
    version: int
    published: int | None
    updated_at: Moment


class Pages(Output):
    """Pages in the order of their slugs; at most 50."""

    pages: list[PageLine]
    next: str | None = Field(description="Pass it as `after` for the next page of the list; null after the last.")


class PagesQuery(Input):
    """The page of the list."""

    after: Annotated[str, Field(max_length=64)] = Field("", description="The `next` of the page before.")


class PageSave(Output):
    """One save of a page."""

    version: int
    digest: str
    author: str
    note: str
    created_at: Moment


class PageSaves(Output):
    """Saves of a page, the newest first; at most 50, of the last 100 that are kept."""

    versions: list[PageSave]
    next: int | None = Field(description="Pass it as `before` for older ones; null after the last.")


class PageSavesQuery(Input):
    """The page of the list of saves."""

    before: Annotated[int, Field(ge=1, le=2**31 - 1)] = Field(2**31 - 1, description="The `next` of the page before.")


class VisitsQuery(Input):
    """The span and the unit of visits."""

    days: Annotated[int, Field(ge=1, le=400)] = Field(30, description="Days back, in UTC.")
    by: Annotated[str, Field(pattern="^(hour|day|source)$")] = Field("day", description="`hour`, `day` or `source`.")


class VisitCounts(Output):
    """Visits of a page in one hour or day, or from one source."""

    at: Moment | None = Field(description="Beginning of the hour or day, in UTC; null by source.")
    source: str | None = Field(description="The `utm_source`, empty without one; null by hour and day.")
    views: int = Field(description="Without machines.")
    machine_views: int
    submissions: int = Field(description="Of the page's form.")
    confirmations: int


class PageVisits(Output):
    """Visits of a page; hours and days without any are left out."""

    visits: list[VisitCounts]


class DeletedPage(Output):
    """The page that was deleted."""

    slug: str
