"""Steps of a campaign, one to three: their checks, and the times at which each may go out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, text
from sqlalchemy.orm import Session

from engine.campaigns import windows
from engine.templates import compiling, templates
from errors import Fault
from models import CampaignStep

MAX_STEPS = 3
_MAX_DELAY_S = 366 * 86_400

# Variables that every contact provides, as an empty string if it has no value.
CONTACT_VARIABLES = ("nombre", "apellido", "empresa", "cargo", "industria")


@dataclass(frozen=True, slots=True)
class StepDraft:
    """A step to create; the delay counts from the step before or from the launch, weekdays are ISO."""

    template: str
    delay_s: int = 0
    window_start_min: int = 0
    window_end_min: int = windows.MINUTES_A_DAY
    weekdays: Sequence[int] = (1, 2, 3, 4, 5, 6, 7)


@dataclass(frozen=True, slots=True)
class Step:
    """One stored step, with the time zone of its campaign.

    Until `opened_until` it may go out outside its window: a person started the campaign "now".
    """

    campaign_id: UUID
    step: int
    template: str
    subject: str
    delay_s: int
    window: windows.Window
    timezone: str
    opened_until: datetime | None = None
    template_version: int | None = None

    @property
    def label(self) -> str:
        """The template and its version, as `templates.label` names them."""
        return templates.label(self.template, self.template_version)

    def opens(self, moment: datetime) -> datetime:
        """Return the first moment at or after `moment` at which this step may go out."""
        if self._is_opened(moment):
            return moment
        return windows.next_open(moment, self.window, self.timezone)

    def due_after(self, moment: datetime) -> datetime:
        """Return the due time of this step if the step before it, or the launch, was at `moment`."""
        if self._is_opened(moment):
            return moment
        return self.opens(moment + timedelta(seconds=self.delay_s))

    def _is_opened(self, moment: datetime) -> bool:
        return self.opened_until is not None and moment < self.opened_until


def faults(drafts: Sequence[StepDraft]) -> Iterator[Fault]:
    """Yield the faults of the steps themselves; fields are named like `steps[0].delay_s`."""
    if not 1 <= len(drafts) <= MAX_STEPS:
        yield Fault("steps", f"a campaign has 1 to {MAX_STEPS} steps, not {len(drafts)}")
    for number, draft in enumerate(drafts):
        if not 0 <= draft.delay_s <= _MAX_DELAY_S:
            yield Fault(f"steps[{number}].delay_s", f"must be from 0 to {_MAX_DELAY_S} seconds")
        if not 0 <= draft.window_start_min < draft.window_end_min <= windows.MINUTES_A_DAY:
            yield Fault(
                f"steps[{number}].window_end_min",
                f"the window must start before it ends, within 0 to {windows.MINUTES_A_DAY} minutes",
            )
        if not draft.weekdays or not set(draft.weekdays) <= set(range(1, 8)):
            yield Fault(f"steps[{number}].weekdays", "give at least one, from 1 (Monday) to 7 (Sunday)")


def template_faults(
    session: Session, drafts: Sequence[StepDraft], variables: Mapping[str, Any], library: templates.Library
) -> Iterator[Fault]:
    """Yield the faults of the steps' templates with these campaign variables.

    A variable that neither the campaign nor the contacts' columns provide may come from a contact's attributes; it is
    a fault only if no contact has that attribute.
    """
    provided = {**dict.fromkeys(CONTACT_VARIABLES, "x"), **variables}
    reported: set[Fault] = set()
    for number, draft in enumerate(drafts):
        try:
            template = library.get(draft.template)
        except compiling.UnusableTemplate as unusable:
            yield Fault(f"steps[{number}].template", unusable.faults[0].message)
            continue
        personal = _attributes(session, template.required - provided.keys())
        trial = {**provided, **{name: template.sample.get(name, "x") for name in personal}}
        new = [fault for fault in template.check(trial) if fault not in reported]
        reported.update(new)
        yield from new


def _attributes(session: Session, names: frozenset[str] | set[str]) -> set[str]:
    """Return those of `names` that at least one contact has as an attribute."""
    query = text(
        "SELECT name FROM unnest(CAST(:names AS text[])) AS name "
        "WHERE EXISTS (SELECT 1 FROM contacts WHERE contacts.attributes ? name)"
    )
    return set(session.scalars(query, {"names": sorted(names)})) if names else set()


def add(session: Session, campaign_id: UUID, drafts: Sequence[StepDraft], library: templates.Library) -> None:
    """Store valid steps, numbered from 1, with the subjects of their templates, not rendered.

    The subject of a template that cannot be used is empty.
    """
    rows = [
        {
            "campaign_id": campaign_id,
            "step": number,
            "template": draft.template,
            "subject": _subject(library, draft.template),
            "delay_s": draft.delay_s,
            "window_start_min": draft.window_start_min,
            "window_end_min": draft.window_end_min,
            "weekdays": sorted(set(draft.weekdays)),
        }
        for number, draft in enumerate(drafts, start=1)
    ]
    session.execute(insert(CampaignStep), rows)


def _subject(library: templates.Library, name: str) -> str:
    try:
        return library.get(name).subject_source
    except compiling.UnusableTemplate:
        return ""


_PUBLISHED = text("""
    SELECT s.step, t.published_version AS version, v.subject
      FROM campaign_steps s
      JOIN templates t ON t.name = s.template
      JOIN template_versions v ON v.template_id = t.id AND v.version = t.published_version
     WHERE s.campaign_id = :campaign_id ORDER BY t.id FOR SHARE OF t
