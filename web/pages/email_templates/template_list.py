"""The list of templates of the folder and of the database, with their versions, campaigns and faults."""

from itertools import islice
from typing import Any

from flask import Response, request

from engine.previews import preview, usage
from engine.templates.compiling import UnusableTemplate
from engine.templates.templates import CannotRender
from engine.templates.versions import history
from engine.templates.versions.history import Version
from web import pages, process
from web.pages.email_templates import shown
from web.pages.frame import layout, sessions
from web.pages.frame.languages import lazy_gettext

views = layout.blueprint("templates")
ENTRY = layout.Entry("templates_pages.listing", lazy_gettext("Templates"))

_PAGE = 50  # templates


@views.get("/templates")
@pages.needs(*shown.READERS)
def listing() -> Response:
    """List the templates by name."""
    after = request.args.get("after", "")
    with sessions.reading() as session:
        stored = {each.name: each for each in history.templates(session, after=after, limit=_PAGE + 1)}
    of_folder = islice((name for name in process.current().library.folder_names() if name > after), _PAGE + 1)
    names = sorted({*of_folder, *stored})
    rows = [_row(name, stored.get(name)) for name in names[:_PAGE]]
    with sessions.reading() as session:
        uses = usage.of(session, names[:_PAGE])
    following = names[_PAGE - 1] if len(names) > _PAGE else None
    return layout.page("templates/list", rows=rows, uses=uses, following=following, asked=shown.asked())


def _row(name: str, stored: Version | None) -> dict[str, Any]:
    version = (stored.published or stored.newest) if stored else None
    row: dict[str, Any] = {"name": name, "stored": stored}
    try:
        template = process.current().library.get(name, version)
    except UnusableTemplate as unusable:
        return {**row, "fault": unusable.faults[0].message}
    try:
        subject = preview.sample_subject(template)
    except CannotRender:
        subject = template.subject_source
    return {**row, "subject": subject, "language": template.language, "required": sorted(template.required)}
