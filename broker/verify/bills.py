"""Bills: billing's tables in PostgreSQL, read a page at a time."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Engine, func, select

from broker.store.billing import (
    InvoiceCounterRow,
    InvoiceLineRow,
    InvoiceRow,
    JournalEntryRow,
    JournalPostingRow,
    PeriodCloseRow,
)
from broker.store.control import PlanVersionRow
from broker.verify.journal import Entry
from broker.verify.owed import Close
from broker.verify.statement import Invoice
from broker.verify.terms import Version

_PAGE_ROWS = 200
_FIELDS = tuple(name for name in Invoice.__dataclass_fields__ if name != "lines")


def invoices_of(engine: Engine, subscription: str) -> Iterator[tuple[Invoice, list[Entry]]]:
    """Invoices of a subscription with their journal entries, by plan version, period and time."""
    table = InvoiceRow.__table__.c
    order = (table.pinned_at_ms, table.period_first_ms, table.through_ms, table.final, table.id)
    query = (
        select(*(table[name] for name in _FIELDS))
        .where(table.subscription == subscription)
        .order_by(*order)
    )
    for page in _pages(engine, query):
        ids = [row.id for row in page]
        lines = _lines(engine, ids)
        entries = _entries(engine, ids)
        for row in page:
            fields = dict(zip(_FIELDS, row, strict=True))
            yield Invoice(**fields, lines=tuple(lines[row.id])), entries[row.id]


def billed_subscriptions(engine: Engine) -> list[str]:
    """Every subscription that has an invoice."""
    query = select(InvoiceRow.subscription).distinct().order_by(InvoiceRow.subscription)
    with engine.connect() as connection:
        return list(connection.scalars(query))


def bounds_of(engine: Engine, subscription: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Of each invoice: its id; from when, up to when, and its period's first moment and end."""
    table = InvoiceRow
    bounds = (table.billed_first_ms, table.through_ms, table.period_first_ms, table.period_end_ms)
    query = select(table.id, *bounds).where(table.subscription == subscription).order_by(table.id)
    for page in _pages(engine, query):
        yield from ((row[0], tuple(row[1:])) for row in page)


def billed_ms_of(engine: Engine, subscription: str) -> dict[int, int]:
    """How far each pin was billed, by the moment it was pinned."""
    query = (
        select(InvoiceRow.pinned_at_ms, func.max(InvoiceRow.through_ms))
        .where(InvoiceRow.subscription == subscription)
        .group_by(InvoiceRow.pinned_at_ms)
    )
    with engine.connect() as connection:
        return {int(pinned): int(through) for pinned, through in connection.execute(query)}


def versions_of(
    engine: Engine, pinned: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], Version]:
    """The plan versions that there are of those pinned."""
    found = {}
    with engine.connect() as connection:
        for plan, number in set(pinned):
            query = select(PlanVersionRow.price, PlanVersionRow.period).where(
                PlanVersionRow.plan == plan, PlanVersionRow.number == number
            )
            row = connection.execute(query).one_or_none()
            if row is not None:
                found[plan, number] = Version(row.price, row.period)
    return found


def settled(engine: Engine, product: str) -> list[Close]:
    """Of the closes that were billed, the one that reaches furthest; and of the interim ones."""
    table = PeriodCloseRow
    billed = (
        select(table.end_ms, table.seq, table.interim)
        .where(table.product == product, table.settled_at.is_not(None))
        .order_by(table.end_ms.desc())
        .limit(1)
    )
    with engine.connect() as connection:
        rows = [
            *connection.execute(billed).all(),
            *connection.execute(billed.where(table.interim)).all(),
        ]
    return list(dict.fromkeys(Close(row.end_ms, row.seq, row.interim) for row in rows))


def numbering(engine: Engine) -> Iterator[tuple[str, int, int, int, int, int]]:
    """Seller, year, how many numbers, the first, the last, and what the counter says."""
    table = InvoiceRow
    counter = InvoiceCounterRow
    used = (
        select(
            table.seller,
            table.year,
            func.count().label("numbers"),
            func.min(table.sequence).label("first"),
            func.max(table.sequence).label("last"),
        )
        .where(table.sequence.is_not(None))
        .group_by(table.seller, table.year)
        .subquery()
    )
    query = select(
        counter.seller,
        counter.year,
        func.coalesce(used.c.numbers, 0),
        func.coalesce(used.c.first, 0),
        func.coalesce(used.c.last, 0),
        counter.last,
    ).outerjoin_from(
        counter, used, (used.c.seller == counter.seller) & (used.c.year == counter.year)
    )
    with engine.connect() as connection:
        yield from (tuple(row) for row in connection.execute(query).all())


def unbalanced(engine: Engine) -> list[tuple[str, Any]]:
    """Journal entries whose postings do not sum to zero, at most 100."""
    total = func.sum(JournalPostingRow.amount_minor)
    query = (
        select(JournalPostingRow.entry, total)
        .group_by(JournalPostingRow.entry)
        .having(total != 0)
        .limit(100)
    )
    with engine.connect() as connection:
        return [(row[0], row[1]) for row in connection.execute(query)]


def strays(engine: Engine) -> Iterator[str]:
    """Entries of no invoice, and postings of no entry; at most 100 of each."""
    entry, posting = JournalEntryRow, JournalPostingRow
    invoiced = select(InvoiceRow.id).where(InvoiceRow.id == entry.invoice).exists()
    entered = select(entry.id).where(entry.id == posting.entry).exists()
    with engine.connect() as connection:
        for name, invoice in connection.execute(
            select(entry.id, entry.invoice).where(~invoiced).order_by(entry.id).limit(100)
        ):
            yield f"journal entry {name} is of invoice {invoice}, which is not there"
        for (name,) in connection.execute(
            select(posting.entry).where(~entered).distinct().order_by(posting.entry).limit(100)
        ):
            yield f"postings name journal entry {name}, which is not there"


def _pages(engine: Engine, query: Any) -> Iterator[Sequence[Any]]:
    with engine.connect() as connection:
        yield from connection.execution_options(yield_per=_PAGE_ROWS).execute(query).partitions()


def _lines(engine: Engine, ids: Sequence[str]) -> dict[str, list[Any]]:
    table = InvoiceLineRow
    query = (
        select(table.invoice, table.description, table.quantity, table.amount)
        .where(table.invoice.in_(ids))
        .order_by(table.invoice, table.position)
    )
    lines: dict[str, list[Any]] = defaultdict(list)
    with engine.connect() as connection:
        for invoice, description, quantity, amount in connection.execute(query):
            lines[invoice].append((description, quantity, amount))
    return lines


def _entries(engine: Engine, ids: Sequence[str]) -> dict[str, list[Entry]]:
    posting = JournalPostingRow
    entry = JournalEntryRow
    names = tuple(name for name in Entry.__dataclass_fields__ if name != "postings")
    with engine.connect() as connection:
        rows = connection.execute(
            select(*(entry.__table__.c[name] for name in names)).where(entry.invoice.in_(ids))
        ).all()
        postings: dict[str, list[Any]] = defaultdict(list)
        query = (
            select(posting.entry, posting.account, posting.organisation, posting.amount_minor)
            .where(posting.entry.in_([row.id for row in rows]))
            .order_by(posting.entry, posting.position)
        )
        for entry_id, *rest in connection.execute(query):
            postings[entry_id].append(tuple(rest))
    entries: dict[str, list[Entry]] = defaultdict(list)
    for row in rows:
        fields = dict(zip(names, row, strict=True))
        entries[row.invoice].append(Entry(**fields, postings=tuple(postings[row.id])))
    return entries
