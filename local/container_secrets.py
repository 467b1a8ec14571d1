"""Create the secret files of docker-compose.yml, at random; existing files are not replaced."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from local import secrets

_EXAMPLES = """\
examples:
  python -m local.container_secrets secrets
  python -m local.container_secrets secrets --smtp-url 'smtp://user:password@relay.example:587?starttls=required'

Keep a copy of the folder apart from the backups of the database: neither is useful without the other.
"""
_INBOX = "smtp://mail:2525?starttls=off"  # the service of the dev profile, on a private network of this host


def write(folder: Path, *, smtp_url: str = _INBOX) -> list[str]:
    """Write each secret that `folder` lacks to its own file; return the names of the new files.

    Only the owner may enter the folder. The files in it are readable by all, because the user inside a container, which
    is an unknown user on the host, reads them through a mount.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    return [name for name, value in _values(folder, smtp_url).items() if _write(folder / name, value)]


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
        with path.open("x", encoding="utf-8") as file:
            file.write(value + "\n")
    except FileExistsError:
        return False
    path.chmod(0o444)
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
    options = parser.parse_args(arguments)
    written = write(options.folder, smtp_url=options.smtp_url)
    print(f"written: {', '.join(written) or 'nothing, all exist'}")


if __name__ == "__main__":
    main()
