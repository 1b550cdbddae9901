"""Errors as Confluent's clients read them: `{"error_code": 40401, "message": …}`.

The first three digits are the HTTP status. A client tells cases apart by the code, so each has a
class of its own here; the errors of `broker.errors` get the code of their status.
"""

from typing import ClassVar

from broker.errors import ConflictError, InvalidFieldError, NotFoundError


class SubjectNotFoundError(NotFoundError):
    """There is no such subject, or none that the caller may see."""

    error_code: ClassVar[int] = 40401

    def __init__(self, subject: str) -> None:
        super().__init__("subject", subject)


class VersionNotFoundError(NotFoundError):
    """The subject has no such version."""

    error_code: ClassVar[int] = 40402

    def __init__(self, subject: str, version: int | str) -> None:
        super().__init__("version", f"{subject} {version}")


class SchemaNotFoundError(NotFoundError):
    """No schema has this id, or none that the caller may read; or the subject lacks the schema."""

    error_code: ClassVar[int] = 40403

    def __init__(self, name: str) -> None:
        super().__init__("schema", name)


class SubjectDeletedError(NotFoundError):
    """The subject was deleted already."""

    error_code: ClassVar[int] = 40404

    def __init__(self, subject: str) -> None:
        super().__init__("subject", f"{subject} (deleted already; permanent=true hides it)")


class SubjectNotDeletedError(NotFoundError):
    """A subject is deleted before it is deleted for good."""

    error_code: ClassVar[int] = 40405

    def __init__(self, subject: str) -> None:
        super().__init__("deleted subject", f"{subject} (delete it first, then permanently)")


class VersionDeletedError(NotFoundError):
    """The version was deleted already."""

    error_code: ClassVar[int] = 40406

    def __init__(self, subject: str, version: int | str) -> None:
        super().__init__("version", f"{subject} {version} (deleted already)")


class VersionNotDeletedError(NotFoundError):
    """A version is deleted before it is deleted for good."""

    error_code: ClassVar[int] = 40407

    def __init__(self, subject: str, version: int | str) -> None:
        super().__init__(
            "deleted version", f"{subject} {version} (delete it first, then permanently)"
        )


class LevelNotFoundError(NotFoundError):
    """The subject has no compatibility level of its own."""

    error_code: ClassVar[int] = 40408

    def __init__(self, subject: str) -> None:
        super().__init__("compatibility level of subject", subject)


class AssociationNotFoundError(NotFoundError):
    """No product or subscription of the caller's has this topic; clients fall back to its name."""

    error_code: ClassVar[int] = 40401

    def __init__(self, topic: str) -> None:
        super().__init__("association of topic", topic)


class IncompatibleSchemaError(ConflictError):
    """The schema breaks the subject's compatibility level; says where and how."""

    error_code: ClassVar[int] = 409


class InvalidSchemaError(InvalidFieldError):
    """The schema breaks a rule; `field` is the place in it."""

    error_code: ClassVar[int] = 42201


class InvalidVersionError(InvalidFieldError):
    """A version is `latest` or a number from 1."""

    error_code: ClassVar[int] = 42202


class InvalidLevelError(InvalidFieldError):
    """A compatibility level is one of seven words."""

    error_code: ClassVar[int] = 42203


class InvalidModeError(InvalidFieldError):
    """A mode is one of five words, of which READWRITE alone holds here."""

    error_code: ClassVar[int] = 42204


class UnsupportedError(InvalidFieldError):
    """The registry does not do this."""

    error_code: ClassVar[int] = 42205
