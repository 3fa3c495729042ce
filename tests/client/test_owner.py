"""Tests of who is said to have a connection."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from sqlalchemy import create_engine
from twisted.trial.unittest import SynchronousTestCase

from connmon.client.owner import current_owner, owner_name
from connmon.model.holding import Owner
from connmon.wire.commands import NAME_LIMIT


class _AsyncPool:
    """Like the pool of an asyncio driver."""

    class _dialect:  # noqa: N801  the name SQLAlchemy has for it
        is_async = True


class OwnerTests(SynchronousTestCase):
    """Threads by their names, tasks by theirs."""

    def test_a_thread(self) -> None:
        """Whichever asks."""
        ask = current_owner(create_engine("sqlite://").pool)
        seen: list[str] = []

        def work() -> None:
            seen.append(owner_name(ask()))

        for name in ("MainThread", "worker 7"):
            if name == threading.current_thread().name:
                work()
            else:
                thread = threading.Thread(target=work, name=name)
                thread.start()
                thread.join()
        self.assertEqual(["MainThread", "worker 7"], seen)

    def test_a_task(self) -> None:
        """By its name, or the thread outside of any."""
        pool: Any = _AsyncPool()
        ask = current_owner(pool)

        async def work() -> Owner:
            return ask()

        async def named() -> Owner:
            return await asyncio.create_task(work(), name="fetch 3")

        self.assertEqual("fetch 3", owner_name(asyncio.run(named())))
        self.assertEqual("MainThread", owner_name(ask()))

    def test_a_thread_that_has_ended(self) -> None:
        """Its number is all that is left."""
        self.assertEqual("thread 1", owner_name(1))

    def test_a_name_without_end(self) -> None:
        """Is cut to what the wire takes."""
        self.assertEqual("x" * NAME_LIMIT, owner_name("x" * 1000))
