"""Tests of where threads, greenlets and tasks are: the lines, and nothing kept."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest import mock, skipIf

import greenlet  # type: ignore[import-untyped]
from sqlalchemy.ext.asyncio import create_async_engine
from twisted.trial.unittest import SynchronousTestCase

from connmon.client import frames
from connmon.client.frames import DEEPEST, Seen, of_greenlet, of_task, of_thread

LINES = Path(__file__).read_text("utf-8").splitlines()

WITHIN = 60.0

PYPY = sys.implementation.name == "pypy"
LATE = "PyPy ends objects late, in whichever thread: see docs/pypy.rst"
UNSEEN = "greenlets are not to be seen on PyPy: see docs/pypy.rst"


def named(seen: Seen) -> list[str]:
    """The functions of a stack."""
    return [code.co_name for code, _ in seen.lines]


def own(seen: Seen) -> list[str]:
    """Those of them that are here, each with the text of its line."""
    return [
        f"{code.co_name}: {LINES[(line or 0) - 1].strip()}"
        for code, line in seen.lines
        if code.co_filename.endswith("test_frames.py")
    ]


class Resting:
    """A thread that rests in a function until it is let go."""

    def __init__(self, work: Callable[[Resting], None]) -> None:
        """Start it, and wait until it is there."""
        self.there, self.go = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=work, args=(self,))
        self.thread.start()
        assert self.there.wait(WITHIN)

    @property
    def ident(self) -> int:
        """Its number."""
        assert self.thread.ident is not None
        return self.thread.ident

    def rest(self) -> None:
        """Be there, and stay."""
        self.there.set()
        self.go.wait(WITHIN)

    def end(self) -> None:
        """Let it go, and wait for its end."""
        self.go.set()
        self.thread.join(WITHIN)


class ThreadTests(SynchronousTestCase):
    """``of_thread``."""

    def resting(self, work: Callable[[Resting], None]) -> Resting:
        """A thread that rests in ``work``, and ends with the test."""
        resting = Resting(work)
        self.addCleanup(resting.end)
        return resting

    def test_where_it_is(self) -> None:
        """The most recent call is last, each with the line that it has come to."""

        def inner(resting: Resting) -> None:
            resting.rest()

        def outer(resting: Resting) -> None:
            unused = 1 + 1
            inner(resting)
            del unused

        seen = of_thread(self.resting(outer).ident)
        self.assertEqual("", seen.note)
        self.assertEqual(
            ["outer: inner(resting)", "inner: resting.rest()"], own(seen)[:2]
        )
        self.assertEqual("_bootstrap", named(seen)[0])
        self.assertLess(named(seen).index("outer"), named(seen).index("wait"))

    def test_very_deep(self) -> None:
        """The innermost are looked at, and no more of them than that."""

        def fall(resting: Resting, depth: int) -> None:
            if depth:
                fall(resting, depth - 1)
            else:
                resting.rest()

        def deep(resting: Resting) -> None:
            fall(resting, DEEPEST)

        limit = sys.getrecursionlimit()
        self.addCleanup(sys.setrecursionlimit, limit)
        sys.setrecursionlimit(limit + 2 * DEEPEST)
        seen = of_thread(self.resting(deep).ident)
        self.assertEqual(DEEPEST, len(seen.lines))
        self.assertEqual("wait", named(seen)[-1])
        self.assertEqual("fall", named(seen)[0])

    def test_a_thread_that_has_ended(self) -> None:
        """There is nothing, and that is said."""
        resting = Resting(Resting.rest)
        resting.end()
        self.assertEqual(([], "its thread has ended"), of_thread(resting.ident))

    @skipIf(PYPY, LATE)
    def test_nothing_is_kept(self) -> None:
        """What a thread had in its variables goes with it, with the collector off."""

        class Thing:
            pass

        things: list[weakref.ref[Thing]] = []

        def work(resting: Resting) -> None:
            thing = Thing()
            things.append(weakref.ref(thing))
            resting.rest()

        resting = Resting(work)
        gc.disable()
        self.addCleanup(gc.enable)
        seen = [of_thread(resting.ident) for _ in range(3)]
        resting.end()
        self.assertIn("work", named(seen[0]))
        self.assertEqual(None, things[0]())

    @skipIf(PYPY, LATE)
    def test_no_frame_is_cleared_by_the_one_who_looks(self) -> None:
        """However fast functions end while their thread is looked at."""
        cleared: set[int] = set()
        over = threading.Event()

        class Thing:
            def __del__(self) -> None:
                cleared.add(threading.get_ident())

        def fall(depth: int) -> None:
            thing = Thing()
            if depth:
                fall(depth - 1)
            assert thing

        def work() -> None:
            while not over.is_set():
                fall(20)

        thread = threading.Thread(target=work)
        self.addCleanup(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(1e-6)
        thread.start()
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            of_thread(thread.ident or 0)
        over.set()
        thread.join()
        self.assertEqual({thread.ident}, cleared)


@skipIf(PYPY, UNSEEN)
class GreenletTests(SynchronousTestCase):
    """``of_greenlet``."""

    def test_suspended(self) -> None:
        """Where it gave way, and nothing of whoever runs now."""

        def inner() -> None:
            greenlet.getcurrent().parent.switch()

        def outer() -> None:
            inner()

        asleep = greenlet.greenlet(outer)
        asleep.switch()
        self.assertEqual(
            [
                "outer: inner()",
                "inner: greenlet.getcurrent().parent.switch()",
            ],
            own(of_greenlet(asleep, threading.get_ident())),
        )
        asleep.switch()
        self.assertEqual(
            ([], "its greenlet has ended"), of_greenlet(asleep, threading.get_ident())
        )

    def test_running(self) -> None:
        """Its thread's stack is its own."""
        there, go = threading.Event(), threading.Event()
        made: list[Any] = []

        def awake() -> None:
            there.set()
            go.wait(WITHIN)

        def work() -> None:
            made.append(greenlet.greenlet(awake))
            made[0].switch()

        thread = threading.Thread(target=work)
        thread.start()
        self.assertTrue(there.wait(WITHIN))
        seen = of_greenlet(made[0], thread.ident or 0)
        go.set()
        thread.join()
        self.assertEqual(["awake: go.wait(WITHIN)"], own(seen))


