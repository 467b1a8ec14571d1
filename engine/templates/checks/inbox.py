"""Check what a reader sees in the list of e-mails, and the size at which Gmail cuts one."""

import re
from collections.abc import Iterator

from lxml import html as parser

from engine.templates import additions, compiling, text
from engine.templates.checks.findings import Body, Finding, Severity
from engine.templates.mask import CLOSE, OPEN
from engine.templates.templates import CannotRender, Template

SUBJECT_CHARS = 60  # most programs show this many on a screen; a telephone shows some 40
_VISIBLE = re.compile(f"[^\\s\u00ad\u034f\u200b-\u200f\u2060\ufeff{OPEN}{CLOSE}]")
_TRACKED = "https://tracking.invalid/c/" + "t" * 173  # the length of a tracked link


def subject(template: Template) -> Iterator[Finding]:
    """Yield a finding if the subject with sample values is longer than programs show."""
    try:
        written = template.subject(template.sample)
    except CannotRender:
        return  # the sample lacks a variable: `names` reports it
    if len(written) > SUBJECT_CHARS:
        message = f"with the sample the subject has {len(written)} characters; many programs show {SUBJECT_CHARS}"
        yield Finding("subject.txt", 1, "subject", Severity.WARNING, message, "say the most important first, and less")


def preheader(body: Body, document: parser.HtmlElement) -> Iterator[Finding]:
    """Yield a finding if the body does not begin with a hidden line, which programs show beside the subject."""
    if body.template.has(additions.PREHEADER) and body.template.read(additions.PREHEADER).strip():
        return
    first = next((each for each in document.iter("*") if each.tag == "body"), document)
    for element in first.iter("*"):
        if _VISIBLE.search(element.text or "") and element.tag not in ("style", "script", "title"):
            if any(text.is_hidden(each) for each in (element, *element.iterancestors())):
                return
            break
    message = "there is no preheader, so programs show the first words of the e-mail beside the subject"
    remedy = "begin the body with a hidden line; in _layout.html it is the block preheader, in MJML mj-preview"
    yield Finding(body.name, 1, "preheader", Severity.WARNING, message, remedy)


def size(body: Body, template: Template) -> Iterator[Finding]:
    """Yield a finding if Gmail would hide the end of the e-mail with sample values."""
    try:
        octets = len(template.encode(template.sample, _LongLinks())[1])
    except CannotRender:
        return
    if octets > compiling.CLIPPED_AT:
        message = f"the HTML has {octets:,} bytes with tracked links; Gmail hides what exceeds {compiling.CLIPPED_AT:,}"
        yield Finding(body.name, 1, "size", Severity.WARNING, message, "shorten it; the unsubscribe link is at the end")


class _LongLinks:
    """Addresses as long as real ones."""

    pixel = _TRACKED
    unsubscribe = _TRACKED

    def clicked(self, link: int, target: str) -> str:  # noqa: ARG002  # the protocol of links
        return _TRACKED + target
