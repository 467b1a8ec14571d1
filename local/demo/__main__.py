"""Run a campaign to simulated people on this machine, one day per second, and audit the ledger at its end."""

import argparse
import json
import shutil
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from honcho.environ import parse_procfile
from sqlalchemy import text

import errors
from engine import clock
from engine.campaigns import explain
from engine.campaigns.reports import funnel as counting
from engine.forms import definitions
from engine.ingest import spool
from local.demo import picture, reconcile, replies, signups
from local.demo.recipients import Recipients
from local.demo.show import STATE, Progress, show_findings, show_funnel
from local.demo.signups import SignUps
from local.mail.inbox import Inbox
from local.mail.mailstore import Mailstore
from local.mail.receiver import DEMO_RULES, Replies
from local.stack import REPLY_TO, RETURN_PATH, ROOT, Stack
from local.supervisor import Supervisor
from local.up import issue_token
from models.session import transaction

DAY_S = 86_400
_INVENTED = ROOT / "local" / "contacts.csv"
_OFFICE_HOURS = {"window_start_min": 8 * 60, "window_end_min": 20 * 60, "weekdays": [1, 2, 3, 4, 5]}
_CAMPAIGN = {
    "name": "Demostración",
    "timezone": "Europe/Madrid",
    "variables": {"link_calendly": "https://agenda.example/quince-minutos", "remitente": "Lucía Ferrer"},
    "steps": [
        {"template": "email_1_roi", **_OFFICE_HOURS},
        {"template": "email_2_caso", "delay_s": 3 * DAY_S, **_OFFICE_HOURS},
        {"template": "email_3_ultima_llamada", "delay_s": 4 * DAY_S, **_OFFICE_HOURS},
    ],
}
_PROCESSES = ("web", "worker-send", "worker-bulk", "worker-events", "beat")
_WITHIN_S = 180.0

_EXAMPLES = """\
examples:
  python -m local.demo                          320 fictional contacts
  python -m local.demo --contacts leads.csv     your own file; nothing leaves this machine
"""

