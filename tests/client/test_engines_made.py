"""How many engines a process made, and which line of the application did."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import patch

from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.util import greenlet_spawn

import connmon
from connmon.client import engines, process
from connmon.client.agent import HERE
from connmon.client.options import Source
from connmon.model.engines import OTHERS
from connmon.model.ledger import Ledger
from tests.client.test_plugin import ADDRESS, NOWHERE, EnginesTestCase
from tests.client.truth import IS_LATE, collect

attach: Any = connmon.attach


def ledger(program: str) -> Ledger:
    """What engines of that program have noted."""
    (agent,) = [each for each in HERE.agents if each.destination.program == program]
    return agent.ledger


class EnginesMadeTests(EnginesTestCase):
    """What a report tells of engines."""

    def setUp(self) -> None:
        """Have no reporting thread: this one keeps the books."""
        super().setUp()
        self.patch(HERE, "wake", lambda agent: True)

    def told(self, program: str) -> tuple[tuple[str, int], ...]:
        """How many engines each line made, by the function it is in."""
        found = ledger(program).whole(1, 0.0, 0.0).engines
        return tuple((site.rpartition(" ")[2], times) for site, times in found)

    def url(self, program: str, form: str = "sqlite+connmon://?") -> str:
        """A URL that names a program."""
        return f"{form}{ADDRESS}&connmon_program={program}"

    def test_by_a_url(self) -> None:
        """Either form, each engine once, though its pool may be disposed of."""

        def make_one() -> Any:
            return create_engine(self.url("by-url"))

        def make_other() -> Any:
            return create_engine(self.url("by-url", "sqlite://?plugin=connmon&"))

        for each in (make_one, make_one, make_other):
            engine = each()
            engine.connect().close()
            engine.dispose()
            engine.execution_options(stream_results=True)
        told = self.told("by-url")
        self.assertEqual([2, 1], [times for _, times in told])
        self.assertTrue(told[0][0].endswith("make_one"), told)
        self.assertTrue(told[1][0].endswith("make_other"), told)
        (site, _), _ = ledger("by-url").whole(2, 0.0, 0.0).engines
        self.assertIn("tests/client/test_engines_made.py:", site)

    def test_attached(self) -> None:
        """The line that asked for it, once."""

        def make() -> Any:
            return create_engine("sqlite://")

        def take_up(engine: Any) -> None:
            attach(engine, addr=NOWHERE, program="attached")

        engine = make()
        for _ in range(2):
            take_up(engine)
        ((function, times),) = self.told("attached")
        self.assertTrue(function.endswith("take_up"), function)
        self.assertEqual(1, times)

    def test_a_process_that_is_watched_as_a_whole(self) -> None:
        """The line that called ``create_engine``."""

        def make() -> Any:
            return create_engine("sqlite://")

        asked = Source({"addr": NOWHERE, "program": "whole"}, "{}")
        with patch.object(process, "ASKED", asked):
            engines.arrived(make())
        self.assertEqual(1, self.told("whole")[0][1])

    def test_from_async_code(self) -> None:
        """The coroutine, also where SQLAlchemy has a greenlet in between."""

        async def make() -> Any:
            return create_async_engine(self.url("aio", "sqlite+aiosqlite_connmon://?"))

        async def make_within() -> Any:
            return await greenlet_spawn(create_engine, self.url("aio"))

        asyncio.run(make())
        asyncio.run(make_within())
        functions = [function.rpartition(".")[2] for function, _ in self.told("aio")]
        self.assertEqual(["make", "make_within"], functions)

    def test_without_a_trace(self) -> None:
        """Only how many."""
        for _ in range(3):
            create_engine(self.url("off") + "&connmon_trace=off")
        self.assertEqual((("", 3),), self.told("off"))

    def test_shards(self) -> None:
        """One for each of many databases is not an engine made again."""

        def make(number: int) -> Any:
            url = f"sqlite+connmon:////tmp/shard{number}.db?"
            return create_engine(self.url("shards", url))

        engines_made = [make(number) for number in range(12)]
        (others, at), (function, most) = self.told("shards")
        self.assertEqual((OTHERS, 11, 1), (others, at, most))
        self.assertTrue(function.endswith("make"), function)
        engines_made.append(make(3))
        self.assertEqual(2, self.told("shards")[1][1])

    def test_very_many(self) -> None:
        """A retired engine is still counted, and costs nothing any more."""
        url = self.url("many")
        for _ in range(300):
            engine = create_engine(url)
            engine.connect().close()
            engine.dispose()
        del engine
        collect()
        ((_, times),) = self.told("many")
        self.assertEqual(300, times)
        if not IS_LATE:
            self.assertEqual([], ledger("many").pools())
