"""Rich text of landing pages: plain text with empty lines between paragraphs, or a little HTML, cleaned by nh3."""

import re
from html import unescape

import nh3
from markupsafe import escape

TAGS = {"p", "br", "strong", "b", "em", "i", "a", "ul", "ol", "li", "h3", "h4", "blockquote"}
SCHEMES = {"https", "http", "mailto", "tel"}
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_APART = re.compile(r"</?(?:p|br|ul|ol|li|h3|h4|blockquote)\b")  # these tags separate words
_BLOCK = re.compile(r"<(?:p|ul|ol|h3|h4|blockquote)>")
_EMPTY_LINES = re.compile(r"\n[ \t]*\n\s*")
_CLEANER = nh3.Cleaner(
    tags=TAGS, attributes={"a": {"href"}}, url_schemes=SCHEMES, link_rel="noopener noreferrer",
    clean_content_tags={"script", "style", "template", "noscript", "iframe", "svg", "math", "textarea", "title"},
)  # fmt: skip


def cleaned(text: str) -> str:
    """Return the text with the tags of `TAGS` alone; text without tags stays as it is written."""
    return _CLEANER.clean(text) if _TAG.search(text) else text


def html(text: str) -> str:
    """Return the text as HTML that is safe in a page: cleaned, with its paragraphs marked."""
    safe = _CLEANER.clean(text) if _TAG.search(text) else str(escape(text))
    if _BLOCK.search(safe):
        return safe
    paragraphs = (part.strip().replace("\n", "<br>") for part in _EMPTY_LINES.split(safe.strip()))
    return "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)


def plain(text: str) -> str:
    """Return the words of a cleaned text, without its tags."""
    return unescape(_TAG.sub("", _APART.sub(r" \g<0>", text))) if _TAG.search(text) else text
