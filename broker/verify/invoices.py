"""Invoices: every bill again, from what was metered, with the recount's own rating.

prepare: where bills begin and end ▶ (walks fill the spending) ▶ recount: invoice by invoice
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Engine

from broker.verify import bills, journal, statement
from broker.verify.control import History
from broker.verify.findings import Findings
from broker.verify.owed import Close, Owed, overdue, owed
from broker.verify.report import Amount, Difference, Unbilled
from broker.verify.rules import Subscription
from broker.verify.spending import Spending
from broker.verify.statement import Invoice, shown
from broker.verify.terms import Term, pins_of, terms_of
from broker.verify.walk import Walk


@dataclass(frozen=True, slots=True)
class Money:
    """The recount of invoices and journal. `whole`: of all products, so that numbers are too.

    `now_ms`: by the clock, to tell what is late.
    """

    engine: Engine
    history: History
    spending: Spending
    findings: Findings
    products: tuple[str, ...]
    whole: bool
    now_ms: int
    closes: dict[str, list[Close]] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)
    invoiced: list[str] = field(default_factory=list)

    def prepare(self) -> None:
        """Say where usage must be kept apart: before the first segment is read.

        Invoices made from now on are not recounted: what they bill may stand past the ends of the
        topics as they are read.
        """
        self.invoiced.extend(bills.billed_subscriptions(self.engine))
        for product in self.products:
            self.closes[product] = closes = bills.settled(self.engine, product)
            for member in self.history.members(product):
                moments = {close.end_ms for close in closes} | {pin.at_ms for pin in member.pins}
                for invoice, bounds in bills.bounds_of(self.engine, member.id):
                    self.made.add(invoice)
                    moments.update(bounds)
                anchor_ms, length_ms = member.period_anchor_ms, member.period_length_ms
                fixed = None if anchor_ms is None or not length_ms else (anchor_ms, length_ms)
                self.spending.cut_all(member.id, moments, fixed)

    def recount(self, walks: Sequence[Walk]) -> dict[str, tuple[Amount, ...]]:
        """Check every invoice of the products; gives the invoices by subscription."""
        amounts = {}
        for product in self.products:
            of_product = [walk for walk in walks if walk.place.product == product]
            for member in self.history.members(product):
                amounts[member.id] = self._subscription(member, of_product)
        if self.whole:
            self._numbers()
            self._strangers()
        return amounts

    def _subscription(self, member: Subscription, walks: Sequence[Walk]) -> tuple[Amount, ...]:
        versions = bills.versions_of(self.engine, [(p.plan, p.version) for p in member.pins])
        lacking = [p for p in pins_of(member) if (p.plan, p.version) not in versions]
        if lacking:
            pin = lacking[0]
            self._differ(member, f"PostgreSQL lacks plan {pin.plan} version {pin.version}")
            return ()
        terms = terms_of(member, versions, bills.billed_ms_of(self.engine, member.id))
        amounts: list[Amount] = []
        before: Invoice | None = None
        reached_ms = 0
        last: dict[tuple[int, int], Invoice] = {}
        named: list[tuple[int, int]] = []
        for invoice, entries in bills.invoices_of(self.engine, member.id):
            if invoice.id not in self.made:
                continue
            term = next((t for t in terms if t.pin.at_ms == invoice.pinned_at_ms), None)
            if before is not None and _key(before) != _key(invoice):
                before = None
            for fault in self._faults(invoice, before, term, member, walks):
                self._differ(member, f"invoice {invoice.name} {fault}", invoice)
            for fault in journal.faults(invoice, entries):
                self._differ(member, f"invoice {invoice.name} {fault}", invoice, "journal")
            if self._unbilled(member, reached_ms, invoice.billed_first_ms):
                named.append((reached_ms, invoice.billed_first_ms))
            reached_ms = max(reached_ms, invoice.through_ms)
            before = last[_key(invoice)] = invoice
            amounts.append(
                Amount(
                    invoice=invoice.name,
                    total_minor=int(invoice.total_minor),
                    currency=invoice.currency,
                )
            )
        self._owed(member, terms, last, named)
        return tuple(amounts)

    def _faults(
        self,
        invoice: Invoice,
        before: Invoice | None,
        term: Term | None,
        member: Subscription,
        walks: Sequence[Walk],
    ) -> list[str]:
        if term is None or (term.pin.plan, term.pin.version) != (
            invoice.plan,
            invoice.plan_version,
        ):
            plan = f"{invoice.plan} version {invoice.plan_version}"
            return [f"names plan {plan}, which no control event pinned at {invoice.pinned_at_ms}"]
        found = list(statement.faults(invoice, before, term, member, self.spending))
        parties = (member.product.partition("/")[0], member.id.partition("/")[0], member.product)
        if (invoice.seller, invoice.buyer, invoice.product) != parties:
            found.append("names another seller, buyer or product than the subscription's")
        found += self._unproven(invoice, walks)
        return found

    def _unproven(self, invoice: Invoice, walks: Sequence[Walk]) -> list[str]:
        """Partitions that have not proven that billing time has reached the invoice's end."""
        seq = self.history.closed_seq(invoice.product, invoice.through_ms)
        if seq is None:
            return [f"bills up to {invoice.through_ms}, which no control event closes"]
        return [
            f"is not proven: partition {walk.place.partition} stands at control seq "
            f"{walk.link.seq} and billing time {walk.link.watermark_ms}, it needs {seq} and "
            f"{invoice.through_ms}"
            for walk in walks
            if walk.source is not None
            and (walk.link.seq < seq or walk.link.watermark_ms < invoice.through_ms)
        ]

    def _unbilled(self, member: Subscription, first_ms: int, end_ms: int) -> bool:
        """Name usage between two invoices that neither of them bills."""
        records = sum(one.records for one in self.spending.between(member.id, first_ms, end_ms))
        if records:
            self._differ(
                member,
                f"{records} records metered in billing time [{first_ms}, {end_ms}) are on no "
                "invoice although the period is closed",
            )
        return bool(records)

    def _owed(
        self,
        member: Subscription,
        terms: Sequence[Term],
        last: Mapping[tuple[int, int], Invoice],
        named: Sequence[tuple[int, int]],
    ) -> None:
        """Name bills that nobody has made, unless their usage was named already."""
        due: set[tuple[int, int]] = set()
        for one in owed(member, terms, self.closes[member.product], last, self.spending):
            due.add((one.term.pin.at_ms, one.period.first_ms))
            within = (first < one.through_ms and one.first_ms < end for first, end in named)
            if one.records and any(within):
                continue
            amount = f"{shown(one.bill.total)} {one.term.version.price['currency']}"
            span = f"billing time [{one.first_ms}, {one.through_ms})"
            what = f"nothing was metered in {span} and it is on no"
            if one.records:
                what = f"{one.records} records metered in {span} are on no"
            self._differ(
                member,
                f"{what} invoice although the period is closed: {amount} under plan "
                f"{one.term.pin.plan} version {one.term.pin.version}",
                period_ms=(one.first_ms, one.through_ms),
            )

        for one in overdue(member, terms, last, self.spending, now_ms=self.now_ms):
            if (one.term.pin.at_ms, one.period.first_ms) not in due:
                self.findings.late(_late(member, one))

    def _strangers(self) -> None:
        """Invoices of subscriptions that the control log never activated."""
        known = {m.id for product in self.products for m in self.history.members(product)}
        for subscription in self.invoiced:
            if subscription not in known:
                what = "is billed, but the control log never activated it"
                self.findings.differ(
                    Difference(store="billing", what=what, subscription=subscription)
                )

    def _numbers(self) -> None:
        for seller, year, count, first, last, counter in bills.numbering(self.engine):
            if not (first == 1 and last == counter == count):
                what = (
                    f"invoice numbers of {seller} in {year} are not gapless: {count} from {first} "
                    f"to {last}, the counter is at {counter}"
                )
                self.findings.differ(Difference(store="billing", what=what))
        for entry, total in bills.unbalanced(self.engine):
            what = f"journal entry {entry} sums to {total}, not to zero"
            self.findings.differ(Difference(store="journal", what=what))
        for what in bills.strays(self.engine):
            self.findings.differ(Difference(store="journal", what=what))

    def _differ(
        self,
        member: Subscription,
        what: str,
        invoice: Invoice | None = None,
        store: str = "billing",
        *,
        period_ms: tuple[int, int] | None = None,
    ) -> None:
        self.findings.differ(
            Difference(
                store=store,
                what=what,
                product=member.product,
                subscription=member.id,
                period_ms=period_ms
                if invoice is None
                else (invoice.period_first_ms, invoice.through_ms),
            )
        )


def _late(member: Subscription, one: Owed) -> Unbilled:
    pin = one.term.pin
    return Unbilled(
        product=member.product,
        subscription=member.id,
        plan=f"plan {pin.plan} version {pin.version}",
        first_ms=max(one.first_ms, one.period.first_ms),
        end_ms=one.through_ms,
        records=one.records,
        amount=shown(one.bill.total),
        currency=one.term.version.price["currency"],
    )


def _key(invoice: Invoice) -> tuple[int, int]:
    return invoice.pinned_at_ms, invoice.period_first_ms
