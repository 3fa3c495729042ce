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


@dataclass(frozen=True, slots=True)
class Native:
    """The unpatched primitives."""

    start_new_thread: Callable[[Callable[[], None], tuple[()]], int]
    allocate_lock: Callable[[], Lock]
    poll: Callable[[], Any]
    read: Callable[[int, int], bytes]
    write: Callable[[int, bytes], int]
    sleep: Callable[[float], None]
    socket: Callable[..., Any]
    getaddrinfo: Callable[..., list[Any]]


def find() -> Native:
    """The primitives of this process as it is now. Raises where there are none."""
    import _socket

    original = _original()
    thread, select = original("_thread"), original("select")
    os, time = original("os"), original("time")
    return Native(
        start_new_thread=thread("start_new_thread"),
        allocate_lock=thread("allocate_lock"),
        poll=select("poll"),
        read=os("read"),
        write=os("write"),
        sleep=time("sleep"),
        socket=_socket.socket,
        getaddrinfo=_socket.getaddrinfo,
    )


def _original() -> Callable[[str], Callable[[str], Any]]:
    """How to find the original of a module's attribute: module name, then attribute."""
    gevent = sys.modules.get("gevent.monkey")
    if gevent is not None and gevent.saved:
        get_original = gevent.get_original
        return lambda module: lambda name: get_original(module, name)
    eventlet = sys.modules.get("eventlet.patcher")
    if eventlet is not None and eventlet.already_patched:
        find_module = eventlet.original
        return lambda module: lambda name: getattr(find_module(module), name)
    return lambda module: lambda name: getattr(__import__(module), name)
