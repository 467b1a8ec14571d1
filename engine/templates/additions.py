"""Add to the HTML and text of a template: the preheader, the unsubscribe line."""

import re

PREHEADER = "preheader.txt"
UNSUBSCRIBE_HTML = (
    '{% if unsubscribe_url %}<p style="font-size:12px;text-align:center;">{% if brand_address %}{{ brand_name }}, '
    "{{ brand_address }}<br>{% endif %}¿No quieres recibir más correos como este? "
    '<a href="{{ unsubscribe_url }}">Darme de baja</a></p>{% endif %}'
)
UNSUBSCRIBE_TEXT = (
    "{% if unsubscribe_url %}\n\n--\n{% if brand_address %}{{ brand_name }}, {{ brand_address }}\n{% endif %}"
    "¿No quieres recibir más correos como este? {{ unsubscribe_url }}\n{% endif %}"
)

_BODY = re.compile("<body[^>]*>", re.IGNORECASE)
# Invisible characters after the preheader keep mail programs from showing the beginning of the body beside it.
_REST = "&#847;&zwnj;&nbsp;" * 60
_HIDDEN = f'<div style="display:none;max-height:0;overflow:hidden;mso-hide:all">%s{_REST}</div>'


def append(html: str, snippet: str) -> str:
    """Return the HTML with the snippet at the end of its body."""
    before, end, after = html.rpartition("</body>")
    return before + snippet + end + after if end else html + snippet


def with_preheader(html: str, line: str) -> str:
    """Return the HTML with this line, if it is not empty, as a hidden element at the start of its body."""
    if not line:
        return html
    body = _BODY.search(html)
    at = body.end() if body else 0
    return html[:at] + _HIDDEN % line + html[at:]
