"""Two ratings written apart, billing's and the recount's, agree on random prices."""

from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.billing.context import Context
from broker.billing.price import parse_price
from broker.billing.rate import rate
from broker.billing.usage import parse_usage
from broker.verify import rating as recount

AMOUNTS = st.decimals(0, 50, places=3).map(lambda value: f"{value:f}")
POSITIVE = st.sampled_from(["1", "3", "7", "0.5", "12.25"])
QUANTITIES = st.integers(0, 300)
MODES = st.sampled_from(["half_even", "half_up", "half_down", "up", "down", "ceiling", "floor"])


def some(draw: st.DrawFn, optional: dict[str, st.SearchStrategy[Any]]) -> dict[str, Any]:
    """Each of the optional fields, or not."""
    return {name: draw(values) for name, values in optional.items() if draw(st.booleans())}


@st.composite
def tiers(draw: st.DrawFn) -> list[dict[str, Any]]:
    bounds = sorted(draw(st.sets(st.integers(1, 200), max_size=3)))
    return [
        {
            "up_to": None if bound is None else str(bound),
            "unit_amount": draw(AMOUNTS),
            **some(draw, {"flat_amount": AMOUNTS, "block_size": POSITIVE}),
        }
        for bound in [*bounds, None]
    ]


@st.composite
def components(draw: st.DrawFn, name: str) -> dict[str, Any]:
    model = draw(st.sampled_from(["flat", "unit", "package", "graduated", "volume"]))
    if model == "flat":
        proration = {"proration": st.sampled_from(["days", "none"])}
        return {"model": model, "name": name, "amount": draw(AMOUNTS), **some(draw, proration)}
    whole = st.fixed_dictionaries(
        {"divide_by": POSITIVE},
        optional={"round": st.sampled_from(["none", "up", "down", "half_up", "half_even"])},
    )
    component = {
        "model": model,
        "name": name,
        "metric": draw(st.sampled_from(["records", "bytes", "GiB"])),
        **some(
            draw,
            {
                "conversion": whole,
                "free_units": QUANTITIES.map(str),
                "minimum_quantity": st.integers(0, 20).map(str),
                "zero_usage_policy": st.sampled_from(["bill", "waive"]),
            },
        ),
    }
    match model:
        case "unit":
            own = {"unit_amount": draw(AMOUNTS)}
        case "package":
            rounding = {"package_rounding": st.sampled_from(["up", "down", "none"])}
            own = {"package_size": draw(POSITIVE), "package_amount": draw(AMOUNTS)}
            own |= some(draw, rounding)
        case _:
            own = {"tiers": draw(tiers())}
    return {**component, **own}


@st.composite
def prices(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.sampled_from([("one",), ("one", "two"), ("one", "two", "three")]))
    rounding = {
        "scope": st.sampled_from(["line", "tier", "invoice"]),
        "mode": MODES,
        "scale": st.integers(0, 4),
    }
    tax = st.fixed_dictionaries(
        {"mode": st.sampled_from(["exclusive", "inclusive"]), "percentage": AMOUNTS},
        optional={"scope": st.sampled_from(["invoice", "line"]), "rounding": MODES},
    )
    minimum = st.fixed_dictionaries(
        {"amount": AMOUNTS}, optional={"proration": st.sampled_from(["days", "none"])}
    )
    return {
        "currency": draw(st.sampled_from(["EUR", "JPY", "KWD"])),
        "components": [draw(components(name)) for name in names],
        "rounding": some(draw, rounding),
        **some(
            draw,
            {
                "splits": st.sampled_from(["cumulative", "separate"]),
                "minimum_commitment": minimum,
                "maximum_spend": st.integers(50, 3000).map(str),
                "tax": tax,
            },
        ),
    }


@settings(max_examples=150, deadline=None)
@given(
    price=prices(),
    splits=st.lists(st.tuples(QUANTITIES, st.integers(0, 2**33)), min_size=1, max_size=4),
    share=st.fractions(0, 1, max_denominator=31),
    final=st.booleans(),
    billed=st.none() | st.integers(-500, 5_000),
)
def test_both_ratings_agree(
    *,
    price: dict[str, Any],
    splits: list[tuple[int, int]],
    share: Fraction,
    final: bool,
    billed: int | None,
) -> None:
    """Lines, subtotal, net, tax and total are the same."""
    parsed = parse_price(price)
    usage = [{"records": records, "bytes": size} for records, size in splits]
    already = None if billed is None else Fraction(billed)
    ours = rate(
        parsed,
        parse_usage(usage, "usage", parsed),
        Context(share=share, final=final, already_billed=already),
    )
    theirs = recount.rate(
        price,
        [recount.Usage(records, size) for records, size in splits],
        share=share,
        final=final,
        already_billed=already,
    )
    assert [(line.description, line.quantity, line.amount) for line in ours.lines] == [
        (line.description, line.quantity, line.amount) for line in theirs.lines
    ]
    assert (ours.subtotal, ours.net, ours.tax, ours.total) == (
        theirs.subtotal,
        theirs.net,
        theirs.tax,
        theirs.total,
    )
