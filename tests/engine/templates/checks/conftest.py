"""A template without findings, and the findings after a change."""

from collections.abc import Callable

import pytest

from engine.templates import checks
from engine.templates.checks import Finding
from engine.templates.sources import WrittenParts

PAGE = """<!doctype html>
<html lang="es">
<head><title>Hola</title>
<style>
{css}
</style></head>
<body><div style="display:none">Lo que viene dentro.</div>
{body}
{{% if unsubscribe_url %}}<p><a href="{{{{ unsubscribe_url }}}}">Darme de baja</a></p>{{% endif %}}
</body></html>
"""
MJML = """<mjml lang="es">
<mj-head><mj-preview>Lo que viene dentro.</mj-preview>
<mj-style>
{css}
</mj-style></mj-head>
<mj-body><mj-section><mj-column>
{body}
<mj-text><a href="{{{{ unsubscribe_url }}}}" style="color: #0000ee">Baja</a></mj-text>
</mj-column></mj-section></mj-body></mjml>
"""
BODY_AT = 8  # the line of `body` in PAGE, and with CSS of one line in MJML
Check = Callable[..., list[Finding]]


@pytest.fixture
def check() -> Check:
    """Return a function that checks a page with this body and CSS, and with other parts."""

    def checked(
        body: str = "<p>Hola, {{ nombre }}.</p>", css: str = "p { margin: 0 }", *, mjml: bool = False, **more: str
    ) -> list[Finding]:
        written = {name.replace("__", "."): source for name, source in more.items()}
        page = {"body.mjml" if mjml else "body.html": (MJML if mjml else PAGE).format(body=body, css=css)}
        sources = {"subject.txt": "Hola", "sample.json": "{}"} | page | written
        return checks.of("prueba", WrittenParts(sources))

    return checked
