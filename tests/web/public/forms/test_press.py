"""The script of the confirmation page in chromium: it presses after a person's input, and after no simulated one."""

from pathlib import Path

from playwright.sync_api import Browser, Page, Route

from tests import browser

SCRIPT = Path(__file__).parents[4] / "web" / "public" / "static" / "press.js"
PAGE = """<!doctype html><title>t</title><link rel="icon" href="data:,"><h1>Question</h1>
<form method="post" action="/confirm" data-press><input type="hidden" name="by" value="press"><button>B</button></form>
<script src="/press.js"></script>"""
DWELL_MS = 1_200  # longer than the page waits after it was opened
NOT_DRIVEN = "Object.defineProperty(Navigator.prototype, 'webdriver', {get: () => false})"


def answer(route: Route) -> None:
    """Serve the page, its script, and its answer, which repeats what was sent."""
    kinds = {"/press.js": ("text/javascript", SCRIPT.read_text("utf-8")), "/": ("text/html", PAGE)}
    path = route.request.url.removeprefix("http://127.0.0.1")
    kind, body = kinds.get(path, ("text/html", f"<title>t</title><h1>{route.request.post_data}</h1>"))
    route.fulfill(content_type=kind, body=body)


def heading(page: Page) -> str:
    return page.locator("h1").inner_text()


def move(page: Page, *steps: int) -> None:
    for x in steps:
        page.mouse.move(x, 200 + x // 10)
        page.wait_for_timeout(40)


def test_only_the_input_of_a_person_who_stays_presses_the_button(chromium: Browser) -> None:
    with browser.tab(chromium) as page:
        page.route("**", answer)
        page.goto("http://127.0.0.1/")
        page.keyboard.press("Tab")  # in a browser that says that a program drives it
        move(page, *range(10, 200, 20))
        page.wait_for_timeout(DWELL_MS)
        assert heading(page) == "Question"
        page.add_init_script(NOT_DRIVEN)
        page.reload()
        page.evaluate("['pointermove', 'touchend', 'keydown'].forEach(kind => dispatchEvent(new Event(kind)))")
        move(page, 10, 400, 30, 700, 100, 500, 20)  # a pointer that jumps
        page.wait_for_timeout(DWELL_MS)
        assert heading(page) == "Question"
        move(page, *range(20, 200, 20))
        page.get_by_role("heading", name="by=page").wait_for()
        page.goto("http://127.0.0.1/")
        page.keyboard.press("Tab")  # at once; the page waits until the person stayed for a second
        page.get_by_role("heading", name="by=page").wait_for()
        page.goto("http://127.0.0.1/")
        page.get_by_role("button").click()
        page.get_by_role("heading", name="by=press").wait_for()
