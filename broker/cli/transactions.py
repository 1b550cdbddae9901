"""`weir transactions`: transactions that stay open, and how to end one that hangs."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from broker.cli.groups import Group
from broker.cli.progress import progress
from broker.cli.terminal import visible
from broker.config import KafkaConfig, home_from, kafka_config
from broker.errors import InvalidFieldError, NotFoundError, UnavailableError

if TYPE_CHECKING:
    from confluent_kafka.admin import ClusterMetadata

    from broker.local.transactions import Transaction

_ASK_TIMEOUT_S = 15
_home = click.option(
    "--home", metavar="DIR", help="Home of the exchange; default $WEIR_HOME or .weir."
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(cls=Group)
def transactions() -> None:
    """Kafka transactions that stay open.

    They hold every read_committed reader up.
    """


@transactions.command("list")
@click.option("--topic", help="Only what is open in one partition of this topic.")
@click.option("--partition", type=click.IntRange(0), help="Of --topic.")
@_home
@_json
def list_(topic: str | None, partition: int | None, home: str | None, *, as_json: bool) -> None:
    """Show open transactions, oldest first, and what would end each. Takes some seconds.

    A transaction that no coordinator means to end is shown once it is a minute old; name its
    partition to see a younger one.

    Exits 0, also if there are some.
    """
    from broker.clock import SystemClock
    from broker.local.transactions import open_in, open_transactions
    from broker.local.transactions_tool import TransactionsTool

    if (topic is None) != (partition is None):
        raise InvalidFieldError("--partition", "goes with --topic; give both, or neither")
    kafka = kafka_config(home_from(os.environ, home))
    now_ms = int(SystemClock().now().timestamp() * 1_000)
    tool = TransactionsTool(kafka)
    with progress(f"asking Kafka at {kafka.bootstrap} for open transactions"):
        if topic is not None and partition is not None:
            _check(kafka, topic, partition)
            found = open_in(tool, topic, partition, now_ms=now_ms)
        else:
            found = open_transactions(tool, sorted(_cluster(kafka).brokers), now_ms=now_ms)
    click.echo(json.dumps([asdict(one) for one in found], indent=1) if as_json else _words(found))


@transactions.command()
@click.option("--topic", required=True)
@click.option("--partition", required=True, type=click.IntRange(0))
@click.option("--start-offset", required=True, type=click.IntRange(0), help="As `list` shows it.")
@click.option("--even-if-young", is_flag=True, help="Before its timeout has passed.")
@click.option(
    "--no-commit-marker",
    is_flag=True,
    help="You have looked: no partition of it holds a COMMIT marker.",
)
@_home
@_json
def abort(
    topic: str,
    partition: int,
    start_offset: int,
    home: str | None,
    *,
    even_if_young: bool,
    no_commit_marker: bool,
    as_json: bool,
) -> None:
    """End a transaction that hangs, so that readers get past it.

    Where its coordinator has it, the coordinator fences its producer and aborts it in every
    partition. Otherwise this one partition gets an ABORT marker. Never one that was committed.

    Exits 0 when it is aborted; 2 if there is none, or it may not be aborted.
    """
    from broker.clock import SystemClock
    from broker.local.transactions import Told
    from broker.local.transactions import abort as run
    from broker.local.transactions_tool import TransactionsTool

    kafka = kafka_config(home_from(os.environ, home))
    with progress(f"looking at the transaction in {topic}/{partition} at {start_offset}"):
        _check(kafka, topic, partition)
        done = run(
            TransactionsTool(kafka),
            topic,
            partition,
            start_offset,
            told=Told(even_if_young=even_if_young, no_commit_marker=no_commit_marker),
            now_ms=int(SystemClock().now().timestamp() * 1_000),
        )
    if as_json:
        click.echo(json.dumps(asdict(done), indent=1))
    elif done.remedy == "terminate":
        who = _shown(done.transaction.transactional_id)
        click.echo(f"{who}: its producer is fenced, aborted in every partition of it")
    else:
        where = f"{topic}/{partition} at offset {start_offset}"
        click.echo(f"{where}: ABORT marker written, into this partition only; list shows others")


def _check(kafka: KafkaConfig, topic: str, partition: int) -> None:
    """Ask first: of a topic that does not exist the tool asks without pause until its time-out."""
    found = _cluster(kafka).topics
    if topic not in found or partition not in found[topic].partitions:
        raise NotFoundError("partition", f"{topic}/{partition}")


def _cluster(kafka: KafkaConfig) -> "ClusterMetadata":
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    from broker.log.kafka_errors import LIBRDKAFKA

    try:
        return AdminClient(kafka.client(), logger=LIBRDKAFKA).list_topics(timeout=_ASK_TIMEOUT_S)
    except KafkaException as error:
        raise UnavailableError(f"Kafka at {kafka.bootstrap}: {error.args[0].str()}") from error


def _words(found: "Sequence[Transaction]") -> str:
    lines = []
    for one in found:
        age = "-" if one.age_s is None else f"{one.age_s:.0f} s"
        timeout = "-" if one.timeout_s is None else f"{one.timeout_s:.0f} s"
        lines.append(
            f"{_shown(one.transactional_id)}  producer {one.producer_id}  epoch {one.epoch}  "
            f"{one.state}  age {age}  timeout {timeout}  remedy {one.remedy}"
        )
        lines += [
            f"  {place.topic}/{place.partition}  start offset "
            f"{'-' if place.start_offset is None else place.start_offset}"
            for place in one.places
        ]
    return "\n".join(lines) or "no transaction is open"


def _shown(transactional_id: str | None) -> str:
    return "-" if transactional_id is None else visible(transactional_id)
