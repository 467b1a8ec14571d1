"""Random texts and variables for property tests, and templates written to a folder."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import strategies as st

# Any text that Jinja's syntax, HTML and line ends can trip over, and any that encodings can.
TEXTS = st.text(
    st.one_of(
        st.sampled_from("ab &<>'\"\r\n\t.=_-/é€😀\u202e\u0301\u2028\x85\x1f"),
        st.characters(exclude_categories=["Cs"], exclude_characters="\x00\ue000\ue001"),
    ),
    max_size=25,
)
URLS = st.one_of(TEXTS.map("https://a.example/{}".format), st.sampled_from(["mailto:a@a.example", "javascript:x", ""]))
VALUES = st.one_of(TEXTS, URLS, st.integers(-9, 999), st.booleans(), st.none(), st.floats(-9, 9, allow_nan=False))

# Expressions and tests of simple templates (engine/templates/template_analysis.py), and some that are not simple.
SIMPLE = st.sampled_from(
    ["a", "b", "maybe", "maybe|default('<ñ>')", "maybe|default('y', true)", "maybe|d", "a if maybe is defined else '&'",
     "a if b else (b or 'x&')", "maybe or b", "not a", "a and b", "b is defined", "'x<y'", "true", "unsubscribe_url"]
)  # fmt: skip
TESTS = st.sampled_from(
    ["a", "not b", "a and not b", "unsubscribe_url", "b or a", "maybe is defined", "maybe is undefined or not a",
     "maybe is defined and maybe", "maybe|default('')", "(a if b else maybe is defined)", "'x'"]
)  # fmt: skip
COMPLEX = st.sampled_from(
    ["b|d(7)", "a|upper", "a[0]", "a ~ b", "maybe|default(b)", "maybe|default(*a)", "self", "_links", "a if b", "7",
     "1 // 0"]
)  # fmt: skip


@contextmanager
def template_folder(body: str, subject: str = "S", text: str | None = None) -> Iterator[Path]:
    """Write a template named `any` to a temporary folder."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "any"
        folder.mkdir()
        files = {"subject.txt": subject, "body.html": body, "sample.json": "{}"} | ({"body.txt": text} if text else {})
        for name, source in files.items():
            (folder / name).write_text(source, "utf-8", newline="")
        yield folder
