"""Parsing of replies from bytes in pieces of any size."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.delivery.smtp.reply_parser import InvalidReply, ReplyParser, match_accepted_round

STREAM = b"220 hello\r\n250-a\r\n250-b\r\n250 c\r\n550\r\n354 go\n"
REPLIES = [(220, b"220 hello"), (250, b"250-a\n250-b\n250 c"), (550, b"550"), (354, b"354 go")]


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_replies_do_not_depend_on_how_the_stream_is_cut(cuts: list[int]) -> None:
    parser = ReplyParser()
    edges = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[start:end] for start, end in pairwise(edges)]
    assert [reply for piece in pieces for reply in parser.feed(piece)] == REPLIES
    assert parser.is_between_replies


@pytest.mark.parametrize(
    "noise", [b"hello\r\n", b"25\r\n", b"099 x\r\n", b"700 x\r\n", b"250x\r\n", b"\r\n", b"\0\0\r\n"]
)
def test_invalid_reply_is_an_error_after_the_valid_replies_before_it(noise: bytes) -> None:
    replies: list[tuple[int, bytes]] = []
    with pytest.raises(InvalidReply):
        replies.extend(ReplyParser().feed(b"250 fine\r\n" + noise))
    parser = ReplyParser().feed(b"250 fine\r\n" + noise)
    assert next(parser) == (250, b"250 fine")


def test_endless_reply_is_an_error() -> None:
    with pytest.raises(InvalidReply):
        list(ReplyParser().feed(b"250 " + b"x" * 5_000))
    with pytest.raises(InvalidReply):
        list(ReplyParser().feed(b"250-x\r\n" * 200))


GOOD = [b"250 2.1.0 Ok\r\n", b"250 Ok\n", b"354 go\r\n", b"250-more\r\n", b"250\r\n", b"251 forwards\r\n"]
BAD = [b"550 no\r\n", b"451 later\r\n", b"421 bye\r\n", b"2500 x\r\n", b"\r\n", b"354 torn", b"250 a\rb\r\n"]
LINES = st.sampled_from([*GOOD, *BAD])


@given(st.lists(LINES, max_size=6).map(b"".join) | st.binary(max_size=40))
def test_an_accepted_round_has_the_replies_that_the_parser_returns(data: bytes) -> None:
    match = match_accepted_round(data)
    if match is not None:
        parser = ReplyParser()
        replies = list(parser.feed(data))
        assert [code for code, _ in replies] == [250, 250, 250, 354]
        assert replies[0] == (250, match[1])
        assert parser.is_between_replies


def test_an_accepted_round_is_matched() -> None:
    match = match_accepted_round(b"250 2.0.0 Ok: queued as 7\r\n250 Ok\r\n250 Ok\r\n354 go\r\n")
    assert match[1] == b"250 2.0.0 Ok: queued as 7"
