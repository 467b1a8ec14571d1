"""Every setting is documented; a process with an invalid one does not start, and prints the reason."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from pydantic import SecretStr

import settings
import web
from tests import forkserver
from tests.conftest import TEST_ENVIRONMENT, environment

ROOT = Path(__file__).parents[2]
GOOD = {**TEST_ENVIRONMENT, "DATABASE_URL": "postgresql://cadencia:x@127.0.0.1:9/cadencia"}
FIELDS = settings.Settings.model_fields


def example() -> dict[str, str]:
    """NAME -> the comment above it, for every setting `.env.example` shows, commented out or not."""
    comments, comment = {}, ""
    for line in (ROOT / ".env.example").read_text(encoding="utf-8").splitlines():
        shown = re.fullmatch(r"#?([A-Z][A-Z0-9_]+)=.*", line)
        if shown:
            comments[shown.group(1)] = comment
        elif line.startswith("# "):
            comment = f"{comment} {line[2:]}"
        else:
            comment = ""
    return comments


def test_the_example_shows_every_setting_with_its_meaning_and_no_other() -> None:
    assert set(example()) == {name.upper() for name in FIELDS}
    assert all(len(meaning) > 15 for meaning in example().values())


def test_the_example_shows_the_defaults_and_holds_no_secret() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    for name, field in FIELDS.items():
        if field.is_required() or field.default in (None, ()) or isinstance(field.default, Path):
            continue
        shown = re.search(rf"^#?{name.upper()}=(.*)$", text, re.MULTILINE)
        assert shown, name
        value = field.default
        written = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        assert shown.group(1).strip('"').lower() == written.lower(), name
    for name in ("JWT_SECRET_KEY", "FERNET_KEYS", "INDEX_KEY", "TRACKING_KEYS"):
        assert re.search(rf"^{name}=$", text, re.MULTILINE), name


def test_the_example_reads_the_same_in_a_shell() -> None:
    shown = (ROOT / ".env.example").read_text(encoding="utf-8")
    values = "".join(re.findall(r"^#?([A-Z][A-Z0-9_]+=.*\n)", shown, re.MULTILINE))
    sourced = subprocess.run(
        ["sh", "-euc", f"set -a\n{values}\nenv -0"], env={"PATH": os.environ["PATH"]}, capture_output=True, check=True
    )
    read = dict(line.split("=", 1) for line in sourced.stdout.decode().split("\0") if line)
    with environment(**dict.fromkeys(TEST_ENVIRONMENT, "") | {name: read[name] for name in example()} | GOOD):
        assert settings.load().login_rate == FIELDS["login_rate"].default


def test_secrets_have_no_default() -> None:
    for name, field in FIELDS.items():
        if "SecretStr" in str(field.annotation):
            assert field.is_required() or field.default is None, name


BAD = [
    ("JWT_SECRET_KEY", "short", "has 5 bytes; use at least 32"),
    ("INDEX_KEY", "short", "has 5 bytes; use at least 32"),
    ("FERNET_KEYS", "not a key", "not URL-safe base64"),
    ("FERNET_KEYS", "c2hvcnQ=", "32 bytes each"),
    ("FERNET_KEYS", ",", "one or more Fernet keys"),
    ("TRACKING_KEYS", "c2hvcnQ=", "16 bytes or more"),
    ("TRACKING_KEYS", "ñ", "not URL-safe base64"),
    ("DATABASE_URL", "mysql://x", "postgresql://"),
    ("DATABASE_URL", "postgresql://x:y@host:port/db", "not a URL"),
    ("CELERY_BROKER_URL", "amqp://x", "redis://"),
    ("SMTP_URL", "localhost:25", "smtp://"),
    ("SMTP_URL", "smtp://ana:short#x@mx.example", "# as %23"),
    ("DATABASE_URL", "postgresql://ana:short/x@host/db", "/ as %2F"),
    ("PUBLIC_URL", "ftp://x.example", "https://"),
    ("MAIL_FROM", "Cadencia", "has no address"),
    ("REPLY_TO", "nadie", "has no address"),
    ("RETURN_PATH", "a-long-local-part-of-an-address@x.example", "1 to 19 plain characters"),
    ("IMAP_URL", "pop3://x", "imaps://"),
    ("BRAND_SUPPORT", "ayuda", "has no address"),
    ("BRAND_NAME", "x" * 81, "at most 80 characters"),
    ("BRAND_ADDRESS", "Calle\ue000", "is not one printable line"),
    ("BRAND_COLOR", "teal", "'teal' is not a colour; write it like #0b6b62"),
    ("BRAND_LOGO_URL", "http://x.example/l.png", "write it like https://"),
    ("BRAND_LOGO_URL", "https://x.example;y/l.png", "'https://x.example;y/l.png' is not the address of a picture"),
    ("WEB_THREADS", "muchos", "valid integer"),
    ("WEB_THREADS", "0", "greater than or equal"),
    ("LOGIN_RATE", "often", "10 per minute"),
    ("LOG_LEVEL", "LOUD", "'DEBUG'"),
    ("ENVIRONMENT", "staging", "'production'"),
    ("CLOCK_EPOCH", "2026-01-01T00:00:00", "has no time zone"),
]


@pytest.mark.parametrize(("name", "value", "fault"), BAD, ids=[f"{name}={value}" for name, value, _ in BAD])
def test_an_invalid_setting_is_reported_with_a_valid_form(name: str, value: str, fault: str) -> None:
    with environment(**{**GOOD, name: value}), pytest.raises(settings.Misconfigured) as refused:
        settings.load()
    line = str(refused.value)
    assert line.startswith(f"{name}: ") and fault in line
    assert not any(part in line for part in ("short", "not a key", "mysql", "host:port", "LOUD"))  # may be secrets


def test_reply_tags_need_an_address_that_a_tag_fits_into() -> None:
    long = {"REPLY_TAGS": "true", "REPLY_TO": "atencion.al.cliente.de@cadencia.example"}
    refusal = pytest.raises(settings.Misconfigured, match="REPLY_TAGS: the address of REPLY_TO, or MAIL_FROM")
    with environment(**{**GOOD, **long}), refusal:
        settings.load()


def test_production_insists_on_https_and_refuses_debug() -> None:
    production = {**GOOD, "ENVIRONMENT": "production", "PASSWORD_MIB": "19"}
    with environment(**production), pytest.raises(settings.Misconfigured, match="PUBLIC_URL"):
        settings.load()
    production["PUBLIC_URL"] = "https://x.example/"
    with environment(**production, FLASK_DEBUG="1"), pytest.raises(settings.Misconfigured, match="FLASK_DEBUG"):
        settings.load()
    with (
        environment(**production | {"PASSWORD_MIB": "18"}),
        pytest.raises(settings.Misconfigured, match="PASSWORD_MIB"),
    ):
        settings.load()
    with environment(**production):
        assert settings.load().public_url == "https://x.example"


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "jwt"
    secret.write_text("a secret out of a file, more than 32 bytes\n")
    with environment(**{**GOOD, "JWT_SECRET_KEY": "", "JWT_SECRET_KEY_FILE": str(secret)}):
        assert settings.load().jwt_secret_key == SecretStr("a secret out of a file, more than 32 bytes")
        secret.write_text("short")
        with pytest.raises(settings.Misconfigured, match="JWT_SECRET_KEY: has 5 bytes"):
            settings.load()
    gone = {**GOOD, "JWT_SECRET_KEY": "", "JWT_SECRET_KEY_FILE": str(tmp_path / "gone")}
    with environment(**gone), pytest.raises(settings.Misconfigured, match="JWT_SECRET_KEY_FILE: cannot be read"):
        settings.load()


def test_derived_values() -> None:
    with environment(**GOOD):
        loaded = settings.load()
        assert loaded.message_domain == "cadencia.example"
        assert [len(key) for key in loaded.tracking_ring] == [32]
    with environment(**GOOD, MESSAGE_ID_DOMAIN="mail.example"):
        assert settings.load().message_domain == "mail.example"


def assert_plain(lines: str) -> None:
    assert "JWT_SECRET_KEY: has 5 bytes" in lines and "DATABASE_URL: is missing" in lines
    assert "Traceback" not in lines


def test_a_worker_that_cannot_start_says_so_plainly_and_ends_with_2(tmp_path: Path) -> None:
    bare = {name: value for name, value in os.environ.items() if name not in GOOD} | {"JWT_SECRET_KEY": "short"}
    log = tmp_path / "log"
    assert forkserver.start("celery", "-A", "worker", "report", output=log, cwd=ROOT, env=bare).wait(30) == 2
    assert_plain(log.read_text())


def test_a_web_process_that_cannot_start_says_so_plainly_and_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    bare = {**dict.fromkeys(GOOD, ""), "JWT_SECRET_KEY": "short"}
    with environment(**bare), pytest.raises(SystemExit) as ended:
        web.create_app()
    assert ended.value.code == 2
    assert_plain(capsys.readouterr().err)
