"""What is due is found by an index, not by looking at every subscription."""

from alembic import op

revision = "0007_billing_due"
down_revision = "0006_outlet_topics"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE billing_due (
    subscription TEXT NOT NULL,
    product TEXT NOT NULL,
    look_ms BIGINT,
    due_ms BIGINT,
    known_first_ms BIGINT NOT NULL DEFAULT 0,
    known_end_ms BIGINT NOT NULL DEFAULT 0,
    CONSTRAINT pk_billing_due PRIMARY KEY (subscription)
);
CREATE INDEX ix_billing_due_look ON billing_due (look_ms, subscription);
CREATE INDEX ix_billing_due_due ON billing_due (product, due_ms) WHERE due_ms IS NOT NULL;
CREATE TABLE billing_news (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    subscription TEXT NOT NULL,
    CONSTRAINT pk_billing_news PRIMARY KEY (id)
);
"""

# Both only insert: they lock no row that another transaction could wait for.
NEWS = """
CREATE FUNCTION billing_news_of_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO billing_news (subscription) VALUES (NEW.subscription);
    RETURN NULL;
END $$;
CREATE TRIGGER billing_news AFTER INSERT ON subscription_history
    FOR EACH ROW EXECUTE FUNCTION billing_news_of_history();

CREATE FUNCTION billing_news_of_usage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO billing_news (subscription) SELECT NEW.subscription WHERE NOT EXISTS (
        SELECT FROM billing_due known WHERE known.subscription = NEW.subscription
            AND NEW.billing_first_ms >= known.known_first_ms
            AND NEW.billing_first_ms < known.known_end_ms
    );
    RETURN NULL;
END $$;
CREATE TRIGGER billing_news AFTER INSERT ON usage
    FOR EACH ROW EXECUTE FUNCTION billing_news_of_usage();
"""

EVERY_SUBSCRIPTION = """
INSERT INTO billing_news (subscription)
    SELECT id FROM subscriptions WHERE activated_at IS NOT NULL ORDER BY id
"""


def upgrade() -> None:
    """Add the tables and what tells them of news; each subscription is looked at once."""
    for statements in (TABLES, NEWS, EVERY_SUBSCRIPTION):
        op.execute(statements)


def downgrade() -> None:
    """Take them away."""
    for table in ("usage", "subscription_history"):
        op.execute(f"DROP TRIGGER billing_news ON {table}")
    for function in ("billing_news_of_usage", "billing_news_of_history"):
        op.execute(f"DROP FUNCTION {function}")
    op.drop_table("billing_news")
    op.drop_table("billing_due")
