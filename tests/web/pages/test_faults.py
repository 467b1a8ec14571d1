"""Messages of the engine in the reader's language: none is left in English, and each stands at its field."""

import ast
from collections.abc import Iterator
from io import BytesIO

import pytest
from flask import Flask
from wtforms import FieldList, Form, FormField, StringField

import errors
from engine.audience import addresses, imports, segments, zones
from engine.delivery.smtp.relay import Reason, RelayUnavailable
from engine.templates import variables
from errors import Conflict, Fault, InvalidInput
from tests.rules import repository
from web.pages.frame import faults, forms

# Modules whose errors no page shows: they serve commands, programs and mail servers alone.
OF_NO_PAGE = (
    "engine/access/idempotency", "engine/delivery/early_events", "engine/delivery/relays", "engine/delivery/smtp",
    "engine/engagement/consent", "engine/forms/signer", "engine/forms/submissions",
    "engine/inbound/", "engine/ingest/", "engine/tracking/",
)  # fmt: skip
# Messages that are put together of parts; the test about files sees them whole.
VALUE = "«x»"
ASSEMBLED = {f"the file has no column {VALUE}; {VALUE}", f"is {VALUE} and {VALUE}"}
KINDS = {"Fault", "Conflict", "NotFound", "InvalidInput.of", "UnknownTemplate.of"}
SPANISH = {"Accept-Language": "es"}


def _raised() -> Iterator[tuple[str, str]]:
    """Yield each message that is written where it is raised, with `VALUE` for its values, and the place."""
    for name, tree in repository.sources("engine").items():
        if name.startswith(OF_NO_PAGE):
            continue
        for node in repository.nodes(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).removeprefix("errors.") in KINDS:
                text = _text(node.args[-1])
                for part in _parts(text or ""):
                    if part.replace(VALUE, "").strip(" ,"):
                        yield part, f"{name}:{node.lineno}"


def _text(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else VALUE for part in node.values)  # type: ignore[misc]
    return None  # a message of another function: see the test of those


def _parts(text: str) -> Iterator[str]:
    return (message for _, message in faults.listed(Conflict(text)))


def test_every_message_that_a_page_may_show_is_translated() -> None:
    raised = list(_raised())
    assert len(raised) > 30
    assert (
        sorted(
            {f"{place}: {text}" for text, place in raised if text not in ASSEMBLED and not faults.is_translated(text)}
        )
        == []
    )


def _refusals() -> Iterator[InvalidInput]:
    audiences: tuple[dict[str, object], ...] = (
        {"industri": ["x"]},
        {"industry": "x"},
        {"min_score": 101},
        {"attributes": []},
        {"x": 1},
    )
    for audience in audiences:
        with pytest.raises(InvalidInput) as refused:
            segments.read(audience)
        yield refused.value
    for address in ("ana", "@x.example", "a b@x.example", "a" * 65 + "@x.example", "a@" + "b" * 320):
        with pytest.raises(InvalidInput) as refused:
            addresses.normalise(address)
        yield refused.value
    values = {"a": "x\n", "b": "\x00", "c": object(), "d": "x" * 100_000}
    yield InvalidInput(variables.faults(values, required=("nombre",), in_subject=("a",)))
    yield InvalidInput(variables.faults({"d": "x" * 100_000}, required=(), in_subject=()))
    yield from (InvalidInput.of("timezone", zones.fault(name)) for name in ("Madrid", "Nowhere/Xyzzy", "a@b"))
    many = [f"sector {number}" for number in range(60)]
    yield from (InvalidInput.of("audience.industry", errors.unknown(word, names, fault="is of no contact"))
                for word, names in (("setor 7", many), ("zzz", many), ("a b", [])))  # fmt: skip


def test_messages_about_files_are_translated(app: Flask) -> None:
    texts = [
        b"", b"PK\x03\x04", b"%PDF", b"nombre,correa\nAna,x\n", b"email\nana@x.example,1,2\n",
        b"email,baja\nx,1\nana@x.example,puede\nana@x.example,si\n\"a@x.example\n", b"email,n\n\xe1@x.example,\xe1\n",
    ]  # fmt: skip
    shown = []
    with app.test_request_context(headers=SPANISH):
        for content, mapping in [*((content, ()) for content in texts), (b"email,nombre\n", ["nombra=email"])]:
            try:
                pages = list(imports.pages(BytesIO(content), mapping=mapping))
            except InvalidInput as error:
                messages = [message for _, message in faults.listed(error)]
            else:
                messages = [fault.message for page in pages for fault in (*page.faults, *page.notes)]
            shown += [(message, faults.words(message)) for message in messages]
    assert len(shown) > 8
    assert [message for message, words in shown if message == words] == []


