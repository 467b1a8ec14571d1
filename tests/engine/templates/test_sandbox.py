"""Templates print what they should, and no template exhausts or escapes the sandbox."""

import time
import tracemalloc

import pytest

from engine.templates import sandbox

HTML = sandbox.Environment(autoescape=True)
TEXT = sandbox.Environment(autoescape=False)
VALUES = {"x": "Ju<an", "n": 7, "d": {"a": 1, "items": "own"}, "words": ["uno", "dos"], "none": None,
          "long": "a" * 60_000, "amp": "&" * 60_000, "nine": 9, "numbers": [*range(9_000)],
          "numbers2": [*range(9_000)]}  # fmt: skip


def rendered(source: str, environment: sandbox.Environment = HTML, **values: object) -> str:
    (made,) = sandbox.render([environment.from_string(source)], {**VALUES, **values})
    return made.decode()


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("{{ x }}", "Ju&lt;an"),
        ("{{ x|upper }}", "JU&lt;AN"),
        ("{{ x ~ '&' ~ n }}", "Ju&lt;an&amp;7"),
        ("{{ x|e }}", "Ju&lt;an"),
        ("{{ missing|default('z') }}", "z"),
        ("{{ none }}|{{ d.a + 1 }}|{{ n % 4 }}|{{ n * 2 }}|{{ n ** 2 }}", "|2|3|14|49"),
        ("{{ '%s: %.2f' % ('a', 1.256) }}", "a: 1.26"),
        ("{{ words|join(', ') }} {{ words|length }} {{ words|first }}", "uno, dos 2 uno"),
        ("{% for w in words %}{{ loop.index }}{{ loop.cycle('a', 'b') }}{{ w }} {% endfor %}", "1auno 2bdos "),
        ("{% for i in range(3) if i %}{{ i }}{% endfor %}", "12"),
        ("{% set y %}<b>{{ x }}</b>{% endset %}{{ y }}", "<b>Ju&lt;an</b>"),
        ("{{ 'a-b'|replace('-', '+') }} {{ 3.14159|round(2) }} {{ 'larguísimo'|truncate(5) }}", "a+b 3.14 larg…"),
        ("{{ 'a b/ñ'|urlencode }} {{ '<b>x</b>'|striptags }} {{ ' x '|trim }}", "a%20b%2F%C3%B1 x x"),
        ("{{ words|map('upper')|join }} {{ x.split('<')|last }}", "UNODOS an"),
        ("{% for k, v in d.items() %}{{ k }}{% endfor %}", "aitems"),
        ("uno\ndos\r\ntres", "uno\r\ndos\r\ntres"),
    ],
)
def test_templates_print_when_they_stay_within_bounds(source: str, output: str) -> None:
    assert rendered(source) == output


def test_variables_are_not_escaped_in_text() -> None:
    assert rendered("{{ x }} {{ x|e }} {{ x ~ '&' }}", TEXT) == "Ju<an Ju<an Ju<an&"


@pytest.mark.parametrize("breaks", ["a\nb", "a\rb", "a\r\nb"])
def test_lines_end_in_crlf_when_values_break_them_otherwise(breaks: str) -> None:
    assert rendered("{{ v }}", v=breaks) == rendered("{{ v }}", TEXT, v=breaks) == "a\r\nb"
    assert rendered("{{ [v, v]|join('\n') }}", TEXT, v="x") == "x\r\nx"


