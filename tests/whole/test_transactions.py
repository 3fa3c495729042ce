"""Transactions, as applications are told of them and as the real servers list them."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine
from twisted.trial.unittest import SynchronousTestCase

from connmon.client.listeners import Watch
from connmon.client.options import ALL
from connmon.model.ledger import Ledger
from tests.whole.drivers import OfDriver, OfMariaDB, OfPostgreSQL
from tests.whole.fleet import BIN, WITHIN, Application, Console, Node, ran
from tests.whole.servers import eventually

NEAR = 0.5
"""Seconds by which a server's word may differ from ours: both were asked in turn."""


class StandIn:
    """An agent that only keeps a ledger."""

    def __init__(self) -> None:
        """Nothing has happened."""
        self.ledger = Ledger()


class TransactionChecks(OfDriver):
    """What holds for each driver; mixed into a test case for each."""

    assertEqual: Any
    assertIsNone: Any

    def setUp(self) -> None:
        """Nothing has been told."""
        super().setUp()
        self.agent: Any = StandIn()

    def in_transaction(self, session: int) -> float | None:
        """For how long the server has a session in a transaction, as it lists them."""
        raise NotImplementedError

    def put_into_autocommit(self, dbapi_connection: Any, on: bool) -> None:
        """Have a driver commit each statement, without a word to SQLAlchemy."""
        raise NotImplementedError

    # What is done to each.

    def test_as_the_server_has_it(self) -> None:
        """Both say so, or neither does, whatever is done."""
        if self.is_async:
            asyncio.run(self.do_async())
            return
        engine = create_engine(self.server.url(self.driver), future=True)
        Watch(self.agent, engine, transactions=ALL)
        with engine.connect() as connection:
            self.do(connection)
        self.check_autocommit_of_an_engine(engine)
        engine.dispose()

    async def do_async(self) -> None:
        """The same with asyncio."""
        engine = create_async_engine(self.server.url(self.driver))
        Watch(self.agent, engine.sync_engine, transactions=ALL)
        async with engine.connect() as connection:
            await connection.run_sync(self.do)
        await engine.dispose()

    def do(self, connection: Any) -> None:
        """One connection, through all of it."""
        self.session = int(connection.execute(text(self.own_id)).scalar())
        self.table = f"txn_{self.driver}"
        connection.execute(text(f"CREATE TABLE {self.table} (x INTEGER)"))
        connection.commit()
        for each in (
            self.ends,
            self.idles,
            self.nests,
            self.begins,
            self.ends_in_two_phases,
            self.commits_each_statement,
            self.commits_each_statement_unbeknown,
        ):
            self.agrees(False, each.__name__)
            each(connection)
            self.agrees(False, each.__name__)

    def ends(self, connection: Any) -> None:
        """A commit, and a rollback, of what is written."""
        for end in (connection.commit, connection.rollback):
            connection.execute(self.inserts(1))
            self.agrees(True, "written")
            end()
            self.agrees(False, "ended")

    def idles(self, connection: Any) -> None:
        """For as long as the server says."""
        asked = time.monotonic()
        connection.execute(text(f"SELECT count(*) FROM {self.table}")).scalar()
        executed = time.monotonic()
        time.sleep(1.1)
        before = time.monotonic()
        began, quiet = self.told()
        assert began is not None
        assert quiet is not None
        listed = self.in_transaction(self.session)
        assert listed is not None
        after = time.monotonic()
        # The server may tell whole seconds, and heard each question when it did.
        near = 1.0 + NEAR + (executed - asked) + (after - before)
        assert abs(began - listed) < near, (began, listed, near)
        assert 1.1 <= quiet < after - asked, (quiet, after - asked)
        connection.commit()

    def nests(self, connection: Any) -> None:
        """Savepoints, in a transaction that goes on."""
        connection.execute(self.inserts(2))
        connection.begin_nested().rollback()
        self.agrees(True, "savepoint")
        connection.begin_nested().commit()
        self.agrees(True, "savepoint")
        connection.rollback()

    def begins(self, connection: Any) -> None:
        """That alone is nothing."""
        transaction = connection.begin()
        self.agrees(False, "begun")
        transaction.rollback()

    def ends_in_two_phases(self, connection: Any) -> None:
        """It is over with the second."""
        for end in ("commit", "rollback"):
            transaction = connection.begin_twophase()
            connection.execute(self.inserts(3))
            self.agrees(True, "two phases")
            getattr(transaction, end)()
            self.agrees(False, f"two phases, {end}")

    def commits_each_statement(self, connection: Any) -> None:
        """As SQLAlchemy was told to."""
        usual = connection.default_isolation_level
        connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(self.inserts(4))
        self.agrees(False, "autocommit")
        connection.commit()
        connection.execution_options(isolation_level=usual)
        connection.execute(self.inserts(4))
        self.agrees(True, "no autocommit any more")
        connection.rollback()

    def commits_each_statement_unbeknown(self, connection: Any) -> None:
        """As only its driver was told to."""
        dbapi_connection = connection.connection.dbapi_connection
        self.put_into_autocommit(dbapi_connection, True)
        connection.execute(self.inserts(5))
        self.agrees(False, "driver's autocommit")
        connection.rollback()
        self.put_into_autocommit(dbapi_connection, False)

    def check_autocommit_of_an_engine(self, engine: Any) -> None:
        """Each connection of a copy, on the same session."""
        copy = engine.execution_options(isolation_level="AUTOCOMMIT")
        with copy.connect() as connection:
            connection.execute(self.inserts(6))
            self.agrees(False, "autocommit of a copy")
        with engine.connect() as connection:
            connection.execute(self.inserts(6))
            self.agrees(True, "the engine")

    def inserts(self, value: int) -> Any:
        """What writes a row."""
        return text(f"INSERT INTO {self.table} VALUES ({value})")

    # Both views of it.

    def agrees(self, expected: bool, what: str) -> None:
        """Complain unless both say that it is in a transaction, or that it is not."""
        self.assertEqual(expected, self.told()[0] is not None, f"connmon: {what}")
        for _ in range(500):
            # InnoDB shows the same again to who asks sooner than after 0.1 s.
            time.sleep(0.12)
            if (self.in_transaction(self.session) is not None) == expected:
                return
        raise AssertionError(f"the server: {what}: expected {expected}")

    def told(self) -> tuple[float | None, float | None]:
        """For how long connmon has it in a transaction, and idle in it."""
        now = time.monotonic()
        report = self.agent.ledger.whole(1, now, 0.0)
        found = {each.session: each for each in report.connections}[self.session]
        return (
            None if found.transaction is None else now - found.transaction,
            None if found.quiet is None else now - found.quiet,
        )


