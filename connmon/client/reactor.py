"""A private Twisted reactor, never installed, for one thread inside an application.

It differs from Twisted's own in what an application could notice: it registers itself
nowhere, has no thread pool, resolver, signal handlers or child watcher, says nothing to
any log, and runs on unpatched primitives. It polls with poll(2): no kernel object to
share with a forked child, and no limit on descriptor numbers. It wakes up when there is
something to do and at no other time.
"""

from __future__ import annotations

import time
from contextlib import suppress
from heapq import heappop
from typing import Any

from twisted.internet import main
from twisted.internet.base import ReactorBase
from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from connmon.client.garbage import Garbage
from connmon.client.native import Native
from connmon.client.transport import QUIETLY, Connector, Owned

_IN, _OUT, _BROKEN = 0x01, 0x04, 0x08 | 0x10 | 0x20

FAULT_SECONDS = 1.0
"""How long to rest when polling itself fails: that must not eat a processor."""


@implementer(IReadDescriptor)
class _Waker:
    """A pair of sockets of our own that ends the poll; to wake never blocks or fails.

    If the program closes them, the poll ends too.
    """

    def __init__(self, reactor: PrivateReactor) -> None:
        self._reactor = reactor
        self._ear, self._mouth = (Owned(each) for each in reactor.native.socketpair())

    def fileno(self) -> int:
        """The end to poll."""
        return self._ear.fileno()

    def logPrefix(self) -> str:
        """A name for Twisted's log context."""
        return "connmon"

    def wakeUp(self) -> None:
        """End the poll. Any thread. Full is awake already, closed needs no waking."""
        if self._mouth.is_ours():
            with suppress(OSError):
                self._mouth.socket.send(b".", QUIETLY)

    def doRead(self) -> Any:
        """Empty it."""
        if not self._ear.is_ours():
            return main.CONNECTION_LOST
        with suppress(BlockingIOError):
            if not self._reactor.garbage.aside(self._ear.socket.recv, 4096):
                return main.CONNECTION_LOST
        return None

    def close(self) -> None:
        """Give both ends back."""
        self._ear.close()
        self._mouth.close()

    def connectionLost(self, reason: Failure) -> None:
        """Something, the program no doubt, has closed it: have another."""
        self.close()
        self._reactor.waker = None
        self._reactor.installWaker()


