"""Fixtures for tests of relays."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.engine.delivery.relays.network import Network


@pytest.fixture
def network() -> Iterator[Network]:
    with ExitStack() as stack:
        yield Network(stack)
