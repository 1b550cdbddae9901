"""Numbers have no gap, and every invoice stands in the journal, whoever writes them.

Checked when the transaction commits: counter, invoice and entry arrive one after the other.
"""

from alembic import op

revision = "0010_numbers_guard"
down_revision = "0009_close_progress"
branch_labels = None
depends_on = None

COUNTERS = """
CREATE FUNCTION invoice_counters_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'counter of % in %: is never removed', OLD.seller, OLD.year;
    END IF;
    IF TG_OP = 'INSERT' AND NEW.last <> 1 OR TG_OP = 'UPDATE'
        AND (NEW.seller, NEW.year, NEW.last) <> (OLD.seller, OLD.year, OLD.last + 1)
    THEN
        RAISE EXCEPTION 'counter of % in %: begins at 1 and rises by 1', NEW.seller, NEW.year;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER invoice_counters_guard BEFORE INSERT OR UPDATE OR DELETE ON invoice_counters
    FOR EACH ROW EXECUTE FUNCTION invoice_counters_guard();
CREATE TRIGGER append_only BEFORE TRUNCATE ON invoice_counters
    FOR EACH STATEMENT EXECUTE FUNCTION money_append_only();

CREATE FUNCTION invoice_counters_borne() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM invoices
        WHERE seller = NEW.seller AND year = NEW.year AND sequence = NEW.last
    ) THEN
        RAISE EXCEPTION 'counter of % in %: no invoice bears %', NEW.seller, NEW.year, NEW.last;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER invoice_counters_borne AFTER INSERT OR UPDATE ON invoice_counters
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION invoice_counters_borne();
"""

BOOKED = """
CREATE FUNCTION invoices_booked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM invoice_counters
        WHERE seller = NEW.seller AND year = NEW.year AND last >= NEW.sequence
    ) THEN
        RAISE EXCEPTION 'invoice %: its number % was not given out', NEW.id, NEW.sequence;
    END IF;
    IF NOT EXISTS (
        SELECT FROM journal_entries e JOIN journal_postings p ON p.entry = e.id
        WHERE e.invoice = NEW.id AND e.currency = NEW.currency
            AND e.minor_digits = NEW.minor_digits AND p.account = 'buyer'
            AND p.organisation = NEW.buyer AND p.amount_minor = NEW.total_minor
    ) THEN
        RAISE EXCEPTION 'invoice %: its total does not stand in the journal', NEW.id;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER invoices_booked AFTER UPDATE ON invoices
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.state = 'finalised') EXECUTE FUNCTION invoices_booked();

CREATE FUNCTION journal_of_issued() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM invoices WHERE id = NEW.invoice AND state = 'finalised') THEN
        RAISE EXCEPTION 'journal entry %: its invoice % is not issued', NEW.id, NEW.invoice;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER journal_of_issued AFTER INSERT ON journal_entries
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION journal_of_issued();
"""


def upgrade() -> None:
    """Add the triggers; what was written before stays as it is."""
    for statements in (COUNTERS, BOOKED):
        op.execute(statements)


def downgrade() -> None:
    """Take them away."""
    for trigger, table in (
        ("journal_of_issued", "journal_entries"),
        ("invoices_booked", "invoices"),
        ("invoice_counters_borne", "invoice_counters"),
        ("append_only", "invoice_counters"),
        ("invoice_counters_guard", "invoice_counters"),
    ):
        op.execute(f"DROP TRIGGER {trigger} ON {table}")
    for function in (
        *("journal_of_issued", "invoices_booked"),
        *("invoice_counters_borne", "invoice_counters_guard"),
    ):
        op.execute(f"DROP FUNCTION {function}")
