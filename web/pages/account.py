"""The signed-in person's own account: language, colours, time zone, password."""

from typing import Any

from flask import Response
from wtforms import PasswordField, SelectField, StringField
from wtforms.validators import DataRequired, Length

from engine.access import accounts
from engine.audience import zones
from errors import InvalidInput, Unauthenticated
from models.session import transaction
from web import pages
from web.http import auth
from web.pages.frame import forms, layout, sessions
from web.pages.frame.languages import gettext, lazy_gettext

views = layout.blueprint("account")
ENTRY = layout.Entry("account_pages.show", lazy_gettext("Account"))


class Preferences(forms.Form):
    """Language, theme and time zone of the pages."""

    language = SelectField(
        lazy_gettext("Language"), choices=lambda: forms.choices(("es", "Español"), ("en", "English"))
    )
    theme = SelectField(
        lazy_gettext("Colours"),
        choices=lambda: forms.choices(("light", gettext("Light")), ("dark", gettext("Dark"))),
    )

    timezone = StringField(lazy_gettext("Time zone"), [Length(max=100)], render_kw={"autocomplete": "off"})


class NewPassword(forms.Form):
    """The present password as proof, and the new one."""

    current = PasswordField(
        lazy_gettext("Present password"), [DataRequired()], render_kw={"autocomplete": "current-password"}
    )
    new = PasswordField(lazy_gettext("New password"), [DataRequired()], render_kw={"autocomplete": "new-password"})


@views.get("/account")
@pages.needs()
def show() -> Response:
    """Show the account."""
    return _page()


@views.post("/account/preferences")
@pages.changes()
def prefer() -> Response:
    """Store the preferences."""
    form = Preferences()
    if not form.validate():
        return _page(422, preferences=form)
    try:
        with transaction() as session:
            accounts.set_preferences(session, sessions.account().id, **_chosen(form))
    except InvalidInput as error:
        forms.show_faults(form, error)
        return _page(422, preferences=form)
    return layout.redirect_to("account_pages.show")


@views.post("/account/password")
@pages.changes()
def change_password() -> Response:
    """Set a new password, which ends all sessions; the person signs in again."""
    form, name = NewPassword(), sessions.account().name
    if not form.validate():
        return _page(422, passwords=form)
    try:
        auth.log_in(name, form.current.data)
        with transaction() as session:
            accounts.set_password(session, name, form.new.data)
    except Unauthenticated:
        form.current.errors = [gettext("This is not the present password.")]
        return _page(422, passwords=form)
    except InvalidInput:
        form.new.errors = [gettext("Give 12 to 1,024 characters.")]
        return _page(422, passwords=form)
    return sessions.sign_out(layout.redirect_to("sign_in_pages.ask"))


def _chosen(form: Preferences) -> dict[str, str | None]:
    """Return the preferences of the form; None where nothing is chosen. A zone may be written in any case."""
    zone = (form.timezone.data or "").strip()
    return {
        "language": form.language.data or None,
        "theme": form.theme.data or None,
        "timezone": (zones.resolve(zone) or zone) if zone else None,
    }


def _page(status: int = 200, **shown: Any) -> Response:
    account = sessions.account()
    shown.setdefault("preferences", Preferences(formdata=None, obj=account))
    shown.setdefault("passwords", NewPassword(formdata=None))
    return layout.page("account", status, **shown)
