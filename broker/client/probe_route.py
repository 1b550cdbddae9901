"""Probe, first part: is there a way to the port, and what does it speak?

Said before any Kafka client is asked, since those retry what fails here without a word.
"""

import socket
import ssl
from dataclasses import dataclass
from typing import Literal, TypeAlias

Speaks: TypeAlias = Literal["tls", "plaintext"]
_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Address:
    """One host and port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def addresses(bootstrap: str) -> list[Address]:
    """Those of `host:port[,…]`; one without a port has Kafka's own, 9092.

    >>> addresses("a:1, b")
    [Address(host='a', port=1), Address(host='b', port=9092)]
    """
    found = []
    for part in bootstrap.split(","):
        host, colon, port = part.strip().rpartition(":")
        found.append(Address(host, int(port)) if colon else Address(part.strip(), 9092))
    return found


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
