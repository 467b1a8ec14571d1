"""Flags of contacts: that an update writes to no index."""

from sqlalchemy import text

from models.session import transaction

_INDEXED = text("""
SELECT i.relname || ' has ' || a.attname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
  JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = i.oid AND d.refobjid = x.indrelid
  JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
 WHERE x.indrelid = 'contacts'::regclass AND (a.attname = ANY(:changed) OR a.attname = :known)
""")
_CHANGED = ["updated_at", "email_followup_status", "score", "converted", "converted_at"]
_FLAGS = [f"email_{step}_{what}" for step in (1, 2, 3) for what in ("sent", "opened", "clicked")]


def test_no_index_of_contacts_has_a_column_that_an_email_changes(ledger: str) -> None:
    """Otherwise no update is a HOT one, and a campaign takes PostgreSQL 40 % more time."""
    with transaction() as session:
        values = {"changed": [*_CHANGED, *_FLAGS], "known": "erased_at"}
        assert set(session.scalars(_INDEXED, values)) == {"ix_contacts_erased has erased_at"} | {
            "ix_contacts_recipients has erased_at"
        }
