"""Money: what is finalised never changes, entries sum to zero, numbers have no gap."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from broker.billing import invoice as invoices
from broker.billing.fee import set_operator_fee
from broker.billing.payout import payouts
from broker.domain.actor import OPERATOR, Actor
from broker.errors import ConflictError, InvalidFieldError, NotFoundError
from broker.store.billing import InvoiceCounterRow, JournalPostingRow

PRICE = {
    "currency": "EUR",
    "model": "unit",
    "metric": "records",
    "unit_amount": "0.01",
    "tax": {"mode": "exclusive", "percentage": "19"},
}
NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
END = "2026-02-01T00:00:00+01:00"


def billed(exchange: Any, *names: str, finalise: bool = True) -> list[Any]:
    """One invoice of 10.10 net for each subscription."""
    plan = exchange.plan(PRICE)
    for name in names:
        grid = exchange.subscribe(name, plan, "2026-01-01T00:00:00+01:00")
        exchange.deliver("2026-01-10T12:00:00+01:00", 1010, to=grid)
    made: list[Any] = exchange.close(END, finalise=finalise)
    return made


CHANGES = {
    "UPDATE invoices SET total_minor = total_minor + 1, net_minor = net_minor + 1": "never changes",
    "UPDATE invoices SET state = 'draft', number = NULL, sequence = NULL": "never changes",
    "DELETE FROM invoices": "never changes",
    "TRUNCATE invoices CASCADE": "append-only",
    "UPDATE invoice_lines SET amount = amount + 1": "its lines never change",
    "DELETE FROM invoice_lines": "its lines never change",
    "INSERT INTO invoice_lines SELECT id, 9, '', 1, 1 FROM invoices": "its lines never change",
    "TRUNCATE invoice_lines": "append-only",
    "UPDATE journal_entries SET currency = 'USD'": "append-only",
    "DELETE FROM journal_entries": "append-only",
    "UPDATE journal_postings SET amount_minor = -amount_minor": "append-only",
    "DELETE FROM journal_postings": "append-only",
    "TRUNCATE journal_entries CASCADE": "append-only",
    "UPDATE invoice_counters SET last = last + 1": "no invoice bears 2",
    "UPDATE invoice_counters SET last = last - 1": "rises by 1",
    "UPDATE invoice_counters SET year = 2027, last = last + 1": "rises by 1",
    "INSERT INTO invoice_counters VALUES ('grid', 2026, 1)": "no invoice bears 1",
    "INSERT INTO invoice_counters VALUES ('grid', 2026, 2)": "begins at 1",
    "DELETE FROM invoice_counters": "never removed",
    "TRUNCATE invoice_counters": "append-only",
    # Balanced, but an entry once made gets no further postings.
    """INSERT INTO journal_postings SELECT id, 8 + n, 'tax', 'grid', 5 - 10 * n
    FROM journal_entries, generate_series(0, 1) n""": "must have 4 postings, has 6",
}


def test_finalised_money_never_changes(exchange: Any) -> None:
    """PostgreSQL refuses every change of finalised invoices, their lines and the journal."""
    [before] = billed(exchange, "meter")
    for statement, rule in CHANGES.items():
        with pytest.raises(DBAPIError, match=rule), exchange.engine.begin() as connection:
            connection.execute(text(statement))
    with exchange.sessions() as session:
        assert invoices.get(session, before.id, visible_to=OPERATOR) == before


ISSUED = """UPDATE invoices SET state = 'finalised', number = 'X', year = 2026, sequence = {},
    finalised_at = created_at"""
COUNTED = "INSERT INTO invoice_counters VALUES ('windco', 2026, 1)"
UNBALANCED = {
    ISSUED.format(1): "was not given out",
    f"{COUNTED}; {ISSUED.format(2)}": "no invoice bears 1",
    f"{COUNTED}; {ISSUED.format(1)}": "does not stand in the journal",
    f"""{COUNTED}; {ISSUED.format(1)};
    INSERT INTO journal_entries SELECT 'x', 'invoice', id, created_at, currency, 2, 500, 2
    FROM invoices; INSERT INTO journal_postings VALUES ('x', 0, 'buyer', 'grid', 1),
    ('x', 1, 'seller', 'windco', -1)""": "does not stand in the journal",
    """INSERT INTO journal_entries SELECT 'x', 'invoice', id, created_at, currency, 2, 500, 2
    FROM invoices; INSERT INTO journal_postings VALUES ('x', 0, 'buyer', 'grid', 1202),
    ('x', 1, 'seller', 'windco', -1202)""": "is not issued",
    """INSERT INTO journal_entries SELECT 'x', 'invoice', id, created_at, currency, 2, 500, 1
    FROM invoices; INSERT INTO journal_postings VALUES ('x', 0, 'tax', 'grid', 1)""": "sum to 0",
    """INSERT INTO journal_entries SELECT 'x', 'invoice', id, created_at, currency, 2, 500, 4
    FROM invoices""": "must have 4 postings, has 0",
    """UPDATE invoices SET state = 'finalised', number = 'X', year = 2026, sequence = 1,
    finalised_at = created_at, total_minor = total_minor + 1, net_minor = net_minor + 1
    """: "lines do not add up",
    """INSERT INTO invoices SELECT (jsonb_populate_record(i, jsonb_build_object(
    'id', 'y', 'state', 'finalised'))).* FROM invoices i""": "must begin as a draft",
    "UPDATE invoices SET tax_minor = tax_minor + 1": "ck_invoices_sum",
}


def test_unbalanced_money_is_refused(exchange: Any) -> None:
    """An entry that is not zero or not whole; an invoice without its lines, number or entry."""
    billed(exchange, "meter", finalise=False)
    for statement, rule in UNBALANCED.items():
        with pytest.raises(DBAPIError, match=rule), exchange.engine.begin() as connection:
            connection.exec_driver_sql(statement)


def test_the_journal_of_an_invoice(exchange: Any) -> None:
    """Buyer, seller, operator fee and tax: 10.10 net, 5 % of it to the operator, 19 % tax."""
    [invoice] = billed(exchange, "meter")
    with exchange.sessions() as session:
        rows = session.scalars(select(JournalPostingRow)).all()
        owed = payouts(session)
    assert {(row.account, row.organisation): int(row.amount_minor) for row in rows} == {
        ("buyer", "grid"): 1202,
        ("seller", "windco"): -960,  # 10.10 less 0.505, half to even 0.50
        ("operator-fee", "windco"): -50,
        ("tax", "windco"): -192,
    }
    assert (invoice.net_minor, invoice.tax_minor, invoice.total_minor) == (1010, 192, 1202)
    [payout] = owed
    assert (payout.seller, payout.amount_minor, payout.invoices) == ("windco", 960, 1)


def test_the_operator_fee_is_a_setting(exchange: Any) -> None:
    """Invoices finalised after a change of the fee carry the new one."""
    with exchange.sessions.begin() as session:
        set_operator_fee(session, 0, by=OPERATOR, now=NOW)
    billed(exchange, "meter")
    with exchange.sessions.begin() as session:
        assert [payout.amount_minor for payout in payouts(session, "windco")] == [1010]
        assert payouts(session, "grid") == []
        with pytest.raises(InvalidFieldError, match="is 10001"):
            set_operator_fee(session, 10_001, by=OPERATOR, now=NOW)


def test_numbers_have_no_gap(exchange: Any) -> None:
    """Drafts finalised at once by several workers, one of which rolls back, are numbered 1 to n."""
    drafts = billed(exchange, *[f"meter{i}" for i in range(8)], finalise=False)
    assert {draft.number for draft in drafts} == {None}
    with exchange.sessions() as session:
        invoices.finalise(session, drafts[0].id, by=OPERATOR, now=NOW)
        session.rollback()
    barrier = threading.Barrier(4)

    def work(own: list[Any]) -> None:
        barrier.wait(30)
        for draft in own:
            with exchange.sessions.begin() as session:
                invoices.finalise(session, draft.id, by=OPERATOR, now=NOW)

    threads = [threading.Thread(target=work, args=(drafts[i::4],)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with exchange.sessions() as session:
        found = invoices.list_invoices(session, visible_to=OPERATOR)
        counter = session.get_one(InvoiceCounterRow, ("windco", 2026))
    assert sorted(one.number for one in found) == [f"WINDCO-2026-{i:06}" for i in range(1, 9)]
    assert counter.last == 8


def test_finalising_twice_changes_nothing(exchange: Any) -> None:
    """The second time answers the same invoice; the journal has one entry."""
    [draft] = billed(exchange, "meter", finalise=False)
    seller = Actor("token", "windco")
    with exchange.sessions.begin() as session:
        first = invoices.finalise(session, draft.id, by=seller, now=NOW)
    with exchange.sessions.begin() as session:
        assert invoices.finalise(session, draft.id, by=seller, now=NOW) == first
    with exchange.sessions() as session:
        assert session.scalars(select(JournalPostingRow.position)).all() == [0, 1, 2, 3]


def test_who_sees_an_invoice(exchange: Any) -> None:
    """Buyer, seller and operator see it, by id and number; to anyone else it does not exist."""
    [invoice] = billed(exchange, "meter")
    with exchange.sessions.begin() as session:
        for organisation in ("grid", "windco", None):
            actor = Actor("token", organisation)
            assert invoices.list_invoices(session, visible_to=actor) == [invoice]
            assert invoices.get(session, invoice.number, visible_to=actor) == invoice
        stranger = Actor("token", "stranger")
        assert invoices.list_invoices(session, visible_to=stranger) == []
        with pytest.raises(NotFoundError):
            invoices.get(session, invoice.id, visible_to=stranger)
        with pytest.raises(NotFoundError):
            invoices.finalise(session, invoice.id, by=stranger, now=NOW)


def test_the_buyer_does_not_finalise(exchange: Any) -> None:
    """Issuing is the seller's."""
    [draft] = billed(exchange, "meter", finalise=False)
    with exchange.sessions.begin() as session, pytest.raises(ConflictError, match="windco"):
        invoices.finalise(session, draft.id, by=Actor("token", "grid"), now=NOW)


def test_pages_of_invoices(exchange: Any) -> None:
    """Pages go on after the last of the page before; filters narrow them."""
    made = billed(exchange, "one", "two", "three")
    with exchange.sessions() as session:
        first = invoices.list_invoices(session, visible_to=OPERATOR, limit=2)
        after = (first[-1].created_at, first[-1].id)
        rest = invoices.list_invoices(session, visible_to=OPERATOR, after=after)
        only = invoices.list_invoices(session, visible_to=OPERATOR, subscription="grid/two")
        drafts = invoices.list_invoices(session, visible_to=OPERATOR, state="draft")
    assert sorted(one.id for one in [*first, *rest]) == sorted(one.id for one in made)
    assert [one.subscription for one in only] == ["grid/two"]
    assert drafts == []
