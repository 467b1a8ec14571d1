"""The versions of a template: listed, compared, previewed, tested, published, taken up again, deleted."""

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from engine.templates.versions import history
from models.session import transaction
from tests import sequence
from tests.web.pages import visitors
from tests.web.pages.email_templates import stored

CARTA = "/app/templates/carta"
VERSIONS, DELETE = f"{CARTA}/versions", f"{CARTA}/delete"


@pytest.fixture
def editor(client: FlaskClient) -> FlaskClient:
    """A client of somebody who may edit templates, with one of two versions, of which the first is published."""
    visitors.visit(client, "ana", "templates", "campaigns", "contacts", path="/app/templates")
    stored.create(publish=True)
    stored.save(subject="Segunda {{ nombre }}", note="<i>breve</i>")
    return client


def _post(client: FlaskClient, path: str) -> int:
    return client.post(path, data={"csrf_token": visitors.token(client.get(VERSIONS))}).status_code


def test_versions_are_listed_and_compared(editor: FlaskClient) -> None:
    page = editor.get(VERSIONS).text
    assert "&lt;i&gt;breve&lt;/i&gt;" in page and "2 nov 2026" in page and ">publicada<" in page
    shown = editor.get(f"{CARTA}/diff?from=1&to=2").text
    assert "<del>− Para {{ nombre }}</del>" in shown and "<ins>+ Segunda {{ nombre }}</ins>" in shown
    assert editor.get(f"{CARTA}/diff").text == shown
    assert "No hay diferencias" in editor.get(f"{CARTA}/diff?from=2&to=2").text
    for query in ("from=9", "from=-1&to=1", "from=1&to=9", f"from=1&to={'9' * 30}"):
        assert editor.get(f"{CARTA}/diff?{query}").status_code == 404, query
    assert editor.get("/app/templates/email_1_roi/versions").status_code == 404


def test_many_versions_have_pages_and_a_large_difference_is_bounded(editor: FlaskClient) -> None:
    with transaction() as session:
        session.execute(text("""
            INSERT INTO template_versions (template_id, version, subject, preheader, html, sample, digest)
            SELECT template_id, number, subject, '', repeat('<p>línea ' || number || E'</p>\n', 5000), sample, digest
              FROM template_versions, generate_series(3, 60) AS number WHERE version = 2"""))  # fmt: skip
        session.execute(text("UPDATE templates SET newest_version = 60"))
    first = editor.get(VERSIONS)
    assert "before=11" in first.text and len(first.data) < 40_000
    assert "Versión 2<" in editor.get(f"{VERSIONS}?before=11").text
    large = editor.get(f"{CARTA}/diff?from=59&to=60")
    assert len(large.data) < 40_000 and "líneas más difieren" in large.text


def test_a_draft_is_previewed_and_a_test_of_it_is_sent(editor: FlaskClient) -> None:
    page = editor.get(f"{CARTA}?version=2")
    assert "Segunda Ana" in page.text and "Es un borrador" in page.text
    assert "Para Ana" in editor.get(CARTA).text
    assert "Hola, Ana" in editor.get(f"{CARTA}/body?version=2").text
    form = {"csrf_token": visitors.token(page), "key": "k", "to": "lucia@empresa.example"}
    assert editor.post(f"{CARTA}/test?version=2", data=form).status_code == 303
    with transaction() as session:
        assert session.scalar(text("SELECT template_version FROM emails WHERE kind = 'test'")) == 2
    for version in ("9", "-1", "9" * 30):
        assert editor.get(f"{CARTA}?version={version}").status_code in (200, 404), version


def test_an_old_version_is_taken_up_again_and_published(editor: FlaskClient) -> None:
    assert "versión 3" in editor.get(f"{VERSIONS}/1/revert").text
    assert _post(editor, f"{VERSIONS}/1/revert") == 303
    version, content = stored.newest()
    assert (version.version, version.author, content) == (3, "ana", stored.CONTENT)
    assert _post(editor, f"{VERSIONS}/3/publish") == 303
    assert stored.newest()[0].published == 3


def test_a_version_without_an_email_is_not_published(editor: FlaskClient) -> None:
    stored.save(subject="{{ otra }} {{ nombre }}")
    asked = editor.get(f"{VERSIONS}/3/publish")
    assert (
        "Todavía no se puede publicar" in asked.text
        and "otra" in asked.text
        and "<form method" not in asked.text[500:].partition("<main")[2]
    )
    assert _post(editor, f"{VERSIONS}/3/publish") == 422
    assert stored.newest()[0].published == 1


def test_a_template_in_use_is_not_deleted_and_its_campaigns_are_named(editor: FlaskClient) -> None:
    with transaction() as session:
        sequence.create(session, "Otoño <b>")
        session.execute(text("UPDATE campaign_steps SET template = 'carta' WHERE step = 1"))
    assert "Otoño &lt;b&gt;" in editor.get(DELETE).text
    assert _post(editor, DELETE) == 409
    with transaction() as session:
        session.execute(text("DELETE FROM campaign_steps"))
        session.execute(text("DELETE FROM campaigns"))
    assert "Se eliminan todas sus versiones" in editor.get(DELETE).text
    assert _post(editor, DELETE) == 303
    assert editor.get(CARTA).status_code == 404
    with transaction() as session:
        assert history.templates(session) == []
