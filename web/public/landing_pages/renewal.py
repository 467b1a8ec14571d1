"""Renewal of cached pages: compare with the database, load, render."""

from collections.abc import Callable
from typing import TypeAlias

import errors
from engine.landing import published
from engine.landing.published import PublishedPage
from errors import Unavailable
from models.session import Session
from web.public.landing_pages import page_cache, rendering
from web.public.landing_pages.page_cache import CachedPage
from web.public.landing_pages.rendering import Subject

Run: TypeAlias = Callable[[Callable[[Session], PublishedPage | None]], PublishedPage | None]


def page(slug: str, run: Run) -> CachedPage:
    """Return a published page, checked within the last second; raise NotFound.

    `run` runs work in a transaction. While the database is unavailable, cached pages are returned unchecked.
    """
    cache = page_cache.current()
    before, must_check = cache.to_check(slug)
    if before is not None and not must_check:
        return before
    if before is not None:
        return _renewed(slug, before, run)
    with cache.first:  # of many first visitors at once, one loads and renders the page
        loaded, _ = cache.to_check(slug)
        return loaded or _renewed(slug, None, run)


def _renewed(slug: str, before: CachedPage | None, run: Run) -> CachedPage:
    cache = page_cache.current()
    try:
        loaded = run(lambda session: _loaded(session, slug, before))
    except Unavailable:
        if before is None:
            raise
        return before
    if loaded is None:
        cache.remove(slug)
        raise errors.NotFound("page: there is none with this slug")
    if before is not None and loaded is before.page:
        return before
    subject = Subject(slug, loaded.content, loaded.form)
    rendered = CachedPage(loaded, {each: rendering.render(subject, each) for each in loaded.content.languages})
    cache.put(rendered)
    return rendered


def _loaded(session: Session, slug: str, before: CachedPage | None) -> PublishedPage | None:
    current = published.current(session, slug)
    if current is None:
        return None
    return before.page if before and before.page.current == current else published.load(session, slug, current)
