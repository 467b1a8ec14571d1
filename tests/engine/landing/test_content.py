"""The content of a landing page: every fault is named with its field, rich text is cleaned, colours can be read."""

from typing import Any

import pytest

from engine.landing import content, rich_text
from engine.templates import brand
from errors import InvalidInput
from tests.engine.landing import drafts
from tests.engine.landing.drafts import both


def faults(**changes: Any) -> dict[str, str]:
    """Return the faults of content with these changes."""
    with pytest.raises(InvalidInput) as refused:
        content.read(drafts.content(**changes))
    return {fault.field: fault.message for fault in refused.value.faults}


def one(**block: Any) -> dict[str, str]:
    """Return the faults of a page with one block."""
    return faults(blocks=[block])


def test_a_page_of_every_kind_is_read_and_restored() -> None:
    made = content.read(
        drafts.content(design="bold", noindex=True, blocks=[*drafts.blocks(), {"kind": "form", "form": "guia"}])
    )
    assert (made.languages, made.form, made.pictures) == (("es", "en"), "guia", [drafts.PICTURE])
    assert content.restored(made.stored()) == made
    assert content.read(made.stored()).digest == made.digest


def test_blank_texts_and_fields_are_left_out() -> None:
    made = content.read({"title": {"es": " Guía ", "en": " "}, "blocks": [
        {"kind": "text", "title": {"es": ""}, "text": {"es": "a\r\nb"}}]})  # fmt: skip
    assert (made.title, made.blocks) == ({"es": "Guía"}, ({"kind": "text", "text": {"es": "a\nb"}},))


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"titel": {}}, "titel", "did you mean title?"),
        ({"title": {}}, "title", "is needed"),
        ({"title": "Guía"}, "title", "by language"),
        ({"title": both("a\nb")}, "title.es", "remove the line breaks"),
        ({"title": {"fr": "Guide"}}, "title.fr", "there are es, en"),
        ({"title": both("x" * 151)}, "title.es", "has 151 characters; at most 150"),
        ({"design": "bolt"}, "design", "did you mean bold?"),
        ({"noindex": "yes"}, "noindex", "true or false"),
        ({"converted_on": "click"}, "converted_on", "there are submit, load, never"),
        ({"color": "teal"}, "color", "such as #0b6b62"),
        ({"color": "red;}"}, "color", "such as #0b6b62"),
        ({"logo": "https://elsewhere.example/logo.png"}, "logo", "uploaded picture"),
        ({"logo": "/a/0123456789abcdef.svg"}, "logo", "uploaded picture"),
        ({"blocks": "x"}, "blocks", "a list of blocks"),
        ({"blocks": [{"kind": "text", "text": both("x")}] * 10_000}, "blocks", "has 10000 blocks; at most 40"),
        ({"blocks": [{"kind": "legal", "text": both("ñ" * 4_000)}] * 20}, "blocks", "bytes of JSON; at most 100000"),
    ],
)  # fmt: skip
def test_a_fault_names_its_field_and_what_would_be_right(changes: dict[str, Any], field: str, words: str) -> None:
    assert words in faults(**changes)[field]


@pytest.mark.parametrize(
    ("block", "field", "words"),
    [
        ("x", "blocks[0]", "give an object"),
        ({}, "blocks[0].kind", "is not a kind of block"),
        ({"kind": "heroe"}, "blocks[0].kind", "did you mean hero?"),
        ({"kind": "__proto__"}, "blocks[0].kind", "is not a kind of block"),
        ({"kind": "hero", "title": both("x"), "titel": 1}, "blocks[0].titel", "did you mean title?"),
        ({"kind": "hero", "title": both("x"), "__proto__": {}}, "blocks[0].__proto__", "is not a field of hero"),
        ({"kind": "hero", "title": both("x"), "a@b.example": 1}, "blocks[0].?", "this value is not a field"),
        ({"kind": "hero"}, "blocks[0].title", "is needed"),
        ({"kind": "hero", "title": {"es": 7}}, "blocks[0].title.es", "give a text"),
        ({"kind": "hero", "title": both("x\x00")}, "blocks[0].title.es", "invisible characters"),
        ({"kind": "hero", "title": both("x"), "target": "javascript:alert(1)"}, "blocks[0].target", "web address"),
        ({"kind": "hero", "title": both("x"), "target": "//evil.example"}, "blocks[0].target", "web address"),
        ({"kind": "hero", "title": both("x"), "target": "/\\evil.example"}, "blocks[0].target", "web address"),
        ({"kind": "hero", "title": both("x"), "target": "https://a@b.example"}, "blocks[0].target", "web address"),
        ({"kind": "picture", "alt": both("x")}, "blocks[0].picture", "is needed"),
        ({"kind": "picture", "picture": drafts.PICTURE}, "blocks[0].alt", "is needed"),
        ({"kind": "benefits", "items": []}, "blocks[0].items", "give 1 to 12"),
        ({"kind": "benefits", "items": [{"title": both("x"), "txt": 1}]}, "blocks[0].items[0].txt", "mean text?"),
        ({"kind": "form", "form": "../x"}, "blocks[0].form", "the slug of a form"),
    ],
)  # fmt: skip
def test_a_fault_of_a_block_names_its_place(block: Any, field: str, words: str) -> None:
    assert words in faults(blocks=[block])[field]


