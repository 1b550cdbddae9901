"""The operator's fee tells when and by whom it was set, and has a revision for its ETag."""

import sqlalchemy as sa
from alembic import op

revision = "0011_operator_fee"
down_revision = "0010_numbers_guard"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; the fee that stands was set by nobody, at the beginning."""
    op.add_column("billing_settings", sa.Column("changed_at", sa.DateTime(timezone=True)))
    op.add_column("billing_settings", sa.Column("changed_by", sa.Text()))
    op.add_column(
        "billing_settings", sa.Column("revision", sa.Integer(), nullable=False, server_default="1")
    )
    op.alter_column("billing_settings", "revision", server_default=None)


def downgrade() -> None:
    """Take them away."""
    for name in ("revision", "changed_by", "changed_at"):
        op.drop_column("billing_settings", name)
