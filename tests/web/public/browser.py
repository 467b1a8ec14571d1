"""A real browser, chromium, spoken to by the DevTools protocol over a pipe: pages opened, keys pressed, forms read."""

import fcntl
import json
import os
import shutil
import signal
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import processes

NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = "no browser is here: `make system-packages` as root installs Debian's package chromium"
OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
KEYS = {"Tab": {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9},
        "Enter": {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}}  # fmt: skip


class Navigated(Exception):
    """The page that was asked was replaced by another one."""


class Page:
    """One tab."""

    def __init__(self, to: int, of: int) -> None:
        self._to, self._of = to, os.fdopen(of, "rb")
        self._number = 0
        self._session: str | None = None
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._call("Page.enable")

    def open(self, url: str) -> None:
        """Go there; returns when it is loaded."""
        self._call("Page.navigate", url=url)
        self._until_loaded()

    def read(self, expression: str) -> Any:
        """The value of a JavaScript expression; also where the page itself may run no script."""
        return self._call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until the expression holds on a page that is loaded, also on one that is opened meanwhile.

        A key pressed before is lost: the title is there before the buttons are.
        """
        processes.until(lambda: self._holds(f"document.readyState === 'complete' && ({expression})"), expression)

    def press(self, *keys: str) -> None:
        """Press these keys, one after the other."""
        for key in keys:
            for kind in ("keyDown", "keyUp"):
                self._call("Input.dispatchKeyEvent", type=kind, **KEYS[key])

    def resize(self, width: int, height: int) -> None:
        """Give the window this size."""
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def picture(self, path: Path, *, width: int = 800, height: int = 700, dark: bool = False) -> None:
        """Write what it looks like, as PNG; all of the page if its height is 0."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        self.resize(width, height or 100)
        if not height:
            self.resize(width, self.read("document.documentElement.scrollHeight"))
        path.write_bytes(b64decode(self._call("Page.captureScreenshot")["data"]))

    def _holds(self, expression: str) -> bool:
        try:
            return bool(self.read(expression))
        except Navigated:  # the old page went away while it was asked
            return False

    def _until_loaded(self) -> None:
        while self._heard().get("method") != "Page.loadEventFired":
            pass

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while (heard := self._heard()).get("id") != self._number:
            pass
        if "error" in heard and "navigated or closed" in heard["error"]["message"]:
            raise Navigated(method)
        if "error" in heard:
            raise AssertionError(f"{method}: {heard['error']}")
        result: dict[str, Any] = heard["result"]
        return result

    def _heard(self) -> dict[str, Any]:
        said = bytearray()
        while (byte := self._of.read(1)) != b"\0":
            if not byte:
                raise AssertionError("the browser is gone")
            said += byte
        heard: dict[str, Any] = json.loads(said)
        return heard


@contextmanager
def opened(folder: Path) -> Iterator[Page]:
    """A browser with an empty profile in `folder`; the test is skipped where there is none."""
    program = next((path for path in map(shutil.which, NAMES) if path is not None), None)
    if program is None and os.environ.get("CI"):
        pytest.fail(MISSING)
    if program is None:
        pytest.skip(MISSING)
    theirs_in, to = _pipe()
    of, theirs_out = _pipe()
    noise = os.open(folder / "browser.log", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    moves = [(os.POSIX_SPAWN_DUP2, noise, 1), (os.POSIX_SPAWN_DUP2, noise, 2)]  # first: it may be 3 or 4 itself
    moves += [(os.POSIX_SPAWN_DUP2, theirs_in, 3), (os.POSIX_SPAWN_DUP2, theirs_out, 4)]
    command = [program, *OPTIONS, f"--user-data-dir={folder}/browser", "--remote-debugging-pipe"]
    pid = os.posix_spawn(program, command, dict(os.environ), file_actions=moves, setsid=True)
    for descriptor in (theirs_in, theirs_out, noise):
        os.close(descriptor)
    try:
        yield Page(to, of)
    finally:
        os.close(to)
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _pipe() -> tuple[int, int]:
    """A pipe whose ends are out of the way of the descriptors 0 to 4."""
    ends = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return moved[0], moved[1]
