"""Index names of contacts by prefix, without case and accents, and suppressions by reason and age."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

# As `models.folding` had it at this revision.
_FROM = "ÆæŒœØøŁłĐđÐðÞþĦħŦŧıßΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ"
_TO = "aaoooollddddtthhttisαβγδεζηθικλμνξοπρστυφχψωабвгдежзийклмнопрстуфхцчшщъыьэюя"
_FOLDED = (
    """left(CASE WHEN octet_length({text}) = char_length({text}) THEN lower(({text}) COLLATE "C") """
    """ELSE translate(lower(regexp_replace(normalize(({text}) COLLATE "C", NFD), '[\\u0300-\\u036f]', '', 'g')), """
    f"'{_FROM}', '{_TO}') END, 100)"
)
_NAMES = {
    "full_name": ("coalesce(first_name || ' ', '') || coalesce(last_name, '')", "coalesce(first_name, last_name)"),
    "last_name": ("last_name", "last_name"),
    "company": ("company", "company"),
}


def upgrade() -> None:
    """Upgrade."""
    for name, (text, present) in _NAMES.items():
        folded = sa.text(_FOLDED.replace("{text}", text))
        is_present = sa.text(f"{present} IS NOT NULL")
        op.create_index(f"ix_contacts_{name}", "contacts", [folded, "id"], postgresql_where=is_present)
    op.create_index("ix_suppressions_reason_since", "suppressions", ["reason", "since", "email_index"])


def downgrade() -> None:
    """Downgrade."""
    op.drop_index("ix_suppressions_reason_since", "suppressions")
    for name in _NAMES:
        op.drop_index(f"ix_contacts_{name}", "contacts")
