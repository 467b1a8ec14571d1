"""Names of templates in the order of their bytes, in which the folder's are listed with them."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    """Upgrade."""
    op.alter_column("templates", "name", type_=sa.String(length=50, collation="C"))


def downgrade() -> None:
    """Downgrade."""
    op.execute('ALTER TABLE templates ALTER COLUMN name TYPE varchar(50) COLLATE "default"')
