"""Tests of the private reactor and its transport, on real sockets of this machine.

No thread: each test turns the reactor itself, until what it waits for has happened.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet import error
from twisted.internet.protocol import ClientFactory, Protocol
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from connmon.client import native, reactor, transport
from connmon.client.reactor import PrivateReactor

WITHIN = 60.0


class Peer(Protocol):
    """Our end of a link: remembers what came, and how it ended."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.heard = b""
        self.ended: list[Any] = []

    def dataReceived(self, data: bytes) -> None:
        """Remember it."""
        self.heard += data

    def connectionLost(self, reason: Any = None) -> None:
        """Remember it."""
        self.ended.append(reason.value)


class Attempt(ClientFactory):
    """One attempt: what came of it."""

    noisy = False

    def __init__(self, protocol: type[Protocol] = Peer) -> None:
        """To be a ``protocol`` if it succeeds."""
        self.made = protocol()
        self.connected = False
        self.failed: list[BaseException] = []

    def buildProtocol(self, addr: Any) -> Any:
        """It succeeded."""
        self.connected = True
        return self.made

    def clientConnectionFailed(self, connector: Any, reason: Any) -> None:
        """It did not."""
        self.failed.append(reason.value)


class ReactorTests(SynchronousTestCase):
    """What the tests here share: a reactor, and somebody to talk to."""

    def setUp(self) -> None:
        """A reactor that is turned by hand."""
        self.primitives = native.find()
        self.reactor = PrivateReactor(self.primitives)
        self.addCleanup(self.reactor.abandon)

    def turn(self, until: Callable[[], object]) -> None:
        """Turn the reactor until something is so."""
        deadline = time.monotonic() + WITHIN
        while not until():
            self.assertLess(time.monotonic(), deadline, "it did not happen")
            self.reactor.runUntilCurrent()
            wait = self.reactor.timeout()
            self.reactor.doIteration(0.01 if wait is None else min(wait, 0.01))

    def listen(self, family: int = socket.AF_INET, where: Any = None) -> socket.socket:
        """Somebody who listens."""
        ear = socket.socket(family)
        self.addCleanup(ear.close)
        try:
            ear.bind(where or ("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        except OSError as problem:
            raise SkipTest(f"not on this machine: {problem}") from None
        ear.listen()
        ear.settimeout(WITHIN)
        return ear

    def link(
        self, ear: socket.socket, protocol: type[Protocol] = Peer
    ) -> tuple[Any, socket.socket]:
        """Our end and the other of a new link."""
        attempt = Attempt(protocol)
        where = ear.getsockname()
        if isinstance(where, str):
            self.reactor.connectUNIX(where, attempt)
        else:
            self.reactor.connectTCP(where[0], where[1], attempt)
        self.turn(lambda: attempt.connected or attempt.failed)
        self.assertEqual([], attempt.failed)
        other, _ = ear.accept()
        self.addCleanup(other.close)
        other.settimeout(WITHIN)
        return attempt.made, other


class TransportTests(ReactorTests):
    """A link carries what it is given, and ends once and for one reason."""

    def carries(self, ear: socket.socket) -> None:
        """Both ways, much of it, to the last byte and an orderly end."""
        ours, other = self.link(ear)
        ours.transport.setTcpNoDelay(True)
        other.sendall(b"from there")
        self.turn(lambda: ours.heard == b"from there")
        # More than any buffer holds, so that it takes many turns.
        much = os.urandom(100_000) * 40
        ours.transport.write(much[:7])
        ours.transport.writeSequence([much[7:9], much[9:]])
        ours.transport.loseConnection()
        heard = bytearray()
        other.setblocking(False)

        def all_heard() -> bool:
            try:
                data = other.recv(1 << 20)
            except BlockingIOError:
                return False
            heard.extend(data)
            return not data

        self.turn(all_heard)
        self.assertEqual(much, bytes(heard))
        self.turn(lambda: ours.ended)
        self.assertEqual([error.ConnectionDone], [type(each) for each in ours.ended])
        self.assertEqual(set(), self.reactor.open)
        self.assertEqual([self.reactor.waker], self.reactor.getReaders())
        self.assertEqual([], self.reactor.getWriters())

    def test_ipv4(self) -> None:
        """The usual."""
        self.carries(self.listen())

    def test_ipv6(self) -> None:
        """By a numeric host with colons."""
        self.carries(self.listen(socket.AF_INET6))

    def test_unix(self) -> None:
        """By a path."""
        with tempfile.TemporaryDirectory() as directory:
            self.carries(self.listen(socket.AF_UNIX, f"{directory}/socket"))

    def test_it_says_where_it_leads(self) -> None:
        """As Twisted's own do."""
        ear = self.listen()
        ours, _ = self.link(ear)
        peer = ours.transport.getPeer()
        self.assertEqual(ear.getsockname(), (peer.host, peer.port))

    def test_refused(self) -> None:
        """Nobody listens: told once, and nothing is left."""
        ear = self.listen()
        host, port = ear.getsockname()
        ear.close()
        attempt = Attempt()
        self.reactor.connectTCP(host, port, attempt)
        self.turn(lambda: attempt.failed)
        self.assertIsInstance(attempt.failed[0], error.ConnectionRefusedError)
        self.turn(lambda: not self.reactor.getDelayedCalls())
        self.assertEqual((1, set()), (len(attempt.failed), self.reactor.open))

    def test_no_such_path(self) -> None:
        """The system says so at once, the attempt is told as always: later."""
        with tempfile.TemporaryDirectory() as directory:
            attempt = Attempt()
            self.reactor.connectUNIX(f"{directory}/nothing", attempt)
            self.assertEqual([], attempt.failed)
            self.turn(lambda: attempt.failed)
            self.assertIsInstance(attempt.failed[0], error.ConnectError)

    def test_no_more_descriptors(self) -> None:
        """The process has reached its limit: a failed attempt like another."""

        def none_left(*args: Any) -> Any:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        self.reactor.native = replace(self.primitives, socket=none_left)
        attempt = Attempt()
        self.reactor.connectTCP("127.0.0.1", 1, attempt)
        self.turn(lambda: attempt.failed)
        self.assertEqual(errno.EMFILE, attempt.failed[0].osError)  # type: ignore[attr-defined]

    def test_too_late(self) -> None:
        """An attempt that takes longer than allowed is given up."""
        attempt = Attempt()
        host, port = self.listen().getsockname()
        self.reactor.connectTCP(host, port, attempt, timeout=0)
        self.turn(lambda: attempt.failed)
        self.assertIsInstance(attempt.failed[0], error.TimeoutError)
        self.assertFalse(attempt.connected)
        self.assertEqual(set(), self.reactor.open)

    def test_the_other_side_hangs_up(self) -> None:
        """Told once."""
        ours, other = self.link(self.listen())
        other.close()
        self.turn(lambda: ours.ended)
        self.assertIsInstance(ours.ended[0], error.ConnectionDone)
        self.assertEqual(1, len(ours.ended))

    def test_the_other_side_breaks_down(self) -> None:
        """A reset is the end too, though something was to be written."""
        ours, other = self.link(self.listen())
        other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        ours.transport.write(b"never read")
        other.close()
        self.turn(lambda: ours.ended)
        self.assertEqual(1, len(ours.ended))

    def test_given_up(self) -> None:
        """What was not sent yet is not sent, and the other side learns of it."""
        ours, other = self.link(self.listen())
        ours.transport.write(bytes(1 << 23))
        ours.transport.abortConnection()
        ours.transport.abortConnection()
        ours.transport.write(b"more")
        ours.transport.loseConnection()
        self.assertEqual([], ours.ended)
        self.turn(lambda: ours.ended)
        self.assertIsInstance(ours.ended[0], error.ConnectionAborted)
        self.turn(lambda: not self.reactor.getDelayedCalls())
        self.assertEqual(1, len(ours.ended))
        # A reset, or the end just before it.
        with contextlib.suppress(ConnectionResetError):
            self.assertEqual(b"", other.recv(1))

    def test_a_protocol_that_fails(self) -> None:
        """The fault ends its link, silently, and nothing else."""

        class Faulty(Peer):
            """Cannot take what it hears."""

            def dataReceived(self, data: bytes) -> None:
                """Fail."""
                raise ValueError(data)

        ear = self.listen()
        faulty, other = self.link(ear, Faulty)
        sound, another = self.link(ear)
        other.sendall(b"x")
        another.sendall(b"y")
        self.turn(lambda: faulty.ended and sound.heard)
        self.assertIsInstance(faulty.ended[0], ValueError)

    def test_no_signal_for_a_broken_pipe(self) -> None:
        """A program that lets SIGPIPE end it is not ended by a link that broke."""
        script = (
            "import signal, sys\n"
            "signal.signal(signal.SIGPIPE, signal.SIG_DFL)\n"
            "from tests.client.test_reactor import ReactorTests\n"
            "test = ReactorTests()\n"
            "test.setUp()\n"
            "ours, other = test.link(test.listen())\n"
            "other.close()\n"
            "for _ in range(5): ours.transport.writeSomeData(b'x')\n"
            "mouth = test.reactor.waker._mouth\n"
            "test.reactor.waker._ear.socket.close()\n"
            "for _ in range(5): test.reactor.wakeUp()\n"
            "test.doCleanups()\n"
        )
        # Where the suite runs, tests/ is seen from one directory only, and not this.
        done = subprocess.run(
            [sys.executable, "-c", script],
            check=False,
            timeout=60,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        self.assertNotEqual(-signal.SIGPIPE, done.returncode)
        self.assertEqual(0, done.returncode)


class DescriptorTests(ReactorTests):
    """A program may close what is ours, and have its own under the same numbers."""

    def take_over(self, number: int, flags: int = os.O_RDWR) -> Path:
        """Put the program's own file in the place of a descriptor."""
        handle, name = tempfile.mkstemp()
        os.write(handle, b"the program's")
        os.lseek(handle, 0, os.SEEK_SET)
        self.addCleanup(os.unlink, name)
        os.dup2(handle, number)
        os.close(handle)
        self.addCleanup(os.close, number)
        return Path(name)

    def unharmed(self, number: int, path: Path) -> None:
        """The program's file is open, as it was, and at its beginning."""
        self.assertEqual(path.stat().st_ino, os.fstat(number).st_ino)
        self.assertEqual(0, os.lseek(number, 0, os.SEEK_CUR))
        self.assertEqual(b"the program's", path.read_bytes())

    def test_a_link_that_is_not_ours_any_more(self) -> None:
        """It is lost; the file in its place is not read, written or closed."""
        for use in (
            lambda transport: None,
            lambda transport: transport.write(b"x"),
            lambda transport: transport.loseConnection(),
            lambda transport: transport.abortConnection(),
        ):
            ours, _ = self.link(self.listen())
            number = ours.transport.fileno()
            path = self.take_over(number)
            use(ours.transport)
            self.turn(partial(getattr, ours, "ended"))
            self.unharmed(number, path)

    def test_an_attempt_that_is_not_ours_any_more(self) -> None:
        """It fails."""
        attempt = Attempt()
        host, port = self.listen().getsockname()
        connector: Any = self.reactor.connectTCP(host, port, attempt)
        number = connector.transport.fileno()
        path = self.take_over(number)
        self.turn(lambda: attempt.failed)
        self.unharmed(number, path)

    def test_a_closed_link(self) -> None:
        """With nothing in its place, the same."""
        ours, _ = self.link(self.listen())
        os.close(ours.transport.fileno())
        self.turn(lambda: ours.ended)
        self.assertEqual(set(), self.reactor.open)

    def test_a_waker_that_is_not_ours_any_more(self) -> None:
        """There is another; the files in its place are left alone."""
        waker = self.reactor.waker
        numbers = [waker._ear.fileno(), waker._mouth.fileno()]
        paths = [self.take_over(number) for number in numbers]
        called: list[bool] = []
        self.reactor.callFromThread(called.append, True)
        self.turn(lambda: called and self.reactor.waker is not waker)
        for number, path in zip(numbers, paths, strict=True):
            self.unharmed(number, path)
        self.reactor.wakeUp()
        self.assertTrue(self.reactor._poller.poll(WITHIN))

    def test_a_waker_that_cannot_be_replaced_yet(self) -> None:
        """No descriptors left: looked at again a second later."""

        def none_left() -> Any:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        waker = self.reactor.waker
        self.reactor.native = replace(self.primitives, socketpair=none_left)
        self.patch(reactor, "FAULT_SECONDS", 0.05)
        for end in (waker._ear, waker._mouth):
            os.close(end.fileno())
        self.turn(lambda: self.reactor.waker is None)
        self.reactor.wakeUp()
        self.reactor.native = self.primitives
        self.turn(lambda: self.reactor.waker is not None)

    def test_closing_the_waker_ends_the_poll(self) -> None:
        """However long it would have lasted."""
        poller = self.primitives.poll()
        poller.register(self.reactor.waker.fileno(), 1)
        self.reactor.waker.close()
        self.assertTrue(poller.poll(WITHIN))

    def test_abandoned(self) -> None:
        """A child closes what it inherited, and leaves the parent's link alone."""
        ours, other = self.link(self.listen())
        copy = os.dup(ours.transport.fileno())
        numbers = [ours.transport.fileno(), self.reactor.waker.fileno()]
        self.reactor.abandon()
        for number in numbers:
            self.assertRaises(OSError, os.fstat, number)
        self.assertEqual([], ours.ended)
        other.setblocking(False)
        self.assertRaises(BlockingIOError, other.recv, 1)
        os.close(copy)

    def test_only_our_own_descriptors_are_closed(self) -> None:
        """The program closed all, and opened files of its own, before it forked."""
        ours, _ = self.link(self.listen())
        waker = self.reactor.waker
        numbers = [each.fileno() for each in (waker._ear, waker._mouth, ours.transport)]
        paths = [self.take_over(number) for number in numbers]
        self.reactor.abandon()
        for number, path in zip(numbers, paths, strict=True):
            self.unharmed(number, path)


class OtherSystemTests(DescriptorTests):
    """The same where sockets are not numbered."""

    def setUp(self) -> None:
        """They seem not to be."""
        self.patch(transport, "_SO_COOKIE", 9999)
        super().setUp()
        self.assertIs(transport._file, self.reactor.waker._ear._identity)


class TurnTests(ReactorTests):
    """It wakes up for what is due, and for nothing else."""

    def test_nothing_is_due(self) -> None:
        """It would wait for ever."""
        self.assertIsNone(self.reactor.timeout())

    def test_what_was_cancelled_is_not_due(self) -> None:
        """Neither the first nor the next, before or after it was looked at."""
        calls = [self.reactor.callLater(each, int) for each in (1, 2, 3, 4)]
        self.assertLess(self.reactor.timeout() or 9, 1.01)
        calls[0].cancel()
        calls[1].cancel()
        self.assertGreater(self.reactor.timeout() or 0, 2.5)
        late = self.reactor.callLater(1, int)
        late.cancel()
        self.assertGreater(self.reactor.timeout() or 0, 2.5)
        calls[2].cancel()
        calls[3].cancel()
        self.assertIsNone(self.reactor.timeout())
        self.assertEqual(0, self.reactor._cancellations)

    def test_time_is_not_up_too_early(self) -> None:
        """One turn for one timer: what is left of a millisecond is waited for too."""
        waits: list[int] = []

        class Poller:
            """Waits for nothing, and remembers how long it should."""

            def poll(self, wait: int) -> list[Any]:
                """Remember it."""
                waits.append(wait)
                return []

        self.reactor._poller = Poller()
        self.reactor.doIteration(0.0101)
        self.reactor.doIteration(None)
        self.reactor.doIteration(0)
        self.assertEqual([11, -1, 0], waits)

    def test_polling_that_fails_does_not_eat_a_processor(self) -> None:
        """It is tried again after a rest."""
        rests: list[float] = []

        def rest(seconds: float) -> None:
            rests.append(seconds)
            if len(rests) == 3:
                self.reactor.crash()

        class Poller:
            """Fails."""

            def poll(self, wait: int) -> list[Any]:
                """Fail."""
                raise OSError(errno.EINVAL, "too many descriptors")

        self.reactor._poller = Poller()
        self.reactor.native = replace(self.primitives, sleep=rest)
        self.reactor.run(installSignalHandlers=False)
        self.assertEqual([reactor.FAULT_SECONDS] * 3, rests)

    def test_no_thread_pool(self) -> None:
        """Nothing may wait for a thread here."""
        self.assertRaises(RuntimeError, self.reactor.getThreadPool)

    def test_everything_is_left(self) -> None:
        """All but the waker."""
        ours, _ = self.link(self.listen())
        ours.transport.write(b"x")
        self.assertEqual([ours.transport], self.reactor.removeAll())
        self.assertEqual([self.reactor.waker], self.reactor.getReaders())
        self.assertEqual([], self.reactor.getWriters())