""")
_PIN = text("""
    UPDATE campaign_steps SET template_version = :version, subject = :subject
     WHERE campaign_id = :campaign_id AND step = :step
""")


def pin(session: Session, campaign_id: UUID) -> None:
    """Store the published versions of the steps' templates, and their subjects: later versions change nothing then.

    The lock on these templates makes their deletion wait for the launch, and then be refused.
    """
    for step, version, subject in session.execute(_PUBLISHED, {"campaign_id": campaign_id}).all():
        written = " ".join(subject.split())[: compiling.SUBJECT_CHARS_MAX]
        session.execute(_PIN, {"campaign_id": campaign_id, "step": step, "version": version, "subject": written})


_OF = text("""
    SELECT campaign_steps.*, timezone, opened_until FROM campaign_steps JOIN campaigns ON campaigns.id = campaign_id
     WHERE campaign_id = :campaign_id ORDER BY step
""")
_OF_ALL = text("""
    SELECT campaign_steps.*, timezone, opened_until FROM campaign_steps JOIN campaigns ON campaigns.id = campaign_id
     WHERE campaign_id = ANY(CAST(:ids AS uuid[]))
""")
_RUNNING = text("""
    SELECT campaign_steps.*, timezone, opened_until FROM campaign_steps JOIN campaigns ON campaigns.id = campaign_id
     WHERE campaigns.state = 'running' ORDER BY campaign_id, step
""")


def of(session: Session, campaign_id: UUID) -> list[Step]:
    """Return the steps of one campaign, in order."""
    return [_step(row) for row in session.execute(_OF, {"campaign_id": campaign_id})]


def of_all(session: Session, campaign_ids: Sequence[UUID]) -> list[Step]:
    """Return the steps of these campaigns."""
    if not campaign_ids:
        return []
    return [_step(row) for row in session.execute(_OF_ALL, {"ids": list(campaign_ids)})]


def running(session: Session) -> list[Step]:
    """Return the steps of every running campaign."""
    return [_step(row) for row in session.execute(_RUNNING)]


def _step(row: Row[Any]) -> Step:
    return Step(
        campaign_id=row.campaign_id,
        step=row.step,
        template=row.template,
        subject=row.subject,
        delay_s=row.delay_s,
        window=windows.Window(row.window_start_min, row.window_end_min, frozenset(row.weekdays)),
        timezone=row.timezone,
        opened_until=row.opened_until if row.step == 1 else None,
        template_version=row.template_version,
    )


def lock(session: Session, campaign_id: UUID, step: int) -> None:
    """Wait for claims of this step to commit, and let no other begin until the transaction ends."""
    key = (campaign_id.int & ((1 << 63) - 1)) ^ step
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
