"""Tables of broker/store/billing.py."""

revision = "0004_billing"
down_revision = "0003_ledger"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables of billing."""
