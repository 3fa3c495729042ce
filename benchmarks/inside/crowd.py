"""Very many programs, all in this process; ordered about by ``benchmarks.console``.

Each is one process of one program on one host, with a ledger and a link of its own, by
the client's own rules of when to report. Only the thread and the reactor are shared.
Beside them are lookers, which ask a node for what a console's screen would.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Any, cast

from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.internet.threads import blockingCallFromThread
from twisted.python.failure import Failure

from benchmarks.inside.serving import serve
from connmon.client import native
from connmon.client.link import Destination, Uplink
from connmon.config import Address, parse_address
from connmon.console import asking
from connmon.console.choices import Choices
from connmon.console.place import Place, Screen
from connmon.errors import ProtocolError
from connmon.model.connection import NOT_IDLE
from connmon.model.ledger import Ledger
from connmon.model.records import OUT, Identity, PoolFacts
from connmon.views.query import Query
from connmon.wire import commands
from connmon.wire.frames import decode_feed
from connmon.wire.link import Link
from connmon.wire.queries import encode_queries

_FACTS = PoolFacts("postgresql://db.example.net/app", "QueuePool", 5, 10, 30.0)

_reactor = cast("Any", global_reactor)
_reactor.seconds = time.monotonic


class Member:
    """One program, with a pool of connections."""

    def __init__(self, identity: Identity, address: str, size: int) -> None:
        """It has ``size`` connections, and is linked to nothing yet."""
        now = time.monotonic()
        self._ledger = Ledger(self._wake, lambda owner: f"worker-{owner}", now)
        self._pool = self._ledger.pool(self, _FACTS)
        self._uplink = Uplink(
            _reactor,
            native.find(),
            self._ledger,
            identity,
            Destination("", (parse_address(address),), identity.program),
        )
        self._begun = False
        self._connections = [
            self._ledger.connection(self._pool, now) for _ in range(size)
        ]

    def begin(self, leaks: bool) -> None:
        """Open the connections, and keep one if it ``leaks``; the first news."""
        for each in self._connections:
            self._ledger.enter(each)
        if leaks:
            self._take(1)

    def change(self) -> None:
        """Take the first connection, or give it back if it is out."""
        if self._connections[0].state == OUT:
            self._connections[0].returned(time.monotonic())
            self._pool.stir()
        else:
            self._take(0)

    def swell(self, out: int) -> None:
        """Have so many connections out, and keep them, all but the first."""
        now = time.monotonic()
        for index in range(out):
            if index == len(self._connections):
                made = self._ledger.connection(self._pool, now)
                self._connections.append(made)
                self._ledger.enter(made)
            if self._connections[index].state != OUT:
                self._take(index)

    def _take(self, index: int) -> None:
        noted = self._connections[index].taken(time.monotonic(), index + 1)
        assert noted != NOT_IDLE
        self._pool.stir()

    def _wake(self) -> bool:
        """The ledger has news."""
        heard = self._uplink.stirred if self._begun else self._uplink.begin
        self._begun = True
        _reactor.callLater(0.0, heard)
        return True


class Crowd:
    """All programs, and their pace. In the reactor's thread."""

    def __init__(self) -> None:
        """There are none yet."""
        self._members: list[Member] = []

    def join(
        self,
        *,
        count: int,
        address: str,
        seconds: float,
        names: list[str],
        sizes: list[int],
        leaky: int,
    ) -> None:
        """Have so many begin, within ``seconds``.

        They have these names on each host, and these sizes in turn; one in ``leaky``
        leaks.
        """
        for number in range(count):
            host, program = divmod(number, len(names))
            identity = Identity(
                os.urandom(12).hex(),
                f"host{host + 1:04}.example.net",
                names[program],
                number + 1000,
            )
            member = Member(identity, address, sizes[number % len(sizes)])
            self._members.append(member)
            wait = random.uniform(0.0, seconds)
            _reactor.callLater(wait, member.begin, number % leaky == 0)

    def pace(self, period: float) -> None:
        """Have each change once in ``period`` seconds, from twice as many on.

        Not sooner, for about as many to have a connection out at any time.
        """
        for member in self._members:
            first = time.monotonic() + random.uniform(0.0, 2 * period)
            self._plan(member, first, period)

    def swell(self, out: int, seconds: float) -> None:
        """Have each have so many connections out, within ``seconds``."""
        for member in self._members:
            _reactor.callLater(random.uniform(0.0, seconds), member.swell, out)

    def _plan(self, member: Member, at: float, period: float) -> None:
        wait = max(at - time.monotonic(), 0.0)
        _reactor.callLater(wait, self._change, member, at, period)

    def _change(self, member: Member, at: float, period: float) -> None:
        member.change()
        self._plan(member, at + period, period)


