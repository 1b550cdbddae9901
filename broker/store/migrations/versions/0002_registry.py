"""Tables of broker/store/registry.py."""

import sqlalchemy as sa
from alembic import op

revision = "0002_registry"
down_revision = "0001_control"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables of registry."""
    op.create_table(
        "registry_levels",
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("compatibility", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("organisation", name=op.f("pk_registry_levels")),
    )
    op.create_table(
        "registry_schemas",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("guid", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registry_schemas")),
        sa.UniqueConstraint("guid", name=op.f("uq_registry_schemas_guid")),
        sa.UniqueConstraint("sha256", name=op.f("uq_registry_schemas_sha256")),
    )
    op.create_table(
        "registry_subjects",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("compatibility", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation"],
            ["organisations.id"],
            name=op.f("fk_registry_subjects_organisation"),
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_registry_subjects")),
    )
    op.create_index(
        op.f("ix_registry_subjects_organisation"), "registry_subjects", ["organisation"]
    )
    op.create_table(
        "registry_versions",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("schema_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("purged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["schema_id"], ["registry_schemas.id"], name=op.f("fk_registry_versions_schema_id")
        ),
        sa.ForeignKeyConstraint(
            ["seq"], ["control_events.seq"], name=op.f("fk_registry_versions_seq")
        ),
        sa.ForeignKeyConstraint(
            ["subject"], ["registry_subjects.name"], name=op.f("fk_registry_versions_subject")
        ),
        sa.PrimaryKeyConstraint("subject", "number", name=op.f("pk_registry_versions")),
    )
    op.create_index(op.f("ix_registry_versions_schema_id"), "registry_versions", ["schema_id"])
    op.create_index(
        "uq_registry_versions_live_schema",
        "registry_versions",
        ["subject", "schema_id"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
