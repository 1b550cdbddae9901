"""What a router may be told: bounds and deadlines. Change the size of a transaction here."""

from dataclasses import dataclass

from broker.errors import InvalidFieldError
from broker.log.ports import TRANSACTION_TIMEOUT_S

MIB = 1024 * 1024
_OF_A_TRANSACTION = (
    "send_timeout_s",
    "topic_ids_timeout_s",
    "policy_check_timeout_s",
    "flush_timeout_s",
    "offsets_timeout_s",
    "commit_timeout_s",
)


@dataclass(frozen=True, kw_only=True)
class LaneSettings:
    """Bounds of one lane. The deadlines of one transaction add up to less than its time-out."""

    records_max: int = 25_000
    # Of all deliveries together: a quarter of what a producer's queue takes.
    output_records_max: int = 250_000
    output_max_bytes: int = 32 * MIB
    # Of records that are decoded (validation full): the dearest take a second a MiB.
    decode_max_bytes: int = 4 * MIB
    poll_timeout_s: float = 0.1
    # One transaction, from its first record on: send (the whole set), the check of topic ids and of
    # the policy, flush, send_offsets and commit must end before the broker gives the transaction
    # up, or its outcome would be unknown each time.
    send_timeout_s: float = 3.0
    topic_ids_timeout_s: float = 1.5
    policy_check_timeout_s: float = 1.0
    flush_timeout_s: float = 3.5
    offsets_timeout_s: float = 2.0
    commit_timeout_s: float = 3.5
    # A crashed owner's transaction blocks committed() until the broker has given it up.
    recover_timeout_s: float = 25.0
    request_timeout_s: float = 5.0
    close_timeout_s: float = 5.0
    policy_interval_s: float = 0.1
    policy_age_max_s: float = 5.0
    hold_s: float = 5.0
    lag_interval_s: float = 2.0
    stall_max_s: float = 45.0
    # A producer's transaction that holds up what stands behind it, before that is an alarm.
    open_transaction_max_s: float = 30.0
    clock_skew_max_ms: int = 5 * 60 * 1000
    # Far below the retention of weir.usage, so that no checkpoint's segment expires.
    keepalive_ms: int = 12 * 60 * 60 * 1000

    def __post_init__(self) -> None:
        for name in ("records_max", "output_records_max", "output_max_bytes", "decode_max_bytes"):
            if getattr(self, name) < 1:
                raise InvalidFieldError(name, f"must be at least 1, is {getattr(self, name)}")
        together_s = sum(getattr(self, name) for name in _OF_A_TRANSACTION)
        if together_s >= TRANSACTION_TIMEOUT_S:
            raise InvalidFieldError(
                " + ".join(_OF_A_TRANSACTION),
                f"must be less than {TRANSACTION_TIMEOUT_S} s, after which the broker gives a "
                f"transaction up; is {together_s}",
            )
