"""Labelled sequences of hits: what people and machines do, as documented or as their ways make it likely.

The labels tell the truth, not what the rules can see. `-s` prints the confusion matrix.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.tracking import bots
from engine.tracking.bots import sequences

FILES = sorted((Path(__file__).parent / "sequences").glob("*.jsonl"))
OBSERVER = bots.Observer(b"k" * 32, "hashed")

# Where rules and labels disagree and nothing that is observed could mend it, as (sequence, hit).
TAKEN_FOR_MACHINES = {
    ("fast, and by a VPN", 0),
}
MOVES_FLAGS_THOUGH_A_MACHINE = {
    ("a patient scanner with one link", 0),
    ("a gateway without a name follows its three links", 0),
    ("a gateway without a name follows its three links", 1),
    ("a gateway without a name follows its three links", 2),
    ("Safe Links at the time of the click", 0),
}


def read(observer: bots.Observer = OBSERVER) -> Iterator[sequences.Sequence]:
    for file in FILES:
        for line in file.read_text("utf-8").splitlines():
            yield sequences.read(line, observer)


def wrong(label: str, observer: bots.Observer = OBSERVER) -> set[tuple[str, int]]:
    """The hits with this label that are treated as the other kind: what is unknown moves flags as a human does."""
    found = set()
    for sequence in read(observer):
        for number, verdict in enumerate(sequence.judged()):
            if sequence.labels[number] == label and (verdict.source == "machine") != (label == "machine"):
                found.add((sequence.name, number))
    return found


def test_the_table_is_large_and_says_why() -> None:
    told = [json.loads(line) for file in FILES for line in file.read_text("utf-8").splitlines()]
    assert len(told) >= 80 and len({one["name"] for one in told}) == len(told)
    assert all(one["why"] for one in told)
    assert all(all(sequence.labels) for sequence in read())


def test_no_reader_is_taken_for_a_machine_but_those_known() -> None:
    assert wrong("human") == TAKEN_FOR_MACHINES


def test_no_machine_moves_flags_but_those_known() -> None:
    assert wrong("machine") == MOVES_FLAGS_THOUGH_A_MACHINE


def test_verdicts_agree_with_labels() -> None:
    pairs = [
        (label, verdict.source)
        for sequence in read()
        for label, verdict in zip(sequence.labels, sequence.judged(), strict=True)
    ]
    print(f"\n{sequences.confusion(pairs)}\n{len(pairs)} hits in {len(list(read()))} sequences")
    assert sum(label == source for label, source in pairs) / len(pairs) > 0.85
    assert sum((label == "machine") == (source == "machine") for label, source in pairs) / len(pairs) > 0.95


def test_a_prefix_in_clear_gives_the_same_verdicts_as_its_hash() -> None:
    in_clear = [sequence.judged() for sequence in read(bots.Observer(b"", "truncated"))]
    assert in_clear == [sequence.judged() for sequence in read()]


def test_without_prefixes_only_what_needs_them_is_missed() -> None:
    blind = bots.Observer(b"", "none")
    missed = {name for name, _ in wrong("machine", blind) - MOVES_FLAGS_THOUGH_A_MACHINE}
    assert missed == {"a gateway without a name empties its queue", "a gateway without a name, late"}


@pytest.mark.parametrize("seed", range(5))
def test_order_and_repeats_change_nothing(seed: int) -> None:
    chance = random.Random(seed)
    for sequence in read():
        hits = list(sequence.hits) * 2
        chance.shuffle(hits)
        told = {(one.id, one.source, one.reasons) for one in replace(sequence, hits=tuple(hits)).judged()}
        assert told == {(one.id, one.source, one.reasons) for one in sequence.judged()}
