"""Products: streams for sale.

    draft ─publish▶ publishing ─confirm_published▶ published ─retire▶ retired

Owns what a product is and its state. Does not own its topics and ACLs (`provision`), price
(`plans`) or schemas (`registry`). Routers hear of it through `weir.control` alone, from the moment
its topics are confirmed.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broker.control import organisations, outbox, retention
from broker.control.rows import check_revision, columns_of, insert, put, value_of, values_of
from broker.domain import events, names
from broker.domain.actor import SYSTEM, Actor
from broker.domain.events import Validation
from broker.domain.product import Classification, Product
from broker.errors import NotFoundError
from broker.store.control import ProductRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the seller chooses when a product is created."""

    title: str
    description: str
    classification: Classification
    partitions: int
    retention_ms: int
    quarantine_max_bytes: int
    record_max_bytes: int
    validation: Validation
    event_time_field: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What may change later; None leaves it as it is."""

    title: str | None = None
    description: str | None = None
    classification: Classification | None = None
    retention_ms: int | None = None
    partitions: int | None = None


def create(
    session: Session, product_id: str, settings: Settings, *, by: Actor, now: datetime
) -> Product:
    """Draft a product; nothing of it exists in Kafka yet.

    Raises:
        InvalidFieldError: the id is not `organisation/name`.
        NotFoundError: no such organisation, or not `by`'s own.
        ConflictError: the name was given before.
    """
    organisation, _ = names.split_id("id", product_id)
    organisations.get(session, organisation, by=by)
    product = Product(
        id=product_id,
        organisation=organisation,
        topic=names.product_topic(product_id),
        quarantine_topic=names.quarantine_topic(product_id),
        subject=names.default_subject(product_id),
        state="draft",
        created_at=now,
        created_by=by.name,
        **columns_of(settings),
    )
    insert(session, ProductRow(**columns_of(product)), kind="product", name=product_id)
    return product


def publish(session: Session, product_id: str, *, by: Actor, if_revision: int | None) -> Product:
    """Offer it. It becomes `published` when its topics are confirmed.

    Raises:
        NotFoundError: no such product, or not `by`'s own.
        ConflictError: it is no draft.
        PreconditionError: it changed since it was read.
    """
    row = _row(session, product_id, by=by, if_revision=if_revision)
    return _save(row, value_of(Product, row).publish())


def confirm_published(
    session: Session, product_id: str, topic_id: str, *, now: datetime
) -> Product:
    """Its topics exist in every broker's metadata: routers may know of it.

    Args:
        session: the caller's transaction.
        product_id: which.
        topic_id: Kafka's UUID of the product's topic, canonical form with hyphens.
        now: when.

    Raises:
        ConflictError: it does not wait for its topics.
    """
    row = _row(session, product_id, by=SYSTEM)
    product = _save(row, value_of(Product, row).confirm(topic_id, now=now))
    event = events.ProductPublished(
        product=product.id,
        topic=product.topic,
        topic_id=topic_id,
        partitions=product.partitions,
        quarantine_topic=product.quarantine_topic,
        subject=product.subject,
        validation=product.validation,
        record_max_bytes=product.record_max_bytes,
    )
    outbox.append(session, event, now=now)
    return product


def change(
    session: Session,
    product_id: str,
    changes: Changes,
    *,
    dispute_window_ms: int,
    by: Actor,
    if_revision: int | None,
) -> Product:
    """Change words, retention or the number of partitions.

    Raises:
        NotFoundError: no such product, or not `by`'s own.
        ConflictError: it is retired.
        InvalidFieldError: fewer partitions, or a retention too short for its published plans.
        PreconditionError: it changed since it was read.
    """
    row = _row(session, product_id, by=by, if_revision=if_revision)
    product = value_of(Product, row)
    changed = product.describe(
        title=changes.title,
        description=changes.description,
        classification=changes.classification,
    )
    if changes.retention_ms is not None:
        retention.check_product(
            session, product_id, changes.retention_ms, dispute_window_ms=dispute_window_ms
        )
        changed = changed.keep_for(changes.retention_ms)
    if changes.partitions is not None:
        changed = changed.raise_partitions(changes.partitions)
    return _save(row, replace(changed, revision=product.revision + 1))


def confirm_partitions(session: Session, product_id: str, *, now: datetime) -> Product:
    """Delivery and quarantine topics, then the product's, have the partitions that are wanted.

    Raises:
        ConflictError: routers know already.
    """
    row = _row(session, product_id, by=SYSTEM)
    product = _save(row, value_of(Product, row).confirm_partitions())
    outbox.append(session, events.PartitionsRaised(product.id, product.partitions), now=now)
    return product


def retire(
    session: Session, product_id: str, *, by: Actor, now: datetime, if_revision: int | None
) -> Product:
    """Take no more records and no more subscriptions; what is in its topic is still routed.

    `retirement` calls this: it sees to the subscriptions that there are.

    Raises:
        NotFoundError: no such product, or not `by`'s own.
        ConflictError: it is retired already.
        PreconditionError: it changed since it was read.
    """
    row = _row(session, product_id, by=by, if_revision=if_revision)
    product = _save(row, value_of(Product, row).retire(now=now))
    if product.topic_id is not None:
        outbox.append(session, events.ProductRetired(product.id), now=now)
    return product


def end_topic(session: Session, product_id: str, *, now: datetime) -> Product:
    """Its topic was removed or recreated from outside: nothing more of it is routed.

    Raises:
        ConflictError: it never had one, or this was said before.
    """
    row = _row(session, product_id, by=SYSTEM)
    product = value_of(Product, row).end(now=now)
    _save(row, product)
    outbox.append(session, events.TopicEnded(product.id, str(product.topic_id)), now=now)
    return product


def get(session: Session, product_id: str, *, by: Actor) -> Product:
    """One product of `by`'s own.

    Raises:
        NotFoundError: no such product, or not `by`'s own.
    """
    return value_of(Product, _row(session, product_id, by=by, lock=False))


def get_offered(session: Session, product_id: str, *, to_subscribe: bool = False) -> Product:
    """One product that anybody may buy.

    Args:
        session: the caller's transaction.
        product_id: which.
        to_subscribe: it stays on offer until the transaction ends.

    Raises:
        NotFoundError: no such product, or it is not published.
    """
    lock = {"read": True} if to_subscribe else None
    row = session.get(ProductRow, product_id, with_for_update=lock)
    if row is None or row.state != "published":
        raise NotFoundError("product", product_id)
    return value_of(Product, row)


def search(session: Session, *, by: Actor, after: str, limit: int) -> list[Product]:
    """Products of `by`'s own, by id, from the first past `after`."""
    query = select(ProductRow).where(ProductRow.id > after)
    if by.organisation is not None:
        query = query.where(ProductRow.organisation == by.organisation)
    return values_of(Product, session.scalars(query.order_by(ProductRow.id).limit(limit)))


def search_offered(session: Session, *, words: str | None, after: str, limit: int) -> list[Product]:
    """Products that anybody may buy, by id; with `words` in id, title or description."""
    query = select(ProductRow).where(ProductRow.id > after, ProductRow.state == "published")
    if words:
        text = func.concat_ws(" ", ProductRow.id, ProductRow.title, ProductRow.description)
        query = query.where(text.icontains(words, autoescape=True))
    return values_of(Product, session.scalars(query.order_by(ProductRow.id).limit(limit)))


def _row(
    session: Session,
    product_id: str,
    *,
    by: Actor,
    if_revision: int | None = None,
    lock: bool = True,
) -> ProductRow:
    row = session.get(ProductRow, product_id, with_for_update=lock)
    if row is None or not by.owns(row.organisation):
        raise NotFoundError("product", product_id)
    check_revision("product", row.id, row.revision, if_revision)
    return row


def _save(row: ProductRow, product: Product) -> Product:
    put(row, product)
    return product
