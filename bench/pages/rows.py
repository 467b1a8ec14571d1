"""A million contacts and ten million events, generated in the database that DATABASE_URL names, which must be empty.

python -m bench.pages.rows                      a million contacts: some minutes, 6 GB
python -m bench.pages.rows --contacts 10000     a hundredth of it

One running campaign has all contacts. Ten earlier ones have a twentieth each; one of them is paused. There are e-mails
in every state, suppressions, counts by hour and the figures of the pages; and one contact with 1,000 single e-mails.
"""

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
from sqlalchemy import text

import settings
from bench.report.progress import say
from bench.testbed import large_tables
from engine import figures
from models import migrations, vault
from models.session import transaction

_FIRST = ("Ana", "María", "José", "Lucía", "Carlos", "Elena", "Javier", "Sofía", "Miguel", "Carmen", "Álvaro", "Íñigo")
_LAST = ("García", "Ruiz", "López", "Ortega", "Sánchez", "Núñez", "Pérez", "Ibáñez", "Gómez", "Vidal", "Álvarez")
_KINDS = ("Transportes", "Logística", "Talleres", "Bodegas", "Clínica", "Estudio", "Hotel", "Imprenta", "Consultora")
_INDUSTRIES = ("Logística", "Marketing", "Salud", "Hostelería", "Industria", "Educación")
_ROLES = ("Gerente", "Director comercial", "Compras", "Operaciones", "Administración")

_FUNCTIONS = """
CREATE FUNCTION pg_temp.made(at timestamptz, number bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
SELECT encode(int8send(((date_part('epoch', at) * 1000)::bigint << 16) | 28672 | (number & 4095))
              || int8send((1::bigint << 63) | (number << 2)), 'hex')::uuid $$;
CREATE FUNCTION pg_temp.part(number bigint) RETURNS int LANGUAGE sql IMMUTABLE AS $$
SELECT (number * 7919 % 100)::int $$;
CREATE FUNCTION pg_temp.opens(number bigint, step int) RETURNS bool LANGUAGE sql IMMUTABLE AS $$
SELECT (number * 31 + step * 17) % 100 < 38 $$;
CREATE FUNCTION pg_temp.clicks(number bigint, step int) RETURNS bool LANGUAGE sql IMMUTABLE AS $$
SELECT (number * 31 + step * 17) % 100 < 7 $$;
CREATE FUNCTION pg_temp.reason(number bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
SELECT (ARRAY['converted', 'converted', 'converted', 'converted', 'replied', 'replied', 'unsubscribed', 'unsubscribed',
              'unsubscribed', 'bounced'])[1 + pg_temp.part(number)] $$;
CREATE FUNCTION pg_temp.steps(number bigint, campaign bigint) RETURNS int LANGUAGE sql IMMUTABLE AS $$
SELECT CASE WHEN pg_temp.part(number) < 10 THEN 1 + (number / 100 % 3)::int
            WHEN campaign <= 2 AND pg_temp.part(number) < 30 THEN 1
            WHEN campaign <= 2 AND pg_temp.part(number) < 60 THEN 2 ELSE 3 END $$;
CREATE FUNCTION pg_temp.launched(campaign bigint) RETURNS timestamptz LANGUAGE sql STABLE AS $$
SELECT date_trunc('hour', now()) - make_interval(days => 20 + 30 * (campaign::int - 1)) $$;
CREATE TEMP TABLE members AS
SELECT campaign, number, pg_temp.made(created_at, number) AS contact_id,
       pg_temp.made(pg_temp.launched(campaign) + number * interval '10 ms', number * 16 + campaign) AS id
  FROM people, LATERAL (SELECT 1::bigint AS campaign UNION ALL SELECT 2 + (number - 1) / ({contacts} / 20)
                         WHERE number <= {contacts} / 2) AS campaigns ORDER BY campaign, number
"""

