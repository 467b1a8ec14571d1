"""Run a whole installation on this machine until Ctrl-C: `make up`."""

import argparse
import json
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from honcho.environ import parse_procfile

import errors
import settings
from cli import running
from engine import logs
from engine.access import accounts, bearer_tokens
from local.stack import ROOT, Stack
from local.supervisor import Supervisor
from models.session import transaction

ACCOUNT = "local"
_TICK_S = 0.5
_UP_WITHIN_S = 60.0

_EXAMPLES = """\
examples:
  python -m local.up                    everything, with its state in var/
  python -m local.up --state /tmp/try   a second installation
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m local.up",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--state", type=Path, default=ROOT / "var", metavar="DIR", help="keep all state here (default var/)"
    )
    options = parser.parse_args(arguments)
    try:
        _run(options.state)
    except (errors.CadenciaError, OSError) as error:
        parser.exit(1, f"{error}\n")


def _run(state: Path) -> None:
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    with Stack(state, database="cadencia") as stack:
        logs.set_up(settings.current())
        token = issue_token(stack)
        with running.published(stack.state, _environment(stack, token), version=settings.VERSION):
            _serve(stack, token, stopping)


def _serve(stack: Stack, token: str, stopping: threading.Event) -> None:
    """Run the processes of the Procfile until SIGINT or SIGTERM."""
    supervisor = Supervisor(stack.environment)
    try:
        for name, process in parse_procfile((ROOT / "Procfile").read_text()).processes.items():
            supervisor.start(name, process, stack.environment_of(name))
        if _answers(stack, supervisor, stopping):
            print(_welcome(stack, token), flush=True)
        _watch(stack, supervisor, stopping)
    finally:
        print("stopping …", flush=True)
        supervisor.stop()


def _watch(stack: Stack, supervisor: Supervisor, stopping: threading.Event) -> None:
    """Restart what ends, until SIGINT or SIGTERM."""
    while not stopping.wait(_TICK_S):
        _restart_ended(stack, supervisor)


def _restart_ended(stack: Stack, supervisor: Supervisor) -> None:
    for name in stack.restart_ended():
        supervisor.say(f"{name} ended and was started again")
    supervisor.restart_ended()


def _answers(stack: Stack, supervisor: Supervisor, stopping: threading.Event) -> bool:
    """Wait until the web server answers, and report a long wait; return False on SIGINT or SIGTERM."""
    ready = f"{stack.environment['PUBLIC_URL']}/readyz"
    report_at = time.monotonic() + _UP_WITHIN_S
    while not stopping.wait(0.1):
        _restart_ended(stack, supervisor)
        try:
            with urllib.request.urlopen(ready, timeout=2):  # noqa: S310  # our own server
                return True
        except (urllib.error.URLError, OSError):
            if time.monotonic() > report_at:
                supervisor.say(f"{ready} does not answer yet; see the lines of web above")
                report_at = time.monotonic() + _UP_WITHIN_S
    return False


def issue_token(stack: Stack) -> str:
    """Return a new token of the local account, which is created on first use."""
    password = stack.environment["LOCAL_PASSWORD"]
    with transaction() as session:
        proof = accounts.find(session, ACCOUNT)
        account = proof.profile if proof else accounts.create(session, ACCOUNT, password, scopes=["admin"])
    return bearer_tokens.issue(account, now=datetime.now(UTC)).access


def _environment(stack: Stack, token: str) -> dict[str, str]:
    """Return the environment for commands and other programs: all settings, the address of flower, and a token."""
    everything = stack.environment
    values = {name: value for name, value in everything.items() if name.lower() in settings.Settings.model_fields}
    values["LOG_FILE"] = str(settings.current().log_file.resolve())
    return values | {"FLOWER_URL": _flower(everything, with_password=True), "TOKEN": token}


def _flower(environment: Mapping[str, str], *, with_password: bool) -> str:
    login = f"flower:{environment['FLOWER_PASSWORD']}@" if with_password else ""
    return f"http://{login}127.0.0.1:{environment['FLOWER_PORT']}"


def _welcome(stack: Stack, token: str) -> str:
    values = stack.environment
    request = {
        "to": "prospecto@empresa.example",
        "template": "email_1_roi",
        "variables": {"nombre": "Juan Pérez", "industria": "Marketing", "link_calendly": "https://cal.example/juan"},
    }
    return f"""
Cadencia is up. Ctrl-C stops everything.

  pages         {values["PUBLIC_URL"]}/app/   sign in as {ACCOUNT}, password {values["LOCAL_PASSWORD"]}
  API           {values["PUBLIC_URL"]}/api/v1   (documentation: {values["PUBLIC_URL"]}/docs)
  inbox         http://127.0.0.1:{values["INBOX_PORT"]}   every e-mail that is sent
  queues        {_flower(values, with_password=False)}   user flower, password {values["FLOWER_PASSWORD"]}
  for programs  {stack.state / running.FILE_NAME}
  commands      ./cadencia --help
  token         {token}

Try it:

  curl -X POST {values["PUBLIC_URL"]}/api/v1/emails/send \\
    -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' \\
    -d '{json.dumps(request, ensure_ascii=False)}'
"""


if __name__ == "__main__":
    main()
