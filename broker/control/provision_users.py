"""SCRAM users: made and removed while the caller waits."""

from confluent_kafka.admin import (
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from broker.config import KafkaConfig
from broker.control.provision_kafka import NO_SUCH_USER, REQUEST_TIMEOUT_S, Administrator

_MECHANISM = ScramMechanism.SCRAM_SHA_512
# What Kafka's own tools take; the passwords are random, so more would only cost log-in time.
_ITERATIONS = 8_192


class ScramUsers:
    """Implements `ports.Credentials` on Kafka.

    Args:
        config: where Kafka is, as an administrator.
    """

    def __init__(self, config: KafkaConfig) -> None:
        self._config = config
        self._kafka: Administrator | None = None

    def set_password(self, principal: str, password: str) -> None:
        """Create the user or change its password; returns when Kafka has confirmed it.

        Raises:
            LogError: Kafka did not confirm; the password may or may not be set.
        """
        info = ScramCredentialInfo(_MECHANISM, _ITERATIONS)
        upsertion = UserScramCredentialUpsertion(principal, info, password.encode())
        kafka = self._administrator()
        futures = kafka.client.alter_user_scram_credentials(
            [upsertion], request_timeout=REQUEST_TIMEOUT_S
        )
        kafka.results("set the password of", futures)

    def remove(self, principal: str) -> None:
        """Remove the user; no error where there is none.

        Raises:
            LogError: Kafka did not confirm.
        """
        kafka = self._administrator()
        futures = kafka.client.alter_user_scram_credentials(
            [UserScramCredentialDeletion(principal, _MECHANISM)],
            request_timeout=REQUEST_TIMEOUT_S,
        )
        kafka.results("remove user", futures, tolerated=[NO_SUCH_USER])

    def _administrator(self) -> Administrator:
        if self._kafka is None:
            self._kafka = Administrator(self._config)
        return self._kafka
