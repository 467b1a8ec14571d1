"""What a message looks like on the wire."""

from hypothesis import given
from hypothesis import strategies as st

from engine.delivery import smtp
from engine.delivery.smtp.envelope import Envelope, transparent
from engine.delivery.smtp.handshake import Features

PIECES = st.sampled_from([b"\r\n", b"\r", b"\n", b".", b"a", "ñ".encode(), b"\r\n.\r\n", b"\x85", b"\x0b\x0c\x1c"])
BODIES = st.lists(PIECES, max_size=12).map(b"".join)


FEATURES = Features(eight_bit=True, has_size=True)


def sealed(envelope, body):
    """The body as it may leave."""
    message, commands = envelope.seal(smtp.OutgoingMessage(0, "ana@example.com", body), FEATURES)
    needs = "" if body.isascii() else " BODY=8BITMIME"
    assert commands == f"MAIL FROM:<> SIZE={len(message.data)}{needs}\r\nRCPT TO:<ana@example.com>\r\nDATA\r\n"
    return message.data


@given(st.lists(BODIES, min_size=1, max_size=4))
def test_seal_leaves_crlf_alone_and_mends_all_else(bodies):
    envelope = Envelope("")
    for body in bodies:
        assert sealed(envelope, body) == body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")


@given(BODIES)
def test_body_comes_back_when_a_server_undoes_the_dots(body):
    data = sealed(Envelope(""), body)
    sent = transparent(data, b"MAIL FROM:<>\r\n")
    assert sent.endswith(b"\r\n.\r\nMAIL FROM:<>\r\n") or sent == b"\r\n.\r\nMAIL FROM:<>\r\n"
    lines = sent.removesuffix(b".\r\nMAIL FROM:<>\r\n").split(b"\r\n")[:-1]
    assert b"." not in lines
    whole = data if data.endswith(b"\r\n") else data + b"\r\n"
    assert b"".join(line.removeprefix(b".") + b"\r\n" for line in lines) == whole
