"""Saving and publishing landing pages: versions, concurrent edits, the published content."""

from typing import Any

import pytest
from sqlalchemy import text

from engine.forms import forms
from engine.landing import published, store
from engine.landing.store import Change
from errors import Conflict, InvalidInput, NotFound
from models.session import Session
from tests.engine.forms import signups
from tests.engine.landing import drafts
from tests.engine.landing.drafts import both
from tests.sends import NOW


def save(session: Session, expected: str | None = None, **changes: Any) -> store.StoredPage:
    return store.save(session, "guia", drafts.content(**changes), change=Change("eva", "otra", expected), now=NOW)


def test_a_page_is_a_draft_until_it_is_published(session: Session) -> None:
    page = drafts.create(session)
    assert (page.version, page.published) == (1, None)
    assert published.current(session, "guia") is None
    assert store.publish(session, "guia", None, now=NOW).published == 1
    save(session, title=both("Otra"))
    current = published.current(session, "guia")
    assert current is not None and current.version == 1
    shown = published.load(session, "guia", current)
    assert shown is not None and shown.content.title["es"] == "Guía de seguimiento"
    store.publish(session, "guia", None, now=NOW)
    assert published.current(session, "guia") != current
    store.unpublish(session, "guia")
    assert published.current(session, "guia") is None


def test_each_save_is_a_version_and_unchanged_content_makes_none(session: Session) -> None:
    page = drafts.create(session)
    assert save(session, page.digest).version == 1
    changed = save(session, page.digest, title=both("Otra"))
    assert (changed.version, changed.content.title) == (2, {"es": "Otra"})
    reverted = store.revert(session, "guia", 1, change=Change("eva"), now=NOW)
    assert (reverted.version, reverted.digest) == (3, page.digest)
    saves = store.saves(session, page.id)
    assert [(each.version, each.author) for each in saves] == [(3, "eva"), (2, "eva"), (1, "lucia")]
    assert [each.version for each in store.saves(session, page.id, before=3, limit=1)] == [2]


def test_a_save_over_the_save_of_somebody_else_is_refused(session: Session) -> None:
    page = drafts.create(session)
    other = save(session, page.digest, title=both("Otra"))
    with pytest.raises(Conflict, match=f"version 2 meanwhile, with the digest {other.digest}"):
        save(session, page.digest, title=both("Tercera"))


def test_a_repeated_save_returns_the_version_of_the_first(session: Session) -> None:
    page = drafts.create(session)
    first = save(session, page.digest, title=both("Otra"))
    assert save(session, page.digest, title=both("Otra")) == first  # as after a lost response or a double click


def test_notes_are_short_and_printable(session: Session) -> None:
    drafts.create(session)
    for note in ("x" * 201, "a\nb", "\0"):
        with pytest.raises(InvalidInput, match="note"):
            store.save(session, "guia", drafts.content(title=both("Otra")), change=Change(note=note), now=NOW)


def test_a_slug_is_taken_once_and_has_plain_letters(session: Session) -> None:
    drafts.create(session)
    with pytest.raises(Conflict, match="there is a page 'guia' already"):
        drafts.create(session)
    for slug in ("../x", "", "A", "a/b", "-a", "x" * 51, "guía"):
        with pytest.raises(InvalidInput, match="slug: give 1 to 50"):
            drafts.create(session, slug)
    with pytest.raises(NotFound, match="did you mean guia"):
        store.named(session, "gia")


def test_the_form_of_a_page_exists(session: Session) -> None:
    signups.create(session)
    with pytest.raises(InvalidInput, match=r"blocks\[0\].form: 'gui' is not known; did you mean guia"):
        drafts.create(session, blocks=[{"kind": "form", "form": "gui"}])
    drafts.published(session, blocks=[{"kind": "form", "form": "guia"}])
    current = published.current(session, "guia")
    assert current is not None
    shown = published.load(session, "guia", current)
    assert shown is not None and shown.form is not None
    forms.set_active(session, "guia", False, now=NOW)
    closed = published.current(session, "guia")
    assert closed is not None and closed != current
    shown = published.load(session, "guia", closed)
    assert shown is not None and shown.form is None


def test_only_the_last_hundred_versions_and_the_published_one_are_kept(session: Session) -> None:
    page = drafts.published(session)
    for number in range(store.VERSIONS_KEPT + 2):
        save(session, title=both(f"Guía {number}"))
    kept = session.scalars(text("SELECT version FROM page_versions ORDER BY version")).all()
    assert (kept[0], len(kept)) == (page.published, store.VERSIONS_KEPT + 1)


def test_a_published_page_is_not_deleted(session: Session) -> None:
    drafts.published(session)
    with pytest.raises(Conflict, match="unpublish it first"):
        store.delete(session, "guia")
    store.unpublish(session, "guia")
    store.delete(session, "guia")
    assert store.page(session) == []
    assert session.scalar(text("SELECT count(*) FROM page_versions")) == 0
