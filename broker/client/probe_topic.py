"""Probe, last part: may the account read this topic in this group, may it write that one?"""

import time
from datetime import UTC, datetime

import confluent_kafka as ck
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from broker.client.probe_step import StepFailedError, Told
from broker.config import KafkaConfig
from broker.log.kafka_errors import LIBRDKAFKA

_TIMEOUT_S = 10.0
_POLL_S = 0.1
_COORDINATOR_COMES = {
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.NOT_COORDINATOR,
}
_TOPIC_REFUSED = {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED}


def read(config: KafkaConfig, topic: str, group: str) -> str:
    """Read what there is, or come to the end; in words.

    Raises:
        StepFailedError: no right to the topic or the group, or no such topic.
    """
    client = ck.Consumer(
        {
            **config.client(),
            "group.id": group,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "error_cb": Told(),
        },
        logger=LIBRDKAFKA,
    )
    try:
        partitions = _partitions(client, config, topic, "read")
        _check_group(config, group)
        client.assign([ck.TopicPartition(topic, number) for number in range(partitions)])
        deadline = time.monotonic() + _TIMEOUT_S
        while time.monotonic() < deadline:
            message = client.poll(_POLL_S)
            if message is None:
                continue
            error = message.error()
            if error is None:
                return f"{topic} can be read in group {group}; there are records in it"
            if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                return f"{topic} can be read in group {group}"
            raise StepFailedError(_no_right(config, topic, "read", error))
        raise StepFailedError(f"{topic}: neither a record nor its end came in {_TIMEOUT_S:.0f} s")
    finally:
        client.close()


def _check_group(config: KafkaConfig, group: str) -> None:
    # Asked of the administration: a consumer that may not use its group only runs into time-outs.
    client = AdminClient({**config.client(), "error_cb": Told()}, logger=LIBRDKAFKA)
    deadline = time.monotonic() + _TIMEOUT_S
    while (error := _group_error(client, group)) is not None:
        if error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
            prefix = config.username.partition(".")[0] + "."
            raise StepFailedError(
                f"group {group}: {config.username} may not use it; its groups begin with {prefix}: "
                f"set group.id to {prefix}reader, for example"
            )
        # On a cluster that never had a group, its coordinator is only now being made.
        if error.code() not in _COORDINATOR_COMES or time.monotonic() > deadline:
            raise StepFailedError(f"group {group}: cannot be used ({error.name()}: {error.str()})")
        time.sleep(_POLL_S)


def _group_error(client: AdminClient, group: str) -> KafkaError | None:
    future = client.describe_consumer_groups([group], request_timeout=_TIMEOUT_S)[group]
    try:
        future.result(_TIMEOUT_S + 1)
    except KafkaException as error:
        refusal: KafkaError = error.args[0]
        return refusal
    return None


def write(config: KafkaConfig, topic: str, transactional_id: str, appended: list[datetime]) -> str:
    """Write one record in a transaction, and abort it; in words.

    Args:
        config: where Kafka is, under the client's own account.
        topic: where to.
        transactional_id: of the transaction.
        appended: is given the broker's append time of that record.

    Raises:
        StepFailedError: no right to the topic, or no such topic.
    """
    errors: list[KafkaError] = []

    def report(error: KafkaError | None, message: ck.Message) -> None:
        if error is not None:
            errors.append(error)
            return
        kind, at_ms = message.timestamp()
        if kind == ck.TIMESTAMP_LOG_APPEND_TIME:
            appended.append(datetime.fromtimestamp(at_ms / 1000, UTC))

    client = ck.Producer(
        {
            **config.client(),
            "transactional.id": transactional_id,
            "transaction.timeout.ms": int(_TIMEOUT_S * 1000),
            "delivery.timeout.ms": int(_TIMEOUT_S * 1000),
            "error_cb": Told(),
        },
        logger=LIBRDKAFKA,
    )
    try:
        _partitions(client, config, topic, "write")
        client.init_transactions(_TIMEOUT_S)
        client.begin_transaction()
        client.produce(topic, b"weir client test", on_delivery=report)
        client.flush(_TIMEOUT_S)
        client.abort_transaction(_TIMEOUT_S)
    except KafkaException as error:
        errors.append(error.args[0])
    except SystemError as error:
        # The library raises a fatal error before it calls the next callback, which then trips.
        if not isinstance(error.__cause__, KafkaException):
            raise
        errors.append(error.__cause__.args[0])
    if errors:
        raise StepFailedError(_no_right(config, topic, "write", errors[0]))
    return f"{topic} can be written (one record, in a transaction that was aborted)"


def _partitions(
    client: ck.Consumer | ck.Producer, config: KafkaConfig, topic: str, act: str
) -> int:
    """How many the topic has.

    Raises:
        StepFailedError: it is not there, or not for us.
    """
    known = client.list_topics(topic, timeout=_TIMEOUT_S).topics[topic]
    if known.error is not None:
        raise StepFailedError(_no_right(config, topic, act, known.error))
    return len(known.partitions)


def _no_right(config: KafkaConfig, topic: str, act: str, error: KafkaError) -> str:
    said = error.str()
    if error.code() in _TOPIC_REFUSED or "authorization failed" in said:
        what = (
            "a buyer's account reads its own delivery topics (`weir subscription show` says which, "
            "and whether it is active)"
            if act == "read"
            else "an account with the role producer or both writes its own organisation's "
            "products (`weir product show` says which topic, and whether it is published)"
        )
        return f"{topic}: {config.username} has no right to {act} it; {what}"
    if error.code() in {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC}:  # noqa: SLF001
        return f"{topic}: there is no such topic; check its name"
    return f"{topic}: cannot {act} it ({said})"
