"""`cadencia templates`: the templates of e-mails."""

import click

from cli import groups, terminal
from errors import InvalidInput


@click.group(cls=groups.Group)
def group() -> None:
    """Inspect the templates of e-mails.

    \b
    Example:
      cadencia templates list
    """


@group.command("list")
def list_all() -> None:
    """List the templates: name, variables that it requires, language, subject; status 1 if one does not compile.

    \b
    Example:
      cadencia templates list
    """
    import settings
    from engine.templates.templates import Library

    library = Library.configured(settings.current())
    broken = 0
    for name in library.names():
        try:
            template = library.get(name)
            terminal.row(name, ", ".join(sorted(template.required)), template.language or "-", template.subject_source)
        except InvalidInput as error:
            broken += 1
            click.echo(f"{name}\tBROKEN: {error}", err=True)
    if broken:
        raise click.exceptions.Exit(1)
