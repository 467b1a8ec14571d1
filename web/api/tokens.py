"""Routes of tokens: log in, refresh, log out."""

from datetime import UTC, datetime, timedelta

from engine.access import accounts, bearer_tokens, token_status
from errors import Unauthenticated
from models.session import Session, transaction
from web import process
from web.http import auth, rate_limits, tokens
from web.http.auth import needs, public
from web.http.routes import Api, Reply, refusals
from web.schemas.tokens import Done, Login, TokenPair

api = Api("tokens", "/api/v1/auth", about="Log in, stay logged in, log out.")


@api.post("/token", responses={200: TokenPair, **refusals(401)})
@public("name and password in the body are the proof")
def token(body: Login) -> Reply:
    """Log in with the name and password of an account.

    The access token is valid for 24 hours. Attempts are limited by account and address.
    """
    rate_limits.login(body.account)
    with transaction() as session:
        proof = accounts.find(session, body.account)
    account = accounts.check(proof, body.password)
    return _pair(bearer_tokens.issue(account, now=datetime.now(UTC)))


@api.post("/refresh", responses={200: TokenPair})
@needs(kinds=("refresh",))
def refresh() -> Reply:
    """Exchange the refresh token in the Authorization header for a new pair; each works once.

    A second exchange means that the token was copied: then every token of the same login is revoked.
    """
    claims = auth.caller().claims
    with transaction() as session:
        first = token_status.use_up(
            session, claims.token_id, account_id=claims.account_id, expires_at=claims.expires_at
        )
        if first:
            account = accounts.get(session, claims.account_id)
        else:
            _end_family(session, claims)
    if not first:
        process.current().token_cache.forget()
        raise Unauthenticated("token: was used before, so every token of its login was revoked; log in again")
    return _pair(bearer_tokens.issue(account, now=datetime.now(UTC), family_id=claims.family_id))


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


def _end_family(session: Session, claims: tokens.Claims) -> None:
    """Revoke all tokens of one login, for as long as any of them could be valid."""
    longest = timedelta(days=process.current().settings.refresh_days)
    until = max(claims.expires_at, datetime.now(UTC) + longest)
    token_status.revoke(session, (claims.token_id, claims.family_id), account_id=claims.account_id, expires_at=until)


def _pair(pair: bearer_tokens.Pair) -> TokenPair:
    return TokenPair(access_token=pair.access, expires_in=pair.expires_in_s, refresh_token=pair.refresh)
