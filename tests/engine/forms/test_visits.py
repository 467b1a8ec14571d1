"""Visits of a confirmation link, by the labelled sequences of bot detection: who has to press the button by hand."""

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.delivery import early_events
from engine.forms import visits
from engine.tracking.events import IncomingEvent
from tests import sends
from tests.engine.tracking.bots import test_sequences as labelled
from tests.sends import NOW

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PRESS = timedelta(seconds=3)  # from the click until the page presses itself

# Machines whose visits look like a person's. They confirm nothing by fetching the link or running its script: the page
# presses itself only after input of a person, which the script decides (tests/web/public/forms/test_press.py).
LIKE_PEOPLE = {
    "a gateway without a name follows its three links",
    "a patient scanner with one link",
    "four links in eight seconds from a cloud",
    "Safe Links at the time of the click",
    "sandbox follows every link in a minute",
}


def presses(label: str) -> list[tuple[str, str]]:
    """Return the sequence and the classification of the page's own press after each click with this label."""
    presses = []
    for sequence in labelled.read():
        for number, hit in enumerate(sequence.hits):
            if hit.kind == "clicked" and sequence.labels[number] == label:
                observed = {"method": hit.method, "agent": hit.agent, "network": hit.network, "prefix": hit.prefix}
                observed |= {"purpose": hit.purpose} if hit.purpose else {}
                now = hit.at + PRESS
                before = [each for each in sequence.hits if each.at <= now]
                source = visits.classify(before, observed, sent_at=sequence.sent_at, bursts=sequence.bursts, now=now)
                presses.append((sequence.name, source))
    return presses


def test_at_most_a_tenth_of_the_people_press_by_hand() -> None:
    people = presses("human")
    by_hand = {name for name, source in people if source == "machine"}
    assert by_hand == {"fast, and by a VPN", "HEAD by an antivirus on the reader's own computer, then the reader"}
    assert len(people) >= 40 and len(by_hand) <= len(people) / 10


def test_the_page_presses_itself_for_no_machine_but_those_that_look_like_people() -> None:
    machines = presses("machine")
    refused = [source for _, source in machines if source == "machine"]
    assert {name for name, source in machines if source != "machine"} == LIKE_PEOPLE
    assert len(machines) > 70 and len(machines) - len(refused) == 10


def test_a_visit_amid_a_burst_of_its_network_is_a_machines(session: Session) -> None:
    observed = {"method": "GET", "agent": BROWSER, "network": "other", "prefix": "35f89bb6"}
    *others, own = sends.queue(session, 26)
    session.execute(text("UPDATE emails SET status = 'sent', sent_at = :at"), {"at": NOW - timedelta(seconds=8)})
    clicks = [
        IncomingEvent(email_id, "clicked", NOW, {**observed, "link": 0}, "unknown") for email_id in (*others, own)
    ]
    early_events.record(session, clicks, now=NOW)
    assert visits.is_machine(session, own, observed, now=NOW + timedelta(seconds=4))
    assert not visits.is_machine(session, own, observed | {"prefix": "4c889a81"}, now=NOW + timedelta(seconds=4))
