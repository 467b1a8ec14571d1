"""Split masked HTML or MJML into its tags."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from html import unescape
from typing import NamedTuple

VOID = frozenset(
    {"area", "base", "basefont", "bgsound", "br", "col", "embed", "hr", "image", "img", "input", "keygen", "link",
     "meta", "param", "source", "track", "wbr"}
)  # fmt: skip
# As a parser reads tags (HTML, section 13.2.5), with possessive quantifiers, so that nothing is read twice.
_BEGIN = re.compile(r"<!--|<[!?]|</(?![a-zA-Z])|</?[a-zA-Z]")
_ATTRIBUTE = re.compile(r"""([^\s/>][^\s/>=]*+)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s>"'][^\s>]*+))?+""")
_TAG = re.compile(f"<(?P<end>/?)(?P<name>[a-zA-Z][^\\s/>]*+)(?P<rest>(?:[\\s/]++|{_ATTRIBUTE.pattern})*+)>")
_COMMENT_END = re.compile(r"--!?>")
_RAW_ENDS = {
    name: re.compile(f"</{name}", re.IGNORECASE)
    for name in ("style", "script", "title", "textarea", "mj-style", "mj-title", "mj-preview")
}
_NAME_SHOWN = 40


class Attribute(NamedTuple):
    """The value of an attribute, without its quotes and with entities resolved, and its offset in the source."""

    value: str
    at: int
    is_quoted: bool


@dataclass(frozen=True)
class Tag:
    """A start tag, an end tag, or a comment or declaration; the name of the last two is `!`."""

    name: str
    at: int
    end: int
    is_end: bool = False
    rest: str = ""  # what follows the name, up to `>`
    content: str = ""  # of a raw element, up to its end tag

    @property
    def closes_itself(self) -> bool:
        """True if it is written as `<name/>`."""
        return self.rest.endswith("/")

    @cached_property
    def attributes(self) -> Mapping[str, Attribute]:
        """The attributes by their names in lower case; of two of a name the first counts."""
        offset = self.end - 1 - len(self.rest)
        attributes: dict[str, Attribute] = {}
        for match in _ATTRIBUTE.finditer(self.rest):
            written = match[2] or ""
            is_quoted = written[:1] in ('"', "'")
            value = unescape(written[1:-1] if is_quoted else written)
            begin = offset + (match.start(2) + is_quoted if match[2] else match.start())
            attributes.setdefault(match[1].lower(), Attribute(value, begin, is_quoted))
        return attributes

    @property
    def shown(self) -> str:
        """The tag as a message shows it."""
        return f"<{'/' * self.is_end}{self.name[:_NAME_SHOWN]}>"


class EndlessTag(Exception):  # it says what is wrong with the source
    """A tag, a comment or a raw element that has no end; `at` is its offset."""

    def __init__(self, at: int, message: str) -> None:
        super().__init__(message)
        self.at = at


def read(masked: str) -> Iterator[Tag]:
    """Yield the tags of a document in their order; raise EndlessTag at one that has no end."""
    at = 0
    while begin := _BEGIN.search(masked, at):
        start = begin.start()
        if begin[0] in ("<!--", "<!", "<?", "</"):
            at = _end_of_comment(masked, start) if begin[0] == "<!--" else _end_of_declaration(masked, start)
            yield Tag("!", start, at)
            continue
        tag = _tag(masked, start)
        yield tag
        at = tag.end + len(tag.content)


def _end_of_comment(masked: str, start: int) -> int:
    end = _COMMENT_END.search(masked, start + 2)
    if end is None:
        raise EndlessTag(start, "a comment has no end, -->")
    return end.end()


def _end_of_declaration(masked: str, start: int) -> int:
    end = masked.find(">", start)
    if end < 0:
        raise EndlessTag(start, "a tag has no end, >")
    return end + 1


def _tag(masked: str, start: int) -> Tag:
    match = _TAG.match(masked, start)
    if match is None:
        raise EndlessTag(start, "a tag has no end, >")
    name, is_end = match["name"].lower(), bool(match["end"])
    content = ""
    if not is_end and name in _RAW_ENDS and not match["rest"].endswith("/"):
        closing = _RAW_ENDS[name].search(masked, match.end())
        if closing is None:
            raise EndlessTag(start, f"<{name}> has no end, </{name}>")
        content = masked[match.end() : closing.start()]
    return Tag(name, start, match.end(), is_end, match["rest"], content)
