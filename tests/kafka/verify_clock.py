"""A clock that a test moves, so that months pass as it says."""

from datetime import UTC, datetime


class MovedClock:
    """Stands still until a test moves it."""

    def __init__(self, at: str) -> None:
        self.go(at)

    def go(self, at: str) -> None:
        """Move to an ISO moment."""
        self.ms = int(datetime.fromisoformat(at).timestamp() * 1000)

    def now_ms(self) -> int:
        return self.ms

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.ms / 1000, UTC)

    def monotonic(self) -> float:
        return self.ms / 1000
