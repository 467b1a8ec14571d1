"""Pages of contacts: searches by prefix, filters, keyset pages."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.audience import contacts, segments, suppressions
from engine.audience.contacts import Draft
from engine.audience.directory import contact_pages
from engine.audience.directory.contact_pages import Filter
from errors import InvalidInput
from models import folding
from tests import sequence

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
PEOPLE = (
    ("Ana", "Ruiz", "Óptica Sol"),
    ("Ángel", "Núñez", "Talleres Añil"),
    ("Andrés", "Anaya", None),
    (None, "Anta", None),
    ("Łukasz", "Żuk", "Ana e Hijos"),
    ("ΑΝΝΑ", "Ωμέγα", None),
    ("Eva María", "de la O", "100 % Aceite"),
    ("Luis", None, None),
    (None, None, None),
)


@pytest.fixture(autouse=True)
def people(session: Session) -> None:
    """Contacts with these names and companies."""
    drafts = [
        Draft(f"persona{number}@empresa.example", first, last, company=company, role="CTO" if number % 2 else None)
        for number, (first, last, company) in enumerate(PEOPLE)
    ]
    contacts.upsert(session, drafts, now=NOW)


def found(session: Session, prefix: str, **options: int) -> list[str]:
    """Return the names of all pages of a search, a list for each page."""
    names, after = [], None
    while True:
        page = contact_pages.page(session, Filter(prefix), after=after, **options)
        names += [f"{each.first_name or ''} {each.last_name or ''}".strip() for each in page.contacts]
        after = page.after
        if after is None:
            return names


@pytest.mark.parametrize(
    ("prefix", "names"),
    [
        ("an", ["Ana Ruiz", "Andrés Anaya", "Ángel Núñez", "Anta", "Łukasz Żuk"]),
        ("AN", ["Ana Ruiz", "Andrés Anaya", "Ángel Núñez", "Anta", "Łukasz Żuk"]),
        ("ángel nú", ["Ángel Núñez"]),
        ("angel  nu ", ["Ángel Núñez"]),
        ("ruiz", ["Ana Ruiz"]),
        ("optica", ["Ana Ruiz"]),
        ("lukasz", ["Łukasz Żuk"]),
        ("zuk", ["Łukasz Żuk"]),
        ("αννα", ["ΑΝΝΑ Ωμέγα"]),
        ("100 %", ["Eva María de la O"]),
        ("%", []),
        ("_", []),
        ("\\", []),
        ("a\0n", ["Ana Ruiz", "Andrés Anaya", "Ángel Núñez", "Anta", "Łukasz Żuk"]),
        ("nobody" * 100, []),
    ],
)
def test_a_search_finds_by_prefix_without_case_and_accents(session: Session, prefix: str, names: list[str]) -> None:
    assert found(session, prefix) == names


def test_every_limit_gives_the_same_contacts_in_the_same_order(session: Session) -> None:
    for prefix in ("a", "l", ""):
        whole = found(session, prefix)
        assert len(whole) == len(set(whole)) and whole
        assert [found(session, prefix, limit=limit) for limit in (1, 2, 3)] == [whole] * 3, prefix


def test_a_full_last_page_says_that_it_is_the_last(session: Session) -> None:
    assert contact_pages.page(session, Filter("an"), limit=5).after is None
    assert contact_pages.page(session, Filter(), limit=len(PEOPLE)).after is None


def test_a_filter_that_few_meet_looks_at_a_window_at_a_time(session: Session) -> None:
    for segment, is_met in ((segments.read({"role": ["CTO"]}), True), (segments.read({"min_score": 1}), False)):
        for prefix in ("", "an"):
            whole = [each.id for each in contact_pages.page(session, Filter(prefix, segment)).contacts]
            ids: list[UUID] = []
            after, pages = None, 0
            while pages == 0 or after is not None:
                page = contact_pages.page(session, Filter(prefix, segment), after=after, window=1)
                ids, after, pages = ids + [each.id for each in page.contacts], page.after, pages + 1
            assert ids == whole and bool(ids) == is_met and pages > 1


def test_states_are_those_of_the_contact(session: Session) -> None:
    (contact_id,) = sequence.people(session, 1)
    suppressions.add(session, [contact_id], "complaint", now=NOW)
    (listed,) = contact_pages.page(session, Filter(), limit=1).contacts
    assert (listed.id, listed.email, listed.suppressed) == (contact_id, "contacto0@empresa.example", "complaint")
    session.execute(text("UPDATE contacts SET email = 'damaged' WHERE id = :id"), {"id": contact_id})
    assert contact_pages.page(session, Filter(), limit=1).contacts[0].email is None


@pytest.mark.parametrize(
    "after", ["", "x", "0.0", f"7.{UUID(int=1)}.", "0.x.", f"0.{UUID(int=1)}.é", f"0.{UUID(int=1)}.A"]
)
def test_a_position_of_no_page_is_refused(session: Session, after: str) -> None:
    with pytest.raises(InvalidInput, match="after: give the `next`"):
        contact_pages.page(session, Filter(), after=after)


def test_the_longest_names_fit_into_the_indexes(session: Session) -> None:
    for number, name in enumerate(
        ("\U0001f469\u200d\U0001f680" * 33, "한" * 100, "ﷺ" * 100, "ΐ" * 100, "<script>alert(1)</script>")
    ):
        draft = Draft(f"largo{number}@empresa.example", name[:100], name[:100], company=name[:100])
        contacts.upsert(session, [draft], now=NOW)
        page = contact_pages.page(session, Filter(name[:100]))
        assert [each.first_name for each in page.contacts] == [name[:100]]


def test_folding_ends_case_and_accents_for_every_letter(session: Session) -> None:
    signs = [chr(code) for code in range(0x20, 0x530) if chr(code).isalpha()]
    given = "unnest(CAST(:signs AS text[])) WITH ORDINALITY AS v (letter, n)"
    query = text(f"SELECT {folding.sql('letter')} FROM {given} ORDER BY n")
    folded = session.scalars(query, {"signs": signs}).all()
    assert session.scalars(query, {"signs": list(folded)}).all() == folded  # twice is as once
    for first, second in (
        ("Á", "a"),
        ("ñ", "n"),
        ("Ç", "c"),
        ("Ø", "o"),
        ("ß", "s"),
        ("Ж", "ж"),
        ("Ω", "ω"),
        ("Й", "и"),
    ):
        assert folded[signs.index(first)] == folded[signs.index(second)]
