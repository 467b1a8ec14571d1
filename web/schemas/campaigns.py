"""Campaigns: what is asked for, and how they stand."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StrictInt

from engine.campaigns import steps
from web.schemas.shapes import Input, Moment, Output

_CAMPAIGN: dict[str, JsonValue] = {
    "name": "Otoño 2026",
    "timezone": "Europe/Madrid",
    "audience": {"industry": ["Marketing"]},
    "variables": {"link_calendly": "https://calendly.example/ventas"},
    "steps": [
        {"template": "email_1_roi", "window_start_min": 540, "window_end_min": 1080, "weekdays": [1, 2, 3, 4, 5]},
        {"template": "email_2_caso", "delay_s": 259_200},
        {"template": "email_3_ultima_llamada", "delay_s": 345_600},
    ],
}


class CampaignPath(BaseModel):
    """Which campaign."""

    campaign_id: UUID = Field(description="As its creation answered it.")


class Headers(BaseModel):
    """What may come with a creation beside its body."""

    idempotency_key: str = Field(
        "",
        alias="Idempotency-Key",
        description="1 to 255 printable characters. The same key and body within 48 hours gets the first answer again.",
    )


class StepWanted(Input):
    """One mail of the sequence."""

    template: Annotated[str, Field(max_length=50, description="The name of a template.")]
    delay_s: StrictInt = Field(0, description="Seconds after the step before was sent, or after the launch.")
    window_start_min: StrictInt = Field(0, description="Minutes after midnight from which it may go out.")
    window_end_min: StrictInt = Field(1440, description="Minutes after midnight until which it may go out.")
    weekdays: list[StrictInt] = Field(
        default_factory=lambda: list(range(1, 8)), max_length=7, description="ISO weekdays: 1 is Monday."
    )


class CampaignWanted(Input):
    """A campaign to draw up."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CAMPAIGN]})

    name: Annotated[str, Field(description="A name of its own, up to 100 characters.")]
    steps: list[StepWanted] = Field(max_length=10, description=f"One to {steps.MAX_STEPS}, in order.")
    timezone: str = Field("UTC", description="The IANA time zone of the send windows.")
    audience: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="Conditions on contacts: lists under `industry`, `role`, `company`, `locale`, `followup_status`; "
        "`min_score`, `max_score`; `attributes`. Empty: everybody.",
    )
    variables: dict[str, JsonValue] = Field(default_factory=dict, description="Those that all its mails share.")


class Enroll(Input):
    """Whom to enroll."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})

    contact_ids: list[UUID] | None = Field(
        None, max_length=10_000, description="These contacts; without it the campaign's audience."
    )


class Pause(Input):
    """Why to pause."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "the offer changed"}]})

    reason: Annotated[str, Field(min_length=1, max_length=500)]


class Campaign(Output):
    """A campaign as it stands."""

    id: UUID
    name: str
    state: str = Field(description="draft, running, paused or finished.")
    reason: str | None = Field(description="Why it is paused.")
    timezone: str
    audience: dict[str, JsonValue]
    variables: dict[str, JsonValue]
    created_at: Moment
    launched_at: Moment | None
    finished_at: Moment | None


class Campaigns(Output):
    """The newest campaigns, newest first; at most 100."""

    campaigns: list[Campaign]


class StepCounts(Output):
    """The mails of one step, by what became of them and what they led to."""

    step: int
    template: str
    queued: int = Field(description="Not decided yet.")
    sent: int = Field(description="Taken by the mail server, those that bounced later included.")
    failed: int
    in_doubt: int
    cancelled: int
    bounced: int
    complained: int
    opened: int
    clicked: int
    machine_opened: int
    machine_clicked: int
    converted: int


class Funnel(Output):
    """How many contacts came how far, and why the others stopped."""

    enrolled: int
    states: dict[str, int] = Field(description="Contacts by active, waiting, finished and stopped.")
    stop_reasons: dict[str, int]
    steps: list[StepCounts]


class CampaignStory(Campaign):
    """A campaign and its funnel."""

    funnel: Funnel


class Enrolled(Output):
    """How many contacts were enrolled just now, and how many of them as stopped, by reason."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"enrolled": 300, "stopped": {"unsubscribed": 4}}]})

    enrolled: int
    stopped: dict[str, int]
