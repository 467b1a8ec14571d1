"""Pictures are recognised by their content, bounded, and stripped of everything that does not draw them."""

import random
import zlib

import pytest

from engine.assets import pictures
from errors import InvalidInput
from tests.engine.assets import samples

SAMPLES = {
    "png": samples.png(),
    "jpg": samples.JPEG,
    "gif": samples.GIF,
    "webp": samples.WEBP,
    "lossless": samples.LOSSLESS,
    "animated": samples.ANIMATED,
}


def fault(octets: bytes) -> str:
    with pytest.raises(InvalidInput) as refused:
        pictures.read(octets)
    [fault] = refused.value.faults
    assert fault.field == "file"
    return fault.message


@pytest.mark.parametrize("name", SAMPLES)
def test_a_picture_keeps_its_format_and_size_and_nothing_personal(name: str) -> None:
    picture = pictures.read(SAMPLES[name] + b"<script>alert(1)</script>")
    assert picture.extension == (name if name in pictures.FORMATS else "webp")
    assert (picture.width, picture.height) == ((2, 4) if name == "jpg" else (4, 2))
    for private in (b"Camara", b"secret", b"<script>", b"GPS"):
        assert private not in picture.octets
    assert pictures.read(picture.octets) == picture


def test_a_turned_photograph_stays_upright() -> None:
    assert b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06" in pictures.read(samples.JPEG).octets


def test_a_gif_without_its_last_byte_gets_one() -> None:
    assert pictures.read(samples.GIF[:-1]) == pictures.read(samples.GIF)


def test_an_animation_keeps_its_frames_and_its_repetition() -> None:
    assert pictures.read(samples.GIF).octets.count(b",\0\0\0\0\x04\0\x02\0") == 2
    assert b"NETSCAPE2.0" in pictures.read(samples.GIF).octets
    assert pictures.read(samples.ANIMATED).octets == samples.ANIMATED


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(2_000_001), "at most 2000000"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG drawing"),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- x --><svg onload="alert(1)"/>', "an SVG drawing"),
        (b"<!doctype html><script>", "an HTML page"),
        (b"\0\0\0\x18ftypheic", "a HEIC picture"),
        (b"\0\0\0\x18ftypavif", "an AVIF picture"),
        (b"BM\x36\0", "a BMP picture"),
        (b"PK\x03\x04", "an archive"),
        (b"hello", "no picture"),
        (samples.png(30_000, 30_000, pixels=b""), "has 30000 × 30000 pixels"),
        (samples.png(10_001, 1), "at most 10000 on a side"),
        (samples.png(0, 2), "width or height is 0"),
        (samples.png(pixels=zlib.compress(bytes(9))), "too few pixels"),
        (samples.png(pixels=b"no zlib"), "cannot be decompressed"),
        (samples.png().replace(b"secret", b"sEcret"), "a checksum is wrong"),
        (samples.JPEG[:-2], "ends too early"),
        (b"\xff\xd8\xff\xd9", "has no picture"),
        (samples.GIF[:-2], "ends too early"),
        (b"GIF89a\xff\xff\xff\xff\0\0\0;", "65535 × 65535"),
        (samples.WEBP[:60], "ends too early"),
        (samples.WEBP.replace(b"\x03\0\0\x01\0\0VP8 ", b"\x03\0\0\x02\0\0VP8 "), "of the size that its header says"),
    ],
)
def test_anything_else_is_refused_with_its_reason(octets: bytes, words: str) -> None:
    assert words in fault(octets)


def test_a_bomb_of_pixels_is_refused() -> None:
    """It is made here because the parameters of a test are made in each test process."""
    assert "more pixels" in fault(samples.png(pixels=zlib.compress(bytes(100_000_000), 1)))


def test_interlaced_pixels_are_counted() -> None:
    lines = [(1, 1), (1, 1), (2, 1), (1, 2), (3, 1), (2, 3), (5, 2)]  # Adam7 of 5 × 5 pixels: columns and lines
    pixels = zlib.compress(bytes(sum((columns + 1) * rows for columns, rows in lines)))
    assert pictures.read(samples.png(5, 5, pixels=pixels, interlaced=True)).width == 5


@pytest.mark.parametrize("name", SAMPLES)
def test_any_damage_is_a_refusal_or_a_picture_and_never_another_error(name: str) -> None:
    chance, sample = random.Random(name), SAMPLES[name]
    for _ in range(300):
        damaged = bytearray(sample)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        cut = bytes(damaged[: chance.randint(0, len(damaged))]) if chance.random() < 0.3 else bytes(damaged)
        try:
            picture = pictures.read(cut)
        except InvalidInput:
            continue
        assert pictures.read(picture.octets) == picture
