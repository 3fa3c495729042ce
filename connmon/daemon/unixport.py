"""Twisted's listening port, for a UNIX socket that is bound and cared for already.

Twisted's own would change the mode of the file, shorten the queue, and remove whatever
bears the name in the end; its links would take in descriptors that are passed along.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import tcp, unix


class _Server(unix.Server):
    """An accepted link, by recv(2): what comes beside the bytes the kernel drops."""

    def doRead(self) -> Any:
        """Take bytes in."""
        return tcp.Server.doRead(self)


class UnixPort(unix.Port):
    """Accepts links on a socket made elsewhere; its file is none of its business."""

    transport = _Server
    fileno: Any

    @classmethod
    def adopt(cls, reactor: Any, fd: int, factory: Any) -> UnixPort:
        """A port that accepts on a copy of this descriptor."""
        port: UnixPort = cls._fromListeningDescriptor(reactor, fd, factory)
        port.startListening()
        return port

    def startListening(self) -> None:
        """Begin to accept; all else was done when the socket was bound."""
        # What is opened here gives way when descriptors run out.
        tcp._reservedFD.reserve()
        self.factory.doStart()  # type: ignore[union-attr]
        adopted: Any = self._preexistingSocket
        self.socket, self._preexistingSocket = adopted, None
        self.fileno = adopted.fileno
        self.connected = True
        self.numberAccepts = 100
        self.startReading()

    def connectionLost(self, reason: Any) -> None:
        """Accept no more; the file is not touched."""
        tcp.Port.connectionLost(self, reason)
