"""Collect the texts of the pages, and compile their translations: `make translations`.

python -m web.pages.frame.catalog      update web/pages/translations/es/LC_MESSAGES/messages.po, then compile it
"""

import sys
from io import BytesIO
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

_PAGES = Path(__file__).parents[1]
SPANISH = _PAGES / "translations" / "es" / "LC_MESSAGES" / "messages.po"
COMPILED = SPANISH.with_suffix(".mo")
_METHODS = [("**.py", "python"), ("templates/pages/**.html", "jinja2")]
_KEYWORDS = dict.fromkeys(("_", "gettext", "lazy_gettext", "gettext_noop"))
_KEYWORDS |= dict.fromkeys(("ngettext", "lazy_ngettext"), (1, 2))


def extracted() -> Catalog:
    """Return the catalog of all texts in the code and the templates of the pages."""
    catalog = Catalog()
    for name, line, message, comments, _ in extract_from_dir(str(_PAGES), _METHODS, keywords=_KEYWORDS):
        catalog.add(message, None, [(name, line)], auto_comments=comments)
    return catalog


def stored() -> Catalog:
    """Return the Spanish catalog, empty if it does not exist yet."""
    if not SPANISH.exists():
        return Catalog(locale="es")
    with SPANISH.open("rb") as file:
        return read_po(file, locale="es")


def untranslated(catalog: Catalog) -> list[object]:
    """Return the texts without a translation, or without one of its plural forms."""
    return [message.id for message in catalog if message.id and not all(forms(message.string))]


def forms(text: object) -> tuple[str, ...]:
    """Return the text, or its singular and plural."""
    return tuple(str(form) for form in text) if isinstance(text, (tuple, list)) else (str(text or ""),)


def compiled(catalog: Catalog) -> bytes:
    """Return a catalog in the form that gettext reads."""
    written = BytesIO()
    write_mo(written, catalog)
    return written.getvalue()


def main() -> None:
    """Update and compile the Spanish catalog; exit with status 1 if texts lack a translation."""
    catalog = stored()
    created = catalog.creation_date
    catalog.update(extracted(), no_fuzzy_matching=True)
    catalog.creation_date = created
    catalog.obsolete.clear()
    SPANISH.parent.mkdir(parents=True, exist_ok=True)
    with SPANISH.open("wb") as file:
        write_po(file, catalog, width=120, sort_output=True, no_location=True, omit_header=False)
    COMPILED.write_bytes(compiled(catalog))
    missing = untranslated(catalog)
    print(f"{len(catalog)} texts, {len(missing)} without translation", *missing, sep="\n  ")
    sys.exit(bool(missing))


if __name__ == "__main__":
    main()
