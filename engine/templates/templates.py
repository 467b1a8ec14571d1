"""The e-mail templates of a folder and of the database, compiled when needed: check variables, render e-mails."""

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from time import monotonic
from typing import NamedTuple, Self

from jinja2.exceptions import SecurityError, UndefinedError

import errors
from engine.templates import brand, compiling, links, sandbox, sources, variables
from engine.templates.brand import Brand
from engine.templates.sources import FolderParts, Parts, Stored
from errors import CadenciaError, Fault
from settings import Settings

VERSIONS_KEPT = 200  # of templates in the database, compiled
_LANGUAGE = re.compile(rb"""<html\b[^>]*?\slang\s*=\s*["']?([A-Za-z0-9-]{2,35})""", re.IGNORECASE)
_LANGUAGE_WITHIN = 2_000  # bytes: the tag begins the document
_KEEP_FAULT_S = 5.0
_LOOK_EVERY_S = 1.0
_MISSING = re.compile(r"'(\w+)' is undefined|has no (?:attribute|element) '(\w+)'")


def label(name: str, version: int | None) -> str:
    """Return the name of a template, with its version in the database, if it has one: `oferta@3`."""
    return name if version is None else f"{name}@{version}"


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

    def __init__(self, name: str, compiled: compiling.Compiled, version: int | None = None) -> None:
        self.name = name
        self.version = version  # in the database; None for a template of the folder
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
    def lacking(self) -> frozenset[str]:
        """The required variables that the sample has no value of."""
        return self.required - self.sample.keys()

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
            match = _LANGUAGE.search(self.encode(self.sample, links.TrialLinks())[1], 0, _LANGUAGE_WITHIN)
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
        trial = links.TrialLinks()
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
        context = {**values, links.UNSUBSCRIBE: links.TrialLinks.unsubscribe, links.PIXEL: links.TrialLinks.pixel}
        try:
            [subject] = sandbox.render(self._compiled.code[:1], context, self._compiled.in_subject)
        except sandbox.FAILURES as failure:
            raise CannotRender(self._reason(failure)) from None
        return " ".join(subject.decode().split())

    def failing_part(self, values: Mapping[str, object]) -> str | None:
        """Return the part that cannot be rendered with these variables, `subject`, `html` or `text`, if one cannot."""
        trial = links.TrialLinks()
        context = {**values, links.UNSUBSCRIBE: trial.unsubscribe, links.PIXEL: trial.pixel, links.NAME: trial}
        for part, code in zip(("subject", "html", "text"), self._compiled.code, strict=True):
            try:
                sandbox.render([code], context)
            except sandbox.FAILURES:
                return part
        return None

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


