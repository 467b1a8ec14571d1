"""The size of an audience, exact or by a sample; the dates of the first e-mails; the words that contacts have."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.audience import segments
from engine.campaigns.drafting import estimate
from engine.campaigns.steps import StepDraft
from tests import sequence
from tests.sequence import NOW


def _people(session: Session, count: int) -> None:
    sequence.people(session, count)
    session.execute(
        text("""
        UPDATE contacts SET industry = CASE WHEN get_byte(email_index, 0) < 128 THEN 'Banca' ELSE 'Moda' END,
               attributes = CAST(
                   CASE WHEN get_byte(email_index, 0) < 128 THEN '{"origen": "feria"}' ELSE '{}' END AS jsonb)
    """)
    )


def test_a_small_audience_is_counted_and_a_large_one_sampled(session: Session) -> None:
    _people(session, 2_000)
    banks = segments.read({"industry": ["Banca"], "attributes": {"origen": "feria"}})
    exact = estimate.size(session, banks)
    assert exact.is_exact and 800 < exact.contacts < 1_200
    sampled = estimate.size(session, banks, pages=60)
    assert not sampled.is_exact and 0.6 < sampled.contacts / exact.contacts < 1.6
    none = estimate.size(session, segments.read({"industry": ["Pesca"]}), pages=60)
    assert none.contacts == 0 and 3 < none.fewer_than < 100


def test_each_date_follows_from_the_one_before_and_its_window(session: Session) -> None:
    plan = [
        StepDraft("email_1_roi", 0, 600, 660, (1, 2, 3, 4, 5)),
        StepDraft("email_2_caso", 3 * 86_400),
        StepDraft("email_3_ultima_llamada", 86_400, 540, 1080, (1,)),
    ]
    first = datetime(2026, 11, 3, 9, tzinfo=UTC)  # Monday's window in Madrid, 09:00 to 10:00 UTC, is open at NOW
    assert estimate.dates(plan, "Europe/Madrid", now=NOW) == [
        NOW, NOW + timedelta(days=3), datetime(2026, 11, 9, 8, tzinfo=UTC),
    ]  # fmt: skip
    assert estimate.dates(plan[:1], "Europe/Madrid", now=NOW + timedelta(hours=2)) == [first]


def test_words_are_those_of_several_contacts(session: Session) -> None:
    _people(session, 50)
    session.execute(
        text("""
        UPDATE contacts SET company = 'Una', attributes = '{"dni": "123", "correo": "ana@a.example"}'
         WHERE id = (SELECT id FROM contacts ORDER BY id LIMIT 1)
    """)
    )
    words = estimate.words(session)
    assert sorted(words["industry"]) == ["Banca", "Moda"] and words["attributes.origen"] == ["feria"]
    assert "company" not in words and "attributes.dni" not in words and "attributes.correo" not in words
