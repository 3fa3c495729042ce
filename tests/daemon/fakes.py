"""A node without a network: links in memory, the other end of each, and the log."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.logger import formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport, connect
from twisted.trial.unittest import SynchronousTestCase

from connmon.config import BUILTIN, parse
from connmon.daemon.intake import Node, NodeFactory, NodeLink
from connmon.daemon.tap import join
from connmon.model.records import (
    IDLE,
    OUT,
    ConnectionRecord,
    Counters,
    Maxima,
    Report,
)
from connmon.views.frame import Frame
from connmon.views.query import Query
from connmon.wire import commands
from connmon.wire.frames import decode_feed
from connmon.wire.link import Link, refusal
from connmon.wire.queries import encode_queries
from connmon.wire.reports import encode_report
from tests.looks import Look, look, seen


def a_report(
    sequence: int = 0, *, base: int | None = None, out: int = 0, idle: int = 0
) -> bytes:
    """A report's payload, of so many connections out and idle."""
    states = [OUT] * out + [IDLE] * idle
    return encode_report(
        Report(
            sequence,
            base,
            clock=0.0,
            span=1.0,
            counters=Counters(),
            maxima=Maxima(),
            connections=tuple(
                ConnectionRecord(number, 1, state, 0.0, 0.0, 0, "")
                for number, state in enumerate(states)
            ),
        )
    )


class Caller(Link):
    """The other end of a node's link: it asks, and answers feeds unless ``slow``."""

    def __init__(self) -> None:
        """Nothing was shown yet."""
        super().__init__()
        #: The number and the frames of each feed.
        self.feeds: list[tuple[int, tuple[Frame, ...]]] = []
        self.slow = False
        self.unanswered: list[Deferred[Any]] = []
        self.ended = 0

    def closed(self, reason: Failure) -> None:
        """Count the ends."""
        self.ended += 1

    @property
    def looks(self) -> list[Look]:
        """The first frame of each feed, which is of the programs view."""
        return [seen(frames[0]) for _, frames in self.feeds]

    @property
    def numbers(self) -> list[int]:
        """The number of each feed."""
        return [number for number, _ in self.feeds]

    @commands.Feed.responder
    def feed(self, payload: bytes, number: int) -> Any:
        """Take a feed; answer it now or when the test does."""
        self.feeds.append((number, decode_feed(payload)))
        if not self.slow:
            return {}
        answer: Deferred[Any] = Deferred()
        self.unanswered.append(answer)
        return answer


class BareTransport(StringTransportWithDisconnection):
    """The node's end of a link that bytes are written to by hand."""

    def __init__(self, end: NodeLink) -> None:
        """Connect ``end``, from an IPv6 address."""
        super().__init__(peerAddress=IPv6Address("TCP", "::1", 5555))
        self.protocol: Any = end
        end.makeConnection(self)

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Take no notice."""

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Take no notice."""


