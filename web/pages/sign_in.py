"""Sign in and sign out."""

from flask import Response, request
from wtforms import PasswordField, StringField
from wtforms.validators import DataRequired, Length

from engine.access import accounts
from errors import TooOften, Unauthenticated
from web import pages
from web.http import auth
from web.http.auth import public
from web.pages.frame import layout, sessions
from web.pages.frame.forms import Form
from web.pages.frame.languages import gettext, lazy_gettext

views = layout.blueprint("sign_in")


class SignIn(Form):
    """Name and password of an account."""

    account = StringField(
        lazy_gettext("Account"),
        [DataRequired(), Length(max=accounts.NAME_CHARS_MAX)],
        render_kw={"autocomplete": "username", "autofocus": True},
    )
    password = PasswordField(
        lazy_gettext("Password"),
        [DataRequired(), Length(max=accounts.PASSWORD_CHARS_MAX)],
        render_kw={"autocomplete": "current-password"},
    )


@views.get("/sign-in")
@public("everybody signs in from here")
def ask() -> Response:
    """Show the form, and after the end of a session what it means for the page or the form that was sent."""
    notices = {
        "page": gettext("Your session has ended. Sign in to go on."),
        "form": gettext("Your session has ended, so nothing was saved. Sign in, then send the form again."),
    }
    notice = notices.get(request.args.get("ended", ""), "")
    return _form(SignIn(), wanted=request.args.get("next", ""), notice=notice)


@views.post("/sign-in")
@public("name and password in the form are the proof")
def sign_in() -> Response:
    """Start a session and go to the page that was wanted, if it is one of ours."""
    sessions.check_origin()
    form = SignIn()
    wanted = request.form.get("next", "")
    if not form.validate():
        return _form(form, wanted=wanted, status=422)
    try:
        account = auth.log_in(form.account.data, form.password.data)
    except Unauthenticated:
        return _form(form, wanted=wanted, status=401, fault=gettext("Account or password is wrong."))
    except TooOften as error:
        fault = gettext("Too many attempts. Try again in %(seconds)s seconds.", seconds=error.wait_s)
        response = _form(form, wanted=wanted, status=429, fault=fault)
        response.headers["Retry-After"] = str(error.wait_s)
        return response
    return sessions.sign_in(layout.redirect_to_path(sessions.local_path(wanted)), account)


@views.post("/sign-out")
@pages.changes()
def sign_out() -> Response:
    """End the session."""
    sessions.end()
    return sessions.sign_out(layout.redirect_to("sign_in_pages.ask"))


def _form(form: SignIn, *, wanted: str, status: int = 200, fault: str = "", notice: str = "") -> Response:
    return layout.page("sign_in", status, form=form, wanted=wanted, fault=fault, notice=notice)