NESTED = "{% set a = (1,) %}" + "{% set a = (a, a) %}" * 60
LOOP = "{% for i in range(999) %}{% for j in range(9) %}"
BOMBS = [
    "{{ 'a' * 1000000000 }}", "{{ 1000000000 * 'a' }}", "{{ [1] * 1000000000 }}", "{{ 'a' * 100000 * 100000 }}",
    "{{ 9 ** (9 ** 9) }}", "{{ 2 ** 100000 }}", "{% set a = 3 ** 2000 %}" + "{% set a = a * a %}" * 40,
    "{{ '%1000000000d' % 1 }}", "{{ '%*d' % (1000000000, 1) }}", "{{ '%.1000000000f' % 1 }}",
    "{{ range(1000000000)|list }}", "{{ range(10 ** 30) }}", "{% for i in range(0, -100000, -1) %}{% endfor %}",
    "{% for a in range(999) %}{% for b in range(999) %}{% for c in range(999) %}{% endfor %}{% endfor %}{% endfor %}",
    "{% for a in range(999) %}{% for b in range(999) %}" + "texto " * 500 + "{% endfor %}{% endfor %}",
    "{% set a = 'aaaaaaaaaa' %}" + "{% set a = a ~ a %}" * 60 + "{{ a }}",
    "{% set a = 'aaaaaaaaaa' %}" + "{% set a = a + a %}" * 60 + "{{ a }}",
    "{% set a = 'aaaaaaaaaa' %}" + "{% set a = a|replace('a', 'aaaaaaaaaa') %}" * 30,
    "{% set a = 'a' * 90000 %}" + "".join(f"{{% set b{i} = a ~ 'b' %}}" for i in range(1_500)),
    "{% set a = [1] %}" + "{% set a = a + a %}" * 60, "{% set a = [1] %}" + "{% set a = [a, a] %}" * 60 + "{{ a }}",
    "{% set a = [1] %}" + "{% set a = [a, a] %}" * 60 + "{{ {}[a] }}",
    "{% set a = [1] %}" + "{% set a = [a, a] %}" * 60 + "{{ a() }}{{ a|upper }}",
    "{% set a = [1] %}" + "{% set a = [a, a] %}" * 60 + "{{ '%s' % a }}", "{{ x|center(1000000000) }}",
    "{{ 'a'.ljust(1000000000) }}", "{{ 'a'.zfill(1000000000) }}", "{{ 'a\t'.expandtabs(1000000000) }}",
    "{{ 1.5|round(1000000000, 'ceil') }}", "{{ lipsum(n=100000) }}", "{{ words|batch(1000000000, 'x')|list }}",
    "{{ '{:1000000000}'.format(1) }}", "{{ x|indent(1000000000) }}", "{{ x|wordwrap(1) }}",
    "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
    "{% for i in range(900) recursive %}{{ loop(range(900)) }}{% endfor %}",
    "{% for i in range(999) %}" + "{{ x }}" * 3_000 + "{% endfor %}",
    "{% for i in range(999) %}" + "{{ none }}" * 3_000 + "{% endfor %}",
    "{{ long }}" * 20, "{% for i in range(20) %}{{ long }}{% endfor %}",
    "{% set a %}{{ long }}{% endset %}{{ a }}" * 10,
    "{% for i in range(99) %}{{ 'a' * 99000 }}{% endfor %}", "{{ " + "(" * 5_000 + "1" + ")" * 5_000 + " }}",
    "{{ '%(a)1000000000d' % d }}", "{{ ('%(a)s' * 9_000) % {'a': long} }}", "{{ '%1000000000d' is even }}",
    "{{ '%1000000000d' is divisibleby 2 }}", "{{ '%a' % long }}", "{{ ('f' * 99_000)|int(0, 16) }}",
    NESTED + "{{ {a: 1} }}", NESTED + "{{ d.get(a) }}", NESTED + "{{ a is lower }}", NESTED + "{{ a|unique|list }}",
    NESTED + "{% set b = (1,) %}" + "{% set b = (b, b) %}" * 60 + "{{ a == b }}{{ [a] is eq [b] }}",
    NESTED + "{{ a in [a, 1] }}", NESTED + "{{ a|sort }}", NESTED + "{{ [a, a]|join }}",
    "{{ ('f' * 60_000).strip(long) }}", "{{ 0x" + "f" * 100_000 + " // 7 }}", "{{ long|map('map', 'upper')|list }}",
    "{% set n = 2 ** 4000 %}{{ [" + "n," * 4_000 + "]|join }}", "{{ [" + "1," * 60_000 + "]|length }}",
    "{{ [1]|_rounds(-1000000000) }}", "{{ amp }}" * 450,
    *(LOOP + f"{work}" + "{% endfor %}{% endfor %}" for work in (
        "{% set a = d.a %}" * 500, "{% if [[1]]|map('_rounds', -1000000)|list %}{% endif %}",
        *(f"{{% set y = {made} %}}" for made in (
            "long|upper", "long|urlencode", "long|striptags", "long|list", "long|trim", "long|replace('z', '')",
            "long[1:]", "long.split('a')", "long.upper()", "numbers|sort", "numbers|max", "numbers|unique",
            "numbers|map('string')", "numbers|select|list", "numbers|join", "nine in numbers", "numbers == numbers2",
            "long|truncate(99000)", "numbers|sort(attribute='a.b.c')", "('x' * 90_000)|e", "long|int", "long|float",
            "long is upper", "('<' * 60_000)|striptags",
        )),
    )),
]  # fmt: skip


