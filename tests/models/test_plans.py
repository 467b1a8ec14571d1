"""Prepared statements get new plans when the tables have grown."""

import psycopg
import pytest
from sqlalchemy import event, text

from models import session as database
from models.session import transaction
from tests import mails

QUERY = text("SELECT count(*) FROM emails WHERE status = 'in_doubt' AND lane = :lane")
ROW = """
    INSERT INTO emails (id, contact_id, template, subject, lane, kind, message_id, status, due_at)
    SELECT gen_random_uuid(), :contact, 't', '', 'campaign', 'transactional', n::text, 'sent', now()
      FROM generate_series(1, 5000) AS n
"""


def plan() -> str:
    """Run the query until it has a generic plan, in one connection, and return that plan."""
    with transaction() as session:
        for _ in range(12):
            session.execute(QUERY, {"lane": "campaign"})
        name = session.scalar(
            text("SELECT name FROM pg_prepared_statements WHERE statement LIKE '%count(*) FROM emails%' LIMIT 1")
        )
        return "\n".join(session.scalars(text(f"EXPLAIN EXECUTE {name} ('campaign')")))


@pytest.mark.usefixtures("ledger")
def test_a_plan_made_for_an_empty_table_does_not_scan_the_grown_one() -> None:
    """The table is not analysed meanwhile, as in the first minute of an installation's first campaign."""
    with database.statement() as session:
        session.execute(text("VACUUM ANALYZE emails"))
    assert "Seq Scan" in plan(), "the table is empty"
    with transaction() as session:
        session.execute(text(ROW), {"contact": mails.contact(session)})
        session.connection().info["planned_at"] -= database.PLANS_LAST_S + 1
    assert "Index" in plan()


def test_a_connection_that_breaks_before_its_plans_are_discarded_is_replaced(ledger: str) -> None:
    """It works when the pool tests it, and is ended by the server just after that."""
    ended: list[int] = []

    def end(connection: psycopg.Connection, _record: object, _proxy: object) -> None:
        if not ended:
            ended.append(connection.info.backend_pid)
            with psycopg.connect(ledger) as other:
                other.execute("SELECT pg_terminate_backend(%s, 5000)", ended)

    with transaction() as session:
        session.connection().info["planned_at"] -= database.PLANS_LAST_S + 1
    event.listen(database.engine(), "checkout", end, insert=True)
    try:
        with transaction() as session:
            assert session.scalar(text("SELECT pg_backend_pid()")) not in ended
    finally:
        event.remove(database.engine(), "checkout", end)
    assert len(ended) == 1
