"""A program that leaks in each of the ways, as users see it in the console."""

from __future__ import annotations

import json
import re
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.whole.fleet import BIN, WITHIN, Node, Running, ran
from tests.whole.servers import eventually

OUT = r"([\d.]+)s\b"
"""For how long a connection was out."""

PROGRAM = """
import asyncio, gc, sys, threading
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import QueuePool, StaticPool

URL = sys.argv[1]
OPTIONS = {"poolclass": QueuePool, "connect_args": {"check_same_thread": False}}
engine = create_engine(f"sqlite:///x.db?{URL}&connmon_slow=off", **OPTIONS)
held = []

def forget():
    engine.connect()

def drop():
    other = create_engine(f"sqlite:///x.db?{URL}", **OPTIONS)
    with other.connect():
        pass

def detach():
    connection = engine.connect()
    connection.detach()

def abandon():
    held.append(engine.connect())

def borrow():
    held.append(engine.connect())

async def take(aio):
    held.append(await aio.connect())

async def leave():
    aio = create_async_engine(f"sqlite+aiosqlite:///x.db?{URL}")
    await asyncio.create_task(take(aio), name="fetch 3")
    print("taken", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    await held.pop().close()
    await aio.dispose()

def threaded(function):
    thread = threading.Thread(target=function, name="importer")
    thread.start()
    thread.join()

def well_behaved():
    with engine.connect():
        pass
    threaded(borrow)
    held.pop().close()
    engine.dispose()

well_behaved()
forget()
drop()
detach()
gc.collect()
threaded(abandon)
slow = create_engine(f"sqlite:///x.db?{URL}&connmon_slow=1", **OPTIONS)
kept = slow.connect()
asyncio.run(leave())
kept.close()
slow.dispose()
held.pop().close()
engine.dispose()
"""


class LeakTests(SynchronousTestCase):
    """A node, and a program that reports there."""

    def setUp(self) -> None:
        """Start both; the program goes on once all is taken."""
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)
        place = Path(self.mktemp()).resolve()
        place.mkdir()
        (place / "leaky.py").write_text(PROGRAM)
        self.node = self.stack.enter_context(Node())
        self.began = time.monotonic()
        url = f"plugin=connmon&connmon_addr={self.node.address}"
        self.program = self.stack.enter_context(
            Running([sys.executable, "leaky.py", url], cwd=place)
        )
        self.program.out.until(lambda line: line == "taken")

    def asked(self, view: str) -> list[dict[str, Any]]:
        """The rows of a view, as a pipe gets them."""
        done = ran(
            BIN / "connmon", "-H", self.node.address, "--view", view, "--json", "-N1"
        )
        self.assertEqual(0, done.returncode, done.stderr)
        rows: list[dict[str, Any]] = json.loads(done.stdout)[view]
        return rows

    def said(self) -> dict[str, str]:
        """What the events say of connections, and how bad it is."""
        return {
            each["text"]: each["severity"]
            for each in self.asked("events")
            if each["text"].startswith("connection")
        }

    def test_each_way(self) -> None:
        """Each is told with its line, and counted; what only lasts is no leak."""
        self.assertTrue(eventually(lambda: len(self.said()) == 4, WITHIN), self.said())
        leaked = r"connection leaked at leaky\.py:\d+ "
        # Of those of one kind the others are told as a sum, a minute later.
        expected = [
            (rf"{leaked}forget: returned by the garbage collector, out {OUT}", 0.0),
            (rf"{leaked}(drop|detach): finalised without being closed", 0.0),
            (
                (
                    rf"{leaked}(abandon: held by importer|take: held by fetch 3), "
                    rf"a thread or task that has ended, out {OUT}"
                ),
                3.0,
            ),
            (rf"connection out for {OUT} at leaky\.py:\d+ <module> by MainThread", 1.0),
        ]
        said = sorted(self.said())
        most = time.monotonic() - self.began
        for (pattern, least), text in zip(expected, said, strict=True):
            self.assertRegex(text, pattern)
            for seconds in re.findall(OUT, text):
                self.assertTrue(least <= float(seconds) <= most, (text, most))
        self.assertEqual(
            ["warn", "warn", "crit", "warn"],
            [self.said()[each] for each in sorted(self.said())],
        )
        self.assertTrue(
            eventually(lambda: self.asked("programs")[0]["leaks"] == 5, WITHIN)
        )
        leaks = {each["owner"]: each["leak"] for each in self.asked("checkouts")}
        self.assertEqual(
            {
                "importer": "its thread has ended",
                "fetch 3": "its task has ended",
                "MainThread": None,
            },
            leaks,
        )
        critical = {
            each["owner"] for each in self.asked("checkouts") if each["alert"] == "crit"
        }
        self.assertEqual({"importer", "fetch 3"}, critical)
        (process,) = self.asked("processes")
        self.assertEqual(5, process["leaks"])
        # One was of a pool that is gone.
        self.assertEqual(4, sum(each["leaks"] for each in self.asked("pools")))
        assert self.program.process.stdin is not None
        self.program.process.stdin.write("\n")
        self.assertEqual(0, self.program.wait(), self.program.err.rest())
        self.assertTrue(
            eventually(lambda: not self.asked("programs")[0]["connected"], WITHIN)
        )
        (program,) = self.asked("programs")
        # What the program closed in the end was none after all.
        self.assertEqual(3, program["leaks"])
        self.assertTrue(
            eventually(
                lambda: any("returned after all" in each for each in self.said()),
                WITHIN,
            ),
            self.said(),
        )
