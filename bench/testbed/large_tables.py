"""Large tables, generated in the database: e-mails, and enrollments of which half are due in a paused campaign.

`explained` reads the plans of the statements that a process then executes.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection, event

from models.session import engine

_LARGE = ("enrollments", "emails", "contacts", "events", "form_submissions", "page_visits", "page_visit_days")

# Ids ascend: random ones take ten times as long to insert. The last two bits of an enrollment's id are zero.
_FILL = """
SET session_replication_role = replica;
INSERT INTO campaigns (id, name, state, timezone, created_at, launched_at)
SELECT CAST(lpad(n::text, 32, '0') AS uuid), 'large ' || n, CASE n WHEN 1 THEN 'paused' ELSE 'running' END, 'UTC',
       now(), now()
  FROM generate_series(1, 2) AS n;
INSERT INTO campaign_steps (campaign_id, step, template, subject, delay_s)
SELECT id, 1, 'email_1_roi', 'large', 0 FROM campaigns WHERE name LIKE 'large %';
INSERT INTO contacts (id, email, email_index, created_at, updated_at)
SELECT CAST(lpad(to_hex(n), 32, '0') AS uuid), 'sealed address of a contact, as long as one', int8send(n), now(), now()
  FROM generate_series(1, {count} / 2) AS n;
INSERT INTO enrollments (id, contact_id, campaign_id, next_step, next_at, state, created_at)
SELECT CAST(lpad(to_hex(n * 8 + 4 * campaign), 32, '0') AS uuid), CAST(lpad(to_hex(n), 32, '0') AS uuid),
       CAST(lpad(campaign::text, 32, '0') AS uuid), campaign, CASE campaign WHEN 1 THEN now() - interval '1 hour' END,
       CASE campaign WHEN 1 THEN 'active' ELSE 'finished' END, now()
  FROM generate_series(1, {count} / 2) AS n, generate_series(1, 2) AS campaign;
INSERT INTO emails (id, contact_id, template, subject, status, lane, campaign_id, enrollment_id, step, message_id,
                    accepted_at, sent_at, due_at)
SELECT CAST(lpad(to_hex(n * 8 + 8 + 1), 32, '0') AS uuid), CAST(lpad(to_hex(n), 32, '0') AS uuid), 'email_1_roi',
       'large', 'sent', 'campaign', CAST(lpad('2', 32, '0') AS uuid),
       CAST(lpad(to_hex(n * 8 + 8), 32, '0') AS uuid), 1, 'large', now(), now(), now()
  FROM generate_series(1, {count} / 2) AS n;
SET session_replication_role = origin;
"""
# Half of the submissions of 200 days are confirmed. A quarter of the contacts are recipients, half of them erased.
_FILL_FORMS = """
SET session_replication_role = replica;
INSERT INTO forms (id, slug, definition, notify)
SELECT CAST(lpad(n::text, 32, '0') AS uuid), 'large-' || n, '{{}}', '' FROM generate_series(1, 4) AS n;
INSERT INTO form_submissions (id, form_id, state, email_index, language, submitted_at, reminded_at, confirmed_at,
                              confirmed_by, contact_id, landing_page_id, source)
SELECT CAST(lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || lpad(to_hex(n), 20, '0') AS uuid),
       CAST(lpad((1 + n % 4)::text, 32, '0') AS uuid), CASE WHEN n % 2 = 0 THEN 'confirmed' ELSE state END,
       CASE state WHEN 'pending' THEN int8send(n) END, 'es', at, CASE WHEN n % 50 > 0 THEN at END,
       CASE WHEN n % 2 = 0 THEN at END, 'press', CASE WHEN n % 2 = 0 THEN CAST(lpad(to_hex(n), 32, '0') AS uuid) END,
       CASE WHEN n % 3 = 0 THEN CAST(lpad((1 + n / 3 % 50)::text, 32, '0') AS uuid) END, ''
  FROM generate_series(1, {count} / 2) AS n,
       LATERAL (SELECT now() - n * interval '200 days' / ({count} / 2) AS at) AS moment,
       LATERAL (SELECT CASE WHEN at > now() - interval '7 days' THEN 'pending' ELSE 'expired' END AS state) AS it;
UPDATE contacts SET is_recipient = true, updated_at = now() - n * interval '200 days' / ({count} / 2),
                    erased_at = CASE WHEN n % 8 = 0 THEN now() - n * interval '200 days' / ({count} / 2) END
  FROM generate_series(4, {count} / 2, 4) AS n WHERE id = CAST(lpad(to_hex(n), 32, '0') AS uuid);
