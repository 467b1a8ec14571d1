"""The gallery of docs/pages.md has its pictures, which are small."""

from tests import gallery


def test_the_pictures_are_those_of_the_document() -> None:
    document = gallery.DOCUMENT.read_text("utf-8")
    assert gallery.filled(document) == document, "make gallery"
    there = {path.name: path.stat().st_size for path in gallery.FOLDER.iterdir()}
    assert there.keys() == {f"{shot.name}{suffix}.webp" for shot in gallery.SHOTS for suffix in ("", "-360")}
    assert sum(there.values()) < gallery.BYTES_MAX
