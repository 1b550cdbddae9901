"""Journal: every finalised invoice has one entry, which sums to zero and says the same.

buyer +(N + X)    seller -(N - F)    operator-fee -F    tax -X       F = N * basis points
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from broker.verify.statement import Invoice

BASIS_POINTS = 10_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of `journal_entries` with its postings: account, organisation, minor units."""

    id: str
    kind: str
    invoice: str
    currency: str
    minor_digits: int
    operator_fee_basis_points: int
    posting_count: int
    postings: tuple[tuple[str, str, Decimal], ...]


def faults(invoice: Invoice, entries: Sequence[Entry]) -> Iterator[str]:
    """Where the journal does not say what the invoice says."""
    wanted = 1 if invoice.state == "finalised" else 0
    if len(entries) != wanted:
        yield f"has {len(entries)} journal entries, it should have {wanted}"
    for entry in entries:
        total = sum((amount for _, _, amount in entry.postings), Decimal(0))
        if total:
            yield f"journal entry {entry.id} sums to {total}, not to zero"
        if entry.currency != invoice.currency:
            yield f"journal entry {entry.id} is in {entry.currency}"
        if entry.minor_digits != invoice.minor_digits:
            yield (
                f"journal entry {entry.id} counts {entry.minor_digits} minor digits, the invoice "
                f"{invoice.minor_digits}"
            )
        if entry.kind != "invoice":
            yield f"journal entry {entry.id} is of kind {entry.kind}, it should be invoice"
        if len(entry.postings) != entry.posting_count:
            yield (
                f"journal entry {entry.id} has {len(entry.postings)} postings, it was written "
                f"with {entry.posting_count}"
            )
        yield from _posting_faults(invoice, entry)


def _posting_faults(invoice: Invoice, entry: Entry) -> Iterator[str]:
    net, tax = Fraction(invoice.net_minor), Fraction(invoice.tax_minor)
    fee = round(net * entry.operator_fee_basis_points / BASIS_POINTS)
    due = {
        ("buyer", invoice.buyer): net + tax,
        ("seller", invoice.seller): fee - net,
        ("operator-fee", invoice.seller): Fraction(-fee),
        ("tax", invoice.seller): -tax,
    }
    posted: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for account, organisation, amount in entry.postings:
        posted[account, organisation] += amount
    for key in sorted({*due, *posted}):
        said, should = Fraction(posted.get(key, Decimal(0))), due.get(key, Fraction(0))
        if said != should:
            account, organisation = key
            yield (
                f"journal entry {entry.id} posts {said} to {account} of {organisation}, it should "
                f"{should}"
            )
