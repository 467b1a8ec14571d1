"""Parsing of relays and domain limits, with errors that name the wrong part and what is expected."""

from datetime import date

import pytest

from engine.delivery import smtp
from engine.delivery.relays import config
from engine.delivery.relays.daily_quota import WarmUp
from engine.delivery.relays.gcra import Rate
from errors import InvalidInput

LIMITS = smtp.Limits()


def test_one_url_is_one_relay_without_limits() -> None:
    (only,) = config.parse_relays("smtp://relay.example", "", LIMITS)
    assert (only.name, only.weight, only.rate, only.connections) == ("relay.example:587", 1, None, None)
    assert (only.warm_up, only.limits, only.relay.starttls) == (WarmUp(), LIMITS, "required")


def test_every_option_is_parsed_and_the_client_gets_its_own() -> None:
    url = (
        "smtp://ana:s%40cret@b.example:2525?starttls=required&weight=3&rate=1200/m&connections=20"
        "&messages_per_connection=50&daily=5000&warmup=2026-03-02,100,2&helo=our.example"
    )
    first, second = config.parse_relays("smtps://a.example", url, LIMITS)
    assert (first.name, second.name) == ("a.example:465", "b.example:2525")
    assert (second.weight, second.rate, second.connections) == (3, Rate(20.0), 20)
    assert second.limits.messages_per_connection == 50
    assert second.warm_up == WarmUp(5_000, date(2026, 3, 2), 100, 2.0)
    assert (second.relay.user, second.relay.password, second.relay.helo) == ("ana", "s@cret", "our.example")


def test_two_accounts_at_one_server_are_two_relays() -> None:
    names = [
        each.name
        for each in config.parse_relays("smtps://a:1@mx.example", "smtps://b:2@mx.example smtps://c.example", LIMITS)
    ]
    assert names == ["mx.example:465", "mx.example:465#2", "c.example:465"]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://a.example", r"smtp_relays\[2\]\.scheme: expected smtp, smtps or lmtp"),
        ("smtp://", r"smtp_relays\[2\]\.host: missing"),
        ("smtp://a.example?weight=0", r"smtp_relays\[2\]\.weight: expected a whole number from 1 to 1000"),
        ("smtp://a.example?weight=", r"smtp_relays\[2\]\.weight: expected"),
        ("smtp://a.example?rate=fast", r"smtp_relays\[2\]\.rate: expected messages a second"),
        ("smtp://a.example?connections=-1", r"smtp_relays\[2\]\.connections: expected a whole number"),
        ("smtp://a.example?colour=red", r"unknown option 'colour': expected .*starttls.*, connections, daily.*weight"),
        ("smtp://user@a.example", r"smtp_relays\[2\]\.user: user and password belong together"),
    ],
)
def test_an_error_names_the_relay_and_the_part_and_no_secret(url: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as refused:
        config.parse_relays("smtp://first.example", f"smtp://second.example {url}", LIMITS)
    assert "a.example" not in str(refused.value).replace("smtp://", "")


def test_domain_limits_are_parsed_with_their_units() -> None:
    gmail, orange, gmx = config.parse_domain_limits(
        "Gmail.com,googlemail.com?rate=20/s  orange.fr?rate=90/m&connections=3 gmx.de?connections=2"
    )
    assert (gmail.names, gmail.rate, gmail.connections) == (("gmail.com", "googlemail.com"), Rate(20.0), None)
    assert (orange.names, orange.rate, orange.connections) == (("orange.fr",), Rate(1.5), 3)
    assert (gmx.rate, gmx.connections) == (None, 2)
    assert config.parse_domain_limits("") == []


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ("gmail.com", r"domain_limits\[1\]\.rate: is missing"),
        ("a.example?rate=1 gmail?rate=2", r"domain_limits\[2\]: expected domains and limits"),
        ("a.example?rate=0", r"domain_limits\[1\]\.rate: expected messages a second"),
        ("a.example?rate=5/d", r"domain_limits\[1\]\.rate: expected messages a second"),
        ("a.example?rate=5&burst=2", r"unknown option 'burst': expected connections, rate"),
        ("a.example?connections=0", r"domain_limits\[1\]\.connections: expected a whole number"),
        ("a.example?rate=5 a.example?rate=6", r"domain_limits: a\.example is in it twice"),
    ],
)
def test_an_invalid_domain_limit_is_named_with_what_is_expected(limits: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        config.parse_domain_limits(limits)
