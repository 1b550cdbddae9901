"""Tables of broker/store/billing.py, and the triggers that keep what is finalised as it is."""

from alembic import op

revision = "0004_billing"
down_revision = "0003_ledger"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE billing_settings (
    id SMALLINT NOT NULL,
    operator_fee_basis_points INTEGER NOT NULL,
    CONSTRAINT pk_billing_settings PRIMARY KEY (id),
    CONSTRAINT ck_billing_settings_one_row CHECK (id = 1),
    CONSTRAINT ck_billing_settings_fee
        CHECK (operator_fee_basis_points BETWEEN 0 AND 10000)
);
CREATE TABLE period_closes (
    product TEXT NOT NULL,
    end_ms BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    finalise BOOLEAN NOT NULL,
    requested_at TIMESTAMP WITH TIME ZONE NOT NULL,
    requested_by TEXT NOT NULL,
    settled_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_period_closes PRIMARY KEY (product, end_ms),
    CONSTRAINT fk_period_closes_product FOREIGN KEY(product) REFERENCES products (id),
    CONSTRAINT fk_period_closes_seq FOREIGN KEY(seq) REFERENCES control_events (seq)
);
CREATE TABLE invoices (
    id TEXT NOT NULL,
    state TEXT NOT NULL,
    seller TEXT NOT NULL,
    buyer TEXT NOT NULL,
    product TEXT NOT NULL,
    subscription TEXT NOT NULL,
    plan TEXT NOT NULL,
    plan_version INTEGER NOT NULL,
    pinned_at_ms BIGINT NOT NULL,
    period_first_ms BIGINT NOT NULL,
    period_end_ms BIGINT NOT NULL,
    billed_first_ms BIGINT NOT NULL,
    through_ms BIGINT NOT NULL,
    final BOOLEAN NOT NULL,
    records BIGINT NOT NULL,
    billed_bytes BIGINT NOT NULL,
    currency TEXT NOT NULL,
    minor_digits SMALLINT NOT NULL,
    subtotal_minor NUMERIC NOT NULL,
    net_minor NUMERIC NOT NULL,
    tax_minor NUMERIC NOT NULL,
    total_minor NUMERIC NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    year INTEGER,
    sequence INTEGER,
    number TEXT,
    finalised_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_invoices PRIMARY KEY (id),
    CONSTRAINT fk_invoices_plan_plan_version FOREIGN KEY(plan, plan_version)
        REFERENCES plan_versions (plan, number),
    CONSTRAINT uq_invoices_period
        UNIQUE (subscription, pinned_at_ms, period_first_ms, through_ms, final),
    CONSTRAINT uq_invoices_seller_year_sequence UNIQUE (seller, year, sequence),
    CONSTRAINT ck_invoices_state CHECK (state IN ('draft', 'finalised')),
    CONSTRAINT ck_invoices_sum CHECK (net_minor + tax_minor = total_minor),
    CONSTRAINT ck_invoices_range CHECK (billed_first_ms <= through_ms),
    CONSTRAINT ck_invoices_numbered CHECK (
        (state = 'finalised') = (year IS NOT NULL AND sequence IS NOT NULL
        AND number IS NOT NULL AND finalised_at IS NOT NULL)
    ),
    CONSTRAINT fk_invoices_seller FOREIGN KEY(seller) REFERENCES organisations (id),
    CONSTRAINT fk_invoices_buyer FOREIGN KEY(buyer) REFERENCES organisations (id),
    CONSTRAINT fk_invoices_product FOREIGN KEY(product) REFERENCES products (id),
    CONSTRAINT fk_invoices_subscription FOREIGN KEY(subscription) REFERENCES subscriptions (id)
);
CREATE INDEX ix_invoices_buyer ON invoices (buyer);
CREATE INDEX ix_invoices_created_at_id ON invoices (created_at, id);
CREATE INDEX ix_invoices_product ON invoices (product);
CREATE INDEX ix_invoices_seller ON invoices (seller);
CREATE TABLE invoice_lines (
    invoice TEXT NOT NULL,
    position INTEGER NOT NULL,
    description TEXT NOT NULL,
    quantity NUMERIC NOT NULL,
    amount NUMERIC NOT NULL,
    CONSTRAINT pk_invoice_lines PRIMARY KEY (invoice, position),
    CONSTRAINT fk_invoice_lines_invoice FOREIGN KEY(invoice) REFERENCES invoices (id)
);
CREATE TABLE invoice_counters (
    seller TEXT NOT NULL,
    year INTEGER NOT NULL,
    last INTEGER NOT NULL,
    CONSTRAINT pk_invoice_counters PRIMARY KEY (seller, year),
    CONSTRAINT fk_invoice_counters_seller FOREIGN KEY(seller) REFERENCES organisations (id)
);
CREATE TABLE journal_entries (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    invoice TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    currency TEXT NOT NULL,
    minor_digits SMALLINT NOT NULL,
    operator_fee_basis_points INTEGER NOT NULL,
    posting_count INTEGER NOT NULL,
    CONSTRAINT pk_journal_entries PRIMARY KEY (id),
    CONSTRAINT uq_journal_entries_invoice UNIQUE (invoice),
    CONSTRAINT fk_journal_entries_invoice FOREIGN KEY(invoice) REFERENCES invoices (id)
);
CREATE TABLE journal_postings (
    entry TEXT NOT NULL,
    position INTEGER NOT NULL,
    account TEXT NOT NULL,
    organisation TEXT NOT NULL,
    amount_minor NUMERIC NOT NULL,
    CONSTRAINT pk_journal_postings PRIMARY KEY (entry, position),
    CONSTRAINT ck_journal_postings_account
        CHECK (account IN ('buyer', 'seller', 'operator-fee', 'tax')),
    CONSTRAINT fk_journal_postings_entry FOREIGN KEY(entry) REFERENCES journal_entries (id),
    CONSTRAINT fk_journal_postings_organisation FOREIGN KEY(organisation)
        REFERENCES organisations (id)
);
CREATE INDEX ix_journal_postings_account_organisation ON journal_postings (account, organisation);
"""

# Drafts may change; finalising is the last change, and only of a sum that its lines confirm.
INVOICES = """
CREATE FUNCTION invoices_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'draft' THEN
            RAISE EXCEPTION 'invoice %: must begin as a draft', NEW.id;
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.state = 'finalised' THEN
        RAISE EXCEPTION 'invoice %: is finalised and never changes', OLD.id;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    IF NEW.id <> OLD.id THEN
        RAISE EXCEPTION 'invoice %: keeps its id', OLD.id;
    END IF;
    IF NEW.state = 'finalised' AND NEW.total_minor <> (
        SELECT coalesce(sum(amount), 0) * (10::numeric ^ NEW.minor_digits)
        FROM invoice_lines WHERE invoice = NEW.id
    ) THEN
        RAISE EXCEPTION 'invoice %: its lines do not add up to its total', NEW.id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER invoices_guard BEFORE INSERT OR UPDATE OR DELETE ON invoices
    FOR EACH ROW EXECUTE FUNCTION invoices_guard();