_OPEN = text("""
    SELECT count(*) AS enrolled, count(*) FILTER (WHERE state IN ('active', 'waiting')) AS unfinished,
           (SELECT count(*) FROM form_submissions WHERE state = 'pending' AND submitted_at > :valid_from) AS unconfirmed
      FROM enrollments
""")
_STOPPED = text("""
    SELECT contact_id, stop_reason, concat_ws(' ', first_name, last_name, '(' || company || ')') AS name
      FROM enrollments JOIN contacts ON contacts.id = contact_id WHERE state = 'stopped' ORDER BY contact_id
""")
_PENDING = text("SELECT count(*) FROM events WHERE applied_at IS NULL")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; the exit status is 0 only if the audit finds nothing."""
    parser = argparse.ArgumentParser(
        prog="python -m local.demo",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--contacts", type=Path, default=_INVENTED, metavar="FILE", help="CSV of contacts")
    parser.add_argument(
        "--picture", type=Path, metavar="FILE", help="draw the result as SVG: the picture of the README"
    )
    parser.add_argument("--state", type=Path, default=STATE, metavar="DIR", help="keep state here")
    options = parser.parse_args(arguments)
    if not options.contacts.is_file():
        parser.error(f"--contacts: there is no file {options.contacts}; name a CSV file with a column `email`")
    try:
        sys.exit(_run(options.contacts, options.state, options.picture))
    except errors.Unavailable as error:
        parser.exit(1, f"{error}\n")
    except _StoppedError:
        parser.exit(128 + signal.SIGINT, "stopped before the end; nothing was audited\n")


class _StoppedError(Exception):
    """Ctrl-C or SIGTERM."""


def _run(contacts: Path, state: Path, picture_file: Path | None) -> int:
    stopping = threading.Event()  # not an exception, which could be raised where it is suppressed
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    overrides = {
        "CLOCK_RATE": str(DAY_S),
        "CLOCK_EPOCH": datetime.now(UTC).isoformat(),
        "TICK_S": "0.2",
        "LOG_FILE": str(state.resolve() / "email_system.log"),
        "TRACK_RATE": "100000 per minute",
    }
    progress = Progress()
    progress.say("starting PostgreSQL and Valkey …")
    with Stack(state, database="cadencia_demo", overrides=overrides, fresh=True, usual_ports=False) as stack:
        # Only now does the folder belong to us: another demo may have been using it.
        for folder in ("inbox", "recorders", "spool"):
            shutil.rmtree(state / folder, ignore_errors=True)
        store = Mailstore(state / "inbox")
        ports = int(stack.environment["SMTP_PORT"]), int(stack.environment["INBOX_PORT"])
        answers = Replies((REPLY_TO, RETURN_PATH), replies.record)
        with Inbox(store, ports=ports, rules=DEMO_RULES, replies=answers):
            demonstration = _Demonstration(stack, store, progress, stopping)
            status = demonstration.run(contacts)
            if picture_file is not None:
                picture.save(demonstration.campaign_id, picture_file)
            return status


class _Demonstration:
    def __init__(self, stack: Stack, store: Mailstore, progress: Progress, stopping: threading.Event) -> None:
        self._stack = stack
        self._store = store
        self._progress = progress
        self._stopping = stopping
        self._url = stack.environment["PUBLIC_URL"]
        self._recipients = Recipients(store, smtp_port=int(stack.environment["SMTP_PORT"]), api=self._url)
        self._signups = SignUps(self._url)
        self._token = ""
        self.campaign_id = UUID(int=0)  # until it is launched

    def run(self, contacts: Path) -> int:
        """Run the demo; return the exit status."""
        self._progress.say("starting the web server, the workers and beat …")
        supervisor = Supervisor(self._stack.environment, log=self._stack.state / "processes.log")
        try:
            for name, command in parse_procfile((ROOT / "Procfile").read_text()).processes.items():
                if name in _PROCESSES:
                    supervisor.start(name, command, self._stack.environment_of(name))
            self._token = issue_token(self._stack)
            self._wait_for_web(supervisor)
            self.campaign_id = self._launch(contacts)
            self._run_to_the_end(supervisor)
        finally:
            supervisor.stop()
        return self._report()

    def _wait_for_web(self, supervisor: Supervisor) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                self._ping()
            except OSError:
                if not supervisor.are_all_running():
                    break
                self._pause(0.1)
            else:
                return
        raise errors.Unavailable(f"a process did not start; read {self._stack.state / 'processes.log'}")

    def _launch(self, contacts: Path) -> UUID:
        """Import the contacts and launch the campaign over HTTP, as a user's program would."""
        report = self._post("/contacts/import", contacts.read_bytes(), "text/csv")
        people = "invented people" if contacts == _INVENTED else "contacts"
        self._progress.say(
            f"{report['created']} {people} imported from {contacts.name}, {len(report['faults'])} lines refused"
        )
        for fault in report["faults"][:5]:
            self._progress.say(f"  line {fault['line']}: {fault['field']}: {fault['message']}")
        campaign = self._post("/campaigns", json.dumps(_CAMPAIGN).encode())
        self._post(f"/campaigns/{campaign['id']}/launch", b"{}")
        self._progress.say("launched: three e-mails, three and four days apart; one day passes in a second")
        self._post("/forms", json.dumps(signups.definition(campaign["id"])).encode())
        self._progress.say(f"{self._signups.open()} people sign up by a form, and confirm by the e-mail they get")
        return UUID(campaign["id"])

    def _run_to_the_end(self, supervisor: Supervisor) -> None:
        """Simulate the people's reactions until every sequence has ended and every event is applied."""
        with transaction() as session:
            enrolled = session.execute(_OPEN, _valid_from()).one().enrolled
        deadline = time.monotonic() + _WITHIN_S
        with self._progress.bars(enrolled) as bars:
            while True:
                self._signups.send()
                read = self._recipients.read()
                is_spooled = self._is_anything_spooled()  # before the query: a spooled hit becomes an event
                with transaction() as session:
                    enrolled, unfinished, unconfirmed = session.execute(_OPEN, _valid_from()).one()
                    pending = session.scalar(_PENDING)
                emails, actions = self._recipients.emails, self._recipients.counts
                bars.show(ended=enrolled - unfinished, total=enrolled, emails=emails, actions=actions)
                is_busy = read or is_spooled or unfinished or pending or unconfirmed or not self._signups.are_sent
                if not is_busy and self._store.last == self._recipients.emails:
                    return
                if time.monotonic() > deadline:
                    raise errors.Unavailable(
                        f"after {_WITHIN_S:.0f} s {unfinished} sequences, {pending} events and {unconfirmed} sign-ups "
                        f"are still open, and {self._store.last - emails} e-mails unread; "
                        f"read {self._stack.state / 'processes.log'}"
                    )
                supervisor.restart_ended()
                self._pause(0 if read else 0.1)

    def _is_anything_spooled(self) -> bool:
        """Return True if the web server has hits to store; a request makes it look for files of ended processes."""
        if not spool.paths(Path(self._stack.environment["SPOOL_DIR"])):
            return False
        with suppress(OSError):
            self._ping()
        return True

    def _ping(self) -> None:
        urllib.request.urlopen(f"{self._url}/healthz", timeout=2).close()  # noqa: S310  # our own server

    def _pause(self, pause_s: float) -> None:
        if self._stopping.wait(pause_s):
            raise _StoppedError

    def _report(self) -> int:
        with transaction() as session:
            show_funnel(self._progress, counting.of(session, self.campaign_id), _examples(session))
        with transaction() as session:
            findings = reconcile.findings(session, self._store, self._recipients.actions)
            late = reconcile.late_signups(session)
        if late:
            self._progress.say(
                f"{late} people confirmed after their week, so they count as expired: this machine is slow"
            )
        show_findings(self._progress, findings, emails=self._store.last, state=self._stack.state)
        return 1 if findings else 0

    def _post(self, path: str, body: bytes, kind: str = "application/json") -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
        request = urllib.request.Request(f"{self._url}/api/v1{path}", body, headers)  # noqa: S310  # our own server
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310  # our own server
                return dict(json.load(answer))
        except urllib.error.HTTPError as refusal:
            problem = json.load(refusal)
            raise errors.Unavailable(f"{path}: {problem.get('detail')} {problem.get('errors') or ''}") from None


def _valid_from() -> dict[str, datetime]:
    """Return the moment since which a submission must have been sent to be valid now."""
    return {"valid_from": clock.now() - definitions.VALID}


def _examples(session: Any) -> dict[str, list[str]]:
    """Return the explanations of two people per stop reason, by name."""
    explanations: dict[str, list[str]] = {}
    for row in session.execute(_STOPPED).all():
        if len(explanations.setdefault(row.stop_reason, [])) < 2:
            (journey,) = explain.why(session, row.contact_id, now=clock.now())
            explanations[row.stop_reason].append(f"{row.name or 'contact ' + str(row.contact_id)}: {journey.sentence}")
    return explanations


if __name__ == "__main__":
    main()
