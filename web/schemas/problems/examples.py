"""The problem that each route answers to each kind of wrong request, as examples in the description of the API."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from pydantic import BaseModel, ValidationError

from errors import Fault
from settings import Settings
from web.schemas.problems import faults
from web.schemas.problems.problems import Problem

Example: TypeAlias = dict[str, Any]

NO_TOKEN = "Authorization: send the header `Authorization: Bearer <token>`"  # noqa: S105  # no secret
KEY = "give 1 to 255 printable ASCII characters"
# Of each path's parameter.
NOT_FOUND = {
    "email_id": f"there is no e-mail email_{'0' * 32}; use the email_id that the send returned",
    "campaign_id": "campaign: there is none with this id",
    "contact_id": "contact: there is none with this id",
    "slug": "form: there is none with this slug",
    "digest": "asset: there is none with this digest",
    "page": "page: there is none with this slug",
    "name": f"template: '{'0' * 32}' is not known; "
    "there are carta_es, confirmation_en, confirmation_es, email_1_roi, email_1_roi_en, email_2_case_study_en, "
    "email_2_caso, email_3_last_call_en, email_3_ultima_llamada, letter_en, signup_notice",
}
FIXED = {
    400: "body: not JSON: Expecting value at line 1, column 1",
    409: "Idempotency-Key: the first request with this key is still in progress",
    429: "rate: too many requests; wait as long as Retry-After says",
    503: "database: not reachable",
}


def fixed(status: int, detail: str) -> Example:
    """Return the problem with this status and detail, without fields."""
    return _dumped(Problem.of(status, detail))


def too_large(setting: str) -> Example:
    """Return the problem of a body over the limit of this setting, at its default."""
    return of_faults([Fault("body", f"at most {Settings.model_fields[setting].default} bytes are taken")], 413)


def wrong_type(types: tuple[str, ...]) -> Example:
    """Return the problem of a body that has none of these media types."""
    return fixed(415, f"Content-Type: send {' or '.join(types)} in UTF-8, not compressed")


def invalid(inputs: Mapping[str, type[BaseModel]]) -> Example | None:
    """Return the problem of a wrong body, query, path or header, the first that the route has; None if it has none.

    A body lacks its first field, or has an unknown one; a query has an unknown parameter; an id in a path is none.
    """
    for name, wrong in (("body", _lacking), ("query", _unknown), ("path", _no_id), ("path", _too_long)):
        if name in inputs and (found := _faults(inputs[name], wrong(inputs[name]))):
            return of_faults(found, 422)
    return of_faults([Fault("Idempotency-Key", KEY)], 422) if "header" in inputs else None


def _lacking(model: type[BaseModel]) -> object:
    shown = dict((model.model_config.get("json_schema_extra") or {}).get("examples", [{}])[0])  # type: ignore[union-attr,arg-type,index]
    needed = [name for name, field in model.model_fields.items() if field.is_required() and name in shown]
    return {name: value for name, value in shown.items() if name != needed[0]} if needed else {**shown, "other": 1}


def _unknown(model: type[BaseModel]) -> object:
    return {f"{next(iter(model.model_fields))}s": "1"}


def _no_id(model: type[BaseModel]) -> object:
    return dict.fromkeys(model.model_fields, "7")


def _too_long(model: type[BaseModel]) -> object:
    return dict.fromkeys(model.model_fields, "7" * 65)


def _faults(model: type[BaseModel], value: object) -> list[Fault]:
    try:
        model.model_validate(value)
    except ValidationError as error:
        return faults.of(error, model)
    return []


def of_faults(faults: list[Fault], status: int) -> Example:
    """Return the problem with these faults of fields."""
    detail = "; ".join(f"{fault.field}: {fault.message}" for fault in faults)
    return _dumped(Problem.of(status, detail, faults))


def _dumped(problem: Problem) -> Example:
    return problem.model_dump(exclude_none=True)
