"""Observed: what Kafka reports of topics, their settings, ACLs and SCRAM users."""

from collections.abc import Iterable, Sequence
from typing import Any

import confluent_kafka as ck
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
)

from broker.control.provision_kafka import REQUEST_TIMEOUT_S, UNKNOWN_TOPIC, Administrator
from broker.control.provision_users import BARRED_ITERATIONS
from broker.control.provision_values import (
    OURS,
    Acl,
    Desired,
    FoundTopic,
    Observed,
    Operation,
    Resource,
)
from broker.log.kafka_topics import canonical_id

PRINCIPAL = "User:"
RESOURCES: dict[Any, Resource] = {
    ResourceType.TOPIC: "topic",
    ResourceType.GROUP: "group",
    ResourceType.TRANSACTIONAL_ID: "transactional_id",
}
OPERATIONS: dict[Any, Operation] = {
    AclOperation.READ: "read",
    AclOperation.WRITE: "write",
    AclOperation.DESCRIBE: "describe",
}


def observe(kafka: Administrator, desired: Desired) -> Observed:
    """Ask for everything that `desired` is compared to.

    Args:
        kafka: as an administrator.
        desired: says which settings matter, and which topics may go when they are empty.

    Raises:
        LogError: Kafka does not answer, or refuses.
    """
    metadata = kafka.metadata()
    names = sorted(name for name in metadata.topics if name.startswith(OURS))
    ids = topic_ids(kafka, names)
    configs = _configs(kafka, sorted(ids.keys() & desired.topics.keys()))
    topics = {
        name: FoundTopic(
            partitions=len(metadata.topics[name].partitions),
            topic_id=ids[name],
            config=configs.get(name, {}),
        )
        for name in ids
    }
    acls, foreign = _acls(kafka)
    endings = [one.topic for one in desired.endings if one.topic in topics]
    return Observed(
        topics=topics,
        acls=acls,
        foreign_acls=foreign,
        users=_users(kafka),
        empty=frozenset(
            name for name in endings if _is_empty(kafka, name, topics[name].partitions)
        ),
    )


def topic_ids(kafka: Administrator, names: Sequence[str]) -> dict[str, str]:
    """UUID of each topic that exists, canonical form with hyphens.

    Raises:
        LogError: Kafka does not answer.
    """
    if not names:
        return {}
    futures = kafka.client.describe_topics(
        ck.TopicCollection(list(names)), request_timeout=REQUEST_TIMEOUT_S
    )
    found = kafka.results("describe topic", futures, tolerated=[UNKNOWN_TOPIC])
    return {name: canonical_id(one.topic_id) for name, one in found.items()}


def _configs(kafka: Administrator, names: Iterable[str]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    if not resources:
        return {}
    futures = kafka.client.describe_configs(resources, request_timeout=REQUEST_TIMEOUT_S)
    found = kafka.results("settings of", futures, tolerated=[UNKNOWN_TOPIC])
    return {
        resource.name: {name: str(entry.value) for name, entry in entries.items()}
        for resource, entries in found.items()
    }


def _acls(kafka: Administrator) -> tuple[frozenset[Acl], tuple[str, ...]]:
    """Those that we could have made, and the words of others that reach our topics."""
    everything = AclBindingFilter(
        ResourceType.ANY,
        None,
        ResourcePatternType.ANY,
        None,
        None,
        AclOperation.ANY,
        AclPermissionType.ANY,
    )
    future = kafka.client.describe_acls(everything, request_timeout=REQUEST_TIMEOUT_S)
    acls, foreign = set(), []
    for binding in kafka.result("ACLs", future):
        acl = _acl(binding)
        if acl is not None:
            acls.add(acl)
        elif _threatens(binding):
            foreign.append(
                f"{binding.principal} from {binding.host} may {binding.operation.name.lower()} "
                f"topic {binding.name} ({binding.resource_pattern_type.name.lower()})"
            )
    return frozenset(acls), tuple(sorted(foreign))


def _acl(binding: AclBinding) -> Acl | None:
    resource = RESOURCES.get(binding.restype)
    operation = OPERATIONS.get(binding.operation)
    usual = binding.host == "*" and binding.permission_type is AclPermissionType.ALLOW
    principal = str(binding.principal)
    if resource is None or operation is None or not usual or not principal.startswith(PRINCIPAL):
        return None
    prefixed = binding.resource_pattern_type is ResourcePatternType.PREFIXED
    name = principal.removeprefix(PRINCIPAL)
    return Acl(name, resource, str(binding.name), operation, prefixed)


def _threatens(binding: AclBinding) -> bool:
    return (
        binding.permission_type is AclPermissionType.ALLOW
        and binding.restype is ResourceType.TOPIC
        and str(binding.name).startswith((*OURS, "*"))
    )


def _users(kafka: Administrator) -> frozenset[str]:
    future = kafka.client.describe_user_scram_credentials(request_timeout=REQUEST_TIMEOUT_S)
    found = kafka.result("SCRAM users", future)
    return frozenset(
        name
        for name, user in found.items()
        if any(info.iterations != BARRED_ITERATIONS for info in user.scram_credential_infos)
    )


def _is_empty(kafka: Administrator, topic: str, partitions: int) -> bool:
    """Whether retention has taken every record."""
    ends = (kafka.offsets(topic, number) for number in range(partitions))
    return all(end.start == end.last_stable for end in ends)
