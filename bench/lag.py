"""Lag from a hit to its flag, at a thousand hits a second through the real web server and workers."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from sqlalchemy import text

import settings
from bench.report.progress import say
from bench.testbed import readers
from bench.testbed.installation import Installation
from bench.testbed.served import served, work
from engine.tracking import tokens
from models import arrays, ids
from models.session import transaction

RATE = 1_000
_PROBE = 20  # one in this many e-mails is watched
_LOOK_S = 0.05
_WORKERS = ("worker-events", "beat")

_CONTACTS = text("""
INSERT INTO contacts (id, email, email_index, created_at, updated_at)
SELECT id, 'sealed address of a contact, as long as one', uuid_send(id), now(), now()
  FROM unnest(CAST(:ids AS uuid[])) AS id
""")
_MAILS = text("""
INSERT INTO emails (id, contact_id, template, subject, status, lane, step, message_id, accepted_at, sent_at, due_at)
SELECT id, id, 'email_1_bench', 'bench', 'sent', 'campaign', 1, 'bench', sent.at, sent.at, sent.at
  FROM unnest(CAST(:ids AS uuid[])) AS id, (SELECT now() - interval '1 day' AS at) AS sent
""")
_SEEN = text("""
SELECT m.id FROM emails m JOIN contacts c ON c.id = m.contact_id
 WHERE m.id = ANY(CAST(:ids AS uuid[])) AND m.opened_at IS NOT NULL AND c.email_1_opened
""")


@dataclass(frozen=True, slots=True)
class Lags:
    """Sorted lags in seconds, from the moment a hit was due until e-mail and contact show it."""

    seconds: Sequence[float]

    def at(self, share: float) -> float:
        """Return the lag that this share of the hits did not exceed."""
        return self.seconds[min(len(self.seconds) - 1, int(len(self.seconds) * share))]

    def __str__(self) -> str:
        return f"p50 {self.at(0.5):.2f} s   p99 {self.at(0.99):.2f} s   worst {self.seconds[-1]:.2f} s"


def measure(installation: Installation, seconds: int) -> Lags:
    """Send a thousand hits a second for this long to e-mails without hits; fail unless each is answered and applied.

    Measured from outside, as a report would see it: a hit is applied when e-mail and contact show it after a commit.
    """
    work(installation, *_WORKERS)
    with served(installation) as server:
        _round(installation.folder, server.port, 2)  # opens connections, prepares statements, warms caches
        lags = _round(installation.folder, server.port, seconds)
    installation.stop_workers()
    say(f"hit to flag   {RATE} hits/s for {seconds} s   {lags}")
    return lags


def _round(folder: Path, port: int, seconds: int) -> Lags:
    mails, pixels = [ids.new() for _ in range(seconds * RATE)], folder / "opened"
    with transaction() as session:
        for statement in (_CONTACTS, _MAILS):
            session.execute(statement, {"ids": arrays.uuids(mails)})
    signer = tokens.Signer(settings.current().tracking_ring)
    pixels.write_text("\n".join(f"/o/{signer.opened(each)}.gif" for each in mails))
    begins = time.time() + 1.5  # time for the readers to start
    process = readers.start(port, pixels, rate=RATE, at=begins)
    lags = _watch({mail: begins + number / RATE for number, mail in enumerate(mails) if number % _PROBE == 0})
    responses = readers.result(process)
    if responses.refused:
        raise RuntimeError(f"{responses.refused} of {responses.answers} hits were refused")
    return lags


def _watch(due: dict[UUID, float], within_s: float = 60.0) -> Lags:
    """Poll the flags of these e-mails, each from its moment on, until all are set."""
    lags: list[float] = []
    gives_up = max(due.values()) + within_s
    while due:
        now = time.time()
        if now > gives_up:
            raise TimeoutError(f"{len(due)} hits are not counted after {within_s:.0f} s")
        with transaction() as session:
            values = {"ids": arrays.uuids(mail for mail, moment in due.items() if moment <= now)}
            applied = list(session.scalars(_SEEN, values))
        lags += [time.time() - due.pop(mail) for mail in applied]
        time.sleep(_LOOK_S)
    return Lags(sorted(lags))
