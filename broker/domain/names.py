"""Names: slugs, and the topics, subjects and principals made of them.

A name, once given, is never given again, not even after deletion: Kafka would let an old consumer
read on in a new topic of the same name.
"""

import re

from broker.errors import InvalidFieldError

SLUG_LENGTH_MAX = 40
CONTROL_TOPIC = "weir.control"
USAGE_TOPIC = "weir.usage"

_SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", re.ASCII)


def check_slug(field: str, slug: str) -> str:
    """The slug itself, if it is one.

    Raises:
        InvalidFieldError: it is too long, reserved, or has other characters.
    """
    if len(slug) > SLUG_LENGTH_MAX:
        raise InvalidFieldError(
            field, f"must have at most {SLUG_LENGTH_MAX} characters, has {len(slug)}; shorten it"
        )
    if not _SLUG.fullmatch(slug):
        raise InvalidFieldError(
            field,
            "must be lower-case words of letters and digits joined by single hyphens, beginning "
            f"with a letter, is {slug!r}",
        )
    if slug == "weir" or slug.startswith("weir-"):
        raise InvalidFieldError(field, f"{slug!r} is reserved for the exchange; choose another")
    return slug


def join_id(organisation: str, slug: str) -> str:
    """Id of an organisation's product, subscription or account: `acme/wind`."""
    return f"{organisation}/{slug}"


def split_id(field: str, object_id: str) -> tuple[str, str]:
    """The two slugs of an id.

    Raises:
        InvalidFieldError: it is not `organisation/slug`.
    """
    organisation, slash, slug = object_id.partition("/")
    if not slash:
        raise InvalidFieldError(field, f"must be organisation/name, is {object_id!r}")
    return check_slug(field, organisation), check_slug(field, slug)


def product_topic(product_id: str) -> str:
    """`acme/wind` -> `product.acme.wind`."""
    return "product." + product_id.replace("/", ".")


def quarantine_topic(product_id: str) -> str:
    """`acme/wind` -> `quarantine.acme.wind`."""
    return "quarantine." + product_id.replace("/", ".")


def delivery_topic(subscription_id: str) -> str:
    """`grid/forecast` -> `delivery.grid.forecast`."""
    return "delivery." + subscription_id.replace("/", ".")


def default_subject(product_id: str) -> str:
    """The subject that clients' default strategy falls back to: `<topic>-value`."""
    return product_topic(product_id) + "-value"


def principal(account_id: str) -> str:
    """SCRAM user of a service account: `acme/edge` -> `acme.edge`."""
    return account_id.replace("/", ".")


def group_prefix(organisation: str) -> str:
    """Prefix of an organisation's consumer groups; the dot keeps `acme` out of `acme-energy`."""
    return organisation + "."
