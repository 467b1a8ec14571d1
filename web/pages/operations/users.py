"""Users: accounts, their permissions, passwords and sessions, for administrators."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flask import Response, request
from wtforms import PasswordField, SelectMultipleField, StringField
from wtforms.validators import DataRequired, Length

from engine.access import accounts, administration, scope_names
from errors import Conflict, InvalidInput, NotFound
from models.session import Session, transaction
from web import pages
from web.http import auth
from web.pages.frame import forms, layout, sessions
from web.pages.frame.languages import lazy_gettext

views = layout.blueprint("users")
ENTRY = layout.Entry("users_pages.listing", lazy_gettext("Users"))

_SHOWN = 50
_MEANINGS = {
    "send": lazy_gettext("send single e-mails of marketing by the API, and report events"),
    "send:transactional": lazy_gettext("send single e-mails that people wait for, such as confirmations, by the API"),
    "campaigns": lazy_gettext("create, launch, pause and change campaigns, and test templates"),
    "contacts": lazy_gettext("see, import, change and erase contacts, with their addresses"),
    "templates": lazy_gettext("create, change and publish templates of e-mails"),
    "reports": lazy_gettext("read campaigns and figures, without addresses"),
    "admin": lazy_gettext("everything, also users"),
}
_DONE = {
    "scopes": lazy_gettext("The permissions are changed. They hold at once."),
    "sessions": lazy_gettext("All its sessions and tokens have ended."),
    "close": lazy_gettext("The account is closed. Its sessions and tokens have ended."),
    "reopen": lazy_gettext("The account is open again."),
}


class Scopes(forms.Form):
    """The permissions of an account."""

    scopes = SelectMultipleField(
        lazy_gettext("Permissions"), choices=forms.options((name, name) for name in scope_names.ALL)
    )


class Password(forms.Form):
    """A new password; without one it is generated."""

    password = PasswordField(
        lazy_gettext("Password"),
        [Length(max=accounts.PASSWORD_CHARS_MAX)],
        render_kw={"autocomplete": "new-password"},
    )


class NewUser(Scopes, Password):
    """A new account."""

    name = StringField(lazy_gettext("Name"), [DataRequired()], render_kw={"autocomplete": "off"})


@views.get("/users")
@pages.needs("admin")
def listing() -> Response:
    """List the accounts by name."""
    with sessions.reading() as session:
        after = request.args.get("after", default=None, type=UUID)
        before = accounts.of_id(session, after).name if after else ""
        rows = accounts.listing(session, after=before, limit=_SHOWN + 1)
    further = rows[_SHOWN - 1].id if len(rows) > _SHOWN else None
    return layout.page("operations/users", rows=rows[:_SHOWN], next=further)


@views.get("/users/new")
@pages.needs("admin")
def ask_new() -> Response:
    """Ask for the name and the permissions of a new account."""
    return _ask_new(NewUser(formdata=None))


@views.post("/users/new")
@pages.changes("admin")
def create() -> Response:
    """Create an account, and show its password once if it was generated."""
    form = NewUser()
    if not form.validate():
        return _ask_new(form, 422)
    password = form.password.data or administration.new_password()
    try:
        with transaction() as session:
            account = administration.create(session, form.name.data, password, form.scopes.data, by=_held())
    except (InvalidInput, Conflict) as error:
        forms.show_faults(form, error)
        return _ask_new(form, 422)
    return _with_password(account, "" if form.password.data else password)


@views.get("/users/<uuid:account_id>")
@pages.needs("admin")
def show(account_id: UUID) -> Response:
    """Show one account."""
    return _show(account_id)


@views.post("/users/<uuid:account_id>/scopes")
@pages.changes("admin")
def set_scopes(account_id: UUID) -> Response:
    """Replace the permissions of an account."""
    form = Scopes()
    if not form.validate():
        return _show(account_id, 422, scopes=form)
    try:
        with transaction() as session:
            administration.set_scopes(session, account_id, form.scopes.data, by=_held())
    except (InvalidInput, Conflict) as error:
        forms.show_faults(form, error)
        return _show(account_id, 422, scopes=form)
    return _done(account_id, "scopes")


@views.post("/users/<uuid:account_id>/password")
@pages.changes("admin")
def set_password(account_id: UUID) -> Response:
    """Set a new password, and show it once if it was generated."""
    form = Password()
    if account_id == auth.caller().account_id:
        return layout.redirect_to("account_pages.show")  # where the present password is asked for
    if not form.validate():
        return _show(account_id, 422, passwords=form)
    password = form.password.data or administration.new_password()
    try:
        with transaction() as session:
            account = administration.set_password(session, account_id, password, by=_held())
    except InvalidInput as error:
        forms.show_faults(form, error)
        return _show(account_id, 422, passwords=form)
    return _with_password(account, "" if form.password.data else password)


@views.post("/users/<uuid:account_id>/<action>")
@pages.changes("admin")
def act(account_id: UUID, action: str) -> Response:
    """End the sessions of an account (`sessions`), `close` it, or `reopen` it."""
    if action not in ("sessions", "close", "reopen"):
        raise NotFound(f"page: there is none at {action[:100]}")
    with transaction() as session:
        _act(session, account_id, action)
    return _done(account_id, action)


def _act(session: Session, account_id: UUID, action: str) -> None:
    if action == "close":
        administration.close(session, account_id, by=_held(), now=datetime.now(UTC))
    elif action == "reopen":
        administration.reopen(session, account_id, by=_held())
    else:
        administration.end_sessions(session, account_id, by=_held())


def _held() -> frozenset[str]:
    return auth.caller().scopes


def _done(account_id: UUID, what: str) -> Response:
    return layout.redirect_to("users_pages.show", account_id=account_id, done=what)


def _ask_new(form: NewUser, status: int = 200) -> Response:
    return layout.page("operations/user_new", status, form=form, meanings=_MEANINGS)


def _show(account_id: UUID, status: int = 200, **shown: Any) -> Response:
    with sessions.reading() as session:
        user = accounts.of_id(session, account_id)
    shown.setdefault("scopes", Scopes(formdata=None, scopes=sorted(user.scopes)))
    shown.setdefault("passwords", Password(formdata=None))
    shown["done"] = _DONE.get(request.args.get("done", ""), "") if status == 200 else ""
    shown["is_own"] = account_id == auth.caller().account_id
    return layout.page("operations/user", status, user=user, meanings=_MEANINGS, **shown)


def _with_password(account: accounts.Profile, password: str) -> Response:
    return layout.page("operations/user_password", user=account, password=password)
