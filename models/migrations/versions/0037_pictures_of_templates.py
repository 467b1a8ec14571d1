"""Digests of pictures in each version of a template, with an index."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0037"
down_revision = "0036"


def upgrade() -> None:
    """Upgrade."""
    column: sa.Column[list[str]] = sa.Column(
        "pictures", ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False
    )
    op.add_column("template_versions", column)
    op.execute(
        r"""
        UPDATE template_versions
           SET pictures = ARRAY(SELECT DISTINCT digests[1]
                                  FROM regexp_matches(concat_ws(' ', html, mjml, text, CAST(sample AS text)),
                                                      '\m[0-9a-f]{40}\M', 'g') AS digests)
         WHERE concat_ws(' ', html, mjml, text, CAST(sample AS text)) ~ '\m[0-9a-f]{40}\M'
        """
    )
    op.create_index("ix_template_versions_pictures", "template_versions", ["pictures"], postgresql_using="gin")


def downgrade() -> None:
    """Downgrade."""
    op.drop_index("ix_template_versions_pictures", "template_versions")
    op.drop_column("template_versions", "pictures")
