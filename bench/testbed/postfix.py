"""Postfix's smtp-source and smtp-sink, the programs in C that a campaign is compared with.

python -m bench.testbed.postfix     unpack them into var/postfix, unless this machine has them

The package is unpacked, not installed: installing it would start a mail server and remove another one.
"""

import os
import re
import resource
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

UNPACKED = Path(__file__).parents[2] / "var" / "postfix"
MISSING = "smtp-source and smtp-sink of Debian's package postfix are not here; `make system-packages` gets them"

_FOLDERS = (UNPACKED / "usr/sbin", Path("/usr/sbin"), Path("/usr/libexec/postfix"), Path("/usr/local/sbin"))
_NAMES = ("smtp-source", "smtp-sink")
_BACKLOG = "1024"
_SESSIONS = "20"
_ADDRESSES = ("-f", "hola@cadencia.example", "-t", "persona50000@empresa1.example")


@dataclass(frozen=True)
class Tools:
    """Paths of the two programs."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment in which they find their libraries, if they were only unpacked."""
        if self.folder != UNPACKED / "usr/sbin":
            return dict(os.environ)
        return os.environ | {"LD_LIBRARY_PATH": str(UNPACKED / "usr/lib/postfix")}


@dataclass
class Receiver:
    """A smtp-sink in a separate process."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def cpu_s(self) -> float:
        """Return its user and system time."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Sent:
    """Result of smtp-source: messages and times."""

    per_s: float
    cpu_us: float


def find(folders: Sequence[Path] = _FOLDERS) -> Tools | None:
    """Return the programs, unpacked or installed; None if they are missing."""
    searched = [*folders, *map(Path, os.get_exec_path())]
    candidates = (each for each in searched if all(os.access(each / name, os.X_OK) for name in _NAMES))
    return next(map(Tools, candidates), None)


@contextmanager
def receiving(tools: Tools, port: int) -> Iterator[Receiver]:
    """Run a smtp-sink on 127.0.0.1 while the block runs; it announces PIPELINING and 8BITMIME."""
    unprivileged = ["-u", "nobody"] if os.geteuid() == 0 else []
    command = [str(tools.folder / "smtp-sink"), *unprivileged, f"127.0.0.1:{port}", _BACKLOG]
    process = subprocess.Popen(command, env=tools.environment)
    try:
        _wait_for(port, process)
        yield Receiver(process, port)
    finally:
        process.terminate()
        process.wait(timeout=10)


def send(tools: Tools, port: int, message: bytes, count: int) -> Sent:
    """Send this message, whose lines end with CRLF, `count` times with `smtp-source -d -s 20`."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(message.replace(b"\r\n", b"\n"))  # smtp-source ends each line of the file with CRLF
        file.flush()
        options = ["-d", "-s", _SESSIONS, "-m", str(count), "-F", file.name, *_ADDRESSES]
        command = [str(tools.folder / "smtp-source"), *options, f"127.0.0.1:{port}"]
        used, started = _children_s(), time.monotonic()
        subprocess.run(command, env=tools.environment, check=True)
        took = time.monotonic() - started
    return Sent(count / took, (_children_s() - used) / count * 1e6)


def _children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"smtp-sink does not listen on port {port}")


class NotHere(Exception):
    """The programs are not available on this machine; the message says what to do."""


def main() -> None:
    """Run the command line; a missing program is no error, because only one figure needs it."""
    try:
        there = find() or _unpack()
        _complete(there)
    except NotHere as reason:
        print(f"{reason}\nOnly the figure campaign_over_smtp_source needs them; until then it is skipped.")
    else:
        print(f"smtp-source and smtp-sink are in {there.folder}")


def _unpack() -> Tools:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise NotHere("This is no Debian or Ubuntu: put smtp-source and smtp-sink of postfix on the PATH yourself.")
    UNPACKED.mkdir(parents=True, exist_ok=True)
    if not _download() and not (_run(_as_root("apt-get", "update", "-qq")) and _download()):
        raise NotHere("The package postfix cannot be downloaded; is there a network, and a list of packages?")
    [package] = UNPACKED.glob("postfix_*.deb")
    if not _run(["dpkg-deb", "-x", str(package), str(UNPACKED)]):
        raise NotHere(f"{package} cannot be unpacked.")
    return Tools(UNPACKED / "usr/sbin")


def _download() -> bool:
    unsandboxed = ["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []
    return _run(["apt-get", *unsandboxed, "-qq", "download", "postfix"])


def _complete(tools: Tools) -> None:
    """Install the libraries that the two programs lack on this machine; libraries start nothing."""
    listed = subprocess.run(
        ["ldd", str(tools.folder / "smtp-source")], env=tools.environment, capture_output=True, text=True, check=True
    )
    lacking = re.findall(r"(\S+) => not found", listed.stdout)
    if lacking and not _run(_as_root("apt-get", "install", "-y", "-qq", "--no-install-recommends", *_libraries())):
        raise NotHere(f"The libraries {', '.join(lacking)} are missing and cannot be installed.")


def _libraries() -> list[str]:
    [package] = UNPACKED.glob("postfix_*.deb")
    fields = subprocess.run(
        ["dpkg-deb", "-f", str(package), "Depends"], capture_output=True, text=True, check=True
    ).stdout
    return [name for name in re.findall(r"(?:^|, )(lib[\w.+-]+)", fields) if name != "libc6"]


def _as_root(*command: str) -> list[str]:
    """Run a command as root; raise NotHere naming it if this user has no sudo."""
    if os.geteuid() == 0:
        return list(command)
    if shutil.which("sudo"):
        return ["sudo", *command]
    raise NotHere(f"Run this as root, then `make system-packages` again:\n  {' '.join(command)}")


def _run(command: Sequence[str]) -> bool:
    print("$", " ".join(command), flush=True)
    return subprocess.run(command, cwd=UNPACKED, check=False).returncode == 0


if __name__ == "__main__":
    main()
