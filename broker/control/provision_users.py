"""SCRAM users: made and barred while the caller waits.

A user is never removed: it gets a password that nobody knows. Kafka 4.3.1 forgets every credential
at its next start, its administrator's too, where its metadata log holds the removal of a user that
its hash order puts before all others (measured: `acme.b` does it, `acme.d` does not).
"""

import secrets

from confluent_kafka.admin import (
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from broker.config import KafkaConfig
from broker.control.provision_kafka import REQUEST_TIMEOUT_S, Administrator

_MECHANISM = ScramMechanism.SCRAM_SHA_512
# What Kafka's own tools take; the passwords are random, so more would only cost log-in time.
_ITERATIONS = 8_192
# By these, which nobody would choose, a barred user is known.
BARRED_ITERATIONS = 4_099
_PASSWORD_BYTES = 32


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
        self._set(principal, password, _ITERATIONS)

    def bar(self, principal: str) -> None:
        """Give the user a password that nobody knows.

        Raises:
            LogError: Kafka did not confirm.
        """
        self._set(principal, secrets.token_urlsafe(_PASSWORD_BYTES), BARRED_ITERATIONS)

    def _set(self, principal: str, password: str, iterations: int) -> None:
        info = ScramCredentialInfo(_MECHANISM, iterations)
        upsertion = UserScramCredentialUpsertion(principal, info, password.encode())
        kafka = self._administrator()
        futures = kafka.client.alter_user_scram_credentials(
            [upsertion], request_timeout=REQUEST_TIMEOUT_S
        )
        kafka.results("set the password of", futures)

    def _administrator(self) -> Administrator:
        if self._kafka is None:
            self._kafka = Administrator(self._config)
        return self._kafka
