"""Tokens return what was signed; any other token is invalid."""

import base64
import string
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import errors
from engine.tracking import tokens
from tests import fuzz

OLD, NEW = b"an old key of sixteen bytes or more", b"a new key of sixteen bytes or more"
SIGNER = tokens.Signer([NEW, OLD])
EMAIL = UUID("0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")
TARGET = "https://agenda.example/reunion?a=1&b=%C3%A9#x"
READERS = (SIGNER.read_opened, SIGNER.read_clicked, SIGNER.read_unsubscribe)

printable = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=300)


def all_three(signer: tokens.Signer = SIGNER) -> list[str]:
    return [signer.opened(EMAIL), signer.clicked(EMAIL, 3, TARGET), signer.unsubscribe(EMAIL)]


def test_reading_a_token_returns_what_was_signed() -> None:
    assert SIGNER.read_opened(SIGNER.opened(EMAIL)) == EMAIL
    assert SIGNER.read_unsubscribe(SIGNER.unsubscribe(EMAIL)) == EMAIL
    assert SIGNER.read_clicked(SIGNER.clicked(EMAIL, 3, TARGET)) == tokens.Click(EMAIL, 3, TARGET)


@given(st.uuids(), st.integers(0, tokens.LINK_MAX), st.sampled_from(["http", "https", "HTTPS"]), printable)
@settings(max_examples=fuzz.examples(60))
def test_any_click_survives_signing_and_reading(email_id: UUID, link: int, scheme: str, rest: str) -> None:
    target = f"{scheme}://a{rest}"
    assert SIGNER.read_clicked(SIGNER.clicked(email_id, link, target)) == tokens.Click(email_id, link, target)


def test_tokens_fit_a_path_segment() -> None:
    assert len(SIGNER.opened(EMAIL)) <= 48
    assert len(SIGNER.unsubscribe(EMAIL)) <= 48
    assert set("".join(all_three())) <= set(string.ascii_letters + string.digits + "-_")


def test_a_token_of_one_kind_is_invalid_as_another() -> None:
    for made, own in zip(all_three(), READERS, strict=True):
        for reader in READERS:
            if reader is not own:
                with pytest.raises(tokens.InvalidToken):
                    reader(made)


def test_a_boundary_is_specific_to_its_email_and_in_no_token() -> None:
    boundary = SIGNER.email(EMAIL).boundary()
    assert len(boundary) == 22
    assert boundary == SIGNER.email(EMAIL).boundary() != SIGNER.email(UUID(int=1)).boundary()
    assert boundary != tokens.Signer([OLD]).email(EMAIL).boundary()
    secret = base64.urlsafe_b64decode(boundary + b"==")
    assert not any(secret in base64.urlsafe_b64decode(token + "==") for token in all_three())


def test_every_altered_character_is_refused() -> None:
    token = SIGNER.clicked(EMAIL, 3, TARGET)
    for at, sign in enumerate(token):
        other = "A" if sign != "A" else "B"
        with pytest.raises(tokens.InvalidToken):
            SIGNER.read_clicked(token[:at] + other + token[at + 1 :])


@pytest.mark.parametrize(
    "garbage", ["", "a", "=", "AAAA", "A" * 44, "ñ" * 44, "\x00" * 44, "../" * 15, "A" * 10_000, "\ud800"]
)
def test_garbage_is_refused_when_read(garbage: str) -> None:
    for reader in READERS:
        with pytest.raises(tokens.InvalidToken):
            reader(garbage)


def bodies_and_tags(email_id: UUID, link: int, target: str) -> list[tuple[bytes, bytes]]:
    made = (SIGNER.opened(email_id), SIGNER.unsubscribe(email_id), SIGNER.clicked(email_id, link, target))
    raw = [base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)) for token in made]
    return [(each[: -tokens._TAG], each[-tokens._TAG :]) for each in raw]