_FILL = """
INSERT INTO contacts (id, email, email_index, first_name, last_name, company, industry, role, timezone, locale,
                      created_at, updated_at, listed_at, email_followup_status, email_1_sent, email_1_opened,
                      email_1_clicked, email_2_sent, email_2_opened, email_2_clicked, email_3_sent, email_3_opened,
                      email_3_clicked, converted, converted_at, score)
SELECT pg_temp.made(created_at, number), email, email_index, first_name, last_name, company, industry, role,
       'Europe/Madrid', 'es', created_at, now(), created_at,
       CASE WHEN pg_temp.reason(number) = 'bounced' THEN 'bounced' ELSE 'email_' || steps || '_sent' END,
       true, pg_temp.opens(number, 1), pg_temp.clicks(number, 1),
       steps > 1, steps > 1 AND pg_temp.opens(number, 2), steps > 1 AND pg_temp.clicks(number, 2),
       steps > 2, steps > 2 AND pg_temp.opens(number, 3), steps > 2 AND pg_temp.clicks(number, 3),
       pg_temp.part(number) < 4, CASE WHEN pg_temp.part(number) < 4 THEN now() - interval '2 days' END,
       number * 37 % 101
  FROM people, LATERAL (SELECT pg_temp.steps(number, 1) AS steps) AS sent ORDER BY number;
INSERT INTO campaigns (id, name, state, reason, timezone, variables, created_at, launched_at, finished_at)
SELECT pg_temp.made(pg_temp.launched(n), n), 'Campaña ' || n, CASE n WHEN 1 THEN 'running' WHEN 2 THEN 'paused'
       ELSE 'finished' END, CASE n WHEN 2 THEN 'demasiados rebotes' END, 'Europe/Madrid',
       '{"link_calendly": "https://agenda.example/cita"}', pg_temp.launched(n), pg_temp.launched(n),
       CASE WHEN n > 2 THEN pg_temp.launched(n) + interval '9 days' END
  FROM generate_series(1, 11) AS n;
INSERT INTO campaign_steps (campaign_id, step, template, subject, delay_s)
SELECT id, step, (ARRAY['email_1_roi', 'email_2_caso', 'email_3_ultima_llamada'])[step], 'Asunto',
       3 * 86400 * (step - 1)
  FROM campaigns, generate_series(1, 3) AS step;
INSERT INTO enrollments (id, contact_id, campaign_id, next_step, next_at, state, stop_reason, stopped_at, created_at)
SELECT id, contact_id, pg_temp.made(pg_temp.launched(campaign), campaign),
       least(3, steps + CASE state WHEN 'active' THEN 1 ELSE 0 END),
       CASE state WHEN 'active' THEN date_trunc('hour', now()) + number % 432000 * interval '1 second' END, state,
       CASE state WHEN 'stopped' THEN pg_temp.reason(number) END,
       CASE state WHEN 'stopped' THEN pg_temp.launched(campaign) + interval '8 days' END,
       pg_temp.launched(campaign) + number * interval '10 ms'
  FROM members, LATERAL (SELECT pg_temp.steps(number, campaign) AS steps) AS sent,
       LATERAL (SELECT CASE WHEN pg_temp.reason(number) IS NOT NULL THEN 'stopped' WHEN steps = 3 THEN 'finished'
                            WHEN campaign = 1 AND number % 2000 = 7 THEN 'waiting' ELSE 'active' END AS state) AS it;
INSERT INTO emails (id, contact_id, template, subject, status, lane, campaign_id, enrollment_id, step, message_id,
                    accepted_at, sent_at, due_at, opened_at, clicked_at, machine_opened_at, converted_at,
                    unsubscribed_at, replied_at, bounced_at, attempts, response, reason, relay)
SELECT CAST(left(id::text, 35) || to_hex((get_byte(uuid_send(id), 15) & 15) | step) AS uuid), contact_id,
       (ARRAY['email_1_roi', 'email_2_caso', 'email_3_ultima_llamada'])[step], 'Asunto', status, 'campaign',
       pg_temp.made(pg_temp.launched(campaign), campaign), id, step, '<' || number || '@correo.example>', at,
       CASE WHEN status IN ('sent', 'bounced') THEN at END, at,
       CASE WHEN status = 'sent' AND pg_temp.opens(number, step) THEN at + interval '3 hours' END,
       CASE WHEN status = 'sent' AND pg_temp.clicks(number, step) THEN at + interval '4 hours' END,
       CASE WHEN status = 'sent' AND number % 10 < 6 THEN at + interval '2 minutes' END,
       CASE WHEN is_end AND end_by = 'converted' THEN at + interval '5 hours' END,
       CASE WHEN is_end AND end_by = 'unsubscribed' THEN at + interval '5 hours' END,
       CASE WHEN is_end AND end_by = 'replied' THEN at + interval '5 hours' END,
       CASE WHEN is_end AND end_by = 'bounced' THEN at + interval '1 hour' END, 1,
       CASE status WHEN 'in_doubt' THEN NULL WHEN 'failed' THEN '550 5.7.1 rejected' ELSE '250 2.0.0 queued' END,
       CASE status WHEN 'in_doubt' THEN 'connection lost after the body' WHEN 'failed' THEN '550 5.7.1 rejected' END,
       'smtp.correo.example'
  FROM members, LATERAL (SELECT pg_temp.steps(number, campaign) AS steps) AS sent,
       LATERAL generate_series(1, steps) AS step,
       LATERAL (SELECT pg_temp.launched(campaign) + number * interval '15 ms' + (step - 1) * interval '3 days 4 hours'
                       AS at, step = steps AS is_end, pg_temp.reason(number) AS end_by) AS facts,
       LATERAL (SELECT CASE WHEN is_end AND end_by = 'bounced' THEN 'bounced'
                            WHEN is_end AND campaign = 1 AND number % 2000 = 7 AND end_by IS NULL THEN 'in_doubt'
                            WHEN number % 300 = 11 THEN 'failed' ELSE 'sent' END AS status) AS it;
INSERT INTO emails (id, contact_id, template, subject, status, lane, message_id, accepted_at, sent_at, due_at, attempts)
SELECT pg_temp.made(now() - n * interval '1 hour', 1000000000 + n), (SELECT id FROM contacts ORDER BY id LIMIT 1),
       'email_1_roi', 'Asunto', 'sent', 'transactional', 'single', now() - n * interval '1 hour',
       now() - n * interval '1 hour', now() - n * interval '1 hour', 1
  FROM generate_series(1, 1000) AS n;
INSERT INTO events (id, email_id, event_type, event_data, timestamp, source, reasons, dedupe_key, received_at,
                    applied_at)
SELECT pg_temp.made(at, number * 4 + turn), email_id, CASE turn WHEN 3 THEN 'clicked' ELSE 'opened' END,
       '{"agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "method": "GET", "network": "other"}', at,
       CASE WHEN turn = 1 OR machine THEN 'machine' ELSE 'human' END, '{known_proxy}',
       sha256(int8send(number * 4 + turn)), at, at
  FROM (SELECT id AS email_id, sent_at, opened_at IS NULL AS machine, row_number() OVER () AS number
          FROM emails WHERE sent_at IS NOT NULL) AS sent, generate_series(1, 3) AS turn,
       LATERAL (SELECT sent_at + turn * interval '71 minutes' AS at) AS moment
 WHERE turn < 3 OR number % 4 <> 0;
INSERT INTO events (id, email_id, event_type, timestamp, source, dedupe_key, received_at, applied_at)
SELECT pg_temp.made(at, row_number() OVER ()), id, end_by, at, 'human', sha256(uuid_send(id)), at, at
  FROM emails, LATERAL (VALUES (converted_at, 'converted'), (unsubscribed_at, 'unsubscribed'),
                               (replied_at, 'replied'), (bounced_at, 'bounced')) AS ends (at, end_by)
 WHERE at IS NOT NULL;
INSERT INTO suppressions (email_index, reason, since, is_unsubscribed)
SELECT email_index, CASE pg_temp.reason(number) WHEN 'bounced' THEN 'hard_bounce' ELSE 'unsubscribed' END,
       now() - number * interval '20 seconds', pg_temp.reason(number) = 'unsubscribed'
  FROM people WHERE pg_temp.reason(number) IN ('bounced', 'unsubscribed');
INSERT INTO email_stats (campaign_id, step, hour, sent, failed, opened, clicked, converted, replied, unsubscribed,
                         bounced, machine_opened)
SELECT campaign_id, step, date_trunc('hour', accepted_at), count(sent_at), count(*) FILTER (WHERE status = 'failed'),
       count(opened_at), count(clicked_at), count(converted_at), count(replied_at), count(unsubscribed_at),
       count(bounced_at), count(machine_opened_at)
  FROM emails WHERE campaign_id IS NOT NULL GROUP BY 1, 2, 3;
INSERT INTO heartbeats (name) VALUES ('sweep'), ('call_due'), ('tidy')
"""
_FILLED = ("contacts", "enrollments", "emails", "events")


