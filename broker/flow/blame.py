"""Blame: which topic a failed transaction met, and who waits for it.

unwritable delivery topic   ──▶ its subscription is held, the others go on
unwritable quarantine topic ──▶ its product waits whole: refused records would be lost
"""

from collections.abc import Callable, Sequence

from broker.alarms import Alarm
from broker.domain.policy import Policy
from broker.errors import DeliveryUnwritableError, PoisonedBatchError, WeirError
from broker.flow.batch import BatchSet, Metered
from broker.flow.clients import Clients
from broker.flow.held import Held


class Blame:
    """Holds back whom a failure was about. `pause_s`: before the first new attempt."""

    def __init__(self, pause_s: float) -> None:
        self._subscriptions = Held(Alarm.UNDELIVERABLE, pause_s)
        self._products = Held(Alarm.QUARANTINE_UNWRITABLE, pause_s)

    @property
    def held(self) -> frozenset[str]:
        """Subscriptions that are held back."""
        return self._subscriptions.ids

    def find(
        self,
        clients: Clients,
        error: WeirError,
        batches: BatchSet,
        policy: Policy,
        *,
        now_s: float,
        timeout_s: float,
    ) -> None:
        """Find the topic that is to blame, the error often names none, and hold back its owner.

        Raises:
            LogError: Kafka could not be asked.
        """
        if isinstance(error, DeliveryUnwritableError):
            self._subscriptions.hold(error.subscription, error.topic, str(error), now_s=now_s)
            return
        if isinstance(error, PoisonedBatchError):
            return
        rules = {
            rule.delivery_topic: rule.id
            for batch in batches.batches
            for rule in batches.policy.products[batch.product.id].active()
        }
        quarantines = {b.product.quarantine_topic: b.product.id for b in batches.batches}
        unwritable = clients.producer.unwritable(
            sorted({**rules, **quarantines}), timeout_s=timeout_s
        )
        for topic in unwritable:
            why = f"topic {topic}: {error}"
            if topic in rules:
                self._subscriptions.hold(rules[topic], topic, why, now_s=now_s)
            else:
                product = quarantines[topic]
                self._products.hold(product, topic, why, now_s=now_s)
                _stop(clients, policy.products[product].topic, why)

    def retry(self, exists: Callable[[str], bool], policy: Policy, *, now_s: float) -> bool:
        """Release whose time has come and whose topic exists; whether any was released.

        Who is active no more is forgotten: its topic may never be made again.
        """
        if not (self._subscriptions.ids or self._products.ids):
            return False  # asked with every poll
        routed = [product for product in policy.products.values() if not product.ended]
        self._products.keep({product.id for product in routed})
        self._subscriptions.keep({rule.id for product in routed for rule in product.active()})
        subscriptions = self._subscriptions.retry(exists, now_s=now_s)
        products = self._products.retry(exists, now_s=now_s)
        return subscriptions or products

    def committed(self, metered: Sequence[Metered]) -> None:
        """Forget the failures of whose delivery or quarantine topic was written to."""
        for one in metered:
            segment = one.segment
            self._subscriptions.written(delivery.subscription for delivery in segment.deliveries)
            if segment.refused:
                self._products.written([segment.product])


def _stop(clients: Clients, source: str, why: str) -> None:
    for tp in clients.partitions.routable():
        if tp.topic == source:
            clients.partitions.stop(tp, Alarm.QUARANTINE_UNWRITABLE, why)
