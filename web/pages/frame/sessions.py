"""Browser sessions: a signed token in a cookie, and protection against requests that other sites forge.

The cookie holds the token of `bearer_tokens.issue_session`. A form that changes state repeats the token's `csrf` claim
(double submit), which only our own pages can read. An idle session ends after 12 hours, all after SESSION_DAYS. A new
password or a closed account ends a session at once: pages read the account at every request, without a cache.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, g, request
from flask_jwt_extended import set_access_cookies, unset_access_cookies, verify_jwt_in_request
from flask_jwt_extended.exceptions import CSRFError

from engine.access import accounts, bearer_tokens, sessions, token_status
from errors import CadenciaError, Forbidden, Unauthenticated
from models.session import Session, autocommitting, transaction, unavailable_raised
from settings import Settings
from web import process
from web.http import auth, tokens
from web.http.auth import Access, Caller, View

HOME = "/app/"
_RENEWED_AFTER = timedelta(minutes=10)


class SignInNeeded(CadenciaError):
    """The request has no valid session: show the sign-in page."""


class Forged(Forbidden):
    """The form does not repeat the session's `csrf` value: another site may have sent it, or the page is old."""


def needs(*scopes: str) -> Callable[[View], View]:
    """Declare that the page requires a session with one of `scopes` (none: any); else it redirects to sign-in."""
    return auth.declaring(Access(scopes=scopes, identify=_identify))


def changes(*scopes: str) -> Callable[[View], View]:
    """Declare what `needs` does, and that the page changes state: only by a form of our own pages."""
    return auth.declaring(Access(scopes=scopes, identify=_identify, changes=True, confirm=_check_form))


def configure(app: Flask, settings: Settings) -> None:
    """Configure the cookie: HttpOnly, SameSite=Lax and, over https, Secure with the prefix `__Host-` (RFC 6265bis)."""
    is_secure = settings.public_url.startswith("https://")
    app.config.update(
        JWT_ACCESS_COOKIE_NAME="__Host-cadencia" if is_secure else "cadencia",
        JWT_COOKIE_SECURE=is_secure,
        JWT_COOKIE_SAMESITE="Lax",
        JWT_COOKIE_CSRF_PROTECT=True,
        JWT_CSRF_IN_COOKIES=False,  # the pages read the value from the token
        JWT_CSRF_CHECK_FORM=True,
        JWT_SESSION_COOKIE=False,
    )


@contextmanager
def reading() -> Iterator[Session]:
    """Open a session as `statement` does, for the reads of a page.

    In a GET request it is the one in which the account was read: another costs a round trip, to test its connection.
    """
    session: Session = g.pop("reading", None) or autocommitting()
    with unavailable_raised(), session:
        yield session


def release() -> None:
    """Return the connection that `_identify` kept, if no view has read by it."""
    session: Session | None = g.pop("reading", None)
    if session is not None:
        session.close()


def sign_in(response: Response, account: accounts.Profile) -> Response:
    """Start a new session of `account` with this response."""
    return _with_cookie(response, bearer_tokens.issue_session(account, now=datetime.now(UTC)))


def sign_out(response: Response) -> Response:
    """Remove the cookie with this response; `end` revokes the session itself."""
    unset_access_cookies(response)
    return response


def end() -> None:
    """Revoke the caller's session, also for copies of its cookie."""
    login = auth.caller().claims.login
    until = datetime.now(UTC) + bearer_tokens.SESSION_IDLE
    with transaction() as session:
        token_status.revoke(session, (login.family_id,), account_id=auth.caller().account_id, expires_at=until)
    process.current().token_cache.forget()


def renew(response: Response) -> Response:
    """Add a fresh cookie if the caller's is older than ten minutes, so that a session ends only when idle."""
    caller: Caller | None = g.get("caller")
    now = datetime.now(UTC)
    if caller is None or now - caller.claims.issued_at < _RENEWED_AFTER or "Set-Cookie" in response.headers:
        return response
    return _with_cookie(response, bearer_tokens.issue_session(account(), now=now, login=caller.claims.login))


def account() -> accounts.Profile:
    """Return the account of this session; only valid in pages declared with `needs` or `changes`."""
    profile: accounts.Profile = g.account
    return profile


def has_cookie() -> bool:
    """Return True if the request has a cookie of a session, valid or not."""
    return current_app.config["JWT_ACCESS_COOKIE_NAME"] in request.cookies


def csrf() -> str:
    """Return the value that every form of this session repeats as `csrf_token`; empty without a session."""
    caller: Caller | None = g.get("caller")
    return caller.claims.csrf if caller else ""


def check_origin() -> None:
    """Raise Forged if another site sent this form; for forms that are sent before there is a session.

    Every present browser sends Sec-Fetch-Site. Origin is for older ones.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin", "")
    is_ours = site in ("same-origin", "none") if site else urlsplit(origin).netloc in ("", request.host)
    if not is_ours:
        raise Forged("form: was sent by another site")


def local_path(wanted: str) -> str:
    """Return `wanted` if it is the path of a page of ours, else the overview's: never an address elsewhere."""
    try:
        parts = urlsplit(wanted)
    except ValueError:  # such as `//[`
        return HOME
    is_ours = not parts.scheme and not parts.netloc and wanted.startswith(HOME) and "//" not in parts.path
    return wanted if is_ours and wanted.isprintable() and "\\" not in wanted else HOME


def _identify(_: Access) -> Caller:
    claims = _claims()
    session = g.reading = autocommitting()
    with unavailable_raised():
        profile = sessions.account(session, claims.account_id, (claims.token_id, claims.login.family_id))
    if request.method != "GET":
        release()
    if profile is None or profile.generation != claims.generation:
        raise SignInNeeded("session: ended")
    g.account = profile
    return Caller(claims.account_id, profile.scopes, claims)


def _claims() -> tokens.Claims:
    encoded = request.cookies.get(current_app.config["JWT_ACCESS_COOKIE_NAME"], "")
    if not encoded:
        raise SignInNeeded("session: there is none")
    try:
        claims = tokens.read(encoded)
    except Unauthenticated:
        raise SignInNeeded("session: expired") from None
    if not claims.csrf:
        raise SignInNeeded("session: a bearer token is none")
    return claims


def _check_form() -> None:
    try:
        verify_jwt_in_request(locations=["cookies"])
    except CSRFError:
        raise Forged("form: its csrf_token is not that of this session") from None


def _with_cookie(response: Response, encoded: str) -> Response:
    set_access_cookies(response, encoded, max_age=int(bearer_tokens.SESSION_IDLE.total_seconds()))
    return response
