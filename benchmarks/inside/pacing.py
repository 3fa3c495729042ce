"""Uses a pool at a pace and counts its own bytes; ordered about by ``benchmarks.wire``.

The bytes are the kernel's count for the socket that leads to the node, so nothing
stands between, and retransmissions and closings are not missed.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections import deque
from contextlib import suppress
from typing import Any

from benchmarks.inside.serving import serve
from benchmarks.inside.subjects import Setting, Watched, watched

_TCP_INFO = 11
_RECEIVED, _SEGMENTS, _SENT = 128, 136, 200
"""Where Linux has bytes received, segments out and in, and bytes sent."""

TICK = 0.01
"""Seconds between two bursts of checkouts."""

_KEPT: list[Watched] = []


def make(setting: dict[str, Any]) -> None:
    """Make connmon's engine, and open every connection of its pool."""
    _KEPT.append(watched("connmon", Setting(**setting)))
    connect = _KEPT[0].engine.pool.connect
    for connection in [connect() for _ in range(setting["pool_size"])]:
        connection.close()


def pace(rate: float, seconds: float, held: int) -> int:
    """Check out so often a second, ``held`` connections being out at each moment.

    The answer is how many checkouts there were.
    """
    connect = _KEPT[0].engine.pool.connect
    out = deque(connect() for _ in range(held))
    began = time.monotonic()
    done = 0
    while (passed := time.monotonic() - began) < seconds:
        for _ in range(int(rate * passed) - done):
            out.popleft().close()
            out.append(connect())
            done += 1
        time.sleep(TICK)
    while out:
        out.pop().close()
    return done + held


def counts(node: str) -> dict[str, int]:
    """Bytes and segments, both ways, of the one link to the node so far."""
    (found,) = _links(node)
    with found:
        info = found.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 256)
    received, segments_out, segments_in = struct.unpack_from("=QII", info, _RECEIVED)
    (sent,) = struct.unpack_from("=Q", info, _SENT)
    return {
        "sent": sent,
        "received": received,
        "segments_out": segments_out,
        "segments_in": segments_in,
    }


def _links(node: str) -> list[socket.socket]:
    """Copies of this process's sockets that lead to a node."""
    found = []
    for descriptor in _sockets().values():
        copied = socket.socket(fileno=os.dup(descriptor))
        if _peer(copied) == node:
            found.append(copied)
        else:
            copied.close()
    return found


def _sockets() -> dict[str, int]:
    """A descriptor of each socket of this process."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            found[os.readlink(f"/proc/self/fd/{name}")] = int(name)
    return {name: each for name, each in found.items() if name.startswith("socket:")}


def _peer(found: socket.socket) -> str:
    """Where a socket leads to, as the node's address is written."""
    try:
        host, port, *_ = found.getpeername()
    except (OSError, ValueError):
        return ""
    return f"{host}:{port}"


if __name__ == "__main__":
    serve({"make": make, "pace": pace, "counts": counts})
