"""The embedded installation: PostgreSQL and Valkey on a state folder, and the environment of its processes."""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import errors
import settings
from local import child, ports, secrets
from local.postgres import Postgres
from local.valkey import Valkey
from models import migrations, session, vault

ROOT = Path(__file__).resolve().parents[1]
MAIL_FROM = "Cadencia <hola@cadencia.example>"
REPLY_TO, RETURN_PATH = "respuestas@cadencia.example", "bounces@cadencia.example"
BRAND = {
    "BRAND_NAME": "Cadencia",
    "BRAND_ADDRESS": "Calle de Ejemplo 1, 28013 Madrid",
    "BRAND_SUPPORT": "ayuda@cadencia.example",
}

# The preferred port of each server.
_PORTS = {"WEB_PORT": 8000, "FLOWER_PORT": 5555, "INBOX_PORT": 8025, "SMTP_PORT": 2525}
_POSTGRES_PORT, _VALKEY_PORT = 55_432, 56_379

# Each Celery worker would print ten lines against running as root, which is fine on one's own machine.
_QUIET = "ignore:::celery.platforms"


class Stack:
    """A context manager: both servers run, and `database` has its tables, within its block.

    `environment` is that of every process of the installation. It is also put into `os.environ` of this process.
    """

    def __init__(
        self,
        state: Path,
        *,
        database: str,
        overrides: Mapping[str, str] | None = None,
        fresh: bool = False,
        usual_ports: bool = True,
    ) -> None:
        """If `fresh`, drop the database first. Unless `usual_ports`, use any free ports."""
        choose = ports.choose if usual_ports else _any_port
        self.state = state.resolve()
        self.state.mkdir(parents=True, exist_ok=True)
        if child.is_in_use(self.state / "postgres"):  # before any port is chosen and reported as taken
            raise errors.Unavailable(
                f"{self.state}: in use by another running Cadencia; stop it, or choose another folder (--state DIR)"
            )
        self.database = database
        self._fresh = fresh
        secret_values = secrets.load(self.state / "secrets.env")
        postgres_port = choose("PostgreSQL", _POSTGRES_PORT)
        self.postgres = Postgres(self.state / "postgres", postgres_port, secret_values.pop("POSTGRES_PASSWORD"))
        self.valkey = Valkey(
            self.state / "valkey", choose("Valkey", _VALKEY_PORT), secret_values.pop("VALKEY_PASSWORD")
        )
        ports_by_name = {name: str(choose(name.removesuffix("_PORT"), port)) for name, port in _PORTS.items()}
        self.environment = (
            _inherited() | ports_by_name | secret_values | self._product(ports_by_name) | dict(overrides or {})
        )

    def __enter__(self) -> Self:
        try:
            self.postgres.start()
            self.valkey.start()
            if self._fresh:
                self.postgres.drop(self.database)
            self.postgres.create(self.database)
            os.environ.update(self.environment)
            forget_settings()
            migrations.upgrade()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop both servers."""
        forget_settings()
        self.valkey.stop()
        self.postgres.stop()

    def restart_ended(self) -> list[str]:
        """Start the servers that have ended; return their names. Nothing is lost (docs/reliability.md)."""
        servers: dict[str, Postgres | Valkey] = {"PostgreSQL": self.postgres, "Valkey": self.valkey}
        ended = [name for name, server in servers.items() if server.pid is None]
        for name in ended:
            servers[name].kill()  # unlocks the folder, and ends children that outlived it
            servers[name].start()
        return ended

    def environment_of(self, name: str) -> dict[str, str]:
        """Return the environment of a process of the Procfile: without the secrets of others."""
        kind = name.partition("-")[0]
        fields = settings.Settings.model_fields
        secret = {each for each, field in fields.items() if "SecretStr" in str(field.annotation)}
        withheld = {each.upper() for each in secret - settings.SECRETS_OF[kind]} | {"FLOWER_PASSWORD", "LOCAL_PASSWORD"}
        environment = {each: value for each, value in self.environment.items() if each not in withheld}
        if kind == "flower":
            environment["FLOWER_BASIC_AUTH"] = f"flower:{self.environment['FLOWER_PASSWORD']}"
        return environment | {"PROCESS": kind}

    def _product(self, ports_by_name: Mapping[str, str]) -> dict[str, str]:
        return {
            "ENVIRONMENT": "development",
            "TEMPLATES_WATCH": "true",
            "DATABASE_URL": self.postgres.url(self.database),
            "CELERY_BROKER_URL": self.valkey.url,
            "RATE_LIMIT_STORAGE_URL": self.valkey.url,
            "SMTP_URL": f"smtp://127.0.0.1:{ports_by_name['SMTP_PORT']}?starttls=off",
            "PUBLIC_URL": f"http://127.0.0.1:{ports_by_name['WEB_PORT']}",
            "FLOWER_ADDRESS": f"http://127.0.0.1:{ports_by_name['FLOWER_PORT']}",
            "MAIL_FROM": MAIL_FROM,
            "REPLY_TO": REPLY_TO,
            "RETURN_PATH": RETURN_PATH,
            "REPLY_TAGS": "true",
            **BRAND,
            "RECORDER_DIR": str(self.state / "recorders"),
            "SPOOL_DIR": str(self.state / "spool"),
            "STATE": str(self.state),
        }


def _any_port(name: str, preferred: int) -> int:  # noqa: ARG001  # the signature of ports.choose
    return ports.free()


def _inherited() -> dict[str, str]:
    """Return this process's environment without the product's settings, and with our Python first on PATH."""
    ours = {name.upper() for name in settings.Settings.model_fields}
    kept = {name: value for name, value in os.environ.items() if name.upper().removesuffix("_FILE") not in ours}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
    return kept | {"PATH": path, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": _QUIET}


def forget_settings() -> None:
    """Clear the cached settings and the database engine, so that this process reads its environment again."""
    with suppress(Exception):  # the server of the engine may have ended
        if session.engine.cache_info().currsize:
            session.engine().dispose()
    for cached in (settings.current, vault.current, session.engine):
        cached.cache_clear()
