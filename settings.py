"""The environment, read once into one frozen value; nothing else reads it."""

from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Secrets = Annotated[tuple[SecretStr, ...], NoDecode]
Words = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """Every setting, with its default; `.env.example` tells what each one means.

    A secret may come from a file: NAME_FILE (docker and kubernetes secrets) is read when NAME is absent.
    Secrets have no defaults: a process without them does not start.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    # Where things are.
    database_url: SecretStr
    celery_broker_url: SecretStr
    smtp_url: SecretStr
    public_url: str = "http://127.0.0.1:8000"
    templates_dir: Path = Path(__file__).parent / "email_templates"
    recorder_dir: Path = Path("var/recorders")
    log_file: Path = Path("email_system.log")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    # Secrets. The first key of a list makes new values; all of them read old ones.
    jwt_secret_key: SecretStr
    fernet_keys: Secrets
    index_key: SecretStr
    tracking_keys: Secrets

    # Who the mails come from.
    mail_from: str
    reply_to: str | None = None
    message_id_domain: str | None = None

    # The HTTP side.
    web_threads: int = Field(default=12, ge=3, le=256)
    cors_origins: Words = ()
    body_limit_bytes: int = Field(default=1_000_000, ge=1_000)
    batch_limit_bytes: int = Field(default=8_000_000, ge=1_000)
    batch_limit_sends: int = Field(default=1_000, ge=1)
    token_hours: int = Field(default=24, ge=1)
    login_rate: str = "10 per minute"
    track_rate: str = "600 per minute"
    rate_limit_storage_url: SecretStr | None = None
    idempotency_hours: int = Field(default=48, ge=24)

    # Sending.
    send_group_size: int = Field(default=250, ge=1, le=5_000)
    smtp_connections: int = Field(default=4, ge=1, le=64)
    smtp_messages_per_connection: int = Field(default=1_000, ge=1)
    smtp_idle_s: float = Field(default=60.0, gt=0)
    smtp_connect_timeout_s: float = Field(default=30.0, gt=0)
    smtp_command_timeout_s: float = Field(default=300.0, gt=0)
    smtp_dot_timeout_s: float = Field(default=600.0, gt=0)
    drain_slice_s: float = Field(default=5.0, gt=0)
    lease_s: float = Field(default=120.0, gt=0)
    tick_s: float = Field(default=1.0, gt=0)
    bell_enabled: bool = True
    retry_minutes: Annotated[tuple[float, ...], NoDecode] = (5, 15, 60, 240, 480)
    retry_for_hours: float = Field(default=72.0, gt=0)
    in_doubt_campaign: Literal["hold", "resend"] = "hold"
    in_doubt_transactional: Literal["hold", "resend"] = "resend"
    in_doubt_after_s: float = Field(default=900.0, gt=0)

    # Product time: `clock_rate` seconds of it pass in one real second, counted from `clock_epoch`.
    clock_rate: float = Field(default=1.0, gt=0)
    clock_epoch: datetime | None = None

    @field_validator("fernet_keys", "tracking_keys", "cors_origins", "retry_minutes", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value


@lru_cache(maxsize=1)
def current() -> Settings:
    """The settings of this process; read from the environment at the first call."""
    return Settings()