@implementer(IReactorFDSet)
class PrivateReactor(ReactorBase):
    """The reactor of the reporting thread."""

    _registerAsIOThread = False

    #: Timers must not follow adjustments of the wall clock.
    seconds = staticmethod(time.monotonic)

    def __init__(self, native: Native) -> None:
        """Open the waker; nothing else is acquired before something connects."""
        self.native = native
        self.garbage = Garbage()
        self._thread: int | None = None
        #: The sockets of its connections.
        self.open: set[Owned] = set()
        self._poller = native.poll()
        self._reads: dict[int, Any] = {}
        self._writes: dict[int, Any] = {}
        super().__init__()

    def connectTCP(
        self, host: str, port: int, factory: Any, timeout: float = 30
    ) -> Connector:
        """Connect to a numeric address; there is no resolver here."""
        connector = Connector((host, port), factory, timeout, self)
        connector.connect()
        return connector

    def connectUNIX(self, path: str, factory: Any, timeout: float = 30) -> Connector:
        """Connect to a UNIX socket."""
        connector = Connector(path, factory, timeout, self)
        connector.connect()
        return connector

    def abandon(self) -> None:
        """In a forked child: close what was inherited, and do nothing else to it.

        Only close(2), which leaves the parent's connection alone: no shutdown(2), no
        callback, no poll.
        """
        self.garbage.leave()
        for inherited in list(self.open):
            inherited.close()
        if self.waker is not None:
            self.waker.close()
        self.waker = None
        del self.threadCallQueue[:]

    # What Twisted's base class asks for.

    def installWaker(self) -> None:
        """Have a waker. Where the system gives none now, look again before long."""
        if self.waker is not None:
            return
        try:
            self.waker = _Waker(self)
        except OSError:
            self.callLater(FAULT_SECONDS, self.installWaker)
            return
        self.addReader(self.waker)

    def wakeUp(self) -> None:
        """End the poll; the thread itself looks again before it polls."""
        if not self.runs_here():
            super().wakeUp()

    def runs_here(self) -> bool:
        """Whether the caller is the thread that it runs in. Any thread."""
        return self._thread == self.native.get_ident()

    def _initThreads(self) -> None:
        self.usingThreads = True

    def getThreadPool(self) -> Any:
        """There is none: nothing here may wait for a thread."""
        raise RuntimeError("no thread pool in an application's reactor")

    def mainLoop(self) -> None:
        """Run until crashed; whatever fails is the callback's own affair."""
        self._thread = self.native.get_ident()
        try:
            while self._started:
                self._turn()
        finally:
            self._thread = None

    def _turn(self) -> None:
        """Do what is due, and what there is to read and write."""
        try:
            wait = self._do_what_is_due()
            self.doIteration(wait if self.running else 0)
        except Exception:
            self.native.sleep(FAULT_SECONDS)

    def _do_what_is_due(self) -> float | None:
        """Make the calls that are due; how long there will be none."""
        self.garbage.keep()
        try:
            self.runUntilCurrent()
            return 0.0 if self.threadCallQueue else self.timeout()
        finally:
            self.garbage.leave()

    def timeout(self) -> float | None:
        """How long nothing will be due; Twisted's own counts what was cancelled."""
        self._insertNewDelayedCalls()
        pending = self._pendingTimedCalls
        while pending and pending[0].cancelled:
            heappop(pending)
            self._cancellations -= 1
        return super().timeout()

    def doIteration(self, delay: float | None) -> None:
        """Wait for events, at most ``delay`` seconds, and pass them on."""
        wait = -1 if delay is None else int(delay * 1000 + 0.999)
        events = self._poller.poll(wait)
        self.garbage.keep()
        try:
            for fd, event in events:
                selectable = self._reads.get(fd) or self._writes.get(fd)
                if selectable is not None:
                    self._pass_on(selectable, event)
        finally:
            self.garbage.leave()

    def addReader(self, reader: Any) -> None:
        """Watch for input."""
        self._reads[reader.fileno()] = reader
        self._watch(reader.fileno())

    def addWriter(self, writer: Any) -> None:
        """Watch for room to write."""
        self._writes[writer.fileno()] = writer
        self._watch(writer.fileno())

    def removeReader(self, reader: Any) -> None:
        """Watch no more for input."""
        self._unwatch(self._reads, reader)

    def removeWriter(self, writer: Any) -> None:
        """Watch no more for room to write."""
        self._unwatch(self._writes, writer)

    def removeAll(self) -> list[Any]:
        """Watch nothing but the waker; what was watched."""
        watched = {*self._reads.values(), *self._writes.values()} - {self.waker}
        for each in watched:
            self.removeReader(each)
            self.removeWriter(each)
        return list(watched)

    def getReaders(self) -> list[Any]:
        """What is watched for input."""
        return list(self._reads.values())

    def getWriters(self) -> list[Any]:
        """What is watched for room to write."""
        return list(self._writes.values())

    def _pass_on(self, selectable: Any, event: int) -> None:
        """Have something read or write, and end it if it cannot."""
        try:
            lost = _served(selectable, event)
        except Exception as error:
            lost = error
        if lost is not None:
            self.removeReader(selectable)
            self.removeWriter(selectable)
            with suppress(Exception):
                selectable.connectionLost(Failure(lost))

    def _unwatch(self, watched: dict[int, Any], selectable: Any) -> None:
        """Stop watching, also what has lost its descriptor number by being closed."""
        for fd in [fd for fd, each in watched.items() if each is selectable]:
            del watched[fd]
            self._watch(fd)

    def _watch(self, fd: int) -> None:
        """Tell the poller what a descriptor is watched for now."""
        mask = (_IN if fd in self._reads else 0) | (_OUT if fd in self._writes else 0)
        if mask:
            self._poller.register(fd, mask)
        else:
            with suppress(KeyError):
                self._poller.unregister(fd)


def _served(selectable: Any, event: int) -> BaseException | None:
    """Have something read or write; why that is over for good, if it is."""
    if event & _BROKEN and not event & _IN:
        return main.CONNECTION_LOST
    lost: BaseException | None = selectable.doRead() if event & _IN else None
    if lost is None and event & _OUT:
        lost = selectable.doWrite()
    return lost
