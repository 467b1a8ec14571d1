"""Visits of a confirmation link, by the labelled sequences of bot detection: who has to press the button by hand."""

from datetime import timedelta

from engine.forms import visits
from tests.engine.tracking.bots import test_sequences as labelled

PRESS = timedelta(seconds=3)  # from the click until the page presses itself


def sources(label: str) -> list[str]:
    """Classify the press of the page after each click with this label: the click leads to the page."""
    sources = []
    for sequence in labelled.read():
        for number, hit in enumerate(sequence.hits):
            if hit.kind == "clicked" and sequence.labels[number] == label:
                seen = {"method": hit.method, "agent": hit.agent, "network": hit.network, "prefix": hit.prefix}
                seen |= {"purpose": hit.purpose} if hit.purpose else {}
                now = hit.at + PRESS
                before = [each for each in sequence.hits if each.at <= now]
                sources.append(visits.classify(before, seen, sent_at=sequence.sent_at, now=now))
    return sources


def test_at_most_a_tenth_of_the_people_press_by_hand() -> None:
    people = sources("human")
    assert len(people) > 20
    assert people.count("machine") <= len(people) / 10


def test_most_machines_could_not_let_the_page_press_itself_even_if_they_moved_a_mouse() -> None:
    machines = sources("machine")
    assert len(machines) > 30
    assert machines.count("machine") >= 0.8 * len(machines)
