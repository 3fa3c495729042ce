"""Tests that our thread leaves the application's garbage, and collector, alone."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from typing import Any

import sqlalchemy.ext.asyncio
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from connmon.client import native
from connmon.client.garbage import Garbage
from connmon.client.loop import Loop

WITHIN = 60.0
"""Seconds after which a thing that must happen has not."""

ASYNCIO = sqlalchemy.ext.asyncio.__name__
"""The module whose presence says that there may be a loop's pools."""


class Cycle:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        """Refer to itself."""
        self.self = self


class GarbageTests(SynchronousTestCase):
    """Whether the collector is off, and on whose behalf."""

    def setUp(self) -> None:
        """The collector as it usually is."""
        if sys.implementation.name != "cpython":
            raise SkipTest("garbage is another matter here")
        self.addCleanup(gc.enable)
        self.garbage = Garbage()

    def test_a_program_of_threads(self) -> None:
        """Its collector is left alone: any thread may return a connection there."""
        modules = {k: v for k, v in sys.modules.items() if k != ASYNCIO}
        self.patch(sys, "modules", modules)
        self.garbage.keep()
        self.assertTrue(gc.isenabled())

    def test_off_and_on_again(self) -> None:
        """While it is kept; leaving twice is leaving once."""
        self.garbage.keep()
        self.assertFalse(gc.isenabled())
        self.garbage.leave()
        self.garbage.leave()
        self.assertTrue(gc.isenabled())

    def test_an_application_that_has_it_off(self) -> None:
        """It stays off: it is not ours to turn on."""
        gc.disable()
        self.garbage.keep()
        self.garbage.leave()
        self.assertFalse(gc.isenabled())

    def test_aside(self) -> None:
        """What others may run beside sees the collector as it was."""
        self.garbage.keep()
        self.assertTrue(self.garbage.aside(gc.isenabled))
        self.assertFalse(gc.isenabled())
        self.assertRaises(ZeroDivisionError, self.garbage.aside, lambda: 1 // 0)
        self.assertFalse(gc.isenabled())
        self.garbage.leave()

    def test_aside_of_nothing(self) -> None:
        """Called when the collector is not kept away, it does not begin to."""
        self.assertTrue(self.garbage.aside(gc.isenabled))
        self.assertTrue(gc.isenabled())


class ThreadTests(SynchronousTestCase):
    """The reporting thread, busy beside an application that makes garbage."""

    def setUp(self) -> None:
        """A loop that runs, and a note of who collects."""
        if sys.implementation.name != "cpython":
            raise SkipTest("garbage is another matter here")
        self.loop = Loop(native.find())
        self.loop.start()
        self.addCleanup(self.loop.reactor.abandon)
        self.addCleanup(self.loop.end, WITHIN)
        self.collectors: list[int] = []
        gc.callbacks.append(self.collected)
        self.addCleanup(gc.callbacks.remove, self.collected)
        self.addCleanup(gc.set_threshold, *gc.get_threshold())

    def collected(self, phase: str, info: Any) -> None:
        """Note the thread."""
        if phase == "start":
            self.collectors.append(threading.get_ident())

    def done(self, function: Any) -> Any:
        """What a call in the thread returned."""
        found: list[Any] = []
        done = threading.Event()

        def work() -> None:
            found.append(function())
            done.set()

        self.loop.call(work)
        self.assertTrue(done.wait(WITHIN))
        return found[0]

    def test_the_application_collects_its_garbage_itself(self) -> None:
        """However much our thread allocates, and however often it would be its turn."""
        ident = self.done(threading.get_ident)
        gc.set_threshold(100, 5, 5)

        def allocate() -> None:
            kept = [Cycle() for _ in range(500)]
            kept.clear()

        until = time.monotonic() + 10.0
        for turn in range(400):
            self.done(allocate) if turn % 2 else self.loop.call(allocate)
            del [[] for _ in range(60)][:]
            Cycle()
            if time.monotonic() > until:
                break
        ours = self.collectors.count(ident)
        # One may come just as the thread wakes up, on Python 3.12 and later.
        self.assertLess(ours, len(self.collectors) / 50, f"{ours} of all")
        self.assertGreater(len(self.collectors), 50)

    def test_the_collector_is_off_while_the_thread_works(self) -> None:
        """And on when it waits."""
        self.assertFalse(self.done(gc.isenabled))
        self.assertTrue(self.loop.end(WITHIN))
        self.assertTrue(gc.isenabled())

    def test_a_child_forked_in_the_middle(self) -> None:
        """Its collector is on, though nobody was there to turn it on again."""
        held, release = threading.Event(), threading.Event()

        def work() -> None:
            held.set()
            release.wait(WITHIN)

        self.loop.call(work)
        self.assertTrue(held.wait(WITHIN))
        self.assertFalse(gc.isenabled())
        pid = os.fork()
        if pid == 0:
            self.loop.reactor.abandon()
            os._exit(0 if gc.isenabled() else 1)
        release.set()
        self.assertEqual(0, os.waitpid(pid, 0)[1])
