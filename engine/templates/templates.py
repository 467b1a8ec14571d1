"""The e-mail templates of a folder, compiled once per process: check variables, render e-mails."""

import os
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from time import monotonic
from typing import NamedTuple, Self

from jinja2.exceptions import SecurityError, UndefinedError

import errors
from engine.templates import brand, compiling, links, sandbox, variables
from engine.templates.brand import Brand
from errors import CadenciaError, Fault
from settings import Settings

_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,49}")  # at most 50: the column emails.template
_LANGUAGE = re.compile(rb"""<html\b[^>]*?\slang\s*=\s*["']?([A-Za-z0-9-]{2,35})""", re.IGNORECASE)
_LANGUAGE_WITHIN = 2_000  # bytes: the tag begins the document
_KEEP_FAULT_S = 5.0
_MISSING = re.compile(r"'(\w+)' is undefined|has no (?:attribute|element) '(\w+)'")


class UnknownTemplate(compiling.UnusableTemplate):
    """There is no template of that name; the message lists the existing names."""


class CannotRender(CadenciaError):
    """The template fails on these variables; the message never holds a value."""


class Rendered(NamedTuple):
    """The subject and the bodies of one e-mail, with CRLF line ends."""

    subject: str
    html: str
    text: str


class Template:
    """One compiled template; safe to share between threads."""

    def __init__(self, name: str, compiled: compiling.Compiled) -> None:
        self.name = name
        self._compiled = compiled

    @property
    def subject_source(self) -> str:
        """The source of the subject, which is stored with the e-mail; at most 255 characters."""
        return self._compiled.sources.subject

    @property
    def required(self) -> frozenset[str]:
        """The names of the variables that must be present."""
        return self._compiled.required

    @property
    def sample(self) -> Mapping[str, object]:
        """Realistic variables for a preview."""
        return self._compiled.sources.sample

    @property
    def is_simple(self) -> bool:
        """True if it only prints and tests variables, so that its e-mails can be prerendered."""
        return self._compiled.is_simple

    @property
    def optional(self) -> frozenset[str]:
        """The names of the variables that may be absent."""
        return frozenset(self._compiled.names) - self.required - {links.UNSUBSCRIBE, links.PIXEL}

    @cached_property
    def language(self) -> str | None:
        """The language of its HTML, as a tag like `es` or `en-GB`; None if there is no `lang` attribute."""
        try:
            match = _LANGUAGE.search(self.encode(self.sample, _TrialLinks())[1], 0, _LANGUAGE_WITHIN)
        except CannotRender:
            return None
        return match[1].decode() if match else None

    def check(self, values: Mapping[str, object]) -> list[Fault]:
        """Return the faults that prevent a render with these variables, in fields like `variables.nombre`.

        All missing variables are listed at once. Without a fault, `encode` will succeed. Extra variables are allowed.
        """
        safe = self._compiled.safe_variables
        if safe is not None and safe.include(values):
            return []
        faults = variables.faults(values, required=self.required, in_subject=self._compiled.in_subject)
        if faults:
            return faults
        trial = _TrialLinks()
        try:
            self.encode(values, trial)
        except CannotRender as failure:
            return [Fault("variables", str(failure))]
        return [self._invalid_target(link, fault) for link, fault in sorted(trial.faults.items())]

    def render(self, values: Mapping[str, object], addresses: links.Links) -> Rendered:
        """Return the rendered e-mail; raise CannotRender if the template fails on these values."""
        subject, html, text = self.encode(values, addresses)
        return Rendered(subject, html.decode(), text.decode())

    def encode(self, values: Mapping[str, object], addresses: links.Links) -> tuple[str, bytes, bytes]:
        """Return subject, HTML and text, the bodies in UTF-8; raise CannotRender if the template fails on them."""
        if not variables.are_plain(values):
            raise CannotRender("contains values that are not text, numbers, booleans, lists or objects")
        context = {
            **values,
            links.UNSUBSCRIBE: addresses.unsubscribe,
            links.PIXEL: addresses.pixel,
            links.NAME: addresses,
        }
        try:
            subject, html, text = sandbox.render(self._compiled.code, context, self._compiled.names)
        except sandbox.FAILURES as failure:
            raise CannotRender(self._reason(failure)) from None
        return subject.decode(), html, text.lstrip(b"\r\n").rstrip() + b"\r\n"

    def subject(self, values: Mapping[str, object]) -> str:
        """Return the rendered subject, on one line; raise CannotRender if the template fails on these values."""
        context = {**values, links.UNSUBSCRIBE: _TrialLinks.unsubscribe, links.PIXEL: _TrialLinks.pixel}
        try:
            [subject] = sandbox.render(self._compiled.code[:1], context, self._compiled.in_subject)
        except sandbox.FAILURES as failure:
            raise CannotRender(self._reason(failure)) from None
        return " ".join(subject.decode().split())

    def _reason(self, failure: Exception) -> str:
        """Return the reason without values, which messages of Python may quote: only names from the template."""
        if isinstance(failure, UndefinedError) and (missing := _MISSING.search(failure.message or "")):
            name = missing[1] or missing[2]
            if name in self._compiled.sources.identifiers:
                return f"lack {name!r}, which the template needs"
        if isinstance(failure, SecurityError):
            return f"cannot be rendered: {failure.message}"
        return f"cannot be rendered by this template ({type(failure).__name__})"

    def _invalid_target(self, link: int, fault: str) -> Fault:
        names = sorted(self._compiled.in_links[link])
        field = f"variables.{names[0]}" if len(names) == 1 else "variables"
        return Fault(field, f"is the target of a link: {fault}")


