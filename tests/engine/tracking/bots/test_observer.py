"""The observer stores the class of network and the prefix, by the setting, and never an address."""

import json

import pytest

from engine.tracking.bots.observer import KEEPS, Keep, Observer

ADDRESSES = ["66.102.6.7", "::ffff:66.102.6.7", "2001:db8:1:2::7", "192.0.2.7", "", "unknown"]


def kept(address: str, keep: Keep = "hashed") -> dict[str, str]:
    observer = Observer(b"k" * 32, keep)
    return observer.observe(method="GET", address=address, agent="A/1", purpose=None)


@pytest.mark.parametrize("keep", KEEPS)
@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_never_stored(address: str, keep: Keep) -> None:
    observed = json.dumps(kept(address, keep))
    assert address == "" or address.removeprefix("::ffff:") not in observed


def test_the_prefix_is_hashed_or_truncated_or_not_stored() -> None:
    assert kept("192.0.2.7") == kept("192.0.2.8") != kept("192.0.3.7")
    assert len(kept("192.0.2.7")["prefix"]) == 16
    assert kept("66.102.6.7") == kept("::ffff:66.102.6.7")
    assert kept("192.0.2.7", "truncated")["prefix"] == "192.0.2.0/24"
    assert kept("2001:db8:1:2::7", "truncated")["prefix"] == "2001:db8:1::/48"
    assert "prefix" not in kept("192.0.2.7", "none")
    assert kept("66.102.6.7", "none")["network"] == "google"
    assert kept("nowhere") == {"method": "GET", "agent": "A/1", "network": "other"}


def test_another_key_gives_another_hash() -> None:
    others = Observer(b"o" * 32, "hashed").observe(method="GET", address="192.0.2.7", agent="", purpose="")
    assert others["prefix"] != kept("192.0.2.7")["prefix"]


def test_observed_values_fit_a_row() -> None:
    observer = Observer(b"k" * 32, "hashed")
    observed = observer.observe(method="GET", address=None, agent="\0\ud800" + "x" * 999, purpose="prefetch")
    assert len(observed["agent"]) <= 300 and "\0" not in observed["agent"] and observed["agent"].encode()
    assert observed["purpose"] == "prefetch"
