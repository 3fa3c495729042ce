"""A fleet of processes that are all in this one, and consoles that look at nodes.

Each process has a ledger and a link of its own, by the client's own rules of when to
report and where to go next. Only the thread and the reactor are shared, and nothing
happens in it but what it is told to. Ordered about by ``benchmarks.mesh``.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from threading import Thread
from typing import Any, cast

from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.threads import blockingCallFromThread

from benchmarks.inside.serving import serve
from connmon.client import native
from connmon.client.link import Destination, Uplink
from connmon.config import Address, parse_address
from connmon.model.connection import NOT_IDLE
from connmon.model.ledger import Ledger
from connmon.model.records import OUT, Identity, PoolFacts
from connmon.views.frame import Frame
from connmon.views.query import Query
from connmon.views.schema import PROGRAMS as PROGRAMS_VIEW
from connmon.wire import commands
from connmon.wire.exchange import encode_deltas
from connmon.wire.frames import decode_feed
from connmon.wire.link import Link
from connmon.wire.queries import encode_queries

CONNECTIONS = 4
"""Of each process."""

HOSTS, PROGRAMS = 20, 5
"""Among how many of them the processes are: their product is the rows of a board."""

_FACTS = PoolFacts("postgresql://db/app", "QueuePool", CONNECTIONS, 10, 30.0)
_EMPTY = len(encode_deltas([]))

_reactor = cast("Any", global_reactor)
_reactor.seconds = time.monotonic


class _Counted(Uplink):
    """The client's way to the nodes, which notes when, and how much."""

    reached = 0.0
    """When its newest link stood."""

    told = 0
    """Bytes of its reports, as one node passes them on to one other."""

    def linked(self, link: Any) -> None:
        """An address accepted."""
        self.reached = time.monotonic()
        super().linked(link)

    def _call(self, command: Any, **arguments: Any) -> Any:
        if "payload" in arguments:
            delta = (
                self._identity.process,
                self._rule.registration,
                arguments["payload"],
            )
            self.told += len(encode_deltas([delta])) - _EMPTY
        return super()._call(command, **arguments)


class Member:
    """One process of the fleet, with a pool of connections."""

    def __init__(self, number: int, addresses: list[str]) -> None:
        """It is linked to nothing yet."""
        self._ledger = Ledger(self._wake, lambda _: "MainThread")
        self._pool = self._ledger.pool(number, _FACTS)
        host, program = number % HOSTS, number // HOSTS % PROGRAMS
        identity = Identity(
            os.urandom(12).hex(), f"host{host}", f"program{program}", number + 1
        )
        places = tuple(parse_address(each) for each in addresses)
        self.uplink = _Counted(
            _reactor,
            native.find(),
            self._ledger,
            identity,
            Destination("", places, identity.program),
        )
        self._begun = False
        self._turn = 0
        now = time.monotonic()
        self._connections = [
            self._ledger.connection(self._pool, now) for _ in range(CONNECTIONS)
        ]

    def begin(self) -> None:
        """Open the connections, which is the first that there is to tell."""
        for each in self._connections:
            self._ledger.enter(each)

    def change(self) -> None:
        """Take a connection, or give the one back that is out."""
        now = time.monotonic()
        connection = self._connections[self._turn % CONNECTIONS]
        if connection.state == OUT:
            stirs: int = connection.returned(now)
            self._turn += 1
        else:
            stirs = connection.taken(now, 1)
            assert stirs != NOT_IDLE
        if stirs:
            self._pool.stir()

    def _wake(self) -> bool:
        """The ledger has news."""
        heard = self.uplink.stirred if self._begun else self.uplink.begin
        self._begun = True
        _reactor.callLater(0.0, heard)
        return True


