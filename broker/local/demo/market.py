"""The market: companies, one product, three plans, three subscriptions, made through the API."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from broker.client import Client
from broker.client.values import Account, Subscription
from broker.config import Connections
from broker.domain.names import group_prefix
from broker.errors import UnavailableError
from broker.local.demo.screen import Screen
from broker.local.demo.telemetry import TURBINES
from broker.local.demo.waiting import until

SELLER = "haute-borne"
PRODUCT = f"{SELLER}/scada"
_READY_TIMEOUT_S = 60.0
_TAX = {"mode": "exclusive", "percentage": "20"}


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A plan, and who takes it."""

    buyer: str
    name: str
    plan: str
    title: str
    price: Mapping[str, Any]

    @property
    def subscription(self) -> str:
        """Its id."""
        return f"{self.buyer}/{self.name}"


MAINTENANCE = Offer(
    buyer="rotor-care",
    name="all-turbines",
    plan=f"{SELLER}/per-record",
    title="Graduated by record",
    price={
        "currency": "EUR",
        "model": "graduated",
        "metric": "records",
        "tiers": [
            {"up_to": "100000", "unit_amount": "0.0005", "flat_amount": "20"},
            {"up_to": "300000", "unit_amount": "0.0003"},
            {"up_to": None, "unit_amount": "0.0001"},
        ],
        "tax": _TAX,
    },
)
FORECAST = Offer(
    buyer="grid-forecast",
    name="feed",
    plan=f"{SELLER}/per-gib",
    title="By volume",
    price={
        "currency": "EUR",
        "components": [
            {"name": "access", "model": "flat", "amount": "29.00", "proration": "none"},
            {"model": "unit", "metric": "GiB", "unit_amount": "1500"},
        ],
        "tax": _TAX,
    },
)
TRIAL = Offer(
    buyer="blade-lab",
    name="trial",
    plan=f"{SELLER}/trial",
    title="Trial, one cent a thousand records",
    price={
        "currency": "EUR",
        "model": "package",
        "metric": "records",
        "package_size": "1000",
        "package_amount": "0.01",
    },
)
OFFERS = (MAINTENANCE, FORECAST, TRIAL)


@dataclass(frozen=True, kw_only=True)
class Party:
    """A company with its token and its Kafka user."""

    organisation: str
    token: str = field(repr=False)
    account: Account = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Market:
    """All that the story needs to go on."""

    connections: Connections
    seller: Party
    gateway: Account = field(repr=False)
    buyers: Mapping[str, Party]
    stranger: Party
    topic: str
    subscriptions: Mapping[str, Subscription]

    @property
    def api_url(self) -> str:
        """Where the API and the registry are.

        Raises:
            UnavailableError: nobody said where.
        """
        if self.connections.api_url is None:
            raise UnavailableError("API: its address is not known")
        return self.connections.api_url

    def as_(self, party: Party) -> Client:
        """The API as one company sees it."""
        return Client(self.api_url, party.token)

    def kafka(self, account: Account) -> dict[str, Any]:
        """Client settings of one Kafka user, in librdkafka's words."""
        return {
            "bootstrap.servers": self.connections.kafka.bootstrap,
            "security.protocol": self.connections.kafka.security_protocol,
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": account.principal,
            "sasl.password": account.password or "",
        }

    def reading(self, party: Party) -> dict[str, Any]:
        """Settings of a buyer's consumer."""
        return self.kafka(party.account) | {
            "group.id": f"{group_prefix(party.organisation)}reader",
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
        }

    def registry(self, party: Party) -> dict[str, str]:
        """Settings of the stock schema registry client."""
        return {
            "url": f"{self.api_url}/registry",
            "basic.auth.user.info": f"{party.organisation}:{party.token}",
        }


def open_market(connections: Connections, screen: Screen, *, period_s: int) -> Market:
    """Companies in, product and plans published, subscriptions active.

    Args:
        connections: of the exchange.
        screen: hears it.
        period_s: length of the plans' billing periods.
    """
    with Client(connections.api_url or "", connections.operator_token or "") as operator:
        seller = _party(operator, SELLER, "Parc éolien de la Haute Borne", "producer")
        gateway = operator.accounts.create(SELLER, name="edge-gateway", role="producer")
        buyers = {o.buyer: _party(operator, o.buyer, o.buyer, "consumer") for o in OFFERS}
        stranger = _party(operator, "stranger", "Nobody's customer", "consumer")
    screen.fact(f"companies: {SELLER} sells; {', '.join(buyers)} buy; stranger looks on")
    with Client(connections.api_url or "", seller.token) as selling:
        topic = _publish(selling, period_s)
    screen.fact(f"{PRODUCT} is on sale: topic {topic}, a partition a turbine")
    subscriptions = {}
    for offer in OFFERS:
        with Client(connections.api_url or "", buyers[offer.buyer].token) as buying:
            buying.subscriptions.request(offer.subscription, product=PRODUCT, plan=offer.plan)
        with Client(connections.api_url or "", seller.token) as selling:
            selling.subscriptions.approve(offer.subscription)
    with Client(connections.api_url or "", seller.token) as selling:
        for offer in OFFERS:
            subscriptions[offer.subscription] = _active(selling, offer.subscription)
            screen.fact(f"{offer.subscription} is active under {offer.plan}: {offer.title}")
    return Market(
        connections=connections,
        seller=seller,
        gateway=gateway,
        buyers=buyers,
        stranger=stranger,
        topic=topic,
        subscriptions=subscriptions,
    )


def _party(operator: Client, slug: str, name: str, role: Any) -> Party:
    operator.organisations.create(slug, name=name)
    token = operator.tokens.create(slug, name="demo").token
    account = operator.accounts.create(slug, name="app", role=role)
    return Party(organisation=slug, token=token or "", account=account)


def _publish(selling: Client, period_s: int) -> str:
    selling.products.create(
        PRODUCT,
        title="SCADA of four wind turbines, ten-minute averages",
        classification="internal",
        partitions=len(TURBINES),
        event_time_field="measured_at",
    )
    selling.products.publish(PRODUCT)
    product = until(
        lambda: p if (p := selling.products.get(PRODUCT)).state == "published" else None,
        what=f"publication of {PRODUCT}",
        timeout_s=_READY_TIMEOUT_S,
    )
    for offer in OFFERS:
        selling.plans.create(offer.plan, product=PRODUCT, title=offer.title)
        draft = selling.plans.draft(offer.plan, price=offer.price, period={"length_s": period_s})
        selling.plans.publish(offer.plan, draft.number)
    return product.topic


def _active(selling: Client, subscription: str) -> Subscription:
    return until(
        lambda: s if (s := selling.subscriptions.get(subscription)).state == "active" else None,
        what=f"activation of {subscription}",
        timeout_s=_READY_TIMEOUT_S,
    )
