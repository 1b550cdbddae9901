"""Tables of broker/store/ledger.py."""

import sqlalchemy as sa
from alembic import op

revision = "0003_ledger"
down_revision = "0002_registry"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables of ledger."""
    op.create_table(
        "chains",
        sa.Column("topic_id", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("watermark_ms", sa.BigInteger(), nullable=False),
        sa.Column("hole", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("topic_id", "partition", "flow", name=op.f("pk_chains")),
    )
    op.create_index(op.f("ix_chains_product"), "chains", ["product"], unique=False)
    op.create_table(
        "segments",
        sa.Column("topic_id", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("first_offset", sa.BigInteger(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("quarter_ms", sa.BigInteger(), nullable=False),
        sa.Column("billing_first_ms", sa.BigInteger(), nullable=False),
        sa.Column("watermark_ms", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("canonical", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint(
            "topic_id", "partition", "flow", "number", name=op.f("pk_segments")
        ),
    )
    op.create_index("ix_segments_product_seq", "segments", ["product", "seq"], unique=False)
    op.create_table(
        "usage_positions",
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("partition", name=op.f("pk_usage_positions")),
    )
    op.create_table(
        "usage",
        sa.Column("subscription", sa.Text(), nullable=False),
        sa.Column("topic_id", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("first_offset", sa.BigInteger(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.Column("quarter_ms", sa.BigInteger(), nullable=False),
        sa.Column("billing_first_ms", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.Column("billed_bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["topic_id", "partition", "flow", "number"],
            ["segments.topic_id", "segments.partition", "segments.flow", "segments.number"],
            name=op.f("fk_usage_topic_id_partition_flow_number"),
        ),
        sa.PrimaryKeyConstraint(
            "subscription", "topic_id", "partition", "flow", "number", name=op.f("pk_usage")
        ),
    )
    op.create_index(
        "ix_usage_subscription_billing_first_ms",
        "usage",
        ["subscription", "billing_first_ms"],
        unique=False,
    )
