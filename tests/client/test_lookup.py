"""Tests of looking names up: what needs no resolver, and one that hangs."""

from __future__ import annotations

import _socket
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from connmon.client import agent, lookup, native
from connmon.client.link import Destination
from connmon.client.lookup import ANSWER_SECONDS, FRESH_SECONDS, Lookup, Places
from connmon.config import Address

WITHIN = 60.0
"""Seconds after which a thread that must have come by has not."""

NODE = Address("node1.example", 5800)
THERE: Places = [("10.0.0.1", 5800), ("10.0.0.2", 5800)]


class Calls(Clock):
    """A reactor whose time and calls from threads are the test's to pass on."""

    def __init__(self) -> None:
        """No call yet."""
        super().__init__()
        self.passed: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        self.came = threading.Event()

    def callFromThread(self, function: Callable[..., object], *args: Any) -> None:
        """Keep a call."""
        self.passed.append((function, args))
        self.came.set()

    def pass_on(self) -> None:
        """Make the next call, once it has come."""
        if not self.came.wait(WITHIN):
            raise AssertionError("no call from a thread")
        self.came.clear()
        for function, args in self.passed:
            function(*args)
        self.passed.clear()


class Resolver:
    """A resolver that answers when it is told to, unless it is asked for a literal."""

    def __init__(self) -> None:
        """It answers at once, for now, and knows one name."""
        self.asked: list[Any] = []
        self.answered = 0
        self.real = _socket.getaddrinfo
        self.threads: list[int] = []
        self.go = threading.Event()
        self.go.set()
        self.hosts = [host for host, _ in THERE]

    def getaddrinfo(self, host: Any, port: int, *how: int) -> list[Any]:
        """As the real one, with each address twice, as it gives them for two kinds."""
        if how[-1] & socket.AI_NUMERICHOST:
            return self.real(host, port, *how)
        self.asked.append(host)
        self.threads.append(threading.get_native_id())
        self.go.wait(WITHIN)
        self.answered += 1
        if not self.hosts:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(0, 0, 0, "", (host, port)) for host in self.hosts for _ in range(2)]


class LookupTestCase(SynchronousTestCase):
    """A lookup in the thread of the test, and the resolver in its own."""

    def setUp(self) -> None:
        """Nothing is known yet."""
        self.resolver = Resolver()
        self.addCleanup(self.resolver.go.set)
        reactor: Any = Calls()
        self.reactor = reactor
        self.native = replace(native.find(), getaddrinfo=self.resolver.getaddrinfo)
        self.lookup = Lookup(self.reactor, self.native)
        self.found: list[Places] = []

    def find(self, address: Address = NODE) -> None:
        """Look an address up."""
        self.lookup.find(address, self.found.append)

    def finish(self) -> None:
        """Let the resolver answer, and take the answer."""
        self.resolver.go.set()
        self.reactor.pass_on()
        self.assertTrue(self.lookup.settle(WITHIN))


class FindTests(LookupTestCase):
    """What is found, and when."""

    def test_what_needs_no_resolver(self) -> None:
        """It is answered at once, and no thread is started."""
        for host, places in (
            ("localhost", [("127.0.0.1", 1), ("::1", 1)]),
            ("LocalHost", [("127.0.0.1", 1), ("::1", 1)]),
            ("10.0.0.1", [("10.0.0.1", 1)]),
            ("::1", [("::1", 1)]),
        ):
            self.find(Address(host, 1))
            self.assertEqual([places], self.found, host)
            self.found.clear()
        self.assertEqual([], self.resolver.asked)

    def test_a_name(self) -> None:
        """It is asked for in a thread of its own; each address comes once."""
        self.find()
        self.assertEqual([], self.found)
        self.finish()
        self.assertEqual([THERE], self.found)
        self.assertEqual(["node1.example"], self.resolver.asked)
        self.assertNotEqual([threading.get_native_id()], self.resolver.threads)
        self.assertEqual([], self.reactor.getDelayedCalls())

    def test_a_name_that_is_not_ascii(self) -> None:
        """The resolver gets it as the network has it, and imports nothing for it."""
        self.find(Address("bücher.example", 1))
        self.finish()
        self.assertEqual([b"xn--bcher-kva.example"], self.resolver.asked)

    def test_an_answer_is_good_for_a_while(self) -> None:
        """Then the name is asked for again, and may be somewhere else."""
        self.find()
        self.finish()
        self.reactor.advance(FRESH_SECONDS - 0.1)
        self.find()
        self.assertEqual([THERE, THERE], self.found)
        self.reactor.advance(0.2)
        self.resolver.hosts = ["10.9.9.9"]
        self.find()
        self.finish()
        self.assertEqual([("10.9.9.9", 5800)], self.found[-1])
        self.assertEqual(2, len(self.resolver.asked))

    def test_an_unknown_name(self) -> None:
        """It has no address; it is asked for again the next time."""
        self.resolver.hosts = []
        for _ in range(2):
            self.find()
            self.finish()
        self.assertEqual([[], []], self.found)
        self.assertEqual(2, len(self.resolver.asked))

    def test_the_last_answer_is_better_than_none(self) -> None:
        """While name servers are away, or know nothing for a moment."""
        self.find()
        self.finish()
        self.reactor.advance(FRESH_SECONDS * 100)
        self.resolver.hosts = []
        self.find()
        self.finish()
        self.assertEqual([THERE, THERE], self.found)

    def test_a_resolver_that_hangs(self) -> None:
        """It is done without after a while; what it says at last is kept."""
        self.resolver.go.clear()
        self.find()
        self.reactor.advance(ANSWER_SECONDS - 0.1)
        self.assertEqual([], self.found)
        self.reactor.advance(0.2)
        self.assertEqual([[]], self.found)
        self.finish()
        self.assertEqual([[]], self.found)
        self.find()
        self.assertEqual([[], THERE], self.found)
        self.assertEqual(1, len(self.resolver.asked))

    def test_one_question_at_a_time(self) -> None:
        """Names that are asked for meanwhile have no address; the rest has."""
        self.resolver.go.clear()
        self.find()
        for host in ("node1.example", "node2.example"):
            self.find(Address(host, 5800))
        self.find(Address("10.0.0.9", 1))
        self.assertEqual([[], [], [("10.0.0.9", 1)]], self.found)
        self.finish()
        self.assertEqual(THERE, self.found[-1])
        self.assertEqual(1, len(self.resolver.asked))

    def test_no_thread_to_be_had(self) -> None:
        """Then there is no address, and the next time it is tried again."""

        def full(*args: Any) -> int:
            raise RuntimeError("can't start new thread")

        primitives = replace(self.native, start_new_thread=full)
        self.lookup = Lookup(self.reactor, primitives)
        for _ in range(2):
            self.find()
        self.assertEqual([[], []], self.found)
        self.assertEqual([], self.reactor.getDelayedCalls())
        self.assertTrue(self.lookup.settle(0.0))

    def test_a_resolver_that_breaks(self) -> None:
        """Whatever it raises, nobody hears of it."""

        def broken(host: Any, port: int, *args: Any) -> list[Any]:
            if args[-1] & socket.AI_NUMERICHOST:
                raise socket.gaierror(socket.EAI_NONAME, "")
            raise SystemExit

        self.lookup = Lookup(self.reactor, replace(self.native, getaddrinfo=broken))
        self.find()
        self.finish()
        self.assertEqual([[]], self.found)


