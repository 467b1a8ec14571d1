"""Templates that this host cannot use: their e-mails go back untried, all others are sent."""

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

import settings
from engine import clock
from engine.audience import contacts
from engine.campaigns import campaigns, explain
from engine.campaigns.drafting import drafts
from engine.delivery import audit, outbox
from engine.messages import variables
from engine.templates import host_faults
from local.mail.mailstore import Mailstore
from models.session import transaction
from tests import sends, sequence
from tests.conftest import environment
from worker import drain, process, template_holds

LANE = "transactional"
GOOD = {"template": "email_2_caso"}


@pytest.fixture
def folder(tmp_path: Path, inbox: Mailstore) -> Iterator[Path]:
    """The templates of this host."""
    copy = tmp_path / "email_templates"
    shutil.copytree(settings.current().templates_dir, copy)
    with environment(TEMPLATES_DIR=str(copy)):
        yield copy
        process.close()


def queue(count: int, **changes: object) -> list[UUID]:
    with transaction() as session:
        return sends.queue(session, count, now=clock.now(), **changes)


def counts(email_ids: list[UUID]) -> Counter[str]:
    with transaction() as session:
        return Counter(sends.statuses(session, email_ids))


def groups() -> int:
    with transaction() as session:
        return session.scalar(text("SELECT count(*) FROM send_groups")) or 0


def end_holds() -> None:
    process.current().holds = template_holds.TemplateHolds()


def strip_variables(email_ids: list[UUID]) -> None:
    with transaction() as session:
        update = text("UPDATE emails SET variables = :none WHERE id = ANY(:ids)")
        session.execute(update, {"ids": email_ids, "none": variables.seal({})})


@pytest.mark.parametrize("fault", ["missing", "broken"])
def test_emails_of_an_unusable_template_wait_uncharged_and_others_are_sent(
    fault: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spare = folder.parent / "spare"
    shutil.copytree(folder / "email_1_roi", spare)
    if fault == "missing":
        shutil.rmtree(folder / "email_1_roi")
    else:
        (folder / "email_1_roi" / "body.html").write_text("{% if %}")
    waiting, others = queue(40), queue(5, **GOOD)
    assert drain.drain(LANE) is False
    assert (counts(waiting), counts(others)) == ({"queued": 40}, {"sent": 5})
    lines = [line for line in caplog.messages if line.startswith("template_unusable template=email_1_roi")]
    assert len(lines) == 1 and "given_back=25" in lines[0]
    assert "emails_untried" not in caplog.text  # one line for a group
    claimed = groups()
    for _ in range(5):
        process.current().holds.hold("email_1_roi")  # so long that this test does not outlast it
    assert drain.drain(LANE) is False
    assert groups() == claimed  # none is claimed while the template is on hold
    with transaction() as session:
        details = [outbox.details(session, email_id) for email_id in waiting]
        [recorded] = host_faults.current(session)
    assert {email.attempts for email in details} == {0}
    assert sum("'email_1_roi' is" in (email.response or "") for email in details) == 25
    assert recorded.template == "email_1_roi" and recorded.retry_at > recorded.since
    shutil.copytree(spare, folder / "email_1_roi", dirs_exist_ok=True)
    end_holds()
    assert drain.drain(LANE) is False
    assert counts(waiting) == {"sent": 40}
    with transaction() as session:
        assert host_faults.current(session) == []
    with transaction() as session:
        assert audit.run(session).findings == ()


def test_a_hold_grows_and_a_repaired_template_is_read_again(folder: Path) -> None:
    body = folder / "email_1_roi" / "body.html"
    good = body.read_text()
    holds = template_holds.TemplateHolds()
    assert [holds.hold("roto") for _ in range(7)] == [10, 20, 40, 80, 160, 300, 300]
    assert holds.current() == ["roto"] and holds.release("roto") and holds.current() == []
    body.write_text(good.replace("nombre", "nombre_nuevo"))
    email_ids = queue(3)
    drain.drain(LANE)
    body.write_text(good)
    end_holds()
    drain.drain(LANE)
    assert counts(email_ids) == {"sent": 3}


def test_a_campaign_step_goes_back_on_this_host_while_another_host_sends_it(folder: Path) -> None:
    with transaction() as session:
        sequence.people(session, 60)
        campaign = drafts.create(session, sequence.draft(days=(0,)), library=sequence.library(), now=clock.now())
        campaigns.launch(session, campaign, now=clock.now())
    shutil.rmtree(folder / "email_1_roi")
    process.current()  # first, because it recovers the other senders of this process
    elsewhere = process.open_sender()
    with environment(TEMPLATES_DIR=str(Path(__file__).parents[2] / "email_templates")):
        elsewhere = replace(elsewhere, composer=process.composer())
    assert drain.drain("campaign") is False
    with transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM emails")) == 0
        [contact_id, *_] = contacts.ensure(session, ["contacto0@empresa.example"], now=clock.now())
        [journey] = explain.why(session, contact_id, now=clock.now())
    assert "template cannot be used on" in journey.sentence and "email_1_roi" in journey.sentence
    drain.Drain(elsewhere, "campaign").run()
    elsewhere.close()
    with transaction() as session:
        rows = session.execute(text("SELECT status, attempts, count(*) FROM emails GROUP BY 1, 2")).all()
        assert [tuple(row) for row in rows] == [("sent", 1, 60)]
        assert session.scalar(text("SELECT state FROM campaigns")) == "running"
    with transaction() as session:
        assert audit.run(session).findings == ()


@pytest.mark.parametrize("count", [3, 12])
def test_a_template_that_fails_for_every_email_is_at_fault_and_no_email_is(
    count: int, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    email_ids = queue(count)
    strip_variables(email_ids)
    others = queue(2, **GOOD)
    drain.drain(LANE)
    assert (counts(email_ids), counts(others)) == ({"queued": count}, {"sent": 2})
    assert "template_unusable template=email_1_roi" in caplog.text and "variables.nombre is missing" in caplog.text


def test_emails_fail_alone_when_their_template_works_for_others(folder: Path) -> None:
    good, bad = queue(1), queue(12)
    strip_variables(bad)
    drain.drain(LANE)
    assert (counts(good), counts(bad)) == ({"sent": 1}, {"failed": 12})
