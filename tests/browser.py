"""A real browser, Debian's chromium by playwright: pages for tests and pictures, and faults that no page may have."""

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, WebError, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from tests import processes

# The first is chromium without windows, which takes a third of the CPU.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
MISSING = "no browser is here: `make system-packages` as root installs Debian's package chromium-headless-shell"
OPTIONS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"]
HERE = ("127.0.0.1", "localhost", "")


@contextmanager
def started() -> Iterator[Browser]:
    """Start a browser with an empty profile; the test is skipped where there is none.

    Use it for one module at most: until its end no other event loop of asyncio can run in this thread.
    """
    program = next((path for path in map(shutil.which, NAMES) if path is not None), None)
    if program is None and os.environ.get("CI"):
        pytest.fail(MISSING)
    if program is None:
        pytest.skip(MISSING)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=OPTIONS)
        try:
            yield chromium
        finally:
            chromium.close()


@contextmanager
def tab(chromium: Browser, *, expected: Collection[str] = (), **options: Any) -> Iterator[Page]:
    """Open a tab without cookies or storage; `options` are those of playwright's contexts.

    At the end it fails if a script raised, the console has an error (a violation of the page's policy is one) that
    contains none of the `expected` texts, or anything was requested from another host.
    """
    faults: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            faults.append(f"console: {message.text}")

    def on_request(request: Request) -> None:
        if (urlsplit(request.url).hostname or "") not in HERE:
            faults.append(f"another host: {request.url}")

    def on_error(error: WebError) -> None:
        faults.append(f"script: {error.error}")

    context = chromium.new_context(**{"viewport": {"width": 800, "height": 700}, **options})
    context.set_default_timeout(20_000)
    context.on("console", on_console)
    context.on("request", on_request)
    context.on("weberror", on_error)
    try:
        yield context.new_page()
    finally:
        context.close()
    assert [fault for fault in faults if not any(text in fault for text in expected)] == []


def until(page: Page, expression: str) -> None:
    """Wait until a JavaScript expression holds on a page that is loaded, also on one that is opened meanwhile.

    A key pressed before is lost: the title is there before the buttons are. Not playwright's `wait_for_function`,
    which pages that forbid `eval` refuse.
    """
    processes.until(lambda: _holds(page, f"document.readyState === 'complete' && ({expression})"), expression)


def press(page: Page, *keys: str) -> None:
    """Press these keys, one after the other."""
    for key in keys:
        page.keyboard.press(key)


def _holds(page: Page, expression: str) -> bool:
    try:
        return bool(page.evaluate(expression))
    except PlaywrightError as error:
        if "navigat" in str(error) or "destroyed" in str(error):  # the old page was left during the call
            return False
        raise
