"""Probe, first part: is there a way to the port, and what does it speak?

Said before any Kafka client is asked, since those retry what fails here without a word.
"""

import socket
import ssl
from dataclasses import dataclass
from typing import Literal, TypeAlias

from broker.errors import InvalidFieldError

Speaks: TypeAlias = Literal["tls", "plaintext"]
_TIMEOUT_S = 3.0
_KAFKA_PORT = 9092
_PORT_MAX = 65_535


@dataclass(frozen=True, slots=True)
class Address:
    """One host and port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def addresses(bootstrap: str, *, field: str = "--bootstrap") -> list[Address]:
    """Those of `host:port[,…]`; one without a port has Kafka's own, 9092.

    `field` is what named them.

    >>> addresses("a:1, b")
    [Address(host='a', port=1), Address(host='b', port=9092)]
    >>> addresses("[::1]:9092")
    [Address(host='::1', port=9092)]

    Raises:
        InvalidFieldError: a part is no host and port.
    """
    return [_address(part.strip(), field) for part in bootstrap.split(",")]


def _address(part: str, field: str) -> Address:
    host, colon, port = part.rpartition(":")
    if not colon or part.endswith("]"):
        host, port = part, str(_KAFKA_PORT)
    digits = port.isascii() and port.isdecimal() and len(port) <= len(str(_PORT_MAX))
    if not host.strip("[]") or not digits or not 1 <= int(port) <= _PORT_MAX:
        raise InvalidFieldError(
            field, f"must be host:port[,…], ports 1 to {_PORT_MAX}, has {part!r}"
        )
    return Address(host.removeprefix("[").removesuffix("]"), int(port))


def no_route(address: Address) -> str | None:
    """Why no connection can be made, in words; None if it can."""
    try:
        with socket.create_connection((address.host, address.port), timeout=_TIMEOUT_S):
            return None
    except socket.gaierror:
        return f"{address.host} is not a known name here: check its spelling and your DNS"
    except ConnectionRefusedError:
        return (
            f"{address}: nothing listens there: check the port, and that the exchange is up "
            "(`weir status`)"
        )
    except TimeoutError:
        return (
            f"{address}: no answer in {_TIMEOUT_S:.0f} s: a firewall or route in between drops "
            "the connection"
        )
    except OSError as error:
        return f"{address}: cannot be reached ({error.strerror or error})"


def speaks(address: Address) -> Speaks:
    """Whether the port answers a TLS greeting.

    Raises:
        OSError: no connection can be made.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # What the port speaks is asked here; whether its certificate is good, the client asks.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection((address.host, address.port), timeout=_TIMEOUT_S) as raw:
        try:
            with context.wrap_socket(raw, server_hostname=address.host):
                return "tls"
        except ssl.SSLError as error:
            # A TLS server that refuses us (it wants a certificate of ours) says so in TLS.
            return "tls" if "ALERT" in str(error.reason or "") else "plaintext"
        except OSError:
            return "plaintext"
