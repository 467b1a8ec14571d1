"""Messages of the engine in the reader's language, for errors at fields and for error pages.

The engine's messages are English, with values in them. A message is recognised by the text around its values. Its
translation gets the same values, translated in the same way.
"""

import re
from collections.abc import Iterator
from functools import cache

from errors import CadenciaError, InvalidInput
from web.pages.frame import languages
from web.pages.frame.languages import gettext
from web.pages.frame.messages import checks, landing, resources, servers, sources

_PLACE = re.compile(r"[\w-]+(?:[.\[][\w\]-]+)*: ")  # `steps[0].delay_s: `, before a message
_HOST = re.compile(r"[^\s:]+: ")  # before the reason of a fault
_NEXT = re.compile(rf"; (?={_PLACE.pattern})")
_NAME = re.compile(r"%\((\w+)\)s")  # of a value in a message
_QUOTED = re.compile(r"""(['"])((?:(?!\1)[^\\]|\\.)*)\1""", re.DOTALL)  # by `repr`
_NUMBER = re.compile(r"(\d{1,3}(?:,\d{3})*(?:\.\d+)?)(%?)")


def gettext_noop(message: str) -> str:
    """Return the message itself: it marks a text for translation, as in GNU gettext."""
    return message


# The engine's messages, which pages repeat as they are.
_MESSAGES = (
    gettext_noop("give %(least)s to %(most)s characters"),
    gettext_noop("give %(least)s to %(most)s printable characters"),
    gettext_noop("give %(least)s to %(most)s printable characters without a space at either end"),
    gettext_noop("give one of %(names)s"),
    gettext_noop("give one or more of %(names)s"),
    gettext_noop("give one such as %(example)s"),
    gettext_noop("%(value)s is not known; there are %(names)s"),
    gettext_noop("%(value)s is not known; did you mean %(nearest)s? There are %(names)s"),
    gettext_noop("%(value)s is not a condition on contacts; there are %(names)s"),
    gettext_noop("%(value)s is not a condition on contacts; did you mean %(nearest)s? There are %(names)s"),
    gettext_noop("%(value)s is of no contact; there are %(names)s"),
    gettext_noop("%(value)s is of no contact; did you mean %(nearest)s? There are %(names)s"),
    gettext_noop("%(names)s and %(number)s more"),
    gettext_noop("this value"),
    gettext_noop("none"),
    gettext_noop("did you mean %(nearest)s?"),
    gettext_noop("%(value)s is not a zone of the IANA database; %(advice)s"),
    gettext_noop("another account has this name; choose another"),
    gettext_noop("this is the last administrator; make another account one first"),
    gettext_noop("you cannot grant a scope that you lack: %(names)s"),
    gettext_noop("another campaign has this name; choose another"),
    gettext_noop("%(number)s campaigns have the names of copies; rename or delete some"),
    gettext_noop("its contacts are enrolled already; clone the campaign to choose others"),
    gettext_noop("contacts are enrolled in it, which explains why they get nothing; cancel it instead"),
    gettext_noop("the form %(slug)s enrolls people in it; choose another campaign there, or none"),
    gettext_noop("the campaign is cancelled and never runs again; clone it and enroll contacts there"),
    gettext_noop("the campaign is cancelled; nothing of it is sent any more"),
    gettext_noop("give 1 to %(most)s addresses; there are %(number)s"),
    gettext_noop("draft"),
    gettext_noop("cancelled"),
    gettext_noop("ready"),
    gettext_noop("done"),
    gettext_noop("failed"),
    gettext_noop("running"),
    gettext_noop("paused"),
    gettext_noop("finished"),
    gettext_noop("stands alone; leave out the other conditions, or this one"),
    gettext_noop("give true, or leave it out"),
    gettext_noop("only those who sign up, and no open form enrolls them; choose it in a form first"),
    gettext_noop("it has no contact; import contacts or widen the conditions, then launch again"),
    gettext_noop("give a list of at least one word"),
    gettext_noop("give a whole number from 0 to 100"),
    gettext_noop("%(template)s is broken: %(reason)s"),
    gettext_noop("is missing: the template needs it"),
    gettext_noop("has %(number)s characters, where a link may have at most %(most)s"),
    gettext_noop("are too long: at most %(most)s bytes of JSON are accepted"),
    gettext_noop("may hold text, numbers, booleans, lists and objects, nested at most %(most)s deep"),
    gettext_noop("appears in the subject and contains a line break or control character: send it without"),
    gettext_noop("contains a NUL or half a surrogate pair: send valid text"),
    gettext_noop("contains values that are not text, numbers, booleans, lists or objects"),
    gettext_noop("lack %(name)s, which the template needs"),
    gettext_noop("cannot be rendered: %(reason)s"),
    gettext_noop("cannot be rendered by this template (%(error)s)"),
    gettext_noop("an e-mail to it is being sent; repeat in a minute"),
    gettext_noop("a notice of it is being sent; repeat in a minute"),
    gettext_noop("this address has none"),
    gettext_noop("the person unsubscribed"),
    gettext_noop("the person complained"),
    gettext_noop("the address is dead"),
    gettext_noop("its contact was erased"),
    gettext_noop("has more than %(most)s rows; split it"),
    gettext_noop("has %(number)s columns; give at most %(most)s"),
    gettext_noop("is unknown; give one such as utf-8, cp1252, mac_roman, cp1251 or shift_jis"),
    gettext_noop("%(value)s is not NAME=target, such as 'E-mail 1 - Value=email'"),
    gettext_noop("%(value)s is no known column; did you mean %(nearest)s?"),
    gettext_noop("%(number)s of them do not exist; import the contacts first"),
)
# Of files of contacts.
_FILES = (
    gettext_noop("the file has no column %(name)s; its columns are %(names)s"),
    gettext_noop("the file has no column %(name)s; its columns are %(names)s; did you mean %(nearest)s?"),
    gettext_noop("has no column for the address: the file is empty"),
    gettext_noop("is empty; choose a file with a header and at least one contact"),
    gettext_noop("is %(format)s and not CSV: unpack it first"),
    gettext_noop("is %(format)s and not CSV: export the contacts again and choose CSV"),
    gettext_noop("an archive (.zip)"),
    gettext_noop("an Excel workbook (.xls)"),
    gettext_noop("an Excel workbook (.xlsx)"),
    gettext_noop("an OpenDocument spreadsheet (.ods)"),
    gettext_noop("a Numbers document"),
    gettext_noop("a PDF file"),
    gettext_noop("an RTF file"),
    gettext_noop("a compressed file (.gz)"),
    gettext_noop("a file of vCards (.vcf)"),
    gettext_noop("an HTML page"),
    gettext_noop("an XML file"),
    gettext_noop("is not UTF-8; this and other such lines were read as %(encoding)s"),
    gettext_noop("has a quotation mark that is not closed"),
    gettext_noop("has a quotation mark within a cell; write it twice"),
    gettext_noop("is longer than 65,536 characters"),
    gettext_noop("%(fault)s; the %(number)s lines after it are lost, too"),
    gettext_noop("has %(number)s cells more than the header: check it, and quote cells with separators"),
    gettext_noop("is empty; give one address such as name@company.example"),
    gettext_noop("is neither yes nor no, read as yes"),
    gettext_noop("is neither yes nor no, ignored"),
    gettext_noop("is neither a date nor yes or no, left out"),
    gettext_noop("is set, but the row has no address: suppress the contact by hand"),
    gettext_noop("is the address of line %(line)s, which counts"),
    gettext_noop("is empty; choose a file with a header and at least one contact"),
    gettext_noop("it is started already"),
    gettext_noop("it does not run; it has ended, or was not started"),
    gettext_noop("the workers could not read it; see their log"),
)
_NO_PAGE = gettext_noop("there is no such page of the list; begin with the first")
# Messages for programs, and what pages say instead.
_INSTEAD = {
    "has no column for the address: its columns are %(names)s, and none holds addresses; call the right one email or "
    "correo, or map it, such as 'NAME=email'": gettext_noop(
        "has no column for the address: its columns are %(names)s, and none holds addresses; export it again with them"
    ),
    "is %(format)s and not CSV: open it in its program and save it as CSV (in Excel: File, Save As, “CSV UTF-8”; in "
    "LibreOffice: File, Save As, “Text CSV”), or run `soffice --headless --convert-to csv FILE`": gettext_noop(
        "is %(format)s and not CSV: open it in its program and save it as CSV (in Excel: File, Save As, “CSV UTF-8”; "
        "in LibreOffice: File, Save As, “Text CSV”)"
    ),
    "the campaign is %(state)s; only a %(needed)s one can be %(action)s": gettext_noop(
        "the campaign is now %(state)s; this is possible only while it is %(needed)s"
    ),
    "%(reason)s, %(cause)s (since %(day)s)": gettext_noop("it is suppressed since %(day)s: %(cause)s"),
    "%(reason)s, %(cause)s (since %(day)s); name the reason to release it nevertheless: %(name)s": gettext_noop(
        "it is suppressed since %(day)s: %(cause)s; choose this reason to release it nevertheless"
    ),
    "%(fault)s; give one address such as name@company.example": gettext_noop(
        "this is no e-mail address; give one such as name@company.example"
    ),
    "the window must start before it ends, within 0 to %(most)s minutes": gettext_noop(
        "the window must start before it ends"
    ),
    "a campaign has 1 to %(most)s steps, not %(number)s": gettext_noop("choose a template"),
    "is the target of a link: %(fault)s": gettext_noop("is the target of a link, but %(fault)s"),
    "must be from 0 to %(most)s seconds": gettext_noop("wait from 0 to 366 days"),
    "give at least one, from 1 (Monday) to 7 (Sunday)": gettext_noop("choose at least one day"),
    "give an object of attribute names and their values": gettext_noop(
        "give attributes as name=value, one on each line"
    ),
    "is not a web address: an absolute http:// or https:// address is needed, or a scheme such as mailto: or tel:": (
        gettext_noop("is not a web address: it must begin with http:// or https://, or with mailto: or tel:")
    ),
    "it is %(state)s, so it cannot be %(action)s": gettext_noop("its state is now %(state)s, so this is not possible"),
    "somebody has edited it meanwhile; %(versions)s: load it again": gettext_noop(
        "somebody has edited it meanwhile; load it again"
    ),
    "give the `next` of the page before": _NO_PAGE,
    "give the position that the page before has": _NO_PAGE,
    "give enrolled, running, finished or stopped": _NO_PAGE,
    "give the `before` of the page before": _NO_PAGE,
    "there is none at %(path)s": gettext_noop("there is no page at %(path)s"),
    "there is none with this id": gettext_noop("it does not exist, or it was deleted"),
    "there is no e-mail %(id)s; use the email_id that the send returned": gettext_noop("there is no such e-mail"),
}


