"""The account that PostgreSQL runs as, and the folders it may pass through."""

import os
import pwd
from pathlib import Path

import pytest

from local import accounts

STRANGER = pwd.getpwnam("nobody")


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_only_root_changes_the_account_when_a_service_starts(tmp_path: Path) -> None:
    account = accounts.for_service(tmp_path)
    assert (account is None) == (os.geteuid() != 0)
    assert account is None or account.pw_uid != 0


def test_the_way_is_passable_but_not_readable_when_opened(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    closed, passable = tmp_path / "closed", tmp_path / "closed" / "passable"
    passable.mkdir(parents=True)
    closed.chmod(0o700)
    passable.chmod(0o755)
    accounts.allow_traversal(passable / "data", STRANGER)
    assert (_mode(closed), _mode(passable)) == (0o701, 0o755)
    assert f"folder_opened path={closed}: nobody may now pass through it" in caplog.messages


def test_nothing_changes_when_the_folders_are_the_accounts_own(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir(mode=0o700)
    accounts.allow_traversal(folder / "data", pwd.getpwuid(os.geteuid()))
    assert _mode(folder) == 0o700


@pytest.mark.parametrize(("before", "after"), [(0o700, 0o705), (0o600, 0o604), (0o755, 0o755)])
def test_an_installation_is_readable_when_opened(tmp_path: Path, before: int, after: int) -> None:
    program = tmp_path / "bin" / "program"
    program.parent.mkdir(mode=0o700)
    program.touch()
    program.chmod(before)
    (tmp_path / "bin" / "link").symlink_to("nowhere")
    accounts.make_readable(tmp_path)
    assert (_mode(program), _mode(program.parent)) == (after, 0o705)
