"""Every text of the pages has a Spanish translation, and every translation belongs to a text."""

import re

from babel.messages import Catalog

from web.pages.frame import catalog


def _texts(of: Catalog) -> set[object]:
    return {message.id if isinstance(message.id, str) else tuple(message.id) for message in of if message.id}


def test_no_text_is_untranslated_or_unused() -> None:
    extracted, stored = _texts(catalog.extracted()), catalog.stored()
    assert len(extracted) > 40
    assert extracted - _texts(stored) == set(), "run `make translations` and translate these"
    assert _texts(stored) - extracted == set(), "run `make translations`"
    assert catalog.untranslated(stored) == []


def test_the_compiled_catalog_is_that_of_the_texts() -> None:
    assert catalog.COMPILED.read_bytes() == catalog.compiled(catalog.stored()), "run `make translations`"


def test_translations_keep_the_values_of_their_text() -> None:
    for message in catalog.stored():
        if not message.id:
            continue
        texts = [*catalog.forms(message.id), *catalog.forms(message.string)]
        values = {frozenset(re.findall(r"%\((\w+)\)", text)) for text in texts}
        assert len(values) == 1, message.id
