"""Create the secret files of docker-compose.yml, at random; existing files are not replaced."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from local import secrets

_EXAMPLES = """\
examples:
  python -m local.container_secrets secrets
  python -m local.container_secrets secrets --smtp-url 'smtp://user:password@relay.example:587?starttls=required'

Keep a copy of the folder apart from the backups of the database: neither is useful without the other.
"""
GROUP = 10001  # of the processes in the containers (Dockerfile, docker-compose.yml)
_INBOX = "smtp://mail:2525?starttls=off"  # the service of the dev profile, on a private network of this host


def write(folder: Path, *, smtp_url: str = _INBOX, group: int = GROUP) -> list[str]:
    """Write each secret that `folder` lacks to its own file; return the names of the new files.

    Only the folder's owner may enter it. Its files, also those of an older version, belong to that owner, and are
    readable by `group`, that of the processes in the containers, which get them through mounts. Needs root for that.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    values = _values(folder, smtp_url)
    written = [name for name, value in values.items() if _write(folder / name, value)]
    for name in values:
        os.chown(folder / name, folder.stat().st_uid, group)
        (folder / name).chmod(0o640)
    return written


def _values(folder: Path, smtp_url: str) -> dict[str, str]:
    new = secrets.fresh()
    postgres = _existing(folder / "postgres_password") or new["POSTGRES_PASSWORD"]
    redis = _existing(folder / "redis_password") or new["VALKEY_PASSWORD"]
    return {
        "postgres_password": postgres,
        "database_url": f"postgresql://cadencia:{postgres}@db:5432/cadencia",
        "redis_password": redis,
        "broker_url": f"redis://:{redis}@redis:6379/0",
        "smtp_url": smtp_url,
        "smtp_relays": "",
        "jwt_secret_key": new["JWT_SECRET_KEY"],
        "fernet_keys": new["FERNET_KEYS"],
        "index_key": new["INDEX_KEY"],
        "tracking_keys": new["TRACKING_KEYS"],
        "flower_password": new["FLOWER_PASSWORD"],
    }


def _existing(path: Path) -> str | None:
    return path.read_text(encoding="utf-8").strip() if path.exists() else None


def _write(path: Path, value: str) -> bool:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(value + "\n")
    return True


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
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
    parser.add_argument("--group", type=int, default=GROUP, metavar="ID", help="the group that may read the files")
    options = parser.parse_args(arguments)
    try:
        written = write(options.folder, smtp_url=options.smtp_url, group=options.group)
    except PermissionError as error:
        parser.exit(1, f"{error.filename}: {error.strerror}: run this as root, as docs/operations.md shows\n")
    print(f"written: {', '.join(written) or 'nothing, all exist'}")


if __name__ == "__main__":
    main()
