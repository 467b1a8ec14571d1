"""Templates in the database: each save is a version, publishing checks, and what is in use stays."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.assets import assets
from engine.campaigns import campaigns
from engine.campaigns.drafting import drafts
from engine.campaigns.drafting.drafts import CampaignDraft
from engine.campaigns.steps import StepDraft
from engine.delivery import outbox
from engine.delivery.outbox import SendRequest
from engine.templates.templates import Library
from engine.templates.versions import history, store
from errors import Conflict, InvalidInput, NotFound
from tests.engine.templates.versions.conftest import CHANGE, NOW, content, reading


def create(session: Session, library: Library, name: str = "oferta", **changes: Any) -> history.Version:
    return store.create(session, name, content(**changes), library=library, change=CHANGE)


def campaign(session: Session) -> UUID:
    """Return a draft that uses `oferta`, which a library reads in this session."""
    draft = CampaignDraft("Otoño", [StepDraft("oferta")])
    return drafts.create(session, draft, library=reading(session), now=NOW)


def test_a_save_makes_a_version_that_is_a_draft_until_it_is_published(session: Session, library: Library) -> None:
    first = create(session, library)
    assert (first.version, first.is_published, first.note, first.digest) == (1, False, "primera", content().digest)
    store.publish(session, "oferta", 1, library=library)
    second = store.save(session, "oferta", content(subject="Dos"), expected=first.digest, change=CHANGE)
    assert (second.version, second.published, second.newest) == (2, 1, 2)
    assert history.published(session) == {"oferta": 1}
    assert store.publish(session, "oferta", 2, library=library).is_published
    assert history.version(session, "oferta", 1)[1] == content()


def test_each_version_keeps_a_picture_in_use(session: Session, library: Library, tmp_path: Path) -> None:
    one, other, third = (f"{number:040x}" for number in (10, 11, 12))
    image = f'<img src="https://correo.example/a/{one}.png" alt="una"><img src="/a/{{{{ foto }}}}.png" alt="otra">'
    first = create(session, library, html=f"<p>{image}</p>", sample={"foto": other})
    store.save(session, "oferta", content(), expected=first.digest, change=CHANGE)
    for digest, users in ((one, [("template", "oferta")]), (other, [("template", "oferta")]), (third, [])):
        assert assets.uses(session, digest, templates=tmp_path) == users


def test_of_two_saves_at_once_the_second_is_refused_with_both_digests(session: Session, library: Library) -> None:
    digest = create(session, library).digest
    mine, theirs = content(subject="Mío"), content(subject="Suyo")
    store.save(session, "oferta", theirs, expected=digest, change=CHANGE)
    with pytest.raises(Conflict) as refused:
        store.save(session, "oferta", mine, expected=digest, change=CHANGE)
    assert theirs.digest in str(refused.value)
    assert digest[:50] in str(refused.value)
    assert (
        store.save(session, "oferta", theirs, expected=digest, change=CHANGE).version == 2
    )  # as after a lost response


def test_a_revert_is_a_new_version_with_the_old_content(session: Session, library: Library) -> None:
    first = create(session, library)
    store.save(session, "oferta", content(subject="Dos"), expected=first.digest, change=CHANGE)
    again = store.revert(session, "oferta", 1, change=CHANGE)
    assert (again.version, again.digest) == (3, first.digest)
    assert store.revert(session, "oferta", 1, change=CHANGE).version == 3
    with pytest.raises(NotFound, match="version 9"):
        store.revert(session, "oferta", 9, change=CHANGE)


def test_a_copy_is_a_template_of_its_own(session: Session, library: Library) -> None:
    copied = store.clone(session, "email_1_roi", "oferta", library=library, change=CHANGE)
    assert (copied.name, copied.version) == ("oferta", 1)
    store.publish(session, "oferta", 1, library=library)
    assert store.clone(session, "oferta", "otra", library=library, change=CHANGE).digest == copied.digest
    with pytest.raises(InvalidInput, match="did you mean"):
        store.clone(session, "email_1_ro", "nueva", library=library, change=CHANGE)


@pytest.mark.parametrize("name", ["../x", "Oferta", "", "x" * 51, "_a", "a.b", "oferta\n", "ofertá"])
def test_a_name_must_be_one_of_a_template(session: Session, library: Library, name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        create(session, library, name)
    assert [fault.field for fault in refused.value.faults] == ["name"]


def test_a_name_is_given_once_and_never_one_of_the_folder(session: Session, library: Library) -> None:
    create(session, library)
    for name in ("oferta", "email_1_roi"):
        with pytest.raises(Conflict, match=name):
            create(session, library, name)


MJML = "<mjml><mj-body><mj-section><mj-column><mj-text>?</mj-text></mj-column></mj-section></mj-body></mjml>"


@pytest.mark.parametrize(
    ("changes", "field", "line", "words"),
    [
        ({"html": "<p>\n{{ nombre }}\n{% endfor %}"}, "html", 3, "endfor"),
        ({"html": "<p>x</p>\n{{ nombre|nofilter }}"}, "html", 2, "nofilter"),
        ({"html": "a\n\n{% include 'x' %}"}, "html", 3, "include: this template can use no other file"),
        ({"html": "{% extends '_layout.html' %}"}, "html", 1, "extends"),
        ({"html": "x{% import 'a' as b %}"}, "html", 1, "import"),
        ({"html": "x\n<p {% if nombre %}a{% endif %}>"}, "html", 2, "inside a tag"),
        ({"html": " "}, "html", None, "empty"),
        ({"subject": "{{ nombre"}, "subject", 1, "end of"),
        ({"subject": ""}, "subject", None, "0 characters"),
        ({"preheader": "{{ a|nofilter }}"}, "preheader", 1, "nofilter"),
        ({"text": "x\ny\n{% if %}"}, "text", 3, ""),
        ({"html": "<p>\n{% for i in range(10**9) %}x{% endfor %}"}, "html", 2, "range"),
        ({"html": None, "mjml": MJML.replace("?", "\n{{ nombre.edad.mes }}")}, "mjml", 2, "lack 'edad'"),
        ({"html": "x\n{% for i in [0] %}\n{{ 1 // i }}{% endfor %}"}, "html", 3, "ZeroDivisionError"),
        ({"preheader": "{{ 'x' + 1 }}"}, "preheader", 1, "TypeError"),
        ({"text": "x\n\n{% for i in range(10**9) %}x{% endfor %}"}, "text", 3, "range"),
        ({"html": "{{ empresa }} {{ cargo }}"}, "sample", None, "lacks 'cargo'"),
        ({"html": "{{ empressa }}"}, "sample", None, "did you mean empresa?"),
        ({"html": "<a href='{{ nombre }}'>x</a>"}, "sample.nombre", None, "target of a link"),
        ({"subject": "{{ nombre }}", "sample": {"nombre": "a\nb"}}, "sample.nombre", None, "line break"),
    ],
)
def test_only_what_can_be_sent_is_published(
    session: Session, library: Library, changes: dict[str, Any], field: str, line: int | None, words: str
) -> None:
    create(session, library, **changes)
    with pytest.raises(InvalidInput) as refused:
        store.publish(session, "oferta", 1, library=library)
    fault = refused.value.faults[0]
    assert (fault.field, fault.line) == (field, line)
    assert words in fault.message
    assert history.published(session) == {}


def test_a_subject_may_be_written_from_right_to_left(session: Session, library: Library) -> None:
    create(session, library, subject="שלום {{ nombre }} \u200fمرحبا")
    store.publish(session, "oferta", 1, library=library)
    assert history.version(session, "oferta")[1].subject == "שלום {{ nombre }} \u200fمرحبا"


def test_a_template_of_a_campaign_or_a_queued_email_is_not_deleted(session: Session, library: Library) -> None:
    create(session, library)
    store.publish(session, "oferta", 1, library=library)
    campaign_id = campaign(session)
    with pytest.raises(Conflict, match="Otoño"):
        store.delete(session, "oferta")
    campaigns.cancel(session, campaign_id)
    campaigns.proceed_cancelling(session, now=NOW)
    request = SendRequest("ana@empresa.example", "oferta", "S", {}, template_version=1)
    [email_id] = outbox.add(session, [request], now=NOW)
    with pytest.raises(Conflict, match="queued"):
        store.delete(session, "oferta")
    session.execute(text("UPDATE emails SET status = 'sent' WHERE id = :id"), {"id": email_id})
    store.delete(session, "oferta")
    for gone in (history.version, store.delete, history.versions):
        with pytest.raises(NotFound, match="oferta"):
            gone(session, "oferta")
    assert history.templates(session) == []


def test_a_number_is_never_used_again(session: Session, library: Library) -> None:
    """Processes keep versions compiled, and e-mails that others accepted during the deletion name one."""
    create(session, library)
    store.publish(session, "oferta", 1, library=library)
    store.delete(session, "oferta")
    assert history.find(session, "oferta", 1) == content()
    again = create(session, library, subject="Otra")
    assert (again.version, again.published) == (2, None)
    assert [each.version for each in history.versions(session, "oferta")] == [2]
    with pytest.raises(NotFound):
        store.publish(session, "oferta", 1, library=library)


def test_deleted_templates_are_removed_after_a_month(session: Session, library: Library) -> None:
    for name in ("oferta", "nueva"):
        create(session, library, name)
    store.delete(session, "oferta")
    store.purge(session)
    assert history.find(session, "oferta", 1) is not None
    session.execute(text("UPDATE templates SET deleted_at = deleted_at - interval '31 days'"))
    store.purge(session)
    assert history.find(session, "oferta", 1) is None
    assert history.find(session, "nueva", 1) is not None


def test_notes_are_short_and_printable(session: Session, library: Library) -> None:
    for note in ("x" * 201, "a\nb"):
        change = store.Change(None, NOW, note)
        with pytest.raises(InvalidInput, match="note"):
            store.create(session, "oferta", content(), library=library, change=change)
