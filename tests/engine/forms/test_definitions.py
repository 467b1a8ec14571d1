"""Definitions from files may hold anything that JSON can: each fault names its field, and none counts as a choice."""

from typing import Any

import pytest

from engine.forms import definitions
from errors import InvalidInput
from tests.engine.forms import signups


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"fields": "company"}, ["fields"]),
        ({"fields": [1], "origins": "https://a.example", "slug": "?"}, ["fields[0]", "origins", "slug"]),
        ({"fields": [{"name": "size", "label": {"es": "x"}, "options": "1-10"}]}, ["fields[0].options"]),
        ({"fields": [{"name": "size", "label": {"es": "x"}, "required": "no"}]}, ["fields[0].required"]),
        ({"fields": [{"name": "size", "label": {"es": "x"}, "requird": True}]}, ["fields[0].requird"]),
        ({"attributes": [1]}, ["attributes"]),
        ({"notify": 5}, ["notify"]),
        ({"double_opt_in": "true"}, ["double_opt_in"]),
        ({"double_opt_in": 1}, ["double_opt_in"]),
        ({"title": {"es": "\ud800"}}, ["title.es"]),
    ],
)
def test_a_value_of_another_type_is_a_fault_of_its_field(changes: dict[str, Any], fields: list[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        definitions.read(signups.definition(**changes), own_origin="https://correo.example")
    assert sorted(fault.field for fault in refused.value.faults) == fields


def test_null_stands_for_a_value_that_is_left_out() -> None:
    empty = dict.fromkeys(("fields", "attributes", "origins", "notify", "consent", "thanks", "redirect"))
    read = definitions.read({"slug": "guia", "title": {"es": "Guía"}, **empty}, own_origin="https://correo.example")
    assert (read.fields, read.notify, read.double_opt_in) == ((), (), True)
