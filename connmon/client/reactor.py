"""A private Twisted reactor, never installed, for one thread inside an application.

It differs from Twisted's own in what an application could notice: it registers itself
nowhere, has no thread pool, resolver, signal handlers or child watcher, says nothing to
any log, and runs on unpatched primitives. It polls with poll(2): no kernel object to
share with a forked child, and no limit on descriptor numbers.
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress
from typing import Any

from twisted.internet import posixbase, tcp
from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from zope.interface import implementer

from connmon.client.native import Native

_IN, _OUT, _BROKEN = 0x01, 0x04, 0x08 | 0x10 | 0x20


class _Client(tcp.Client):
    """A TCP connection on a socket of the C class, which nobody patches."""

    reactor: Any

    def createInternetSocket(self) -> Any:
        """Make the socket, and let the reactor know it for ``abandon``."""
        made = self.reactor.native.socket(self.addressFamily, self.socketType)
        made.setblocking(False)
        self.reactor.sockets[made] = _file(made.fileno())
        return made

    def _closeSocket(self, orderly: bool) -> None:
        """Close the socket, and let the reactor forget it."""
        self.reactor.sockets.pop(self.socket, None)
        super()._closeSocket(orderly)


class _Connector(tcp.Connector):
    """Makes our kind of connection."""

    def _makeTransport(self) -> _Client:
        """As the base class does, but with the reactor known from the start."""
        client = _Client.__new__(_Client)
        client.reactor = self.reactor
        client.__init__(  # type: ignore[misc]
            self.host, self.port, self.bindAddress, self, self.reactor
        )
        return client


@implementer(IReadDescriptor)
class _Waker:
    """A pipe of our own that ends the poll; writing to it never blocks or fails."""

    disconnected = 0

    def __init__(self, native: Native) -> None:
        self._native = native
        self.ends = os.pipe()
        self._files = [_file(end) for end in self.ends]
        for end in self.ends:
            os.set_blocking(end, False)

    def fileno(self) -> int:
        """The end to poll."""
        return self.ends[0]

    def logPrefix(self) -> str:
        """A name for Twisted's log context."""
        return "connmon"

    def wakeUp(self) -> None:
        """End the poll. A full pipe is awake already, a closed one needs no waking."""
        with suppress(OSError):
            self._native.write(self.ends[1], b".")

    def doRead(self) -> None:
        """Empty the pipe."""
        with suppress(OSError):
            self._native.read(self.ends[0], 4096)

    def connectionLost(self, reason: Any) -> None:
        """Give both ends back, if they are still ours."""
        for end, file in zip(self.ends, self._files, strict=True):
            with suppress(OSError):
                if _file(end) == file:
                    os.close(end)


@implementer(IReactorFDSet)
class PrivateReactor(posixbase.PosixReactorBase, posixbase._PollLikeMixin):
    """The reactor of the reporting thread."""

    _registerAsIOThread = False
    _POLL_DISCONNECTED = _BROKEN
    _POLL_IN = _IN
    _POLL_OUT = _OUT

    #: Timers must not follow adjustments of the wall clock.
    seconds = staticmethod(time.monotonic)

    def __init__(self, native: Native) -> None:
        """Open the waker's pipe; nothing else is acquired before something connects."""
        self.native = native
        self.sockets: dict[Any, tuple[int, int]] = {}
        self._poller = native.poll()
        self._reads: dict[int, Any] = {}
        self._writes: dict[int, Any] = {}
        super().__init__()

    def connectTCP(
        self,
        host: str,
        port: int,
        factory: Any,
        timeout: float = 30,
        bindAddress: Any = None,
    ) -> Any:
        """Connect to a numeric address; there is no resolver here."""
        connector = _Connector(host, port, factory, timeout, bindAddress, self)
        connector.connect()
        return connector

    def abandon(self) -> None:
        """In a forked child: close what was inherited, and do nothing else to it.

        Only close(2), which leaves the parent's connection alone: no shutdown(2), no
        callback, no poll.
        """
        for inherited, file in list(self.sockets.items()):
            with suppress(Exception):
                # The program may have closed it, and have another under its number.
                if _file(inherited.fileno()) == file:
                    inherited.close()
                else:
                    inherited.detach()
        if self.waker is not None:
            self.waker.connectionLost(None)
        self.waker = None
        del self.threadCallQueue[:]

    # What Twisted's base classes ask for.

    def _wakerFactory(self) -> Any:
        return _Waker(self.native)

    def _initThreads(self) -> None:
        self.usingThreads = True

    def getThreadPool(self) -> Any:
        """There is none: nothing here may wait for a thread."""
        raise RuntimeError("no thread pool in an application's reactor")

    def mainLoop(self) -> None:
        """Run until crashed; whatever fails is the callback's own affair."""
        while self._started:
            with suppress(Exception):
                self.runUntilCurrent()
                wait = self.timeout()
                self.doIteration(wait if self.running else 0)

    def doIteration(self, delay: float | None) -> None:
        """Wait for events, at most ``delay`` seconds, and pass them on."""
        wait = -1 if delay is None else int(delay * 1000 + 0.999)
        try:
            events = self._poller.poll(wait)
        except OSError as error:
            if error.errno == errno.EINTR:
                return
            raise
        for fd, event in events:
            selectable = self._reads.get(fd) or self._writes.get(fd)
            if selectable is not None:
                self._doReadOrWrite(selectable, fd, event)

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
        return self._removeAll(list(self._reads.values()), list(self._writes.values()))  # type: ignore[no-any-return]

    def getReaders(self) -> list[Any]:
        """What is watched for input."""
        return list(self._reads.values())

    def getWriters(self) -> list[Any]:
        """What is watched for room to write."""
        return list(self._writes.values())

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


def _file(fd: int) -> tuple[int, int]:
    """What a descriptor number stands for now; raises ``OSError`` if nothing."""
    found = os.fstat(fd)
    return found.st_dev, found.st_ino
