"""The people who submitted a form and its counts, by day and state."""

from datetime import timedelta

from sqlalchemy import text

from engine import figures
from engine.forms import counts, people
from models.session import transaction
from tests.engine.forms import signups
from tests.sends import NOW

DAY = timedelta(days=1)


def test_submissions_are_listed_by_state_the_newest_first(ledger: str) -> None:
    with transaction() as session:
        form = signups.create(session)
    for number in range(5):
        signups.submit(form, f"p{number}@empresa.example", now=NOW + number * DAY / 24, first_name=f"Ana {number}")
    with transaction() as session:
        first = people.page(session, form.id, "pending", limit=3)
        rest = people.page(session, form.id, "pending", before=first[-1].id, limit=3)
        assert people.page(session, form.id, "confirmed") == []
    assert [each.address for each in (*first, *rest)] == [f"p{number}@empresa.example" for number in range(4, -1, -1)]
    assert first[0].values == {"first_name": "Ana 4"} and first[0].version == 1


def test_counts_are_by_the_day_of_the_submission(ledger: str) -> None:
    with transaction() as session:
        form = signups.create(session)
    signups.submit(form, now=NOW - 40 * DAY)
    with transaction() as session:
        session.execute(text("UPDATE form_submissions SET state = 'expired'"))
    signups.submit(form, "b@empresa.example", now=NOW - DAY)
    signups.submit(form, "c@empresa.example", now=NOW - DAY)
    signups.submit(form, "d@empresa.example", now=NOW)
    with transaction() as session:
        session.execute(
            text("UPDATE form_submissions SET state = 'confirmed', confirmed_at = :now WHERE submitted_at = :day"),
            {"now": NOW, "day": NOW - DAY},
        )
        counted = counts.count(session, form.id, now=NOW)
        figures.refresh(session, figures.name_of_form(form.id), now=NOW)
        assert figures.of_forms(session, [form.id]) == {form.id: {"submitted": 4, "confirmed": 2}}
        assert figures.name_of_form(form.id) not in figures.overdue(session, now=NOW)
        session.execute(text("UPDATE form_submissions SET state = 'confirmed'"))
        session.execute(text("UPDATE snapshots SET took_s = 0"))
        assert figures.submissions(session, [form.id])[form.id]["confirmed"] == 4
        session.execute(text("UPDATE snapshots SET took_s = 1"))  # counting them takes long
        assert figures.submissions(session, [form.id])[form.id] == {"pending": 1, "confirmed": 2, "expired": 1}
    assert counted == {
        "days": {
            str((NOW - DAY).date()): {"submitted": 2, "confirmed": 2},
            str(NOW.date()): {"submitted": 1, "confirmed": 0},
        },
        "states": {"pending": 1, "confirmed": 2, "expired": 1},
    }
