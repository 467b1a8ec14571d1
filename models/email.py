"""Tables of e-mails, senders, and the groups that senders have claimed."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, String, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Flag, Id, Moment, Stamp, Word, one_of

# docs/architecture.md has the state diagram.
STATUSES = (
    "queued",
    "claimed",
    "sending",
    "sent",
    "failed",
    "bounced",
    "complained",
    "in_doubt",
    "cancelled",
)
# The ends other than `sent`: few e-mails have one, so an index finds them among millions.
EXCEPTIONAL = ("failed", "bounced", "complained", "in_doubt", "cancelled")
LANES = ("transactional", "campaign")
MARKETING, TRANSACTIONAL, TEST = KINDS = ("marketing", "transactional", "test")


_ID_OF_STEP = (
    "enrollment_id IS NULL OR uuid_send(id) = "
    "set_byte(uuid_send(enrollment_id), 15, get_byte(uuid_send(enrollment_id), 15) | step)"
)


class Email(Base):
    """One e-mail to one contact, from acceptance to its end.

    A campaign's e-mail gets its row when its first attempt is settled (docs/decisions/0002); until then only the group
    that claimed it lists it. Its id is derived from its enrollment and step, so a step has one e-mail.
    `template_version` is null if the template is that of the folder.
    `subject` is that of a single send, rendered and encrypted, or the source of a campaign's step (messages/subjects).
    A test is in no count, and no event of it changes its contact, except an unsubscription and a complaint.
    `opened_at` and so on are the earliest such events not made by a machine, `machine_…_at` those made by one.
    """

    __tablename__ = "emails"
    __table_args__ = (
        one_of("status", STATUSES),
        one_of("lane", LANES),
        one_of("kind", KINDS),
        CheckConstraint(_ID_OF_STEP, name="id_is_that_of_its_step"),
        Index("ix_emails_due", "lane", "due_at", "id", postgresql_where=text("status = 'queued'")),
        Index("ix_emails_contact_id_id", "contact_id", "id"),
        Index("ix_emails_claim", "claim", postgresql_where=text("status IN ('claimed', 'sending')")),
        Index("ix_emails_status_id", "status", "id", postgresql_where=text(f"status IN {EXCEPTIONAL}")),
        Index("ix_emails_converted", "campaign_id", "step", "id", postgresql_where=text("converted_at IS NOT NULL")),
        Index("ix_emails_in_doubt", "id", postgresql_where=text("status = 'in_doubt'")),
        {"postgresql_with": {"fillfactor": 70}},
    )

    id: Mapped[Id]
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contacts.id"))
    template: Mapped[Word]
    template_version: Mapped[int | None] = mapped_column(SmallInteger)
    subject: Mapped[str] = mapped_column(Text)
    sent_at: Mapped[Moment | None]
    opened_at: Mapped[Moment | None]
    clicked_at: Mapped[Moment | None]
    machine_opened_at: Mapped[Moment | None]
    machine_clicked_at: Mapped[Moment | None]
    converted_at: Mapped[Moment | None]
    replied_at: Mapped[Moment | None]
    unsubscribed_at: Mapped[Moment | None]
    bounced_at: Mapped[Moment | None]
    complained_at: Mapped[Moment | None]
    status: Mapped[Word] = mapped_column(server_default=text("'queued'"), default="queued")
    lane: Mapped[Word]
    kind: Mapped[Word] = mapped_column(server_default=text("'marketing'"), default="marketing")
    campaign_id: Mapped[UUID | None] = mapped_column()  # without a foreign key: each costs 4 µs per e-mail
    enrollment_id: Mapped[UUID | None]
    step: Mapped[int | None] = mapped_column(SmallInteger)
    variant: Mapped[Word | None]
    variables: Mapped[str | None] = mapped_column(Text)
    message_id: Mapped[str] = mapped_column(String(255))
    accepted_at: Mapped[Stamp]
    due_at: Mapped[Moment]
    claim: Mapped[UUID | None]
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"), default=0)
    response: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    relay: Mapped[str | None] = mapped_column(String(255))  # of the last attempt, as named by `outbox relays`


class Sender(Base):
    """A process that sends. Once `fenced_at` is set, it may not write any more (rule R9b)."""

    __tablename__ = "senders"

    id: Mapped[Id]
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int]
    started_at: Mapped[Stamp]
    fenced_at: Mapped[Moment | None]


class SendGroup(Base):
    """E-mails that one sender has claimed, with the lease; open until settled or recovered.

    `members` are ids of e-mails, or of enrollments in a group of a campaign's step. Once `is_started`, the relay may
    have received some of them.
    """

    __tablename__ = "send_groups"
    __table_args__ = (
        one_of("state", ("open", "settled", "recovered")),
        Index("ix_send_groups_open", "sender_id", postgresql_where=text("state = 'open'")),
        Index("ix_send_groups_lane_started_at", "lane", "started_at"),
        Index("ix_send_groups_sender_id_started_at", "sender_id", "started_at"),
        Index("ix_send_groups_untried", "campaign_id", "step", "id", postgresql_where=text("reason IS NOT NULL")),
    )

    id: Mapped[Id]
    sender_id: Mapped[UUID] = mapped_column(ForeignKey("senders.id"))
    lane: Mapped[Word]
    campaign_id: Mapped[UUID | None]
    step: Mapped[int | None] = mapped_column(SmallInteger)
    is_started: Mapped[Flag]
    state: Mapped[Word] = mapped_column(server_default=text("'open'"), default="open")
    members: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    leased_until: Mapped[Moment]
    started_at: Mapped[Stamp]
    ended_at: Mapped[Moment | None]
    answered: Mapped[int | None]
    given_back: Mapped[int | None]
    reason: Mapped[str | None] = mapped_column(Text)  # why e-mails were given back untried
    in_doubt: Mapped[int | None]