class _TrialLinks:
    """Addresses for a trial render; `faults` collects why the targets of links, by their number, are invalid."""

    pixel = "https://trial.invalid/o"
    unsubscribe = "https://trial.invalid/u"

    def __init__(self) -> None:
        self.faults: dict[int, str] = {}

    def clicked(self, link: int, target: str) -> str:
        fault = links.fault_of(target)
        if fault:
            self.faults[link] = fault
        return "https://trial.invalid/c"


class Library:
    """The templates in one folder, compiled at first use and kept for the life of the process.

    A broken template is compiled again once its files have changed, at the latest after `_KEEP_FAULT_S`. With a
    `hidden_url`, the HTML of every e-mail has a hidden link to it. `sender` is the brand that writes.
    """

    def __init__(self, folder: Path, hidden_url: str = "", sender: Brand = brand.NONE) -> None:
        self._folder = folder
        self._hidden_url = hidden_url
        self._brand = sender
        self._compiled: dict[str, Template] = {}
        self._broken: dict[str, _KeptFault] = {}

    @classmethod
    def configured(cls, settings: Settings) -> Self:
        """Return the library that the settings describe."""
        return cls(settings.templates_dir, settings.hidden_link, brand.of(settings))

    def names(self) -> list[str]:
        """Return the names of all templates, sorted; none if the folder cannot be read."""
        try:
            return sorted(
                entry.name
                for entry in self._folder.iterdir()
                if _NAME.fullmatch(entry.name) and (entry / "subject.txt").exists()
            )
        except OSError:
            return []

    def get(self, name: str) -> Template:
        """Return the template; raise UnknownTemplate, or compiling.BrokenTemplate if its files are invalid."""
        template = self._compiled.get(name)
        if template is None:
            template = self._compiled[name] = self._compile(name)
        return template

    def existing(self, name: str) -> Template:
        """Return the template; raise NotFound if there is none of that name, compiling.BrokenTemplate as `get` does."""
        try:
            return self.get(name)
        except UnknownTemplate as unknown:
            raise errors.NotFound(str(unknown)) from None

    def forget(self, name: str) -> None:
        """Compile the template again at its next use."""
        self._compiled.pop(name, None)
        self._broken.pop(name, None)

    def _compile(self, name: str) -> Template:
        kept = self._broken.get(name)
        if kept and monotonic() < kept.until and kept.files == _files(self._folder / name):
            raise compiling.BrokenTemplate([Fault("template", kept.message)])
        names = self.names()
        if name not in names:
            raise UnknownTemplate.of("template", errors.unknown(name, names))
        files = _files(self._folder / name)
        try:
            return Template(name, compiling.compile_folder(self._folder / name, self._hidden_url, self._brand))
        except compiling.BrokenTemplate as broken:
            self._broken[name] = _KeptFault(broken.faults[0].message, files, monotonic() + _KEEP_FAULT_S)
            raise


class _KeptFault(NamedTuple):
    """The fault of a broken template, kept so that each use of it need not compile it again."""

    message: str
    files: frozenset[tuple[str, int, int]]
    until: float  # monotonic seconds


def _files(folder: Path) -> frozenset[tuple[str, int, int]]:
    """Return name, size and time of change of each file that the template may use."""
    try:
        files = [(entry.name, entry.stat()) for place in (folder, folder.parent) for entry in os.scandir(place)]
    except OSError:
        return frozenset()
    return frozenset((name, stat.st_size, stat.st_mtime_ns) for name, stat in files)