def fill(count: int) -> None:
    """Generate `count` contacts and some ten times as many events; the tables must be empty."""
    url = settings.current().database_url.get_secret_value()
    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM contacts LIMIT 1").fetchone():
            raise SystemExit("the database has contacts already: give an empty one")
        connection.execute("SET session_replication_role = replica; SET maintenance_work_mem = '512MB'")
        with connection.transaction():  # so that `now()` stays the same
            _copy_people(connection, count)
            _run(connection, _FUNCTIONS.format(contacts=count))
            with large_tables.without_indexes(connection, _FILLED):
                _run(connection, _FILL)
        say("indexes are built")
        connection.execute("VACUUM (ANALYZE)")
    _count_figures()


def migrated(count: int) -> None:
    """Make the tables, then `fill` them."""
    migrations.upgrade()
    fill(count)


def _run(connection: psycopg.Connection, statements: str) -> None:
    for statement in statements.split(";\n"):
        rows = connection.execute(statement.encode()).rowcount
        if "INSERT" in statement:
            say(f"{statement.partition('(')[0].strip():40} {rows:>10} rows")


def _copy_people(connection: psycopg.Connection, count: int) -> None:
    """Copy the contacts' data, encrypted as the product does, to a table of this connection."""
    connection.execute(
        "CREATE TEMP TABLE people (number bigint, email text, email_index bytea, first_name text, last_name text, "
        "company text, industry text, role text, created_at timestamptz)"
    )
    with connection.cursor().copy("COPY people FROM STDIN") as copying:
        for row in _people(count):
            copying.write_row(row)
    say(f"{'people':40} {count:>10} rows")


def _people(count: int) -> Iterator[tuple[object, ...]]:
    keys = vault.current()
    began = datetime.now(UTC) - timedelta(days=700)
    for number in range(1, count + 1):
        address = f"persona{number}@empresa{number % 9973}.example"
        first, last = _FIRST[number % 12], f"{_LAST[number % 11]} {_LAST[number // 11 % 11]}"
        company = f"{_KINDS[number % 9]} {_LAST[number // 9 % 11]} {number % 5000}"
        at = began + timedelta(days=300 * number / count)
        yield (number, keys.encrypt(address), keys.blind_index(address), first, last, company,
               _INDUSTRIES[number % 6], _ROLES[number % 5], at)  # fmt: skip


def _count_figures() -> None:
    """Count the figures of the pages, as a worker does."""
    with transaction() as session:
        now = session.scalar(text("SELECT now()"))
        for name in figures.overdue(session, now=now):
            figures.refresh(session, name, now=now)
            say(f"figures: {name}")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", type=int, default=1_000_000, help="how many (default: %(default)s)")
    fill(parser.parse_args().contacts)


if __name__ == "__main__":
    main()
