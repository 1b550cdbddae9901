"""What the API may answer instead, and whose fault it is.

ApiError
├── RefusedError             exit 2
│   ├── InvalidRequestError  400, 413, 422  `field` names what is wrong
│   ├── UnauthenticatedError 401
│   ├── ForbiddenError       403
│   ├── NotFoundError        404  an absent object and another tenant's look the same
│   ├── ConflictError        409
│   └── ChangedError         412  the object changed since it was read
└── ServiceError             exit 1
    ├── UnavailableError     503, after a bounded number of attempts
    └── UnreachableError     nobody answers at the address
"""

from dataclasses import dataclass

from broker.errors import WeirError


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """RFC 9457 problem details, as received.

    Args:
        status: of the HTTP answer; 0 where there was none.
        slug: kind of problem, the last part of `type`.
        detail: what is wrong and what to do.
        field: the field at fault, as the caller wrote it.
        request_id: names this attempt to whoever runs the API.
    """

    status: int
    slug: str
    detail: str
    field: str | None
    request_id: str


class ApiError(WeirError):
    """Root of what a call can end in."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem

    @property
    def status_code(self) -> int:
        """Status of the HTTP answer; 0 where there was none."""
        return self.problem.status

    @property
    def field(self) -> str | None:
        """The field at fault."""
        return self.problem.field

    @property
    def request_id(self) -> str:
        """Names this attempt to whoever runs the API."""
        return self.problem.request_id


class RefusedError(ApiError):
    """The request cannot be done as asked."""

    exit_code = 2


class InvalidRequestError(RefusedError):
    """A field breaks a rule; `field` names it."""


class UnauthenticatedError(RefusedError):
    """No token, or one that is unknown, expired or revoked."""


class ForbiddenError(RefusedError):
    """The token is good, the act is not its holder's to do."""


class NotFoundError(RefusedError):
    """There is no such object, or none that the token's holder may see."""


class ConflictError(RefusedError):
    """The object's state does not allow this, or the name is taken."""


class ChangedError(RefusedError):
    """The object changed since it was read."""


class ServiceError(ApiError):
    """The caller did nothing wrong."""


class UnavailableError(ServiceError):
    """Something the API needs does not work; every attempt was answered so."""


class UnreachableError(ServiceError):
    """Nobody answers at the API's address."""


_BY_STATUS: dict[int, type[ApiError]] = {
    401: UnauthenticatedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    412: ChangedError,
    503: UnavailableError,
}
_FIRST_OF_SERVER = 500
_FIRST_OF_CALLER = 400


def error_of(problem: Problem) -> ApiError:
    """The error that stands for this problem.

    >>> type(error_of(Problem(status=409, slug="", detail="", field=None, request_id=""))).__name__
    'ConflictError'
    """
    known = _BY_STATUS.get(problem.status)
    if known is not None:
        return known(problem)
    if _FIRST_OF_CALLER <= problem.status < _FIRST_OF_SERVER:
        return InvalidRequestError(problem)
    return ServiceError(problem)
