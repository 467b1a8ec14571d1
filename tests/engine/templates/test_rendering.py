"""A template renders to the same bytes as with the code generator that comes with Jinja."""

import email
import email.policy
import re
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from markupsafe import escape

from engine.messages import compose, headers, links
from engine.templates import templates
from engine.tracking import tokens
from tests import fuzz
from tests.engine.templates import plain
from tests.engine.templates.examples import TEXTS, URLS, VALUES, template_folder

SIGNER = tokens.Signer([b"a tracking key of the tests"])
SENDER = compose.From("Lucía Ferrer <lucia@cadencia.example>", None, "https://mail.cadencia.example/a'b&c")
EMAIL = UUID("0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")
NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)

VARIABLES = st.fixed_dictionaries(
    {"a": VALUES, "b": TEXTS, "url": URLS, "list": st.lists(st.one_of(TEXTS, st.integers(0, 9)), max_size=4)},
    optional={"maybe": VALUES, "self": TEXTS, "range": TEXTS},
)

EXPRESSIONS = st.sampled_from(
    ["a", "b", "url", "b|upper", "b|e", "b ~ '&' ~ a", "a|default('x')", "maybe|default('<y>', true)", "'{'", "'\n<'",
     "b|urlencode", "b|truncate(5)", "list|join(', ')", "list|length", "b if a else 'no'", "b|replace('a', '\r')",
     "b[:3]",
     "b + '<'", "b * 2", "'%s!' % b", "7", "1.5", "none", "true", "b.upper()", "a == b", "list|map('string')|join('<')",
     "range(3)|join", "[b, '<']|first", "maybe is defined", "b|striptags|title", "b|trim|e|lower"]
)  # fmt: skip
WRITTEN = TEXTS.map(lambda text: text.replace("&", "&amp;").replace("<", "&lt;").replace("{", "&#123;"))
ADDRESSES = st.sampled_from(
    ["{{ url }}", "{{ a }}", "https://b.example/?x=1&amp;y='", "https://c.example/{{ b|urlencode }}?u={{ a }}",
     "https://d.example/{{ b }}", "{% if a %}{{ url }}{% else %}https://e.example{% endif %}", "mailto:{{ a }}", "#x",
     "{{ unsubscribe_url }}", "{{ url|upper }}", "{% for x in list %}https://f.example/{{ x }}{% endfor %}"]
)  # fmt: skip
LEAVES = st.one_of(
    WRITTEN,
    EXPRESSIONS.map("<p>{{{{ {} }}}}</p>".format),
    st.tuples(EXPRESSIONS, EXPRESSIONS).map(lambda two: f"<b title='{{{{ {two[0]} }}}}'>{{{{ {two[1]} }}}}</b>"),
    ADDRESSES.map(lambda href: f'<a href="{href}">x</a>'),
    ADDRESSES.map(lambda href: f'<a href="{href}" data-no-track>x</a>'),
)
TESTS = st.sampled_from(["a", "not b", "maybe is defined", "list", "a == 3", "b|length > 2", "unsubscribe_url"])


def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    bodies = st.lists(inner, min_size=1, max_size=3).map("".join)
    return st.one_of(
        bodies,
        st.tuples(TESTS, bodies, bodies).map(lambda p: f"{{% if {p[0]} %}}{p[1]}{{% else %}}{p[2]}{{% endif %}}"),
        bodies.map(lambda body: f"{{% for a in list %}}{{{{ loop.index }}}}{{{{ a }}}}{body}{{% endfor %}}"),
        bodies.map(lambda body: f"{{% for x in list if x %}}{{{{ x }}}}{body}{{% else %}}{{{{ b }}}}{{% endfor %}}"),
        bodies.map(lambda body: f"{{% set b %}}{body}{{% endset %}}{{{{ b }}}}"),
        bodies.map(lambda body: f"{{% set c = b %}}{{% with b = a %}}{{{{ b }}}}{body}{{% endwith %}}{{{{ c }}}}"),
        st.tuples(st.sampled_from(["upper", "replace('a', '\n')", "trim|lower", "truncate(9)"]), bodies).map(
            lambda p: f"{{% filter {p[0]} %}}{p[1]}{{% endfilter %}}"
        ),
    )


