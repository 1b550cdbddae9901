"""Terms of a contract: which plan version holds when, and which part of a period is billed."""

from datetime import datetime
from zoneinfo import ZoneInfo

from broker.billing.contract import Contract, Pin
from broker.billing.periods import CalendarMonths, FixedLength, Schedule, Span
from broker.billing.price import parse_price
from broker.billing.statement import stretch_of

BERLIN = CalendarMonths(zone=ZoneInfo("Europe/Berlin"))
PRICE = parse_price({"currency": "EUR", "model": "flat", "amount": "1"})


def ms(at: str) -> int:
    return int(datetime.fromisoformat(at).timestamp()) * 1000


def contract(*pins: tuple[str, int], schedule: Schedule = BERLIN) -> Contract:
    """Pinned at these moments, billed under each up to that time."""
    return Contract(
        subscription="grid/meter",
        product="windco/wind",
        buyer="grid",
        seller="windco",
        pins=tuple(
            Pin(
                plan="windco/basic",
                version=number,
                at_ms=ms(at),
                price=PRICE,
                schedule=schedule,
                billed_ms=billed_ms,
            )
            for number, (at, billed_ms) in enumerate(pins, start=1)
        ),
        active=(Span(first_ms=ms(pins[0][0])),),
    )


def terms(*pins: tuple[str, int]) -> list[tuple[int, int, int | None]]:
    return [(term.pin.version, term.first_ms, term.end_ms) for term in contract(*pins).terms()]


DAY = ms("2026-01-16T00:00+01:00")
NOON = ms("2026-01-16T12:00+01:00")


def test_one_pin_holds_for_ever() -> None:
    """The first term has no beginning: what came late from before the activation is its own."""
    assert terms(("2026-01-05T10:00+01:00", 0)) == [(1, 0, None)]


def test_a_term_ends_before_the_day_of_change() -> None:
    """The day of change belongs to the new version, from its midnight on."""
    changed = terms(("2026-01-05T10:00+01:00", 0), ("2026-01-16T18:00+01:00", 0))
    assert changed == [(1, 0, DAY), (2, DAY, None)]


def test_what_was_billed_on_the_day_of_change_stays() -> None:
    """Billed up to noon under the old version: the new one begins at noon."""
    changed = terms(("2026-01-05T10:00+01:00", NOON), ("2026-01-16T18:00+01:00", 0))
    assert changed == [(1, 0, NOON), (2, NOON, None)]


def test_a_version_of_a_few_hours_never_holds() -> None:
    """Of two changes on one day the last one counts."""
    changed = terms(
        ("2026-01-05T10:00+01:00", 0),
        ("2026-01-16T18:00+01:00", 0),
        ("2026-01-16T19:00+01:00", 0),
    )
    assert changed == [(1, 0, DAY), (3, DAY, None)]


def test_a_change_on_the_first_day_leaves_nothing_before_it() -> None:
    """A version replaced on the day of activation never held, and the next has no beginning."""
    changed = terms(("2026-01-16T10:00+01:00", 0), ("2026-01-16T18:00+01:00", 0))
    assert changed == [(2, 0, None)]


def test_a_stretch_ends_with_proof_period_or_term() -> None:
    """What is billed of a period ends where it is proven, and is final where its end is."""
    made = contract(("2026-01-05T10:00+01:00", 0), ("2026-01-16T18:00+01:00", 0))
    old, new = made.terms()
    january = made.period_at(old, ms("2026-01-10T00:00+01:00"))
    february = ms("2026-02-01T00:00+01:00")
    seen = {}
    for name, term, proven in (
        ("early", old, ms("2026-01-10T00:00+01:00")),
        ("old", old, february),
        ("new", new, NOON),
        ("rest", new, february),
    ):
        stretch = stretch_of(made, term, january, proven)
        assert stretch is not None
        seen[name] = (stretch.first_ms, stretch.through_ms, stretch.final)
    assert seen == {
        "early": (0, ms("2026-01-10T00:00+01:00"), False),
        "old": (0, DAY, True),
        "new": (DAY, NOON, False),
        "rest": (DAY, february, True),
    }


def test_nothing_is_billed_before_it_is_proven() -> None:
    """A period that begins at the proven moment or later has no stretch."""
    made = contract(("2026-01-05T10:00+01:00", 0))
    [term] = made.terms()
    january = made.period_at(term, NOON)
    assert stretch_of(made, term, january, january.first_ms) is None


def test_no_period_lies_before_the_first() -> None:
    """Usage older than the subscription falls into the period of its activation."""
    trial = FixedLength(
        anchor_ms=ms("2026-01-05T10:00+00:00"), length_ms=60_000, zone=ZoneInfo("UTC")
    )
    made = contract(("2026-01-05T10:00+00:00", 0), schedule=trial)
    [term] = made.terms()
    period = made.period_at(term, ms("2025-12-01T00:00+00:00"))
    assert period.first_ms == ms("2026-01-05T10:00+00:00")
    stretch = stretch_of(made, term, period, period.end_ms)
    assert stretch is not None
    assert (stretch.first_ms, stretch.active_first_ms) == (0, period.first_ms)