def words(message: str) -> str:
    """Return the message in the reader's language; in English if it has no translation. A place may precede it."""
    if translated := _filled(message):
        return translated
    place = _PLACE.match(message)
    return place[0] + words(message[place.end() :]) if place else message


def reason(text: str) -> str:
    """Return why a relay or a template failed, with its fixed parts in the reader's language.

    The name of a host may precede it, and the words of a server may follow it, in parentheses.
    """
    if host := _HOST.match(text):
        return host[0] + reason(text[host.end() :])
    if translated := _filled(text):
        return translated
    fixed, bracket, detail = text.partition(" (")
    if ": " not in fixed:
        return f"{words(fixed)}{bracket}{detail}"
    fixed, colon, rest = text.partition(": ")
    return f"{words(fixed)}{colon}{reason(rest)}"


def sentence(message: str) -> str:
    """Return the message in the reader's language as a sentence."""
    text = words(message)
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


def listed(error: CadenciaError) -> Iterator[tuple[str, str]]:
    """Yield the faults that an error names: the field, as the engine calls it, and the message."""
    if isinstance(error, InvalidInput):
        yield from ((fault.field, fault.message) for fault in error.faults)
        return
    for part in _NEXT.split(str(error)):
        place = _PLACE.match(part)
        yield (place[0].removesuffix(": "), part[place.end() :]) if place else ("", part)