class Looker(Link):
    """A console without a screen: it counts what it is sent."""

    def __init__(self, query: Query, interval: float) -> None:
        """Ask for this as soon as there is a link."""
        super().__init__()
        self._query, self._interval = query, interval
        self._asked = 0.0
        #: Called back with the first frame.
        self.begun: Deferred[Any] = Deferred()
        #: Seconds from the question to the first frame.
        self.waited = 0.0
        self.frames = self.bytes = self.rows = self.count = 0
        #: What the last frame's head says there is.
        self.seen: dict[str, int] = {}

    def opened(self) -> None:
        """Greet, and ask."""
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
        self._asked = time.monotonic()
        return self.callRemote(
            commands.Subscribe,
            queries=encode_queries([self._query]),
            interval=self._interval,
            number=1,
        )

    @commands.Feed.responder
    def feed(self, payload: bytes, number: int) -> dict[str, Any]:
        """A frame."""
        at = time.monotonic()
        (frame,) = decode_feed(payload)
        self.frames += 1
        self.bytes += len(payload)
        self.rows, self.count = len(frame.rows), frame.count
        self.seen = {
            "processes": frame.head.processes.current,
            "connections": frame.head.connections.current,
            "checkouts": frame.head.checkouts.current,
        }
        if not self.begun.called:
            self.waited = at - self._asked
            self.begun.callback(None)
        return {}

    def violated(self, error: ProtocolError) -> None:
        """What was sent is not to be taken."""
        if not self.begun.called:
            self.begun.errback(Failure(error))

    def closed(self, reason: Failure) -> None:
        """There is no link any more."""
        if not self.begun.called:
            self.begun.errback(reason)


def look(
    address: str, view: str, page: int, interval: float, seconds: float
) -> Deferred[Any]:
    """What a node sends for a screen of ``page`` rows, or, if 0, for the whole view.

    It is looked at for ``seconds`` from the first frame on.
    """
    query = Query(view)
    if page:
        query = asking.query(Screen((Place(view),), Choices(view=view)), page)
    place = parse_address(address)
    assert isinstance(place, Address)
    endpoint = HostnameEndpoint(_reactor, place.host, place.port)
    looker = Looker(query, interval)
    looked: Deferred[Any] = endpoint.connect(Factory.forProtocol(lambda: looker))
    looked.addCallback(lambda link: looker.begun)
    looked.addCallback(lambda none: deferLater(_reactor, seconds, lambda: looker))
    return looked.addCallback(_counted)


def _counted(looker: Looker) -> dict[str, Any]:
    """What a looker has counted; it is needed no more."""
    looker.hang_up()
    return {
        "frames": looker.frames,
        "bytes": looker.bytes,
        "rows": looker.rows,
        "count": looker.count,
        "waited": looker.waited,
        **looker.seen,
    }


def _in_reactor(function: Callable[..., Any]) -> Callable[..., Any]:
    """An order that is carried out in the reactor's thread."""

    def ordered(**arguments: Any) -> Any:
        return blockingCallFromThread(_reactor, function, **arguments)

    return ordered


def main() -> None:
    """Run the reactor, and do what is ordered."""
    crowd = Crowd()
    Thread(target=partial(_reactor.run, False), daemon=True).start()
    orders: dict[str, Callable[..., Any]] = {
        "join": crowd.join,
        "pace": crowd.pace,
        "swell": crowd.swell,
        "look": look,
    }
    serve({name: _in_reactor(each) for name, each in orders.items()})


if __name__ == "__main__":
    main()
