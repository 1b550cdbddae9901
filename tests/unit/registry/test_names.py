"""What a client may write: subjects, versions, levels, pages."""

import pytest

from broker.avro.modes import Mode
from broker.domain.actor import OPERATOR, Actor
from broker.errors import ForbiddenError, InvalidFieldError
from broker.registry import levels, versions
from broker.registry.errors import InvalidLevelError, InvalidVersionError
from broker.registry.pages import Page
from broker.registry.visibility import check_writable, owner_of


@pytest.mark.parametrize(
    ("subject", "owner"),
    [
        ("product.acme.wind-value", "acme"),
        ("product.acme.wind-key", "acme"),
        ("product.acme-energy.wind-value", "acme-energy"),
        ("product.acme.a.b_c-1", "acme"),
        ("product.acme", None),
        ("product.acme.", None),
        ("product..wind-value", None),
        ("product.Acme.wind-value", None),
        ("product.acme-.wind-value", None),
        ("product.acme.wind/value", None),
        ("product.acme.wind\x00", None),
        ("product.acme.wind\n", None),
        ("delivery.grid.forecast-value", None),
        ("com.acme.Reading", None),
        ("", None),
        ("product.acme." + "a" * 200, None),
        (f"product.{'a' * 41}.wind-value", None),
    ],
)
def test_a_subject_says_whose_it_is(subject: str, owner: str | None) -> None:
    """The organisation stands in the name; other names are no subjects."""
    assert owner_of(subject) == owner


def test_an_organisation_whose_name_begins_alike_is_another() -> None:
    """`acme` may not write into `acme-energy`, nor the other way round; the operator may."""
    acme = Actor("token", "acme")
    assert check_writable("product.acme.wind-value", by=acme) == "acme"
    with pytest.raises(ForbiddenError):
        check_writable("product.acme-energy.wind-value", by=acme)
    with pytest.raises(InvalidFieldError, match="TopicNameStrategy"):
        check_writable("com.acme.Reading", by=acme)
    assert check_writable("product.acme-energy.wind-value", by=OPERATOR) == "acme-energy"


@pytest.mark.parametrize(
    ("written", "meant"),
    [("1", 1), ("2147483647", 2**31 - 1), ("latest", "latest"), ("-1", "latest")],
)
def test_versions(written: str, meant: int | str) -> None:
    """A number, `latest`, or Java's -1 for it."""
    assert versions.parse(written) == meant


@pytest.mark.parametrize("written", ["", "0", "-2", "1.0", "LATEST", "2147483648", "1" * 99, "१"])
def test_versions_refused(written: str) -> None:
    """Anything else is refused by its own error."""
    with pytest.raises(InvalidVersionError):
        versions.parse(written)


def test_levels() -> None:
    """The seven words in any case, and nothing else."""
    assert levels.parse("full_transitive") is Mode.FULL_TRANSITIVE
    with pytest.raises(InvalidLevelError, match="BACKWARD_TRANSITIVE"):
        levels.parse("FULLY")


@pytest.mark.parametrize(
    ("offset", "limit", "items"),
    [(0, -1, [1, 2, 3]), (1, -1, [2, 3]), (0, 2, [1, 2]), (2, 5, [3]), (0, 0, []), (9, 9, [])],
)
def test_pages(offset: int, limit: int, items: list[int]) -> None:
    """Confluent's clients send -1 for no limit."""
    assert Page(offset, limit).of([1, 2, 3]) == items
