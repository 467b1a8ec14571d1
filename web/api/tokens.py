"""Routes of tokens: log in, refresh, log out."""

from datetime import UTC, datetime, timedelta

from engine.access import accounts, bearer_tokens, idempotency, token_status
from errors import Unauthenticated
from models.session import Session, transaction
from web import process
from web.http import auth, tokens
from web.http.auth import needs, public
from web.http.routes import Api, Reply, refusals
from web.schemas.tokens import Done, Login, RefreshHeaders, TokenPair

api = Api("tokens", "/api/v1/auth", about="Log in, stay logged in, log out.")


@api.post("/token", responses={200: TokenPair, **refusals({401: "account or password: wrong"})})
@public("name and password in the body are the proof")
def token(body: Login) -> Reply:
    """Log in with the name and password of an account.

    The access token is valid for 24 hours. Attempts are limited by network and by account (429), and by the number of
    passwords that are checked at once (503).
    """
    account = auth.log_in(body.account, body.password)
    return _pair(bearer_tokens.issue(account, now=datetime.now(UTC)))


@api.post("/refresh", responses={200: TokenPair})
@needs(kinds=("refresh",))
def refresh(header: RefreshHeaders) -> Reply:
    """Exchange the refresh token in the Authorization header for a new pair; each works once.

    A second exchange means that the token was copied: then every token of the same login is revoked. A caller that
    lost the response repeats the request within a minute with the same `Idempotency-Key`, and gets the same refresh
    token again unless it was used. A login ends after SESSION_DAYS.
    """
    claims, now = auth.caller().claims, datetime.now(UTC)
    key = idempotency.checked(header.idempotency_key) if header.idempotency_key else ""
    if now >= claims.login.ends_at:
        longest = process.current().settings.session_days
        raise Unauthenticated(f"token: its login is {longest} days old, the longest allowed; log in again")
    successor_id = bearer_tokens.successor_id(claims.token_id, key)
    with transaction() as session:
        account = _current_account(session, claims)
        exchanged = token_status.use_up(
            session,
            claims.token_id,
            account_id=claims.account_id,
            expires_at=claims.expires_at,
            successor_id=successor_id,
        )
        if not exchanged:
            _end_family(session, claims)
    if not exchanged:
        process.current().token_cache.forget()
        raise Unauthenticated("token: was used before, so every token of its login was revoked; log in again")
    return _pair(bearer_tokens.issue(account, now=now, login=claims.login, refresh_id=successor_id))


@api.post("/revoke", responses={200: Done})
@needs(kinds=("access", "refresh"))
def revoke() -> Reply:
    """Log out: revoke the token in the Authorization header and all others of the same login.

    Other web processes may accept the token for up to five more seconds.
    """
    with transaction() as session:
        _end_family(session, auth.caller().claims)
    process.current().token_cache.forget()
    return Done()


def _current_account(session: Session, claims: tokens.Claims) -> accounts.Profile:
    """Return the account as it is now, not as the cache has it; raises Unauthenticated if the login has ended."""
    status = token_status.get(session, claims.account_id, (claims.login.family_id,))
    account = accounts.get(session, claims.account_id)
    if status is None or account.generation != claims.generation:
        raise Unauthenticated("token: revoked; log in again")
    return account


def _end_family(session: Session, claims: tokens.Claims) -> None:
    """Revoke all tokens of one login, for as long as any of them could be valid."""
    configured = process.current().settings
    longest = timedelta(days=max(configured.refresh_days, configured.session_days), hours=configured.token_hours)
    until = max(claims.expires_at, datetime.now(UTC) + longest)
    revoked = (claims.token_id, claims.login.family_id)
    token_status.revoke(session, revoked, account_id=claims.account_id, expires_at=until)


def _pair(pair: bearer_tokens.Pair) -> TokenPair:
    return TokenPair(access_token=pair.access, expires_in=pair.expires_in_s, refresh_token=pair.refresh)
