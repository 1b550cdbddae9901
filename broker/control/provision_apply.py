"""Apply: each action of a plan on Kafka, one kind at a time, in the plan's order."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from broker.control.provision_kafka import (
    HAS_PARTITIONS,
    REQUEST_TIMEOUT_S,
    TOPIC_EXISTS,
    UNKNOWN_TOPIC,
    Administrator,
)
from broker.control.provision_observed import OPERATIONS, PRINCIPAL, RESOURCES
from broker.control.provision_users import ScramUsers
from broker.control.provision_values import (
    Acl,
    Action,
    AddAcl,
    BarUser,
    CreateTopic,
    DeleteTopic,
    DropAcl,
    RaisePartitions,
    SetConfig,
    WantedTopic,
)
from broker.errors import LogError

_RESOURCE_TYPES = {name: kind for kind, name in RESOURCES.items()}
_OPERATION_TYPES: dict[str, AclOperation] = {name: kind for kind, name in OPERATIONS.items()}


def apply(kafka: Administrator, users: ScramUsers, actions: Sequence[Action]) -> list[LogError]:
    """Do them all; what has been done by somebody else meanwhile is as good.

    One that Kafka refuses does not hold up the others: they may be another organisation's.

    Args:
        kafka: as an administrator.
        users: bars SCRAM users.
        actions: of a plan; `EndProduct` is not for Kafka and is passed over.

    Returns:
        What Kafka refused or did not answer.
    """
    refusals: list[LogError] = []
    for step in _steps(kafka, users, actions):
        try:
            step()
        except LogError as error:
            refusals.append(error)
    return refusals


def _steps(
    kafka: Administrator, users: ScramUsers, actions: Sequence[Action]
) -> Iterator[Callable[[], None]]:
    dropped = [one.acl for one in actions if isinstance(one, DropAcl)]
    # Topics first: their ACLs cut a connected client at once, those of groups do not.
    yield partial(_drop_acls, kafka, [acl for acl in dropped if acl.resource == "topic"])
    yield partial(_drop_acls, kafka, [acl for acl in dropped if acl.resource != "topic"])
    for action in actions:
        match action:
            case BarUser(principal):
                yield partial(users.bar, principal)
            case CreateTopic(topic):
                # One at a time: weir.usage must be there before weir.control, by which we know
                # that both were.
                yield partial(_create_topic, kafka, topic)
            case RaisePartitions():
                yield partial(_raise_partitions, kafka, action)
            case SetConfig():
                yield partial(_set_config, kafka, action)
    yield partial(_add_acls, kafka, [one.acl for one in actions if isinstance(one, AddAcl)])
    yield partial(
        _delete_topics, kafka, [one.topic for one in actions if isinstance(one, DeleteTopic)]
    )


def _create_topic(kafka: Administrator, wanted: WantedTopic) -> None:
    new = NewTopic(
        wanted.name,
        num_partitions=wanted.partitions,
        replication_factor=-1,
        config=dict(wanted.config),
    )
    futures = kafka.client.create_topics([new], request_timeout=REQUEST_TIMEOUT_S)
    kafka.results("create topic", futures, tolerated=[TOPIC_EXISTS])


def _raise_partitions(kafka: Administrator, action: RaisePartitions) -> None:
    new = NewPartitions(action.topic, action.partitions)
    futures = kafka.client.create_partitions([new], request_timeout=REQUEST_TIMEOUT_S)
    # Metadata may still show the old number after they were raised.
    kafka.results("raise partitions of", futures, tolerated=[HAS_PARTITIONS])


def _set_config(kafka: Administrator, action: SetConfig) -> None:
    resource = ConfigResource(
        ResourceType.TOPIC,
        action.topic,
        incremental_configs=[
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
            for name, value in action.config
        ],
    )
    futures = kafka.client.incremental_alter_configs([resource], request_timeout=REQUEST_TIMEOUT_S)
    kafka.results("settings of", futures)


def _add_acls(kafka: Administrator, acls: Iterable[Acl]) -> None:
    bindings = [AclBinding(*_binding(acl)) for acl in acls]
    if bindings:
        futures = kafka.client.create_acls(bindings, request_timeout=REQUEST_TIMEOUT_S)
        kafka.results("allow", futures)


def _drop_acls(kafka: Administrator, acls: Iterable[Acl]) -> None:
    filters = [AclBindingFilter(*_binding(acl)) for acl in acls]
    if filters:
        futures = kafka.client.delete_acls(filters, request_timeout=REQUEST_TIMEOUT_S)
        kafka.results("disallow", futures)


def _delete_topics(kafka: Administrator, names: Sequence[str]) -> None:
    if names:
        futures = kafka.client.delete_topics(list(names), request_timeout=REQUEST_TIMEOUT_S)
        kafka.results("delete topic", futures, tolerated=[UNKNOWN_TOPIC])


def _binding(
    acl: Acl,
) -> tuple[ResourceType, str, ResourcePatternType, str, str, AclOperation, AclPermissionType]:
    return (
        _RESOURCE_TYPES[acl.resource],
        acl.name,
        ResourcePatternType.PREFIXED if acl.prefixed else ResourcePatternType.LITERAL,
        f"{PRINCIPAL}{acl.principal}",
        "*",
        _OPERATION_TYPES[acl.operation],
        AclPermissionType.ALLOW,
    )
