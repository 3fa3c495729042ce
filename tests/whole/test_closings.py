"""Why connections were closed, and what else befell them, as a console reads it.

Of programs with a real MariaDB, which ends sessions of theirs.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.whole import servers
from tests.whole.fleet import BIN, WITHIN, Application, Node, ran
from tests.whole.servers import eventually

#: ``use`` takes connections at the same time, and gives them back. ``fork`` has a child
#: use the pool, which ends with its parent.
SETUP = """
import gc
from sqlalchemy import create_engine, exc, pool, text
engine = create_engine({url!r}, poolclass=pool.{pool}Pool, **{options!r})

def take(count):
    return [engine.connect() for _ in range(count)]

def use(count):
    for each in take(count):
        each.close()

def fork():
    ours, childs = os.pipe()
    pid = os.fork()
    if pid:
        return pid
    os.close(childs)
    engine.connect().close()
    os.read(ours, 1)
    os._exit(0)
"""


class ClosingsTests(SynchronousTestCase):
    """A program that loses connections in every way."""

    def setUp(self) -> None:
        """A node and a database, ended with the test."""
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)
        self.server = servers.mariadb()
        self.node = self.stack.enter_context(Node())

    def start(self, pool: str = "Queue", **options: object) -> Application:
        """A process with an engine that has such a pool."""
        url = self.server.url("pymysql").replace("+pymysql", "+pymysql_connmon")
        url += f"?connmon_addr={self.node.address}&connmon_program=app"
        setup = SETUP.format(url=url, pool=pool, options=options)
        # Python 3.12 and later greet any fork beside a thread.
        quiet = {"PYTHONWARNINGS": "ignore"}
        return self.stack.enter_context(Application(setup, quiet))

    def console(self, *arguments: str | Path) -> str:
        """What a console writes that looks once."""
        done = ran(BIN / "connmon", *arguments, "-N", "1")
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        return done.stdout

    def rows(self, view: str) -> list[dict[str, Any]]:
        """The rows of a view."""
        told = self.console("-H", self.node.address, "--json", "--view", view)
        found: list[dict[str, Any]] = json.loads(told)[view]
        return found

    def see(self, expected: object, read: Callable[[], object]) -> None:
        """Wait until one reads that."""
        eventually(lambda: read() == expected, WITHIN)
        self.assertEqual(expected, read())

    def closings(self) -> dict[str, int]:
        """Why the connections of the only pool were closed."""
        (row,) = self.rows("pools")
        told = {each["reason"]: each["count"] for each in row["closings"]}
        self.assertEqual(row["closes"], sum(told.values()))
        return told

    def end_sessions(self) -> None:
        """Have the server end all there are."""
        for session in self.server.sessions():
            self.server.kill(session)
        self.assertTrue(eventually(lambda: not self.server.sessions(), WITHIN))

    def test_each_reason(self) -> None:
        """One after the other, each counted as what it is."""
        application = self.start(pool_size=2, max_overflow=3, pool_pre_ping=True)
        application.do("use(2)")
        self.see({}, self.closings)
        application.do("use(5)")
        self.see({"overflow": 3}, self.closings)
        self.end_sessions()
        application.do("use(1)")
        self.see({"overflow": 3, "pre-ping": 1}, self.closings)
        application.do("use(2)")
        counts = {"overflow": 3, "pool invalidated": 1, "pre-ping": 1}
        self.see(counts, self.closings)
        application.do("engine.pool._recycle = 0; use(1); engine.pool._recycle = -1")
        self.see(counts | {"recycle": 1}, self.closings)
        application.do("held = take(1)")
        self.end_sessions()
        lost = (
            "try:\n"
            "    held[0].execute(text('select 1'))\n"
            "except exc.OperationalError:\n"
            "    held.pop().close()\n"
        )
        application.do(lost)
        counts |= {"recycle": 1, "invalidated: OperationalError": 1}
        self.see(counts, self.closings)
        application.do("held = take(1); engine.dispose(); held.pop().close()")
        application.do("gc.collect()")
        self.see(counts | {"dispose": 1, "pool invalidated": 2}, self.closings)

    def test_a_pool_that_keeps_none(self) -> None:
        """Also in CSV, and in a recording."""
        self.start("Null").do("use(4)")
        self.see({"not pooled": 4}, self.closings)
        directory = self.stack.enter_context(tempfile.TemporaryDirectory())
        tape = Path(directory, "x.rec")
        self.console("-H", self.node.address, "--record", tape, "--logging")
        for source in (("-H", self.node.address), ("--replay", tape)):
            table = self.console(*source, "--csv", "--view", "pools").splitlines()
            header, row = (line.split(",") for line in table)
            told = dict(zip(header, row, strict=True))
            self.assertEqual("not pooled 4", told["closings"])

    def test_engines(self) -> None:
        """How many a process made."""
        application = self.start()
        again = "create_engine(engine.url, plugins=['connmon'], connmon_program='app',"
        again += f" connmon_addr={self.node.address!r})"
        application.do(f"use(1); made = [{again} for _ in range(4)]")
        application.do("made.clear(); gc.collect(); use(2)")
        self.see([5], lambda: [row["engines"] for row in self.rows("processes")])

    def test_a_connection_of_the_parents(self) -> None:
        """That a child uses it is a critical event, with the line that does."""
        application = self.start()
        application.do("use(1)")
        self.see([1], lambda: [row["conn"] for row in self.rows("processes")])
        child = application.do("fork()")

        def told() -> list[dict[str, Any]]:
            return [row for row in self.rows("events") if row["severity"] == "crit"]

        eventually(told, WITHIN)
        (event,) = told()
        begins = "uses connections that another process opened before a fork: <string>:"
        self.assertTrue(event["text"].startswith(begins), event["text"])
        self.assertTrue(event["text"].endswith(" fork"), event["text"])
        self.assertEqual((child, "app"), (event["pid"], event["progname"]))
