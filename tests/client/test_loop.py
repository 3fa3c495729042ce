"""Tests of the reporting thread: a real one, parked, resumed and ended."""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from connmon.client import native
from connmon.client.loop import Loop

WITHIN = 60.0
"""Seconds after which a thing that must happen has not."""


class LoopTests(SynchronousTestCase):
    """The thread stops and goes on when asked, and however late it is."""

    def setUp(self) -> None:
        """A loop that runs, and ends with the test."""
        self.loop = Loop(native.find())
        self.loop.start()
        self.addCleanup(self.loop.reactor.abandon)
        self.addCleanup(self.loop.end, WITHIN)

    def ident(self) -> int:
        """The thread's number."""
        seen: list[int] = []
        done = threading.Event()

        def look() -> None:
            seen.append(threading.get_ident())
            done.set()

        self.loop.call(look)
        self.assertTrue(done.wait(WITHIN))
        return seen[0]

    def occupy(self) -> threading.Event:
        """Have the thread busy until the event is set."""
        busy, release = threading.Event(), threading.Event()

        def work() -> None:
            busy.set()
            release.wait(WITHIN)

        self.loop.call(work)
        self.assertTrue(busy.wait(WITHIN))
        return release

    def works(self) -> bool:
        """Whether a call is made in the thread."""
        called = threading.Event()
        self.loop.call(called.set)
        return called.wait(WITHIN)

    def test_calls_are_made_in_another_thread(self) -> None:
        """Not in the caller's."""
        self.assertNotEqual(threading.get_ident(), self.ident())

    def test_a_failing_call_does_not_end_the_thread(self) -> None:
        """Twisted logs it; what the uplink calls is guarded and never gets so far."""
        self.loop.call(lambda: 1 // 0)
        self.assertTrue(self.works())
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_parked_and_resumed(self) -> None:
        """Many times over; what was asked meanwhile is done afterwards."""
        for _ in range(20):
            self.assertTrue(self.loop.end(WITHIN))
            called = threading.Event()
            self.loop.call(called.set)
            self.assertFalse(called.is_set())
            self.loop.start()
            self.assertTrue(called.wait(WITHIN))

    def test_too_busy_to_park(self) -> None:
        """A thread that is late to stop goes on by itself when it is done."""
        release = self.occupy()
        self.assertFalse(self.loop.end(0.01))
        self.loop.start()
        release.set()
        self.assertTrue(self.works())

    def test_late_again(self) -> None:
        """Who forks often does not wait each time for a thread that is held up."""
        release = self.occupy()
        self.assertFalse(self.loop.park(0.01))
        began = time.monotonic()
        self.assertFalse(self.loop.park(60.0))
        self.assertLess(time.monotonic() - began, 30.0)
        release.set()
        self.assertTrue(self.loop.end(WITHIN))
        self.loop.start()
        self.assertTrue(self.works())
        self.assertTrue(self.loop.park(WITHIN))

    @skipUnless(hasattr(ctypes, "pythonapi"), "only CPython can throw it")
    def test_interrupted(self) -> None:
        """What an application throws into all threads it can find does not end it."""
        thrown = ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(self.ident()), ctypes.py_object(SystemExit)
        )
        self.assertEqual(1, thrown)
        self.assertTrue(self.works())
        self.assertTrue(self.works())
        self.assertTrue(self.loop.runs)

    def test_stopped_between_parking_and_resuming(self) -> None:
        """A thread that stops just after it was given up on is started again."""
        release = self.occupy()
        self.loop.end(0.01)
        release.set()
        self.assertTrue(self.loop.end(WITHIN))
        self.loop.start()
        self.assertTrue(self.works())

    def test_wanted_just_before_it_is_gone(self) -> None:
        """Whoever wants it then finds the lock taken, and leaves it to the thread."""
        loop = self.loop
        self.assertTrue(self.works())
        lock = loop._running
        released = threading.Event()

        class Late:
            """The lock, let go just after somebody wanted the thread again."""

            acquire = staticmethod(lock.acquire)
            locked = staticmethod(lock.locked)

            def release(self) -> None:
                """Want it, then let go, this once."""
                loop._running = lock
                loop.start()
                lock.release()
                released.set()

        loop._running = Late()
        loop._wanted = False
        loop.call(loop.reactor.crash)
        self.assertTrue(released.wait(WITHIN))
        self.assertTrue(self.works())

    def test_stopped_and_wanted_at_any_moment(self) -> None:
        """However stopping and wanting interleave, the thread works in the end."""
        for number in range(300):
            self.loop.end(0.00005 * (number % 7))
            self.loop.start()
        self.assertTrue(self.works())

    def test_ended(self) -> None:
        """Within the time given, and for good."""
        self.assertTrue(self.loop.end(WITHIN))

    def test_no_global_reactor_is_involved(self) -> None:
        """Neither installed nor claimed as the I/O thread."""
        from twisted.python import threadable

        reactor = sys.modules["twisted.internet"].__dict__.get("reactor")
        self.assertIsNot(self.loop.reactor, reactor)
        self.assertNotEqual(self.ident(), threadable.ioThread)
