"""The blind index: equal for equal addresses, and for no others."""

import pytest

from models.vault import Vault
from tests.environment import TEST_ENVIRONMENT

KEYS = Vault([TEST_ENVIRONMENT["FERNET_KEYS"]], TEST_ENVIRONMENT["INDEX_KEY"])


def same(first: str, second: str) -> bool:
    return KEYS.blind_index(first) == KEYS.blind_index(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Ana.Perez@a.example", "ana.perez@a.example"),
        ("begoña@a.example", "begon\N{COMBINING TILDE}a@a.example"),
        ("\N{KELVIN SIGN}@a.example", "k@a.example"),
        ("BegoñA@a.example", "begoña@a.example"),
    ],
)
def test_the_case_of_ascii_and_the_composition_of_characters_do_not_matter(first: str, second: str) -> None:
    assert same(first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("straße@a.example", "strasse@a.example"),
        ("ﬁona@a.example", "fiona@a.example"),
        ("Ñandú@a.example", "ñandú@a.example"),
        ("ana@a.example", "ana@b.example"),
    ],
)
def test_other_mailboxes_are_other_addresses(first: str, second: str) -> None:
    assert not same(first, second)


@pytest.mark.parametrize("address", ["Ana@a.example", "begoña@a.example", "用户@xn--r8jz45g.example"])
def test_most_addresses_have_no_other_former_index(address: str) -> None:
    assert KEYS.former_index(address) is None


def test_the_former_index_is_that_of_case_folding() -> None:
    assert KEYS.former_index("straße@a.example") == KEYS.blind_index("strasse@a.example")
    assert KEYS.former_index("Ñandú@a.example") == KEYS.blind_index("ñandú@a.example")