class TaskTests(SynchronousTestCase):
    """``of_task``, asked by another thread as it is."""

    def asked(self, work: Callable[[], Any], *, held_up: bool = False) -> Seen:
        """Where a task that does ``work`` is, once it can go no further.

        It may be ``held_up`` in something that holds up the loop, too.
        """
        found: list[Seen] = []

        def look(task: Any) -> None:
            found.append(of_task(task))

        def look_once_held_up(task: Any) -> None:
            HELD_UP.wait(WITHIN)
            try:
                look(task)
            finally:
                LOOKED_AT.set()

        async def main() -> None:
            task = asyncio.ensure_future(work())
            if held_up:
                HELD_UP.clear()
                LOOKED_AT.clear()
                thread = threading.Thread(target=look_once_held_up, args=(task,))
                thread.start()
            else:
                await sleeper()
                thread = threading.Thread(target=look, args=(task,))
                thread.start()
                thread.join()
                task.cancel()
            await asyncio.wait([task])
            thread.join()
            look(task)

        asyncio.run(main())
        self.assertEqual(([], "its task has ended"), found[1])
        return found[0]

    def test_through_what_it_awaits(self) -> None:
        """To the innermost coroutine."""

        async def inner() -> None:
            await asyncio.sleep(60)

        async def outer() -> None:
            await inner()

        seen = self.asked(outer)
        self.assertEqual(
            ["outer: await inner()", "inner: await asyncio.sleep(60)"], own(seen)
        )
        # PyPy's futures are written in Python.
        innermost = "__await__" if PYPY else "sleep"
        self.assertEqual((innermost, ""), (named(seen)[-1], seen.note))

    def test_generators_and_wrappers(self) -> None:
        """What is behind ``async for``, ``async with`` and ``__await__``."""

        class Awaitable:
            def __await__(self) -> Any:
                return inner().__await__()

        async def inner() -> None:
            await asyncio.sleep(60)

        async def numbers() -> AsyncIterator[int]:
            await Awaitable()
            yield 1

        @asynccontextmanager
        async def opened() -> AsyncIterator[int]:
            async for number in numbers():
                yield number

        async def outer() -> None:
            async with opened():
                pass

        self.assertEqual(
            [
                "outer: async with opened():",
                "opened: async for number in numbers():",
                "numbers: await Awaitable()",
                "inner: await asyncio.sleep(60)",
            ],
            own(self.asked(outer)),
        )

    def test_holding_the_loop_up(self) -> None:
        """A task that runs is where its thread is."""

        async def inner() -> None:
            hold_up()

        async def outer() -> None:
            await asyncio.sleep(0)
            await inner()

        seen = self.asked(outer, held_up=True)
        self.assertEqual(["outer: await inner()", "inner: hold_up()"], own(seen)[:2])

    def test_on_a_loop_that_does_not_tell_its_thread(self) -> None:
        """All are looked at."""

        async def outer() -> None:
            hold_up()

        with mock.patch.object(
            asyncio.BaseEventLoop,
            "_thread_id",
            property(lambda self: None, _ignore),
            create=True,
        ):
            seen = self.asked(outer, held_up=True)
        self.assertEqual("outer: hold_up()", own(seen)[0])

    @skipIf(PYPY, UNSEEN)
    def test_through_sqlalchemy(self) -> None:
        """What its greenlet does is between the coroutines around it."""

        async def work() -> None:
            engine = create_async_engine("sqlite+aiosqlite://")
            try:
                async with engine.connect() as connection:
                    await connection.run_sync(waiting)
            finally:
                await engine.dispose()

        def waiting(connection: Any) -> None:
            from sqlalchemy.util import await_only

            await_only(inner())

        async def inner() -> None:
            await asyncio.sleep(60)

        seen = self.asked(work)
        self.assertEqual(
            [
                "work: await connection.run_sync(waiting)",
                "waiting: await_only(inner())",
                "inner: await asyncio.sleep(60)",
            ],
            own(seen),
        )
        names = named(seen)
        self.assertLess(names.index("greenlet_spawn"), names.index("waiting"))

    @skipIf(PYPY, UNSEEN)
    def test_in_sqlalchemys_greenlet(self) -> None:
        """What holds the loop up there is seen, and what is not is said."""

        async def work() -> None:
            engine = create_async_engine("sqlite+aiosqlite://")
            async with engine.connect() as connection:
                await connection.run_sync(blocking)
            await engine.dispose()

        def blocking(connection: Any) -> None:
            hold_up()

        seen = self.asked(work, held_up=True)
        self.assertEqual("blocking: hold_up()", own(seen)[-2])
        self.assertTrue(own(seen)[0].startswith("work: "))
        self.assertIn("is not to be seen", seen.note)

    def test_very_deep(self) -> None:
        """There is an end to it, and it is said that there is more."""

        async def fall(depth: int) -> None:
            if depth:
                await fall(depth - 1)
            else:
                await asyncio.sleep(60)

        self.patch(frames, "DEEPEST", 50)
        seen = self.asked(lambda: fall(60))
        self.assertEqual(50, len(seen.lines))
        self.assertIn("too deep", seen.note)


HELD_UP, LOOKED_AT = threading.Event(), threading.Event()


def hold_up() -> None:
    """Keep the loop from all else, until somebody has looked."""
    HELD_UP.set()
    LOOKED_AT.wait(WITHIN)


async def sleeper() -> None:
    """Wait until somebody sleeps on this loop, for a minute."""
    loop: Any = asyncio.get_running_loop()
    deadline = loop.time() + WITHIN
    while not any(each.when() > loop.time() + 30.0 for each in loop._scheduled):
        assert loop.time() < deadline, "nobody sleeps"
        await asyncio.sleep(0.01)


def _ignore(loop: Any, value: object) -> None:
    """Take no notice of a loop that says which thread it is in."""
