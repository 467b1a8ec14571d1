"""Messages of the engine about pictures, forms and templates, in the reader's language on pages (see `faults`)."""

gettext_noop = str  # it marks a text for translation, as in GNU gettext

PICTURES = (
    gettext_noop("is empty; choose a picture"),
    gettext_noop("is %(format)s; save it as PNG, JPEG, GIF or WebP"),
    gettext_noop("an SVG drawing"),
    gettext_noop("a BMP picture"),
    gettext_noop("a TIFF picture"),
    gettext_noop("an AVIF picture"),
    gettext_noop("a HEIC picture"),
    gettext_noop("a film"),
    gettext_noop("no picture"),
    gettext_noop("is damaged: %(reason)s"),
    gettext_noop("it ends too early"),
    gettext_noop("it does not begin with its header"),
    gettext_noop("a checksum is wrong"),
    gettext_noop("its header has a value that does not exist"),
    gettext_noop("its header has a value that browsers do not know"),
    gettext_noop("its pixels cannot be decompressed"),
    gettext_noop("it has too few pixels"),
    gettext_noop("it has more pixels than its size says"),
    gettext_noop("it has two frames"),
    gettext_noop("its kind of compression is not one that browsers know"),
    gettext_noop("it has no picture"),
    gettext_noop("it has no picture of the size that its header says"),
    gettext_noop("a marker is missing"),
    gettext_noop("a marker stands where none may"),
    gettext_noop("it has a block of unknown kind"),
    gettext_noop("its picture does not begin as one"),
    gettext_noop("its width or height is 0"),
    gettext_noop("has %(width)s × %(height)s pixels; at most %(side)s on a side and %(pixels)s in all are taken"),
    gettext_noop("it is used by %(names)s; remove it there first"),
)
FORMS = (
    gettext_noop("is not a field; %(advice)s"),
    gettext_noop("give 1 to 50 characters of a to z, 0 to 9 and -, such as guia-roi"),
    gettext_noop("%(name)s is reserved or there already; choose another"),
    gettext_noop("give a text"),
    gettext_noop("give a list of texts"),
    gettext_noop("has %(number)s characters; at most %(most)s are taken"),
    gettext_noop("remove the line breaks and invisible characters"),
    gettext_noop("has %(number)s fields; at most %(most)s are taken"),
    gettext_noop("give a to z, 0 to 9 and _, beginning with a letter, such as company"),
    gettext_noop("give up to %(most)s texts of up to 100 characters"),
    gettext_noop("at most %(most)s are taken"),
    gettext_noop("at most %(most)s addresses are taken"),
    gettext_noop("%(name)s is no name of an attribute"),
    gettext_noop("give a text of up to %(most)s characters"),
    gettext_noop("give scheme and host without a path, such as https://www.tienda.example"),
    gettext_noop("give a web address such as https://www.tienda.example/gracias"),
    gettext_noop("there is a form %(name)s already; choose another"),
    gettext_noop("there is none with this slug"),
    gettext_noop("there is no campaign with this id"),
    gettext_noop("needs the template %(name)s: %(reason)s"),
    gettext_noop("somebody has changed it meanwhile; load it again"),
    gettext_noop("line %(number)s"),
)
# Of templates in the database; `sources` has the faults of their code.
TEMPLATES = (
    gettext_noop("%(value)s has no version %(number)s in the database"),
    gettext_noop("there is no %(value)s in the database; a folder's can be copied under another name"),
    gettext_noop("%(value)s: give 1 to 50 of a to z, 0 to 9 and _, and begin with none of _"),
    gettext_noop("%(value)s is no part of a template; there are %(names)s"),
    gettext_noop("a template of the folder is called %(name)s; copy it under another name"),
    gettext_noop("there is a template %(name)s already; choose another name, or save a version of it"),
    gettext_noop("%(name)s has %(number)s versions; copy it under another name"),
    gettext_noop("these campaigns use %(template)s: %(names)s; delete or cancel them, or let them finish"),
    gettext_noop("queued e-mails use %(template)s; delete it when they are sent"),
    gettext_noop("give at most %(most)s printable characters"),
    gettext_noop("lacks %(name)s, which the template requires: give it a value, or guard it by `default`"),
    gettext_noop(
        "lacks %(name)s, which the template requires: give it a value, or guard it by `default`; "
        "did you mean %(nearest)s?"
    ),
    gettext_noop('must be an object, such as {"nombre": "Ana"}'),
    gettext_noop("is nested too deeply"),
    gettext_noop("contains a NUL or half a surrogate pair; write valid text"),
    gettext_noop("is one line of at most %(most)s characters"),
    gettext_noop("is too long: at most %(most)s bytes are accepted"),
    gettext_noop("the source is longer than %(most)s bytes"),
    gettext_noop("is too long: at most %(most)s bytes of JSON are accepted"),
    gettext_noop("%(kind)s: this template can use no other file"),
    gettext_noop("is empty"),
    gettext_noop("has %(number)s characters, 1 to %(most)s are needed"),
    gettext_noop("names with a leading underscore are reserved"),
    gettext_noop("code inside a tag may only stand in an attribute's value"),
    gettext_noop("a tag's name cannot come from code"),
    gettext_noop("subject.txt is missing"),
)
INSTEAD = {
    "somebody has saved version %(number)s meanwhile, with the digest %(digest)s, not %(value)s: load it again": (
        gettext_noop("somebody has edited it meanwhile; load it again")
    ),
    'give the text by language, such as {"es": "…", "en": "…"}': gettext_noop(
        "give a text in Spanish, in English, or in both"
    ),
    "leads to %(origin)s, which is not one of `origins`": gettext_noop(
        "leads to %(origin)s, which is not one of the sites that may show the form"
    ),
    "has %(number)s bytes; at most %(most)s are taken: make it smaller": gettext_noop(
        "is too large: at most 2 MB are accepted; make it smaller"
    ),
    "there is none with this digest": gettext_noop("it does not exist, or it was deleted"),
}
