"""`weir serve`: the API and the registry, and what runs beside them in the same process.

    /v1  /registry  /metrics  /livez  /readyz
    relay       outbox ─▶ weir.control            one of all replicas, by an advisory lock
    provision   tables ─▶ topics, ACLs            one of all replicas, by an advisory lock
    expiry      terms that are over
    closing     periods that have ended ─▶ closes
    billing     closes that are proven ─▶ invoices
    tidy        idempotency keys past their time

Ready means: the database answers, both topics of the exchange exist, and no control event waits.
"""

import signal
import socket
import threading
from collections.abc import Callable

import structlog
import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from broker.api.app import create_app
from broker.api.health import Check, health_router
from broker.api.idempotency import purge
from broker.api.security import authenticate
from broker.api.services import Services
from broker.billing.due import request_due
from broker.billing.ending import ledger_drained
from broker.billing.runner import settle_proven
from broker.clock import SystemClock
from broker.config import Connections
from broker.control import subscriptions
from broker.control.background import Background, Task, every
from broker.control.provision import Provisioner
from broker.control.relay import Relay
from broker.control.status import outbox_age_s
from broker.control.tokens import sha256
from broker.domain.names import CONTROL_TOPIC, USAGE_TOPIC
from broker.errors import LogError, SetupError
from broker.log.kafka import KafkaLog
from broker.log.ports import Log
from broker.registry.app import registry_app
from broker.registry.services import RegistryServices
from broker.store.base import engine
from broker.store.migrate import migrate

_OUTBOX_AGE_MAX_S = 5.0
_EXPIRY_S = 1.0
_BILLING_S = 0.5
_CLOSING_S = 10.0
_TIDY_S = 600.0
_GRACE_S = 10
_STOP_TIMEOUT_S = 12.0
_TOPICS_TIMEOUT_S = 3.0
_log = structlog.get_logger()


def serve(where: Connections, *, host: str, port: int) -> None:
    """Migrate, then serve until SIGTERM or SIGINT. Blocks.

    Raises:
        SetupError: the address is taken.
        OperatingError: the database does not answer, or a task kept failing: start again.
    """
    with _listening(host, port) as listener:
        migrate(where.database_url)
        # Two pools: a task that waits for a lock takes no connection from a request.
        requests, tasks = engine(where.database_url), engine(where.database_url)
        try:
            _serve(where, requests, tasks, listener)
        finally:
            requests.dispose()
            tasks.dispose()


def build_app(services: Services, *, live: Check, ready: dict[str, Check]) -> FastAPI:
    """The whole app: `/v1`, `/registry` and health."""
    app = create_app(services)
    registry = RegistryServices(
        sessions=services.sessions,
        authenticate=lambda token: authenticate(services, token).actor,
        clock=services.clock,
    )
    app.mount("/registry", registry_app(registry))
    app.include_router(health_router(live=live, ready=ready))
    return app


def _serve(where: Connections, requests: Engine, tasks: Engine, listener: socket.socket) -> None:
    clock = SystemClock()
    log = KafkaLog(where.kafka)
    provisioner = Provisioner(tasks, where.kafka)
    services = Services(
        sessions=sessionmaker(requests, expire_on_commit=False),
        clock=clock.now,
        log=log,
        credentials=provisioner.users,
        operator_sha256=sha256(where.operator_token) if where.operator_token else None,
    )
    gave_up = threading.Event()
    app = build_app(
        services,
        live=lambda: "a background task keeps failing" if gave_up.is_set() else None,
        ready={
            "database": _database_check(services.sessions),
            "topics": TopicsCheck(log),
            "control log": _outbox_check(services),
        },
    )
    # limits: 64 KiB of headers is h11's own; a request that sends nothing for 30 s is ended.
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=_GRACE_S,
            timeout_keep_alive=30,
            server_header=False,
        )
    )

    def give_up() -> None:
        gave_up.set()
        server.should_exit = True

    background = Background(_tasks(services, tasks, log, provisioner), give_up=give_up)
    # uvicorn raises the signal again when it has stopped; this process then ends in order.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    background.start()
    _log.info("serving", address=listener.getsockname()[:2])
    try:
        server.run(sockets=[listener])
    finally:
        background.stop(timeout_s=_STOP_TIMEOUT_S)
    if gave_up.is_set():
        raise SetupError("serve: a background task kept failing; its alarm says which and why")


def _tasks(services: Services, tasks: Engine, log: Log, provisioner: Provisioner) -> list[Task]:
    sessions = sessionmaker(tasks, expire_on_commit=False)

    def expire() -> None:
        with sessions.begin() as session:
            subscriptions.expire_due(session, now=services.clock())

    usage = log.reader(committed=True)  # of the billing task alone

    def drained() -> bool:
        with sessions() as session:
            return ledger_drained(usage, session)

    def bill() -> None:
        settle_proven(sessions, clock=services.clock, drained=drained)

    def close() -> None:
        request_due(sessions, now=services.clock())

    return [
        Task("relay", Relay(tasks, log, clock=services.clock).run),
        Task("provision", lambda stop: provisioner.run(stop, clock=services.clock)),
        Task("expiry", every(_EXPIRY_S, expire)),
        Task("closing", every(_CLOSING_S, close)),
        Task("billing", every(_BILLING_S, bill)),
        Task("tidy", every(_TIDY_S, lambda: purge(services))),
    ]


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=128)
    except OSError as error:
        raise SetupError(
            f"serve: {host}:{port} cannot be listened on ({error.strerror}); choose another --port"
        ) from error


def _database_check(sessions: sessionmaker[Session]) -> Check:
    def check() -> str | None:
        try:
            with sessions() as session:
                session.execute(text("SELECT 1"))
        except SQLAlchemyError as error:
            return f"does not answer ({type(error).__name__})"
        return None

    return check


def _outbox_check(services: Services) -> Callable[[], str | None]:
    def check() -> str | None:
        try:
            with services.sessions() as session:
                age_s = outbox_age_s(session, now=services.clock())
        except SQLAlchemyError:
            return "unknown without the database"
        if age_s > _OUTBOX_AGE_MAX_S:
            return f"an event has waited {age_s:.0f} s to be published"
        return None

    return check


class TopicsCheck:
    """Whether the exchange's own topics exist; asked until they do."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._seen = False

    def __call__(self) -> str | None:
        """None once they were seen."""
        if self._seen:
            return None
        reader = self._log.reader(committed=True)
        try:
            missing = [
                topic
                for topic in (CONTROL_TOPIC, USAGE_TOPIC)
                if not reader.partitions(topic, timeout_s=_TOPICS_TIMEOUT_S)
            ]
        except LogError as error:
            return str(error)
        finally:
            reader.close()
        self._seen = not missing
        return f"{', '.join(missing)} not made yet" if missing else None
