"""The secrets of the containers: complete, created once, and kept."""

import os
import subprocess
import sys
from pathlib import Path

import settings
from local import container_secrets
from tests.conftest import TEST_ENVIRONMENT, environment

ROOT = Path(__file__).parents[2]
SECRET_SETTINGS = (
    "JWT_SECRET_KEY",
    "FERNET_KEYS",
    "INDEX_KEY",
    "TRACKING_KEYS",
    "SMTP_URL",
    "SMTP_RELAYS",
    "DATABASE_URL",
)
OWN = os.getgid()  # only root may give files to another group


def read(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8").strip() for path in folder.iterdir()}


def test_the_files_satisfy_all_settings(tmp_path: Path) -> None:
    container_secrets.write(tmp_path / "secrets", group=OWN)
    files = {f"{name}_FILE": str(tmp_path / "secrets" / name.lower()) for name in SECRET_SETTINGS}
    files["CELERY_BROKER_URL_FILE"] = str(tmp_path / "secrets" / "broker_url")
    emptied = dict.fromkeys((*SECRET_SETTINGS, "CELERY_BROKER_URL"), "")
    with environment(**TEST_ENVIRONMENT | emptied, **files):
        loaded = settings.load()
    assert loaded.smtp_url.get_secret_value() == "smtp://mail:2525?starttls=off"
    assert loaded.celery_broker_url.get_secret_value().endswith("@redis:6379/0")


def test_urls_contain_the_passwords_of_the_servers(tmp_path: Path) -> None:
    container_secrets.write(tmp_path, group=OWN)
    written = read(tmp_path)
    assert f":{written['postgres_password']}@db:5432/" in written["database_url"]
    assert f":{written['redis_password']}@redis:6379/" in written["broker_url"]


def test_existing_files_are_kept_and_missing_ones_match_them(tmp_path: Path) -> None:
    assert len(container_secrets.write(tmp_path, group=OWN)) == 11
    first = read(tmp_path)
    assert container_secrets.write(tmp_path, smtp_url="smtp://relay.example", group=OWN) == []
    (tmp_path / "database_url").unlink()
    assert container_secrets.write(tmp_path, group=OWN) == ["database_url"]
    assert read(tmp_path) == first


def test_two_installations_share_no_secret(tmp_path: Path) -> None:
    for name in ("one", "other"):
        container_secrets.write(tmp_path / name, group=OWN)
    one, other = read(tmp_path / "one"), read(tmp_path / "other")
    assert {name for name in one if one[name] == other[name]} == {"smtp_url", "smtp_relays"}


def test_only_the_owner_and_the_group_of_the_containers_may_read_the_files(tmp_path: Path) -> None:
    container_secrets.write(tmp_path / "secrets", group=OWN)
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "secrets").iterdir()} == {0o640}


def test_the_command_prints_names_and_no_secret(tmp_path: Path) -> None:
    bare = {name: value for name, value in os.environ.items() if name not in TEST_ENVIRONMENT}
    command = [sys.executable, "-m", "local.container_secrets", str(tmp_path / "secrets"), "--group", str(OWN)]
    ended = subprocess.run(command, cwd=ROOT, env=bare, capture_output=True, text=True, timeout=30, check=True)
    assert "database_url, redis_password" in ended.stdout
    assert not [
        value for value in read(tmp_path / "secrets").values() if value and value in ended.stdout + ended.stderr
    ]
