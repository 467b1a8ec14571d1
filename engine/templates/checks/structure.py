"""Check tags that do not fit, long lines, and CSS and elements that mail programs drop."""

from collections.abc import Iterator

from engine.templates.checks import css, support
from engine.templates.checks.findings import Body, Finding, Severity
from engine.templates.markup import balance

LINE_OCTETS_MAX = 998  # RFC 5322 section 2.1.1


def unbalanced(body: Body) -> Iterator[Finding]:
    """Yield elements that are not closed, closed twice, or closed in the wrong order."""
    try:
        misfits = balance.misfits(body.masked, body.mask, is_mjml=body.is_mjml)
    except balance.TooMuch as bound:
        yield body.finding(bound.at, "unbalanced", Severity.ERROR, str(bound), "close each element where it ends")
        return
    for misfit in misfits:
        yield body.finding(misfit.at, "unbalanced", Severity.ERROR, misfit.message, misfit.remedy)


def long_lines(body: Body) -> Iterator[Finding]:
    """Yield the lines of the parts and layouts that no e-mail may contain as they are."""
    names = dict.fromkeys([body.name, *(segment.filename for segment in body.segments)])
    if body.template.has("body.txt"):
        names["body.txt"] = None
    for name in filter(None, names):
        for number, line in enumerate(body.template.read(name).splitlines(), start=1):
            octets = len(line.encode("utf-8", "replace"))
            if octets > LINE_OCTETS_MAX:
                message = f"the line has {octets:,} bytes; an e-mail may have {LINE_OCTETS_MAX} in a line"
                remedy = "break it between two tags or words; else the e-mail is sent encoded, and longer"
                yield Finding(name, number, "long-line", Severity.WARNING, message, remedy)


def dropped(body: Body) -> Iterator[Finding]:
    """Yield CSS and elements that widely used mail programs drop."""
    for tag in body.tags:
        if element := support.of_element(tag.name):
            severity, where, remedy = element
            yield body.finding(tag.at, "dropped", severity, f"{tag.shown} is dropped by {where}", remedy)
        if tag.content and tag.name in ("style", "mj-style"):
            yield from _dropped_css(body, tag.content, tag.end)
        if (style := tag.attributes.get("style")) and style.is_quoted:
            yield from _dropped_css(body, style.value, style.at)


def _dropped_css(body: Body, source: str, at: int) -> Iterator[Finding]:
    for piece in css.pieces(source):
        if piece.value is None:
            rule = support.of_selector(piece.name)
            written = piece.name
        else:
            rule = support.of_property(piece.name, piece.value)
            written = f"{piece.name}: {piece.value}"
        if rule:
            shown = " ".join(body.mask.restore(written[:60]).split())
            message = f"{rule.where} drops “{shown}”"
            yield body.finding(at + piece.at, "dropped", Severity.WARNING, message, rule.remedy)
