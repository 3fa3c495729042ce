"""Tests of what surrounds the rule: the uplink's end, and descriptors in a child."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from connmon.client import native
from connmon.client.link import Destination, Uplink
from connmon.client.reactor import PrivateReactor, _file
from connmon.config import Address
from connmon.model.ledger import Ledger
from connmon.model.records import Identity

NODES = (Address("127.0.0.1", 1), Address("127.0.0.1", 2))


class Network(Clock):
    """A reactor that only remembers whom it was asked to connect to."""

    def __init__(self) -> None:
        """Nobody yet."""
        super().__init__()
        self.attempts: list[Any] = []

    def connectTCP(self, host: str, port: int, factory: Any, timeout: float) -> None:
        """Remember an attempt."""
        self.attempts.append(factory)


class Transport(StringTransport):
    """A transport with what a link asks of TCP."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Accept it."""


class UplinkTests(SynchronousTestCase):
    """A process that ends looks for no other node."""

    def test_a_link_lost_at_the_end_is_the_end(self) -> None:
        """Though another node could be tried without a pause."""
        network: Any = Network()
        who = Identity("t", "h", "p", 1)
        uplink = Uplink(
            network, native.find(), Ledger(), who, Destination("", NODES, "p")
        )
        uplink.begin()
        network.advance(0)
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


class AbandonTests(SynchronousTestCase):
    """A child closes what it inherited, and nothing that has its number since."""

    def test_only_our_own_descriptors_are_closed(self) -> None:
        """The program closed all, and opened a file of its own meanwhile."""
        primitives = native.find()
        reactor = PrivateReactor(primitives)
        ours = primitives.socket()
        reactor.sockets[ours] = _file(ours.fileno())
        numbers = [*reactor.waker.ends, ours.fileno()]
        with tempfile.TemporaryFile() as theirs:
            for number in numbers:
                os.dup2(theirs.fileno(), number)
            reactor.abandon()
            for number in numbers:
                self.assertEqual(_file(theirs.fileno()), _file(number))
                os.close(number)

    def test_our_own_descriptors_are_closed(self) -> None:
        """The usual case."""
        reactor = PrivateReactor(native.find())
        ends = reactor.waker.ends
        reactor.abandon()
        for end in ends:
            self.assertRaises(OSError, os.fstat, end)