@given(st.uuids(), st.integers(0, 20), st.sampled_from(["https://a.example/", "https://evil.example/"]))
@settings(max_examples=fuzz.examples(40))
def test_no_token_can_be_assembled_from_parts_of_others(email_id: UUID, link: int, target: str) -> None:
    """Another e-mail, link, target or kind with a valid tag: a reader of two e-mails has both tokens."""
    mine, theirs = bodies_and_tags(EMAIL, 3, TARGET), bodies_and_tags(email_id, link, target)
    signed = {*mine, *theirs}
    for body in {body for body, _ in signed}:
        for tag in {tag for _, tag in signed} - {tag for known, tag in signed if known == body}:
            token = base64.urlsafe_b64encode(body + tag).rstrip(b"=").decode()
            for read in READERS:
                with pytest.raises(errors.NotFound):
                    read(token)


def test_another_encoding_of_the_same_bytes_is_refused() -> None:
    token = SIGNER.clicked(EMAIL, 3, "https://a.example/1")  # 54 bytes would need no padding; this one has spare bits
    raw = base64.urlsafe_b64decode(token + "==")
    spellings = [token + "=", token + "==", " " + token, token + "\n", token.replace("-", "+").replace("_", "/") + "+"]
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    spellings += [
        token[:-1] + last
        for last in alphabet
        if last != token[-1] and base64.urlsafe_b64decode(token[:-1] + last + "==") == raw
    ]
    for spelling in spellings:
        with pytest.raises(tokens.InvalidToken):
            SIGNER.read_clicked(spelling)


def test_an_old_key_still_reads_and_the_first_one_signs() -> None:
    before, after = tokens.Signer([OLD]), tokens.Signer([NEW])
    assert SIGNER.read_opened(before.opened(EMAIL)) == EMAIL
    assert after.read_opened(SIGNER.opened(EMAIL)) == EMAIL
    with pytest.raises(tokens.InvalidToken):
        before.read_opened(SIGNER.opened(EMAIL))


def test_keys_with_one_id_are_all_tried() -> None:
    by_id: dict[str, bytes] = {}
    for number in range(1_000):  # 256 ids: two keys meet long before
        key = b"key number %06d, long enough" % number
        name = tokens.Signer([key]).opened(EMAIL)[0]
        ring = tokens.Signer([key, by_id.setdefault(name, key)])
        if by_id[name] != key and ring.read_opened(tokens.Signer([by_id[name]]).opened(EMAIL)) == EMAIL:
            return
    raise AssertionError("no two keys shared an id")


@pytest.mark.parametrize("keys", [[], [b"short"], [NEW, b"x" * 15]])
def test_a_ring_without_proper_keys_is_refused(keys: list[bytes]) -> None:
    with pytest.raises(ValueError, match="key"):
        tokens.Signer(keys)


@pytest.mark.parametrize(
    "target",
    [
        "", "javascript:alert(1)", "data:text/html,x", "ftp://a.example", "//a.example", "https://", "https:///x",
        "https://?x", "https://a.example/ x", "https://a.example/\r\nSet-Cookie: a", "https://ñ.example", "/path",
        " https://a.example", "https:\\\\a.example", "https://\\a.example", "https://a.example/" + "x" * 2_048,
    ],
)  # fmt: skip
def test_only_web_addresses_are_signed(target: str) -> None:
    assert not tokens.is_web(target)
    with pytest.raises(ValueError, match="http"):
        SIGNER.clicked(EMAIL, 0, target)


@pytest.mark.parametrize("link", [-1, 65_536])
def test_a_link_number_out_of_range_is_refused(link: int) -> None:
    with pytest.raises(ValueError, match="link"):
        SIGNER.clicked(EMAIL, link, TARGET)


def test_a_signed_target_that_is_no_web_address_is_still_refused() -> None:
    body = SIGNER._first.prefix + EMAIL.bytes + b"\0\0javascript:alert(1)"
    forged = base64.urlsafe_b64encode(body + SIGNER._first.tag(1, body)).rstrip(b"=").decode()
    with pytest.raises(tokens.InvalidToken):
        SIGNER.read_clicked(forged)


def test_an_invalid_token_looks_like_a_deleted_email() -> None:
    assert issubclass(tokens.InvalidToken, errors.NotFound)
