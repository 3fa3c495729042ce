"""The figures a console shows are the pools' own, on real databases.

Each history is lived by several real processes at once. After each of its steps, when
all is quiet, the console must show what the pools themselves count, and for the real
servers the connections must be those of the server's own list.
"""

from __future__ import annotations

import signal
import tempfile
from contextlib import ExitStack

import sqlalchemy
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.whole import servers
from tests.whole.fleet import WITHIN, Application, Console, Node
from tests.whole.servers import Server, eventually

PROCESSES = 2

#: What each process runs first. ``counts`` is the pools' own word: connections open and
#: connections checked out. Three things a pool does not know are added or left out: the
#: record of an invalidated connection counts as idle, but has no connection; a detached
#: connection is open; and so is one that was out when its pool was disposed of, which
#: is idle in that pool when it comes back, until the pool is collected.
SETUP = """
import gc, weakref
from sqlalchemy import create_engine, event, pool, text
engine = create_engine({url!r}, poolclass=pool.QueuePool, **{options!r})
held, detached, orphans = [], [], []
pools = weakref.WeakSet([engine.pool])
event.listen(engine, "engine_disposed", lambda engine: pools.add(engine.pool))

def counts():
    gc.collect()
    out = engine.pool.checkedout() + len(orphans)
    idle = [record for each in pools for record in each._pool.queue]
    kept = sum(1 for record in idle if record.dbapi_connection is not None)
    return [kept + out + len(detached), out]
"""

#: Steps on a QueuePool of 2+3 that ends empty. ``counts`` holds after each of them.
HISTORY = [
    "held += [engine.connect() for _ in range(2)]",
    # Overflow, taken and given back: two stay in the pool.
    "held += [engine.connect() for _ in range(3)]",
    "[held.pop().close() for _ in range(3)]",
    "held.pop().close()",
    "held.append(engine.connect())",
    # Invalidated: the connection is gone, its place is still taken, then it is new.
    "held[-1].invalidate()",
    "held[-1].execute(text('select 1'))",
    # Recycled at the next checkout.
    "held.pop().close(); engine.pool._recycle = 0; held.append(engine.connect())",
    "engine.pool._recycle = -1",
    # Detached: open at the server, no longer the pool's.
    "held[-1].detach(); detached.append(held.pop())",
    "detached.pop().close()",
    # Soft invalidation: replaced when next taken.
    "held.append(engine.connect())",
    "held[-1].connection.invalidate(soft=True); held.pop().close()",
    "held.append(engine.connect())",
    # Disposed with connections still out: they are the old pool's until they return.
    "held.append(engine.connect())",
    "orphans += held; held.clear(); engine.dispose(); held.append(engine.connect())",
    "orphans.pop().close()",
    "orphans.pop().close()",
    "held.pop().close(); orphans.pop().close()",
    "engine.dispose()",
]


