"""Programs of Debian that some tests need: PgBouncer, nginx, and a library that gives a process another clock.

python -m tests.debian     unpack them into var/debian

The packages are unpacked, not installed, as installing PgBouncer or nginx would start it.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

UNPACKED = Path(__file__).parents[1] / "var" / "debian"
PACKAGES = ("pgbouncer", "nginx", "libfaketime")
_LIBRARIES = re.compile(r"(?:^|, )(lib(?:c-?ares|event|pcre2)[\w.+-]*)")  # often not installed
MISSING = "a program of Debian is not here; `make system-packages` gets it"


def find(name: str) -> Path:
    """Return the path of an unpacked program or library; skip the test if it is missing, but never in CI."""
    program = next((path for path in (UNPACKED / "usr").rglob(name) if path.is_file()), None)
    if program is None:
        import pytest  # not there when `make system-packages` runs this module

        assert not os.environ.get("CI"), f"{name}: {MISSING}"
        pytest.skip(f"{name}: {MISSING}")
    return program


def libraries() -> str:
    """Return the LD_LIBRARY_PATH of the unpacked programs."""
    return os.pathsep.join(sorted({str(path.parent) for path in (UNPACKED / "usr").rglob("*.so.*")}))


def main() -> None:
    """Unpack missing programs. Without apt, the tests that need them are skipped."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        print("This is no Debian or Ubuntu: the tests of PgBouncer, nginx and of a wrong clock are skipped.")
        return
    UNPACKED.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        _get(package)
    for package in _libraries():
        _get(package)
    for package_file in UNPACKED.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", str(package_file), str(UNPACKED)], check=True)
    print(f"PgBouncer, nginx and libfaketime are in {UNPACKED}")


def _get(package: str) -> None:
    if not list(UNPACKED.glob(f"{package}_*.deb")) and not (_download(package) or (_update() and _download(package))):
        print(f"{package} cannot be downloaded; is there a network, and a list of packages?")


def _libraries() -> list[str]:
    names: list[str] = []
    for package in (file for name in PACKAGES for file in UNPACKED.glob(f"{name}_*.deb")):
        read = ["dpkg-deb", "-f", str(package), "Depends"]
        names += _LIBRARIES.findall(subprocess.run(read, capture_output=True, text=True, check=True).stdout)
    return names


def _download(package: str) -> bool:
    unsandboxed = ["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []
    return _run("apt-get", *unsandboxed, "-qq", "download", package)


def _update() -> bool:
    return _run(*([] if os.geteuid() == 0 else ["sudo"]), "apt-get", "update", "-qq")


def _run(*command: str) -> bool:
    print("$", " ".join(command), flush=True)
    return subprocess.run(command, cwd=UNPACKED, check=False).returncode == 0


if __name__ == "__main__":
    main()
