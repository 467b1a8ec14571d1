"""Segments: conditions on contacts, as written in a campaign's audience."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, false, func, select
from sqlalchemy.orm import Session

import errors
from errors import Fault, InvalidInput
from models import Contact

# Conditions on words in a campaign's `audience`, and their columns.
WORDS = {
    "industry": Contact.industry,
    "role": Contact.role,
    "company": Contact.company,
    "locale": Contact.locale,
    "followup_status": Contact.email_followup_status,
}
_NUMBERS = ("min_score", "max_score")
_LISTED_MAX = 1_000
ONLY_SIGN_UPS = "only_sign_ups"
CONDITIONS = (*WORDS, *_NUMBERS, "attributes", ONLY_SIGN_UPS)


@dataclass(frozen=True, slots=True)
class Segment:
    """Contacts that meet every condition; a condition on words is met by any of them.

    With `only_sign_ups` there are none: a campaign enrolls only those who confirm a form.
    """

    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    min_score: int | None = None
    max_score: int | None = None
    only_sign_ups: bool = False


EVERYBODY = Segment()


def read(audience: Mapping[str, Any]) -> Segment:
    """Return the segment written as `{"industry": ["Marketing"], "min_score": 20, "attributes": {"origen": "feria"}}`.

    An empty mapping means everybody, `{"only_sign_ups": true}` nobody. Raises InvalidInput with a fault for every
    unknown key or wrong type.
    """
    faults = [fault for key, value in audience.items() if (fault := _fault(key, value))]
    if ONLY_SIGN_UPS in audience and len(audience) > 1:
        faults.append(Fault(f"audience.{ONLY_SIGN_UPS}", "stands alone; leave out the other conditions, or this one"))
    if faults:
        raise InvalidInput(faults)
    return Segment(
        words={key: tuple(audience[key]) for key in WORDS if key in audience},
        attributes=dict(audience.get("attributes", {})),
        min_score=audience.get("min_score"),
        max_score=audience.get("max_score"),
        only_sign_ups=ONLY_SIGN_UPS in audience,
    )


def _fault(key: str, value: object) -> Fault | None:
    if key in WORDS:
        is_valid = isinstance(value, list | tuple) and bool(value) and all(isinstance(word, str) for word in value)
        return None if is_valid else Fault(f"audience.{key}", "give a list of at least one word")
    if key in _NUMBERS:
        is_valid = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 100
        return None if is_valid else Fault(f"audience.{key}", "give a whole number from 0 to 100")
    if key == ONLY_SIGN_UPS:
        return None if value is True else Fault(f"audience.{key}", "give true, or leave it out")
    if key == "attributes":
        is_valid = isinstance(value, Mapping) and all(isinstance(word, str) for word in value.values())
        return None if is_valid else Fault("audience.attributes", "give an object of attribute names and their values")
    return Fault(f"audience.{key}", errors.unknown(key, CONDITIONS, fault="is not a condition on contacts"))


def unmatched(session: Session, segment: Segment) -> list[str]:
    """Return a message for each word of the segment that no contact has, with the nearest and those that contacts have.

    Reads all contacts: for a campaign whose audience turned out to be empty.
    """
    messages = []
    for key, words in segment.words.items():
        of_contacts = (
            select(WORDS[key]).where(WORDS[key].is_not(None)).group_by(WORDS[key]).order_by(func.count().desc())
        )
        existing = [word for word in session.scalars(of_contacts.limit(_LISTED_MAX)) if word is not None]
        missing = [word for word in words if word not in existing]
        messages += [f"audience.{key}: {errors.unknown(word, existing, fault='is of no contact')}" for word in missing]
    return messages


def conditions(segment: Segment, person: type[Contact] = Contact) -> list[ColumnElement[bool]]:
    """Return the segment as conditions on `contacts`, or an alias of it, to be joined by AND.

    Everybody means every listed contact.
    """
    if segment.only_sign_ups:
        return [false()]
    return [person.listed_at.is_not(None), *matching(segment, person)]


def matching(segment: Segment, person: type[Contact] = Contact) -> list[ColumnElement[bool]]:
    """Return the segment as `conditions` does, for contacts that are not listed as well."""
    result: list[ColumnElement[bool]] = [
        getattr(person, WORDS[key].key).in_(words) for key, words in segment.words.items()
    ]
    if segment.attributes:
        result.append(person.attributes.contains(dict(segment.attributes)))
    if segment.min_score is not None:
        result.append(person.score >= segment.min_score)
    if segment.max_score is not None:
        result.append(person.score <= segment.max_score)
    return result
