"""Requests as callers make them."""

from typing import Any

JSON = {"Content-Type": "application/json"}


def send(**changes: Any) -> dict[str, Any]:
    """The specification's send, with changes."""
    body: dict[str, Any] = {
        "to": "prospecto@empresa.example",
        "template": "email_1_roi",
        "variables": {
            "nombre": "Juan Pérez",
            "industria": "Marketing",
            "link_calendly": "https://calendly.example/juan",
        },
    }
    return {**body, **changes}


def fields(answer: Any) -> set[str]:
    """The fields a problem names."""
    return {fault["field"] for fault in answer.json["errors"]}
