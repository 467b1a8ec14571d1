"""Settings from the environment, read once into a frozen value. No other module reads the environment."""

import os
import sys
from email.utils import parseaddr
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, create_model, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

import setting_types
from setting_types import (
    Aware,
    BrokerUrl,
    DatabaseUrl,
    FernetKeys,
    Key,
    MailboxUrl,
    Misconfigured,
    Rate,
    RelayUrl,
    RelayUrls,
    Sender,
    Taggable,
    TrackingKeys,
    WebAddress,
    Withheld,
    Words,
    check_taggable,
    decoded,
)

__all__ = ["SECRETS_OF", "VERSION", "Misconfigured", "Settings", "current", "load", "required"]

VERSION = "0.1.0"  # of Cadencia
PASSWORD_MIB_MIN = 19  # in production; the least that OWASP recommends for Argon2id

# The secrets that each kind of process needs, by the setting PROCESS; `all` is for commands and needs every one.
_DATA = frozenset({"database_url", "celery_broker_url", "fernet_keys", "index_key"})
SECRETS_OF = {
    "web": _DATA | {"jwt_secret_key", "tracking_keys", "rate_limit_storage_url"},
    "worker": _DATA | {"smtp_url", "smtp_relays", "tracking_keys"},
    "beat": frozenset({"celery_broker_url"}),
    "flower": frozenset({"celery_broker_url"}),
    "migrate": _DATA - {"celery_broker_url"},
    "mail": _DATA | {"tracking_keys", "imap_url"},  # receives mail and records replies and bounces
}


