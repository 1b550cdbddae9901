"""Tail: the policy at the end of `weir.control`.

Readers accept byte-identical repeats, refuse different ones and stop at a hole.
"""

from hashlib import sha256

from broker import metrics
from broker.alarms import Alarm, clear_alarm, raise_alarm
from broker.avro.codec import decode_event
from broker.domain.names import CONTROL_TOPIC
from broker.domain.policy import Policy
from broker.errors import ControlLogError, InvalidFieldError, LogTimeoutError
from broker.log.ports import Reader, TopicPartition

_CONTROL = TopicPartition(CONTROL_TOPIC, 0)
_EVENTS_MAX = 1_000
_READS_MAX = 10_000


class PolicyTail:
    """Follows the control log; `policy` is the frozen value as of the last `advance`."""

    def __init__(self, reader: Reader) -> None:
        self.policy = Policy()
        self._reader = reader
        self._next_offset = 0
        self._seen: dict[int, bytes] = {}
        self._confirmed_s: float | None = None

    def age_s(self, now_s: float) -> float:
        """Since the log's end was last confirmed; infinite before the first time."""
        return float("inf") if self._confirmed_s is None else now_s - self._confirmed_s

    def advance(self, *, now_s: float, timeout_s: float) -> Policy:
        """Read to the end of the log as it is now.

        Args:
            now_s: the monotonic clock when the call was made; the policy is as old as that.
            timeout_s: bounds each read.

        Raises:
            ControlLogError: a hole, two different events under one seq, or one that this version
                does not know; an alarm stands until a later call gets past it.
            LogTimeoutError: the end was not reached.
        """
        try:
            policy = self._read_on(now_s, timeout_s)
        except ControlLogError as error:
            raise_alarm(Alarm.CONTROL_LOG, CONTROL_TOPIC, str(error))
            raise
        clear_alarm(Alarm.CONTROL_LOG, CONTROL_TOPIC)
        return policy

    def _read_on(self, now_s: float, timeout_s: float) -> Policy:
        for _ in range(_READS_MAX):
            fetched = self._reader.read(
                _CONTROL, self._next_offset, records_max=_EVENTS_MAX, timeout_s=timeout_s
            )
            for value in fetched.records.values:
                self._apply(value or b"")
            self._next_offset = fetched.next_offset
            if fetched.at_end:
                self._confirmed_s = now_s
                metrics.POLICY_SEQ.set(self.policy.seq)
                return self.policy
            if not fetched.records:
                break
        raise LogTimeoutError(f"{CONTROL_TOPIC}: its end was not reached within {timeout_s} s")

    def _apply(self, value: bytes) -> None:
        try:
            control = decode_event(value)
        except InvalidFieldError as error:
            why = f"what follows seq {self.policy.seq} is no event that this version knows"
            raise ControlLogError(f"control log: {why} ({error})") from error
        digest = sha256(value).digest()
        seen = self._seen.get(control.seq)
        if seen is None:
            self.policy = self.policy.apply(control)
            self._seen[control.seq] = digest
        elif seen != digest:
            raise ControlLogError(f"control log: two different events under seq {control.seq}")
