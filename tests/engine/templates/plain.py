"""The plain way to render a template, to hold the fast one against: Jinja's own code, one string at the end."""

import re
from html import unescape
from pathlib import Path

from jinja2 import Environment, pass_context
from jinja2.compiler import CodeGenerator
from jinja2.runtime import Context
from markupsafe import escape

from engine.templates import compiling, links, sandbox
from engine.templates.sandbox import printing

_BREAK = re.compile(r"\r\n|\r|\n")


class PlainEnvironment(sandbox.Environment):
    """The sandbox with the code generator that comes with Jinja."""

    code_generator_class = CodeGenerator


@pass_context
def _clicked(context: Context, href: str, link: int) -> str:
    addresses = context.parent[links.NAME]
    if not context.eval_ctx.autoescape:
        return addresses.clicked(link, href)
    return escape(addresses.clicked(link, unescape(str(href))))


def rendered(
    folder: Path, variables: dict[str, object], addresses: links.Links, hidden: str = ""
) -> tuple[str, str, str]:
    """Subject, HTML and text of the template in `folder`."""
    sources = compiling.sources_in(folder, hidden)
    given = {
        **variables,
        links.UNSUBSCRIBE: addresses.unsubscribe,
        links.PIXEL: addresses.pixel,
        links.NAME: addresses,
    }
    subject, html, text = (
        _rendered(source, given, escapes=escapes)
        for source, escapes in ((sources.subject, False), (sources.html, True), (sources.text, False))
    )
    return subject, html, text.lstrip("\r\n").rstrip(" \t\r\n\x0b\x0c") + "\r\n"


def _rendered(source: str, given: dict[str, object], *, escapes: bool) -> str:
    environment: Environment = PlainEnvironment(autoescape=escapes)
    environment.filters[links.CLICKED] = _clicked
    template = environment.from_string(source)
    context = printing.RenderContext(environment, given, printing.EncodedVariables(given, escapes))
    return _BREAK.sub("\r\n", "".join(template.root_render_func(context)))