def test_a_page_has_one_form_and_at_most_fifty_faults() -> None:
    forms = [{"kind": "form", "form": "guia"}, {"kind": "form", "form": "otra"}]
    assert "is a second form" in faults(blocks=forms)["blocks[1].kind"]
    assert len(faults(blocks=[{"kind": "text", **{f"field{n}": 1 for n in range(10)}}] * 40)) <= 50


@pytest.mark.parametrize(
    ("background", "color"), [("#ffffff", "#f2c14e"), ("#fff3d6", "#0a9e8f"), ("#eef1f4", "#ff0000")]
)
def test_a_colour_that_cannot_be_read_is_refused_with_the_nearest_one(background: str, color: str) -> None:
    [message] = faults(background=background, color=color).values()
    nearest = message.rpartition("; ")[2].split()[0]
    assert brand.contrast(color, background) < 4.5 <= brand.contrast(nearest, background)
    assert content.read(drafts.content(background=background, color=nearest)).color == nearest


def test_a_dark_background_is_refused_with_the_nearest_light_one() -> None:
    message = faults(background="#808080")["background"]
    nearest = message.rpartition("; ")[2].split()[0]
    assert content.read(drafts.content(background=nearest, color="#000000")).background == nearest


def test_rich_text_keeps_a_few_tags_and_no_scripts() -> None:
    hostile = (
        '<script>alert(1)</script><p onclick="x()">Hola <b>tú</b> <a href="javascript:alert(1)">a</a>'
        '<a href="https://b.example" target="_blank">b</a><img src=x onerror=y><style>*{}</style>'
        '<iframe src="//c"></iframe>'
    )
    [block] = content.read(drafts.content(blocks=[{"kind": "text", "text": both(hostile)}])).blocks
    cleaned = block["text"]["es"]
    assert cleaned.startswith("<p>Hola <b>tú</b>") and 'href="https://b.example"' in cleaned
    for word in ("script", "onclick", "alert", "img", "style", "iframe", "target"):
        assert word not in cleaned
    assert rich_text.html(cleaned) == cleaned


def test_plain_text_gets_its_paragraphs_and_is_escaped() -> None:
    assert rich_text.html("Uno & 2 < 3\ndos\n\n\n tres") == "<p>Uno &amp; 2 &lt; 3<br>dos</p><p>tres</p>"
    assert rich_text.html("Uno <b>y</b>\n\ndos") == "<p>Uno <b>y</b></p><p>dos</p>"
    assert rich_text.cleaned("Uno & 2 < 3") == "Uno & 2 < 3"


def test_lists_of_blocks_have_the_words_of_rich_text_without_its_tags() -> None:
    cleaned = rich_text.cleaned('<p>Uno <b>y</b>.</p><p>Dos &amp; <a href="https://b.example">tres</a></p>')
    assert rich_text.plain(cleaned).split() == ["Uno", "y.", "Dos", "&", "tres"]
    assert rich_text.plain("Uno & 2 < 3") == "Uno & 2 < 3"


def test_right_to_left_text_and_emoji_are_taken() -> None:
    made = content.read(drafts.content(title={"es": "مرحبا 🎉" * 10}))
    assert made.title == {"es": "مرحبا 🎉" * 10}


def test_half_a_surrogate_pair_is_no_text() -> None:
    assert "title.es" in faults(title={"es": "a\ud800"})
    assert "blocks[0].text.es" in faults(blocks=[{"kind": "text", "text": both("<b>\ud800</b>")}])
