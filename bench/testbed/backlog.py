"""Sent mails and the hits on them, by the million: made by the database itself, alike at each size.

Every mail has a number. Mails were accepted one after the other over the last 30 days; those on which hits are to come
lie evenly among those that have all of theirs, so what is read for a hit lies anywhere in the tables.
"""

from dataclasses import dataclass

from sqlalchemy import text

from models.session import transaction

HITS_OF_A_MAIL = 4  # stored ones
_DAYS = 30
_STEPS = 2  # mails of a contact
_NEW_HITS = 2  # of a mail

# An id as `models.ids.at` makes it, but with bits that follow from a name, so that it can be told again.
_ID = (
    "encode(substring(int8send((extract(epoch FROM {at}) * 1000)::bigint) FROM 3) "
    "|| substring(decode(md5({name}), 'hex') FROM 7), 'hex')::uuid"
)
_BEGAN = f"CAST(:now AS timestamptz) - interval '{_DAYS} days'"
_ACCEPTED = f"({_BEGAN} + {{number}} * interval '{_DAYS} days' / :mails)"
_MAIL = _ID.format(at=_ACCEPTED, name="'mail ' || {number}")
_CONTACT = _ID.format(at=_BEGAN, name=f"'contact ' || {{number}} / {_STEPS}")

_AGENTS = """ARRAY[
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
    'Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)',
    'Mozilla/5.0',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148',
    'Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)',
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17 Safari/605',
    'Mozilla/5.0',
    'Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0',
    'python-requests/2.32.3',
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0 Edg/125.0']"""
_NETWORKS = "ARRAY['other', 'google', 'apple', 'other', 'google', 'other', 'icloud-relay', 'other', 'other', 'other']"
_SEEN = (
    f"jsonb_build_object('method', 'GET', 'agent', ({_AGENTS})[1 + {{number}} % 10], "
    f"'network', ({_NETWORKS})[1 + {{number}} % 10], 'prefix', substr(md5('prefix ' || {{number}} % 200000), 1, 16))"
)

_CONTACTS = text(f"""
INSERT INTO contacts (id, email, email_index, created_at, updated_at)
SELECT {_CONTACT.format(number="number")}, 'sealed address of a contact, as long as one', int8send(number), :now, :now
  FROM generate_series(0, :mails, {_STEPS}) AS number
""")  # noqa: S608  # built from the texts above alone
_MAILS = text(f"""
INSERT INTO emails (id, contact_id, template, subject, status, lane, step, message_id, accepted_at, sent_at, due_at)
SELECT {_MAIL.format(number="number")}, {_CONTACT.format(number="number")}, 'email_1_bench', 'bench', 'sent',
       'campaign', 1 + number % {_STEPS}, 'bench', {_ACCEPTED.format(number="number")},
       {_ACCEPTED.format(number="number")}, {_ACCEPTED.format(number="number")}
  FROM generate_series(1, :mails) AS number
""")  # noqa: S608  # built from the texts above alone
_STORED = text(f"""
INSERT INTO events (id, email_id, event_type, event_data, timestamp, source, reasons, dedupe_key, received_at,
                    applied_at)
SELECT {_ID.format(at="at", name="'hit ' || number || ' ' || turn")}, {_MAIL.format(number="number")}, 'opened',
       {_SEEN.format(number="number")}, at, 'human', '{{later}}', decode(md5(number || ' ' || turn), 'hex'), at, at
  FROM generate_series(1, :mails) AS number, generate_series(1, {HITS_OF_A_MAIL}) AS turn,
       LATERAL (SELECT {_ACCEPTED.format(number="number")} + turn * interval '17 minutes' AS at) AS moment
 WHERE number % :stride <> 0 LIMIT :stored
""")  # noqa: S608  # built from the texts above alone
# A thousand a second, each mail opened and then, half of them, clicked two seconds later.
_NEW = text(f"""
INSERT INTO events (id, email_id, event_type, event_data, timestamp, dedupe_key, received_at)
SELECT {_ID.format(at="at", name="'new ' || number || ' ' || turn")}, {_MAIL.format(number="number")},
       CASE WHEN turn = 1 OR number % (2 * :stride) = 0 THEN 'opened' ELSE 'clicked' END,
       {_SEEN.format(number="(number / :stride)")} || jsonb_build_object('link', turn), at,
       decode(md5('new ' || number || ' ' || turn), 'hex'), at
  FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS place, generate_series(1, {_NEW_HITS}) AS turn,
       LATERAL (SELECT place * :stride AS number) AS mail,
       LATERAL (SELECT CAST(:now AS timestamptz) - interval '1 hour'
                       + (place - :first) * interval '2 ms' + turn * interval '2 s' AS at) AS moment
 ORDER BY at
""")  # noqa: S608  # built from the texts above alone

WAITING = "SELECT EXISTS (SELECT 1 FROM events WHERE applied_at IS NULL AND NOT held)"


@dataclass
class Backlog:
    """What was made: the mails, every how many-th of them had no hits yet, and how many of those got some since."""

    stored: int
    mails: int
    stride: int
    now: str
    asked: int = 0

    def hit(self, events: int) -> None:
        """So many events more that wait to be applied, two on each of as many mails that had none."""
        first, self.asked = self.asked + 1, self.asked + events // _NEW_HITS
        if self.asked * self.stride > self.mails:
            raise ValueError("no mails are left that have no hits")
        with transaction() as session:
            session.execute(_NEW, self._values | {"first": first, "last": self.asked})

    @property
    def _values(self) -> dict[str, object]:
        return {"mails": self.mails, "stride": self.stride, "now": self.now}


def make(stored: int, waiting: int) -> Backlog:
    """So many events stored and applied, and room for `waiting` of them to come; the ledger must be empty."""
    fresh = max(1, waiting // _NEW_HITS)
    stride = -(-stored // HITS_OF_A_MAIL // fresh) + 1
    with transaction() as session:
        now = str(session.scalar(text("SELECT now()")))
        made = Backlog(stored, fresh * stride, stride, now)
        for statement in (_CONTACTS, _MAILS, _STORED):
            session.execute(statement, {"mails": made.mails, "stride": stride, "now": now, "stored": stored})
    return made
