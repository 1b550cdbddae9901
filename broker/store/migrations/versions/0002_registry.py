"""Tables of broker/store/registry.py."""

revision = "0002_registry"
down_revision = "0001_control"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables of registry."""
