"""One import: the preview of its file with the meaning of each column, then its progress and its report."""

import csv
from collections.abc import Mapping
from io import StringIO
from typing import Any
from uuid import UUID

from flask import Response, request

from engine import bell, clock
from engine.engagement.uploads import lifecycle
from engine.engagement.uploads.preview import Preview
from errors import InvalidInput
from models.session import transaction
from web import pages
from web.pages.frame import faults, layout, sessions
from web.pages.frame.languages import gettext

views = layout.blueprint("import")
views.add_app_template_filter(faults.words, "in_words")

COLUMNS_SHOWN = 40  # whose meaning people choose on the page
_FAULTS_SHOWN, _FAULTS_WRITTEN = 50, 10_000
_LEFT_OUT = "none"  # as a choice: an empty one would mean that none was made


@views.get("/contacts/imports/<uuid:import_id>")
@pages.needs("contacts")
def show(import_id: UUID) -> Response:
    """Show the preview of an import that is not started, else its progress."""
    with sessions.reading() as session:
        view = lifecycle.view(session, import_id)
        preview = lifecycle.previewed(session, import_id) if view.state == "ready" else None
    return _review(view, preview) if preview else _progress_page(view)


@views.get("/contacts/imports/<uuid:import_id>/progress")
@pages.needs("contacts")
def progress(import_id: UUID) -> Response:
    """Return the part that is fetched again while the page is open."""
    with sessions.reading() as session:
        view = lifecycle.view(session, import_id)
    return layout.fragment("contacts/import_progress", **_content(view))


@views.post("/contacts/imports/<uuid:import_id>")
@pages.changes("contacts")
def review(import_id: UUID) -> Response:
    """Read the file again as the form says, and start the import if that is wanted and possible."""
    starts = "start" in request.form
    try:
        with transaction() as session:
            targets = _changes(lifecycle.previewed(session, import_id))
            encoding = request.form.get("encoding") or None
            preview = lifecycle.review(session, import_id, targets=targets, encoding=encoding)
            if starts and not preview.error:
                lifecycle.start(session, import_id, now=clock.now())
            view = lifecycle.view(session, import_id)
    except InvalidInput as invalid:
        return layout.error_page(422, str(invalid))
    if view.state == "running":
        bell.ring("imports")
    return (
        _review(view, preview, 422) if preview.error else layout.redirect_to("import_pages.show", import_id=import_id)
    )


@views.post("/contacts/imports/<uuid:import_id>/discard")
@pages.changes("contacts")
def discard(import_id: UUID) -> Response:
    """Delete an import that is not started, with its file."""
    with transaction() as session:
        lifecycle.discard(session, import_id)
    return layout.redirect_to("imports_pages.ask")


@views.get("/contacts/imports/<uuid:import_id>/cancel")
@pages.needs("contacts")
def ask_cancel(import_id: UUID) -> Response:
    """State the effect of stopping an import, and ask for it."""
    with sessions.reading() as session:
        view = lifecycle.view(session, import_id)
    return layout.page("contacts/import_cancel", view=view)


@views.post("/contacts/imports/<uuid:import_id>/cancel")
@pages.changes("contacts")
def cancel(import_id: UUID) -> Response:
    """Stop a running import."""
    with transaction() as session:
        lifecycle.cancel(session, import_id, now=clock.now())
    return layout.redirect_to("import_pages.show", import_id=import_id)


@views.get("/contacts/imports/<uuid:import_id>/report.csv")
@pages.needs("contacts")
def report(import_id: UUID) -> Response:
    """Return the faults and notes as a CSV file; spreadsheets recognise its encoding by the byte order mark."""
    written = StringIO()
    writer = csv.writer(written)
    writer.writerow([gettext("line"), gettext("result"), gettext("field"), gettext("reason")])
    with transaction() as session:
        lifecycle.view(session, import_id)
        for is_refused, fault in lifecycle.faults(session, import_id, limit=_FAULTS_WRITTEN):
            result = gettext("refused") if is_refused else gettext("imported, with a note")
            writer.writerow([fault.line, result, fault.field, faults.words(fault.message)])
    headers = {"Content-Disposition": f'attachment; filename="import-{import_id}.csv"'}
    return Response("\ufeff" + written.getvalue(), headers=headers, content_type="text/csv; charset=utf-8")


def choice(column: Mapping[str, Any]) -> str:
    """Return the choice for the present meaning of a column."""
    meaning: str | None = column["meaning"]
    return meaning or ("attribute" if column["attribute"] else _LEFT_OUT)


def _changes(preview: Preview) -> dict[int, str]:
    """Return the targets of the columns that the form understands in another way."""
    chosen = {
        index: request.form.get(f"column_{index}") or choice(column)
        for index, column in enumerate(preview.columns[:COLUMNS_SHOWN])
    }
    return {
        index: "" if target == _LEFT_OUT else target
        for index, target in chosen.items()
        if target != choice(preview.columns[index])
    }


def _review(view: lifecycle.View, preview: Preview, status: int = 200) -> Response:
    return layout.page(
        "contacts/import_review",
        status,
        view=view,
        preview=preview,
        columns=preview.columns[:COLUMNS_SHOWN],
        more=max(0, len(preview.columns) - COLUMNS_SHOWN),
        choice=choice,
        encodings=lifecycle.ENCODINGS,
    )


def _progress_page(view: lifecycle.View) -> Response:
    return layout.page("contacts/import", **_content(view))


def _content(view: lifecycle.View) -> dict[str, Any]:
    with sessions.reading() as session:
        reported = list(lifecycle.faults(session, view.id, limit=_FAULTS_SHOWN)) if view.ended_at else []
    return {"view": view, "faults": reported}
