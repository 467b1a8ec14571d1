"""The forms of a landing page: its title and looks, and one block. Each save is a version, a draft."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, request

from engine import clock, edits
from engine.assets import assets
from engine.forms import forms
from engine.landing import blocks, content, store
from engine.landing.blocks import KIND, KINDS
from engine.landing.store import Change, StoredPage
from errors import Conflict, InvalidInput, NotFound
from models.session import transaction
from web import pages
from web.pages.frame import faults, layout, sessions
from web.pages.frame.languages import gettext
from web.pages.landing import fields

views = layout.blueprint("landing_edit")

_CHOICES = ("design", "converted_on")
_FORMS_OFFERED = 100
_LEGAL = "legal"


@views.get("/pages/<slug>/settings")
@pages.needs("campaigns")
def ask_settings(slug: str) -> Response:
    """Show the form of title, description, design, colours and logo."""
    page = _stored(slug)
    return _settings(page, page.content.stored())


@views.post("/pages/<slug>/settings")
@pages.changes("campaigns")
def save_settings(slug: str) -> Response:
    """Save title, description, design, colours and logo."""
    values = fields.typed(content.FIELDS, request.form)
    values |= {name: request.form.get(name, "") for name in (*_CHOICES, "color", "background")}
    values["noindex"] = bool(request.form.get("noindex"))
    page = _stored(slug)
    return _saved(
        page,
        page.content.stored() | values,
        gettext("Title and looks"),
        lambda errors, status: _settings(page, values, errors, status),
    )


@views.get("/pages/<slug>/blocks/new")
@pages.needs("campaigns")
def ask_block(slug: str) -> Response:
    """Show the form of a new block of the chosen kind, at the end of the page."""
    page, kind = _stored(slug), request.args.get(KIND, "")
    return _block(page, {KIND: _kind(kind)}, len(page.content.blocks))


@views.get("/pages/<slug>/blocks/<int:index>")
@pages.needs("campaigns")
def ask_edit(slug: str, index: int) -> Response:
    """Show the form of a block."""
    page = _stored(slug)
    if index >= len(page.content.blocks):
        raise NotFound(gettext("The page has no block at this place."))
    return _block(page, page.content.blocks[index], index)


@views.post("/pages/<slug>/blocks/<int:index>")
@pages.changes("campaigns")
def save_block(slug: str, index: int) -> Response:
    """Save a block, or a new one at the end of the page, but above its legal text."""
    page, kind, place = _stored(slug), _kind(request.form.get(KIND, "")), index
    content_blocks = list(page.content.blocks)
    if index > len(content_blocks):
        raise NotFound(gettext("The page has no block at this place."))
    block = {KIND: kind, **fields.typed(KINDS[kind], request.form)}
    if index == len(content_blocks) and kind != _LEGAL and content_blocks and content_blocks[-1][KIND] == _LEGAL:
        index -= 1
        content_blocks.insert(index, block)
    else:
        content_blocks[index : index + 1] = [block]
    note = ": ".join(filter(None, (str(fields.KIND_NAMES[kind]), fields.words_of(block))))
    return _saved(
        page,
        page.content.stored() | {"blocks": content_blocks},
        note,
        lambda errors, status: _block(page, block, place, errors, status),
        under=f"blocks[{index}]",
    )


def _saved(
    page: StoredPage,
    values: Mapping[str, Any],
    note: str,
    again: Callable[[dict[str, str], int], Response],
    *,
    under: str = "",
) -> Response:
    """Save and return to the page; `again` shows the form with its faults, or with newer pictures, unsaved."""
    if "refresh" in request.form:
        return again({}, 200)
    change = Change(sessions.account().name, edits.note_of(note), request.form.get("expected", ""))
    try:
        with transaction() as session:
            store.save(session, page.slug, values, change=change, now=clock.now())
    except InvalidInput as invalid:
        return again(fields.messages(invalid, under), 422)
    except Conflict as conflict:
        return again({"": faults.sentences(conflict)}, 409)
    return layout.redirect_to("landing_page_pages.show", slug=page.slug, _anchor="blocks" if under else None)


def _settings(
    page: StoredPage, values: Mapping[str, Any], errors: Mapping[str, str] | None = None, status: int = 200
) -> Response:
    inputs = list(fields.inputs(content.FIELDS, values))
    designs = {"calm": gettext("Calm: one column"), "bold": gettext("Bold: the opening on the colour")}
    conversions = {
        "submit": gettext("when its form is sent"),
        "load": gettext("when it is opened"),
        "never": gettext("never"),
    }
    return _form(page, "settings", values, (errors, status), inputs=inputs, designs=designs, conversions=conversions)


def _block(
    page: StoredPage, block: Mapping[str, Any], index: int, errors: Mapping[str, str] | None = None, status: int = 200
) -> Response:
    described = KINDS[block[KIND]]
    offered = []
    if any(field.type == blocks.FORM for field in described.values()):
        with sessions.reading() as session:
            offered = [form.definition for form in forms.page(session, limit=_FORMS_OFFERED) if form.is_active]
    inputs = list(fields.inputs(described, block))
    name = fields.KIND_NAMES[block[KIND]]
    return _form(page, "block", block, (errors, status), inputs=inputs, index=index, name=name, offered=offered)


def _form(
    page: StoredPage, template: str, values: Mapping[str, Any],
    refused: tuple[Mapping[str, str] | None, int], **shown: Any,
) -> Response:  # fmt: skip
    errors, status = refused
    expected = request.form.get("expected") or page.digest
    chosen = [each.value for each in shown["inputs"] if each.type == blocks.PICTURE]
    if chosen:
        with transaction() as session:
            shown["pictures"] = assets.offered(session, filter(None, chosen))
    return layout.page(
        f"landing/{template}", status, page=page, values=values, errors=errors or {}, expected=expected, **shown
    )


def _stored(slug: str) -> StoredPage:
    with sessions.reading() as session:
        return store.by_slug(session, slug)


def _kind(kind: str) -> str:
    if kind not in KINDS:
        raise NotFound(gettext("There is no such kind of block."))
    return kind
