"""How a node is reached, for the console and for other nodes.

Not for applications: their thread has no resolver and no pool of threads.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint

from connmon.config import AnyAddress, UnixAddress


def endpoint(reactor: Any, address: AnyAddress, seconds: float) -> Any:
    """What connects to an address, and gives up after so many seconds."""
    if isinstance(address, UnixAddress):
        return UNIXClientEndpoint(reactor, address.path, seconds)
    return HostnameEndpoint(reactor, address.host, address.port, seconds)
