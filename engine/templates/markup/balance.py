"""Find tags that do not fit together: elements left open, closed twice, or closed in the wrong order."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from engine.templates.markup import tags
from engine.templates.markup.tags import Tag
from engine.templates.mask import Mask

DEPTH_MAX = 200  # libxml2 drops elements deeper than 256; css-inline and mrml end the process at some 10,000 (measured)
ELEMENTS_MAX = 5_000
MISFITS_MAX = 20  # a parser repeats each open formatting element in all paragraphs that follow

# Elements that HTML closes by itself, and what an element closes when it begins (HTML, section 13.1.2.4).
_OPTIONAL = frozenset(
    {"p", "li", "dt", "dd", "td", "th", "tr", "tbody", "thead", "tfoot", "option", "html", "head", "body"}
)
_CELLS, _ROWS = frozenset({"td", "th"}), frozenset({"td", "th", "tr"})
_GROUPS = _ROWS | {"tbody", "thead", "tfoot"}
_CLOSED_BY: Mapping[str, frozenset[str]] = {
    "li": frozenset({"li"}), "dt": frozenset({"dt", "dd"}), "dd": frozenset({"dt", "dd"}),
    "td": _CELLS, "th": _CELLS, "tr": _ROWS, "tbody": _GROUPS, "thead": _GROUPS, "tfoot": _GROUPS,
    "option": frozenset({"option"}), "body": frozenset({"head"}),
}  # fmt: skip
_LISTS = frozenset({"table", "ul", "ol", "dl", "select"})
_PARAGRAPH = frozenset({"p"})
_ENDS_PARAGRAPH = frozenset(
    {"address", "article", "aside", "blockquote", "center", "div", "dl", "fieldset", "figure", "footer", "form", "h1",
     "h2", "h3", "h4", "h5", "h6", "header", "hr", "main", "nav", "ol", "p", "pre", "section", "table", "ul"}
)  # fmt: skip
_AROUND_PARAGRAPH = frozenset({"table", "td", "th", "caption", "button", "object"})
_TABLE_PARTS = _GROUPS | {"caption", "colgroup"}
# Only the end of one of these ends the optional elements inside (HTML, section 13.2.6.4.7).
_ENDS_OPTIONAL = _ENDS_PARAGRAPH | _OPTIONAL | _TABLE_PARTS | {"button", "select", "object"}
_DOCUMENT = frozenset({"html", "body"})
_BRANCHES, _ENDS = frozenset({"if", "for"}), frozenset({"endif", "endfor"})


class Misfit(NamedTuple):
    """A tag that does not fit, by its offset, with a remedy."""

    at: int
    message: str
    remedy: str


class TooMuch(Exception):
    """The document cannot be handed to a parser; `at` is the offset of the tag that exceeds a bound."""

    def __init__(self, at: int, message: str) -> None:
        super().__init__(message)
        self.at = at


@dataclass
class _Branch:
    """An `{% if %}` or `{% for %}`: the elements open at its begin, and after each of its branches."""

    at: int
    begin: list[Tag]
    ends: list[list[str]] = field(default_factory=list)
    has_else: bool = False


def misfits(masked: str, mask: Mask, *, is_mjml: bool = False) -> list[Misfit]:
    """Return the tags that do not fit, in their order; each branch of a statement is followed.

    In MJML every element must be closed. Raise TooMuch if a bound of this module is exceeded, or if a tag has no end.
    """
    walk = _Walk(mask, is_mjml)
    try:
        for tag in tags.read(masked):
            walk.take(tag, masked)
    except tags.EndlessTag as endless:
        raise TooMuch(endless.at, str(endless)) from None
    walk.finish()
    return sorted(walk.misfits)


class _Walk:
    """The elements that are open at one place of a document."""

    def __init__(self, mask: Mask, is_mjml: bool) -> None:
        self.misfits: list[Misfit] = []
        self._mask = mask
        self._is_mjml = is_mjml
        self._open: list[Tag] = []
        self._branches: list[_Branch] = []
        self._ended_paragraph: Tag | None = None
        self._elements = 0
        self._dropped: list[str] = []  # parts of a table outside of one

    def take(self, tag: Tag, masked: str) -> None:
        if tag.name == "!":
            code = self._mask.code_of(masked[tag.at : tag.end])
            if code is not None:
                self._branch(tag.at, code.verb)
        elif tag.is_end:
            self._end(tag)
        elif tag.content.count("<") > DEPTH_MAX:
            raise TooMuch(tag.at, f"{tag.shown} contains more than {DEPTH_MAX} signs <")
        else:
            self._begin(tag)

    def finish(self) -> None:
        for tag in self._open:
            if self._must_be_closed(tag):
                self._report(tag.at, f"{tag.shown} is never closed", f"add </{tag.name}>")

    def _report(self, at: int, message: str, remedy: str) -> None:
        self.misfits.append(Misfit(at, message, remedy))
        if len(self.misfits) > MISFITS_MAX:
            raise TooMuch(at, f"more than {MISFITS_MAX} tags do not fit together")

    def _must_be_closed(self, tag: Tag) -> bool:
        return self._is_mjml or tag.name not in _OPTIONAL

    def _begin(self, tag: Tag) -> None:
        self._elements += 1
        if self._elements > ELEMENTS_MAX:
            raise TooMuch(tag.at, f"there are more than {ELEMENTS_MAX:,} elements")
        if tag.name in tags.VOID or (tag.closes_itself and self._is_mjml):
            return
        if tag.closes_itself:
            name = tag.name
            self._report(tag.at, f"<{name}/> does not close itself in HTML", f"write <{name}></{name}>")
            return
        if not self._is_mjml:
            if tag.name in _TABLE_PARTS and not any(each.name == "table" for each in self._open):
                self._dropped.append(tag.name)
                self._report(tag.at, f"{tag.shown} is not in a table, so it is dropped", "put it into <table>")
                return
            if tag.name in _ENDS_PARAGRAPH:
                self._close(_PARAGRAPH, tag, within=_AROUND_PARAGRAPH)
            if tag.name in _CLOSED_BY:
                self._close(_CLOSED_BY[tag.name], tag, within=_LISTS)
        self._open.append(tag)
        if len(self._open) > DEPTH_MAX:
            raise TooMuch(tag.at, f"elements are nested deeper than {DEPTH_MAX}")

    def _close(self, names: frozenset[str], by: Tag, *, within: frozenset[str]) -> None:
        """Close the elements of these names that `by` ends, up to the nearest element of `within`."""
        outermost = None
        for index in range(len(self._open) - 1, -1, -1):
            if self._open[index].name in within - names:
                break
            if self._open[index].name in names:
                outermost = index
        if outermost is not None:
            if names is _PARAGRAPH:
                self._ended_paragraph = by
            self._pop(outermost, by)

    def _pop(self, index: int, by: Tag) -> None:
        for tag in self._open[index + 1 :]:
            if self._must_be_closed(tag) or by.name not in _ENDS_OPTIONAL:
                remedy = f"put </{tag.name}> before {by.shown}"
                self._report(tag.at, f"{tag.shown} is not closed before {by.shown}", remedy)
        del self._open[index:]

    def _end(self, tag: Tag) -> None:
        index = next((at for at in range(len(self._open) - 1, -1, -1) if self._open[at].name == tag.name), None)
        if tag.name in _DOCUMENT and not self._is_mjml:
            return  # they end with the document, and so do the elements that are open in them
        if index is not None:
            self._pop(index, tag)
        elif tag.name in self._dropped:
            self._dropped.remove(tag.name)
        elif tag.name == "p" and self._ended_paragraph is not None:
            block = self._ended_paragraph.shown
            self._report(tag.at, f"</p> closes nothing: {block} has ended the paragraph", "use <div> in place of <p>")
        else:
            self._report(tag.at, f"{tag.shown} closes nothing", f"remove it, or add <{tag.name}> before")

    def _branch(self, at: int, verb: str) -> None:
        if verb in _BRANCHES:
            self._branches.append(_Branch(at, list(self._open)))
        elif verb in ("elif", "else") and self._branches:
            branch = self._branches[-1]
            branch.ends.append(self._names(self._open))
            branch.has_else |= verb == "else"
            self._open = list(branch.begin)
        elif verb in _ENDS and self._branches:
            branch = self._branches.pop()
            branch.ends.append(self._names(self._open))
            if not branch.has_else or verb == "endfor":
                branch.ends.append(self._names(branch.begin))
            if any(end != branch.ends[0] for end in branch.ends):
                remedy = "open and close the same elements in each branch"
                self._report(branch.at, "the elements left open differ with the condition or the loop", remedy)
                self._open = list(branch.begin)

    def _names(self, opened: list[Tag]) -> list[str]:
        return [tag.name for tag in opened if self._must_be_closed(tag)]
