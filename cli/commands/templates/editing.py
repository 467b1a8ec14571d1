"""Create, save, check, publish and delete templates in the database."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli import groups, terminal
from cli.library import library
from errors import Conflict, InvalidInput, NotFound

if TYPE_CHECKING:
    from engine.templates.checks import Finding
    from engine.templates.templates import Template
    from engine.templates.versions.history import Version
    from engine.templates.versions.store import Change

_DIGEST = ".digest"  # of the version that a folder was pulled from
_name = click.argument("name")
_version = click.option("--version", type=click.IntRange(1, 32_767), help="This version instead of the newest.")
_note = click.option("--note", help="Words about the version.")


@click.command(cls=groups.Command)
@_name
@click.option("--from", "source", metavar="TEMPLATE", help="Copy this template, of the folder or the database.")
@_note
def new(name: str, source: str | None, note: str | None) -> None:
    """Create the template NAME in the database, as a draft.

    \b
    Examples:
      cadencia templates new oferta
      cadencia templates new oferta --from email_1_roi
    """
    from engine.templates.versions import content, store
    from models.session import transaction

    with transaction() as session:
        if source is None:
            saved = store.create(session, name, content.BLANK, library=library(), change=_change(note))
        else:
            saved = store.clone(session, source, name, library=library(), change=_change(note))
    _print(saved)


@click.command(cls=groups.Command)
@_name
@click.option("--to", "folder", type=click.Path(path_type=Path), help="The folder to write; by default NAME here.")
@click.option("--force", is_flag=True, help="Replace the files of a folder that exists.")
@_version
def pull(name: str, folder: Path | None, force: bool, version: int | None) -> None:
    """Write the newest version of the template NAME to a folder, to edit it there.

    \b
    Example:
      cadencia templates pull oferta --to oferta
    """
    from engine.templates.versions import content, history
    from models.session import transaction

    with transaction() as session:
        saved, sources = history.version(session, name, version)
    place = folder or Path(name)
    if not force and place.exists() and any(place.iterdir()):
        raise Conflict(f"{place}: exists and is not empty; --force replaces its files")
    place.mkdir(parents=True, exist_ok=True)
    files = sources.files()
    for file in content.FIELDS.keys() - files.keys():
        (place / file).unlink(missing_ok=True)
    for file, written in files.items():
        (place / file).write_text(written, "utf-8", newline="")
    (place / _DIGEST).write_text(saved.digest + "\n")
    _print(saved)


@click.command(cls=groups.Command)
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--name", help="The name of the template; by default that of the folder.")
@click.option("--publish", "publishes", is_flag=True, help="Publish the version.")
@click.option("--force", is_flag=True, help="Save it also if somebody else has saved a version since it was pulled.")
@_note
def push(folder: Path, name: str | None, publishes: bool, force: bool, note: str | None) -> None:
    """Save the files of FOLDER as a new version; layouts beside the folder are filled in.

    \b
    Examples:
      cadencia templates push oferta --note 'Asunto más corto'
      cadencia templates push oferta --publish
    """
    from engine.templates.sources import FolderParts
    from engine.templates.versions import copying, history, store
    from models.session import transaction

    sources, named = copying.of_folder(FolderParts(folder.resolve())), name or folder.resolve().name
    pulled = folder / _DIGEST
    with transaction() as session:
        try:
            newest = history.version(session, named)[0].digest
        except NotFound:
            saved = store.create(session, named, sources, library=library(), change=_change(note))
        else:
            expected = pulled.read_text().strip() if pulled.exists() and not force else newest
            saved = store.save(session, named, sources, expected=expected, change=_change(note))
        if publishes:
            saved = store.publish(session, named, saved.version, library=library())
    pulled.write_text(saved.digest + "\n")
    _print(saved)


@click.command(cls=groups.Command)
@click.argument("names", nargs=-1)
def check(names: tuple[str, ...]) -> None:
    """Check the templates NAMES, by default all: that they compile, that their samples cover their variables, and that
    the e-mail is right for readers. Each fault has its part, line and remedy.

    A name with a / is that of a folder anywhere. Exits with status 1 if a template has an error; warnings are none.

    \b
    Examples:
      cadencia templates check
      cadencia templates check email_1_roi ./oferta
    """
    from engine.templates.checks import Severity
    from engine.templates.versions import history
    from models.session import transaction

    with transaction() as session:
        stored = [each.name for each in history.every(session)]
    faulty = 0
    for name in names or sorted({*library().folder_names(), *stored}):
        findings = _findings(name, is_stored=name in stored)
        for each in findings:
            terminal.row(name, f"{each.part} line {each.line}", each.severity, f"{each.message}; {each.remedy}")
        is_faulty = any(each.severity == Severity.ERROR for each in findings)
        try:
            if not is_faulty:
                _check(name, is_stored=name in stored)
        except InvalidInput as refused:
            is_faulty = True
            for fault in refused.faults:
                terminal.row(name, fault.field, Severity.ERROR, fault.message)
        faulty += is_faulty
        if not (findings or is_faulty):
            terminal.row(name, "ok")
    if faulty:
        raise click.exceptions.Exit(1)


@click.command(cls=groups.Command)
@_name
@_version
def publish(name: str, version: int | None) -> None:
    """Let new e-mails use the newest version of the template NAME; launched campaigns keep theirs.

    \b
    Examples:
      cadencia templates publish oferta
      cadencia templates publish oferta --version 3
    """
    from engine.templates.versions import history, store
    from models.session import transaction

    with transaction() as session:
        number = version or history.version(session, name)[0].version
        saved = store.publish(session, name, number, library=library())
    _print(saved)


@click.command(cls=groups.Command)
@_name
def versions(name: str) -> None:
    """List the versions of the template NAME, newest first: number, state, moment, author, subject, note.

    \b
    Example:
      cadencia templates versions oferta
    """
    from engine.templates.versions import history
    from models.session import transaction

    with transaction() as session:
        page = history.versions(session, name, limit=1_000)
    for each in page:
        state = "published" if each.is_published else "draft" if each.is_newest else "-"
        moment = each.created_at.isoformat(timespec="seconds")
        terminal.row(each.version, state, moment, each.author or "-", each.subject, each.note or "-")


@click.command(cls=groups.Command)
@_name
@click.argument("old", type=click.IntRange(1, 32_767))
@click.argument("new_version", metavar="NEW", type=click.IntRange(1, 32_767))
def diff(name: str, old: int, new_version: int) -> None:
    """Compare the versions OLD and NEW of the template NAME.

    \b
    Example:
      cadencia templates diff oferta 1 2
    """
    from engine.templates.versions import history
    from models.session import transaction

    with transaction() as session:
        before, after = (history.version(session, name, number)[1] for number in (old, new_version))
    for part, lines in history.diff(before, after).items():
        click.echo("\n".join([f"--- {part} {old}", f"+++ {part} {new_version}", *lines]))


@click.command(cls=groups.Command)
@_name
@click.argument("version", type=click.IntRange(1, 32_767))
@_note
def revert(name: str, version: int, note: str | None) -> None:
    """Save the content of VERSION of the template NAME again, as the newest one.

    \b
    Example:
      cadencia templates revert oferta 1
    """
    from engine.templates.versions import store
    from models.session import transaction

    with transaction() as session:
        saved = store.revert(session, name, version, change=_change(note))
    _print(saved)


@click.command(cls=groups.Command)
@_name
def delete(name: str) -> None:
    """Delete the template NAME of the database, unless a campaign or a queued e-mail uses it.

    \b
    Example:
      cadencia templates delete oferta
    """
    from engine.templates.versions import store
    from models.session import transaction

    with transaction() as session:
        store.delete(session, name)
    terminal.row(name, "deleted")


def _check(name: str, *, is_stored: bool) -> "Template":
    """Return a template of which e-mails can be made; raise InvalidInput with the faults."""
    from engine.templates.sources import FolderParts
    from engine.templates.versions import copying, history, store
    from models.session import transaction

    if is_stored:
        with transaction() as session:
            sources = history.version(session, name)[1]
    else:
        parts = FolderParts(Path(name).resolve()) if "/" in name else library().parts(name)
        sources = copying.of_folder(parts)
    return store.validate(library(), name, sources)


def _findings(name: str, *, is_stored: bool) -> "list[Finding]":
    import settings
    from engine.templates import brand, checks
    from engine.templates.sources import FolderParts, Parts
    from engine.templates.versions import history
    from models.session import transaction

    if is_stored:
        with transaction() as session:
            parts: Parts = history.version(session, name)[1].parts()
    else:
        parts = FolderParts(Path(name).resolve()) if "/" in name else library().parts(name)
    return checks.of(name, parts, brand.of(settings.current()))


def _change(note: str | None) -> "Change":
    from engine import clock
    from engine.templates.versions.store import Change

    return Change(None, clock.now(), note)


def _print(saved: "Version") -> None:
    terminal.row(saved.name, saved.version, "published" if saved.is_published else "draft", saved.digest)


COMMANDS = (new, pull, push, check, publish, versions, diff, revert, delete)