class SettleTests(LookupTestCase):
    """Before a fork, no thread may be in the resolver, if that can be had."""

    def waited(self, timeout: float) -> tuple[bool, float]:
        """Whether it settled, and how many seconds that took."""
        began = time.monotonic()
        settled = self.lookup.settle(timeout)
        return settled, time.monotonic() - began

    def test_nothing_to_wait_for(self) -> None:
        """Neither before the first question nor after the last answer."""
        self.assertTrue(self.lookup.settle(0.0))
        self.find()
        self.finish()
        for _ in range(100):
            self.assertTrue(self.lookup.settle(0.0))

    def test_a_quick_answer_is_waited_for(self) -> None:
        """It takes a moment."""
        self.resolver.go.clear()
        self.find()
        threading.Timer(0.05, self.resolver.go.set).start()
        self.assertTrue(self.lookup.settle(WITHIN))
        self.reactor.pass_on()
        self.assertEqual([THERE], self.found)

    def test_the_thread_is_gone_then(self) -> None:
        """From the system: in its last moment it may hold the resolver's lock."""
        self.patch(lookup, "LOOKS", 10_000)

        def linger(function: Callable[[], None], args: tuple[()]) -> int:
            def life() -> None:
                function()
                threading.Event().wait(0.05)

            return self.native.start_new_thread(life, args)

        primitives = replace(self.native, start_new_thread=linger)
        self.lookup = Lookup(self.reactor, primitives)
        self.find()
        self.reactor.pass_on()
        self.assertTrue(self.lookup.settle(WITHIN))
        (thread,) = self.resolver.threads
        self.assertFalse(Path(f"/proc/self/task/{thread}").exists())

    def test_a_hanging_one_is_waited_for_once(self) -> None:
        """A program that forks a thousand times does not pay a thousand times."""
        self.resolver.go.clear()
        self.find()
        settled, took = self.waited(0.05)
        self.assertFalse(settled)
        self.assertGreaterEqual(took, 0.049)
        before = time.monotonic()
        for _ in range(200):
            self.assertFalse(self.lookup.settle(0.05))
        self.assertLess(time.monotonic() - before, 200 * 0.05 / 2)
        self.finish()
        self.assertTrue(self.lookup.settle(0.0))
        self.reactor.advance(FRESH_SECONDS + 1)
        self.resolver.go.clear()
        self.find()
        self.assertGreaterEqual(self.waited(0.05)[1], 0.049)
        self.finish()

    def test_as_long_as_it_takes(self) -> None:
        """A sub-interpreter cannot be ended with a thread inside."""
        self.resolver.go.clear()
        self.find()
        self.assertFalse(self.lookup.settle(0.01))
        threading.Timer(0.05, self.resolver.go.set).start()
        self.assertTrue(self.lookup.settle(-1))
        self.reactor.pass_on()


class ForkTests(SynchronousTestCase):
    """A whole process's worth of us, with a name to look up."""

    def test_a_fork_waits_for_an_answer_that_is_about_to_come(self) -> None:
        """Beside the reporting thread it is the lookup's that must not be cut short."""
        resolver = Resolver()
        resolver.hosts = ["127.0.0.1"]
        resolver.go.clear()
        self.addCleanup(resolver.go.set)
        self.patch(_socket, "getaddrinfo", resolver.getaddrinfo)
        self.patch(agent, "PARK_SECONDS", WITHIN)
        here = agent.Here()
        here._hooked = True  # this process is not to keep it
        nowhere = Address("node1.example", 1)
        here.wake(here.agent(Destination("", (nowhere,), "p")))
        self.addCleanup(here._loops[here.pid].abandon)
        self.addCleanup(here.leave)
        deadline = time.monotonic() + WITHIN
        while not resolver.asked and time.monotonic() < deadline:
            time.sleep(0.001)
        threading.Timer(0.05, resolver.go.set).start()
        here.before_fork()
        self.assertEqual(1, resolver.answered)
        here.forked_parent()
