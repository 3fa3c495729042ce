"""The switch of a `tests.whole.network.Network`: a program, and the end of its hosts.

It forwards Ethernet frames between its ports, as it is ordered to: an order is a line
of JSON on its standard input, and its answer, a line of JSON too, says that it holds.
When that input ends, also because who gave the orders was killed, the network ends:
whatever runs in its namespaces is killed and they are deleted.

It is run by its path and needs nothing but Python: `tests` is not to be imported here.
"""

from __future__ import annotations

import ctypes
import heapq
import itertools
import json
import os
import random
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

CLONE_NEWNET = 0x40000000
ALL_PROTOCOLS = 0x0003
IGNORE_OUTGOING = 23
PACKET_LEVEL = 263
BUFFER_BYTES = 8 << 20
LONGEST_FRAME = 1 << 16
AT_ONCE = 64
"""How many frames of one port are forwarded before the others have a turn."""

ENDED_WITHIN = 10.0
"""Seconds for a namespace's processes to be gone after they were killed."""


def ip(*arguments: str, orders: str | None = None) -> str:
    """Run `ip`, with ``orders`` for its input; what it printed."""
    return subprocess.run(
        ["ip", *arguments],
        input=orders or "",
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def namespaces() -> list[str]:
    """The names of all network namespaces that have one."""
    return [line.split()[0] for line in ip("netns", "list").splitlines() if line]


def inhabitants(namespace: str) -> set[int]:
    """The processes in a namespace; none if there is no such."""
    try:
        return {int(pid) for pid in ip("netns", "pids", namespace).split()}
    except subprocess.CalledProcessError:
        return set()


def remove(namespace: str) -> None:
    """Kill all that runs in a namespace and delete it; others may do so meanwhile."""
    deadline = time.monotonic() + ENDED_WITHIN
    while (pids := inhabitants(namespace)) and time.monotonic() < deadline:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    with suppress(subprocess.CalledProcessError):
        ip("netns", "delete", namespace)


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Be in a network namespace: sockets that are made there stay there."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net") as back, open(f"/run/netns/{namespace}") as there:
        try:
            if libc.setns(there.fileno(), CLONE_NEWNET):
                number = ctypes.get_errno()
                raise OSError(number, f"setns: {os.strerror(number)}")
            yield
        finally:
            libc.setns(back.fileno(), CLONE_NEWNET)


@dataclass(frozen=True)
class Rule:
    """What becomes of the frames from one host to another."""

    cut: bool = False
    delay: float = 0.0
    drop: float = 0.0
    duplicate: float = 0.0


@dataclass
class Count:
    """What became of them until now; a frame that was doubled has passed twice."""

    passed: int = 0
    lost: int = 0


@dataclass
class Way:
    """From one host to another."""

    to: socket.socket
    rule: Rule = field(default_factory=Rule)
    count: Count = field(default_factory=Count)

    def deliver(self, frame: bytes) -> None:
        """Put a frame on the receiver's cable, unless that was cut meanwhile."""
        try:
            if self.rule.cut:
                raise OSError
            self.to.send(frame)
        except OSError:
            self.count.lost += 1
        else:
            self.count.passed += 1


class Switch:
    """Ports, each with one host whose address it knows, and the ways between them."""

    def __init__(self, hosts: dict[str, str]) -> None:
        """Listen to each host, at the interface of its name; its Ethernet address."""
        self._selector = selectors.DefaultSelector()
        self._macs = {
            bytes.fromhex(mac.replace(":", "")): h for h, mac in hosts.items()
        }
        ports = {host: self._port(host) for host in hosts}
        self._ways = {
            (a, b): Way(ports[b]) for a, b in itertools.permutations(hosts, 2)
        }
        #: Delayed frames: when they are due, and a number, so that none overtakes.
        self._late: list[tuple[float, int, Way, bytes]] = []
        self._numbers = itertools.count()
        self._input = b""
        os.set_blocking(0, False)
        self._selector.register(0, selectors.EVENT_READ, None)

    def _port(self, host: str) -> socket.socket:
        """The socket that sees all that a host sends."""
        port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        port.setblocking(False)
        port.setsockopt(PACKET_LEVEL, IGNORE_OUTGOING, 1)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            port.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
        port.bind((host, ALL_PROTOCOLS))
        self._selector.register(port, selectors.EVENT_READ, host)
        return port

    def run(self) -> None:
        """Forward and obey until there are no more orders."""
        while True:
            for key, _ in self._selector.select(self._until_next()):
                if isinstance(key.fileobj, socket.socket):
                    self._receive(key.fileobj, key.data)
                elif not self._read_orders():
                    return
            self._deliver_late()

    def _until_next(self) -> float | None:
        """Seconds until a delayed frame is due, if there is one."""
        return max(self._late[0][0] - time.monotonic(), 0.0) if self._late else None

    def _receive(self, port: socket.socket, host: str) -> None:
        """Forward what has come in at a port."""
        with suppress(BlockingIOError):
            for _ in range(AT_ONCE):
                frame = port.recv(LONGEST_FRAME)
                for way in self._ways_of(host, frame):
                    self._forward(way, frame)

    def _ways_of(self, host: str, frame: bytes) -> Iterator[Way]:
        """Where a frame from a host has to go: all other ports, if it is for many."""
        if frame[0] & 1:
            yield from (way for (a, _), way in self._ways.items() if a == host)
        elif (host, to := self._macs.get(frame[:6], "")) in self._ways:
            yield self._ways[host, to]

    def _forward(self, way: Way, frame: bytes) -> None:
        """Do with a frame as the rule says."""
        rule = way.rule
        if rule.cut or random.random() < rule.drop:
            way.count.lost += 1
            return
        for _ in range(2 if random.random() < rule.duplicate else 1):
            if rule.delay:
                due = time.monotonic() + rule.delay
                heapq.heappush(self._late, (due, next(self._numbers), way, frame))
            else:
                way.deliver(frame)

    def _deliver_late(self) -> None:
        """Deliver the delayed frames that are due."""
        now = time.monotonic()
        while self._late and self._late[0][0] <= now:
            _, _, way, frame = heapq.heappop(self._late)
            way.deliver(frame)

    def _read_orders(self) -> bool:
        """Obey the orders that have come; false if there will be no more."""
        received = os.read(0, 1 << 16)
        *lines, self._input = (self._input + received).split(b"\n")
        for line in lines:
            print(json.dumps(self._obey(*json.loads(line))), flush=True)
        return received != b""

    def _obey(self, pairs: list[tuple[str, str]], change: dict[str, Any] | None) -> Any:
        """Change the rule of these ways, or have none again; what they have counted."""
        ways = [self._ways[a, b] for a, b in pairs]
        for way in ways:
            way.rule = Rule() if change is None else replace(way.rule, **change)
        return [vars(way.count) for way in ways]


def main(order: str) -> None:
    """Be the switch in the last of these namespaces, until the end of them all."""
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(ignored, signal.SIG_IGN)
    told = json.loads(order)
    try:
        with inside(told["namespaces"][-1]):
            switch = Switch(told["hosts"])
        print('"ready"', flush=True)
        switch.run()
    finally:
        for namespace in told["namespaces"]:
            remove(namespace)


if __name__ == "__main__":
    main(sys.argv[1])
