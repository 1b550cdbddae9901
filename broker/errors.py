"""Every error of ours, and whose fault it is.

WeirError
├── UserError                    exit 2
│   ├── InvalidFieldError        422  names the field, the rule, the remedy
│   ├── UnauthenticatedError     401  no token, or one that is unknown, expired or revoked
│   ├── ForbiddenError           403  the token is good, the act is not its holder's to do
│   ├── NotFoundError            404  an absent object and another tenant's look the same
│   ├── ConflictError            409  wrong state, or an idempotency key with another body
│   └── PreconditionError        412  the object changed since it was read (ETag)
└── OperatingError               exit 1, 503
    ├── LogError                 Kafka said no
    │   ├── LogTimeoutError      outcome unknown: rebuild the clients
    │   ├── LogAbortableError    abort the transaction, seek back, try again
    │   ├── FencedError          another worker owns it, or fatal: rebuild the clients
    │   ├── OffsetOutOfRangeError below the log's start, or beyond its end: compare with the start
    │   └── TopicUnwritableError one topic cannot be written
    ├── DeliveryUnwritableError  one subscription waits, the others go on
    ├── PoisonedBatchError       the batch belongs to an assignment that has ended: abort it
    ├── ChainBrokenError         a checkpoint or segment does not follow on: that partition stops
    ├── CoverageHoleError        a segment is missing: that partition stops, an alarm is raised
    ├── ControlLogError          the control log has a hole or a differing repeat
    ├── SetupError               something embedded cannot be fetched, started or stopped
    └── UnavailableError         a service we need does not answer in time
"""

from typing import ClassVar


class WeirError(Exception):
    """Root of every error that Weir raises on purpose."""

    exit_code: ClassVar[int] = 1
    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"


class UserError(WeirError):
    """The caller asked for something that cannot be done as asked."""

    exit_code = 2
    status = 400
    slug = "bad-request"
    title = "Bad request"


class InvalidFieldError(UserError):
    """A field breaks a rule.

    Args:
        field: path as the caller wrote it, e.g. `price.tiers[1].up_to`.
        rule: the rule, with the value that broke it, and what to do about it.
    """

    status = 422
    slug = "invalid-field"
    title = "Invalid field"

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}" if field else rule)
        self.field = field
        self.rule = rule


class UnauthenticatedError(UserError):
    """The caller did not prove who it is."""

    status = 401
    slug = "unauthenticated"
    title = "Unauthenticated"


class ForbiddenError(UserError):
    """The caller is known but may not do this."""

    status = 403
    slug = "forbidden"
    title = "Forbidden"


class NotFoundError(UserError):
    """There is no such object, or none that the caller may see.

    Args:
        kind: what was looked for, e.g. `product`.
        name: how it was named.
    """

    status = 404
    slug = "not-found"
    title = "Not found"

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{kind} {name}: there is none that you may see; check its name")
        self.kind = kind
        self.name = name


class ConflictError(UserError):
    """The object's state does not allow this."""

    status = 409
    slug = "conflict"
    title = "Conflict"


class PreconditionError(UserError):
    """The object changed since the caller read it (If-Match)."""

    status = 412
    slug = "precondition-failed"
    title = "Precondition failed"


class OperatingError(WeirError):
    """Something that Weir needs does not work; the caller did nothing wrong."""

    status = 503
    slug = "unavailable"
    title = "Unavailable"


class LogError(OperatingError):
    """Kafka refused or failed."""


class LogTimeoutError(LogError):
    """A call to Kafka passed its deadline; whether it took effect is unknown."""


class LogAbortableError(LogError):
    """The transaction must be aborted; the clients may be kept."""


class FencedError(LogError):
    """Fenced by a newer owner, or another fatal error: the clients must be rebuilt."""


class OffsetOutOfRangeError(LogError):
    """A partition has no such offset; it reads nothing until the caller seeks.

    Below the log's start (retention took it) and beyond its end (another log under this name) look
    the same to a client: compare `offset` with the log's start.

    Args:
        topic: its name.
        partition: its number.
        offset: where reading stood, or -1 where the client does not know.
    """

    def __init__(self, topic: str, partition: int, offset: int) -> None:
        super().__init__(
            f"topic {topic}, partition {partition}: offset {offset} is not in the log; "
            "compare it with the log's start and seek"
        )
        self.topic = topic
        self.partition = partition
        self.offset = offset


class TopicUnwritableError(LogError):
    """One topic cannot be written (deleted, no ACL, too large a record).

    Args:
        topic: its name.
        why: what Kafka said.
    """

    def __init__(self, topic: str, why: str) -> None:
        super().__init__(f"topic {topic}: cannot be written ({why})")
        self.topic = topic
        self.why = why


class DeliveryUnwritableError(OperatingError):
    """A delivery topic cannot be written: its subscription alone is held back.

    Args:
        subscription: its id.
        topic: its delivery topic.
    """

    def __init__(self, subscription: str, topic: str) -> None:
        super().__init__(f"subscription {subscription}: delivery topic {topic} cannot be written")
        self.subscription = subscription
        self.topic = topic


class PoisonedBatchError(OperatingError):
    """The batch was polled under an assignment that has ended; it must not be committed."""


class ChainBrokenError(OperatingError):
    """A checkpoint and the segment it names disagree."""


class CoverageHoleError(OperatingError):
    """A segment of a chain is missing, or differs from the one already applied."""


class ControlLogError(OperatingError):
    """The control log has a hole, or two different events under one seq."""


class SetupError(OperatingError):
    """Something embedded could not be fetched, started or stopped."""


class UnavailableError(OperatingError):
    """A service did not answer within its deadline."""
