"""The system account of PostgreSQL, which refuses to run as root, when root starts it."""

import logging
import os
import pwd
import stat
from pathlib import Path

import errors

_NAMES = ("postgres", "pgserver", "nobody")
_SEARCH = stat.S_IXOTH
_READ = stat.S_IROTH

_log = logging.getLogger(__name__)


def for_service(folder: Path) -> pwd.struct_passwd | None:
    """Return the account that a service on `folder` runs as, or None if we are not root.

    An existing folder keeps its owner; otherwise it is the first of postgres, pgserver, nobody that exists. The
    system is not changed. Raise Unavailable if none of them exists.
    """
    if os.geteuid() != 0:
        return None
    if folder.exists() and (owner := folder.stat().st_uid) != 0:
        return pwd.getpwuid(owner)
    for name in _NAMES:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise errors.Unavailable(f"no account for PostgreSQL: as root, one of {', '.join(_NAMES)} must exist")


def change_owner(folder: Path, account: pwd.struct_passwd) -> None:
    """Give the folder and everything in it to the account."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)


def allow_traversal(path: Path, account: pwd.struct_passwd) -> None:
    """Let the account pass through the folders above `path`; they stay unreadable to it.

    Only a missing search bit is added (a /root of mode 700 becomes 711), and each change is logged as a warning.
    """
    for folder in path.resolve().parents:
        mode = folder.stat()
        needed = stat.S_IXUSR if mode.st_uid == account.pw_uid else _SEARCH
        if not mode.st_mode & needed:
            folder.chmod(mode.st_mode | needed)
            _log.warning("folder_opened path=%s: %s may now pass through it", folder, account.pw_name)


def make_readable(folder: Path) -> None:
    """Let every account read and run the files in `folder`, which may be installed under a tight umask."""
    for path in (folder, *folder.rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            continue
        search = _SEARCH if stat.S_ISDIR(mode) or mode & stat.S_IXUSR else 0
        if mode | _READ | search != mode:
            path.chmod(mode | _READ | search)
