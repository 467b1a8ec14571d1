"""Messages of the engine about landing pages, which pages repeat in the reader's language (see `faults`)."""

gettext_noop = str  # it marks a text for translation, as in GNU gettext

MESSAGES = (
    gettext_noop("give true or false"),
    gettext_noop("the page has %(size)s bytes of JSON; at most %(most)s are taken"),
    gettext_noop("give a list of blocks"),
    gettext_noop("give a list of objects"),
    gettext_noop("has %(number)s blocks; at most %(most)s are taken"),
    gettext_noop("has %(number)s entries; give 1 to %(most)s"),
    gettext_noop("has %(number)s characters; at most %(most)s are taken"),
    gettext_noop("is a second form; a page has one"),
    gettext_noop("is needed"),
    gettext_noop("give a text"),
    gettext_noop("remove the line breaks and invisible characters"),
    gettext_noop("give a colour such as %(example)s"),
    gettext_noop("text on it has a contrast of %(contrast)s, and %(least)s is needed; %(nearest)s has it"),
    gettext_noop(
        "on the background %(color)s it has a contrast of %(contrast)s, and %(least)s is needed; %(nearest)s has it"
    ),
    gettext_noop("give a web address such as %(address)s, a path such as %(path)s, or #form"),
    gettext_noop("give the address of an uploaded picture, such as %(example)s"),
    gettext_noop("give the slug of a form, such as %(example)s"),
    gettext_noop("give 1 to 50 characters of a to z, 0 to 9 and -, such as %(example)s"),
    gettext_noop("there is a page %(slug)s already; choose another"),
    gettext_noop("the page is published; unpublish it first"),
    gettext_noop("there is none with this slug"),
    gettext_noop("there is none with this slug and version"),
)
# Messages for programs, and their replacements on pages.
INSTEAD = {
    'give an object such as {"kind": "text", "text": {"es": "…"}}': gettext_noop("this is no block"),
}
