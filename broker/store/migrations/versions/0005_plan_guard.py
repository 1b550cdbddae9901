"""What a plan version says cannot change once it is published, whoever asks."""

from alembic import op

revision = "0005_plan_guard"
down_revision = "0005_closes"
branch_labels = None
depends_on = None

GUARD = """
CREATE FUNCTION plan_versions_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'draft' THEN
        IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'plan % version % is published: it cannot be removed', OLD.plan, OLD.number;
    END IF;
    IF NEW.state = 'draft'
        OR (NEW.plan, NEW.number, NEW.price, NEW.period, NEW.delivery_retention_ms, NEW.approval,
            NEW.terms, NEW.published_at)
        IS DISTINCT FROM
            (OLD.plan, OLD.number, OLD.price, OLD.period, OLD.delivery_retention_ms, OLD.approval,
            OLD.terms, OLD.published_at)
    THEN
        RAISE EXCEPTION
            'plan % version % is published: it never changes, write a new version',
            OLD.plan, OLD.number;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER plan_versions_guard BEFORE UPDATE OR DELETE ON plan_versions
    FOR EACH ROW EXECUTE FUNCTION plan_versions_guard();
"""


def upgrade() -> None:
    """Add the trigger."""
    op.execute(GUARD)


def downgrade() -> None:
    """Take it away."""
    op.execute("DROP TRIGGER plan_versions_guard ON plan_versions")
    op.execute("DROP FUNCTION plan_versions_guard")
