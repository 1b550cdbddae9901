"""A close that bills very many goes on where it was; closes that wait have an index."""

import sqlalchemy as sa
from alembic import op

revision = "0009_close_progress"
down_revision = "0008_invoice_number"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the index; closes that wait begin from the first subscription."""
    op.add_column(
        "period_closes",
        sa.Column("billed_through", sa.Text, nullable=False, server_default=sa.text("''")),
    )
    op.create_index(
        "ix_period_closes_unsettled",
        "period_closes",
        ["end_ms", "product"],
        postgresql_where=sa.text("settled_at IS NULL"),
    )


def downgrade() -> None:
    """Take them away."""
    op.drop_index("ix_period_closes_unsettled", "period_closes")
    op.drop_column("period_closes", "billed_through")
