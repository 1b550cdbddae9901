"""Watch: how far behind each partition is, and whether its topic is still the one it was."""

from broker import metrics
from broker.alarms import Alarm
from broker.domain.policy import Policy
from broker.errors import LogTimeoutError
from broker.flow.clients import Clients
from broker.flow.partitions import products_by_topic
from broker.flow.settings import LaneSettings
from broker.flow.unstable import Unstable
from broker.log.ports import Reader, TopicPartition


def watch(
    clients: Clients,
    policy: Policy,
    reader: Reader,
    unstable: Unstable,
    *,
    now_s: float,
    settings: LaneSettings,
) -> None:
    """Lag of each routable partition into the metrics; recreated topics are stopped.

    Args:
        clients: whose partitions.
        policy: in force.
        reader: reads uncommitted.
        unstable: told of what waits behind open transactions.
        now_s: of the monotonic clock.
        settings: bounds of the questions and of the wait.

    Raises:
        LogTimeoutError: a partition lags and has not moved for `stall_max_s`.
    """
    products = products_by_topic(policy)
    ids = reader.topic_ids(
        sorted({tp.topic for tp in clients.partitions.routable()}),
        timeout_s=settings.request_timeout_s,
    )
    for tp in clients.partitions.routable():
        if ids.get(tp.topic) != products[tp.topic].topic_id:
            stop_recreated(clients, tp, ids.get(tp.topic))
            continue
        chain = clients.partitions.chains[tp]
        log = clients.consumer.offsets(tp, timeout_s=settings.request_timeout_s)
        # Transaction markers after the last record are no lag: the end was seen there.
        at_end = clients.partitions.ends.get(tp, -1) >= log.last_stable
        lag = 0 if at_end else max(0, log.last_stable - chain.next_offset)
        labels = {"product": products[tp.topic].id, "partition": str(tp.partition)}
        metrics.LAG_RECORDS.labels(**labels).set(lag)
        clients.progress.note(tp, chain.next_offset, lag, now_s)
        if unstable.due(tp, now_s):
            end = reader.offsets(tp, timeout_s=settings.request_timeout_s).last_stable
            unstable.note(tp, log.last_stable, end, now_s)
    clients.progress.keep(clients.partitions.routable())
    unstable.keep(clients.partitions.routable())
    stalled = clients.progress.stalled(now_s, settings.stall_max_s)
    if stalled is not None:
        raise LogTimeoutError(f"{stalled}: lags without progress")


def stop_recreated(clients: Clients, tp: TopicPartition, actual: str | None) -> None:
    """Stop a partition whose topic is not the one that was provisioned; `actual`: its id."""
    why = f"the policy names another topic than the one that is there, {actual}"
    clients.partitions.stop(tp, Alarm.TOPIC_RECREATED, why)
