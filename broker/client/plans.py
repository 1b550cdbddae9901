"""Plans and their versions."""

from collections.abc import Iterator, Mapping
from typing import Any

from broker.client.paths import object_id
from broker.client.reading import value_of
from broker.client.transport import Transport
from broker.client.values import Plan, PlanVersion

_PATH = "/v1/plans"


class Plans:
    """Your plans; those you have bought, to read. Every method raises `ApiError`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self, plan_id: str, *, product: str, title: str, idempotency_key: str | None = None
    ) -> Plan:
        """Name one; it says nothing before its first version."""
        body = {"id": plan_id, "product": product, "title": title}
        return value_of(Plan, self._transport.post(_PATH, body, idempotency_key=idempotency_key))

    def list(self, *, product: str | None = None) -> Iterator[Plan]:
        """Yours, of one product or of all."""
        return (value_of(Plan, one) for one in self._transport.pages(_PATH, product=product))

    def get(self, plan_id: str) -> Plan:
        """One."""
        return value_of(Plan, self._transport.get(f"{_PATH}/{object_id('plan', plan_id)}"))

    def draft(
        self,
        plan_id: str,
        *,
        price: Mapping[str, Any],
        period: Mapping[str, Any],
        idempotency_key: str | None = None,
        **terms: str | int,
    ) -> PlanVersion:
        """Write the next version.

        Args:
            plan_id: `organisation/name`.
            price: as docs/billing.md has it.
            period: `{"calendar": "month", "time_zone": …}` or `{"length_s": …}`.
            idempotency_key: see `Transport.post`.
            terms: any of delivery_retention_ms, approval, terms.
        """
        body = {"price": dict(price), "period": dict(period), **terms}
        path = f"{_PATH}/{object_id('plan', plan_id)}/versions"
        made = self._transport.post(path, body, idempotency_key=idempotency_key)
        return value_of(PlanVersion, made)

    def versions(self, plan_id: str) -> Iterator[PlanVersion]:
        """Its versions, oldest first."""
        path = f"{_PATH}/{object_id('plan', plan_id)}/versions"
        return (value_of(PlanVersion, one) for one in self._transport.pages(path))

    def version(self, plan_id: str, number: int) -> PlanVersion:
        """One version."""
        path = f"{_PATH}/{object_id('plan', plan_id)}/versions/{number}"
        return value_of(PlanVersion, self._transport.get(path))

    def publish(self, plan_id: str, number: int, *, if_match: int | None = None) -> PlanVersion:
        """Offer a version; from here on nothing in it changes."""
        return self._act(plan_id, number, "publish", if_match)

    def withdraw(self, plan_id: str, number: int, *, if_match: int | None = None) -> PlanVersion:
        """Take a version from sale; subscriptions that have it keep it."""
        return self._act(plan_id, number, "withdraw", if_match)

    def _act(self, plan_id: str, number: int, act: str, if_match: int | None) -> PlanVersion:
        path = f"{_PATH}/{object_id('plan', plan_id)}/versions/{number}/{act}"
        return value_of(PlanVersion, self._transport.post(path, if_match=if_match))
