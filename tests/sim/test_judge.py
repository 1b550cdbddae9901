"""The judge notices: each of its comparisons fails where the router breaks that rule."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from broker.domain.reasons import Reason
from broker.domain.segment import Refused, Undeliverable
from broker.flow import meter, route, weigh
from broker.flow.batch import Enforced
from broker.log.ports import Headers, Records
from tests.sim.checks import BrokenError
from tests.sim.world import TOPIC, World

_quarantined = route._quarantined


def _without_headers(_headers: Headers | None) -> int:
    return 0


def _nothing(_records: Records) -> int:
    return 0


def _one_more(subscription: str, records: int, billed_bytes: int) -> Undeliverable:
    return Undeliverable(subscription, records, billed_bytes + 1)


def _one_reason(enforced: Enforced) -> tuple[Refused, ...]:
    count = len(enforced.refusals)
    return (Refused(Reason.WRONG_MAGIC_BYTE, count),) if count else ()


def _none(_enforced: Enforced) -> tuple[Refused, ...]:
    return ()


def _rewritten(name: str, change: Callable[[bytes], bytes]) -> Callable[..., Records]:
    def quarantined(*args: Any) -> Records:
        records = _quarantined(*args)
        headers = [
            [(key, change(value or b"") if key == name else value) for key, value in one or ()]
            for one in records.headers
        ]
        return replace(records, headers=headers)

    return quarantined


def _twice(*args: Any) -> Records:
    records = _quarantined(*args)
    return records.take([index for index in range(len(records)) for _ in range(2)])


def _bare(*args: Any) -> Records:
    records = _quarantined(*args)
    return replace(records, headers=[None] * len(records))


def _one_further(source: bytes) -> bytes:
    place, _, offset = source.rpartition(b"/")
    return place + b"/%d" % (int(offset) + 100)


def _another_topic(source: bytes) -> bytes:
    return source.replace(TOPIC.encode(), b"product.acme.other")


def _truncated(_reason: bytes) -> bytes:
    return b"truncated-header"


@pytest.mark.parametrize(
    ("module", "name", "broken", "noticed"),
    [
        (weigh, "header_bytes", _without_headers, "read .* records and bytes"),
        (meter, "billed_bytes", _nothing, r"(deliveries|undeliverable) \{"),
        (meter, "Undeliverable", _one_more, r"undeliverable \{"),
        (meter, "_refused", _one_reason, "refused .*, quarantined"),
        (meter, "_refused", _none, "refused .*, quarantined"),
        (route, "_quarantined", _twice, "is there 2 times"),
        (route, "_quarantined", _bare, "headers None"),
        (route, "_quarantined", _rewritten("weir-reason", _truncated), "refused .*, quarantined"),
        (route, "_quarantined", _rewritten("weir-source", _another_topic), "a source that is not"),
        (route, "_quarantined", _rewritten("weir-source", _one_further), "refused .*, quarantined"),
        (route, "_measured", lambda *_: [], "copies "),
    ],
    ids=[
        "headers are not weighed",
        "part of a batch is free",
        "one byte more undeliverable",
        "one reason for all",
        "refusals are not counted",
        "copied twice",
        "copied without headers",
        "another reason in the copy",
        "another source topic",
        "another source offset",
        "too large, without its measure",
    ],
)
def test_broken_rule_is_noticed(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, broken: Any, noticed: str
) -> None:
    """A router that miscounts or mislabels is stopped at the step that shows it."""
    monkeypatch.setattr(module, name, broken)
    world = World(1, workers=1)
    with pytest.raises(BrokenError, match=noticed):
        world.run(400, [World.produce, World.produce, World.bar])
