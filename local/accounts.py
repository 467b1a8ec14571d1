"""The unprivileged account that PostgreSQL, which refuses to run as root, runs as when root starts it."""

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
    """The account a service on `folder` runs as; None when we are not root: then it runs as ourselves.

    An existing folder's owner keeps it; else the first of postgres, pgserver, nobody that exists.
    Nothing is added to the system. Raises Unavailable when it has none of them.
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


def own(folder: Path, account: pwd.struct_passwd) -> None:
    """Gives the folder and all in it to the account."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)


def open_way(path: Path, account: pwd.struct_passwd) -> None:
    """Lets the account pass through the folders above `path`; they stay unreadable to it.

    Only the search bit is added, only where it is missing (a mode 700 /root becomes 711), and each
    change is logged as a warning.
    """
    for folder in path.resolve().parents:
        mode = folder.stat()
        needed = stat.S_IXUSR if mode.st_uid == account.pw_uid else _SEARCH
        if not mode.st_mode & needed:
            folder.chmod(mode.st_mode | needed)
            _log.warning("folder_opened path=%s: %s may now pass through it", folder, account.pw_name)


def open_tree(folder: Path) -> None:
    """Lets every account read and run what is in `folder`: undoes an install under a tight umask."""
    for path in (folder, *folder.rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            continue
        search = _SEARCH if stat.S_ISDIR(mode) or mode & stat.S_IXUSR else 0
        if mode | _READ | search != mode:
            path.chmod(mode | _READ | search)
