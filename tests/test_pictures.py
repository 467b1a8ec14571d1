"""E-mails and readers' pages fit a telephone."""

from pathlib import Path

from playwright.sync_api import Browser

from tests import browser, pictures
from tests.conftest import environment

_WIDTH = 360
_WITH_TABLES = {
    f"{name}{kind}"
    for name in ("email_1_roi", "email_1_roi_en", "email_2_caso", "email_2_case_study_en", "signup_notice")
    for kind in ("", "-transactional")
}
_LINES = """
[...document.querySelectorAll('.sum tr')].map(row => Math.max(...[...row.children].map(cell => {
  const range = document.createRange();
  range.selectNodeContents(cell);
  return new Set([...range.getClientRects()].map(box => box.top)).size;
})))
"""


def test_nothing_is_wider_than_a_telephone_and_no_row_of_a_table_wraps(tmp_path: Path, chromium: Browser) -> None:
    with environment(**pictures.ENVIRONMENT, LOG_FILE=str(tmp_path / "log")):
        documents = dict([*pictures.emails(), *pictures.readers_pages()])
    rows = {}
    with browser.tab(chromium, viewport={"width": _WIDTH, "height": 4_000}) as page:  # without a scroll bar
        for name, html in documents.items():
            page.set_content(html)
            assert page.evaluate("document.documentElement.scrollWidth") == _WIDTH, name
            rows[name] = page.evaluate(_LINES)
    assert {name for name in rows if rows[name]} == _WITH_TABLES
    assert all(lines == 1 for each in rows.values() for lines in each), rows
