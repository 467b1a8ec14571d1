"""Checks of templates: faults of e-mails that can be sent nevertheless, each with its line and a remedy."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice

from jinja2.exceptions import TemplateSyntaxError

from engine.templates import brand, compiling
from engine.templates.brand import Brand
from engine.templates.checks import contrast, inbox, layout, links, names, plain_text, structure
from engine.templates.checks.findings import Body, Finding, Severity
from engine.templates.sources import Parts
from engine.templates.templates import Template

__all__ = ["Finding", "Severity", "of"]

FINDINGS_MAX = 20  # of one kind of check

_PLACE = re.compile(r"([\w.]+) line (\d+): (.*)", re.DOTALL)


def of(name: str, template: Parts, sender: Brand = brand.NONE) -> list[Finding]:
    """Return the findings of a template, ordered by part and line. Values of contacts are not used.

    A template of which no e-mail can be made has a finding `broken`.
    """
    sender = _complete(sender)
    findings: list[Finding] = []
    compiled = None
    try:
        compiled = compiling.compile_parts(name, template, sender=sender)
    except compiling.BrokenTemplate as broken:
        findings.append(_broken(broken))
    try:
        body = Body(template, sender)
    except (TemplateSyntaxError, ValueError):
        return findings  # `broken` reports it
    for check in _of_source(body):
        findings += islice(check, FINDINGS_MAX)
    if compiled is not None:
        for check in _of_result(body, Template(name, compiled)):
            findings += islice(check, FINDINGS_MAX)
    return sorted(dict.fromkeys(findings))


def _of_source(body: Body) -> Iterable[Iterator[Finding]]:
    return (
        structure.unbalanced(body),
        structure.long_lines(body),
        structure.dropped(body),
        links.missing_words(body),
        links.targets(body),
        links.unsubscribe(body),
    )


def _of_result(body: Body, template: Template) -> Iterable[Iterator[Finding]]:
    yield names.unknown(body, template)
    yield inbox.subject(template)
    yield inbox.size(body, template)
    html = layout.html_of(body)
    if html is not None:
        document = layout.parsed(html)
        yield inbox.preheader(body, document)
        yield chain(plain_text.unlike(body, html), contrast.unreadable(body, document))
    dark = layout.html_of(body, is_dark=True) if layout.has_dark_mode(body) else None
    if dark is not None:
        yield contrast.unreadable(body, layout.parsed(dark), is_dark=True)


def _complete(sender: Brand) -> Brand:
    """Return the brand with an example in place of each text that is empty, so that the checks see every branch."""
    return replace(
        sender,
        name=sender.name or "Empresa",
        address=sender.address or "Calle Mayor 1, Madrid",
        support=sender.support or "ayuda@empresa.example",
        logo_url=sender.logo_url or "https://empresa.example/logo.png",
    )


def _broken(broken: compiling.BrokenTemplate) -> Finding:
    remedy = "correct it; no e-mail can be made of the template"
    part, line, problem = broken.part or "body", broken.line or 1, broken.problem
    if not broken.part and (place := _PLACE.match(problem)):
        part, line, problem = place[1], int(place[2]), place[3]
    return Finding(part, line, "broken", Severity.ERROR, problem, remedy)