INSERT INTO pages (id, slug, version)
SELECT CAST(lpad(n::text, 32, '0') AS uuid), 'large-' || n, 1 FROM generate_series(1, 50) AS n;
INSERT INTO page_visits (page_id, hour, source, views)
SELECT id, date_trunc('hour', now()) - hour * interval '1 hour', '', 1
  FROM pages, generate_series(1, {count} / 100) AS hour;
INSERT INTO page_visit_days (page_id, day, source, views)
SELECT id, current_date - day, '', 1 FROM pages, generate_series(1, {count} / 100) AS day;
SET session_replication_role = origin;
"""
_INDEXES = """
SELECT tablename, indexname, indexdef, conname, pg_get_constraintdef(c.oid)
  FROM pg_indexes LEFT JOIN pg_constraint c ON conname = indexname AND contype IN ('p', 'u')
 WHERE tablename = ANY(%s) AND NOT EXISTS (
    SELECT FROM pg_constraint f WHERE f.contype = 'f' AND f.conindid = CAST(indexname AS regclass))
"""


def fill(url: str, count: int) -> None:
    """Generate `count` enrollments, half of them due in a paused campaign, half finished, and half as many e-mails."""
    with psycopg.connect(url, autocommit=True) as connection:
        with without_indexes(connection, ["enrollments", "emails"]):
            for statement in _FILL.format(count=count).split(";\n"):
                connection.execute(statement)
        connection.execute("VACUUM (ANALYZE) enrollments, emails, contacts")


def fill_forms(url: str, count: int) -> None:
    """Generate half as many submissions of forms, and visits of landing pages, after `fill`."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in _FILL_FORMS.format(count=count).split(";\n"):
            connection.execute(statement)
        connection.execute("VACUUM (ANALYZE) contacts, form_submissions, page_visits, page_visit_days")
        connection.execute("VACUUM (ANALYZE) page_versions, template_versions")


@contextmanager
def without_indexes(connection: psycopg.Connection, tables: Sequence[str]) -> Iterator[None]:
    """Drop the indexes of these tables and build them at the end: a fifth of the time of inserting into them."""
    indexes = connection.execute(_INDEXES, [list(tables)]).fetchall()
    for table, name, _, constraint, _ in indexes:
        connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}" if constraint else f"DROP INDEX {name}")
    yield
    for table, name, definition, constraint, key in indexes:
        connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {key}" if constraint else definition)


class Plans(dict[str, Any]):
    """The plans of statements, by statement."""

    @property
    def scans(self) -> list[str]:
        """Return the statements that read a whole large table, each with the table's name."""
        return [f"{table}: {statement}" for statement, plan in self.items() for table in _scanned(plan)]

    @property
    def pairs(self) -> list[str]:
        """Return the statements that join by comparing each row of a large table with each row of something else."""
        return [statement for statement, plan in self.items() if any(map(_is_pairwise, _nodes(plan)))]


@contextmanager
def explained() -> Iterator[Plans]:
    """Read the plan of each statement of this process before it is executed."""
    plans = Plans()

    def explain(connection: Connection, _: Any, statement: str, parameters: Any, *__: Any) -> None:
        verbs = ("SELECT", "WITH", "UPDATE", "INSERT", "DELETE")
        if isinstance(parameters, dict) and statement.lstrip(" \n(").startswith(verbs):
            cursor = connection.connection.cursor()
            cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
            plans[statement] = cursor.fetchall()

    event.listen(engine(), "before_cursor_execute", explain)
    try:
        yield plans
    finally:
        event.remove(engine(), "before_cursor_execute", explain)


def _scanned(plan: Any) -> Iterator[str]:
    """Yield the large tables that a plan, or a part of it, reads from start to end."""
    for node in _nodes(plan):
        if node.get("Node Type") == "Seq Scan" and node.get("Relation Name") in _LARGE:
            yield node["Relation Name"]


def _is_pairwise(node: Any) -> bool:
    """Return True for a nested loop that finds its pairs by a filter, and not by an index.

    Not for an EXISTS, nor for a join with an array: the planner knows the array's length.
    """
    parts = list(_nodes(node))
    tables, kinds = {part.get("Relation Name") for part in parts}, {part.get("Node Type") for part in parts}
    is_join = node.get("Node Type") == "Nested Loop" and node.get("Join Type") in ("Inner", "Left")
    return is_join and "Join Filter" in node and "Function Scan" not in kinds and not tables.isdisjoint(_LARGE)


def _nodes(plan: Any) -> Iterator[Any]:
    """Yield a plan and its parts."""
    if isinstance(plan, list | tuple):
        for part in plan:
            yield from _nodes(part)
    elif isinstance(plan, dict):
        yield plan
        for part in plan.values():
            yield from _nodes(part)
