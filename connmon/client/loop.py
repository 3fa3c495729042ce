"""The reporting thread: crochet's event loop around a private reactor.

crochet owns a reactor in a thread, but its stock set-up is made for applications that
want one: it would install a global reactor, start a watchdog and a process reaper, and
redirect Twisted's log. This subclass keeps the ownership and leaves all of that out.
It is the one module that imports crochet, and importing it imports all that the thread
will ever need: a fork in the middle of an import in another thread would poison the
child.
"""

from __future__ import annotations

import atexit
import encodings.idna  # noqa: F401  the resolver would import it in the thread
import sys
import types
from collections.abc import Callable
from typing import Any

from connmon.client.native import Lock, Native
from connmon.client.reactor import PrivateReactor

try:
    from crochet import EventLoop  # type: ignore[attr-defined]
except IndexError:
    # crochet looks for the main thread's object when it is imported, and finds none in
    # a process forked from another thread or patched by eventlet. What it wants that
    # for, ending the stock reactor with the main thread, is not used here.
    _shutdown: Any = types.ModuleType("crochet._shutdown")
    _shutdown._watchdog = None
    _shutdown.register = atexit.register
    sys.modules["crochet._shutdown"] = _shutdown
    from crochet import EventLoop  # type: ignore[attr-defined]


LAST_LOOK_SECONDS = 0.005
"""How long a fork looks whether a thread that was late to stop has stopped."""


class Loop(EventLoop):  # type: ignore[misc]
    """One reactor in one real, daemonic thread, that can be parked around a fork."""

    def __init__(self, native: Native) -> None:
        """Make the reactor; ``start`` makes the thread."""
        super().__init__(lambda: PrivateReactor(native), lambda *args: None)
        self._native = native
        self._ended: Lock = native.allocate_lock()
        self._resume = False
        self._common_setup()

    @property
    def reactor(self) -> PrivateReactor:
        """The reactor, for code that runs in its thread."""
        reactor: PrivateReactor = self._reactor
        return reactor

    def start(self) -> None:
        """Start the thread. Raises if the system has none to give."""
        self._ended.acquire()
        try:
            self._native.start_new_thread(self._run, ())
        except BaseException:
            self._ended.release()
            raise

    def call(self, function: Callable[..., object], *args: Any) -> None:
        """Have a function called in the reactor's thread. Any thread; never blocks."""
        self._reactor.callFromThread(function, *args)

    def end(self, timeout: float) -> bool:
        """Stop the thread and wait; whether it ended within ``timeout`` seconds."""
        self._resume = False
        self.call(self._reactor.crash)
        if not self._ended.acquire(True, timeout):
            return False
        self._ended.release()
        # The thread still has to leave C code after it gave the lock back.
        self._native.sleep(0.001)
        return True

    def park(self, timeout: float) -> bool:
        """Stop the thread for a fork; whether it stopped in time. See ``unpark``."""
        return self.end(timeout)

    def unpark(self, parked: bool) -> None:
        """After a fork, in the parent: let the thread go on, however parking ended."""
        if parked:
            self.start()
        else:
            # It is busy and will stop when it is done: have it run again then. It may
            # also have stopped since, or be about to.
            self._resume = True
            if self._ended.acquire(True, LAST_LOOK_SECONDS):
                self._ended.release()
                self._resume = False
                self.start()

    def abandon(self) -> None:
        """After a fork, in the child: the thread is not here, close its descriptors."""
        self._reactor.abandon()

    def _run(self) -> None:
        """The thread's whole life."""
        try:
            while True:
                self._reactor.run(installSignalHandlers=False)
                if not self._resume:
                    break
                self._resume = False
        finally:
            self._ended.release()

    def _startReapingProcesses(self) -> None:
        """Reap nothing: the stock method would import the global reactor."""
