"""An exchange that does not answer is told of soon, in one sentence."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine

from broker.cli.verify import verify
from broker.config import CONNECTIONS_FILE, Connections, KafkaConfig
from broker.errors import LogTimeoutError, OperatingError, UnavailableError
from broker.log.memory import MemoryLog
from broker.verify import recount as module
from broker.verify.recount import recount, recount_log

from .conftest import Exchange

LIMIT_S = 5.0


class Asked:
    """A reader that notes each question with its limit; answers none while `stopped`."""

    def __init__(self, reader: Any, asked: list[tuple[str, float]], *, stopped: bool) -> None:
        self._reader, self._asked, self._stopped = reader, asked, stopped

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._reader, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if "timeout_s" in kwargs:
                self._asked.append((name, kwargs["timeout_s"]))
                if self._stopped:
                    raise LogTimeoutError(f"{name}: Local: Broker transport failure")
            done = method(*args, **kwargs)
            return Asked(done, self._asked, stopped=self._stopped) if name == "beside" else done

        return call


class AskedLog(MemoryLog):
    """A log whose readers note what they are asked."""

    stopped = True
    asked: list[tuple[str, float]]

    def reader(self, *, committed: bool) -> Any:
        return Asked(super().reader(committed=committed), self.asked, stopped=self.stopped)


def asked_of(exchange: Exchange, *, stopped: bool) -> AskedLog:
    """The exchange's log, with its readers noted."""
    log = exchange.log
    log.__class__ = AskedLog
    assert isinstance(log, AskedLog)
    log.stopped, log.asked = stopped, []
    return log


def test_first_question_is_short(exchange: Exchange) -> None:
    """Where no broker answers, one question is asked, and not for long."""
    log = asked_of(exchange, stopped=True)
    with pytest.raises(LogTimeoutError, match=r"^Kafka does not answer within [\d.]+ s$"):
        recount_log(log, exchange.database)
    ((_, timeout_s),) = log.asked
    assert timeout_s < LIMIT_S


def test_later_questions_keep_their_limit(exchange: Exchange) -> None:
    """A broker that answers may take its time over the rest."""
    exchange.produce(3)
    exchange.route()
    log = asked_of(exchange, stopped=False)
    assert recount_log(log, exchange.database, ledger_wait_s=0).agrees
    assert log.asked[0][1] < LIMIT_S
    assert {timeout_s for _, timeout_s in log.asked[1:]} == {20.0}


def test_no_database(exchange: Exchange, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A database that does not answer is an error of ours, not one of its library."""
    absent = create_engine(f"sqlite:///{tmp_path}/no/such.db")
    monkeypatch.setattr(module, "KafkaLog", lambda _config: exchange.log)
    monkeypatch.setattr(module, "engine", lambda _url: absent)
    config = Connections(
        kafka=KafkaConfig(bootstrap="x:1", username="", password=""),
        database_url="",
        api_url=None,
        operator_token=None,
    )
    with pytest.raises(UnavailableError, match=r"^PostgreSQL does not answer$"):
        recount(config)


def test_command_says_that_nothing_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One sentence: what does not answer, that nothing runs in this home, what starts it."""
    stored = {
        "kafka": {"bootstrap": "x:1", "username": "", "password": ""},
        "database_url": "postgresql://x",
    }
    (tmp_path / CONNECTIONS_FILE).write_text(json.dumps(stored))

    def silent(*_args: Any, **_kwargs: Any) -> None:
        raise LogTimeoutError("Kafka does not answer within 3 s")

    monkeypatch.setattr("broker.cli.verify.recount", silent)
    done = CliRunner().invoke(verify, ["--home", str(tmp_path)])
    assert isinstance(done.exception, OperatingError)
    assert str(done.exception) == (
        f"nothing runs in {tmp_path} (Kafka does not answer within 3 s); "
        f"`weir up --home {tmp_path}` starts it"
    )
    assert done.output == ""
