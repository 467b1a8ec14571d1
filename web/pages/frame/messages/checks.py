"""Findings of the checks of templates, with their remedies. Pages name the fields of the editor, not the files."""

gettext_noop = str  # it marks a text for translation, as in GNU gettext

STRUCTURE = (
    gettext_noop("%(tag)s is never closed"),
    gettext_noop("add </%(tag)s>"),
    gettext_noop("%(tag)s is not closed before %(next)s"),
    gettext_noop("put </%(tag)s> before %(place)s"),
    gettext_noop("%(tag)s closes nothing"),
    gettext_noop("remove it, or add <%(tag)s> before"),
    gettext_noop("</p> closes nothing: %(tag)s has ended the paragraph"),
    gettext_noop("use <div> in place of <p>"),
    gettext_noop("%(tag)s does not close itself in HTML"),
    gettext_noop("write <%(tags)s>"),
    gettext_noop("%(tag)s is not in a table, so it is dropped"),
    gettext_noop("put it into <table>"),
    gettext_noop("the elements left open differ with the condition or the loop"),
    gettext_noop("open and close the same elements in each branch"),
    gettext_noop("close each element where it ends"),
    gettext_noop("correct it; no e-mail can be made of the template"),
    gettext_noop("the line has %(size)s bytes; an e-mail may have %(most)s in a line"),
    gettext_noop("break it between two tags or words; else the e-mail is sent encoded, and longer"),
)
DROPPED = (
    gettext_noop("%(tag)s is dropped by %(where)s"),
    gettext_noop("%(where)s drops “%(css)s”"),
    gettext_noop("Outlook for Windows"),
    gettext_noop("Gmail and Outlook for Windows"),
    gettext_noop("every mail program"),
    gettext_noop("lay out with tables (role=presentation)"),
    gettext_noop("use padding of a table cell"),
    gettext_noop("leave it out; nothing replaces it in e-mails"),
    gettext_noop("use an animated GIF"),
    gettext_noop("give width and height to the picture"),
    gettext_noop("add a background-color on which the text can be read"),
    gettext_noop("prepare the picture itself"),
    gettext_noop("use align on a table or a picture"),
    gettext_noop("crop the picture itself"),
    gettext_noop("use a lighter colour"),
    gettext_noop("write the value itself"),
    gettext_noop("write the value in pixels or percent"),
    gettext_noop("put the CSS into <style>"),
    gettext_noop("name fonts that readers have; a font from elsewhere tells who reads"),
    gettext_noop("write what works everywhere"),
    gettext_noop("write the rules without a layer"),
    gettext_noop("use @media (max-width: …)"),
    gettext_noop("put the text or the picture into the HTML"),
    gettext_noop("remove it"),
    gettext_noop("link to a page with the form"),
    gettext_noop("write whole addresses"),
    gettext_noop("use a PNG"),
    gettext_noop("link a picture to the video"),
    gettext_noop("link to the recording"),
    gettext_noop("use a picture"),
)
LINKS = (
    gettext_noop("%(tag)s has no alt"),
    gettext_noop('say in alt what it shows, or write alt="" if it is only an ornament'),
    gettext_noop("there is no unsubscribe link, so a line in Spanish is added at the end of marketing e-mails"),
    gettext_noop('write {%% if unsubscribe_url %%}<a href="{{ unsubscribe_url }}">…</a>{%% endif %%} where it belongs'),
    gettext_noop("the link leads nowhere"),
    gettext_noop("give it an address"),
    gettext_noop("the link to %(address)s is no address to link to: %(needed)s"),
    gettext_noop("the link to %(address)s is not a web address: %(needed)s"),
    gettext_noop("the link to %(address)s has %(number)s characters, where a link may have at most %(most)s"),
    gettext_noop("an absolute http:// or https:// address is needed, or a scheme such as mailto: or tel:"),
    gettext_noop("this address"),
    gettext_noop("write an address that begins with https://"),
    gettext_noop("the link to %(address)s is not encrypted"),
    gettext_noop("the picture comes over a connection that is not encrypted, so that some programs do not show it"),
    gettext_noop("write https:// in place of http://"),
    gettext_noop("the picture is in the HTML; Gmail and Outlook do not show it"),
    gettext_noop("put it on a server"),
    gettext_noop("the picture %(address)s has no address that a mail program could open"),
    gettext_noop("write its whole address, from https:// on"),
)
READING = (
    gettext_noop("text in %(color)s on %(background)s has a contrast of %(contrast)s; %(least)s are needed"),
    gettext_noop(
        "text in %(color)s on %(background)s has a contrast of %(contrast)s in dark mode; %(least)s are needed"
    ),
    gettext_noop("write it in %(color)s, or change the background"),
    gettext_noop("with the sample the subject has %(number)s characters; many programs show %(most)s"),
    gettext_noop("say the most important first, and less"),
    gettext_noop("there is no preheader, so programs show the first words of the e-mail beside the subject"),
    gettext_noop("the HTML has %(size)s bytes with tracked links; Gmail hides what exceeds %(most)s"),
    gettext_noop("shorten it; the unsubscribe link is at the end"),
    gettext_noop("it has %(share)s of the words of the HTML, such as not “%(word)s”"),
    gettext_noop("a link is not there"),
)
MESSAGES = (*STRUCTURE, *DROPPED, *LINKS, *READING)
INSTEAD = {
    "begin the body with a hidden line; in _layout.html it is the block preheader, in MJML mj-preview": gettext_noop(
        "fill in the preheader"
    ),
    "the variable '%(name)s' is not in sample.json, and no contact has it": gettext_noop(
        "the variable %(name)s is not among the sample values, and no contact has it"
    ),
    "add '%(name)s' with a realistic value to sample.json": gettext_noop("add %(name)s to the sample values"),
    "did you mean %(nearest)s? Else add '%(name)s' with a realistic value to sample.json": gettext_noop(
        "did you mean %(nearest)s? Else add %(name)s to the sample values"
    ),
    "say the same in both, or remove body.txt: then it is derived from the HTML": gettext_noop(
        "say the same in both, or empty the text part: then it is derived from the body"
    ),
    "the link to “%(address)s” is not in body.txt": gettext_noop("the link to “%(address)s” is not in the text part"),
    "add it, or remove body.txt": gettext_noop("add it, or empty the text part"),
}