class _Fleet:
    """All members, and their pace. In the reactor's thread."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self._round = 0

    def join(
        self, first: int, count: int, addresses: list[str], seconds: float
    ) -> None:
        """Have so many more, numbered from ``first``, begin within ``seconds``."""
        for number in range(first, first + count):
            member = Member(number, addresses)
            self.members.append(member)
            _reactor.callLater(random.uniform(0.0, seconds), member.begin)

    def pace(self, period: float) -> None:
        """Have each change once in ``period`` seconds; never again, if it is zero."""
        self._round += 1
        if not period:
            return
        for member in self.members:
            first = time.monotonic() + random.uniform(0.0, period)
            self._plan(member, self._round, first, period)

    def _plan(self, member: Member, round: int, at: float, period: float) -> None:  # noqa: A002
        wait = max(at - time.monotonic(), 0.0)
        _reactor.callLater(wait, self._change, member, round, at, period)

    def _change(self, member: Member, round: int, at: float, period: float) -> None:  # noqa: A002
        if round == self._round:
            member.change()
            self._plan(member, round, at + period, period)

    def tally(self) -> dict[str, dict[str, int]]:
        """By node: members linked, their reports, and bytes of these passed on."""
        sums: dict[str, Counter[str]] = {}
        for member in self.members:
            history = member.uplink.history
            if history.linked:
                sums.setdefault(history.node, Counter()).update(
                    members=1, sent=history.sent, told=member.uplink.told
                )
        return {node: dict(each) for node, each in sums.items()}

    def moved(self, since: float) -> list[tuple[str, float, float]]:
        """Of those registered since: the node, when the link stood, when registered."""
        found = [(m.uplink.history, m.uplink.reached) for m in self.members]
        return [
            (history.node, reached - since, history.since - since)
            for history, reached in found
            if history.linked and history.since > since
        ]


class _Looker(Link):
    """A console: shows all frames of one view that it is sent to ``see``."""

    def __init__(
        self, view: str, interval: float, see: Callable[[Frame], None]
    ) -> None:
        super().__init__()
        self._view, self._interval, self._see = view, interval, see

    def opened(self) -> None:
        """Greet, and ask for the whole view."""
        asked = self.callRemote(
            commands.Hello,
            version=commands.VERSION,
            oldest=commands.OLDEST[commands.CONSOLE],
            role=commands.CONSOLE,
            service="",
            software="benchmark",
        )
        asked.addCallback(self._welcomed)
        asked.addErrback(lambda failure: None)  # the link's end says it

    def _welcomed(self, answer: object) -> Any:
        self.greeted()
        return self.callRemote(
            commands.Subscribe,
            queries=encode_queries([Query(self._view)]),
            interval=self._interval,
            number=1,
        )

    @commands.Feed.responder
    def feed(self, payload: bytes, number: int) -> dict[str, Any]:
        """A frame."""
        (frame,) = decode_feed(payload)
        self._see(frame)
        return {}


def _look(address: str, view: str) -> Deferred[Any]:
    """The next frame of a view of a node: its head, and its rows by name."""
    found: Deferred[Any] = Deferred()

    def see(frame: Frame) -> None:
        if not found.called:
            link.addCallback(lambda it: it.hang_up() or it)
            rows = [dict(zip(frame.fields, row, strict=True)) for row in frame.rows]
            found.callback({"head": asdict(frame.head), "rows": rows})

    link = _open(address, partial(_Looker, view, commands.MAX_FEED_SECONDS, see))
    link.addErrback(found.errback)
    return found


def _open(address: str, make: Callable[[], _Looker]) -> Deferred[Any]:
    place = parse_address(address)
    assert isinstance(place, Address)
    endpoint = HostnameEndpoint(_reactor, place.host, place.port)
    opened: Deferred[Any] = endpoint.connect(Factory.forProtocol(make))
    return opened


_SEEN: dict[str, list[tuple[float, int, int]]] = {}


def _watch(address: str, interval: float) -> Deferred[Any]:
    """Note from now on how many processes a node shows, and how many are stale."""
    kept = _SEEN.setdefault(address, [])

    def see(frame: Frame) -> None:
        head = frame.head
        kept.append((time.monotonic(), head.processes.current, head.stale))

    return _open(address, partial(_Looker, PROGRAMS_VIEW, interval, see)).addCallback(
        lambda link: None
    )


def _seen(address: str, since: float) -> list[tuple[float, int, int]]:
    """What was noted since a time, and how long after it."""
    return [(at - since, *counts) for at, *counts in _SEEN[address] if at > since]  # type: ignore[misc]


def _in_reactor(function: Callable[..., Any]) -> Callable[..., Any]:
    """An order that is carried out in the reactor's thread."""

    def ordered(**arguments: Any) -> Any:
        return blockingCallFromThread(_reactor, function, **arguments)

    return ordered


def main() -> None:
    """Run the reactor, and do what is ordered."""
    fleet = _Fleet()
    Thread(target=partial(_reactor.run, False), daemon=True).start()
    orders: dict[str, Callable[..., Any]] = {
        "join": fleet.join,
        "pace": fleet.pace,
        "tally": fleet.tally,
        "moved": fleet.moved,
        "look": _look,
        "watch": _watch,
        "seen": _seen,
    }
    serve({name: _in_reactor(each) for name, each in orders.items()})


if __name__ == "__main__":
    main()
