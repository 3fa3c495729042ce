"""The sockets a node listens on, bound before it starts so that failing is one line."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from connmon.config import Address, AnyAddress, UnixAddress
from connmon.errors import ConfigError

BACKLOG = 4096
"""Links that may wait to be accepted: a whole fleet that reconnects at once."""

MODE = 0o666
"""Of a UNIX socket's file: every user may connect, as to a TCP port.

Applications run under users of their own, and whom to keep out is told by the mode of
the directory, which no program has to know.
"""

STARTING_SECONDS = 1.0
"""How long to wait for another node that is just binding in the same directory."""

#: A name may have addresses that this machine lacks: ::1 where there is no IPv6.
_LACKING = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)

#: What a live socket may answer; the last two are a full queue, and another kind.
_ANSWERS = (0, errno.EAGAIN, errno.EPROTOTYPE)


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket; of a UNIX one, also its file, as device and inode."""

    socket: socket.socket
    address: AnyAddress
    file: tuple[int, int] | None = None

    def close(self) -> None:
        """Stop to listen, and remove the file if it is still this socket's.

        Another may have been put in its place. Raises ``OSError`` if the file must be
        left behind.
        """
        try:
            if self.file is not None and isinstance(self.address, UnixAddress):
                self._remove(self.address.path)
        finally:
            # Not before: as long as it is open, no other file has its inode.
            self.socket.close()

    def _remove(self, path: str) -> None:
        with suppress(FileNotFoundError):
            if _file(path) == self.file:
                os.unlink(path)


def bind_all(addresses: Iterable[AnyAddress]) -> list[Listener]:
    """Listeners for each of these addresses, or for none.

    Raises ``ConfigError`` naming the address and the reason.
    """
    bound: list[Listener] = []
    try:
        for address in addresses:
            bound += bind(address)
    except ConfigError:
        _give_up(bound)
        raise
    return bound


def bind(
    address: AnyAddress, resolve: Callable[..., Any] = socket.getaddrinfo
) -> list[Listener]:
    """Listeners for every numeric address of ``address`` that is ours.

    Raises ``ConfigError`` naming the address and the reason.
    """
    try:
        if isinstance(address, UnixAddress):
            return [_unix_listener(address)]
        return _tcp_listeners(address, resolve)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"cannot listen on {address}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """The system's words for an error that is the system's."""
    if isinstance(error, socket.gaierror):  # whose numbers are not the system's
        return error.strerror or str(error)
    if isinstance(error, _InTheWay):
        return str(error)
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error)


def _give_up(listeners: list[Listener]) -> None:
    """Close what was bound in vain."""
    for each in listeners:
        with suppress(OSError):
            each.close()


# -- TCP ------------------------------------------------------------------------------


def _tcp_listeners(address: Address, resolve: Callable[..., Any]) -> list[Listener]:
    """As ``bind``; raises ``OSError``."""
    found = resolve(
        address.host,
        address.port,
        type=socket.SOCK_STREAM,
        flags=socket.AI_PASSIVE,
    )
    bound: list[Listener] = []
    lacking: OSError | None = None
    for family, kind, protocol, _, place in dict.fromkeys(found):
        try:
            bound.append(_tcp_listener(family, kind, protocol, place))
        except OSError as error:
            if error.errno in _LACKING:
                lacking = error
                continue
            _give_up(bound)
            raise
    if lacking is not None and not bound:
        raise lacking
    return bound


def _tcp_listener(family: int, kind: int, protocol: int, place: Any) -> Listener:
    """One listening socket; raises ``OSError``."""
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # "[::]" means both families; where both have an address, each has its own.
            with suppress(OSError):
                only_v6 = int(place[0] != "::")
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only_v6)
        made.setblocking(False)
        made.bind(place)
        made.listen(BACKLOG)
        # Where port 0 was asked for, the one that was had.
        host, port = made.getsockname()[:2]
    except OSError:
        made.close()
        raise
    return Listener(made, Address(host, port))


# -- UNIX -----------------------------------------------------------------------------


class _InTheWay(OSError):
    """Why there can be no socket at a path, in words that are not the system's."""


def _unix_listener(address: UnixAddress) -> Listener:
    """A socket at a path, where a dead node may have left its own.

    Raises ``OSError``.
    """
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        with _alone_in(os.path.dirname(address.path)):
            _take_over(address.path)
            # It has its mode from the first moment on.
            mask = os.umask(0o777 & ~MODE)
            try:
                made.bind(address.path)
            finally:
                os.umask(mask)
            made.listen(BACKLOG)
            return Listener(made, address, _file(address.path))
    except OSError:
        made.close()
        raise


@contextmanager
def _alone_in(directory: str) -> Iterator[None]:
    """Keep two nodes from taking over one file at a time.

    A socket that is bound and does not listen yet looks like one that was left. Who
    holds the lock for long is no node, and not waited for.
    """
    try:
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        raise _InTheWay(f"no directory {directory}") from None
    try:
        deadline = time.monotonic() + STARTING_SECONDS
        while not _locked(handle) and time.monotonic() < deadline:
            time.sleep(0.01)
        yield
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    """Whether the lock was had, or is not to be had in this file system at all."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _take_over(path: str) -> None:
    """Remove a socket that nobody listens on; raises ``OSError`` for all else there."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "something")
        raise _InTheWay(f"{kind} is there, expected a socket or nothing")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        answer = probe.connect_ex(path)
    if answer in _ANSWERS:
        raise OSError(errno.EADDRINUSE, "")
    if answer not in (errno.ECONNREFUSED, errno.ENOENT):
        raise OSError(answer, "")
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise _InTheWay(f"cannot remove the socket left there: {reason}") from None


_KINDS = {
    stat.S_IFREG: "a file",
    stat.S_IFDIR: "a directory",
    stat.S_IFLNK: "a symbolic link",
}


def _file(path: str) -> tuple[int, int]:
    """Which file a path is of now; raises ``OSError``."""
    found = os.lstat(path)
    return found.st_dev, found.st_ino
