"""Check that each variable of a template will have a value."""

from collections.abc import Iterator

import errors
from engine.templates import brand, compiling, links, variables
from engine.templates.checks.findings import Body, Finding, Severity
from engine.templates.sources import Segment
from engine.templates.templates import Template

_PARTS = ("subject.txt", "body.txt")


def unknown(body: Body, template: Template) -> Iterator[Finding]:
    """Yield the variables that neither the sample nor contacts nor the brand provide."""
    provided = {*template.sample, *variables.OF_CONTACT, *brand.NONE.variables(), links.UNSUBSCRIBE, links.PIXEL}
    for name in sorted((template.required | template.optional) - provided):
        if name.startswith("_"):
            continue
        segment = _first(body, name)
        close = errors.nearest(name, sorted(provided))
        severity = Severity.ERROR if name in template.required else Severity.WARNING
        message = f"the variable {name!r} is not in sample.json, and no contact has it"
        remedy = (
            f"did you mean {close}? Else a" if close else "a"
        ) + f"dd {name!r} with a realistic value to sample.json"
        yield Finding(segment.filename or body.name, segment.line, "variable", severity, message, remedy)


def _first(body: Body, name: str) -> Segment:
    """Return the first code that uses the variable."""
    segments = list(body.segments)
    for part in _PARTS:
        if body.template.has(part):
            segments += compiling.segments_of(body.template, part, body.sender)
    return next((each for each in segments if name in each.words), Segment("text", "", line=1))
