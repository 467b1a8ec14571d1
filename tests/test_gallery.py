"""The gallery of docs/pages.md shows every page of the menu, and its pictures are small."""

from tests import gallery
from web.pages import menu


def test_every_page_of_the_menu_has_its_picture() -> None:
    shown = {shot.endpoint for shot in gallery.SHOTS}
    assert {entry.endpoint for entry in menu.entries()} - shown == set(), "add it to tests/gallery.py: make gallery"


def test_the_pictures_are_those_of_the_document() -> None:
    document = gallery.DOCUMENT.read_text("utf-8")
    assert gallery.filled(document) == document, "make gallery"
    there = {path.name: path.stat().st_size for path in gallery.FOLDER.iterdir()}
    assert there.keys() == {f"{shot.name}{suffix}.webp" for shot in gallery.SHOTS for suffix in ("", "-360")}
    assert sum(there.values()) < gallery.BYTES_MAX