class MariaDBChecks(OfMariaDB, TransactionChecks):
    """What holds for each driver of MariaDB."""

    def in_transaction(self, session: int) -> float | None:
        """By ``innodb_trx``, which has what InnoDB has been asked for."""
        rows = self.server.query(
            "SELECT timestampdiff(SECOND, trx_started, now())"
            " FROM information_schema.innodb_trx"
            f" WHERE trx_mysql_thread_id = {session}"
        )
        return float(rows[0][0]) if rows else None

    def put_into_autocommit(self, dbapi_connection: Any, on: bool) -> None:
        """By the driver's method."""
        dbapi_connection.autocommit(on)


class PostgreSQLChecks(OfPostgreSQL, TransactionChecks):
    """What holds for each driver of PostgreSQL."""

    def in_transaction(self, session: int) -> float | None:
        """By ``pg_stat_activity``: it is idle in transaction."""
        rows = self.server.query(
            "SELECT extract(epoch FROM clock_timestamp() - xact_start)"
            " FROM pg_stat_activity"
            f" WHERE pid = {session} AND state = 'idle in transaction'"
        )
        return float(rows[0][0]) if rows else None

    def put_into_autocommit(self, dbapi_connection: Any, on: bool) -> None:
        """By the driver's attribute."""
        dbapi_connection.autocommit = on


class PyMySQLTests(MariaDBChecks, SynchronousTestCase):
    """PyMySQL."""

    driver = package = "pymysql"


class MysqlclientTests(MariaDBChecks, SynchronousTestCase):
    """mysqlclient, known as MySQLdb."""

    driver = "mysqldb"
    package = "MySQLdb"


class AiomysqlTests(MariaDBChecks, SynchronousTestCase):
    """aiomysql."""

    driver = package = "aiomysql"
    is_async = True


