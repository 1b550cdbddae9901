"""A proxy in the environment is for what lies outside."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from broker.client import Client

ME = {"name": "operator", "role": "operator", "organisation": None}


class Answer(BaseHTTPRequestHandler):
    """Answers every request with who asks."""

    def do_GET(self) -> None:
        """Who asks."""
        body = json.dumps(ME).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_asked_without_a_proxy(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The API of one's own exchange answers, though the environment names a proxy for all."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name)
    for name in ("HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with Client(f"http://{host}:{server.server_port}", "hush", pause=lambda _: None) as client:
            assert client.me().name == "operator"
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