@pytest.mark.speed
@pytest.mark.parametrize("source", BOMBS, ids=range(len(BOMBS)))
def test_a_bomb_is_stopped_early(source: str) -> None:
    began = time.process_time()  # CPU time, because other processes share the machine
    with pytest.raises(sandbox.FAILURES):
        rendered(source)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "source", [bomb for bomb in BOMBS if "%(a)" in bomb or "n,n" in bomb or "1,1" in bomb or "amp" in bomb]
)
def test_a_bomb_needs_little_memory(source: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(sandbox.FAILURES):
            rendered(source)
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()


ORDINARY = (
    "{% for p in products|sort(attribute='price') %}{% if p.price > 5 and p.name != 'x' %}<li>{{ p.name|upper }}"
    " {{ '%.2f' % p.price }}</li>{% endif %}{% endfor %}",
    "{{ products|map(attribute='name')|map('title')|join(', ') }}",
    "{{ products|selectattr('price', 'gt', 50)|list|length }}",
    "{% if x in ['a', 'b'] or 'uno' in words or 'a' in d %}{{ {x: 1}[x] }}{% endif %}{{ x[:2] ~ words[-1:]|first }}",
    "{{ '%(name)s: %(price)5.1f %%' % products[0] }}",
    "{{ products|rejectattr('price', 'le', 3)|map(attribute='price')|max }}",
)


@pytest.mark.parametrize("source", ORDINARY)
def test_an_ordinary_template_stays_far_below_the_budget(source: str) -> None:
    products = [{"name": f"artículo {number}", "price": number} for number in range(60)]
    assert rendered(source * 5, products=products)


ESCAPES = [
    "{{ x.__class__ }}", "{{ x['__class__'] }}", "{{ x|attr('__class__') }}", "{{ [].__class__.__mro__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}", "{{ x.format.__self__ }}", "{{ '{0.__class__}'.format(x) }}",
    "{{ '{0.__class__}'.format_map(d) }}", "{{ self.__init__ }}", "{{ self }}", "{{ range.__globals__ }}",
    "{{ loop.__class__ }}", "{% for i in words %}{{ loop._iterable }}{% endfor %}", "{{ cycler.__init__ }}",
    "{{ joiner }}", "{{ namespace() }}", "{{ config }}", "{{ d.update({'a': 2}) }}", "{{ words.append(1) }}",
    "{{ words.pop() }}", "{{ d.clear() }}", "{% include '/etc/passwd' %}", "{% import 'os' as os %}",
    "{% extends 'x' %}", "{% block b %}{% endblock %}", "{% autoescape false %}{{ x }}{% endautoescape %}",
    "{{ x|safe }}", "{{ d|pprint }}", "{{ d|tojson }}", "{{ words|map('attr', '__class__')|list }}",
    "{{ words|map(attribute='__class__')|join }}", "{{ _budget.spend(-1000) }}", "{% set _budget = 1 %}",
    "{% for _budget in words %}{% endfor %}", "{{ d }}", "{{ words }}", "{{ x.encode }}", "{{ x.join(words) }}",
]  # fmt: skip


@pytest.mark.parametrize("source", ESCAPES)
def test_an_escape_from_the_sandbox_is_refused(source: str) -> None:
    with pytest.raises(sandbox.FAILURES):
        rendered(source)
    assert VALUES["words"] == ["uno", "dos"]


def test_a_source_is_refused_when_it_is_too_long() -> None:
    with pytest.raises(sandbox.FAILURES, match="262144"):
        HTML.from_string("a" * (sandbox.SOURCE_BYTES_MAX + 1))


def test_any_use_of_a_missing_variable_names_it() -> None:
    for source in (
        "{{ z }}",
        "{{ z.a }}",
        "{{ z() }}",
        "{{ z ~ 'a' }}",
        "{{ z|upper }}",
        "{% for a in z %}{% endfor %}",
    ):
        with pytest.raises(sandbox.FAILURES, match="'z' is undefined"):
            rendered(source)
