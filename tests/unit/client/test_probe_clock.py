"""The clock step of `weir client test`: what was not compared is not called well."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from broker.cli.client import api_clock
from broker.client.probe_clock import clock
from broker.client.probe_step import StepFailedError, take

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def dated(request: httpx.Request) -> httpx.Response:
    """An API that tells its clock to anybody."""
    assert request.url.path == "/livez"
    return httpx.Response(200, headers={"Date": "Sun, 01 Mar 2026 12:00:00 GMT"})


def dead(request: httpx.Request) -> httpx.Response:
    """No API."""
    raise httpx.ConnectError("refused", request=request)


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that names an API, and no token."""
    monkeypatch.setenv("WEIR_API_URL", "http://weir.test")
    monkeypatch.delenv("WEIR_TOKEN", raising=False)
    monkeypatch.delenv("WEIR_TOKEN_FILE", raising=False)


@pytest.mark.usefixtures("nobody")
def test_api_clock_needs_no_token(tmp_path: Path) -> None:
    """One who has no token is told the API's time."""
    assert api_clock(str(tmp_path), http=httpx.MockTransport(dated)) == NOON


@pytest.mark.usefixtures("nobody")
def test_dead_api_has_no_clock(tmp_path: Path) -> None:
    """Where nobody answers there is no clock, and no error."""
    assert api_clock(str(tmp_path), http=httpx.MockTransport(dead)) is None


def test_unknown_api_has_no_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no API is known there is no clock, and no error."""
    monkeypatch.delenv("WEIR_API_URL", raising=False)

    assert api_clock(str(tmp_path)) is None


def test_not_compared_is_skipped() -> None:
    """With no clock to ask, the step is neither well nor wrong."""
    (found,) = take([("clock", lambda: clock(lambda: NOON, lambda: None, []))])

    assert found.ok is None
    assert found.words.startswith("not compared")
    assert "WEIR_API_URL" in found.words


def test_skipped_step_does_not_end_the_steps() -> None:
    """What follows a step that could not be tried is tried."""
    skipped = ("clock", lambda: clock(lambda: NOON, lambda: None, []))

    assert [one.ok for one in take([skipped, ("route", lambda: "there")])] == [None, True]


def test_wrong_clock_by_the_api() -> None:
    """A clock that differs from the API's is wrong, by how much and which way."""
    with pytest.raises(StepFailedError, match="180 s behind the API's"):
        clock(lambda: NOON - timedelta(minutes=3), lambda: NOON, [])


def test_broker_goes_before_the_api() -> None:
    """What the broker just said is believed, and the API is not asked."""

    def unasked() -> datetime:
        raise AssertionError

    assert "the broker's" in clock(lambda: NOON, unasked, [NOON])
