"""The campaign of the benchmarks: its e-mail, its contacts, its way through the ledger."""

import email
import email.policy
import re
from pathlib import Path

import pytest
from sqlalchemy import text

from bench.testbed import people, sink, trial
from bench.testbed.installation import installed
from engine import clock
from engine.audience import contacts
from models import Contact
from models.session import transaction
from tests.conftest import environment

TEMPLATES = Path(__file__).parents[2] / "bench" / "templates"


@pytest.fixture
def mail(ledger: str) -> bytes:
    with environment(TEMPLATES_DIR=str(TEMPLATES)):
        return trial.message()


def test_the_mail_has_five_kilobytes_three_tracked_links_and_a_pixel(mail: bytes) -> None:
    assert 4_900 <= len(mail) <= 5_300
    parsed = email.message_from_bytes(mail, policy=email.policy.default)
    assert [part.get_content_type() for part in parsed.iter_parts()] == ["text/plain", "text/html"]
    html = parsed.get_body(("html",)).get_content()
    assert len(re.findall(r'href="http://127.0.0.1:8000/c/', html)) == 3
    assert len(re.findall(r'src="http://127.0.0.1:8000/o/', html)) == 1


def test_the_mail_uses_four_variables() -> None:
    folder = TEMPLATES / trial.TEMPLATE
    used = {name for path in folder.glob("*.*t*") for name in re.findall(r"{{ (\w+) }}", path.read_text())}
    assert used - {"unsubscribe_url"} == {"nombre", "industria", "empresa", "link_calendly"}


def test_copied_contacts_are_what_the_product_makes_of_the_same_people(ledger: str) -> None:
    people.copy(3)
    known = Contact.__table__.columns.keys()
    with transaction() as session:
        copied = session.scalars(text("SELECT id FROM contacts WHERE industry = 'Logística' ORDER BY last_name")).all()
        drafts = [
            contacts.Draft(
                people.address(number),
                first_name="Ana",
                last_name=f"Ruiz {number}",
                company="Transportes del Norte",
                industry="Logística",
            )
            for number in range(3)
        ]
        assert contacts.upsert(session, drafts, now=clock.now()).unchanged == 3
        session.execute(text("UPDATE contacts SET email_index = sha256(email_index)"))
        contacts.upsert(session, drafts, now=clock.now())
        made = session.scalars(
            text("SELECT id FROM contacts WHERE industry = 'Logística' AND NOT id = ANY(:ids) ORDER BY last_name"),
            {"ids": copied},
        ).all()
        for one, other in zip(copied, made, strict=True):
            mine, theirs = session.get_one(Contact, one), session.get_one(Contact, other)
            differing = {name for name in known if getattr(mine, name) != getattr(theirs, name)}
            assert differing <= {"id", "email_index", "created_at", "updated_at", "listed_at"}
            assert mine.listed_at and theirs.listed_at


def test_a_small_campaign_is_sent_counted_and_costed() -> None:
    with sink.running() as receiver, installed(receiver.port) as installation:
        result = trial.run(installation, receiver, 600, trial.Tuning(group=100, senders=1))
    assert receiver.count == 600 + people.OTHERS
    assert result.per_s > 0 and result.peak_mib > 20
    assert result.split_us.keys() == {"workers", "postgres", "valkey", "sink"}
    assert result.us == pytest.approx(sum(result.split_us.values()) - result.split_us["sink"])
