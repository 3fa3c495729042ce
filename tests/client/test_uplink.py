"""Tests of what surrounds the rule: the walk over the nodes, and the uplink's end."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.error import ConnectError, ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from connmon.client import native
from connmon.client.link import SPREAD_SECONDS, Destination, Uplink
from connmon.config import Address, AnyAddress, UnixAddress
from connmon.model.ledger import Ledger
from connmon.model.records import Identity
from connmon.wire.route import LONGEST_PAUSE

NODES = (Address("127.0.0.1", 1), Address("127.0.0.1", 2))


class Network(Clock):
    """A reactor that only remembers whom it was asked to connect to."""

    def __init__(self) -> None:
        """Nobody yet."""
        super().__init__()
        self.places: list[str] = []
        self.attempts: list[Any] = []
        self.broken = False

    def connectTCP(self, host: str, port: int, factory: Any, timeout: float) -> None:
        """Remember an attempt."""
        self._attempted(f"{host}:{port}", factory)

    def connectUNIX(self, path: str, factory: Any, timeout: float) -> None:
        """Remember an attempt."""
        self._attempted(path, factory)

    def _attempted(self, place: str, factory: Any) -> None:
        if self.broken:
            raise ZeroDivisionError("oh")
        self.places.append(place)
        self.attempts.append(factory)

    def refuse(self) -> None:
        """The last attempt fails, and what follows at once is done."""
        self.attempts[-1].clientConnectionFailed(None, Failure(ConnectError()))
        self.advance(0)


class Transport(StringTransport):
    """A transport with what a link asks of TCP."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Accept it."""


class UplinkTestCase(SynchronousTestCase):
    """Uplinks on a network that does nothing by itself."""

    def setUp(self) -> None:
        """The network."""
        self.network: Any = Network()

    def uplink(self, *nodes: AnyAddress) -> Uplink:
        """An uplink to these nodes that has made its first attempt."""
        who = Identity("t", "h", "p", 1)
        uplink = Uplink(
            self.network,
            native.find(),
            Ledger(),
            who,
            Destination("", nodes or NODES, "p"),
        )
        uplink.begin()
        self.network.advance(0)
        return uplink


class WalkTests(UplinkTestCase):
    """From one node to the next, whatever happens on the way."""

    def test_a_unix_socket(self) -> None:
        """It is connected to by its path; nothing of TCP is asked of the link."""
        self.uplink(UnixAddress("/run/c.sock"))
        self.assertEqual(["/run/c.sock"], self.network.places)
        link = self.network.attempts[0].buildProtocol(None)
        transport = StringTransport(peerAddress=UNIXAddress("/run/c.sock"))
        link.makeConnection(transport)
        self.assertIn(b"Hello", transport.value())

    def test_nodes_of_both_kinds(self) -> None:
        """Each is tried once, and every address of a name, before there is a pause."""
        self.uplink(UnixAddress("/run/c.sock"), Address("localhost", 1))
        for _ in range(2):
            self.network.refuse()
        self.assertEqual(3, len(self.network.places))
        expected = {"/run/c.sock", "127.0.0.1:1", "::1:1"}
        self.assertEqual(expected, set(self.network.places))
        self.network.refuse()
        self.assertEqual(3, len(self.network.places))
        self.network.advance(LONGEST_PAUSE)
        self.assertEqual(4, len(self.network.places))

    def test_processes_that_lost_a_node_together_come_upon_others_one_by_one(
        self,
    ) -> None:
        """Each waits for a part of the half second in which they spread."""
        waits = []
        for _ in range(20):
            self.setUp()
            uplink = self.uplink()
            link = self.network.attempts[-1].buildProtocol(None)
            link.makeConnection(Transport())
            uplink._route.arrived()
            link.connectionLost(Failure(ConnectionDone()))
            before = self.network.seconds()
            while len(self.network.attempts) == 1:
                self.network.advance(0.001)
            waits.append(self.network.seconds() - before)
        self.assertLessEqual(max(waits), SPREAD_SECONDS + 0.01)
        self.assertGreater(max(waits) - min(waits), SPREAD_SECONDS / 4)

    def test_what_is_left_of_one_node_is_not_tried_as_another(self) -> None:
        """A name has two addresses; the first one works, and its link is lost."""
        self.uplink(Address("localhost", 1), UnixAddress("/run/c.sock"))
        while self.network.places[-1] != "127.0.0.1:1":
            self.network.refuse()
        link = self.network.attempts[-1].buildProtocol(None)
        link.makeConnection(Transport())
        while self.network.places[-1] != "/run/c.sock":
            before = len(self.network.places)
            if link is not None:
                link.connectionLost(Failure(ConnectionDone()))
                link = None
            else:
                self.network.refuse()
            self.network.advance(LONGEST_PAUSE)
            self.assertEqual(before + 1, len(self.network.places))
        before = len(self.network.places)
        self.network.refuse()
        self.network.advance(LONGEST_PAUSE)
        self.assertNotEqual("::1:1", self.network.places[before])

    def test_a_step_that_fails_does_not_end_the_walk(self) -> None:
        """It is told once, and the next node is tried a little later."""
        self.network.broken = True
        with self.assertLogs("connmon", "WARNING") as logs:
            self.uplink(NODES[0])
            self.network.pump([LONGEST_PAUSE] * 9)
        self.assertEqual(1, len(logs.records), logs.output)
        self.assertIn("127.0.0.1:1: ZeroDivisionError: oh", logs.output[0])
        self.network.broken = False
        self.network.pump([LONGEST_PAUSE] * 2)
        self.assertEqual(["127.0.0.1:1"], self.network.places)


class EndTests(UplinkTestCase):
    """A process that ends looks for no other node."""

    def test_a_link_lost_at_the_end_is_the_end(self) -> None:
        """Though another node could be tried without a pause."""
        network = self.network
        uplink = self.uplink()
        link = network.attempts[0].buildProtocol(None)
        link.makeConnection(Transport())
        finished: list[bool] = []
        uplink.finish(lambda: finished.append(True))
        self.assertEqual([], finished)
        link.connectionLost(Failure(ConnectionDone()))
        network.advance(0)
        self.assertEqual([True], finished)
        self.assertEqual(1, len(network.attempts))
        self.assertEqual([], network.getDelayedCalls())
