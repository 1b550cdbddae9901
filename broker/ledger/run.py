"""Run: the ledger as a process, from waiting for its services to leaving its group."""

import structlog

from broker.config import Connections
from broker.health import health_server
from broker.ledger.app import ledger_app
from broker.ledger.start import wait_for_tables, wait_for_topic
from broker.log.kafka import KafkaLog
from broker.metrics import LEDGER
from broker.store.base import engine
from broker.streams import run

_PATIENCE_S = 120.0
_STOP_S = 15.0

_log = structlog.get_logger(__name__)


def run_ledger(connections: Connections, *, instance: str, metrics_port: int) -> None:
    """Apply segments until SIGTERM or SIGINT. Blocks; the process must end soon after.

    Raises:
        UnavailableError: Kafka or PostgreSQL are not there, or stay away; nothing is lost.
    """
    database = engine(connections.database_url)
    log = KafkaLog(connections.kafka)
    app, source = ledger_app(log, database, instance=instance)
    with health_server(
        metrics_port, live=source.stalled, ready=source.not_ready, measured=LEDGER
    ) as port:
        _log.info("ledger starts", instance=instance, metrics_port=port)
        wait_for_tables(database, patience_s=_PATIENCE_S)
        wait_for_topic(log, patience_s=_PATIENCE_S)
        run(app, [source], stop_timeout_s=_STOP_S)
    database.dispose()
