"""Write the body of a message: multipart/alternative of text and HTML, encoded only if the transport needs it."""

from binascii import b2a_base64, b2a_qp

LINE_OCTETS_MAX = 998  # RFC 5321 section 4.5.3.1.6, without CRLF

_ASCII = bytes(range(128))
_BASE64_CHARS = 76  # in a line, RFC 2045 section 6.8
_PART = b'Content-Type: text/%b; charset="utf-8"\r\nContent-Transfer-Encoding: %b\r\n\r\n'
_ENCODINGS = (b"7bit", b"8bit", b"quoted-printable", b"base64")
_PLAIN, _RICH = ({name: _PART % (subtype, name) for name in _ENCODINGS} for subtype in (b"plain", b"html"))


def alternative(text: bytes, html: bytes, *, boundary: bytes, eight_bit: bool, head: bytes = b"") -> bytes:
    """Return `head`, the Content-Type field and the body.

    `text` and `html` are UTF-8 with CRLF line ends and no NUL. They must not contain `boundary`, which is not checked.
    `eight_bit`: the server supports 8BITMIME (RFC 6152). Without it, or if a line is longer than 998 octets, a part is
    encoded as quoted-printable or base64.
    """
    separator = b"=_" + boundary
    text_as, plain = _encoded(text, eight_bit)
    html_as, rich = _encoded(html, eight_bit)
    return b"".join((
        head, b'Content-Type: multipart/alternative; boundary="', separator, b'"\r\n\r\n--',
        separator, b"\r\n", _PLAIN[text_as], plain, b"\r\n--",
        separator, b"\r\n", _RICH[html_as], rich, b"\r\n--", separator, b"--\r\n",
    ))  # fmt: skip


def has_long_line(data: bytes) -> bool:
    """Return True if a line has more than 998 octets; searches only for the last line end within each 998."""
    at = 0
    while len(data) - at > LINE_OCTETS_MAX:
        at = data.rfind(b"\r\n", at, at + LINE_OCTETS_MAX + 2) + 2
        if at == 1:
            return True
    return False


def _encoded(data: bytes, eight_bit: bool) -> tuple[bytes, bytes]:
    if not has_long_line(data):
        if data.isascii():
            return b"7bit", data
        if eight_bit:
            return b"8bit", data
    # Quoted-printable turns one octet into three, base64 three into four: equal at one sixth of non-ASCII octets.
    if len(data.translate(None, _ASCII)) * 6 > len(data):
        return b"base64", _base64(data)
    return b"quoted-printable", b2a_qp(data + b"\r\n")[:-2]  # without a CRLF in it, it breaks lines with a bare LF


def _base64(data: bytes) -> bytes:
    encoded = b2a_base64(data, newline=False)
    return b"\r\n".join([encoded[at : at + _BASE64_CHARS] for at in range(0, len(encoded), _BASE64_CHARS)])
