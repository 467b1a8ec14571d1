"""Run everything on this machine until Ctrl-C: `make up`."""

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
from local.supervisor import Crew
from models.session import transaction

ACCOUNT = "local"
_TICK_S = 0.5
_UP_WITHIN_S = 60.0

_EXAMPLES = """\
examples:
  python -m local.up                    everything, with its state in var/
  python -m local.up --state /tmp/try   another installation beside it
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m local.up",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--state", type=Path, default=ROOT / "var", metavar="DIR", help="keep everything here (default var/)"
    )
    options = parser.parse_args(arguments)
    try:
        _run(options.state)
    except errors.Unavailable as error:
        parser.exit(1, f"{error}\n")


def _run(state: Path) -> None:
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with Stack(state, database="cadencia") as stack:
        logs.install(settings.current().log_file, settings.current().log_level)
        token = issue_token(stack)
        with running.published(stack.state, _environment(stack, token), version=settings.VERSION):
            _serve(stack, token, ended)


def _serve(stack: Stack, token: str, ended: threading.Event) -> None:
    """Run the processes of the Procfile until the end is asked for."""
    crew = Crew(stack.environment | {"FLOWER_BASIC_AUTH": f"flower:{stack.environment['FLOWER_PASSWORD']}"})
    try:
        for name, process in parse_procfile((ROOT / "Procfile").read_text()).processes.items():
            crew.start(name, process)
        if _answers(stack, crew, ended):
            print(_welcome(stack, token), flush=True)
        _watch(stack, crew, ended)
    finally:
        print("stopping …", flush=True)
        crew.stop()


def _watch(stack: Stack, crew: Crew, ended: threading.Event) -> None:
    """Bring back what dies, until the end is asked for."""
    while not ended.wait(_TICK_S):
        _mend(stack, crew)


def _mend(stack: Stack, crew: Crew) -> None:
    for name in stack.mend():
        crew.say(f"{name} had died and was started again")
    crew.mend()


def _answers(stack: Stack, crew: Crew, ended: threading.Event) -> bool:
    """Wait until the web server does, and say so when that takes long; False when the end was asked for."""
    ready = f"{stack.environment['PUBLIC_URL']}/readyz"
    patience = time.monotonic() + _UP_WITHIN_S
    while not ended.wait(0.1):
        _mend(stack, crew)
        try:
            with urllib.request.urlopen(ready, timeout=2):  # noqa: S310  # our own server
                return True
        except (urllib.error.URLError, OSError):
            if time.monotonic() > patience:
                crew.say(f"{ready} does not answer yet; the lines of web above tell why")
                patience = time.monotonic() + _UP_WITHIN_S
    return False


def issue_token(stack: Stack) -> str:
    """A fresh token of the local account, which is made on first use."""
    password = stack.environment["LOCAL_PASSWORD"]
    with transaction() as session:
        known = {profile.name: profile for profile in accounts.listing(session)}
    if ACCOUNT not in known:
        with transaction() as session:
            accounts.create(session, ACCOUNT, password, scopes=["admin"])
        with transaction() as session:
            known = {profile.name: profile for profile in accounts.listing(session)}
    return bearer_tokens.issue(known[ACCOUNT], now=datetime.now(UTC)).access


def _environment(stack: Stack, token: str) -> dict[str, str]:
    """Return the environment for commands and other programs: all settings, the address of flower, and a token."""
    known = stack.environment
    values = {name: value for name, value in known.items() if name.lower() in settings.Settings.model_fields}
    values["LOG_FILE"] = str(settings.current().log_file.resolve())
    return values | {"FLOWER_URL": _flower(known, with_password=True), "TOKEN": token}


def _flower(environment: Mapping[str, str], *, with_password: bool) -> str:
    login = f"flower:{environment['FLOWER_PASSWORD']}@" if with_password else ""
    return f"http://{login}127.0.0.1:{environment['FLOWER_PORT']}"


def _welcome(stack: Stack, token: str) -> str:
    known = stack.environment
    order = {
        "to": "prospecto@empresa.example",
        "template": "email_1_roi",
        "variables": {"nombre": "Juan Pérez", "industria": "Marketing", "link_calendly": "https://cal.example/juan"},
    }
    return f"""
Cadencia is up. Ctrl-C stops all of it.

  API           {known["PUBLIC_URL"]}/api/v1   (documentation: {known["PUBLIC_URL"]}/docs)
  inbox         http://127.0.0.1:{known["INBOX_PORT"]}   every mail that is sent
  queues        {_flower(known, with_password=False)}   user flower, password {known["FLOWER_PASSWORD"]}
  account       {ACCOUNT}, password {known["LOCAL_PASSWORD"]}
  for programs  {stack.state / running.FILE_NAME}
  commands      ./cadencia --help
  token         {token}

Try it:

  curl -X POST {known["PUBLIC_URL"]}/api/v1/emails/send \\
    -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' \\
    -d '{json.dumps(order, ensure_ascii=False)}'
"""


if __name__ == "__main__":
    main()