CREATE FUNCTION invoice_lines_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    finalised text;
BEGIN
    -- The lock makes a line and the finalising of its invoice wait for each other.
    PERFORM 1 FROM invoices WHERE id IN (OLD.invoice, NEW.invoice) FOR SHARE;
    SELECT id INTO finalised FROM invoices
        WHERE id IN (OLD.invoice, NEW.invoice) AND state = 'finalised';
    IF FOUND THEN
        RAISE EXCEPTION 'invoice %: is finalised, its lines never change', finalised;
    END IF;
    RETURN coalesce(NEW, OLD);
END $$;
CREATE TRIGGER invoice_lines_guard BEFORE INSERT OR UPDATE OR DELETE ON invoice_lines
    FOR EACH ROW EXECUTE FUNCTION invoice_lines_guard();
"""

# Checked when the transaction commits: its postings arrive one after the other.
JOURNAL = """
CREATE FUNCTION journal_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    checked text := coalesce(to_jsonb(NEW) ->> 'entry', to_jsonb(NEW) ->> 'id');
    rest numeric;
    wanted integer;
    found bigint;
BEGIN
    SELECT coalesce(sum(p.amount_minor), 0), e.posting_count, count(p.entry)
        INTO rest, wanted, found
        FROM journal_entries e LEFT JOIN journal_postings p ON p.entry = e.id
        WHERE e.id = checked GROUP BY e.id, e.posting_count;
    IF rest <> 0 THEN
        RAISE EXCEPTION 'journal entry %: its postings must sum to 0, sum to %', checked, rest;
    END IF;
    IF found <> wanted THEN
        RAISE EXCEPTION 'journal entry %: must have % postings, has %', checked, wanted, found;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER journal_balanced AFTER INSERT ON journal_postings
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION journal_balanced();
CREATE CONSTRAINT TRIGGER journal_balanced AFTER INSERT ON journal_entries
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION journal_balanced();
"""

# Corrections are entries and notes of their own.
APPEND_ONLY = """
CREATE FUNCTION money_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%: is append-only, % is refused', TG_TABLE_NAME, TG_OP;
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_entries
    FOR EACH STATEMENT EXECUTE FUNCTION money_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_postings
    FOR EACH STATEMENT EXECUTE FUNCTION money_append_only();
CREATE TRIGGER append_only BEFORE TRUNCATE ON invoices
    FOR EACH STATEMENT EXECUTE FUNCTION money_append_only();
CREATE TRIGGER append_only BEFORE TRUNCATE ON invoice_lines
    FOR EACH STATEMENT EXECUTE FUNCTION money_append_only();
"""

SETTINGS = "INSERT INTO billing_settings (id, operator_fee_basis_points) VALUES (1, 500)"


def upgrade() -> None:
    """Add the tables of billing."""
    for statements in (TABLES, INVOICES, JOURNAL, APPEND_ONLY, SETTINGS):
        op.execute(statements)
