"""Cache of token status: reads the database at most once in five seconds per token and process."""

from time import monotonic
from uuid import UUID

from engine.access import token_status
from models.session import transaction

# The longest time for which a revoked token or a closed account still works in other processes.
CACHE_S = 5.0
_TOKENS_MAX = 10_000


class TokenCache:
    """Cache of `token_status.get` for `cache_s` seconds; refusals are not cached."""

    def __init__(self, cache_s: float = CACHE_S) -> None:
        self.cache_s = cache_s
        self._entries: dict[tuple[UUID, UUID, UUID], tuple[float, token_status.TokenStatus]] = {}

    def of(self, token_id: UUID, family_id: UUID, account_id: UUID) -> token_status.TokenStatus | None:
        """Return the status of the account behind this token; None if the token was revoked."""
        key = token_id, family_id, account_id
        expires, cached = self._entries.get(key, (0.0, None))
        if cached is not None and monotonic() < expires:
            return cached
        with transaction() as session:
            status = token_status.get(session, account_id, (token_id, family_id))
        if status is None:
            self._entries.pop(key, None)
            return None
        if len(self._entries) >= _TOKENS_MAX:
            self._entries.clear()
        self._entries[key] = monotonic() + self.cache_s, status
        return status

    def forget(self) -> None:
        """Drop all entries; for the process that has just revoked a token."""
        self._entries.clear()
