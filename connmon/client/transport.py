"""One link's socket, as the reporting thread's reactor serves it.

Not Twisted's TCP transport: that brings UDP, servers and TLS along, and cannot be given
a socket of the C class, which no program patches. What is special here:

* A program may close descriptors that are ours, and its own files then get their
  numbers. So a descriptor is looked at before it is used: what is not ours any more is
  neither read, written nor closed.
* A program may have SIGPIPE end it: no write of ours can cause one.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from twisted.internet import abstract, address, error, main
from twisted.internet.base import BaseConnector
from twisted.python.failure import Failure

if TYPE_CHECKING:
    from connmon.client.reactor import PrivateReactor

# PyPy 7.3 has no name for it.
QUIETLY = getattr(socket, "MSG_NOSIGNAL", 0x4000 if sys.platform == "linux" else 0)
"""Flags for ``send``: an error when the other side is gone, and no signal."""

_AT_ONCE = struct.pack("ii", 1, 0)
_READ_LIMIT = 64 * 1024

#: Linux numbers all sockets there ever were; Python has no name for the option.
_SO_COOKIE = 57

Where = tuple[str, int] | str
"""Where to connect to: a numeric host and a port, or a UNIX socket's path."""


class Owned:
    """A socket of the C class, and whether its number still stands for it."""

    def __init__(self, made: Any) -> None:
        """Know it as it is now; it must not block from now on."""
        made.setblocking(False)
        self.socket = made
        self._identity = _cookie if _has_cookies(made) else _file
        self._known = self._identity(made)

    def fileno(self) -> int:
        """Its number, -1 once it is closed."""
        return int(self.socket.fileno())

    def is_ours(self) -> bool:
        """Whether the program has left it alone."""
        try:
            return self._identity(self.socket) == self._known
        except OSError:
            return False

    def close(self) -> None:
        """Give it back and do no more to it, unless its number is another's by now."""
        if self.is_ours():
            with suppress(OSError):
                self.socket.close()
        else:
            self.socket.detach()


def _has_cookies(made: Any) -> bool:
    """Whether the system numbers sockets; gVisor, say, does not."""
    try:
        return os.uname().sysname == "Linux" and bool(_cookie(made))
    except OSError:
        return False


def _cookie(made: Any) -> object:
    """What no other socket has; raises ``OSError`` if this is none any more.

    Unlike fstat(2), it gives other threads no chance to run.
    """
    return made.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, 8)


def _file(made: Any) -> object:
    """What no other file has; raises ``OSError`` if this is none any more."""
    found = os.fstat(made.fileno())
    return found.st_dev, found.st_ino


class Connector(BaseConnector):
    """One attempt to connect to one place, and the transport that comes of it."""

    reactor: PrivateReactor

    def __init__(
        self, where: Where, factory: Any, timeout: float, reactor: PrivateReactor
    ) -> None:
        """Nothing happens before ``connect``."""
        super().__init__(factory, timeout, reactor)
        self.where = where

    def getDestination(self) -> Any:
        """Where it leads, as Twisted says it."""
        if isinstance(self.where, str):
            return address.UNIXAddress(self.where)
        kind = address.IPv6Address if ":" in self.where[0] else address.IPv4Address
        return kind("TCP", *self.where)

    def _makeTransport(self) -> Any:
        return Transport(self, self.reactor)


