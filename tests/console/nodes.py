"""What a console's link meets: nodes in memory, a resolver, and a viewer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from twisted.internet.abstract import isIPAddress
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
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
from connmon.errors import ProtocolError
from connmon.model.summary import AnyFrame, NodesFrame
from connmon.wire import commands
from connmon.wire.frames import encode_frame, encode_nodes
from connmon.wire.link import Link, refusal

TCP = IPv4Address("TCP", "10.0.0.1", 5800)
"""Where a node is, for Twisted."""


class Eye:
    """A viewer that remembers; ``patience`` is how often it says to go on."""

    def __init__(self) -> None:
        """Patient."""
        self.seen: list[tuple[AnyFrame, AnyAddress]] = []
        self.told: list[str] = []
        self.patience = 100
        self.breaks = False

    def shown(self, frame: AnyFrame, address: AnyAddress) -> None:
        """Look at a frame."""
        if self.breaks:
            raise ZeroDivisionError("oh")
        self.seen.append((frame, address))

    def lost(self, failed: Failed) -> None:
        """Remember what was lost."""
        self.told.append(f"lost {failed}")

    def exhausted(self, tried: tuple[Failed, ...]) -> bool:
        """Remember what was tried."""
        self.told.append("tried " + ", ".join(map(str, tried)))
        self.patience -= 1
        return self.patience >= 0


class NodeEnd(Link):
    """A node, as far as a console can tell."""

    def __init__(self) -> None:
        """Willing."""
        super().__init__()
        self.refusal: ProtocolError | None = None
        self.silent = False
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
        }

    @commands.Subscribe.responder
    def subscribe(self, view: str, interval: float) -> Any:
        """Remember what is wanted."""
        self.heard.append(("Subscribe", view, interval))
        return {}


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

    def feed(self, frame: AnyFrame) -> Any:
        """Show a frame; the answer, or why there is none.

        That it is of the programs is not said, as older nodes did not.
        """
        if isinstance(frame, NodesFrame):
            return self.feed_bytes(encode_nodes(frame), commands.NODES)
        return self.feed_bytes(encode_frame(frame), None)

    def feed_bytes(self, payload: bytes, view: str | None) -> Any:
        """Show what may be a frame; the answer, or why there is none."""
        heard: list[Any] = []
        told = self.node.callRemote(commands.Feed, payload=payload, view=view)
        told.addErrback(refusal).addCallback(heard.append)
        self.pump.flush()
        return heard[0]

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
