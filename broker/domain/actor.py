"""Actor: on whose behalf something is done. History rows name it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts.

    Args:
        name: how history names it: `operator`, `system`, or `token <id>`.
        organisation: whose objects it may see and change; None sees and changes all.
    """

    name: str
    organisation: str | None = None

    def owns(self, organisation: str) -> bool:
        """Whether it may act for this organisation."""
        return self.organisation is None or self.organisation == organisation


OPERATOR = Actor("operator")
SYSTEM = Actor("system")
