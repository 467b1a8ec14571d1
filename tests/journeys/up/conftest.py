"""One `make up` for all tests of this folder, which takes seven processes and half a minute of CPU to start."""

from collections.abc import Iterator

import pytest

from tests.up import Up, running


@pytest.fixture(scope="package")
def up() -> Iterator[Up]:
    """The running installation."""
    with running() as started:
        yield started
