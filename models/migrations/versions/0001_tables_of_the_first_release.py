"""Tables of the first release."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

# A UUIDv7 whose random bits are all random; uuidv7() came only with PostgreSQL 18. An enrollment's ends in two zeros.
_BYTES = (
    "set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) placing "
    "substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) "
    "from 1 for 6), 52, 1), 53, 1)"
)
NEW_ID = sa.text(f"encode({_BYTES}, 'hex')::uuid")
NEW_ENROLLMENT = sa.text(f"encode(set_bit(set_bit({_BYTES}, 120, 0), 121, 0), 'hex')::uuid")


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "accounts",
        sa.Column("id", sa.Uuid(), server_default=NEW_ID, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.String(length=50)), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("generation", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("name", name=op.f("uq_accounts_name")),
    )
    op.create_table(
        "campaigns",
        sa.Column("id", sa.Uuid(), server_default=NEW_ID, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("state", sa.String(length=50), server_default=sa.text("'draft'"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("timezone", sa.String(length=50), server_default=sa.text("'UTC'"), nullable=False),
        sa.Column("audience", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("variables", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("launched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pardoned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pardoned", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.CheckConstraint(
            "state IN ('draft', 'running', 'paused', 'finished')", name=op.f("ck_campaigns_state_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaigns")),
        sa.UniqueConstraint("name", name=op.f("uq_campaigns_name")),
    )
    op.create_table(
        "contacts",
        sa.Column("id", sa.Uuid(), server_default=NEW_ID, nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_index", sa.LargeBinary(), nullable=False),
        sa.Column("first_name", sa.String(length=100), nullable=True),
        sa.Column("last_name", sa.String(length=100), nullable=True),
        sa.Column("industry", sa.String(length=50), nullable=True),
        sa.Column("role", sa.String(length=50), nullable=True),
        sa.Column("company", sa.String(length=100), nullable=True),
        sa.Column("timezone", sa.String(length=50), nullable=True),
        sa.Column("locale", sa.String(length=20), nullable=True),
        sa.Column(
            "attributes", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("email_followup_status", sa.String(length=50), server_default=sa.text("'new'"), nullable=False),
        sa.Column("email_1_sent", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("email_1_opened", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("email_1_clicked", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("email_2_sent", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("email_2_opened", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("email_2_clicked", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("email_3_sent", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("email_3_opened", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("email_3_clicked", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("converted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("converted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("score", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
        sa.UniqueConstraint("email_index", name=op.f("uq_contacts_email_index")),
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "email_stats",
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("step", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("variant", sa.String(length=50), server_default=sa.text("''"), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("failed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("opened", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("clicked", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("converted", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("replied", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("unsubscribed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("bounced", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("complained", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("refused", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "step", "variant", "hour", name=op.f("pk_email_stats")),
    )
    op.create_table(
        "heartbeats",
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.Column("beaten_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_heartbeats")),
    )
    op.create_table(
        "senders",
        sa.Column("id", sa.Uuid(), server_default=NEW_ID, nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("fenced_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_senders")),
    )
    op.create_table(
        "suppressions",
        sa.Column("email_index", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.String(length=50), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("email_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "reason IN ('unsubscribed', 'hard_bounce', 'complaint', 'manual')",
            name=op.f("ck_suppressions_reason_known"),
        ),
        sa.PrimaryKeyConstraint("email_index", name=op.f("pk_suppressions")),
    )
    op.create_table(
        "campaign_steps",
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("step", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("template", sa.String(length=50), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("delay_s", sa.Integer(), nullable=False),
        sa.Column("window_start_min", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("window_end_min", sa.SmallInteger(), server_default=sa.text("1440"), nullable=False),
        sa.Column(
            "weekdays", postgresql.ARRAY(sa.SmallInteger()), server_default=sa.text("'{1,2,3,4,5,6,7}'"), nullable=False
        ),
        sa.CheckConstraint(
            "0 <= window_start_min AND window_start_min < window_end_min AND window_end_min <= 1440",
            name=op.f("ck_campaign_steps_window_in_a_day"),
        ),
        sa.CheckConstraint("cardinality(weekdays) > 0", name=op.f("ck_campaign_steps_weekdays_not_empty")),
        sa.CheckConstraint("delay_s >= 0", name=op.f("ck_campaign_steps_delay_not_negative")),
        sa.CheckConstraint("step BETWEEN 1 AND 3", name=op.f("ck_campaign_steps_step_range")),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_campaign_steps_campaign_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("campaign_id", "step", name=op.f("pk_campaign_steps")),
    )
    op.create_table(
        "emails",
        sa.Column("id", sa.Uuid(), server_default=NEW_ID, nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("template", sa.String(length=50), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("clicked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("converted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("replied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unsubscribed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("bounced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("complained_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.String(length=50), server_default=sa.text("'queued'"), nullable=False),
        sa.Column("lane", sa.String(length=50), nullable=False),
        sa.Column("kind", sa.String(length=50), server_default=sa.text("'marketing'"), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=True),
        sa.Column("enrollment_id", sa.Uuid(), nullable=True),
        sa.Column("step", sa.SmallInteger(), nullable=True),
        sa.Column("variant", sa.String(length=50), nullable=True),
        sa.Column("variables", sa.Text(), nullable=True),
        sa.Column("message_id", sa.String(length=255), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claim", sa.Uuid(), nullable=True),
        sa.Column("attempts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("response", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('marketing', 'transactional')", name=op.f("ck_emails_kind_known")),
        sa.CheckConstraint("lane IN ('transactional', 'campaign')", name=op.f("ck_emails_lane_known")),
        sa.CheckConstraint(
            "status IN ('queued', 'claimed', 'sending', 'sent', 'failed', 'bounced', 'complained', 'in_doubt', 'cancelled')",
            name=op.f("ck_emails_status_known"),
        ),
        sa.CheckConstraint(
            "enrollment_id IS NULL OR uuid_send(id) = set_byte(uuid_send(enrollment_id), 15, get_byte(uuid_send(enrollment_id), 15) | step)",
            name=op.f("ck_emails_id_is_that_of_its_step"),
        ),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_emails_contact_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_emails")),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index(
        "ix_emails_claim",
        "emails",
        ["claim"],
        unique=False,
        postgresql_where=sa.text("status IN ('claimed', 'sending')"),
    )
    op.create_index(op.f("ix_emails_contact_id"), "emails", ["contact_id"], unique=False)
    op.create_index(
        "ix_emails_due", "emails", ["lane", "due_at", "id"], unique=False, postgresql_where=sa.text("status = 'queued'")
    )
    op.create_index(
        "ix_emails_in_doubt", "emails", ["id"], unique=False, postgresql_where=sa.text("status = 'in_doubt'")
    )
    op.create_table(
        "enrollments",
        sa.Column("id", sa.Uuid(), server_default=NEW_ENROLLMENT, nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("next_step", sa.SmallInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.String(length=50), server_default=sa.text("'active'"), nullable=False),
        sa.Column("stop_reason", sa.String(length=50), nullable=True),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "state IN ('active', 'waiting', 'finished', 'stopped')", name=op.f("ck_enrollments_state_known")
        ),
        sa.CheckConstraint("get_byte(uuid_send(id), 15) & 3 = 0", name=op.f("ck_enrollments_id_leaves_room_for_steps")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_enrollments_campaign_id")),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_enrollments_contact_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrollments")),
        sa.UniqueConstraint("contact_id", "campaign_id", name=op.f("uq_enrollments_contact_id_campaign_id")),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index("ix_enrollments_campaign_id", "enrollments", ["campaign_id"], unique=False, postgresql_using="brin")
    op.create_index(
        "ix_enrollments_running",
        "enrollments",
        ["campaign_id", "next_step", "next_at", "id"],
        unique=False,
        postgresql_where=sa.text("state IN ('active', 'waiting')"),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("response", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_idempotency_keys_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"], unique=False)
    op.create_table(
        "revoked_tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_revoked_tokens_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revoked_tokens")),
    )
    op.create_index(op.f("ix_revoked_tokens_expires_at"), "revoked_tokens", ["expires_at"], unique=False)
    op.create_table(
        "send_groups",
        sa.Column("id", sa.Uuid(), server_default=NEW_ID, nullable=False),
        sa.Column("sender_id", sa.Uuid(), nullable=False),
        sa.Column("lane", sa.String(length=50), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=True),
        sa.Column("step", sa.SmallInteger(), nullable=True),
        sa.Column("is_started", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("state", sa.String(length=50), server_default=sa.text("'open'"), nullable=False),
        sa.Column("members", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered", sa.Integer(), nullable=True),
        sa.Column("given_back", sa.Integer(), nullable=True),
        sa.Column("in_doubt", sa.Integer(), nullable=True),
        sa.CheckConstraint("state IN ('open', 'settled', 'recovered')", name=op.f("ck_send_groups_state_known")),
        sa.ForeignKeyConstraint(["sender_id"], ["senders.id"], name=op.f("fk_send_groups_sender_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_send_groups")),
    )
    op.create_index(
        "ix_send_groups_open", "send_groups", ["sender_id"], unique=False, postgresql_where=sa.text("state = 'open'")
    )
    op.create_table(
        "events",
        sa.Column("id", sa.Uuid(), server_default=NEW_ID, nullable=False),
        sa.Column("email_id", sa.Uuid(), nullable=False),
        sa.Column("event_type", sa.String(length=50), nullable=False),
        sa.Column(
            "event_data", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("timestamp", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("source", sa.String(length=50), server_default=sa.text("'unknown'"), nullable=False),
        sa.Column("dedupe_key", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("held", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint(
            "event_type IN ('opened', 'clicked', 'converted', 'unsubscribed', 'replied', 'auto_replied', 'bounced', 'complained')",
            name=op.f("ck_events_event_type_known"),
        ),
        sa.CheckConstraint("source IN ('human', 'machine', 'unknown')", name=op.f("ck_events_source_known")),
        sa.ForeignKeyConstraint(["email_id"], ["emails.id"], name=op.f("fk_events_email_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_events_dedupe_key")),
    )
    op.create_index(op.f("ix_events_email_id"), "events", ["email_id"], unique=False)
    op.create_index("ix_events_held", "events", ["email_id"], unique=False, postgresql_where=sa.text("held"))
    op.create_index(
        "ix_events_unapplied",
        "events",
        ["received_at", "id"],
        unique=False,
        postgresql_where=sa.text("applied_at IS NULL AND NOT held"),
    )


def downgrade() -> None:
    """Back."""
    op.drop_index(
        "ix_events_unapplied", table_name="events", postgresql_where=sa.text("applied_at IS NULL AND NOT held")
    )
    op.drop_index("ix_events_held", table_name="events", postgresql_where=sa.text("held"))
    op.drop_index(op.f("ix_events_email_id"), table_name="events")
    op.drop_table("events")
    op.drop_index("ix_send_groups_open", table_name="send_groups", postgresql_where=sa.text("state = 'open'"))
    op.drop_table("send_groups")
    op.drop_index(op.f("ix_revoked_tokens_expires_at"), table_name="revoked_tokens")
    op.drop_table("revoked_tokens")
    op.drop_index("ix_idempotency_keys_created_at", table_name="idempotency_keys")
    op.drop_table("idempotency_keys")
    op.drop_index(
        "ix_enrollments_running", table_name="enrollments", postgresql_where=sa.text("state IN ('active', 'waiting')")
    )
    op.drop_index("ix_enrollments_campaign_id", table_name="enrollments", postgresql_using="brin")
    op.drop_table("enrollments")
    op.drop_index("ix_emails_in_doubt", table_name="emails", postgresql_where=sa.text("status = 'in_doubt'"))
    op.drop_index("ix_emails_due", table_name="emails", postgresql_where=sa.text("status = 'queued'"))
    op.drop_index(op.f("ix_emails_contact_id"), table_name="emails")
    op.drop_index("ix_emails_claim", table_name="emails", postgresql_where=sa.text("status IN ('claimed', 'sending')"))
    op.drop_table("emails")
    op.drop_table("campaign_steps")
    op.drop_table("suppressions")
    op.drop_table("senders")
    op.drop_table("heartbeats")
    op.drop_table("email_stats")
    op.drop_table("contacts")
    op.drop_table("campaigns")
    op.drop_table("accounts")
