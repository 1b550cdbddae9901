"""The HTTP side of a process that serves no API: `/metrics`, `/livez`, `/readyz`.

`/livez` answers 503 when the process had better be restarted, `/readyz` when it is not (yet) doing
its work; each says why in one line.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry

from broker.errors import SetupError
from broker.metrics import exposition

Check = Callable[[], str | None]
"""None if all is well, else why not, in a sentence."""

_REQUEST_TIMEOUT_S = 5.0


@contextmanager
def health_server(
    port: int,
    *,
    live: Check,
    ready: Check,
    measured: CollectorRegistry,
    host: str = "127.0.0.1",
) -> Iterator[int]:
    """Serve from a thread while the block runs; gives the port (0 asks for a free one).

    `live` and `ready` are called in the server's threads: they read, never wait. `measured` holds
    the process's own metrics.

    Raises:
        SetupError: the port is taken, or not ours to take.
    """
    try:
        server = ThreadingHTTPServer((host, port), _handler(live, ready, measured))
    except OSError as error:
        raise SetupError(
            f"metrics: {host}:{port} cannot be listened on ({error.strerror}); choose another "
            "--metrics-port"
        ) from error
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="health", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(
    live: Check, ready: Check, measured: CollectorRegistry
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _REQUEST_TIMEOUT_S

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                self._answer(200, exposition(measured), CONTENT_TYPE_LATEST)
            elif path in ("/livez", "/readyz"):
                why = live() if path == "/livez" else ready()
                self._answer(503 if why else 200, f"{why or 'ok'}\n".encode(), "text/plain")
            else:
                self._answer(404, b"try /metrics, /livez or /readyz\n", "text/plain")

        def _answer(self, status: int, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
            """Say nothing: scrapes are no events."""

    return Handler
