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
from contextlib import suppress
from functools import partial
from typing import Any
from weakref import ref

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

SWITCHES = 40 if sys.implementation.name == "cpython" else 2
"""How often to look whether an ended thread is gone, half a millisecond apart.

Elsewhere its traces go with the garbage, some time later.
"""


class Loop(EventLoop):  # type: ignore[misc]
    """One reactor in one real, daemonic thread, that can be parked around a fork.

    A signal handler of the application may raise in the middle of any call made here
    in its main thread. Whatever it cuts short, the next ``start`` puts right: nothing
    is held by a caller that its own end would have to give back.
    """

    def __init__(self, native: Native) -> None:
        """Make the reactor; ``start`` makes the thread."""
        super().__init__(lambda: PrivateReactor(native), lambda *args: None)
        self._native = native
        self._wanted = False
        self._late = False
        #: Held by the thread as long as it runs, and taken by no other.
        self._running: Lock = native.allocate_lock()
        #: Locks to give back when the thread ends, each to one caller of ``end``.
        self._waiting: list[Lock] = []
        #: What the threads were started with: C code drops it as the last thing.
        self._lives: list[ref[Callable[[], None]]] = []
        self._common_setup()

    @property
    def reactor(self) -> PrivateReactor:
        """The reactor, for code that runs in its thread."""
        reactor: PrivateReactor = self._reactor
        return reactor

    @property
    def runs(self) -> bool:
        """Whether there is a thread at work that was not told to stop."""
        return self._wanted and self._running.locked()

    def start(self) -> None:
        """Have the thread run, however it stands. Raises if the system gives none.

        A thread that was told to stop and is not done yet sees that it is wanted again.
        """
        self._wanted = True
        if self._running.locked():
            return
        # Should another caller do the same just now, one of the threads leaves.
        life = partial(self._run)
        self._lives = [*self._living(), ref(life)]
        self._native.start_new_thread(life, ())

    def call(self, function: Callable[..., object], *args: Any) -> None:
        """Have a function called in the reactor's thread. Any thread; never blocks."""
        self._reactor.callFromThread(function, *args)

    def end(self, timeout: float) -> bool:
        """Stop the thread and wait; whether it ended within ``timeout`` seconds.

        A negative ``timeout`` waits as long as it takes.
        """
        done = self._native.allocate_lock()
        done.acquire()
        self._waiting.append(done)
        self._wanted = False
        self.call(self._reactor.crash)
        if self._running.locked() and not done.acquire(True, timeout):
            self._late = True
            return False
        self._see_off()
        return True

    def park(self, timeout: float) -> bool:
        """``end``, but without waiting again for a thread that is late from last time.

        It waits for something outside of us, and a program may fork often.
        """
        return self.end(0.0 if self._late else timeout)

    def abandon(self) -> None:
        """Close all descriptors; the thread is not here, or has ended."""
        self._reactor.abandon()

    def _run(self) -> None:
        """The thread's whole life."""
        # Asked again at the end: whoever wanted the thread just before it let go has
        # left it to this one, and whoever did just after has started another.
        while self._wanted and self._running.acquire(False):
            try:
                self._work()
            finally:
                self._running.release()
                with suppress(IndexError):
                    while True:
                        self._waiting.pop().release()

    def _work(self) -> None:
        """Run the reactor for as long as it is wanted."""
        while self._wanted:
            try:
                self._reactor.run(installSignalHandlers=False)
            except BaseException:
                # Thrown into all threads by the application, or no memory left.
                self._reactor.crash()
                self._native.sleep(1.0)
            self._late = False

    def _living(self) -> list[ref[Callable[[], None]]]:
        """Of the threads started, those that are not gone."""
        return [life for life in self._lives if life() is not None]

    def _see_off(self) -> None:
        """Wait until the thread, which has ended, has left C code as well.

        Until then it counts as one: a fork warns of it, and a sub-interpreter that is
        ended aborts the process. It takes one switch of threads.
        """
        for _ in range(SWITCHES):
            if not self._living():
                return
            self._native.sleep(0.0005)

    def _startReapingProcesses(self) -> None:
        """Reap nothing: the stock method would import the global reactor."""
