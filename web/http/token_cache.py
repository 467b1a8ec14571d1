"""What tokens are worth right now, asked of the ledger at most once in five seconds per token and process."""

from time import monotonic
from uuid import UUID

from engine.access import sessions
from models.session import transaction

# The bound on how long a revoked token, or a closed account, may go on working in a process that did not do it.
LAG_S = 5.0
_TOKENS_MAX = 10_000


class Standings:
    """A small memory of `sessions.standing`; refusals are never remembered."""

    def __init__(self) -> None:
        self._known: dict[tuple[UUID, UUID, UUID], tuple[float, sessions.Standing]] = {}

    def of(self, token_id: UUID, family_id: UUID, account_id: UUID) -> sessions.Standing | None:
        """The standing of the account behind this token; None when the token counts no longer."""
        asked = token_id, family_id, account_id
        until, known = self._known.get(asked, (0.0, None))
        if known is not None and monotonic() < until:
            return known
        with transaction() as session:
            found = sessions.standing(session, account_id, (token_id, family_id))
        if found is None:
            self._known.pop(asked, None)
            return None
        if len(self._known) >= _TOKENS_MAX:
            self._known.clear()
        self._known[asked] = monotonic() + LAG_S, found
        return found

    def forget(self) -> None:
        """Ask the ledger again for every token; for the process that has just revoked one."""
        self._known.clear()
