"""The recount's exchange on a broker of its own, with the machine's clock."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from confluent_kafka.admin import AdminClient, NewTopic
from psycopg import sql

from broker.clock import SystemClock
from broker.local.kafka import TESTING, EmbeddedKafka
from broker.local.postgres import EmbeddedPostgres
from broker.log.kafka import KafkaLog
from broker.store.base import engine
from broker.store.migrate import migrate

from .verify_exchange import Exchange


@contextmanager
def kafka_exchange(home: Path, postgres: EmbeddedPostgres) -> Iterator[Exchange]:
    """On a broker of its own, so that weir.control and weir.usage hold this exchange alone."""
    name = f"verify_{secrets.token_hex(6)}"
    admin_url = postgres.database_url.replace("+psycopg", "")
    with psycopg.connect(admin_url, autocommit=True) as session:
        session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = f"{postgres.database_url.removesuffix('/weir')}/{name}"
    migrate(url)
    database = engine(url)
    with EmbeddedKafka(home, jvm=TESTING) as kafka:
        log = KafkaLog(kafka.config)
        made = Exchange(log, database, SystemClock(), KafkaTopics(kafka).create)
        made.config = kafka.config
        yield made
        made.close()
    database.dispose()


class KafkaTopics:
    """Creates topics, and waits until everybody has heard of them."""

    def __init__(self, kafka: EmbeddedKafka) -> None:
        self._admin = AdminClient(kafka.config.client())
        self._log = KafkaLog(kafka.config)

    def create(self, name: str, partitions: int, append_time: bool) -> str:  # noqa: FBT001  a port
        config = {"message.timestamp.type": "LogAppendTime"} if append_time else {}
        topic = NewTopic(name, partitions, 1, config=config)
        self._admin.create_topics([topic])[name].result(30)
        reader = self._log.reader(committed=True)
        try:
            for _ in range(300):
                known = reader.topic_ids([name], timeout_s=30)
                if name in known and reader.partitions(name, timeout_s=30) == partitions:
                    return known[name]
                time.sleep(0.1)  # bounded: metadata spread after the answer
        finally:
            reader.close()
        raise AssertionError(f"topic {name} was created and never seen")
