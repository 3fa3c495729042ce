"""What a console's link meets: nodes in memory, a resolver, and a viewer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

from twisted.internet.abstract import isIPAddress
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IResolutionReceiver,
)
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport, connect
from zope.interface import implementer

from connmon.config import AnyAddress
from connmon.console.link import Failed
from connmon.errors import ProtocolError, QueryError
from connmon.views.frame import Frame
from connmon.views.query import Query
from connmon.wire import commands
from connmon.wire.frames import encode_feed
from connmon.wire.link import Link, refusal
from connmon.wire.queries import decode_queries
from tests.console.fakes import FakeReactor

TCP = IPv4Address("TCP", "10.0.0.1", 5800)
"""Where a node is, for Twisted."""


class Seen(NamedTuple):
    """What a viewer was shown."""

    frames: tuple[Frame, ...]
    number: int
    origin: str
    at: float


class Eye:
    """A viewer that remembers; ``patience`` is how often it says to go on."""

    def __init__(self) -> None:
        """Patient."""
        self.seen: list[Seen] = []
        self.told: list[str] = []
        self.tries: list[tuple[str, float]] = []
        self.patience = 100
        self.breaks = False

    def shown(
        self, frames: tuple[Frame, ...], number: int, origin: str, at: float
    ) -> None:
        """Look at frames."""
        if self.breaks:
            raise ZeroDivisionError("oh")
        self.seen.append(Seen(frames, number, origin, at))

    def refused(self, reason: str, number: int) -> None:
        """Remember what was refused."""
        self.told.append(f"refused {number}: {reason}")

    def warned(self, text: str) -> None:
        """Remember it."""
        self.told.append(f"warned {text}")

    def noted(self, text: str) -> None:
        """Remember it."""
        self.told.append(f"noted {text}")

    def trying(self, address: AnyAddress, wait: float) -> None:
        """Remember what is tried, apart from the rest, which is told less often."""
        self.tries.append((str(address), wait))

    def lost(self, failed: Failed) -> None:
        """Remember what was lost."""
        self.told.append(f"lost {failed}")

    def exhausted(self, tried: tuple[Failed, ...]) -> bool:
        """Remember what was tried."""
        self.told.append("tried " + ", ".join(map(str, tried)))
        self.patience -= 1
        return self.patience >= 0


class Asked(NamedTuple):
    """What a node was asked for."""

    queries: tuple[Query, ...]
    interval: float
    number: int


class NodeEnd(Link):
    """A node, as far as a console can tell."""

    def __init__(self) -> None:
        """Willing."""
        super().__init__()
        self.refusal: ProtocolError | None = None
        self.silent = False
        #: Why it does not understand what is asked of it, or of it only that number.
        self.puzzled = ""
        self.puzzle: int | None = None
        #: What it answers who asks for stacks; nobody may if it is too old for that.
        self.stacks: bytes | None = None
        self.late: list[Deferred[Any]] = []
        self.heard: list[tuple[Any, ...]] = []
        self.ended = False

    def closed(self, reason: Failure) -> None:
        """Remember the end."""
        self.ended = True

    @commands.Hello.responder
    def hello(
        self, version: int, oldest: int, role: str, service: str, **more: object
    ) -> Any:
        """Answer, refuse, or keep silent."""
        self.heard.append(("Hello", version, oldest, role, service))
        if self.refusal is not None:
            raise self.refusal
        if self.silent:
            return Deferred()
        self.greeted()
        return {
            "version": version,
            "service": "default",
            "node": "node1",
            "incarnation": "inc",
            "software": "test",
            "stacks": None if self.stacks is None else True,
        }

    @commands.Subscribe.responder
    def subscribe(self, queries: bytes, interval: float, number: int) -> Any:
        """Remember what is wanted, or refuse it."""
        asked = Asked(decode_queries(queries), interval, number)
        self.heard.append(asked)
        if self.puzzled and self.puzzle in (None, number):
            raise QueryError(self.puzzled)
        return {}

    @commands.Stack.responder
    def stack(self, **whose: object) -> Any:
        """Remember who is asked for, and answer, or later if that is ``b""``."""
        self.heard.append(("Stack", *whose.values()))
        if self.stacks:
            return {"payload": self.stacks}
        self.late.append(Deferred())
        return self.late[-1]


class Met:
    """A console's link and the node's end of it."""

    def __init__(
        self, reactor: Any, factory: Any, address: Any = TCP, **how: Any
    ) -> None:
        """Join both, at an ``address``; the node behaves as ``how`` says."""
        self.node = NodeEnd()
        for name, value in how.items():
            setattr(self.node, name, value)
        console = factory.buildProtocol(address)
        self.pump = connect(
            self.node,
            FakeTransport(self.node, True),
            console,
            FakeTransport(console, False, peerAddress=address),
            clock=reactor,
        )

    @property
    def asked(self) -> Asked:
        """What the node was asked for last."""
        asked = self.node.heard[-1]
        assert isinstance(asked, Asked), asked
        return asked

    def feed(self, *frames: Frame, number: int | None = None) -> Any:
        """Show frames, for what was asked last; the answer, or why there is none."""
        number = self.asked.number if number is None else number
        return self.feed_bytes(encode_feed(frames), number)

    def feed_bytes(self, payload: bytes, number: int) -> Any:
        """Show what may be frames; the answer, or why there is none."""
        heard: list[Any] = []
        told = self.node.callRemote(commands.Feed, payload=payload, number=number)
        told.addErrback(refusal).addCallback(heard.append)
        self.pump.flush()
        return heard[0]

    def flush(self) -> None:
        """Let everything arrive that is under way."""
        self.pump.flush()

    def hang_up(self) -> None:
        """End the link from the node's side."""
        self.node.hang_up()
        self.pump.flush()


@implementer(IHostnameResolver)
class Resolver:
    """Knows addresses only, and no names."""

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """Answer at once."""
        resolution: IHostResolution = cast("Any", object())
        resolutionReceiver.resolutionBegan(resolution)
        if isIPAddress(hostName):
            found = IPv4Address("TCP", hostName, portNumber)
            resolutionReceiver.addressResolved(found)
        resolutionReceiver.resolutionComplete()
        return resolution


class Staged(FakeReactor):
    """A reactor that runs what a test does meanwhile, and stops only once."""

    def __init__(self, meanwhile: Callable[[Staged], None]) -> None:
        """Call ``meanwhile`` while running."""
        super().__init__()
        self.installNameResolver(Resolver())
        self._meanwhile = meanwhile
        self.stops = 0

    def run(self) -> None:
        """Run until the test has done its part."""
        self.running = True
        for hook, arguments, named in self.whenRunningHooks:
            hook(*arguments, **named)
        self.advance(0)
        self._meanwhile(self)

    def stop(self) -> None:
        """Stop; as the real one, only once."""
        if self.stops:
            raise ReactorNotRunning("Can't stop reactor that isn't running.")
        self.stops += 1
        self.running = False

    def meet(self, **how: Any) -> Met:
        """A node that accepts what is being connected to."""
        return Met(self, self.tcpClients.pop()[2], **how)
