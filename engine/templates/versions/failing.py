"""Find the place in the sources of a template at which a render fails."""

from collections.abc import Mapping

from engine.templates import brand, compiling, links, sandbox
from engine.templates.templates import Template
from engine.templates.versions.content import Content


def place(content: Content, template: Template, values: Mapping[str, object]) -> tuple[str, int | None]:
    """Return the field of a content of which no e-mail can be made with these values, and the line if it is known.

    Renders the sources as they are written: the compiled ones have other lines. The field is `sample` if none fails.
    """
    context = {**brand.NONE.variables(), links.UNSUBSCRIBE: links.TrialLinks().unsubscribe, **values}
    for field in ("subject", "preheader", "html", "mjml", "text"):
        environment = compiling.HTML if field in ("html", "mjml") else compiling.TEXT
        source = getattr(content, field)
        if source and (line := sandbox.failing_line(environment, source, context)):
            return field, line
    part = template.failing_part(values)
    return ("mjml" if part == "html" and content.html is None else part or "sample"), None
