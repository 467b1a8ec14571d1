"""Views of public pages: machines are recognised by their request, and sources are bounded plain words."""

import pytest

from engine.tracking import views
from tests.sends import NOW

BROWSER = {
    "method": "GET",
    "agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "network": "other",
}


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        (BROWSER, False),
        ({**BROWSER, "method": "HEAD"}, True),
        ({**BROWSER, "agent": "Googlebot/2.1"}, True),
        ({**BROWSER, "purpose": "prefetch"}, True),
    ],
)
def test_machines_are_recognised_by_their_request(observed: dict[str, str], expected: bool) -> None:
    assert views.is_machine(observed, now=NOW) is expected


@pytest.mark.parametrize(
    ("utm_source", "counted"),
    [
        ("", ""),
        (" Blog ", "blog"),
        ("a@b.example", "other"),
        ("<script>", "other"),
        ("x" * 80, "x" * 50),
        ("boletín", "boletín"),
    ],
)
def test_a_source_is_a_bounded_plain_word(utm_source: str, counted: str) -> None:
    assert views.source_of(utm_source) == counted
