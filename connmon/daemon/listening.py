"""The sockets a node listens on, bound before it starts so that failing is one line."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from connmon.config import Address
from connmon.errors import ConfigError

BACKLOG = 4096
"""Links that may wait to be accepted: a whole fleet that reconnects at once."""


#: A name may have addresses that this machine lacks: ::1 where there is no IPv6.
_LACKING = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def bind(
    address: Address, resolve: Callable[..., Any] = socket.getaddrinfo
) -> list[socket.socket]:
    """Listening sockets for every numeric address of ``address`` that is ours.

    Raises ``ConfigError`` naming the address and the reason.
    """
    try:
        found = resolve(
            address.host,
            address.port,
            type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE,
        )
    except (OSError, UnicodeError) as error:
        raise _cannot_listen(address, error) from None
    bound: list[socket.socket] = []
    lacking: OSError | None = None
    for family, kind, protocol, _, place in dict.fromkeys(found):
        try:
            bound.append(_listener(family, kind, protocol, place))
        except OSError as error:
            if error.errno in _LACKING:
                lacking = error
                continue
            for each in bound:
                each.close()
            raise _cannot_listen(address, error) from None
    if lacking is not None and not bound:
        raise _cannot_listen(address, lacking)
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
    if isinstance(error, socket.gaierror):  # whose numbers are not the system's
        reason = error.strerror
    elif isinstance(error, OSError) and error.errno:
        reason = os.strerror(error.errno)
    else:
        reason = str(error)
    return ConfigError(f"cannot listen on {address}: {reason}")
