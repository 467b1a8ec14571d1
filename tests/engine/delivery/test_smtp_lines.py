"""Replies out of bytes, in whatever pieces these come."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.delivery.smtp.lines import Garbage, Reader

STREAM = b"220 hello\r\n250-a\r\n250-b\r\n250 c\r\n550\r\n354 go\n"
REPLIES = [(220, b"220 hello"), (250, b"250-a\n250-b\n250 c"), (550, b"550"), (354, b"354 go")]


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_replies_are_the_same_however_the_stream_is_cut(cuts):
    reader = Reader()
    edges = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[start:end] for start, end in pairwise(edges)]
    assert [reply for piece in pieces for reply in reader.feed(piece)] == REPLIES
    assert reader.is_between_replies


@pytest.mark.parametrize(
    "noise", [b"hello\r\n", b"25\r\n", b"099 x\r\n", b"700 x\r\n", b"250x\r\n", b"\r\n", b"\0\0\r\n"]
)
def test_noise_is_called_garbage_after_the_replies_before_it(noise):
    found = []
    with pytest.raises(Garbage):
        found.extend(Reader().feed(b"250 fine\r\n" + noise))
    reader = Reader().feed(b"250 fine\r\n" + noise)
    assert next(reader) == (250, b"250 fine")


def test_endless_reply_is_called_garbage():
    with pytest.raises(Garbage):
        list(Reader().feed(b"250 " + b"x" * 5_000))
    with pytest.raises(Garbage):
        list(Reader().feed(b"250-x\r\n" * 200))
