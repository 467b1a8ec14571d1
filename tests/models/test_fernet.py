"""Our Fernet agrees with the library's in both directions, also on invalid tokens."""

import struct
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from random import Random

import pytest
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hmac import HMAC
from hypothesis import given
from hypothesis import strategies as st

from models.fernet import Ring

KEYS = [urlsafe_b64encode(bytes([number]) * 32).decode() for number in (1, 2, 3)]
RING = Ring(KEYS)
LIBRARY = MultiFernet([Fernet(key) for key in KEYS])
TEXTS = st.binary(max_size=100)


def made(body: bytes, key: str = KEYS[0]) -> str:
    """Return a token with a valid tag over any `body`."""
    mac = HMAC(urlsafe_b64decode(key)[:16], hashes.SHA256())
    mac.update(body)
    return urlsafe_b64encode(body + mac.finalize()).decode()


def ciphered(blocks: bytes) -> bytes:
    cipher = Cipher(algorithms.AES(urlsafe_b64decode(KEYS[0])[16:]), modes.CBC(bytes(16))).encryptor()
    return struct.pack(">BQ", 0x80, 1) + bytes(16) + cipher.update(blocks)


def read(token: str) -> bytes | type[Exception]:
    try:
        return RING.decrypt(token)
    except (InvalidToken, ValueError) as error:
        return type(error)


def read_by_library(token: str) -> bytes | type[Exception]:
    try:
        return LIBRARY.decrypt(token)
    except (InvalidToken, ValueError) as error:
        return type(error)


@given(TEXTS)
def test_the_library_decrypts_tokens_of_the_ring(text: bytes) -> None:
    assert Fernet(KEYS[0]).decrypt(RING.encrypt(text)) == text


@given(TEXTS, st.sampled_from(KEYS))
def test_the_ring_decrypts_tokens_of_the_library_with_each_key(text: bytes, key: str) -> None:
    assert RING.decrypt(Fernet(key).encrypt(text).decode()) == text


@given(TEXTS, st.data())
def test_a_changed_token_is_treated_as_by_the_library(text: bytes, data: st.DataObject) -> None:
    token = RING.encrypt(text).decode()
    at = data.draw(st.integers(0, len(token) - 1))
    put = data.draw(st.text(st.sampled_from("Aa-_+/= \n\xe9"), max_size=2))
    changed = token[:at] + put + token[at + data.draw(st.integers(0, 40)) :]
    assert read(changed) == read_by_library(changed)


@given(st.binary(max_size=90))
def test_an_invalid_body_with_a_valid_tag_is_refused_as_by_the_library(body: bytes) -> None:
    for token in (made(body), made(b"\x80" + body)):
        assert read(token) == read_by_library(token)
        assert RING.decrypt(Fernet(KEYS[0]).encrypt(b"next").decode()) == b"next"


@pytest.mark.parametrize("last", [b"\x00", b"\x11", b"\xff", b"\x01\x02", b"\x03\x02\x03", b"\x10" * 15])
def test_wrong_padding_is_refused(last: bytes) -> None:
    assert read(made(ciphered(last.rjust(32, b"a")))) is InvalidToken


@given(st.binary(min_size=16, max_size=64).filter(lambda blocks: len(blocks) % 16 == 0))
def test_any_padding_is_treated_as_by_the_library(blocks: bytes) -> None:
    token = made(ciphered(blocks))
    assert read(token) == read_by_library(token)


def test_a_key_outside_the_ring_decrypts_nothing() -> None:
    assert read(Fernet(Fernet.generate_key()).encrypt(b"x").decode()) is InvalidToken


def test_every_token_has_its_own_initialisation_vector() -> None:
    tokens = [urlsafe_b64decode(RING.encrypt(b"the same")) for _ in range(1_000)]
    assert len({token[9:25] for token in tokens}) == 1_000
    assert len({token[25:41] for token in tokens}) == 1_000


def test_an_empty_or_invalid_list_of_keys_is_refused() -> None:
    for keys in ([], ["short"]):
        with pytest.raises(ValueError, match=r"Fernet"):
            Ring(keys)


def test_threads_do_not_disturb_each_other() -> None:
    wrong: list[bytes] = []

    def work(number: int) -> None:
        for turn in range(500):
            text = b"%d of %d" % (turn, number)
            if RING.decrypt(RING.encrypt(text).decode()) != text:
                wrong.append(text)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


ODD = st.sampled_from(["", "x", "ñ", "\n", "AAAA\nAAAA", made(b"\x80" + bytes(8)), made(ciphered(bytes(16)))])


@given(st.lists(st.tuples(TEXTS, st.sampled_from(KEYS)), max_size=5), st.lists(ODD, max_size=1), st.randoms())
def test_decrypt_all_agrees_with_decrypt(texts: list[tuple[bytes, str]], odd: list[str], dice: Random) -> None:
    tokens = [*(Fernet(key).encrypt(text).decode() for text, key in texts), *odd]
    dice.shuffle(tokens)
    alone = [read(token) for token in tokens]
    assert RING.decrypt_all(tokens) == [None if isinstance(plain, type) else plain for plain in alone]


class TogetherOnly(Ring):
    """A ring that cannot decrypt one token at a time."""

    def decrypt(self, token: str) -> bytes:
        raise AssertionError(f"decrypted alone: {token}")


def test_decrypt_all_decrypts_tokens_of_the_first_key_together() -> None:
    ring = TogetherOnly(KEYS[:1])
    tokens = [ring.encrypt(b"a" * size) for size in range(50)]
    assert ring.decrypt_all([token.decode() for token in tokens]) == [b"a" * size for size in range(50)]
