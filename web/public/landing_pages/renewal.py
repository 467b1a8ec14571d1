"""Renewal of the published pages in memory: load, render, keep."""

from collections.abc import Callable
from typing import TypeAlias

import errors
from engine.landing import published
from engine.landing.published import PublishedPage
from errors import Unavailable
from models.session import Session
from web.public.landing_pages import rendering, shelf
from web.public.landing_pages.rendering import Subject
from web.public.landing_pages.shelf import Held

Run: TypeAlias = Callable[[Callable[[Session], PublishedPage | None]], PublishedPage | None]


def held(slug: str, run: Run) -> Held:
    """Return a published page, checked within the last second; raise NotFound.

    `run` runs work in a transaction. While the database is unavailable, pages are shown as they were before.
    """
    shelved = shelf.current()
    before, must_check = shelved.to_check(slug)
    if before is not None and not must_check:
        return before
    if before is not None:
        return _renewed(slug, before, run)
    with shelved.first:  # of many first visitors at once, one loads and renders the page
        loaded, _ = shelved.to_check(slug)
        return loaded or _renewed(slug, None, run)


def _renewed(slug: str, before: Held | None, run: Run) -> Held:
    shelved = shelf.current()
    try:
        loaded = run(lambda session: _loaded(session, slug, before))
    except Unavailable:
        if before is None:
            raise
        return before
    if loaded is None:
        shelved.remove(slug)
        raise errors.NotFound("page: there is none with this slug")
    if before is not None and loaded is before.page:
        return before
    subject = Subject(slug, loaded.content, loaded.form)
    made = Held(loaded, {each: rendering.render(subject, each) for each in loaded.content.languages})
    shelved.put(made)
    return made


def _loaded(session: Session, slug: str, before: Held | None) -> PublishedPage | None:
    current = published.current(session, slug)
    if current is None:
        return None
    return before.page if before and before.page.current == current else published.load(session, slug, current)