class Settings(BaseSettings):
    """All settings with their defaults; `.env.example` explains them.

    A secret may come from a file (docker and kubernetes secrets): NAME_FILE is its path, used if NAME is not set.
    Secrets have no defaults, so a process without them does not start.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    # The kind of installation. `production` requires https and refuses FLASK_DEBUG.
    environment: Literal["production", "development", "test"] = "production"
    flask_debug: bool = False
    process: Literal["all", "web", "worker", "beat", "flower", "migrate", "mail"] = "all"

    # Servers, folders and files.
    database_url: DatabaseUrl
    database_pooler: Literal["none", "transaction"] = "none"
    celery_broker_url: BrokerUrl
    smtp_url: RelayUrl
    smtp_relays: RelayUrls | None = None
    public_url: WebAddress = "http://127.0.0.1:8000"
    flower_address: WebAddress | None = None
    templates_dir: Path = Path(__file__).parent / "email_templates"
    templates_watch: bool = False
    recorder_dir: Path = Path("var/recorders")
    spool_dir: Path = Path("var/spool")
    spool_limit_bytes: int = Field(default=256_000_000, ge=10_000)
    log_file: Path = Path("email_system.log")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_max_bytes: int = Field(default=50_000_000, ge=0)
    log_keep_files: int = Field(default=5, ge=1, le=1_000)

    # Secrets. The first key of a list signs and encrypts, all of them verify and decrypt.
    jwt_secret_key: Key
    fernet_keys: FernetKeys
    index_key: Key
    tracking_keys: TrackingKeys

    # The sender of the e-mails.
    mail_from: Sender
    reply_to: Sender | None = None
    message_id_domain: str | None = None
    return_path: Taggable | None = None
    reply_tags: bool = False

    # Mail that comes back.
    imap_url: MailboxUrl | None = None
    inbound_limit_bytes: int = Field(default=10_000_000, ge=10_000)

    # The brand: who writes, as e-mails and readers' pages show it.
    brand_name: setting_types.BrandName | None = None
    brand_address: setting_types.PostalAddress | None = None
    brand_support: Sender | None = None
    brand_color: setting_types.Color = "#0b6b62"
    brand_logo_url: setting_types.PictureUrl | None = None

    # HTTP.
    web_threads: int = Field(default=16, ge=3, le=256)
    cors_origins: Words = ()
    body_limit_bytes: int = Field(default=1_000_000, ge=1_000)
    batch_limit_bytes: int = Field(default=8_000_000, ge=1_000)
    import_limit_bytes: int = Field(default=100_000_000, ge=1_000)
    batch_limit_sends: int = Field(default=1_000, ge=1)
    track_limit_bytes: int = Field(default=8_000, ge=1_000)
    track_list_limit_bytes: int = Field(default=1_000_000, ge=1_000)
    track_limit_events: int = Field(default=1_000, ge=1, le=10_000)
    track_late_days: float = Field(default=30.0, gt=0, le=36_500)
    token_hours: int = Field(default=24, ge=1)
    refresh_days: int = Field(default=30, ge=1)
    session_days: int = Field(default=90, ge=1)
    password_mib: int = Field(default=64, ge=1, le=4_096)
    login_rate: Rate = "30 per minute"
    track_rate: Rate = "3000 per minute"
    test_rate: Rate = "50 per day"
    form_rate: Rate = "60 per hour"
    one_form_rate: Rate = "5000 per hour"
    rate_limit_storage_url: BrokerUrl | None = None
    trusted_proxies: int = Field(default=0, ge=0, le=5)
    idempotency_hours: int = Field(default=48, ge=24)
    events_keep_months: int = Field(default=0, ge=0, le=240)

    # Sending.
    send_group_size: int = Field(default=2_000, ge=1, le=5_000)
    smtp_connections: int = Field(default=4, ge=1, le=64)
    smtp_messages_per_connection: int = Field(default=1_000, ge=1)
    smtp_idle_s: float = Field(default=60.0, gt=0)
    smtp_connect_timeout_s: float = Field(default=30.0, gt=0)
    smtp_command_timeout_s: float = Field(default=300.0, gt=0)
    smtp_dot_timeout_s: float = Field(default=600.0, gt=0)
    domain_limits: str = ""
    pace_senders: int = Field(default=4, ge=1, le=10_000)
    drain_slice_s: float = Field(default=5.0, gt=0)
    lease_s: float = Field(default=120.0, gt=0)
    tick_s: float = Field(default=1.0, gt=0)
    bell_enabled: bool = True
    retry_minutes: Annotated[tuple[float, ...], NoDecode] = (5, 15, 60, 240, 480)
    retry_for_hours: float = Field(default=72.0, gt=0)
    in_doubt_campaign: Literal["hold", "resend"] = "hold"
    in_doubt_transactional: Literal["hold", "resend"] = "resend"
    in_doubt_after_s: float = Field(default=900.0, gt=0)
    pause_bounce_percent: float = Field(default=5.0, ge=0, le=100)
    pause_refused_percent: float = Field(default=10.0, ge=0, le=100)
    pause_after_mails: int = Field(default=200, ge=1)

    # Tracking.
    event_addresses: Literal["hashed", "truncated", "none"] = "hashed"
    honeypot_link: bool = False

    # Product time: `clock_rate` seconds pass in one real second, counted from `clock_epoch`.
    clock_rate: float = Field(default=1.0, gt=0)
    clock_epoch: Aware | None = None

    @field_validator("fernet_keys", "tracking_keys", "cors_origins", "retry_minutes", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @model_validator(mode="after")
    def _has_taggable_replies(self) -> Self:
        if self.reply_tags:
            address = parseaddr(self.reply_to or self.mail_from)[1]
            check_taggable(address, of="reply_tags: the address of REPLY_TO, or MAIL_FROM without it, ")
        return self

    @model_validator(mode="after")
    def _fit_for_production(self) -> Self:
        if self.environment != "production":
            return self
        if not self.public_url.startswith("https://"):
            raise ValueError("public_url: is not https, as links in e-mails must be (RFC 8058); or set ENVIRONMENT")
        if self.password_mib < PASSWORD_MIB_MIN:
            raise ValueError(f"password_mib: is less than {PASSWORD_MIB_MIN}, too little against guessing")
        if self.flask_debug:
            raise ValueError("flask_debug: is on, which lets visitors run code; turn it off or set ENVIRONMENT")
        return self

    @cached_property
    def message_domain(self) -> str:
        """Return the domain of every Message-ID, after the @."""
        return self.message_id_domain or parseaddr(self.mail_from)[1].rpartition("@")[2].lower()

    @property
    def envelope_sender(self) -> str:
        """Return the address for MAIL FROM, which receives bounces."""
        return self.return_path or parseaddr(self.mail_from)[1]

    @property
    def own_addresses(self) -> tuple[str, ...]:
        """Return the addresses that answers and bounces come to, without tags."""
        named = (parseaddr(self.mail_from)[1], parseaddr(self.reply_to or "")[1], self.return_path)
        return tuple(dict.fromkeys(address for address in named if address))

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what is valid and probably not meant; the web server logs it at its start and /readyz shows it."""
        if self.environment != "production":
            return ()
        return tuple(words for name, words in setting_types.MISSING_IN_PRODUCTION.items() if not getattr(self, name))

    @property
    def hidden_link(self) -> str:
        """Return the URL of the hidden link, empty if e-mails have none."""
        return f"{self.public_url}/" if self.honeypot_link else ""

    @property
    def tracking_ring(self) -> tuple[bytes, ...]:
        """Return the tracking keys as bytes; the first signs, all verify."""
        return tuple(decoded(key) for key in self.tracking_keys)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # the signature is pydantic's
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Use arguments, then NAME, then NAME_FILE; never read a .env file."""
        return init_settings, env_settings, _SecretFiles(settings_cls)


class _SecretFiles(PydanticBaseSettingsSource):
    """Source of secrets from files, at the paths in NAME_FILE."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        path = os.environ.get(f"{field_name.upper()}_FILE")
        if not path or "SecretStr" not in str(field.annotation):
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").strip(), field_name, False
        except (OSError, UnicodeDecodeError) as error:
            raise Misconfigured(f"{field_name.upper()}_FILE: cannot be read: {type(error).__name__}") from None

    def __call__(self) -> dict[str, Any]:
        values = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in values.items() if value is not None}