class Library:
    """The templates of a folder and of the database, compiled at first use and kept.

    Those in the folder are kept for the life of the process, of the versions in the database the last ones used. A
    broken template is compiled again once its files have changed, at the latest after `_KEEP_FAULT_S`. With a
    `hidden_url`, the HTML of every e-mail has a hidden link to it. `sender` is the brand that writes.
    """

    def __init__(
        self, folder: Path, hidden_url: str = "", sender: Brand = brand.NONE, stored: Stored | None = None
    ) -> None:
        self._folder = folder
        self._hidden_url = hidden_url
        self._brand = sender
        self._stored = stored
        self._watches = False  # it looks for edited files
        self._looked_at = 0.0
        self._states: dict[str, frozenset[tuple[str, int, int]]] = {}
        self._compiled: dict[str, Template] = {}
        self._versions: dict[tuple[str, int], Template] = {}
        self._broken: dict[tuple[str, int | None], _CachedFault] = {}

    @classmethod
    def configured(cls, settings: Settings, stored: Stored | None = None) -> Self:
        """Return the library that the settings describe."""
        library = cls(settings.templates_dir, settings.hidden_link, brand.of(settings), stored)
        library._watches = settings.templates_watch
        return library

    def share(self, compiled: dict[str, Template]) -> None:
        """Use these templates of the folder, and add others there: libraries of the same folder, link and brand may."""
        self._compiled = compiled

    def names(self) -> list[str]:
        """Return the names of all templates that can be sent, sorted."""
        return sorted({*self.folder_names(), *self.published()})

    def folder_names(self) -> list[str]:
        """Return the names of the templates in the folder, sorted; none if the folder cannot be read."""
        return [name for name in sources.folders(self._folder) if sources.NAME.fullmatch(name)]

    def published(self) -> Mapping[str, int]:
        """Return the published versions in the database, by name."""
        return self._stored.published() if self._stored else {}

    def refresh(self) -> None:
        """Read the published versions anew at the next use; call it after a change of them."""
        if self._stored:
            self._stored.refresh()

    def get(self, name: str, version: int | None = None) -> Template:
        """Return a template of the database in this version, by default the published one, or else that of the folder.

        Raise UnknownTemplate, or compiling.BrokenTemplate if its sources are invalid.
        """
        self.forget_edited()
        return self.pinned(name, self.published().get(name) if version is None else version)

    def pinned(self, name: str, version: int | None) -> Template:
        """Return the template of an e-mail: a version in the database, or that of the folder if there is no version."""
        if version is None:
            if (template := self._compiled.get(name)) is None:
                template = self._compiled[name] = self._compile(name, None)
            return template
        if (template := self._versions.get((name, version))) is None:
            template = self._versions[name, version] = self._compile(name, version)
            while len(self._versions) > VERSIONS_KEPT:
                self._versions.pop(next(iter(self._versions.copy())), None)
        return template

    def existing(self, name: str, version: int | None = None) -> Template:
        """Return the template; raise NotFound if there is none of that name, compiling.BrokenTemplate as `get` does."""
        try:
            return self.get(name, version)
        except UnknownTemplate as unknown:
            raise errors.NotFound(str(unknown)) from None

    def forget(self, name: str, version: int | None = None) -> None:
        """Compile the template again at its next use."""
        self._compiled.pop(name, None) if version is None else self._versions.pop((name, version), None)
        self._broken.pop((name, version), None)

    def forget_edited(self) -> list[str]:
        """If it is configured to, forget templates of the folder whose files have changed, and return their names.

        Reads the folder at most once a second.
        """
        if not self._watches or monotonic() < self._looked_at + _LOOK_EVERY_S:
            return []
        self._looked_at = monotonic()
        states = {name: FolderParts(self._folder / name).state() for name in self._compiled.copy()}
        edited = [name for name, state in states.items() if state != self._states.get(name)]
        for name in edited:
            self.forget(name)
        return edited

    def compile(self, name: str, parts: Parts, version: int | None = None) -> Template:
        """Return a template that is not kept, from these parts; raise compiling.BrokenTemplate."""
        return Template(name, compiling.compile_parts(name, parts, self._hidden_url, self._brand), version)

    def parts(self, name: str) -> FolderParts:
        """Return the files of a template of the folder; raise UnknownTemplate."""
        names = self.folder_names()
        if name not in names:
            raise UnknownTemplate.of("template", errors.unknown(name, self.names()))
        return FolderParts(self._folder / name)

    def _compile(self, name: str, version: int | None) -> Template:
        kept = self._broken.get((name, version))
        if kept and monotonic() < kept.until and kept.files == FolderParts(self._folder / name).state():
            raise kept.fault.with_traceback(None)
        parts = self.parts(name) if version is None else self._version(name, version)
        files = self._states[name] = FolderParts(self._folder / name).state()
        try:
            return self.compile(name, parts, version)
        except compiling.BrokenTemplate as broken:
            self._broken[name, version] = _CachedFault(broken, files, monotonic() + _KEEP_FAULT_S)
            raise

    def _version(self, name: str, version: int) -> Parts:
        if not self._stored or (parts := self._stored.parts(name, version)) is None:
            raise UnknownTemplate.of("template", f"{errors.shown(name)} has no version {version} in the database")
        return parts


class _CachedFault(NamedTuple):
    """The fault of a broken template, kept so that each use of it need not compile it again."""

    fault: compiling.BrokenTemplate
    files: frozenset[tuple[str, int, int]]
    until: float  # monotonic seconds
