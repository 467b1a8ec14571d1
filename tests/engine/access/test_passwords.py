"""Hashes of passwords."""

from collections.abc import Iterator

import pytest

from engine.access import passwords
from errors import Unavailable
from tests.conftest import environment


@pytest.fixture(autouse=True)
def small() -> Iterator[None]:
    """Hashes of 1 MiB."""
    with environment(DATABASE_URL="postgresql://nowhere.example/none"):
        yield


def test_a_right_password_passes_and_a_wrong_one_does_not() -> None:
    made = passwords.hashed("a password of the tests")
    assert passwords.check(made, "a password of the tests") == (True, None)
    assert passwords.check(made, "another password") == (False, None)
    assert passwords.check("no hash", "another password") == (False, None)


def test_a_decoy_costs_as_much_as_a_hash_and_fits_no_password() -> None:
    made, decoy = passwords.hashed("a password of the tests"), passwords.decoy()
    assert decoy.split("$")[:4] == made.split("$")[:4]
    assert [len(part) for part in decoy.split("$")] == [len(part) for part in made.split("$")]
    assert passwords.check(decoy, "a password of the tests") == (False, None)
    assert passwords.decoy() != decoy


def test_a_third_check_at_once_is_refused_and_a_slot_is_given_back() -> None:
    with passwords.slot():
        with passwords.slot(), pytest.raises(Unavailable):
            passwords.check(passwords.decoy(), "x")
        assert passwords.check(passwords.decoy(), "x") == (False, None)


def test_a_hash_of_another_size_is_to_be_replaced() -> None:
    made = passwords.hashed("a password of the tests")
    with environment(PASSWORD_MIB="2"):
        right, better = passwords.check(made, "a password of the tests")
        assert right and better and "m=2048" in better
        assert passwords.check(better, "a password of the tests") == (True, None)
