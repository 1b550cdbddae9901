"""What the control plane needs of Kafka at once, while a caller waits for the answer.

Everything else (topics, ACLs) is reconciled later, from the tables.
"""

from typing import Protocol


class Credentials(Protocol):
    """SCRAM users of Kafka. Passwords are held by Kafka (as verifiers) and by nobody else."""

    def set_password(self, principal: str, password: str) -> None:
        """Create the user or change its password; returns when Kafka has confirmed it.

        Raises:
            LogError: Kafka did not confirm; the password may or may not be set.
        """
