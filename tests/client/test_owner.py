"""Tests of who is said to have a connection, and that they have ended."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from typing import Any
from unittest import skipIf

from twisted.trial.unittest import SynchronousTestCase

from connmon.client.owner import (
    TASK_ENDED,
    THREAD_ENDED,
    Task,
    current_owner,
    owner_end,
    owner_name,
)
from connmon.model.holding import Owner
from connmon.wire.commands import NAME_LIMIT
from tests.client.truth import IS_LATE, collect


def run(work: Callable[[], None], name: str) -> None:
    """Have a thread do it, and end."""
    thread = threading.Thread(target=work, name=name)
    thread.start()
    thread.join()


class ThreadTests(SynchronousTestCase):
    """Threads by their names, until they end and after."""

    def setUp(self) -> None:
        """What to ask."""
        self.ask = current_owner()
        self.seen: list[Owner] = []

    def see(self) -> None:
        """Ask, in whatever thread."""
        self.seen.append(self.ask())

    def test_which(self) -> None:
        """Whichever asks; the same one each time, for whatever pool."""
        self.see()
        self.see()
        self.assertIs(self.seen[0], self.seen[1])
        other = current_owner()
        self.assertIs(self.seen[0], other())
        run(self.see, "worker 7")
        names = [owner_name(each) for each in self.seen]
        self.assertEqual(["MainThread", "MainThread", "worker 7"], names)
        self.assertNotEqual(self.seen[0], self.seen[2])

    def test_a_thread_of_another_name(self) -> None:
        """It is told by the last one that it had when it was asked for."""

        def work() -> None:
            self.see()
            threading.current_thread().name = "later"
            self.assertEqual("later", owner_name(self.seen[0]))

        run(work, "first")
        self.assertEqual("later", owner_name(self.seen[0]))

    def test_a_name_without_end(self) -> None:
        """Is cut to what the wire takes."""
        run(self.see, "x" * 1000)
        self.assertEqual("x" * NAME_LIMIT, owner_name(self.seen[0]))

    def test_a_thread_that_ends(self) -> None:
        """It is known as soon as it has, and what it was called still is."""
        go, there = threading.Event(), threading.Event()

        def work() -> None:
            self.see()
            there.set()
            go.wait()

        thread = threading.Thread(target=work, name="worker 7")
        thread.start()
        there.wait()
        self.assertEqual("", owner_end(self.seen[0]))
        go.set()
        thread.join()
        collect()
        self.assertEqual(THREAD_ENDED, owner_end(self.seen[0]))
        self.assertEqual("worker 7", owner_name(self.seen[0]))

    def test_a_thread_of_the_same_number(self) -> None:
        """Numbers are used again at once: the next one is another, and lives."""
        numbers = set()
        for number in range(50):
            run(self.see, f"worker {number}")
            numbers.add(getattr(self.seen[-1], "number"))  # noqa: B009
        self.assertEqual(50, len(set(self.seen)))
        if not IS_LATE:
            self.assertLess(len(numbers), 50, "the system reused none")
        ends: list[str | None] = []
        run(lambda: ends.append(owner_end(self.ask())), "last")
        self.assertEqual([""], ends)
        collect()
        self.assertEqual([THREAD_ENDED] * 50, [owner_end(each) for each in self.seen])
        self.assertEqual("worker 0", owner_name(self.seen[0]))

    def test_the_main_thread(self) -> None:
        """It ends with the process: nobody will know."""
        self.assertIsNone(owner_end(self.ask()))

    def test_a_thread_that_nobody_knows(self) -> None:
        """One that C code made, perhaps, which may come again: its end is no proof."""
        import _thread

        done = threading.Event()

        def work() -> None:
            self.see()
            done.set()

        _thread.start_new_thread(work, ())
        done.wait()
        collect()
        self.assertIsNone(owner_end(self.seen[0]))
        self.assertRegex(owner_name(self.seen[0]), r"\Athread \d+\Z")

    def test_nothing_keeps_the_thread(self) -> None:
        """Neither its object, nor what is in its variables."""

        class Big:
            """Something of the application's."""

        kept: list[Any] = []

        class Worker(threading.Thread):
            """A thread with something of its own."""

            def run(self) -> None:
                """Ask who runs."""
                self.big = Big()
                kept.append(id(self.big))
                ThreadTests.see(case)

        case = self
        worker = Worker()
        worker.start()
        worker.join()
        del worker
        collect()
        alive = [each for each in gc.get_objects() if isinstance(each, Big)]
        self.assertEqual([], alive)
        self.assertEqual(1, len(kept))

    def test_what_is_no_owner(self) -> None:
        """It has no name, and no end."""
        self.assertEqual(("", None), (owner_name(None), owner_end(None)))


