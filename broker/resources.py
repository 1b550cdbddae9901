"""Files that ship with the code: `schemas/` and `deploy/`, in a checkout or an installed wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource(*parts: str) -> Path:
    """Path of a shipped file, e.g. `resource("schemas", "Segment.avsc")`."""
    checkout = _PACKAGE.parent.joinpath(*parts)
    return checkout if checkout.exists() else _PACKAGE.joinpath("_data", *parts)


def schema_texts(name: str) -> list[str]:
    """Every schema that records of our own topics were ever written with: the present one first.

    Earlier ones stand in `schemas/past/<name>-<n>.avsc`, for as long as the topics keep a record.
    """
    past = sorted(resource("schemas", "past").glob(f"{name}-*.avsc"))
    return [path.read_text() for path in (resource("schemas", f"{name}.avsc"), *past)]
