"""Index contacts by industry, role and names, without case and accents, and suppressions by reason and age."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

# As `models.folding` had it at this revision.
_FROM = "ÆæŒœØøŁłĐđÐðÞþĦħŦŧıßΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ"
_TO = "aaoooollddddtthhttisαβγδεζηθικλμνξοπρστυφχψωабвгдежзийклмнопрстуфхцчшщъыьэюя"
_OTHERS = r"[ÆæŒœØøŁłĐđÐðÞþĦħŦŧıß\u01e2-\u01ff\u0370-\u052f\u1f00-\u1fff]"
_BARE = r"""lower(regexp_replace(normalize(({text}) COLLATE "C", NFD), '[\u0300-\u036f]', '', 'g'))"""
_FOLDED = (
    """left(CASE WHEN octet_length({text}) = char_length({text}) THEN lower(({text}) COLLATE "C") """
    f"""WHEN ({{text}}) COLLATE "C" ~ '{_OTHERS}' THEN translate({_BARE}, '{_FROM}', '{_TO}') ELSE {_BARE} END, 100)"""
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
    for name in ("industry", "role"):
        op.create_index(
            f"ix_contacts_{name}_id", "contacts", [name, "id"], postgresql_where=sa.text(f"{name} IS NOT NULL")
        )
    op.create_index("ix_suppressions_reason_since", "suppressions", ["reason", "since", "email_index"])


def downgrade() -> None:
    """Downgrade."""
    op.drop_index("ix_suppressions_reason_since", "suppressions")
    for name in ("industry", "role"):
        op.drop_index(f"ix_contacts_{name}_id", "contacts")
    for name in _NAMES:
        op.drop_index(f"ix_contacts_{name}", "contacts")
