"""The HTTP side of a process without an API."""

import httpx

from broker.health import health_server
from broker.metrics import ROUTER


def test_health_says_why_not() -> None:
    """Livez and readyz answer 200, or 503 with the reason; metrics are in Prometheus' format."""
    with health_server(
        0, live=lambda: None, ready=lambda: "waiting for Kafka", measured=ROUTER
    ) as port:
        base = f"http://127.0.0.1:{port}"
        live, ready = httpx.get(f"{base}/livez"), httpx.get(f"{base}/readyz")
        metrics, absent = httpx.get(f"{base}/metrics"), httpx.get(f"{base}/nothing")
    assert (live.status_code, live.text) == (200, "ok\n")
    assert (ready.status_code, ready.text) == (503, "waiting for Kafka\n")
    assert "# TYPE" in metrics.text
    assert absent.status_code == 404
