"""The files that docker-compose.yml takes its secrets from: made at random, never replaced."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from local import secrets

_EXAMPLES = """\
examples:
  python -m local.container_secrets secrets
  python -m local.container_secrets secrets --smtp-url 'smtp://user:password@relay.example:587?starttls=required'

Keep a copy of the folder apart from the backups of the database: neither is of use without the other.
"""
_INBOX = "smtp://mail:2525?starttls=off"  # the service of the dev profile, on a network of this host alone


def write(folder: Path, *, smtp_url: str = _INBOX) -> list[str]:
    """Write each secret that `folder` lacks to a file of its own; returns the names of those written.

    The folder is its owner's alone. The files in it are readable to all, since the user inside a container, who is
    nobody on the host, reads them through a mount.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    return [name for name, value in _values(folder, smtp_url).items() if _write(folder / name, value)]


def _values(folder: Path, smtp_url: str) -> dict[str, str]:
    made = secrets.fresh()
    postgres = _kept(folder / "postgres_password") or made["POSTGRES_PASSWORD"]
    redis = _kept(folder / "redis_password") or made["VALKEY_PASSWORD"]
    return {
        "postgres_password": postgres,
        "database_url": f"postgresql://cadencia:{postgres}@db:5432/cadencia",
        "redis_password": redis,
        "broker_url": f"redis://:{redis}@redis:6379/0",
        "smtp_url": smtp_url,
        "jwt_secret_key": made["JWT_SECRET_KEY"],
        "fernet_keys": made["FERNET_KEYS"],
        "index_key": made["INDEX_KEY"],
        "tracking_keys": made["TRACKING_KEYS"],
        "flower_password": made["FLOWER_PASSWORD"],
    }


def _kept(path: Path) -> str | None:
    return path.read_text(encoding="utf-8").strip() if path.exists() else None


def _write(path: Path, value: str) -> bool:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(value + "\n")
    except FileExistsError:
        return False
    path.chmod(0o444)
    return True


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m local.container_secrets",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, help="the folder to write to; ./secrets is where compose looks")
    parser.add_argument(
        "--smtp-url", default=_INBOX, metavar="URL", help=f"the mail server (default {_INBOX}: the inbox of compose)"
    )
    options = parser.parse_args(arguments)
    written = write(options.folder, smtp_url=options.smtp_url)
    print(f"written: {', '.join(written) or 'nothing, all were there'}")


if __name__ == "__main__":
    main()
