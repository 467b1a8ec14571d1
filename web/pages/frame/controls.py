"""Drawing of the fields of forms, as the widgets of WTForms draw them. Those need 50 us for each attribute."""

import copy
from collections.abc import Mapping
from functools import cache
from typing import Any

from markupsafe import Markup
from wtforms import Field, widgets

from web.pages.frame.rendering import escaped

_FLAGS = ("required", "disabled")


def drawn(field: Field, attributes: Mapping[str, Any]) -> Markup:
    """Return the HTML of a field with these attributes, whose names are those of HTML."""
    widget = field.widget
    if type(widget) is widgets.Select and not field.has_groups():
        return _select(field, {**attributes, **({"multiple": True} if widget.multiple else {})})
    if isinstance(widget, widgets.Input):
        widget = _quick(widget)
    return Markup(widget(field, **attributes))  # noqa: S704  # widgets escape what they draw


class _Input(widgets.Input):  # type: ignore[misc]  # WTForms has no types
    """Draws the attributes that its subclass has prepared; reads only the flags that the field has."""

    def __call__(self, field: Field, **attributes: Any) -> Markup:
        """Return the HTML of the field."""
        own = {"id": field.id, "type": self.input_type, "name": field.name}
        flags = {name: value for name, value in vars(field.flags).items() if name in self.validation_attrs}
        value = {} if "value" in attributes else {"value": field._value()}
        return Markup(f"<input {_attributes(**{**own, **flags, **value, **attributes})}>")  # noqa: S704  # escaped


@cache
def _quick(widget: widgets.Input) -> widgets.Input:
    """Return a copy of a widget that draws by `_Input`, after what its class prepares."""
    copied = copy.copy(widget)
    copied.__class__ = type(type(widget).__name__, (type(widget), _Input), {})
    return copied


def _select(field: Field, attributes: Mapping[str, Any]) -> Markup:
    flags = {name: value for name in _FLAGS if (value := getattr(field.flags, name)) is not None}
    opened = f"<select {_attributes(**{'id': field.id, 'name': field.name, **flags, **attributes})}>"
    return Markup(f"{opened}{''.join(map(_option, field.iter_choices()))}</select>")  # noqa: S704  # escaped


def _option(choice: Any) -> str:
    value = str(choice.value) if isinstance(choice.value, bool) else choice.value
    marks = {"selected": True} if choice.selected else {}
    attributes = _attributes(**{"value": value, **(choice.render_kw or {}), **marks})
    return f"<option {attributes}>{escaped(choice.label or choice.value)}</option>"


def _attributes(**values: Any) -> Markup:
    """Return HTML attributes, ordered by name; those that are False are left out."""
    written = [
        name if value is True else f'{name}="{escaped(value).replace(chr(34), "&quot;")}"'
        for name, value in sorted(values.items())
        if value is not False
    ]
    return Markup(" ".join(written))  # noqa: S704  # escaped
