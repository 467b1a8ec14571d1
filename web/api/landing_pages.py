"""Routes of landing pages: create, save, publish, versions, visits."""

from datetime import timedelta
from typing import Any

from engine import clock
from engine.access import accounts
from engine.landing import starters, store, visits
from engine.landing.store import Change, StoredPage
from engine.landing.visits import HOUR, Counts
from models.session import Session, transaction
from web import process
from web.http.auth import caller, needs
from web.http.routes import Api, Reply, refusals
from web.schemas import landing_pages as shapes

api = Api("pages", "/api/v1/pages", about="Landing pages made of blocks, with versions.")
_OWN = ("slug", "note", "expected")
_TAKEN = refusals({409: "slug: there is a page 'guia-roi' already; choose another"})
_NEWER = "version: somebody has saved version 3 meanwhile, with the digest '…', not '…': load it again"
_EDITED = refusals({409: _NEWER})
_SHOWN = refusals({409: "the page is published; unpublish it first"})


@api.post("", responses={201: shapes.Page, **_TAKEN})
@needs("campaigns")
def create(body: shapes.PageWanted) -> Reply:
    """Create a page as a draft; nobody sees it before it is published."""
    with transaction() as session:
        change = Change(_author(session), body.note)
        page = store.create(session, body.slug, _values(body), change=change, now=clock.now())
    return shapes.Page(**_fields(page)), 201


@api.get("", responses={200: shapes.Pages})
@needs("campaigns", "reports")
def listing(query: shapes.PagesQuery) -> Reply:
    """List pages in the order of their slugs."""
    with transaction() as session:
        listed = store.page(session, after=query.after)
    after = listed[-1].slug if len(listed) == store.LIMIT else None
    lines = [
        shapes.PageLine(
            slug=page.slug,
            url=_url(page),
            title=dict(page.content.title),
            version=page.version,
            published=page.published,
            updated_at=page.updated_at,
        )
        for page in listed
    ]
    return shapes.Pages(pages=lines, next=after)


@api.get("/<page>", responses={200: shapes.Page})
@needs("campaigns", "reports")
def show(path: shapes.PagePath) -> Reply:
    """Return a page with its newest version."""
    with transaction() as session:
        return shapes.Page(**_fields(store.by_slug(session, path.page)))


@api.put("/<page>", responses={200: shapes.Page, **_EDITED})
@needs("campaigns")
def save(path: shapes.PagePath, body: shapes.PageChange) -> Reply:
    """Save new content as the next version, a draft. Safe to repeat: unchanged content makes none."""
    with transaction() as session:
        change = Change(_author(session), body.note, body.expected)
        page = store.save(session, path.page, _values(body), change=change, now=clock.now())
    return shapes.Page(**_fields(page))


@api.post("/<page>/publish", responses={200: shapes.PublishedPage})
@needs("campaigns")
def publish(path: shapes.PagePath, body: shapes.PageVersion) -> Reply:
    """Show this version to everybody, within a second. Safe to repeat."""
    with transaction() as session:
        page = store.publish(session, path.page, body.version, now=clock.now())
        shown = store.by_slug(session, path.page, body.version).content
    return shapes.PublishedPage(**_fields(page), warnings=starters.warnings(shown.blocks))


@api.post("/<page>/unpublish", responses={200: shapes.Page})
@needs("campaigns")
def unpublish(path: shapes.PagePath) -> Reply:
    """Take the page offline. Safe to repeat."""
    with transaction() as session:
        page = store.unpublish(session, path.page)
    return shapes.Page(**_fields(page))


@api.post("/<page>/revert", responses={200: shapes.Page})
@needs("campaigns")
def revert(path: shapes.PagePath, body: shapes.PageVersion) -> Reply:
    """Save the content of an earlier version as the next one, a draft."""
    with transaction() as session:
        change = Change(_author(session), f"version {body.version}")
        page = store.revert(session, path.page, body.version, change=change, now=clock.now())
    return shapes.Page(**_fields(page))


@api.delete("/<page>", responses={200: shapes.DeletedPage, **_SHOWN})
@needs("campaigns")
def delete(path: shapes.PagePath) -> Reply:
    """Delete a page that is not published, with its versions and visits."""
    with transaction() as session:
        store.delete(session, path.page)
    return shapes.DeletedPage(slug=path.page)


@api.get("/<page>/versions", responses={200: shapes.PageSaves})
@needs("campaigns", "reports")
def versions(path: shapes.PagePath, query: shapes.PageSavesQuery) -> Reply:
    """List the saves of a page, the newest first."""
    with transaction() as session:
        saves = store.saves(session, store.by_slug(session, path.page).id, before=query.before)
    following = saves[-1].version if len(saves) == store.LIMIT else None
    listed = [
        shapes.PageSave(
            version=save.version, digest=save.digest, author=save.author, note=save.note, created_at=save.created_at
        )
        for save in saves
    ]
    return shapes.PageSaves(versions=listed, next=following)


@api.get("/<page>/visits", responses={200: shapes.PageVisits})
@needs("campaigns", "reports")
def visited(path: shapes.PagePath, query: shapes.VisitsQuery) -> Reply:
    """Return views, submissions and confirmations by hour, day or UTC source; machines apart."""
    now = clock.now()
    since = now - timedelta(days=query.days) if query.by == HOUR else visits.day_before(now, query.days)
    with transaction() as session:
        page = store.by_slug(session, path.page)
        if query.by == "source":
            by_source = visits.by_source(session, page.id, since=since)
            counted = [_counts(counts, source=source) for source, counts in by_source.items()]
        else:
            by_moment = visits.by_moment(session, page.id, since=since, unit=query.by)
            counted = [_counts(counts, at=moment) for moment, counts in by_moment.items()]
    return shapes.PageVisits(visits=counted)


def _values(body: shapes.PageContent) -> dict[str, Any]:
    return body.model_dump(mode="json", exclude=set(_OWN))


def _author(session: Session) -> str:
    return accounts.get(session, caller().account_id).name


def _counts(counts: Counts, **key: Any) -> shapes.VisitCounts:
    return shapes.VisitCounts(**{"at": None, "source": None} | key | counts._asdict())


def _url(page: StoredPage) -> str:
    return f"{process.current().own_pages}{page.slug}"


def _fields(page: StoredPage) -> dict[str, Any]:
    own = {
        "slug": page.slug,
        "url": _url(page),
        "version": page.version,
        "digest": page.digest,
        "published": page.published,
        "published_at": page.published_at,
        "created_at": page.created_at,
        "updated_at": page.updated_at,
    }
    return own | page.content.stored()
