"""Tests of what connmon does in a process: cut short, refused, forked, ended."""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connmon.address import Address
from connmon.client import native
from connmon.client.agent import ATTEMPTS, FORK_SECONDS, Agent, Here
from connmon.client.link import Destination
from tests.whole.servers import eventually, free_port

WITHIN = 60.0
"""Seconds after which a thing that must happen has not."""


class HereTests(SynchronousTestCase):
    """One process with one agent, whose node is not there."""

    def setUp(self) -> None:
        """What this process would be, without the hooks that cannot be taken back."""
        self.here = Here()
        self.here._hooked = True
        self.agent = self.here.agent(self.destination())
        self.addCleanup(self.end)
        self.logged: list[str] = []
        handler = logging.Handler()
        handler.emit = lambda record: self.logged.append(  # type: ignore[method-assign]
            record.getMessage()
        )
        logger = logging.getLogger("connmon")
        logger.addHandler(handler)
        self.addCleanup(logger.removeHandler, handler)
        self.addCleanup(setattr, logger, "propagate", logger.propagate)
        logger.propagate = False

    def destination(self) -> Destination:
        """Where nobody listens."""
        return Destination("", (Address("127.0.0.1", free_port()),), "app")

    def end(self) -> None:
        """End the thread, however the test left it, and give back what it had."""
        for loop in self.here._loops.values():
            self.assertTrue(loop.end(WITHIN))
            loop.abandon()

    def runs(self) -> bool:
        """Whether the thread comes to run."""
        return eventually(lambda: self.here.runs, WITHIN)

    def leaving(self) -> float:
        """Leave; how many seconds that took."""
        began = time.monotonic()
        self.here.leave()
        return time.monotonic() - began

    def refuse(self, times: int) -> list[int]:
        """Have the system give no thread, so many times; what is left of them."""
        left = [times]
        find = native.find
        start = find().start_new_thread

        def start_new_thread(function: Any, args: tuple[()]) -> int:
            if left[0]:
                left[0] -= 1
                raise RuntimeError("can't start new thread")
            return int(start(function, args))

        refusing = replace(find(), start_new_thread=start_new_thread)
        self.patch(native, "find", lambda: refusing)
        return left

    def test_the_first_mark_starts_the_thread(self) -> None:
        """And no engine does."""
        self.assertFalse(self.here.runs)
        self.assertTrue(self.here.wake(self.agent))
        self.assertTrue(self.runs())

    def test_cut_short_while_aside(self) -> None:
        """No hook came after the fork; the next mark has the thread go on."""
        self.here.wake(self.agent)
        self.assertTrue(self.runs())
        self.here._loops[self.here.pid].park(WITHIN)
        self.assertFalse(self.here.runs)
        self.assertTrue(self.here.wake(self.agent))
        self.assertTrue(self.runs())

    def test_marks_during_a_fork(self) -> None:
        """The thread stays aside, and hears of them afterwards."""
        self.here.wake(self.agent)
        self.here.before_fork()
        self.assertTrue(self.here.wake(self.agent))
        self.assertFalse(self.here.runs)
        self.here.forked_parent()
        self.assertTrue(self.runs())

    def test_the_hooks_may_run_twice(self) -> None:
        """As they do, so that one may be cut short as it is entered."""
        self.here.wake(self.agent)
        for _ in range(2):
            self.here.before_fork()
        for _ in range(2):
            self.here.forked_parent()
        self.assertTrue(self.runs())
        ledger = self.agent.ledger
        self.here.forked_child()
        self.assertIs(ledger, self.agent.ledger)

    def test_forks_of_several_threads(self) -> None:
        """The last one has the thread go on."""
        self.here.wake(self.agent)
        aside, go = threading.Event(), threading.Event()

        def fork() -> None:
            self.here.before_fork()
            aside.set()
            go.wait(WITHIN)
            self.here.forked_parent()

        other = threading.Thread(target=fork)
        other.start()
        self.assertTrue(aside.wait(WITHIN))
        self.here.before_fork()
        self.here.forked_parent()
        self.assertFalse(self.here.runs)
        go.set()
        other.join()
        self.assertTrue(self.runs())

    def test_a_fork_that_never_ended(self) -> None:
        """A thread cut short in its hook does not keep ours aside for good."""
        self.here.wake(self.agent)
        other = threading.Thread(target=self.here.before_fork)
        other.start()
        other.join()
        self.here._aside = time.monotonic() - FORK_SECONDS - 1.0
        self.assertTrue(self.here.wake(self.agent))
        self.assertTrue(self.runs())

    def test_refused_a_thread_for_a_moment(self) -> None:
        """It is tried again, and nothing is said."""
        left = self.refuse(ATTEMPTS - 1)
        while left[0]:
            self.assertFalse(self.here.wake(self.agent))
        self.assertTrue(self.here.wake(self.agent))
        self.assertTrue(self.runs())
        self.assertEqual([], self.logged)

    def test_refused_a_thread_for_good(self) -> None:
        """That is said once, and nobody is asked for one any more."""
        left = self.refuse(1000)
        for _ in range(50):
            self.here.wake(self.agent)
        self.assertEqual(1000 - ATTEMPTS, left[0])
        (line,) = self.logged
        self.assertIn("cannot report from this process: RuntimeError: can't", line)
        self.here.before_fork()
        self.here.forked_parent()
        self.here.leave()
        self.assertEqual(1000 - ATTEMPTS, left[0])

    def test_two_threads_that_start_it_at_once(self) -> None:
        """One thread, one uplink."""
        barrier = threading.Barrier(8)

        def start() -> None:
            barrier.wait(WITHIN)
            self.here.wake(self.agent)

        threads = [threading.Thread(target=start) for _ in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        self.assertTrue(self.runs())
        uplink = self.agent.uplink
        self.here.wake(self.agent)
        self.assertIs(uplink, self.agent.uplink)
        self.assertEqual(1, len(self.here._loops))

    def test_the_end(self) -> None:
        """Prompt, once and for all."""
        self.here.wake(self.agent)
        self.assertTrue(self.runs())
        self.here.leave()
        self.assertFalse(self.here.runs)
        # Any of these may be kept waiting by others on the machine, but not all.
        self.assertLess(min(self.leaving() for _ in range(10)), 0.1)
        self.here.before_fork()
        self.here.forked_parent()
        self.assertFalse(self.here.runs)

    def test_the_end_of_one_cut_short(self) -> None:
        """The thread that stands aside is wanted once more, to tell the rest."""
        self.here.wake(self.agent)
        self.assertTrue(self.runs())
        self.here._loops[self.here.pid].park(WITHIN)
        finished: list[Agent] = []
        uplink = self.agent.uplink
        assert uplink is not None
        finish = uplink.finish

        def noted(done: Any) -> None:
            finished.append(self.agent)
            finish(done)

        self.patch(uplink, "finish", noted)
        self.here.leave()
        self.assertEqual([self.agent], finished)

    def test_a_child_begins_anew(self) -> None:
        """Also one that was forked past the hooks."""
        self.here.wake(self.agent)
        ledger = self.agent.ledger
        parent = self.here.pid
        loop = self.here._loops[parent]
        self.assertTrue(loop.end(WITHIN))
        self.patch(os, "getpid", lambda: parent + 1)
        self.assertFalse(self.here.wake(self.agent))
        self.here.forked_child()
        self.assertIsNot(ledger, self.agent.ledger)
        self.assertIsNone(self.agent.uplink)
        self.assertEqual(parent + 1, self.here.pid)
        self.assertTrue(self.here.wake(self.agent))
        self.assertTrue(self.runs())
        self.assertIsNot(loop, self.here._loops[self.here.pid])
