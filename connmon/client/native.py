"""Threads, locks, polling and sockets as the operating system has them.

gevent and eventlet replace these in the standard library by greenlet versions. Our
thread must be a real one, so it uses the originals. They are looked up when the thread
is about to start, since a program may patch before or after it imports us.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol


class Lock(Protocol):
    """A lock of ``_thread``: no context switch but the operating system's."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock, within ``timeout`` seconds; whether it was had."""

    def release(self) -> None:
        """Give the lock back."""

    def locked(self) -> bool:
        """Whether somebody has it."""


@dataclass(frozen=True, slots=True)
class Native:
    """The unpatched primitives."""

    start_new_thread: Callable[[Callable[[], None], tuple[()]], int]
    get_ident: Callable[[], int]
    allocate_lock: Callable[[], Lock]
    poll: Callable[[], Any]
    sleep: Callable[[float], None]
    socket: Callable[..., Any]
    socketpair: Callable[[], tuple[Any, Any]]
    getaddrinfo: Callable[..., list[Any]]


def find() -> Native:
    """The primitives of this process as it is now. Raises where there are none."""
    import _socket

    original = _original()
    thread, select = original("_thread"), original("select")
    time = original("time")
    return Native(
        start_new_thread=thread("start_new_thread"),
        get_ident=thread("get_ident"),
        allocate_lock=thread("allocate_lock"),
        poll=select("poll"),
        sleep=time("sleep"),
        socket=_socket.socket,
        socketpair=_socket.socketpair,
        getaddrinfo=_socket.getaddrinfo,
    )


def is_patched() -> bool:
    """Whether gevent or eventlet have replaced something in this process."""
    return _gevent() is not None or _eventlet() is not None


def _original() -> Callable[[str], Callable[[str], Any]]:
    """How to find the original of a module's attribute: module name, then attribute."""
    gevent, eventlet = _gevent(), _eventlet()
    if gevent is not None:
        get_original = gevent.get_original
        return lambda module: lambda name: get_original(module, name)
    if eventlet is not None:
        find_module = eventlet.original
        return lambda module: lambda name: getattr(find_module(module), name)
    return lambda module: lambda name: getattr(__import__(module), name)


def _gevent() -> Any:
    """The patches of gevent, if it has made any."""
    found = sys.modules.get("gevent.monkey")
    return found if getattr(found, "saved", None) else None


def _eventlet() -> Any:
    """The patches of eventlet, if it has made any."""
    found = sys.modules.get("eventlet.patcher")
    return found if getattr(found, "already_patched", None) else None
