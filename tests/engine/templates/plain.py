"""The reference for rendering: the code generator that comes with Jinja, and one string at the end."""

import re
from html import unescape
from pathlib import Path
from typing import Any

from jinja2 import Template, pass_context
from jinja2.compiler import CodeGenerator
from jinja2.runtime import Context
from markupsafe import escape

from engine.templates import compiling, links, sandbox
from engine.templates.sandbox import printing
from engine.templates.sources import FolderParts

_BREAK = re.compile(r"\r\n|\r|\n")


class PlainEnvironment(sandbox.Environment):
    """The sandbox with Jinja's own code generator."""

    code_generator_class = CodeGenerator


class Plain:
    """The template in a folder, compiled by Jinja itself."""

    def __init__(self, folder: Path, hidden: str = "") -> None:
        sources = compiling.sources_in(FolderParts(folder), hidden)
        self._subject = _compiled(sources.subject, escapes=False)
        self._html = _compiled(sources.html, escapes=True)
        self._text = _compiled(sources.text, escapes=False)

    def render(self, variables: dict[str, object], addresses: links.Links) -> tuple[str, str, str]:
        """Return subject, HTML and text."""
        values = {
            **variables,
            links.UNSUBSCRIBE: addresses.unsubscribe,
            links.PIXEL: addresses.pixel,
            links.NAME: addresses,
        }
        text = _rendered(self._text, values).lstrip("\r\n").rstrip(" \t\r\n\x0b\x0c") + "\r\n"
        return _rendered(self._subject, values), _rendered(self._html, values), text


@pass_context
def _clicked(context: Context, href: str, link: int) -> str:
    addresses: links.Links = context.parent[links.NAME]
    if not context.eval_ctx.autoescape:
        return addresses.clicked(link, href)
    return escape(addresses.clicked(link, unescape(str(href))))


def _compiled(source: str, *, escapes: bool) -> Template:
    environment = PlainEnvironment(autoescape=escapes)
    environment.filters[links.CLICKED] = _clicked
    return environment.from_string(source)


def _rendered(template: Template, values: dict[str, Any]) -> str:
    variables = printing.EncodedVariables(values, template.environment.autoescape is True)
    context = printing.RenderContext(template.environment, values, variables)
    return _BREAK.sub("\r\n", "".join(template.root_render_func(context)))
