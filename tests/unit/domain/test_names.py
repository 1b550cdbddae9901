"""Names: what may be one, and what is made of them."""

import pytest

from broker.domain import names
from broker.errors import InvalidFieldError


@pytest.mark.parametrize("slug", ["a", "acme", "a1", "wind-farm-7", "a" * 40, "weirdo"])
def test_slugs(slug: str) -> None:
    """Lower-case words joined by single hyphens."""
    assert names.check_slug("id", slug) == slug


@pytest.mark.parametrize(
    "slug",
    [
        "",
        "A",
        "1a",
        "-a",
        "a-",
        "a--b",
        "a_b",
        "a.b",
        "a b",
        "ä",
        "a\n",
        "a" * 41,
        "weir",
        "weir-x",
    ],
)
def test_what_is_no_slug(slug: str) -> None:
    """Anything else, what is reserved, and what Kafka would fold together."""
    with pytest.raises(InvalidFieldError) as refused:
        names.check_slug("id", slug)
    assert refused.value.field == "id"


@pytest.mark.parametrize("object_id", ["acme", "acme/", "/wind", "a/b/c", "acme/weir", "acme wind"])
def test_what_is_no_id(object_id: str) -> None:
    """An id is two slugs and one slash."""
    with pytest.raises(InvalidFieldError):
        names.split_id("id", object_id)


def test_what_is_made_of_names() -> None:
    """Topics, subjects and principals follow from ids; a group's prefix ends with a dot."""
    assert names.product_topic("acme/wind") == "product.acme.wind"
    assert names.quarantine_topic("acme/wind") == "quarantine.acme.wind"
    assert names.delivery_topic("grid/wind") == "delivery.grid.wind"
    assert names.default_subject("acme/wind") == "product.acme.wind-value"
    assert names.principal("acme/edge") == "acme.edge"
    assert not "acme-energy.x".startswith(names.group_prefix("acme"))
