"""CSS and elements that widely used mail programs drop, and replacements that work.

The facts are those of caniemail.com (read in November 2026), for Gmail, Outlook for Windows with Word's engine, and
Yahoo. CSS whose loss costs only an ornament, such as `border-radius` or `box-shadow`, is left out.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from engine.templates.checks.findings import Severity


class Rule(NamedTuple):
    """The values of a property that are dropped, where, and what to use instead."""

    values: re.Pattern[str]
    where: str
    remedy: str


def _rule(values: str, where: str, remedy: str) -> Rule:
    return Rule(re.compile(values, re.IGNORECASE), where, remedy)


_ANY = r"\S"
_OUTLOOK, _BOTH = "Outlook for Windows", "Gmail and Outlook for Windows"
_TABLE = "lay out with tables (role=presentation)"
_PADDING = "use padding of a table cell"
_LEAVE = "leave it out; nothing replaces it in e-mails"

# https://www.caniemail.com/features/css-<property>/
_ONE_PROPERTY: Mapping[str, Rule] = {
    "animation": _rule(_ANY, _BOTH, "use an animated GIF"),
    "animation-name": _rule(_ANY, _BOTH, "use an animated GIF"),
    "aspect-ratio": _rule(_ANY, _OUTLOOK, "give width and height to the picture"),
    "background-image": _rule(r"url\(|gradient\(", _OUTLOOK, "add a background-color on which the text can be read"),
    "background": _rule(r"gradient\(", _OUTLOOK, "add a background-color on which the text can be read"),
    "clip-path": _rule(_ANY, _BOTH, _LEAVE),
    "column-count": _rule(_ANY, _BOTH, _TABLE),
    "display": _rule(r"\b(?:inline-)?(?:flex|grid)\b", _OUTLOOK, _TABLE),
    "filter": _rule(_ANY, _BOTH, "prepare the picture itself"),
    "flex": _rule(_ANY, _OUTLOOK, _TABLE),
    "float": _rule(r"\b(?:left|right)\b", _OUTLOOK, "use align on a table or a picture"),
    "gap": _rule(_ANY, _BOTH, _PADDING),
    "grid-template-columns": _rule(_ANY, _BOTH, _TABLE),
    "inset": _rule(_ANY, _BOTH, _PADDING),
    "mix-blend-mode": _rule(_ANY, _BOTH, "prepare the picture itself"),
    "object-fit": _rule(_ANY, _BOTH, "crop the picture itself"),
    "opacity": _rule(r"^0?\.\d|^[1-9]\d?%", _OUTLOOK, "use a lighter colour"),
    "position": _rule(r"\b(?:absolute|relative|fixed|sticky)\b", _BOTH, _TABLE),
    "transform": _rule(_ANY, _BOTH, "prepare the picture itself"),
    "transition": _rule(_ANY, _BOTH, _LEAVE),
    "z-index": _rule(_ANY, _BOTH, _TABLE),
}
_ANY_PROPERTY: Sequence[Rule] = (
    _rule(r"\bvar\(", _BOTH, "write the value itself"),
    _rule(r"\b(?:calc|clamp|min|max)\(", _OUTLOOK, "write the value in pixels or percent"),
    _rule(r"\d(?:rem|vw|vh|vmin|vmax|ch)\b", _OUTLOOK, "write the value in pixels or percent"),
)
_AT_RULES: Mapping[str, Rule] = {
    "@import": _rule(_ANY, _BOTH, "put the CSS into <style>"),
    "@font-face": _rule(_ANY, _BOTH, "name fonts that readers have; a font from elsewhere tells who reads"),
    "@keyframes": _rule(_ANY, _BOTH, "use an animated GIF"),
    "@supports": _rule(_ANY, _BOTH, "write what works everywhere"),
    "@layer": _rule(_ANY, _BOTH, "write the rules without a layer"),
    "@container": _rule(_ANY, _BOTH, "use @media (max-width: …)"),
}
_PSEUDO = re.compile(r"::?(?:before|after)\b", re.IGNORECASE)
_PSEUDO_RULE = _rule(_ANY, _BOTH, "put the text or the picture into the HTML")

# https://www.caniemail.com/features/html-<element>/
_SCRIPTED = "every mail program"
_ELEMENTS: Mapping[str, tuple[Severity, str, str]] = {
    **dict.fromkeys(("script", "iframe", "object", "embed", "applet"), (Severity.ERROR, _SCRIPTED, "remove it")),
    **dict.fromkeys(("form", "input", "select", "textarea"), (Severity.ERROR, _BOTH, "link to a page with the form")),
    "base": (Severity.ERROR, _BOTH, "write whole addresses"),
    "link": (Severity.WARNING, _BOTH, "put the CSS into <style>"),
    "svg": (Severity.WARNING, _BOTH, "use a PNG"),
    "video": (Severity.WARNING, _BOTH, "link a picture to the video"),
    "audio": (Severity.WARNING, _BOTH, "link to the recording"),
    "canvas": (Severity.WARNING, _BOTH, "use a picture"),
}


def of_property(name: str, value: str) -> Rule | None:
    """Return the rule by which a declaration is dropped; None if it works."""
    rule = _ONE_PROPERTY.get(name)
    if rule and rule.values.search(value):
        return rule
    return next((rule for rule in _ANY_PROPERTY if rule.values.search(value)), None)


def of_selector(selector: str) -> Rule | None:
    """Return the rule by which the block of a selector or at-rule is dropped; None if it works."""
    if selector.startswith("@"):
        return _AT_RULES.get(selector.split()[0].lower().rstrip(";"))
    return _PSEUDO_RULE if _PSEUDO.search(selector) else None


def of_element(name: str) -> tuple[Severity, str, str] | None:
    """Return severity, mail programs and remedy for an element that is dropped; None if it works."""
    return _ELEMENTS.get(name)