class TaskTests(SynchronousTestCase):
    """Tasks by their names, whatever becomes of them."""

    def setUp(self) -> None:
        """What to ask."""
        self.ask = current_owner()

    async def work(self) -> Owner:
        """Ask who runs."""
        return self.ask()

    def test_which(self) -> None:
        """By its name, or the thread outside of any."""

        async def named() -> Owner:
            return await asyncio.create_task(self.work(), name="fetch 3")

        self.assertEqual("fetch 3", owner_name(asyncio.run(named())))
        self.assertEqual("MainThread", owner_name(self.ask()))

    def test_tasks_of_one_name(self) -> None:
        """They are not the same; one is, however often it is asked for."""

        async def twice() -> list[Owner]:
            return [self.ask(), self.ask()]

        async def main() -> list[list[Owner]]:
            tasks = [asyncio.create_task(twice(), name="same") for _ in range(2)]
            found = await asyncio.gather(*tasks)
            self.assertEqual(1, len(set(found[0])))
            self.assertEqual(2, len({*found[0], *found[1]}))
            self.assertNotEqual(found[0][0], "same")
            return found

        asyncio.run(main())

    def test_a_task_that_ends(self) -> None:
        """Whether somebody has it still, or nobody."""

        async def main() -> None:
            task = asyncio.create_task(self.work())
            owner = await task
            self.assertEqual(TASK_ENDED, owner_end(owner))
            here = self.ask()
            self.assertEqual("", owner_end(here))
            del task
            collect()
            self.assertEqual(TASK_ENDED, owner_end(owner))

        asyncio.run(main())

    def test_a_task_of_somebody_elses_coroutine(self) -> None:
        """It has done what it was asked for; whoever awaits it has the connection."""

        async def main() -> None:
            event = asyncio.Event()
            task = asyncio.create_task(event.wait())
            owner = Task(task)
            event.set()
            await task
            self.assertEqual(task.get_name(), owner_name(owner))
            self.assertIsNone(owner_end(owner))

        asyncio.run(main())

    def test_a_callback(self) -> None:
        """It runs in no task, but in a thread."""

        async def main() -> Owner:
            loop = asyncio.get_running_loop()
            found: asyncio.Future[Owner] = loop.create_future()
            loop.call_soon(lambda: found.set_result(self.ask()))
            return await found

        self.assertEqual("MainThread", owner_name(asyncio.run(main())))

    def test_a_task_that_is_cancelled(self) -> None:
        """It has ended as well."""

        async def main() -> None:
            seen: list[Owner] = []

            async def wait() -> None:
                seen.append(self.ask())
                await asyncio.Event().wait()

            task = asyncio.create_task(wait())
            await asyncio.sleep(0)
            self.assertEqual("", owner_end(seen[0]))
            task.cancel()
            await asyncio.wait([task])
            self.assertEqual(TASK_ENDED, owner_end(seen[0]))

        asyncio.run(main())

    @skipIf(IS_LATE, "objects die late there")
    def test_nothing_keeps_the_task(self) -> None:
        """To note it, and to ask whether it has ended, leaves no reference."""

        async def main() -> None:
            from weakref import ref

            task = asyncio.create_task(self.work())
            owner = await task
            weak = ref(task)
            owner_end(owner)
            del task
            # The loop lets go of what has just ended.
            await asyncio.sleep(0)
            collect()
            self.assertIsNone(weak())

        asyncio.run(main())