class Transport(abstract.FileDescriptor):
    """A stream on a socket that has yet to connect."""

    def __init__(self, connector: Connector, reactor: PrivateReactor) -> None:
        """Begin to connect; whether that is possible is told later in any case."""
        super().__init__(reactor)
        self._connector = connector
        self._reactor = reactor
        self._aside = reactor.garbage.aside
        self._owned: Owned | None = None
        self._protocol: Any = None
        self._is_orderly = True
        try:
            self._aside(self._begin, connector.where)
        except OSError as problem:
            told = error.getConnectError(problem)
            reactor.callLater(0, self.failIfNotConnected, told)

    def _begin(self, where: Where) -> None:
        kind = socket.AF_UNIX if isinstance(where, str) else socket.AF_INET
        if kind is socket.AF_INET and ":" in where[0]:
            kind = socket.AF_INET6
        made = self._reactor.native.socket(kind, socket.SOCK_STREAM)
        self._owned = Owned(made)
        self._reactor.open.add(self._owned)
        code = made.connect_ex(where)
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, os.strerror(code))
        self.startWriting()

    # What a protocol asks for.

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Whether small writes leave at once; other sockets than TCP's always do."""
        if self._owned is not None and not isinstance(self._connector.where, str):
            self._owned.socket.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_NODELAY, int(enabled)
            )

    def abortConnection(self) -> None:
        """Close without sending what is still buffered."""
        if self.connected and self._is_orderly:
            self._is_orderly = False
            self.disconnecting = 1
            self._writeDisconnected = True
            self.stopReading()
            self.stopWriting()
            lost = Failure(error.ConnectionAborted())
            self._reactor.callLater(0, self.connectionLost, lost)

    def getPeer(self) -> Any:
        """Where it leads."""
        return self._connector.getDestination()

    # What the connector and the reactor ask for.

    def fileno(self) -> int:
        """The socket's number, -1 where there is none."""
        return -1 if self._owned is None else self._owned.fileno()

    def failIfNotConnected(self, reason: BaseException) -> None:
        """Give the attempt up, if it is still one."""
        if not self.connected and not self.disconnected:
            self.disconnected = 1
            self._close()
            self._connector.connectionFailed(Failure(reason))

    def doRead(self) -> BaseException | None:
        """There is something to read, or the attempt is over."""
        if self._owned is None or not self._owned.is_ours():
            return main.CONNECTION_LOST
        if not self.connected:
            return self._attempted()
        try:
            data: bytes = self._aside(self._owned.socket.recv, _READ_LIMIT)
        except BlockingIOError:
            return None
        except OSError:
            return main.CONNECTION_LOST
        if not data:
            return main.CONNECTION_DONE
        self._protocol.dataReceived(data)
        return None

    def doWrite(self) -> Any:
        """There is room to write, or the attempt is over."""
        return super().doWrite() if self.connected else self.doRead()

    def writeSomeData(self, data: bytes) -> int | BaseException:
        """Write what there is room for; how much that was."""
        if self._owned is None or not self._owned.is_ours():
            return main.CONNECTION_LOST
        try:
            sent: int = self._aside(self._owned.socket.send, data, QUIETLY)
        except BlockingIOError:
            return 0
        except OSError:
            return main.CONNECTION_LOST
        return sent

    def connectionLost(self, reason: Failure) -> None:
        """It is over, for whatever reason. Twice is once."""
        if self.disconnected:
            return
        if not self.connected:
            value: Any = reason.value
            self.failIfNotConnected(self._attempt_error() or value)
            return
        super().connectionLost(reason)
        self._close()
        protocol, self._protocol = self._protocol, None
        protocol.connectionLost(reason)
        self._connector.connectionLost(reason)
        # Else both would be left to the collector, which some applications turn off.
        self._connector.transport = None

    def _attempted(self) -> BaseException | None:
        """Be connected, or know why not."""
        problem = self._attempt_error()
        if problem is not None:
            return problem
        self.connected = 1
        self.stopWriting()
        self._protocol = self._connector.buildProtocol(self.getPeer())
        self.startReading()
        self._protocol.makeConnection(self)
        return None

    def _attempt_error(self) -> BaseException | None:
        """What the system says of the attempt."""
        if self._owned is None or not self._owned.is_ours():
            return None
        code = self._owned.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return error.getConnectError((code, os.strerror(code))) if code else None

    def _close(self) -> None:
        """Close the socket: also for a child that has inherited it unnoticed."""
        self.stopReading()
        self.stopWriting()
        owned, self._owned = self._owned, None
        if owned is None:
            return
        self._reactor.open.discard(owned)
        self._aside(_end, owned, self._is_orderly)


def _end(owned: Owned, is_orderly: bool) -> None:
    """End a connection and close its socket, if it is still ours."""
    if owned.is_ours():
        with suppress(OSError):
            if not is_orderly:
                owned.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            owned.socket.shutdown(socket.SHUT_RDWR)
    owned.close()
