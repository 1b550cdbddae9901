"""A SCRAM user is barred, and never removed."""

from types import SimpleNamespace
from typing import Any

from confluent_kafka.admin import UserScramCredentialUpsertion

from broker.config import KafkaConfig
from broker.control.provision_observed import _users
from broker.control.provision_users import ScramUsers


class Kafka:
    """Remembers what was asked of the administrator, and answers as a broker would."""

    def __init__(self) -> None:
        self.client = self
        self.altered: list[Any] = []

    def alter_user_scram_credentials(self, changes: list[Any], **_: Any) -> dict[str, Any]:
        """Keep them."""
        self.altered += changes
        return {}

    def describe_user_scram_credentials(self, **_: Any) -> dict[str, Any]:
        """The last of each user."""
        return {
            one.user: SimpleNamespace(scram_credential_infos=[one.scram_credential_info])
            for one in self.altered
        }

    def results(self, *_: Any) -> None:
        """All went well."""

    def result(self, _: str, future: Any) -> Any:
        """What was answered."""
        return future


def test_user_is_barred_by_a_password_that_nobody_knows() -> None:
    """Kafka would forget every credential at its next start over some names that were removed."""
    kafka: Any = Kafka()
    users = ScramUsers(KafkaConfig(bootstrap="kafka:1", username="u", password="p"))
    users._kafka = kafka

    users.set_password("acme.a", "known")
    users.set_password("acme.b", "known")
    users.bar("acme.b")

    assert all(isinstance(one, UserScramCredentialUpsertion) for one in kafka.altered)
    assert kafka.altered[-1].password != b"known"
    assert _users(kafka) == {"acme.a"}
