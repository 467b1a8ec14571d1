"""One template as a reader sees it, with the sample values or those of a contact or a campaign."""

from flask import Response, request

import errors
from engine.audience import addresses, contacts
from engine.previews import preview
from engine.templates.templates import CannotRender
from models.session import transaction
from web import pages
from web.pages.email_templates import fields, framing, shown
from web.pages.frame import layout, sessions

views = layout.blueprint("template")


@views.get("/templates/<name>")
@pages.needs(*shown.READERS)
def show(name: str) -> Response:
    """Show one template: its e-mail, text, links and size, and the tests that were just sent."""
    return layout.page("templates/show", form=fields.empty_form(), **shown.of(name))


@views.get("/templates/<name>/body")
@pages.needs(*shown.READERS)
def body(name: str) -> Response:
    """Return the HTML of the e-mail alone, for the frames of its page; a browser runs nothing of it."""
    template = shown.template(name)
    with sessions.reading() as session:
        chosen = shown.chosen_values(session, template)
    try:
        html = preview.html(template, chosen.variables)
    except CannotRender as failure:
        raise errors.InvalidInput.of("template", str(failure)) from None
    return framing.in_frame(html)


@views.post("/templates/<name>/contact")
@pages.changes("contacts")
def find(name: str) -> Response:
    """Show the values of the contact with the address that was typed, or the contacts whose names begin so."""
    written = request.form.get("find", "").strip()
    chosen = {key: value for key, value in shown.asked().items() if key != "contact"}
    if "@" not in written:
        return layout.redirect_to("template_pages.show", name=name, **chosen, find=written[: shown.FIND_CHARS])
    try:
        with transaction() as session:
            contact_id = contacts.find(session, addresses.normalise(written))
    except errors.InvalidInput:
        contact_id = None
    if contact_id is None:
        return layout.page("templates/show", 404, form=fields.empty_form(), unknown=True, **shown.of(name))
    return layout.redirect_to("template_pages.show", name=name, **chosen, contact=contact_id)
