"""The sockets a node listens on, bound before it starts so that failing is one line."""

from __future__ import annotations

import os
import socket
from contextlib import suppress

from connmon.config import Address
from connmon.errors import ConfigError

BACKLOG = 4096
"""Links that may wait to be accepted: a whole fleet that reconnects at once."""


def bind(address: Address) -> list[socket.socket]:
    """Listening sockets for every numeric address of ``address``.

    Raises ``ConfigError`` naming the address and the reason.
    """
    try:
        found = socket.getaddrinfo(
            address.host,
            address.port,
            type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE,
        )
    except (OSError, UnicodeError) as error:
        raise _cannot_listen(address, error) from None
    bound: list[socket.socket] = []
    for family, kind, protocol, _, place in dict.fromkeys(found):
        try:
            bound.append(_listener(family, kind, protocol, place))
        except OSError as error:
            for each in bound:
                each.close()
            raise _cannot_listen(address, error) from None
    return bound


def _listener(family: int, kind: int, protocol: int, place: tuple) -> socket.socket:  # type: ignore[type-arg]
    """One listening socket; raises ``OSError``."""
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # "[::]" means both families; where both have an address, each has its own.
            with suppress(OSError):
                only_v6 = int(place[0] != "::")
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only_v6)
        made.setblocking(False)
        made.bind(place)
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return made


def _cannot_listen(address: Address, error: Exception) -> ConfigError:
    code = getattr(error, "errno", None)
    reason = os.strerror(code) if isinstance(code, int) and code > 0 else str(error)
    return ConfigError(f"cannot listen on {address}: {reason}")
