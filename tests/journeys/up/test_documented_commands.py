"""The commands in README.md and docs/, run as they stand, against one `make up`. README.es.md has the same."""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.mail.mailstore import Mailstore
from tests import forkserver
from tests.processes import ROOT, until
from tests.up import Up

pytestmark = pytest.mark.timeout(300)  # the first test starts everything

# tests/cli/test_documented.py runs these in its own process.
IN_PROCESS = ["docs/forms.md", "docs/landing_pages.md", "docs/templates.md"]
PAGES = ["README.md", *sorted({f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")} - {*IN_PROCESS})]
ADDRESS = "http://127.0.0.1:8000"

# The blocks that cannot run here: a word of each, and the reason.
CANNOT_RUN = {
    "docker": "needs Docker",
    "apt-get": "installs packages of the system",
    "pip install": "installs into the interpreter that runs, and starts services that run until they are stopped",
    "make demo": "tests/local runs `make up` and the demo",
    "-m bench": "measures for minutes",
    "user:password@": "relays to be adapted",
    "email_0192f0c1d2e37a4b8c9d0e1f2a3b4c5d": "needs an e-mail in doubt",
    "inbound receive": "runs until it is stopped; tests/cli has it",
    "inbound maildir": "runs until it is stopped; tests/cli has it",
    "/opt/cadencia": "belongs to an installation of the system",
    "systemctl": "belongs to an installation of the system",
    "/etc/": "belongs to an installation of the system",
}

# A refused call fails the script; its response is printed.
STRICT = 'set -eu\ncurl() { command curl -sS --fail-with-body "$@"; echo >&2; }\n'
# Forks of a process that has imported the libraries, which takes a command two seconds of CPU. But `watch` ends with
# Ctrl-C, here after its first line, and `accounts create` asks a person for a password: these run the script itself.
CADENCIA = """#!/bin/sh
case "$1 $2" in
"campaigns watch") exec {python} - "$@" <<'END'
import signal, subprocess, sys
watching = subprocess.Popen([{script!r}, "--env", {env!r}, *sys.argv[1:]], stdout=subprocess.PIPE, text=True)
print(watching.stdout.readline())
watching.send_signal(signal.SIGINT)
sys.exit(watching.wait())
END
    ;;
"accounts create") printf 'a long password' | {script} --env {env} "$@" --password-stdin ;;
*) exec {forked} --env {env} "$@" ;;
esac
"""


@dataclass(frozen=True)
class Checkout:
    """A folder with the files of the checkout, and what its command must inherit."""

    folder: Path
    descriptor: int


def blocks(page: str) -> list[str]:
    """The commands of a page, block by block, without remarks; SQL as the command that runs it."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    shell = [block for kind, block in fenced if kind == "sh" or (not kind and block.startswith("./"))]
    shell = [re.sub(r" +# .*$", "", block, flags=re.MULTILINE) for block in shell]
    return shell + [f"cadencia db shell -c {shlex.quote(block)}\n" for kind, block in fenced if kind == "sql"]


def obstacle(block: str) -> str | None:
    """The word for which a block cannot run."""
    return next((word for word in CANNOT_RUN if word in block), None)


@pytest.fixture(scope="module")
def checkout(up: Up) -> Checkout:
    """A folder with the files of the checkout and the command `cadencia`, which uses the installation."""
    folder = up.log.parent / "checkout"
    (folder / "bin").mkdir(parents=True)
    for entry in ROOT.iterdir():
        if entry.name != "var":
            (folder / entry.name).symlink_to(entry)
    command, forked = folder / "bin" / "cadencia", folder / "bin" / "forked"
    paths = {"python": sys.executable, "script": str(ROOT / "cadencia"), "env": str(up.state / "local.env")}
    command.write_text(CADENCIA.format(**paths, forked=forked))
    command.chmod(0o755)
    return Checkout(folder, forkserver.write_program(forked, "cli"))


@pytest.mark.parametrize("page", [page for page in PAGES if any(not obstacle(block) for block in blocks(page))])
def test_every_command_of_a_page_runs(page: str, up: Up, checkout: Checkout) -> None:
    script = "\n".join(f"echo '== {page}, block {n}' >&2\n{block}" for n, block in enumerate(blocks(page), start=1)
                       if obstacle(block) is None)  # fmt: skip
    # Each page has a campaign of its own with the name that all of them use.
    name = re.sub(r"\W", "", page)
    script = script.replace("./cadencia", "cadencia").replace("Otoño", f"Otoño_{name}")
    script = script.replace("/tmp/", f"{up.log.parent}/")  # which the run removes
    ran = subprocess.run(
        ["bash", "-c", STRICT + script.replace(ADDRESS, up.environment["PUBLIC_URL"])],
        env=os.environ | {"TOKEN": up.environment["TOKEN"], "PATH": f"{checkout.folder / 'bin'}:{os.environ['PATH']}"},
        cwd=checkout.folder, pass_fds=[checkout.descriptor], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_campaign_of_the_readme_is_sent_at_any_hour(up: Up) -> None:
    until(lambda: Mailstore(up.state / "inbox").last > 300, "the e-mails to the invented contacts are in the inbox")


def test_the_spanish_page_has_the_same_commands() -> None:
    assert blocks("README.es.md") == blocks("README.md")


def test_most_blocks_run() -> None:
    pages = [page for page in PAGES if page != "docs/installation.md"]  # whose commands are for a machine of its own
    obstacles = [obstacle(block) for page in pages for block in blocks(page)]
    assert obstacles.count(None) > len(obstacles) / 2
    assert {"docker", "make demo", "-m bench"} <= set(obstacles)
