"""Copy a template of a folder: its content, which needs no other file."""

from engine.templates import compiling, sources
from engine.templates.sources import FolderParts
from engine.templates.versions.content import FIELDS, Content, of_files


def of_folder(parts: FolderParts) -> Content:
    """Return the content of a folder; layouts are filled in, so that it needs no other file.

    Variables of the brand stay variables. Raise compiling.BrokenTemplate if a file is missing or invalid.
    """
    compiling.compile_parts(parts.folder.name, parts)  # joined segments can compile although one of them does not
    names = [name for name in FIELDS if parts.has(name)]
    written = {name: parts.read(name) for name in names}
    filled = {
        name: sources.joined(sources.flatten(compiling.HTML, parts.read, name))
        for name, source in written.items()
        if name.startswith("body.") and compiling.has_blocks(source)
    }
    return of_files(written | filled)
