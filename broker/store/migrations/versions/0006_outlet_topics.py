"""Delivery and quarantine topics are known by their ids, so that a removal is noticed."""

import sqlalchemy as sa
from alembic import op

revision = "0006_outlet_topics"
down_revision = "0005_plan_guard"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table; topics of before are noted when Kafka is next looked at."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "outlet_topics",
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("topic_id", sa.Text, nullable=False),
        sa.Column("seen_at", time, nullable=False),
        sa.Column("lost_at", time, nullable=True),
        sa.Column("acknowledged_at", time, nullable=True),
        sa.Column("acknowledged_by", sa.Text, nullable=True),
        sa.PrimaryKeyConstraint("topic", "topic_id", name="pk_outlet_topics"),
    )
    op.create_index(
        "ix_outlet_topics_there",
        "outlet_topics",
        ["topic"],
        unique=True,
        postgresql_where=sa.text("lost_at IS NULL"),
    )


def downgrade() -> None:
    """Take it away."""
    op.drop_table("outlet_topics")
