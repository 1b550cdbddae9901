"""Subscriptions, for those who buy and those who sell."""

from collections.abc import Iterator
from typing import Literal, TypeAlias

from broker.client.paths import object_id
from broker.client.reading import value_of
from broker.client.transport import Transport
from broker.client.values import Cutover, Subscription, Transition

Act: TypeAlias = Literal["approve", "reject", "suspend", "resume", "revoke", "expire"]
_PATH = "/v1/subscriptions"


class Subscriptions:
    """What you buy and what is bought of you. Every method raises `ApiError`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def request(
        self,
        subscription_id: str,
        *,
        product: str,
        plan: str,
        plan_version: int | None = None,
        term_s: int | None = None,
        reason: str = "",
        idempotency_key: str | None = None,
    ) -> Subscription:
        """Ask for a product under a plan, by default its newest version on sale."""
        body = {
            "id": subscription_id,
            "product": product,
            "plan": plan,
            "plan_version": plan_version,
            "term_s": term_s,
            "reason": reason,
        }
        made = self._transport.post(_PATH, body, idempotency_key=idempotency_key)
        return value_of(Subscription, made)

    def act(
        self,
        subscription_id: str,
        act: Act,
        *,
        reason: str = "",
        if_match: int | None = None,
    ) -> Subscription:
        """Approve, reject, suspend, resume, revoke or expire; all but two need a reason."""
        path = f"{_PATH}/{object_id('subscription', subscription_id)}/{act}"
        changed = self._transport.post(path, {"reason": reason}, if_match=if_match)
        return value_of(Subscription, changed)

    def approve(self, subscription_id: str, *, reason: str = "") -> Subscription:
        """Agree, as the seller."""
        return self.act(subscription_id, "approve", reason=reason)

    def revoke(self, subscription_id: str, *, reason: str) -> Subscription:
        """End it for good; either side may."""
        return self.act(subscription_id, "revoke", reason=reason)

    def replan(
        self,
        subscription_id: str,
        *,
        plan: str,
        plan_version: int | None = None,
        reason: str = "",
    ) -> Subscription:
        """Pin another plan version, as the buyer."""
        body = {"plan": plan, "plan_version": plan_version, "reason": reason}
        path = f"{_PATH}/{object_id('subscription', subscription_id)}/replan"
        return value_of(Subscription, self._transport.post(path, body))

    def list(self, *, product: str | None = None) -> Iterator[Subscription]:
        """Those you see, of one product or of all."""
        return (
            value_of(Subscription, one) for one in self._transport.pages(_PATH, product=product)
        )

    def get(self, subscription_id: str) -> Subscription:
        """One."""
        return value_of(
            Subscription,
            self._transport.get(f"{_PATH}/{object_id('subscription', subscription_id)}"),
        )

    def history(self, subscription_id: str) -> Iterator[Transition]:
        """What happened to it, oldest first."""
        path = f"{_PATH}/{object_id('subscription', subscription_id)}/history"
        return (value_of(Transition, one) for one in self._transport.pages(path))

    def cutover(self, subscription_id: str) -> Cutover:
        """Where in each partition its last change took effect."""
        return value_of(
            Cutover,
            self._transport.get(f"{_PATH}/{object_id('subscription', subscription_id)}/cutover"),
        )
