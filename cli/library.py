"""The templates that commands find: those of the folder and of the database."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.templates.templates import Library


def library() -> "Library":
    """Return the library of the settings: the folder and the database."""
    import settings
    from engine.templates.templates import Library
    from engine.templates.versions.reading import StoredTemplates
    from models.session import statement

    return Library.configured(settings.current(), StoredTemplates(statement))
