"""Products, for those who sell them, and the catalogue, for those who buy."""

from collections.abc import Iterator

from broker.client.paths import object_id
from broker.client.reading import value_of
from broker.client.transport import Transport
from broker.client.values import Offer, Product, ProductCheck
from broker.client.values_billing import Close, Proof

_PATH = "/v1/products"


class Products:
    """Your products. Every method raises `ApiError`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        product_id: str,
        *,
        title: str,
        idempotency_key: str | None = None,
        **settings: str | int | None,
    ) -> Product:
        """Draft one: nothing of it exists in Kafka yet.

        Args:
            product_id: `organisation/name`.
            title: one line.
            idempotency_key: see `Transport.post`.
            settings: any of description, classification, partitions, retention_ms,
                quarantine_max_bytes, record_max_bytes, validation, event_time_field.
        """
        body = {"id": product_id, "title": title, **settings}
        made = self._transport.post(_PATH, body, idempotency_key=idempotency_key)
        return value_of(Product, made)

    def change(
        self, product_id: str, *, if_match: int | None = None, **changes: str | int
    ) -> Product:
        """Change any of title, description, classification, partitions, retention_ms."""
        path = f"{_PATH}/{object_id('product', product_id)}"
        return value_of(Product, self._transport.patch(path, changes, if_match=if_match))

    def publish(self, product_id: str, *, if_match: int | None = None) -> Product:
        """Offer it; it is `publishing` until its topics are there, then `published`."""
        return self._act(product_id, "publish", if_match)

    def retire(self, product_id: str, *, if_match: int | None = None) -> Product:
        """Take no more records and no more subscriptions."""
        return self._act(product_id, "retire", if_match)

    def list(self) -> Iterator[Product]:
        """Yours; for the operator, all."""
        return (value_of(Product, one) for one in self._transport.pages(_PATH))

    def get(self, product_id: str) -> Product:
        """One."""
        return value_of(Product, self._transport.get(f"{_PATH}/{object_id('product', product_id)}"))

    def check(self, product_id: str) -> ProductCheck:
        """The last valid and the last refused record."""
        return value_of(
            ProductCheck, self._transport.get(f"{_PATH}/{object_id('product', product_id)}/check")
        )

    def close(
        self,
        product_id: str,
        *,
        end_ms: int | None = None,
        finalise: bool = True,
        interim: bool = True,
        idempotency_key: str | None = None,
    ) -> Close:
        """Close its billing time, up to now where `end_ms` is None.

        Args:
            product_id: which.
            end_ms: up to when, ms since 1970 UTC.
            finalise: issue the invoices at once; otherwise they are drafts.
            interim: bill what there is so far of periods that go on.
            idempotency_key: to ask once, however often it is sent.
        """
        body = {"end_ms": end_ms, "finalise": finalise, "interim": interim}
        path = f"{_PATH}/{object_id('product', product_id)}/closes"
        return value_of(Close, self._transport.post(path, body, idempotency_key=idempotency_key))

    def closes(self, product_id: str) -> Iterator[Close]:
        """Its closes, latest end first."""
        return (
            value_of(Close, one)
            for one in self._transport.pages(f"{_PATH}/{object_id('product', product_id)}/closes")
        )

    def proof(self, product_id: str, end_ms: int) -> Proof:
        """How far a close is proven."""
        return value_of(
            Proof,
            self._transport.get(f"{_PATH}/{object_id('product', product_id)}/closes/{end_ms}"),
        )

    def _act(self, product_id: str, act: str, if_match: int | None) -> Product:
        path = f"{_PATH}/{object_id('product', product_id)}/{act}"
        return value_of(Product, self._transport.post(path, if_match=if_match))


class Catalogue:
    """What anybody may buy. Every method raises `ApiError`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def search(self, words: str | None = None) -> Iterator[Offer]:
        """Products on sale, with `words` in id, title or description."""
        return (value_of(Offer, one) for one in self._transport.pages("/v1/catalogue", words=words))

    def get(self, product_id: str) -> Offer:
        """One, with its plans and prices."""
        return value_of(
            Offer, self._transport.get(f"/v1/catalogue/{object_id('product', product_id)}")
        )