def test_messages_that_other_functions_build_are_translated(app: Flask) -> None:
    with app.test_request_context(headers=SPANISH):
        shown = [(message, faults.words(message)) for error in _refusals() for _, message in faults.listed(error)]
    assert len(shown) > 15
    assert [message for message, text in shown if message == text or "more" in text or "; there" in text] == []


def test_values_of_a_message_are_kept_and_words_among_them_translated(app: Flask) -> None:
    error = Conflict("state: the campaign is running; only a draft one can be launched")
    with app.test_request_context(headers=SPANISH):
        shown = faults.sentences(error)
        apart = [faults.words(f"{value!r} is not known; there are 'a', 'b'") for value in ("it's", "\"a' b", "")]
        quoted = faults.words("'100 % <b> %(x)s' is not known; there are 'running'")
    assert shown == "El estado de la campaña es ahora «en marcha»; esto solo es posible en el estado «borrador»."
    assert quoted == "«100 % <b> %(x)s» no existe; hay «running»"
    assert apart == [f"«{value}» no existe; hay 'a', 'b'" for value in ("it's", "\"a' b", "")]
    with app.test_request_context(headers={"Accept-Language": "en"}):
        assert faults.sentences(InvalidInput.of("name", "give 1 to 9 characters")) == "Name: give 1 to 9 characters."
        assert faults.words("a new message") == "a new message"
        assert faults.words("'x' is not known; there are none") == "“x” is not known; there are none"


def test_reasons_of_mail_servers_and_templates_are_translated_and_their_details_kept(app: Flask) -> None:
    with app.test_request_context(headers=SPANISH):
        fixed = {str(reason): faults.reason(str(reason)) for reason in Reason}
        relay = RelayUnavailable(Reason.CONNECT, "Connection refused: x (111)").of("mx.example:25")
        shown = faults.reason(str(relay)), faults.reason("host-a: 'x' is broken: subject.txt: no end")
    assert [english for english, spanish in fixed.items() if english == spanish] == []
    assert shown == (
        "el servidor de correo mx.example:25 no está disponible: sin conexión (Connection refused: x (111))",
        "host-a: la plantilla «x» tiene un error: subject.txt: no end",
    )


class _Step(Form):  # type: ignore[misc]  # WTForms has no types
    template = StringField()
    delay = StringField()


class _Draft(forms.Form):
    title = StringField()
    industries = StringField()
    steps = FieldList(FormField(_Step), min_entries=2)
    values = StringField()


def test_each_fault_stands_at_its_field(app: Flask) -> None:
    named = [
        "name", "audience.industry", "steps[1].template", "steps[1].delay_s", "steps[0].weekdays", "steps",
        "variables.nombre", "elsewhere",
    ]  # fmt: skip
    error = InvalidInput([Fault(name, f"fault of {name}") for name in named])
    with app.test_request_context(method="POST", data={"title": "x"}):
        form = _Draft()
        forms.show_faults(
            form, error, name="title", audience_industry="industries", delay_s="delay", variables="values"
        )
    first, second = (entry.form for entry in form.steps)
    assert form.title.errors == ["Fault of name."] and form.title.data == "x"
    assert form.industries.errors == ["Fault of audience.industry."]
    assert second.template.errors == ["Fault of steps[1].template."]
    assert second.delay.errors == ["Fault of steps[1].delay_s."]
    assert first.form_errors == ["Weekdays: fault of steps[0].weekdays."]
    assert form.steps.errors == ["Fault of steps."]
    assert form.values.errors == ["Nombre: fault of variables.nombre."]
    assert form.form_errors == ["Elsewhere: fault of elsewhere."]


def test_a_conflict_stands_at_the_field_that_it_names(app: Flask) -> None:
    with app.test_request_context(method="POST", data={}):
        form = _Draft()
        for message in ("title: another account has this name; choose another", "state: it is over"):
            forms.show_faults(form, Conflict(message))
    assert form.title.errors == ["Otra cuenta ya tiene este nombre; elija otro."]
    assert form.form_errors == ["It is over."]
