"""A new template: empty, or a copy of one in a folder or in the database."""

from flask import Response, request
from wtforms import SelectField, StringField
from wtforms.validators import DataRequired, Length

from engine import clock
from engine.templates.versions import history, store
from engine.templates.versions.content import BLANK
from engine.templates.versions.store import Change
from errors import Conflict, InvalidInput
from models.session import Session, transaction
from web import pages, process
from web.pages.frame import forms, layout, sessions
from web.pages.frame.languages import gettext, lazy_gettext

views = layout.blueprint("template_creation")

_NAME_CHARS = 50
_OFFERED = 500  # templates in the database


class NewTemplate(forms.Form):
    """The name of a template, and the one that it begins as a copy of."""

    name = StringField(
        lazy_gettext("Name"),
        [DataRequired(lazy_gettext("Give a name.")), Length(max=_NAME_CHARS)],
        render_kw={"autocomplete": "off", "maxlength": _NAME_CHARS, "spellcheck": "false"},
    )
    source = SelectField(lazy_gettext("Begin with"), validate_choice=False)


# A hyphen stands in no name of a template.
@views.get("/templates/new-template")
@pages.needs("templates")
def ask_create() -> Response:
    """Ask for the name of a new template and the template to copy."""
    return _page(NewTemplate(formdata=None, source=request.args.get("from", "")))


@views.post("/templates/new-template")
@pages.changes("templates")
def create() -> Response:
    """Create the template as a draft, and open the editor."""
    form = NewTemplate()
    if not form.validate():
        return _page(form, 422)
    name = form.name.data.strip()
    try:
        with transaction() as session:
            _create(session, name, form.source.data)
    except (InvalidInput, Conflict) as error:
        forms.show_faults(form, error, template="source")
        return _page(form, 409 if isinstance(error, Conflict) else 422)
    return layout.redirect_to("template_editor_pages.ask_edit", name=name)


def _create(session: Session, name: str, source: str) -> None:
    library, change = process.current().library, Change(sessions.account().id, clock.now())
    if source:
        store.clone(session, source, name, library=library, change=change)
    else:
        store.create(session, name, BLANK, library=library, change=change)


def _page(form: NewTemplate, status: int = 200) -> Response:
    with sessions.reading() as session:
        stored = [each.name for each in history.templates(session, limit=_OFFERED)]
    names = sorted({*process.current().library.folder_names(), *stored})
    form.source.choices = forms.options([("", gettext("an empty e-mail")), *((name, name) for name in names)])
    return layout.page("templates/new", status, form=form)
