"""Room: what one batch set may still take."""

from dataclasses import replace

from broker.domain.policy import ProductRule
from broker.flow.settings import LaneSettings
from broker.flow.weigh import billed_bytes
from broker.log.ports import Fetched


class Room:
    """Counts down from a share of the bounds in `settings`; something is always taken.

    Args:
        settings: the bounds of a whole set.
        share: above 0, at most 1.
    """

    def __init__(self, settings: LaneSettings, share: float) -> None:
        self._output_records = max(1, int(settings.output_records_max * share))
        self._output_bytes = max(1, int(settings.output_max_bytes * share))
        self._decode_bytes = max(1, int(settings.decode_max_bytes * share))

    @property
    def full(self) -> bool:
        """Whether nothing more is to be taken."""
        return min(self._output_records, self._output_bytes, self._decode_bytes) <= 0

    def take(self, fetched: Fetched, product: ProductRule) -> tuple[Fetched, int, Fetched | None]:
        """The part that fits, at least one record; its bytes; and the rest if there is one."""
        records = fetched.records
        fan_out = max(1, len(product.active()))
        decoded = product.validation == "full"
        size_bytes = billed_bytes(records)
        room_bytes = self._output_bytes // fan_out
        if decoded:
            room_bytes = min(room_bytes, self._decode_bytes)
        count = min(len(records), self._output_records // fan_out)
        if size_bytes > room_bytes:
            count = min(count, len(records) * room_bytes // size_bytes)
        count = max(1, count)
        kept, rest = fetched, None
        if count < len(records):
            next_offset = records.offsets[count]
            fits = records.slice(0, count)
            kept = Fetched(
                fetched.partition, fits, next_offset=next_offset, position=fetched.position
            )
            left = records.slice(count, len(records))
            rest = replace(fetched, records=left, position=next_offset)
            size_bytes = billed_bytes(fits)
        self._output_bytes -= size_bytes * fan_out
        self._output_records -= len(kept.records) * fan_out
        if decoded:
            self._decode_bytes -= size_bytes
        return kept, size_bytes, rest