def required(process: str | None = None) -> list[str]:
    """Return the settings that this kind of process must have, by default the one that the environment names."""
    fields = _model(process or os.environ.get("PROCESS") or "all").model_fields
    return [name for name, field in fields.items() if field.is_required()]


@cache
def _model(process: str) -> type[Settings]:
    """Return the settings of this kind of process: secrets of others may be absent, and are not to be used."""
    secrets = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    needed = SECRETS_OF.get(process, secrets)
    optional: dict[str, Any] = {
        name: (Settings.__annotations__[name], Field(default=Withheld(name), validate_default=False))
        for name in secrets - needed
        if Settings.model_fields[name].is_required()
    }
    return create_model("Settings", __base__=Settings, **optional)


def load() -> Settings:
    """Return the settings from the present environment; raises Misconfigured."""
    try:
        return _model(os.environ.get("PROCESS") or "all")()
    except ValidationError as error:
        raise Misconfigured("\n".join(_line(fault) for fault in error.errors(include_input=False))) from None


def _line(fault: Any) -> str:
    """Return one fault as a line, without the value, which may be a secret."""
    words = fault["msg"].removeprefix("Value error, ")
    if not fault["loc"]:
        name, _, words = words.partition(": ")
        return f"{name.upper()}: {words}"
    words = "is missing; .env.example explains it" if fault["type"] == "missing" else words
    return f"{str(fault['loc'][0]).upper()}: {words}"


@lru_cache(maxsize=1)
def current() -> Settings:
    """Return the settings of this process, read once; print a line for each fault and exit with status 2 if invalid."""
    try:
        return load()
    except Misconfigured as error:
        print(f"Cadencia cannot start:\n{error}", file=sys.stderr)
        raise SystemExit(2) from None
