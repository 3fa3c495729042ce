"""The numeric addresses of a host name, asked for in a thread that may hang.

The system's resolver blocks its caller, for half a minute where no name server answers.
So a name is asked for in a thread of its own, while the reporting thread goes on with
its links. There is one such thread at most for each lookup, it lives as long as one
question, and nothing ever waits for its answer: not the end of the process, and a fork
only for a moment.
"""

from __future__ import annotations

import os
import socket
from _thread import get_native_id
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from connmon.client.native import Lock, Native
from connmon.config import Address

if TYPE_CHECKING:
    from connmon.client.reactor import PrivateReactor

ANSWER_SECONDS = 5.0
"""How long an answer is waited for, before it is done without."""

LOOKS = 40
LOOK_SECONDS = 0.0005
"""How often to look whether a thread is gone, and the time between."""

FRESH_SECONDS = 60.0
"""How long an answer is good enough not to ask again."""

#: "localhost" without asking a resolver, whose lock a fork may leave held in the child.
_LOCALHOST = ("127.0.0.1", "::1")

Places = list[tuple[str, int]]
"""Numeric hosts, each with the port."""


class Lookup:
    """Finds addresses for one uplink, one name at a time."""

    def __init__(self, reactor: PrivateReactor, native: Native) -> None:
        """Nothing is asked yet."""
        self._reactor = reactor
        self._native = native
        #: The last answers, and when they came.
        self._known: dict[Address, tuple[float, Places]] = {}
        #: Held while a thread asks: taken for it, and given back by nobody else.
        self._asking: Lock = native.allocate_lock()
        #: Locks to give back when it is done, each to one caller of ``settle``.
        self._waiting: list[Lock] = []
        #: The system's number of the last thread, until it is seen to be gone.
        self._thread: int | None = None
        self._late = False

    def find(self, address: Address, found: Callable[[Places], object]) -> None:
        """Have ``found`` called once: at once, or within a few seconds.

        With no address if the name has none, or none is known in time; the last answer
        is better than none, however old. Reporting thread.
        """
        places = self._at_once(address)
        if places is not None:
            found(places)
        elif not self._asking.acquire(False):
            # It hangs with another question, or still with this one.
            found(self._last(address))
        else:
            self._ask(address, found)

    def settle(self, timeout: float) -> bool:
        """Wait until no thread of ours is in the resolver; whether that is so.

        For a fork, with the reporting thread stopped: the child would find the
        resolver's locks held. Not again for a thread that was waited for in vain: it
        waits for a name server then, and holds none. A negative ``timeout`` waits as
        long as it takes.
        """
        if self._asking.locked():
            done = self._native.allocate_lock()
            done.acquire()
            self._waiting.append(done)
            if self._late and timeout >= 0:
                timeout = 0.0
            if self._asking.locked() and not done.acquire(True, timeout):
                self._late = True
                return False
        self._see_off()
        return True

    def _see_off(self) -> None:
        """Wait until a thread that is done is gone from the system as well.

        In its very last moment it gives back what the resolver kept for it, and holds
        the resolver's lock for that. It takes one switch of threads.
        """
        for _ in range(LOOKS):
            if not _is_there(self._thread):
                break
            self._native.sleep(LOOK_SECONDS)
        self._thread = None

    def _at_once(self, address: Address) -> Places | None:
        """The answer without asking anyone, ``None`` if that cannot be."""
        if address.host.lower() == "localhost":
            return [(host, address.port) for host in _LOCALHOST]
        at, places = self._known.get(address, (0.0, []))
        if places and self._reactor.seconds() - at < FRESH_SECONDS:
            return places
        try:
            return self._resolved(address, socket.AI_NUMERICHOST)
        except (OSError, UnicodeError):
            return None

    def _last(self, address: Address) -> Places:
        """What was known last of a name."""
        return self._known.get(address, (0.0, []))[1]

    def _ask(self, address: Address, found: Callable[[Places], object]) -> None:
        """Start the thread; ``_asking`` is held and is for it to give back."""
        waiting = [found]
        deadline = self._reactor.callLater(
            ANSWER_SECONDS, self._answer, waiting, address
        )
        self._late = False
        look_up = partial(self._look_up, address, waiting, deadline)
        try:
            self._native.start_new_thread(look_up, ())
        except RuntimeError:  # the system gives no more threads
            self._asking.release()
            deadline.cancel()
            self._answer(waiting, address)

    def _look_up(self, address: Address, waiting: list[Any], deadline: Any) -> None:
        """Ask the resolver. The thread's whole life."""
        self._thread = get_native_id()
        places: Places = []
        # Anything: also what the application throws into all threads.
        with suppress(BaseException):
            places = self._resolved(address, 0)
        with suppress(BaseException):
            self._reactor.callFromThread(
                self._answered, address, places, waiting, deadline
            )
        self._asking.release()
        with suppress(IndexError):
            while True:
                self._waiting.pop().release()

    def _answered(
        self, address: Address, places: Places, waiting: list[Any], deadline: Any
    ) -> None:
        """The resolver answered, maybe too late for who asked. Reporting thread."""
        if places:
            self._known[address] = (self._reactor.seconds(), places)
        if deadline.active():
            deadline.cancel()
        self._answer(waiting, address)

    def _answer(self, waiting: list[Any], address: Address) -> None:
        """Tell who asked, unless they were told already."""
        if waiting:
            waiting.pop()(self._last(address))

    def _resolved(self, address: Address, flags: int) -> Places:
        """What the resolver says; raises ``OSError`` or ``UnicodeError``."""
        host: Any = address.host
        if not host.isascii():
            host = host.encode("idna")
        found = self._native.getaddrinfo(
            host, address.port, 0, socket.SOCK_STREAM, 0, flags
        )
        return list(dict.fromkeys((each[4][0], address.port) for each in found))


def _is_there(thread: int | None) -> bool:
    """Whether the system has a thread of this number; no, where it does not tell."""
    try:
        return thread is not None and os.sched_getscheduler(thread) >= 0
    except (AttributeError, OSError):
        return False
