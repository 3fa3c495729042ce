"""Tests of the port for UNIX sockets: what it leaves alone that Twisted's would not."""

from __future__ import annotations

import array
import os
import socket
import stat
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from connmon.config import UnixAddress
from connmon.daemon.listening import bind
from connmon.daemon.unixport import UnixPort


class Ear(Protocol):
    """A link that remembers what it heard."""

    def __init__(self, ears: list[Ear]) -> None:
        """One more."""
        self.heard = b""
        self.lost = False
        ears.append(self)

    def dataReceived(self, data: bytes) -> None:
        """Remember it."""
        self.heard += data

    def connectionLost(self, reason: Any = None) -> None:
        """Remember the end."""
        self.lost = True


class UnixPortTests(SynchronousTestCase):
    """A real socket, on a reactor that does nothing by itself."""

    def setUp(self) -> None:
        """A port that listens."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name) / "c.sock"
        (self.listener,) = bind(UnixAddress(str(self.path)))
        self.addCleanup(self.listener.close)
        self.reactor = MemoryReactorClock()
        self.ears: list[Ear] = []
        factory = Factory.forProtocol(lambda: Ear(self.ears))
        factory.noisy = False
        self.path.chmod(0o600)
        fd = self.listener.socket.fileno()
        self.port = UnixPort.adopt(self.reactor, fd, factory)
        self.addCleanup(self.stop)

    def stop(self) -> None:
        """Listen no more, and hang up on everyone."""
        for ear in self.ears:
            transport: Any = ear.transport
            transport.abortConnection()
        self.port.stopListening()
        self.reactor.advance(0)
        self.assertEqual([], self.reactor.getReaders())

    def connect(self) -> socket.socket:
        """Someone connects, and is accepted."""
        link = socket.socket(socket.AF_UNIX)
        self.addCleanup(link.close)
        link.connect(str(self.path))
        self.port.doRead()
        return link

    def test_links_are_accepted(self) -> None:
        """What is said on them is heard, each by itself."""
        for number, text in enumerate((b"a", b"b")):
            self.connect().sendall(text)
            transport: Any = self.ears[number].transport
            transport.doRead()
        self.assertEqual([b"a", b"b"], [ear.heard for ear in self.ears])

    def test_the_file_is_left_alone(self) -> None:
        """Its mode when it begins, and the file itself when it ends."""
        self.assertEqual(0o600, stat.S_IMODE(self.path.stat().st_mode))
        self.port.stopListening()
        self.reactor.advance(0)
        self.assertTrue(self.path.is_socket())

    def test_the_queue_is_as_long_as_it_was_made(self) -> None:
        """More may wait than Twisted's own fifty."""
        for _ in range(60):
            link = socket.socket(socket.AF_UNIX)
            self.addCleanup(link.close)
            link.setblocking(False)
            link.connect(str(self.path))

    def test_descriptors_that_are_passed_along_are_dropped(self) -> None:
        """They are neither kept, nor logged, nor do they cost the link."""
        link = self.connect()
        passed = array.array("i", [0, 1, 2])
        before = len(os.listdir("/proc/self/fd"))
        events: list[Any] = []
        observer: Any = events.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        for _ in range(5):
            link.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, passed)])
            transport: Any = self.ears[0].transport
            transport.doRead()
        self.assertEqual(b"xxxxx", self.ears[0].heard)
        self.assertFalse(self.ears[0].lost)
        self.assertEqual(before, len(os.listdir("/proc/self/fd")))
        self.assertEqual([], events)
