"""Tags in contexts that come and go."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import platform
import threading
import types
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from functools import partial
from typing import Any
from unittest import skipIf

from twisted.trial.unittest import SynchronousTestCase

from connmon.client.tags import CURRENT, tag

JOB = tag("job")


def tagged() -> Iterator[str]:
    """What a framework drives: its beginning and its end need not share a context."""
    with tag("import-job"):
        yield CURRENT.get()


class ContextTests(SynchronousTestCase):
    """A block that is left elsewhere than it was entered."""

    def test_left_in_another_context(self) -> None:
        """As dependencies and fixtures are: no error, and no tag is left there."""
        steps = tagged()
        self.assertEqual("import-job", copy_context().run(next, steps))
        self.assertRaises(StopIteration, copy_context().run, next, steps)
        self.assertEqual("", CURRENT.get())

    def test_what_fails_in_it(self) -> None:
        """Passes, also if it is the kind of error that a foreign context raises."""
        with self.assertRaisesRegex(ValueError, "mine"), tag("import-job"):
            raise ValueError("mine")
        self.assertEqual("", CURRENT.get())


class ReuseTests(SynchronousTestCase):
    """One tag that is entered more than once."""

    def test_again_and_within_itself(self) -> None:
        """A name for it at the top of a module will do."""
        seen = []
        for _ in range(2):
            with JOB, tag("inner"), JOB:
                seen.append(CURRENT.get())
            seen.append(CURRENT.get())
        self.assertEqual(["job", "", "job", ""], seen)

    def test_in_threads(self) -> None:
        """Each is in it by itself, whoever leaves first."""
        entered, left = threading.Event(), threading.Event()
        seen: list[str] = []

        def other() -> None:
            with tag("other"), JOB:
                entered.set()
                left.wait(10.0)
                seen.append(CURRENT.get())
            seen.append(CURRENT.get())

        thread = threading.Thread(target=other)
        with JOB:
            thread.start()
            entered.wait(10.0)
        seen.append(CURRENT.get())
        left.set()
        thread.join()
        self.assertEqual(["", "job", ""], seen)

    def test_in_tasks(self) -> None:
        """Likewise, and a task keeps that in which it was started."""

        async def task(rounds: int) -> list[str]:
            seen = [CURRENT.get()]
            for _ in range(rounds):
                with tag("own"), JOB:
                    await asyncio.sleep(0)
                    seen.append(CURRENT.get())
                seen.append(CURRENT.get())
            return seen

        async def run() -> list[list[str]]:
            with JOB:
                tasks = [asyncio.ensure_future(task(rounds)) for rounds in (1, 3, 2)]
                await asyncio.sleep(0)
            self.assertEqual("", CURRENT.get())
            return await asyncio.gather(*tasks)

        expected = [["job", *["job", "job"] * rounds] for rounds in (1, 3, 2)]
        self.assertEqual(expected, asyncio.run(run()))

    def test_left_out_of_order(self) -> None:
        """The inner one holds until it is left, and the outer never again."""
        with ExitStack() as inner:
            with ExitStack() as outer:
                outer.enter_context(JOB)
                inner.enter_context(tag("inner"))
            self.assertEqual("inner", CURRENT.get())
        self.assertEqual("", CURRENT.get())


class DecoratedTests(SynchronousTestCase):
    """Functions of each kind, labelled while they run; and they stay of their kind."""

    def test_function(self) -> None:
        """It may call itself, and others with the same tag."""

        @JOB
        def work(depth: int) -> list[str]:
            """Told of itself."""
            return [CURRENT.get(), *(work(depth - 1) if depth else [])]

        self.assertEqual(["job"] * 3, work(2))
        self.assertEqual(
            ("work", "Told of itself."), (work.__name__, inspect.getdoc(work))
        )
        self.assertEqual("", CURRENT.get())

    def test_coroutine(self) -> None:
        """Also after it waited, and each task by itself."""

        @JOB
        async def work(result: str) -> str:
            await asyncio.sleep(0)
            return f"{result} {CURRENT.get()}"

        async def run() -> list[str]:
            made = work("late")
            self.assertEqual("", CURRENT.get())
            found = await asyncio.gather(work("a"), work("b"), made)
            return [*found, CURRENT.get()]

        self.assertEqual(["a job", "b job", "late job", ""], asyncio.run(run()))
        self.assertTrue(inspect.iscoroutinefunction(work))

    def test_method(self) -> None:
        """It has its object."""

        class Shop:
            @JOB
            async def work(self) -> tuple[Any, str]:
                return self, CURRENT.get()

        shop = Shop()
        self.assertEqual((shop, "job"), asyncio.run(shop.work()))

    def test_generator(self) -> None:
        """In each step, not between them; it hears and says what it did before."""
        seen: list[str] = []

        @JOB
        def work(first: str) -> Generator[str, str, str]:
            try:
                seen.append((yield f"{first} {CURRENT.get()}"))
                yield CURRENT.get()
            except KeyError:
                yield f"caught {CURRENT.get()}"
            finally:
                seen.append(f"end {CURRENT.get()}")
            return "done"

        steps = work("began")
        self.assertEqual("began job", next(steps))
        self.assertEqual("", CURRENT.get())
        self.assertEqual("job", steps.send("sent"))
        self.assertEqual("caught job", steps.throw(KeyError()))
        with self.assertRaises(StopIteration) as caught:
            next(steps)
        self.assertEqual("done", caught.exception.value)
        self.assertEqual(["sent", "end job"], seen)
        closed = work("")
        next(closed)
        closed.close()
        self.assertEqual(["sent", "end job", "end job"], seen)
        self.assertEqual("", CURRENT.get())
        self.assertTrue(inspect.isgeneratorfunction(work))

    def test_context_manager(self) -> None:
        """What its generator takes is labelled, not the block; and errors pass it."""

        @contextmanager
        @JOB
        def work() -> Iterator[str]:
            yield CURRENT.get()

        with self.assertRaisesRegex(ValueError, "mine"), work() as found:
            self.assertEqual(("job", ""), (found, CURRENT.get()))
            raise ValueError("mine")

    @skipIf(
        platform.python_implementation() == "PyPy", "PyPy does not count references"
    )
    def test_error_thrown_in(self) -> None:
        """Nothing keeps it: it goes with its last reference."""

        class Mine(Exception):
            """One that can be seen to go."""

        @JOB
        def work() -> Iterator[int]:
            yield 1

        gc.disable()
        self.addCleanup(gc.enable)
        steps = work()
        next(steps)
        error = Mine()
        gone = weakref.ref(error)
        with contextlib.suppress(Mine):
            steps.throw(error)  # type: ignore[attr-defined]
        del error, steps
        self.assertIsNone(gone())

    def test_async_generator(self) -> None:
        """As a generator; a task that goes through it is not labelled between."""
        seen: list[str] = []

        @JOB
        async def work() -> AsyncIterator[str]:
            try:
                for _ in range(2):
                    await asyncio.sleep(0)
                    yield CURRENT.get()
            except KeyError:
                yield f"caught {CURRENT.get()}"
            finally:
                await asyncio.sleep(0)
                seen.append(f"end {CURRENT.get()}")

        async def run() -> None:
            async for each in work():
                seen.extend((each, CURRENT.get()))
            steps: Any = work()
            seen.append(await steps.asend(None))
            seen.append(await steps.athrow(KeyError()))
            await steps.aclose()
            seen.append(CURRENT.get())

        asyncio.run(run())
        whole = ["job", "", "job", "", "end job"]
        self.assertEqual([*whole, "job", "caught job", "end job", ""], seen)
        self.assertTrue(inspect.isasyncgenfunction(work))

    def test_async_generator_that_is_left_behind(self) -> None:
        """The loop closes it at its end, and has nothing to complain of."""
        seen: list[str] = []
        complaints: list[Any] = []

        @JOB
        async def work() -> AsyncIterator[int]:
            try:
                yield 1
            finally:
                await asyncio.sleep(0.01)
                seen.append(CURRENT.get())

        kept = [work() for _ in range(5)]

        async def run() -> None:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda loop, context: complaints.append(context))
            for each in kept:
                await each.__anext__()

        asyncio.run(run())
        self.assertEqual((["job"] * 5, []), (seen, complaints))

    def test_coroutine_of_the_old_kind(self) -> None:
        """It can still be awaited, as what only returns a coroutine can."""

        @JOB
        @types.coroutine
        def old() -> Generator[Any, Any, int]:
            yield from asyncio.sleep(0).__await__()
            return 1

        async def new(result: int) -> int:
            return result

        async def run(works: list[Callable[[], Awaitable[int]]]) -> list[int]:
            return [await each() for each in works]

        works: list[Any] = [old, JOB(lambda: new(2)), JOB(partial(new, 3))]
        self.assertEqual([1, 2, 3], asyncio.run(run(works)))
