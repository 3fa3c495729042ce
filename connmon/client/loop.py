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


class Loop(EventLoop):  # type: ignore[misc]
    """One reactor in one real, daemonic thread, that can be parked around a fork."""

    def __init__(self, native: Native) -> None:
        """Make the reactor; ``start`` makes the thread."""
        super().__init__(lambda: PrivateReactor(native), lambda *args: None)
        self._native = native
        self._ended: Lock = native.allocate_lock()
        self._wanted = False
        self._common_setup()

    @property
    def reactor(self) -> PrivateReactor:
        """The reactor, for code that runs in its thread."""
        reactor: PrivateReactor = self._reactor
        return reactor

    def start(self) -> None:
        """Have the thread run, however it stands. Raises if the system gives none.

        A thread that was told to stop and is not done yet sees that it is wanted again.
        """
        self._wanted = True
        if not self._ended.acquire(False):
            return
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
        self._wanted = False
        self.call(self._reactor.crash)
        if not self._ended.acquire(True, timeout):
            return False
        self._ended.release()
        # The thread still has to leave C code after it gave the lock back.
        self._native.sleep(0.001)
        return True

    def abandon(self) -> None:
        """After a fork, in the child: the thread is not here, close its descriptors."""
        self._reactor.abandon()

    def _run(self) -> None:
        """The thread's whole life."""
        while True:
            try:
                self._reactor.run(installSignalHandlers=False)
            except BaseException:
                self._ended.release()
                raise
            if self._is_wanted():
                continue
            self._ended.release()
            # Looked at again: whoever wanted it just before the release has left it to
            # this thread, and whoever did just after has taken the lock for another.
            if not self._is_wanted() or not self._ended.acquire(False):
                return

    def _is_wanted(self) -> bool:
        """Whether the thread should run, as another thread may change at any time."""
        return self._wanted

    def _startReapingProcesses(self) -> None:
        """Reap nothing: the stock method would import the global reactor."""
