"""Folding of names in SQL: without upper case and accents, for indexes and searches by prefix.

The only definition: a search folds its text by the same expression as the indexes. It depends on no collation of the
host, so an index survives an upgrade of the C library. Text of ASCII alone takes a tenth of the time.
"""

_CAPITALS = "".join(chr(code) for code in (*range(0x391, 0x3A2), *range(0x3A3, 0x3AA), *range(0x410, 0x430)))
_GREEK_CYRILLIC = (_CAPITALS, _CAPITALS.lower())
_LATIN = ("ÆæŒœØøŁłĐđÐðÞþĦħŦŧıß", "aaoooollddddtthhttis")  # they have no accent that could be removed
_FROM, _TO = (latin + other for latin, other in zip(_LATIN, _GREEK_CYRILLIC, strict=True))
LONGEST = 100  # characters; an entry of an index may have 2,700 bytes
# Text with one of these needs `translate`, which takes longer than all else.
_OTHERS = f"[{_LATIN[0]}\\u01e2-\\u01ff\\u0370-\\u052f\\u1f00-\\u1fff]"


def sql(text: str) -> str:
    """Return the SQL expression of `text`, itself an expression, folded; to be ordered and compared by code points."""
    plain = f'({text}) COLLATE "C"'
    bare = f"lower(regexp_replace(normalize({plain}, NFD), '[\\u0300-\\u036f]', '', 'g'))"
    return (
        f"left(CASE WHEN octet_length({text}) = char_length({text}) THEN lower({plain}) "
        f"WHEN {plain} ~ '{_OTHERS}' THEN translate({bare}, '{_FROM}', '{_TO}') ELSE {bare} END, {LONGEST})"
    )
