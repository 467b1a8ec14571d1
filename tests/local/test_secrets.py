"""The secrets of an installation: created once, kept, private."""

import base64
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cryptography.fernet import Fernet

from local import secrets


def test_the_values_are_the_same_when_loaded_again(tmp_path: Path) -> None:
    path = tmp_path / "var" / "secrets.env"
    first = secrets.load(path)
    assert secrets.load(path) == first
    assert len(set(first.values())) == len(first) == 8


def test_only_the_owner_can_read_them_when_made(tmp_path: Path) -> None:
    path = tmp_path / "secrets.env"
    secrets.load(path)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    secrets.load(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [found.name for found in tmp_path.iterdir()] == ["secrets.env"]


def test_every_key_has_32_bytes_when_made(tmp_path: Path) -> None:
    made = secrets.load(tmp_path / "secrets.env")
    Fernet(made["FERNET_KEYS"])
    for name in ("JWT_SECRET_KEY", "INDEX_KEY", "TRACKING_KEYS", "FERNET_KEYS"):
        assert len(base64.urlsafe_b64decode(made[name])) == 32


def test_existing_values_stay_when_others_are_missing(tmp_path: Path) -> None:
    path = tmp_path / "secrets.env"
    path.write_text("# mine\nINDEX_KEY=an old one=\nOTHER = kept\n\n")
    made = secrets.load(path)
    assert (made["INDEX_KEY"], made["OTHER"]) == ("an old one=", "kept")
    assert secrets.load(path) == made
    assert "FLOWER_PASSWORD" in made


def test_concurrent_first_loads_get_the_same_values(tmp_path: Path) -> None:
    path = tmp_path / "secrets.env"
    with ThreadPoolExecutor(8) as pool:
        loaded = list(pool.map(lambda _: secrets.load(path), range(8)))
    assert all(each == loaded[0] for each in loaded)
