"""The content of a template in the database, its bounds, and its digest."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from engine import edits
from engine.templates import additions, sandbox, variables
from engine.templates.sources import WrittenParts
from errors import Fault, InvalidInput

LINE_CHARS_MAX = 1_000  # of subject and preheader as they are written
PART_BYTES_MAX = sandbox.SOURCE_BYTES_MAX

# The field of each part, by the name that it has as a file.
FIELDS = {
    "subject.txt": "subject",
    additions.PREHEADER: "preheader",
    "body.html": "html",
    "body.mjml": "mjml",
    "body.txt": "text",
    "sample.json": "sample",
}
_LINES = ("subject", "preheader")


@dataclass(frozen=True, slots=True)
class Content:
    """The sources of a template, one of `html` and `mjml` among them, and its sample values.

    Without `text` the text part is derived from the HTML.
    """

    subject: str
    preheader: str = ""
    html: str | None = None
    mjml: str | None = None
    text: str | None = None
    sample: Mapping[str, object] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """The SHA-256 of the content, in hexadecimal digits; equal contents have equal digests."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return edits.digest({**values, "sample": dict(self.sample)}).hex()

    def files(self) -> dict[str, str]:
        """Return the sources as a folder has them, by the names of files."""
        texts = {name: getattr(self, each) for name, each in FIELDS.items() if each != "sample"}
        present = {name: text for name, text in texts.items() if text is not None and (text or name == "subject.txt")}
        return {**present, "sample.json": json.dumps(dict(self.sample), ensure_ascii=False, indent=2) + "\n"}

    def parts(self) -> WrittenParts:
        """Return the sources for compiling."""
        return WrittenParts(self.files())

    def check(self) -> None:
        """Raise InvalidInput with the faults of a content that cannot be stored, even as a draft."""
        faults = [*self._faults()]
        if faults:
            raise InvalidInput(faults)

    def _faults(self) -> Iterator[Fault]:
        if (self.html is None) == (self.mjml is None):
            yield Fault("html", "give the body as html or as mjml, not both" if self.html else "give html or mjml")
        for name in ("subject", "preheader", "html", "mjml", "text"):
            written = getattr(self, name)
            if problem := written and _problem(written, is_line=name in _LINES):
                yield Fault(name, problem)
        if problem := _problem_of_sample(self.sample):
            yield Fault("sample", problem)


BLANK = Content(
    subject="{{ nombre }}",
    html="""<!doctype html>
<html lang="es">
<head><meta charset="utf-8"><title>{{ brand_name }}</title></head>
<body>
<p>Hola, {{ nombre }}:</p>

<p>{{ brand_name }}</p>
</body>
</html>
""",
    sample={"nombre": "Ana"},
)


def of_files(files: Mapping[str, str]) -> Content:
    """Return the content of a folder's files, by their names. Raise InvalidInput if one is missing or unknown."""
    if unknown := sorted(set(files) - set(FIELDS)):
        raise InvalidInput.of("files", f"{unknown[0]} is no part of a template; there are {', '.join(FIELDS)}")
    if "subject.txt" not in files:
        raise InvalidInput.of("subject", "subject.txt is missing")
    try:
        sample = json.loads(files.get("sample.json", "{}"))
    except (ValueError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        raise InvalidInput([Fault("sample", f"line {line}: is not valid JSON", line)]) from None
    if not isinstance(sample, dict):
        raise InvalidInput.of("sample", 'must be an object, such as {"nombre": "Ana"}')
    return Content(
        subject=" ".join(files["subject.txt"].split()),
        preheader=" ".join(files.get(additions.PREHEADER, "").split()),
        html=files.get("body.html"),
        mjml=files.get("body.mjml"),
        text=files.get("body.txt"),
        sample=sample,
    )


def _problem(written: str, *, is_line: bool) -> str | None:
    if "\0" in written or not _is_unicode(written):
        return "contains a NUL or half a surrogate pair; write valid text"
    if is_line and (len(written.splitlines()) > 1 or len(written) > LINE_CHARS_MAX):
        return f"is one line of at most {LINE_CHARS_MAX} characters"
    if len(written.encode()) > PART_BYTES_MAX:
        return f"is too long: at most {PART_BYTES_MAX} bytes are accepted"
    return None


def _problem_of_sample(sample: Mapping[str, object]) -> str | None:
    if not variables.is_plain(dict(sample)):
        return f"may hold text, numbers, booleans, lists and objects, nested at most {variables.DEPTH_MAX} deep"
    try:
        written = edits.canonical(dict(sample))
    except ValueError:
        return "contains a number that JSON cannot express"
    if "\\u0000" in written or not _is_unicode(written):
        return "contains a NUL or half a surrogate pair; write valid text"
    if len(written.encode()) > variables.JSON_BYTES_MAX:
        return f"is too long: at most {variables.JSON_BYTES_MAX} bytes of JSON are accepted"
    return None


def _is_unicode(written: str) -> bool:
    """Return True if the text can be stored in UTF-8."""
    try:
        written.encode()
    except UnicodeEncodeError:
        return False
    return True
