"""Labelled sequences of hits of people and machines, from documentation or from plausible behaviour.

A label is the true source, which the rules may be unable to detect. `-s` prints the confusion matrix.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.tracking.bots import sequences
from engine.tracking.bots.observer import Observer

FILES = sorted((Path(__file__).parent / "sequences").glob("*.jsonl"))
OBSERVER = Observer(b"k" * 32, "hashed")

# Known errors that no observed property could avoid, as (sequence, hit).
HUMANS_AS_MACHINES = {
    ("fast, and by a VPN", 0),
}
MACHINES_THAT_SET_FLAGS = {
    ("a patient scanner with one link", 0),
    ("a gateway without a name follows its three links", 0),
    ("a gateway without a name follows its three links", 1),
    ("a gateway without a name follows its three links", 2),
    ("Safe Links at the time of the click", 0),
}


def read(observer: Observer = OBSERVER) -> Iterator[sequences.Sequence]:
    for file in FILES:
        for line in file.read_text("utf-8").splitlines():
            yield sequences.read(line, observer)


def wrong(label: str, observer: Observer = OBSERVER) -> set[tuple[str, int]]:
    """Return the misclassified hits with this label; unknown counts as human, as it sets flags, too."""
    errors = set()
    for sequence in read(observer):
        for number, each in enumerate(sequence.classified()):
            if sequence.labels[number] == label and (each.source == "machine") != (label == "machine"):
                errors.add((sequence.name, number))
    return errors


def test_sequences_are_many_and_state_their_reason() -> None:
    lines = [json.loads(line) for file in FILES for line in file.read_text("utf-8").splitlines()]
    assert len(lines) >= 80 and len({line["name"] for line in lines}) == len(lines)
    assert all(line["why"] for line in lines)
    assert all(all(sequence.labels) for sequence in read())


def test_no_human_is_classified_as_a_machine_except_known_errors() -> None:
    assert wrong("human") == HUMANS_AS_MACHINES


def test_no_machine_sets_flags_except_known_errors() -> None:
    assert wrong("machine") == MACHINES_THAT_SET_FLAGS


def test_classifications_agree_with_labels() -> None:
    pairs = [
        (label, each.source)
        for sequence in read()
        for label, each in zip(sequence.labels, sequence.classified(), strict=True)
    ]
    print(f"\n{sequences.confusion(pairs)}\n{len(pairs)} hits in {len(list(read()))} sequences")
    assert sum(label == source for label, source in pairs) / len(pairs) > 0.85
    assert sum((label == "machine") == (source == "machine") for label, source in pairs) / len(pairs) > 0.95


def test_a_prefix_in_clear_gives_the_same_classifications_as_its_hash() -> None:
    in_clear = [sequence.classified() for sequence in read(Observer(b"", "truncated"))]
    assert in_clear == [sequence.classified() for sequence in read()]


def test_without_prefixes_only_bursts_are_missed() -> None:
    blind = Observer(b"", "none")
    missed = {name for name, _ in wrong("machine", blind) - MACHINES_THAT_SET_FLAGS}
    assert missed == {"a gateway without a name empties its queue", "a gateway without a name, late"}


@pytest.mark.parametrize("seed", range(5))
def test_order_and_repetition_change_nothing(seed: int) -> None:
    chance = random.Random(seed)
    for sequence in read():
        hits = list(sequence.hits) * 2
        chance.shuffle(hits)
        shuffled = {(one.id, one.source, one.reasons) for one in replace(sequence, hits=tuple(hits)).classified()}
        assert shuffled == {(one.id, one.source, one.reasons) for one in sequence.classified()}
