"""Random blocks are never given out twice: not in threads, and not in a process and its child."""

import os
from concurrent.futures import ThreadPoolExecutor

from models import random_blocks

MANY = 2_000


def test_threads_get_different_blocks() -> None:
    with ThreadPoolExecutor(8) as threads:
        blocks = [each for group in threads.map(lambda _: _some(MANY), range(8)) for each in group]

    assert len(set(blocks)) == 8 * MANY
    assert {len(each) for each in blocks} == {random_blocks.SIZE}


def test_a_child_process_gets_other_blocks_than_its_parent() -> None:
    random_blocks.block()  # so that some are in memory
    reading, writing = os.pipe()
    size = 10 * random_blocks.SIZE
    if (child := os.fork()) == 0:
        os.write(writing, b"".join(_some(10)))
        os._exit(0)
    of_child = os.read(reading, size)
    os.waitpid(child, 0)
    os.close(reading)
    os.close(writing)

    assert len(of_child) == size
    assert not set(_some(MANY)) & {of_child[at : at + 16] for at in range(0, len(of_child), 16)}


def _some(count: int) -> list[bytes]:
    return [random_blocks.block() for _ in range(count)]
