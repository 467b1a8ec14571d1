"""Many submissions in one transaction: as few e-mails for one address as one by one, and few statements."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import event, text

from engine.forms import submissions
from engine.forms.forms import StoredForm
from engine.forms.submissions import AddressHeld, Entry, SignUp
from models import session as database
from models.session import retrying, transaction
from tests.engine.forms import signups
from tests.engine.forms.signups import ADDRESS
from tests.sends import NOW


def sign_up(form: StoredForm, address: str, name: str = "Ana") -> SignUp:
    return submissions.prepare(form, Entry(address, {"first_name": name}, "es"), services=signups.services(), now=NOW)


def store(*sign_ups: SignUp, minutes: int = 0) -> None:
    now = NOW + timedelta(minutes=minutes)
    retrying(lambda session: submissions.store_all(session, sign_ups, services=signups.services(), now=now))


@pytest.fixture
def form(ledger: str) -> StoredForm:
    with transaction() as session:
        return signups.create(session)


@pytest.fixture
def other(form: StoredForm) -> StoredForm:
    with transaction() as session:
        return signups.create(session, slug="otra")


def test_equal_addresses_of_one_group_get_one_email(form: StoredForm, other: StoredForm) -> None:
    store(sign_up(form, ADDRESS), sign_up(other, ADDRESS.upper()), sign_up(form, ADDRESS, "Ana María"))
    assert [mail["email"].lower() for mail in signups.emails()] == [ADDRESS]
    with transaction() as session:
        rows = session.execute(text("SELECT form_id, email_id FROM form_submissions ORDER BY form_id")).all()
    assert {row.form_id for row in rows} == {form.id, other.id} and len(rows) == 2
    assert sorted(row.email_id is None for row in rows) == [False, True]


def test_of_repeated_submissions_the_last_one_is_confirmed(form: StoredForm) -> None:
    store(sign_up(form, ADDRESS), sign_up(form, ADDRESS, "Ana María"))
    store(sign_up(form, ADDRESS, "Ana Luisa"), sign_up(form, "otra@empresa.example"), minutes=1)
    store(sign_up(form, ADDRESS, "Ana Rosa"), minutes=11)
    links = {each["link_confirm"] for each in signups.variables() if "link_confirm" in each}
    assert (len(signups.emails()), len(links)) == (3, 2)  # the second request to confirm has the same link
    with transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM form_submissions")) == 2
        session.execute(text("DELETE FROM form_submissions WHERE email_index = :other"),
                        {"other": sign_up(form, "otra@empresa.example").recipient.own})  # fmt: skip
    signups.confirm()
    with transaction() as session:
        assert session.scalar(text("SELECT first_name FROM contacts WHERE NOT is_recipient")) == "Ana Rosa"


def test_groups_of_the_same_moment_send_an_address_one_email(form: StoredForm) -> None:
    """Each has the addresses in another order, so that they would deadlock if they did not lock in the same one."""
    start, addresses = threading.Barrier(4), [f"p{number}@empresa.example" for number in range(12)]

    def group(number: int) -> None:
        turned = addresses[number * 3 :] + addresses[: number * 3]
        start.wait()
        store(*(sign_up(form, each) for each in turned))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(group, range(4)))
    assert sorted(mail["email"] for mail in signups.emails()) == sorted(addresses)
    with transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM form_submissions")) == len(addresses)


def test_the_number_of_statements_does_not_grow_with_a_group(form: StoredForm) -> None:
    statements: list[str] = []
    event.listen(database.engine(), "before_cursor_execute", lambda *call: statements.append(call[2]))
    store(*(sign_up(form, f"p{number}@empresa.example") for number in range(20)))
    assert len(statements) == 5
    assert len(signups.emails()) == 20


def test_an_address_that_another_transaction_holds_ends_the_wait(form: StoredForm) -> None:
    store(sign_up(form, ADDRESS))
    with transaction() as holding:
        holding.execute(text("SELECT FROM contacts FOR UPDATE"))
        with pytest.raises(AddressHeld, match="another transaction") as refused:
            store(sign_up(form, ADDRESS))
    assert ADDRESS not in str(refused.value)
