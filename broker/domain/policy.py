"""Policy: the frozen set of products and subscriptions at one point of the control log.

    policy(seq) ─apply(event seq + 1)▶ policy(seq + 1)

Delivery is a function of the source log and this value; it holds no clock and no worker.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from broker.domain import events as ev
from broker.errors import ControlLogError


@dataclass(frozen=True, slots=True)
class SubscriptionRule:
    """What the router must know of one subscription."""

    id: str
    delivery_topic: str
    active: bool
    period_anchor_ms: int | None
    period_length_ms: int | None


@dataclass(frozen=True, slots=True)
class SchemaRule:
    """One schema id of a subject."""

    schema: str
    retired: bool


@dataclass(frozen=True, slots=True)
class ProductRule:
    """What the router must know of one product.

    `concerned_seq`: the last event that concerned it; an idle partition proves it has seen that
    event by an empty segment. `closing_end_ms`: the latest period end it was asked to close, or 0.
    `ended`: its topic is gone or was recreated.
    """

    id: str
    topic: str
    topic_id: str
    partitions: int
    quarantine_topic: str
    subject: str
    validation: ev.Validation
    record_max_bytes: int
    concerned_seq: int
    closing_end_ms: int = 0
    ended: bool = False
    subscriptions: Mapping[str, SubscriptionRule] = field(
        default_factory=lambda: MappingProxyType({})
    )

    def active(self) -> tuple[SubscriptionRule, ...]:
        """Subscriptions that are delivered to, by id."""
        return tuple(rule for _, rule in sorted(self.subscriptions.items()) if rule.active)

    def fixed_periods(self) -> frozenset[tuple[int, int]]:
        """(anchor_ms, length_ms) of fixed-length periods, of active and ended subscriptions."""
        return frozenset(
            (rule.period_anchor_ms, rule.period_length_ms)
            for rule in self.subscriptions.values()
            if rule.period_anchor_ms is not None and rule.period_length_ms
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """Products by id, subjects by name, at `seq`."""

    seq: int = 0
    products: Mapping[str, ProductRule] = field(default_factory=lambda: MappingProxyType({}))
    subjects: Mapping[str, Mapping[int, SchemaRule]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    schema_ids: frozenset[int] = frozenset()

    def product_of(self, topic: str) -> ProductRule | None:
        """The product whose source topic this is."""
        for rule in self.products.values():
            if rule.topic == topic:
                return rule
        return None

    def schemas_of(self, subject: str) -> Mapping[int, SchemaRule]:
        """Schema ids of a subject, retired ones included."""
        return self.subjects.get(subject, MappingProxyType({}))

    def apply(self, control: ev.ControlEvent) -> "Policy":
        """The policy after one more event.

        Raises:
            ControlLogError: `seq` does not follow on, or the event names what it should not.
        """
        if control.seq != self.seq + 1:
            raise ControlLogError(
                f"control log: seq {control.seq} follows {self.seq}; a hole, reading stops here"
            )
        return replace(_applied(self, control.event, control.seq), seq=control.seq)


def _applied(policy: Policy, event: ev.Event, seq: int) -> Policy:
    match event:
        case ev.ProductPublished():
            return _put(policy, _published(event, seq))
        case ev.SchemaRegistered():
            return _with_schema(policy, event.subject, event.schema_id, event.schema, retired=False)
        case ev.SchemaRetired():
            rule = policy.schemas_of(event.subject).get(event.schema_id)
            if rule is None:
                raise ControlLogError(f"control log: seq {seq} retires unknown {event.schema_id}")
            return _with_schema(policy, event.subject, event.schema_id, rule.schema, retired=True)
        case _:
            product = policy.products.get(event.product)
            if product is None:
                raise ControlLogError(f"control log: seq {seq} names unknown {event.product}")
            return _put(policy, replace(_concerned(product, event), concerned_seq=seq))


def _published(event: ev.ProductPublished, seq: int) -> ProductRule:
    return ProductRule(
        id=event.product,
        topic=event.topic,
        topic_id=event.topic_id,
        partitions=event.partitions,
        quarantine_topic=event.quarantine_topic,
        subject=event.subject,
        validation=event.validation,
        record_max_bytes=event.record_max_bytes,
        concerned_seq=seq,
    )


def _concerned(  # noqa: PLR0911  one case each
    product: ProductRule, event: ev.Event
) -> ProductRule:
    match event:
        case ev.SubscriptionActivated():
            rule = SubscriptionRule(
                id=event.subscription,
                delivery_topic=event.delivery_topic,
                active=True,
                period_anchor_ms=event.period_anchor_ms,
                period_length_ms=event.period_length_ms,
            )
            return _with_subscription(product, rule)
        case ev.SubscriptionSuspended() | ev.SubscriptionRevoked() | ev.SubscriptionExpired():
            return _switched(product, event.subscription, active=False)
        case ev.SubscriptionResumed():
            return _switched(product, event.subscription, active=True)
        case ev.PartitionsRaised():
            return replace(product, partitions=event.partitions)
        case ev.TopicEnded():
            return replace(product, ended=True)
        case ev.PeriodClosing():
            return replace(product, closing_end_ms=max(product.closing_end_ms, event.end_ms))
        case _:
            return product


def _switched(product: ProductRule, subscription: str, *, active: bool) -> ProductRule:
    rule = product.subscriptions.get(subscription)
    if rule is None:
        raise ControlLogError(f"control log: {subscription} was never activated")
    return _with_subscription(product, replace(rule, active=active))


def _with_subscription(product: ProductRule, rule: SubscriptionRule) -> ProductRule:
    rules = MappingProxyType({**product.subscriptions, rule.id: rule})
    return replace(product, subscriptions=rules)


def _with_schema(
    policy: Policy, subject: str, schema_id: int, schema: str, *, retired: bool
) -> Policy:
    rules = {**policy.schemas_of(subject), schema_id: SchemaRule(schema, retired)}
    return replace(
        policy,
        subjects=MappingProxyType({**policy.subjects, subject: MappingProxyType(rules)}),
        schema_ids=policy.schema_ids | {schema_id},
    )


def _put(policy: Policy, product: ProductRule) -> Policy:
    return replace(policy, products=MappingProxyType({**policy.products, product.id: product}))
