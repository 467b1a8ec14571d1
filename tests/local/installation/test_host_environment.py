"""The file of an installation without Docker: complete, private, and the same for every program that reads it."""

import os
import subprocess
from pathlib import Path

import pytest

import settings
from cli import env_file
from local.installation import host_environment
from tests.conftest import environment

OPTIONS = ["--public-url", "https://correo.empresa.example", "--mail-from", "Empresa <hola@empresa.example>"]
OPTIONS += ["--brand-name", "Empresa", "--brand-address", "Calle Mayor 1, 28013 Madrid"]


def test_the_settings_are_complete_private_and_survive_being_sourced(tmp_path: Path) -> None:
    file, redis = tmp_path / "cadencia.env", tmp_path / "redis.conf"
    host_environment.main([str(file), *OPTIONS, "--redis", str(redis)])
    assert [path.stat().st_mode & 0o777 for path in (file, redis)] == [0o640, 0o640]
    values = env_file.read(file)
    with environment(**values, ENVIRONMENT="production", PASSWORD_MIB="64"):
        loaded = settings.load()
    assert (loaded.mail_from, loaded.trusted_proxies, loaded.warnings) == (OPTIONS[3], 1, ())
    password = redis.read_text().split()[1]
    assert f":{password}@" in loaded.celery_broker_url.get_secret_value()
    sourced = subprocess.run(
        ["sh", "-c", f"set -a; . {file}; env -0"], env={"PATH": os.environ["PATH"]}, capture_output=True, check=True
    )
    assert values.items() <= dict(line.split("=", 1) for line in sourced.stdout.decode().split("\0") if line).items()


def test_a_file_that_exists_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "cadencia.env"
    file.write_text("mine")
    with pytest.raises(SystemExit):
        host_environment.main([str(file), *OPTIONS])
    assert file.read_text() == "mine" and "File exists" in capsys.readouterr().err