class NumbersTests(SynchronousTestCase):
    """One history after another, on one database after another."""

    def setUp(self) -> None:
        """A node and a console, ended with the test."""
        stack = ExitStack()
        self.addCleanup(stack.close)
        self.stack = stack
        self.node = stack.enter_context(Node())
        self.console = stack.enter_context(Console(self.node))

    def start(
        self, url: str, options: dict[str, object], program: str = "app"
    ) -> Application:
        """A process of a program that uses a database."""
        sign = "&" if "?" in url else "?"
        url += f"{sign}connmon_addr={self.node.address}&connmon_program={program}"
        setup = SETUP.format(url=url, options=options)
        return self.stack.enter_context(Application(setup))

    def live(
        self, applications: list[Application], history: list[str], server: Server | None
    ) -> None:
        """Live through a history, processes in step, and compare after each step."""
        for step in history:
            expected = [0, 0]
            for application in applications:
                application.do(step)
                for place, count in enumerate(application.do("counts()")):
                    expected[place] += count
            try:
                self.console.shows("app", conn=expected[0], ckout=expected[1])
            except AssertionError as error:
                raise AssertionError(f"after {step!r}: {error}") from None
            if server is not None:
                self.agree(server, expected[0], step)
        for application in applications:
            status, said = application.leave()
            self.assertEqual(0, status)
            self.assertEqual([], said)

    def agree(self, server: Server, connections: int, step: str) -> None:
        """The server's own list has as many connections."""
        same = eventually(lambda: len(server.sessions()) == connections, WITHIN)
        self.assertTrue(same, f"after {step!r}: {server.sessions()}")

    def test_mariadb(self) -> None:
        """PyMySQL, on a real MariaDB whose process list agrees."""
        server = servers.mariadb()
        url = server.url("pymysql").replace("+pymysql", "+pymysql_connmon")
        options: dict[str, object] = {"pool_size": 2, "max_overflow": 3}
        self.live([self.start(url, options) for _ in range(PROCESSES)], HISTORY, server)

    def test_postgresql(self) -> None:
        """Psycopg 3, on a real PostgreSQL whose list of backends agrees.

        SQLAlchemy 1.4 has no dialect for it; asyncpg is tested on each elsewhere.
        """
        if sqlalchemy.__version__.startswith("1.4"):
            raise SkipTest("SQLAlchemy 1.4 has no dialect for psycopg 3")
        server = servers.postgresql()
        url = server.url("psycopg") + "?plugin=connmon"
        options: dict[str, object] = {"pool_size": 2, "max_overflow": 3}
        self.live([self.start(url, options) for _ in range(PROCESSES)], HISTORY, server)

    def test_sqlite(self) -> None:
        """The embedded default, in a file."""
        directory = self.stack.enter_context(tempfile.TemporaryDirectory())
        url = f"sqlite+connmon:///{directory}/x.db"
        options: dict[str, object] = {"pool_size": 2, "max_overflow": 3}
        self.live([self.start(url, options) for _ in range(PROCESSES)], HISTORY, None)

    def test_null_pool(self) -> None:
        """Connections that live for one use are counted while they do."""
        server = servers.mariadb()
        application = self.start(
            server.url("pymysql").replace("+pymysql", "+pymysql_connmon"), {}
        )
        application.do(
            "null = create_engine("
            f"{server.url('pymysql')!r} + '?plugin=connmon&connmon_program=null"
            f"&connmon_addr={self.node.address}', poolclass=pool.NullPool)"
        )
        application.do("held += [null.connect() for _ in range(4)]")
        self.console.shows("null", conn=4, ckout=4)
        self.assertEqual(4, len(server.sessions()))
        application.do("[held.pop().close() for _ in range(3)]")
        self.console.shows("null", conn=1, ckout=1, maxconn=4, maxckout=4)
        application.do("[null.connect().close() for _ in range(50)]")
        application.do("held.pop().close()")
        self.console.shows("null", conn=0, ckout=0)
        self.agree(server, 0, "the last is closed")

    def test_a_failed_pre_ping(self) -> None:
        """A connection the server killed is replaced, and so is the figure."""
        server = servers.mariadb()
        application = self.start(
            server.url("pymysql").replace("+pymysql", "+pymysql_connmon"),
            {"pool_pre_ping": True},
        )
        application.do("held += [engine.connect() for _ in range(3)]")
        application.do("[each.close() for each in held]; held.clear()")
        self.console.shows("app", conn=3, ckout=0)
        for session in server.sessions():
            server.kill(session)
        self.assertTrue(eventually(lambda: not server.sessions(), WITHIN))
        application.do("held.append(engine.connect())")
        # Only the one that was taken has been replaced; the ledger learns of the other
        # two as their pool does, when it would use them.
        self.console.shows("app", ckout=1)
        application.do("held += [engine.connect() for _ in range(2)]")
        self.console.shows("app", conn=3, ckout=3)
        self.assertEqual(3, len(server.sessions()))

    def test_a_killed_process_is_gone_in_seconds(self) -> None:
        """``kill -9`` takes a process out of the picture; the other stays."""
        server = servers.mariadb()
        url = server.url("pymysql").replace("+pymysql", "+pymysql_connmon")
        first, second = (self.start(url, {}) for _ in range(2))
        for each in (first, second):
            each.do("held += [engine.connect() for _ in range(3)]")
        self.console.shows("app", nproc=2, conn=6, ckout=6)
        first.process.send_signal(signal.SIGKILL)
        row = self.console.shows("app", within=5.0, nproc=1, conn=3, ckout=3)
        self.assertEqual((True, 2, 6, 6), tuple(row[k] for k in MAXIMA))
        second.process.send_signal(signal.SIGKILL)
        row = self.console.shows("app", within=5.0, nproc=0, conn=0, ckout=0)
        self.assertEqual((False, 2, 6, 6), tuple(row[k] for k in MAXIMA))

    def test_checkouts_per_second(self) -> None:
        """A known number of checkouts makes the rate they are."""
        with tempfile.TemporaryDirectory() as directory:
            application = self.start(f"sqlite+connmon:///{directory}/x.db", {})
            application.do("engine.connect().close()")
            self.console.shows("app", conn=1)
            application.do(
                "def work():\n"
                "    until = time.monotonic() + 9\n"
                "    while time.monotonic() < until:\n"
                "        engine.connect().close()\n"
                "        time.sleep(0.02)\n"
                "        global done\n"
                "        done += 1\n"
            )
            application.do("done = 0; begun = time.monotonic()")
            application.do("threading.Thread(target=work).start()")
            row = self.console.shows("app", nproc=1)
            self.console.until(
                lambda frame: application.do("time.monotonic() - begun") > 7.0
            )
            rate = application.do("done / (time.monotonic() - begun)")
            row = self.console.shows("app", nproc=1)
            # The quiet seconds before the work are in the window too.
            self.assertGreater(row["ckoutpersec"], rate * 0.5)
            self.assertLess(row["ckoutpersec"], rate * 1.15)


MAXIMA = ("connected", "maxnproc", "maxconn", "maxckout")


class RestartTests(SynchronousTestCase):
    """A node that comes back learns what is so, within seconds."""

    def test_a_restarted_node_shows_the_true_state(self) -> None:
        """What happened while it was away is there, and nothing is counted twice."""
        with ExitStack() as stack:
            directory = stack.enter_context(tempfile.TemporaryDirectory())
            node = stack.enter_context(Node())
            url = (
                f"sqlite+connmon:///{directory}/x.db?connmon_addr={node.address}"
                "&connmon_program=app"
            )
            setup = SETUP.format(url=url, options={})
            application = stack.enter_context(Application(setup))
            application.do("held += [engine.connect() for _ in range(2)]")
            stack.enter_context(Console(node)).shows("app", conn=2, ckout=2)
            node.end()
            application.do("held += [engine.connect() for _ in range(2)]")
            application.do("[engine.connect().close() for _ in range(100)]")
            application.do("held.pop(0).close()")
            again = stack.enter_context(Node(node.port))
            console = stack.enter_context(Console(again))
            row = console.shows("app", within=8.0, conn=5, ckout=3)
            # The process's own maxima are from before the restart.
            self.assertEqual((5, 5), (row["maxconn"], row["maxckout"]))
            application.do("held.pop(0).close()")
            console.shows("app", within=5.0, conn=5, ckout=2)
