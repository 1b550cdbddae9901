"""Control: the recount's own fold of `weir.control`: what held at each seq.

    lines in seq order ──▶ History ──rules(product, seq)──▶ Rules

Keeps a timeline a subject, product and subscription instead of a policy a seq, so that memory grows
with the events, not with their square.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from broker.verify.decode import ControlLine
from broker.verify.rules import Pin, Rules, SchemaState, Settings, Subscription, Timeline

_STOPPING = {
    "SubscriptionSuspended",
    "SubscriptionRevoked",
    "SubscriptionExpired",
}
_ENDING = {"SubscriptionRevoked", "SubscriptionExpired"}


class History:
    """The control log, folded. `faults`: (seq, what) that the fold could not make sense of."""

    def __init__(self) -> None:
        self.last_seq = 0
        self.faults: list[tuple[int, str]] = []
        self.subscriptions: dict[str, Subscription] = {}
        self._products: dict[str, Timeline[Settings]] = {}
        self._schemas: dict[str, dict[int, Timeline[SchemaState]]] = {}
        self._first_seen: Timeline[int] = Timeline()
        self._members: dict[str, list[str]] = {}
        self.rules = lru_cache(maxsize=512)(self._rules)

    def products(self) -> dict[str, Settings]:
        """Every product, as it is at the end of the log."""
        return {name: line.values[-1] for name, line in sorted(self._products.items())}

    def members(self, product: str) -> list[Subscription]:
        """Every subscription that a product ever had, by id."""
        return [self.subscriptions[name] for name in sorted(self._members.get(product, ()))]

    def stopped_seq(self, subscription: str) -> int | None:
        """The event that stopped it; None while it is active."""
        active = self.subscriptions[subscription].active
        return None if active.values[-1] else active.seqs[-1]

    def closed_seq(self, product: str, end_ms: int) -> int | None:
        """The first event that asks to close a product's billing time at or past `end_ms`."""
        timeline = self._products[product]
        for seq, settings in zip(timeline.seqs, timeline.values, strict=True):
            if settings.closing_end_ms >= end_ms:
                return seq
        return None

    def apply(self, line: ControlLine) -> None:
        """Fold in the next line; lines come in seq order."""
        self.last_seq = line.seq
        fields = line.fields
        if line.kind == "ProductPublished":
            if fields["product"] in self._products:
                self._fault(line, f"publishes {fields['product']} a second time")
            self._products.setdefault(fields["product"], Timeline()).add(
                line.seq, Settings(**fields)
            )
            self._members.setdefault(fields["product"], [])
        elif line.kind in {"SchemaRegistered", "SchemaRetired"}:
            self._schema(line)
        elif fields["product"] not in self._products:
            self._fault(line, f"names product {fields['product']}, which was never published")
        elif line.kind.startswith("Subscription"):
            self._subscription(line)
        else:
            self._product(line)

    def _rules(self, product: str, seq: int) -> Rules | None:
        """What one product's records are judged by at `seq`; None before it was published."""
        settings = self._products[product].at(seq) if product in self._products else None
        if settings is None:
            return None
        subject = self._schemas.get(settings.subject, {})
        schemas = {schema_id: timeline.at(seq) for schema_id, timeline in subject.items()}
        members = self.members(product)
        known = self._first_seen.values[: bisect_right(self._first_seen.seqs, seq)]
        return Rules(
            settings=settings,
            schemas={schema_id: state for schema_id, state in schemas.items() if state},
            known_ids=frozenset(known),
            active=tuple(member.id for member in members if member.active.at(seq)),
            periods=frozenset(
                (member.period_anchor_ms, member.period_length_ms)
                for member in members
                if member.active.at(seq) is not None
                and member.period_anchor_ms is not None
                and member.period_length_ms
            ),
        )

    def _schema(self, line: ControlLine) -> None:
        schema_id = line.fields["schema_id"]
        timeline = self._schemas.setdefault(line.fields["subject"], {}).setdefault(
            schema_id, Timeline()
        )
        if line.kind == "SchemaRegistered":
            timeline.add(line.seq, SchemaState(line.fields["schema"], retired=False))
            self._first_seen.add(line.seq, schema_id)
        elif timeline.values:
            timeline.add(line.seq, replace(timeline.values[-1], retired=True))
        else:
            self._fault(line, f"retires schema id {schema_id}, which was never registered")

    def _product(self, line: ControlLine) -> None:
        timeline = self._products[line.fields["product"]]
        settings = timeline.values[-1]
        if line.kind == "PartitionsRaised":
            settings = replace(settings, partitions=line.fields["partitions"])
        elif line.kind == "TopicEnded":
            settings = replace(settings, ended=True)
        elif line.kind == "PeriodClosing":
            end_ms = max(settings.closing_end_ms, line.fields["end_ms"])
            settings = replace(settings, closing_end_ms=end_ms)
        timeline.add(line.seq, settings)

    def _subscription(self, line: ControlLine) -> None:
        name = line.fields["subscription"]
        if line.kind == "SubscriptionActivated":
            if name in self.subscriptions:
                self._fault(line, f"activates {name} a second time")
            self._activate(name, line)
            return
        member = self.subscriptions.get(name)
        if member is None:
            self._fault(line, f"names subscription {name}, which was never activated")
            return
        if line.kind == "SubscriptionReplanned":
            member.pins.append(_pin(line))
        elif line.kind in _STOPPING:
            member.active.add(line.seq, value=False)
            member.ended = member.ended or line.kind in _ENDING
            first_ms, end_ms = member.spans[-1]
            member.spans[-1] = (first_ms, line.at_ms if end_ms is None else end_ms)
        elif line.kind == "SubscriptionResumed":
            member.active.add(line.seq, value=True)
            member.spans.append((line.at_ms, None))

    def _activate(self, name: str, line: ControlLine) -> None:
        fields: Mapping[str, Any] = line.fields
        member = Subscription(
            id=name,
            product=fields["product"],
            delivery_topic=fields["delivery_topic"],
            period_anchor_ms=fields["period_anchor_ms"],
            period_length_ms=fields["period_length_ms"],
        )
        member.active.add(line.seq, value=True)
        member.pins.append(_pin(line))
        member.spans.append((line.at_ms, None))
        self.subscriptions[name] = member
        if name not in self._members[member.product]:
            self._members[member.product].append(name)

    def _fault(self, line: ControlLine, what: str) -> None:
        self.faults.append((line.seq, f"{line.kind} {what}"))


def _pin(line: ControlLine) -> Pin:
    return Pin(line.seq, line.at_ms, line.fields["plan"], line.fields["plan_version"])
