"""Gathering: entries of one moment are stored together, and one thread gathers while another stores."""

import threading
from functools import partial

from tests.processes import until
from web.ingest.gathering import Gathering


class Store:
    """A slow store: each call waits until it may end."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.done: list[int] = []
        self.may_end = threading.Semaphore(0)

    def __call__(self, group: list[int]) -> None:
        self.groups.append(group)
        assert self.may_end.acquire(timeout=60)

    def take(self, gathering: Gathering[int], *numbers: int) -> None:
        for number in numbers:
            gathering.add(number, partial(self.done.append, number))


def test_entries_that_come_during_a_commit_are_one_group() -> None:
    store = Store()
    gathering = Gathering(store, gather_s=0.001)
    store.take(gathering, 0)
    until(lambda: store.groups == [[0]], "the first is being stored")
    store.take(gathering, 1, 2, 3)
    assert (store.groups, store.done) == ([[0]], [])
    store.may_end.release(2)
    until(lambda: store.done == [0, 1, 2, 3], "all are stored")
    assert store.groups == [[0], [1, 2, 3]]


def test_a_second_thread_gathers_while_the_first_stores_and_there_is_no_third() -> None:
    store = Store()
    gathering = Gathering(store, gather_s=0.001, threads=2)
    store.take(gathering, 0)
    until(lambda: store.groups == [[0]], "the first is being stored")
    store.take(gathering, 1)
    until(lambda: store.groups == [[0], [1]], "the second is being stored, too")
    store.take(gathering, 2, 3)
    assert store.done == []
    store.may_end.release(3)
    until(lambda: sorted(store.done) == [0, 1, 2, 3], "all are stored")
    assert store.groups == [[0], [1], [2, 3]]
