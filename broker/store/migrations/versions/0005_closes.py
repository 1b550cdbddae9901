"""A close may bill only the periods that end with it."""

import sqlalchemy as sa
from alembic import op

revision = "0005_closes"
down_revision = "0004_billing"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; closes from before billed what they fell into."""
    op.add_column(
        "period_closes",
        sa.Column("interim", sa.Boolean, nullable=False, server_default=sa.text("true")),
    )


def downgrade() -> None:
    """Take it away."""
    op.drop_column("period_closes", "interim")