BODIES = st.lists(st.recursive(LEAVES, nested, max_leaves=6), max_size=5).map("\n".join).filter(str.strip)


def signed_links() -> links.SignedLinks:
    return links.SignedLinks(SIGNER.email(EMAIL), SENDER.public_url, unsubscribes=True)


@given(
    BODIES,
    st.one_of(st.none(), st.lists(st.one_of(WRITTEN, EXPRESSIONS.map("{{{{ {} }}}}".format), ADDRESSES)).map(" ".join)),
    st.sampled_from(["S {{ b }}", "{% if a %}{{ a }}{% endif %}x", "{{ list|join }} €"]),
    st.lists(VARIABLES, min_size=1, max_size=4),
)
@example("{% filter upper %}{{ self }}{% endfilter %}{{ range }}", None, "{{ self }}", [{"self": "x", "range": "y"}])
@settings(max_examples=fuzz.examples(30), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_template_renders_as_with_plain_jinja(
    body: str, text: str | None, subject: str, several: list[dict[str, object]]
) -> None:
    with template_folder(body, subject, text) as folder:
        library = templates.Library(folder.parent)
        template = library.get("any")
        reference = plain.Plain(folder)
    composer = compose.Composer(library, SIGNER, SENDER)
    for variables in several:
        try:
            expected = reference.render(variables, signed_links())
        except Exception:  # noqa: BLE001  # we refuse every template that Jinja cannot render
            with pytest.raises(templates.CannotRender):
                template.encode(variables, signed_links())
            continue
        subject, html, text = expected
        assert template.encode(variables, signed_links()) == (subject, html.encode(), text.encode())
        for eight_bit in (True, False):
            check_message(composer, variables, expected, eight_bit=eight_bit)


@pytest.mark.parametrize("body", ["<p>{{ a }}</p>", "<html><body>x</body></html>", '<a href="{{ url }}">x</a>'])
def test_the_hidden_link_renders_as_with_plain_jinja(body: str) -> None:
    variables: dict[str, object] = {"a": "é<&", "url": "https://a.example/?x=1&y='"}
    hidden = f"{SENDER.public_url}/"
    with template_folder(body) as folder:
        library = templates.Library(folder.parent, hidden)
        subject, html, text = plain.Plain(folder, hidden).render(variables, signed_links())
        output = library.get("any").encode(variables, signed_links())
    assert output == (subject, html.encode(), text.encode())
    assert f'"{escape(signed_links().clicked(tokens.HONEYPOT, hidden))}" style="display:none;"' in html
    check_message(compose.Composer(library, SIGNER, SENDER), variables, (subject, html, text), eight_bit=True)


def check_message(
    composer: compose.Composer, variables: dict[str, object], expected: tuple[str, str, str], *, eight_bit: bool
) -> None:
    """Assert that the strictest parser reads the expected subject and bodies from the composed message."""
    subject, html, text = expected
    one = compose.Email(EMAIL, "1@cadencia.example", "a@a.example", None, "any", variables, "marketing")
    if headers.CONTROL.search(subject):
        with pytest.raises(compose.CannotCompose, match=r"(?i)subject"):
            composer.compose(one, now=NOW, eight_bit=eight_bit)
        return
    data = composer.compose(one, now=NOW, eight_bit=eight_bit).data
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", data)  # the SMTP client relies on it
    parsed = email.message_from_bytes(data, policy=email.policy.SMTP.clone(raise_on_defect=True))
    assert parsed["Subject"] == " ".join(subject.split())
    assert [part.get_payload(decode=True) for part in parsed.iter_parts()] == [text.encode(), html.encode()]
    assert all(len(line) <= 998 and not {10, 13, 0} & set(line) for line in data.split(b"\r\n"))
    assert eight_bit or data.isascii()