class AsyncmyTests(MariaDBChecks, SynchronousTestCase):
    """asyncmy."""

    driver = package = "asyncmy"
    is_async = True


class Psycopg2Tests(PostgreSQLChecks, SynchronousTestCase):
    """psycopg2."""

    driver = package = "psycopg2"


class PsycopgTests(PostgreSQLChecks, SynchronousTestCase):
    """psycopg 3."""

    driver = package = "psycopg"


class AsyncPsycopgTests(PostgreSQLChecks, SynchronousTestCase):
    """psycopg 3 with asyncio."""

    driver = "psycopg_async"
    package = "psycopg"
    is_async = True


class AsyncpgTests(PostgreSQLChecks, SynchronousTestCase):
    """asyncpg."""

    driver = package = "asyncpg"
    is_async = True


class Pg8000Tests(PostgreSQLChecks, SynchronousTestCase):
    """pg8000."""

    driver = package = "pg8000"


SETUP = """
import connmon, time
from sqlalchemy import create_engine, text
from sqlalchemy.pool import QueuePool
engine = create_engine({url!r}, poolclass=QueuePool, future=True)
connection = engine.connect()

def sent():
    (found,) = connmon.status()["destinations"]
    return found["reports_sent"]
"""


class ConsoleTests(SynchronousTestCase):
    """What a console shows of a program that idles in a transaction."""

    def setUp(self) -> None:
        """A node, a console, and the program."""
        directory = Path(tempfile.mkdtemp())
        self.node = Node()
        self.addCleanup(self.node.end)
        url = (
            f"sqlite:///{directory}/x.db?plugin=connmon&connmon_program=app"
            f"&connmon_addr={self.node.address}"
        )
        self.program = Application(SETUP.format(url=url))
        self.addCleanup(self.program.end)

    def checkout(self) -> dict[str, Any]:
        """The only checkout, as the command prints it."""
        command = (BIN / "connmon", "-H", self.node.address, "--view", "checkouts")
        done = ran(*command, "--json", "-N", "1")
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        (found,) = json.loads(done.stdout)["checkouts"]
        row: dict[str, Any] = found
        return row

    def checked(self) -> tuple[dict[str, Any], float, float]:
        """The same, and between which two moments it was so."""
        before = time.monotonic()
        return self.checkout(), before, time.monotonic()

    def test_idle_in_a_transaction(self) -> None:
        """Since when, while the program says nothing more; and no more when it ends."""
        with Console(self.node) as console:
            console.shows("app", ckout=1)
            self.assertIsNone(console.frame()["txn_seconds"])
            began = time.monotonic()
            self.program.do("connection.execute(text('select 1')) and None")
            frame = console.until(lambda frame: frame["txn_seconds"] is not None)
            self.assertLess(frame["txn_seconds"], time.monotonic() - began + NEAR)
            console.until(lambda frame: (frame["txn_seconds"] or 0.0) > 2.5)
            before = self.program.do("sent()")
            first, *once = self.checked()
            console.until(lambda frame: (frame["txn_seconds"] or 0.0) > 4.0)
            second, *later = self.checked()
            # Nothing has happened, so nothing was said.
            self.assertEqual(before, self.program.do("sent()"))
            for name in ("txn_seconds", "txn_idle_seconds"):
                self.assertGreater(first[name], 2.0)
                passed = second[name] - first[name]
                self.assertGreater(passed, later[0] - once[1] - NEAR)
                self.assertLess(passed, later[1] - once[0] + NEAR)
            executed = time.monotonic()
            self.program.do("connection.execute(text('select 2')) and None")
            idle: list[float | None] = []

            def idles_anew() -> bool:
                # For a moment it may be said to be executed still.
                idle.append(self.checkout()["txn_idle_seconds"])
                last = idle[-1]
                return last is not None and last < time.monotonic() - executed + NEAR

            self.assertTrue(eventually(idles_anew, WITHIN), idle)
            self.assertGreater(self.checkout()["txn_seconds"], 4.0)
            self.program.do("connection.commit()")
            console.until(lambda frame: frame["txn_seconds"] is None)
            self.assertIsNone(self.checkout()["txn_seconds"])
