"""Models of campaigns, their steps and their funnel."""

from typing import Annotated, Literal
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
    """Path of one campaign."""

    campaign_id: UUID = Field(description="The id that its creation returned.")


class Headers(BaseModel):
    """Headers of a request that creates a campaign."""

    idempotency_key: str = Field(
        "",
        alias="Idempotency-Key",
        description="1 to 255 printable characters. The same key and body get the same response for 48 hours.",
    )


class StepWanted(Input):
    """One step of the sequence to create."""

    template: Annotated[str, Field(max_length=50, description="The name of a template.")]
    delay_s: StrictInt = Field(0, description="Seconds after the step before was sent, or after the launch.")
    window_start_min: StrictInt = Field(0, description="Minutes after midnight from which it may go out.")
    window_end_min: StrictInt = Field(1440, description="Minutes after midnight until which it may go out.")
    weekdays: list[StrictInt] = Field(
        default_factory=lambda: list(range(1, 8)), max_length=7, description="ISO weekdays: 1 is Monday."
    )


class CampaignWanted(Input):
    """A campaign to create."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CAMPAIGN]})

    name: Annotated[str, Field(description="A unique name, up to 100 characters.")]
    steps: list[StepWanted] = Field(max_length=10, description=f"One to {steps.MAX_STEPS}, in order.")
    timezone: str = Field("UTC", description="The IANA time zone of the send windows.")
    audience: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="Conditions on contacts: lists under `industry`, `role`, `company`, `locale`, `followup_status`; "
        '`min_score`, `max_score`; `attributes`. Empty: everybody. `{"only_sign_ups": true}`: nobody but those who '
        "confirm a form that enrolls in this campaign.",
    )
    variables: dict[str, JsonValue] = Field(default_factory=dict, description="Variables that all its e-mails share.")


class CampaignEdit(Input):
    """Changes of a draft; what is left out or null stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"version": 1, "timezone": "Europe/Madrid"}]})

    version: StrictInt = Field(description="The `version` of the campaign as it was read.")
    name: str | None = Field(None, description="A unique name, up to 100 characters.")
    steps: list[StepWanted] | None = Field(None, max_length=10, description="All steps, in order.")
    timezone: str | None = Field(None, description="The IANA time zone of the send windows.")
    audience: dict[str, JsonValue] | None = Field(None, description="All conditions on contacts.")
    variables: dict[str, JsonValue] | None = Field(None, description="All variables that its e-mails share.")


class Cancel(Input):
    """Reason for cancelling; a request without a body has none."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "the offer ended"}]})

    reason: Annotated[str, Field(min_length=1, max_length=500)] | None = None


class Deleted(Output):
    """The draft that was deleted."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": "01999999-0000-7000-8000-000000000000"}]})

    id: UUID


class Enroll(Input):
    """Contacts to enroll."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})

    contact_ids: list[UUID] | None = Field(
        None, max_length=10_000, description="These contacts. Default: the campaign's audience."
    )


class Pause(Input):
    """Reason for pausing; a request without a body has none."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "the offer changed"}]})

    reason: Annotated[str, Field(min_length=1, max_length=500)] | None = None


class Campaign(Output):
    """A campaign and its state."""

    id: UUID
    name: str
    state: str = Field(description="draft, running, paused, finished or cancelled.")
    reason: str | None = Field(description="Why it is paused or was cancelled.")
    timezone: str
    audience: dict[str, JsonValue]
    variables: dict[str, JsonValue]
    created_at: Moment
    launched_at: Moment | None
    finished_at: Moment | None = Field(description="When it ended: finished, or cancelled with all contacts stopped.")
    version: int = Field(description="Grows with each edit of the draft; an edit names it.")
    enrolling: bool = Field(description="True while contacts of its audience are still to be enrolled.")
    stopping: bool = Field(description="True while contacts of the cancelled campaign are still to be stopped.")


class Launch(Input):
    """Options of a launch; a request without a body has none."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"now": True, "skip_received": True, "dry_run": False}]})

    dry_run: bool = Field(False, description="Only report; launch nothing.")
    now: bool = Field(False, description="Send step 1 now, without waiting for its window and delay.")
    skip_received: bool = Field(
        False, description="Leave out contacts who received one of the campaign's templates before."
    )


class LaunchReport(Output):
    """The effect of a launch on the whole audience."""

    enrolled: int
    mailed: int = Field(description="Contacts who get e-mails: enrolled and not left out.")
    left_out: dict[str, int] = Field(description="Contacts enrolled as stopped, by stop reason.")
    received: dict[str, int] = Field(description="Contacts who received a template before, by template.")
    first_email_at: Moment | None = Field(description="When the first e-mail goes out; null if nobody gets one.")
    summary: list[str] = Field(description="The same in English sentences.")
    hints: list[str] = Field(description="How to start at once, and how to leave people out.")


class Launched(Campaign):
    """A launched campaign, and the report of its launch."""

    report: LaunchReport


class Started(Output):
    """Number of contacts whose first step was due later and is due now."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"contacts": 300}]})

    contacts: int


class Campaigns(Output):
    """The newest campaigns, newest first; at most 100."""

    campaigns: list[Campaign]


class StepCounts(Output):
    """Number of e-mails of one step by status and by reaction."""

    step: int
    template: str
    queued: int = Field(description="Not sent yet, including those in flight.")
    sent: int = Field(description="Accepted by the mail server, including those that bounced later.")
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
    """Number of contacts by state, by stop reason and by step."""

    enrolled: int
    states: dict[str, int] = Field(description="Contacts by active, waiting, finished and stopped.")
    stop_reasons: dict[str, int]
    steps: list[StepCounts]


class CampaignStory(Campaign):
    """A campaign and its funnel."""

    funnel: Funnel


class Retry(Input):
    """The failed e-mails to queue again."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "refused"}]})

    reason: Literal["refused", "expired"] = Field(
        description="`refused`: a mail server refused them for good; `expired`: for longer than the time for retries."
    )


class Retried(Output):
    """Number of e-mails queued again, and of those that stay failed, by reason."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"queued": 200, "kept": {"later_step": 3}}]})

    queued: int
    kept: dict[str, int] = Field(description="Failed e-mails by `stopped`, `later_step` and `delivered`.")


class Enrolled(Output):
    """Number of contacts enrolled by this request, and of those enrolled as stopped, by reason."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"enrolled": 300, "stopped": {"unsubscribed": 4}, "complete": True}]}
    )

    enrolled: int
    stopped: dict[str, int]
    complete: bool = Field(description="False if more of the audience is enrolled after this response.")
