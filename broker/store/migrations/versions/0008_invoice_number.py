"""An invoice is found by its number without reading all of them, and no two bear the same."""

from alembic import op

revision = "0008_invoice_number"
down_revision = "0007_billing_due"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the constraint, and with it the index."""
    op.create_unique_constraint("uq_invoices_number", "invoices", ["number"])


def downgrade() -> None:
    """Take it away."""
    op.drop_constraint("uq_invoices_number", "invoices")
