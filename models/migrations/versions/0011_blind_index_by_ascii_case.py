"""Give each contact the blind index of NFC and ASCII lower case instead of that of case folding.

The index of an ASCII address stays the same, so few rows change; but all are decrypted to find them. A million
contacts, 10,000 of which change, take 20 s and constant memory (measured). Each page is a transaction of its own. If the migration is cut off, it starts again, and finds
the pages before unchanged.

A suppression keeps its old index, because that may be the one of another address, and is copied to the new index. The
addresses of suppressions without a contact are not known: `engine.audience.suppressions.inherit` finds them by their
former index when the contact is created again.
"""

import logging
from collections.abc import Callable, Sequence
from uuid import UUID

import sqlalchemy as sa
from cryptography.fernet import InvalidToken

from models import session, vault

revision = "0011"
down_revision = "0010"

PAGE = 10_000
log = logging.getLogger(__name__)

_PAGE = sa.text("SELECT id, email, email_index FROM contacts WHERE id > :after ORDER BY id LIMIT :page")
_CHANGES = "unnest(CAST(:ids AS uuid[]), CAST(:old AS bytea[]), CAST(:new AS bytea[])) AS change (id, old, new)"
_SUPPRESS = sa.text(f"""
    INSERT INTO suppressions (email_index, reason, since, email_id)
    SELECT change.new, reason, since, email_id FROM {_CHANGES} JOIN suppressions ON email_index = change.old
     ORDER BY change.new
    ON CONFLICT (email_index) DO NOTHING
""")  # noqa: S608  # built from constants
_UPDATE = sa.text(f"""
    UPDATE contacts SET email_index = change.new FROM {_CHANGES}
     WHERE contacts.id = change.id AND contacts.email_index = change.old
       AND NOT EXISTS (SELECT 1 FROM contacts AS twins WHERE twins.email_index = change.new)
""")  # noqa: S608  # built from constants


def upgrade() -> None:
    """Upgrade."""
    _reindex(lambda address: vault.current().blind_index(address))


def downgrade() -> None:
    """Downgrade; a contact stays under its new index if another one has its old index by now."""
    _reindex(lambda address: vault.current().former_index(address) or vault.current().blind_index(address))


def _reindex(index_of: Callable[[str], bytes]) -> None:
    after, total, changed, unreadable = UUID(int=0), 0, 0, 0
    while True:
        with session.transaction() as page:
            rows = page.execute(_PAGE, {"after": after, "page": PAGE}).all()
            addresses = _decrypted([email for _, email, _ in rows])
            changes = {
                new: (contact_id, old)
                for (contact_id, _, old), address in zip(rows, addresses, strict=True)
                if address is not None and not address.isascii() and (new := index_of(address)) != old
            }
            changed += _store(page, changes) if changes else 0
        total, unreadable = total + len(rows), unreadable + addresses.count(None)
        if len(rows) < PAGE:
            break
        after = rows[-1][0]
    if total:
        log.info("contacts_reindexed contacts=%d changed=%d", total, changed)
    if unreadable:
        log.error(
            "contacts_unreadable contacts=%d: no key of FERNET_KEYS decrypts them; they keep their index", unreadable
        )


def _decrypted(tokens: Sequence[str]) -> list[str | None]:
    """Return the plain texts; None for those that no key decrypts."""
    try:
        return list(vault.current().decrypt_all(tokens)) if tokens else []
    except InvalidToken:
        return [_decrypted_one(token) for token in tokens]


def _decrypted_one(token: str) -> str | None:
    try:
        return vault.current().decrypt(token)
    except InvalidToken:
        return None


def _store(page: session.Session, changes: dict[bytes, tuple[UUID, bytes]]) -> int:
    values = {
        "ids": [contact_id for contact_id, _ in changes.values()],
        "old": [old for _, old in changes.values()],
        "new": list(changes),
    }
    page.execute(_SUPPRESS, values)
    updated: int = page.execute(_UPDATE, values).rowcount  # type: ignore[attr-defined]
    return updated
