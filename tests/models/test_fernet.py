"""Our Fernet against the library's: each reads what the other writes, and refuses what the other refuses."""

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
    """A token with a right tag over whatever `body` is."""
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
def test_the_library_reads_what_the_ring_writes(text: bytes) -> None:
    assert Fernet(KEYS[0]).decrypt(RING.encrypt(text)) == text


@given(TEXTS, st.sampled_from(KEYS))
def test_the_ring_reads_what_the_library_writes_under_each_of_its_keys(text: bytes, key: str) -> None:
    assert RING.decrypt(Fernet(key).encrypt(text).decode()) == text


@given(TEXTS, st.data())
def test_a_token_that_was_changed_is_read_as_the_library_reads_it(text: bytes, data: st.DataObject) -> None:
    token = RING.encrypt(text).decode()
    at = data.draw(st.integers(0, len(token) - 1))
    put = data.draw(st.text(st.sampled_from("Aa-_+/= \n\xe9"), max_size=2))
    changed = token[:at] + put + token[at + data.draw(st.integers(0, 40)) :]
    assert read(changed) == read_by_library(changed)


@given(st.binary(max_size=90))
def test_what_is_tagged_but_no_token_is_refused_as_the_library_does(body: bytes) -> None:
    for token in (made(body), made(b"\x80" + body)):
        assert read(token) == read_by_library(token)
        assert RING.decrypt(Fernet(KEYS[0]).encrypt(b"next").decode()) == b"next"


@pytest.mark.parametrize("last", [b"\x00", b"\x11", b"\xff", b"\x01\x02", b"\x03\x02\x03", b"\x10" * 15])
def test_wrong_padding_is_refused(last: bytes) -> None:
    assert read(made(ciphered(last.rjust(32, b"a")))) is InvalidToken


@given(st.binary(min_size=16, max_size=64).filter(lambda blocks: len(blocks) % 16 == 0))
def test_any_padding_is_read_as_the_library_reads_it(blocks: bytes) -> None:
    token = made(ciphered(blocks))
    assert read(token) == read_by_library(token)


def test_a_key_outside_the_ring_reads_nothing() -> None:
    assert read(Fernet(Fernet.generate_key()).encrypt(b"x").decode()) is InvalidToken


def test_every_token_begins_with_another_vector() -> None:
    tokens = [urlsafe_b64decode(RING.encrypt(b"the same")) for _ in range(1_000)]
    assert len({token[9:25] for token in tokens}) == 1_000
    assert len({token[25:41] for token in tokens}) == 1_000


def test_no_key_or_a_bad_one_is_refused() -> None:
    for keys in ([], ["short"]):
        with pytest.raises(ValueError, match=r"Fernet"):
            Ring(keys)


def test_threads_do_not_disturb_each_other() -> None:
    wrong: list[bytes] = []

    def work(number: int) -> None:
        for turn in range(2_000):
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
def test_many_are_read_as_each_would_be_alone(texts: list[tuple[bytes, str]], odd: list[str], dice: Random) -> None:
    tokens = [*(Fernet(key).encrypt(text).decode() for text, key in texts), *odd]
    dice.shuffle(tokens)
    alone = [read(token) for token in tokens]
    failure = next((read for read in alone if isinstance(read, type)), None)
    if failure is None:
        assert RING.decrypt_all(tokens) == alone
    else:
        with pytest.raises(failure):
            RING.decrypt_all(tokens)


def test_many_of_the_first_key_are_read_together(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = [RING.encrypt(b"a" * size) for size in range(50)]
    monkeypatch.delattr(Ring, "decrypt")  # one by one
    assert RING.decrypt_all([token.decode() for token in tokens]) == [b"a" * size for size in range(50)]
