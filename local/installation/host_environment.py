"""Create the file of settings and secrets of an installation without Docker, and the settings of its Redis."""

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from cli import env_file
from local import secrets

_EXAMPLES = """\
example:
  python -m local.installation.host_environment /etc/cadencia/cadencia.env --redis /etc/redis/cadencia.conf \\
      --public-url https://correo.empresa.example --mail-from 'Empresa <hola@empresa.example>' \\
      --brand-name Empresa --brand-address 'Calle Mayor 1, 28013 Madrid'

Keep a copy of the file apart from the backups of the database: neither is useful without the other.
"""
_LOCAL_DATABASE = "postgresql://cadencia@/cadencia?host=/var/run/postgresql"  # by the name of the account
_LOCAL_RELAY = "smtp://127.0.0.1:25?starttls=off"  # postfix on this host
_STATE, _LOG = "/var/lib/cadencia", "/var/log/cadencia/email_system.log"

_REDIS = """\
requirepass {password}
appendonly yes
maxmemory-policy noeviction
"""


def values(options: argparse.Namespace, *, new: Mapping[str, str]) -> dict[str, str]:
    """Return the settings and secrets for these options, with the passwords and keys of `new`."""
    broker = f"redis://:{quote(new['VALKEY_PASSWORD'], safe='')}@{options.redis_host}:6379/0"
    return {
        "PUBLIC_URL": options.public_url,
        "MAIL_FROM": options.mail_from,
        "BRAND_NAME": options.brand_name,
        "BRAND_ADDRESS": options.brand_address,
        "TRUSTED_PROXIES": "1",
        "DATABASE_URL": options.database_url,
        "CELERY_BROKER_URL": broker,
        "RATE_LIMIT_STORAGE_URL": broker,
        "SMTP_URL": options.smtp_url,
        "RECORDER_DIR": f"{_STATE}/recorders",
        "SPOOL_DIR": f"{_STATE}/spool",
        "LOG_FILE": _LOG,
        "JWT_SECRET_KEY": new["JWT_SECRET_KEY"],
        "FERNET_KEYS": new["FERNET_KEYS"],
        "INDEX_KEY": new["INDEX_KEY"],
        "TRACKING_KEYS": new["TRACKING_KEYS"],
        "FLOWER_BASIC_AUTH": f"flower:{new['FLOWER_PASSWORD']}",
    }


def write(path: Path, content: str) -> None:
    """Write a new file that its owner and the group of its folder may read. Raises FileExistsError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchown(descriptor, -1, path.parent.stat().st_gid)
        os.fchmod(descriptor, 0o640)
        file.write(content)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m local.installation.host_environment",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, help="the new file of settings and secrets")
    parser.add_argument("--public-url", required=True, metavar="URL", help="the https address that readers reach")
    parser.add_argument("--mail-from", required=True, metavar="SENDER", help="as in 'Empresa <hola@empresa.example>'")
    parser.add_argument("--brand-name", required=True, metavar="NAME", help="the sender's name in e-mails")
    parser.add_argument(
        "--brand-address",
        required=True,
        metavar="TEXT",
        help="the postal address, which laws require",
    )
    parser.add_argument("--redis", type=Path, metavar="FILE", help="also write the settings of Redis to this new file")
    parser.add_argument("--redis-host", default="127.0.0.1", metavar="HOST", help="default %(default)s")
    parser.add_argument("--database-url", default=_LOCAL_DATABASE, metavar="URL", help="default %(default)s")
    parser.add_argument("--smtp-url", default=_LOCAL_RELAY, metavar="URL", help="default %(default)s")
    options = parser.parse_args(arguments)
    new = secrets.fresh()
    try:
        write(options.file, env_file.written(values(options, new=new)))
        if options.redis:
            write(options.redis, _REDIS.format(password=new["VALKEY_PASSWORD"]))
    except OSError as error:
        parser.exit(1, f"{error.filename}: {error.strerror}\n")
    print(f"written: {options.file}{f' and {options.redis}' if options.redis else ''}")


if __name__ == "__main__":
    main()
