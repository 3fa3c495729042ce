"""Tests of how those who await a task are found."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connmon.client import awaiting
from connmon.client.sites import described, here
from tests.client.test_sites import Stack

Prepare = Callable[[Any], Any]


def awaited(prepare: Prepare) -> list[str]:
    """The functions that are found to await a task, once it was prepared.

    Without asyncio's own: PyPy has its futures in Python.
    """
    found: list[str] = []

    async def run() -> None:
        done = asyncio.Event()

        async def look() -> None:
            await asyncio.sleep(0)
            found.extend(each.f_code.co_name for each in awaiting.frames())
            found[:] = [each for each in found if each != "__await__"]

        task = asyncio.create_task(look())
        others = prepare(task)
        task.add_done_callback(lambda task: done.set())
        await done.wait()
        task.result()
        for each in others:
            each.cancel()

    asyncio.run(run())
    return found


class Touchy:
    """An object of an application's that is not to be asked anything."""

    def __getattribute__(self, name: str) -> Any:
        """Fail."""
        raise AssertionError(name)

    def __hash__(self) -> int:
        """Fail."""
        raise AssertionError

    def __call__(self, *arguments: Any) -> None:
        """As the task ends."""


def waits_for(future: Any) -> Any:
    """A task that waits for a future."""

    async def waiting() -> None:
        await future

    return asyncio.create_task(waiting())


def ends(*arguments: Any) -> None:
    """What is called at the end."""


class AwaitingTests(SynchronousTestCase):
    """The running task, and what hears of its end."""

    def test_outside_of_tasks(self) -> None:
        """There is nobody."""
        self.assertEqual([], list(awaiting.frames()))
        found: list[Any] = []

        async def run() -> None:
            loop = asyncio.get_running_loop()
            loop.call_soon(lambda: found.extend(awaiting.frames()))
            await asyncio.sleep(0)

        asyncio.run(run())
        self.assertEqual([], found)

    def test_who_waits(self) -> None:
        """Is found, with what it awaits, the innermost first."""

        def prepare(task: Any) -> Any:
            async def outer() -> None:
                await inner()

            async def inner() -> None:
                await task

            return [asyncio.create_task(outer())]

        self.assertEqual(["inner", "outer"], awaited(prepare))

    def test_who_waits_for_who_waits(self) -> None:
        """Comes after."""

        def prepare(task: Any) -> Any:
            async def outer() -> None:
                await inner

            inner = waits_for(task)
            return [inner, asyncio.create_task(outer())]

        self.assertEqual(["waiting", "outer"], awaited(prepare))

    def test_callbacks_of_an_application(self) -> None:
        """Are not asked what they are, and hide nobody."""

        def prepare(task: Any) -> Any:
            touchy = Touchy()
            many = deque([touchy])
            task.add_done_callback(touchy)
            task.add_done_callback(partial(ends, touchy, many))
            task.add_done_callback(lambda task: touchy(many))
            task.add_done_callback([].append)
            return [waits_for(task)]

        self.assertEqual(["waiting"], awaited(prepare))

    def test_a_variable_that_is_not_set(self) -> None:
        """Is passed by."""

        def prepare(task: Any) -> Any:
            value = []

            def callback(task: Any) -> None:
                with contextlib.suppress(NameError):
                    value.append(task)

            (cell,) = callback.__closure__ or ()
            del cell.cell_contents
            task.add_done_callback(callback)
            return [waits_for(task)]

        self.assertEqual(["waiting"], awaited(prepare))

    def test_a_future_that_tells(self) -> None:
        """Is believed, as those of Python 3.14 tell who awaits them."""

        def prepare(task: Any) -> Any:
            other = task.get_loop().create_future()
            told = frozenset([waits_for(other)])
            kind = type("Telling", (asyncio.Future,), {"_asyncio_awaited_by": told})
            task.add_done_callback(partial(ends, kind()))
            return told

        self.assertEqual(["waiting"], awaited(prepare))

    def test_circles(self) -> None:
        """Are walked once."""

        def prepare(task: Any) -> Any:
            first, second = task.get_loop().create_future(), waits_for(task)
            first.add_done_callback(partial(ends, second))
            second.add_done_callback(partial(ends, first, task))
            return [second]

        self.assertEqual(["waiting"], awaited(prepare))

    def test_a_long_way(self) -> None:
        """Is given up."""

        def prepare(task: Any) -> Any:
            last = task
            for _ in range(awaiting.STEPS):
                future = task.get_loop().create_future()
                last.add_done_callback(partial(ends, future))
                last = future
            return [waits_for(last)]

        self.assertEqual([], awaited(prepare))

    def test_what_raises(self) -> None:
        """Is not heard of by who asks for the line, which is that of the loop."""

        def broken() -> Any:
            raise ValueError("another version")

        self.patch(awaiting, "frames", broken)
        stack = Stack("shop", "asyncio.events", "sqlalchemy.engine", ask=here)
        self.assertEqual("<string>:2 f1", described(stack.call()))