class UnixTransport(FakeTransport):
    """The node's end of a link by a UNIX socket."""

    def __init__(self, end: NodeLink, pid: int) -> None:
        """The kernel says that process ``pid`` is at the other end."""
        super().__init__(end, True, peerAddress=UNIXAddress(None))
        self._pid = pid

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Refuse, as the kernel does for what is not TCP."""
        raise OSError("Operation not supported")

    setTcpKeepAlive = setTcpNoDelay

    def getHandle(self) -> Any:
        """What stands for the socket."""
        return self

    def getsockopt(self, level: int, option: int, size: int) -> bytes:
        """The credentials: of that process, user 1000 and group 100."""
        return struct.pack("iII", self._pid, 1000, 100)


class Talk:
    """One link to a node, both ends of it in memory."""

    def __init__(
        self,
        node: Node,
        clock: Clock,
        host: str,
        port: int,
        pid: int | None = None,
        *,
        caller: Caller | None = None,
    ) -> None:
        """Connect from ``host`` and ``port``, or as process ``pid`` of the node's."""
        self.caller = caller or Caller()
        self.end: NodeLink = NodeFactory(node).buildProtocol(None)
        peer = IPv4Address("TCP", host, port)
        self.pump = connect(
            self.end,
            FakeTransport(self.end, True, peerAddress=peer)
            if pid is None
            else UnixTransport(self.end, pid),
            self.caller,
            FakeTransport(self.caller, False),
            clock=clock,
        )
        self.caller.greeted()

    @property
    def is_open(self) -> bool:
        """Whether the link still stands."""
        return self.caller.ended == 0

    def say(self, command: Any, **arguments: Any) -> Any:
        """Ask; the answer, or the refusal's text, or ``None`` without an answer."""
        heard: list[Any] = []
        answer = self.caller.callRemote(command, **arguments)
        answer.addErrback(refusal).addCallback(heard.append)
        self.pump.flush()
        return heard[0] if heard else None

    def hello(self, role: str = commands.CLIENT, **changes: Any) -> Any:
        """Greet, as this version does unless told otherwise."""
        arguments: dict[str, Any] = {
            "version": commands.VERSION,
            "oldest": commands.OLDEST.get(role, commands.OLDEST_VERSION),
            "role": role,
            "service": "default",
            "software": "test",
        }
        return self.say(commands.Hello, **{**arguments, **changes})

    def register(self, registration: int = 1, **changes: Any) -> Any:
        """Say which process this is."""
        arguments: dict[str, Any] = {
            "process": "p1",
            "hostname": "ctl1",
            "program": "nova-api",
            "pid": 42,
        }
        return self.say(
            commands.Register, registration=registration, **{**arguments, **changes}
        )

    def report(self, payload: bytes) -> Any:
        """Report."""
        return self.say(commands.Report, payload=payload)

    def subscribe(
        self,
        interval: float = 2.0,
        queries: Sequence[Query] = (Query(),),
        number: int = 1,
    ) -> Any:
        """Ask for frames."""
        asked = encode_queries(queries)
        return self.say(
            commands.Subscribe, queries=asked, interval=interval, number=number
        )

    def hang_up(self) -> None:
        """End the link from the other side."""
        self.caller.hang_up()
        self.pump.flush()


class NodeTestCase(SynchronousTestCase):
    """A node of service ``default``, its clock, its links and what it logged."""

    def setUp(self) -> None:
        """A node that has heard nothing yet."""
        self.clock = Clock()
        self.node = join(self.clock, parse(BUILTIN, "").services[0], "node1", "inc")
        self.board = self.node.board
        self.talks: list[Talk] = []
        self.events: list[Any] = []
        observer: Any = self.events.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def tearDown(self) -> None:
        """Whatever happened, links that closed have left nothing behind."""
        for talk in self.talks:
            if talk.is_open:
                talk.hang_up()
        self.assertEqual([], self.clock.getDelayedCalls())
        self.assertEqual(set(), self.node.links)
        self.assertEqual({}, self.node.mismatched)

    def look(self) -> Look:
        """What the node shows of its board now."""
        return look(self.board, self.clock.seconds())

    def talk(
        self, host: str = "10.0.0.1", port: int = 5555, pid: int | None = None
    ) -> Talk:
        """A new link to the node; with a ``pid``, by a UNIX socket."""
        self.talks.append(Talk(self.node, self.clock, host, port, pid))
        return self.talks[-1]

    def client(self, process: str = "p1", registration: int = 1) -> Talk:
        """A link on which a process registered."""
        talk = self.talk()
        talk.hello()
        talk.register(registration, process=process)
        return talk

    def console(self) -> Talk:
        """A link from a console that has greeted."""
        talk = self.talk("10.0.0.9")
        talk.hello(commands.CONSOLE)
        return talk

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and what follows from it reach both ends."""
        self.clock.advance(seconds)
        for talk in self.talks:
            talk.pump.flush()

    def logged(self) -> list[str]:
        """The lines logged since the last call."""
        lines = [
            formatEvent(event)
            for event in self.events
            if event.get("log_namespace") == "connmon.daemon"
        ]
        self.events.clear()
        return lines