def sentences(error: CadenciaError) -> str:
    """Return all faults of an error as sentences in the reader's language, for a page."""
    is_of_fields = isinstance(error, InvalidInput)
    texts = [f"{leaf(field)}: {words(message)}" if is_of_fields else message for field, message in listed(error)]
    return " ".join(map(sentence, texts))


def leaf(field: str) -> str:
    """Return the last name of a field: `nombre` of `variables.nombre`."""
    return field.rpartition(".")[2]


def is_translated(message: str) -> bool:
    """Return True if the message is one of those listed here, which a place may precede."""
    without = _PLACE.sub("", message, count=1)
    return any(pattern.fullmatch(text) for _, pattern, _ in _patterns() for text in (message, without))


def _filled(message: str) -> str | None:
    for longest, pattern, text in _patterns():
        if longest in message and (match := pattern.fullmatch(message)):
            return str(gettext(text)) % {name: _value(value) for name, value in match.groupdict().items()}
    return None


def _value(written: str) -> str:
    """Return a value of a message in the reader's language: words, a number such as 1,234 or 60%, or a quotation."""
    if quoted := _QUOTED.fullmatch(written):
        return str(gettext("“%(text)s”", text=quoted[2].replace("\\'", "'")))
    if number := _NUMBER.fullmatch(written):
        value = float(number[1].replace(",", ""))
        return languages.percent(value / 100) if number[2] else languages.number(value)
    return words(written)


@cache
def _patterns() -> list[tuple[str, re.Pattern[str], str]]:
    """Return each message as its longest part and a pattern, with its text; the one with the most own text first."""
    listed_here = (
        *_MESSAGES,
        *_FILES,
        *servers.MESSAGES,
        *resources.PICTURES,
        *resources.FORMS,
        *resources.TEMPLATES,
        *landing.MESSAGES,
        *sources.MESSAGES,
        *checks.MESSAGES,
    )
    instead = _INSTEAD | resources.INSTEAD | landing.INSTEAD | checks.INSTEAD
    texts = {message: message for message in listed_here} | instead
    return [(*_pattern(message), texts[message]) for message in sorted(texts, key=_own_length, reverse=True)]


def _pattern(message: str) -> tuple[str, re.Pattern[str]]:
    parts = [part.replace("%%", "%") for part in _NAME.split(message)]  # names stand at the odd places
    pattern = "".join(f"(?P<{part}>.+?)" if at % 2 else re.escape(part) for at, part in enumerate(parts))
    return max(parts[::2], key=len), re.compile(pattern, re.DOTALL)


def _own_length(message: str) -> int:
    return len(_NAME.sub("", message))
