"""Parts that all pages share: static files, charts, words for states, the page without a database."""

import re
from itertools import pairwise

from flask import Flask, render_template_string
from flask.testing import FlaskClient
from sqlalchemy import event
from sqlalchemy.pool import QueuePool

from engine.campaigns import stops
from models.session import engine
from tests.conftest import environment
from tests.web.pages import visitors
from web.pages.frame import assets, charts


def test_static_files_are_kept_for_a_year_under_the_digest_of_their_content(client: FlaskClient) -> None:
    for path in assets.PATHS.values():
        answer = client.get(path)
        assert answer.status_code == 200 and answer.headers["ETag"]
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert client.get(path, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    assert client.get(path.replace(path.split("/")[3], "0" * 16)).status_code == 404


def test_a_page_and_its_files_are_small_and_of_this_server(client: FlaskClient) -> None:
    page = visitors.visit(client, "ana", "admin")
    loaded = re.findall(r'<(?:link|script)[^>]* (?:href|src)="([^"]+)"', page.text)
    sizes = [len(client.get(path).data) for path in loaded if path.startswith("/")]
    assert len(sizes) == 3 and all(path.startswith(("/app/", "data:")) for path in loaded)
    assert sum(sizes) + len(page.data) < 300_000 and len(page.data) < 40_000
    assert len(client.get(assets.PATHS["app.js"]).data) < 5_000


def test_without_a_database_a_page_says_so_and_tries_again(client: FlaskClient) -> None:
    visitors.visit(client, "ana", "admin")
    with environment(DATABASE_URL="postgresql://cadencia@127.0.0.1:9/cadencia"):
        answer = client.get("/app/campaigns")
    assert answer.status_code == 503 and answer.headers["Refresh"] == "5" == answer.headers["Retry-After"]
    assert "No disponible por un momento" in answer.text
    assert client.get("/app/campaigns").status_code == 200


def test_a_page_reads_by_the_connection_that_read_its_account_and_returns_it(client: FlaskClient) -> None:
    visitors.visit(client, "ana", "admin")
    pool = engine().pool
    taken: list[object] = []

    def note(*given: object) -> None:
        taken.append(given)

    event.listen(pool, "checkout", note)
    for path in ("/app/campaigns", "/app/account", "/app/campaigns/none", "/app/static/none/app.js"):
        taken.clear()
        client.get(path)
        assert len(taken) == ("static" not in path), path
        assert isinstance(pool, QueuePool) and pool.checkedout() == 0, path
    event.remove(pool, "checkout", note)


def test_every_stop_reason_has_words(app: Flask) -> None:
    reasons = {*stops.CAUSES, *stops.BY_SUPPRESSION.values(), "received", "cancelled"}
    with app.test_request_context(headers={"Accept-Language": "es"}):
        source = "{% import 'pages/parts.html' as parts %}{{ parts.stop_reason(reason) }}"
        words = {reason: render_template_string(source, reason=reason) for reason in reasons}
    assert [reason for reason, word in words.items() if word == reason] == []


def test_numbers_and_shares_are_written_as_the_language_does(app: Flask) -> None:
    source = (
        "{{ ngettext('%(num)s contact', '%(num)s contacts', 1000000) }}, {{ 0.125 | percent }}, {{ 1234.5 | number }}"
    )
    written = []
    for language in ("es", "en"):
        with app.test_request_context(headers={"Accept-Language": language}):
            written.append(render_template_string(source))
    assert written == ["1.000.000 contactos, 12,5\xa0%, 1.234,5", "1,000,000 contacts, 12.5%, 1,234.5"]


def test_bars_stand_on_each_other_and_end_below_the_top() -> None:
    for width in charts.WIDTHS.values():
        drawn = charts.stack(["a", "b", "c"], [3, 0, 10], [1, 0, 30], width=width)
        assert [level.text for level in drawn.levels] == ["0", "20", "40"]
        assert drawn.first.count("z") == drawn.second.count("z") == 2  # none of zero
        x, y, across, height = map(float, re.findall(r"M(\S+) (\S+)h(\S+)v(\S+)h-", drawn.first)[1])
        assert abs(y + height - drawn.base) < 0.2 and x >= 0 and x + across <= width
        left, above, flat, down = map(
            float, re.findall(r"M(\S+) (\S+)h(\S+)a4\.0 4\.0 0 0 1 4\.0 4\.0v(\S+)a", drawn.second)[0]
        )
        assert abs(above + down + 8 - y) < 0.2 and above >= 0  # on the lower one, its corners are rounded by 4
        assert abs(left - 4 - x) < 0.2 and abs(flat + 8 - across) < 0.2 and abs((down + 8) / height - 3) < 0.05


def test_labels_of_many_columns_do_not_touch() -> None:
    drawn = charts.stack([str(number) for number in range(60)], [1] * 60, [0] * 60, width=340)
    places = [mark.x for mark in drawn.columns]
    assert min(b - a for a, b in pairwise(places)) >= 40


def test_the_top_of_an_axis_is_a_round_number() -> None:
    assert [charts.round_up(value) for value in (0, 2, 3, 9, 10, 11, 302, 999_999)] == [
        2, 2, 4, 10, 10, 20, 400, 1_000_000,
    ]  # fmt: skip
