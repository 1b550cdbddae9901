"""The Python client of `/v1`, which the command and the demo use too.

Owns requests, attempts, errors and values. Does not own the words of the command (`cli`), nor
anything of the server: it knows the API as any other client does.

    client = Client("http://127.0.0.1:8080", token)
    for subscription in client.subscriptions.list():
        ...
"""

from broker.client.api import Client
from broker.client.errors import (
    ApiError,
    ChangedError,
    ConflictError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    Problem,
    RefusedError,
    ServiceError,
    UnauthenticatedError,
    UnavailableError,
    UnreachableError,
)

__all__ = [
    "ApiError",
    "ChangedError",
    "Client",
    "ConflictError",
    "ForbiddenError",
    "InvalidRequestError",
    "NotFoundError",
    "Problem",
    "RefusedError",
    "ServiceError",
    "UnauthenticatedError",
    "UnavailableError",
    "UnreachableError",
]
