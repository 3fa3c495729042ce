"""Asyncio programs: every driver, both event loops, and what they do to connections.

There is one thread in such a program, its loop's, and it must not wait for us; the loop
and its policy are the host's. Counts are compared with the pool's own and, where there
is a server, with the server's list of sessions.
"""

from __future__ import annotations

import sys

import sqlalchemy
from twisted.trial.unittest import SkipTest

from tests.hosts.needed import require
from tests.hosts.pairs import Pair, PairTestCase, least_difference
from tests.whole import servers
from tests.whole.fleet import WITHIN
from tests.whole.servers import Server, eventually

HEAD = """
import asyncio, contextlib, gc, logging, warnings
from sqlalchemy import event
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

def begin(**options):
    return create_async_engine(URL, poolclass=AsyncAdaptedQueuePool, **options)

async def use_async(times=1):
    for _ in range(times):
        async with engine.connect() as connection:
            await connection.execute(text("select 1"))

async def pause(name):
    # Let the loop go on until the test opens a gate.
    path = os.path.join(DIRECTORY, f"gate-{name}")
    while not os.path.exists(path):
        await asyncio.sleep(0.005)

async def until(condition):
    while not condition():
        await asyncio.sleep(0.005)

def counts():
    # What the pool says: open, and in use. An invalidated record has no connection.
    idle = engine.pool._pool._queue._queue
    kept = sum(1 for each in idle if each.dbapi_connection is not None)
    return [kept + engine.pool.checkedout(), engine.pool.checkedout()]
"""

#: It drops the connection of a cancelled query without closing it, and has no psycopg.
SA_14 = sqlalchemy.__version__.startswith("1.4")

PYTHON_312 = sys.version_info[:2] == (3, 12)

#: How a program runs its loop.
LOOPS = {
    "asyncio": "asyncio.run",
    "uvloop": "__import__('uvloop').run",
}

#: A life: connections held, tasks cancelled while they hold one, wait for one, and are
#: in the middle of a query; forgotten connections; the end of the pool. After each, the
#: program tells what its pool says and waits.
LIFE = """
warnings.filterwarnings("ignore", "The garbage collector")
logging.getLogger("sqlalchemy.pool").addHandler(logging.NullHandler())
logging.getLogger("sqlalchemy.pool").propagate = False

async def hold_on(started):
    async with engine.connect():
        started.append(1)
        await asyncio.sleep(60)

async def ask_slowly(started):
    async with engine.connect() as connection:
        started.append(1)
        await connection.execute(text(SLOW))

async def checkpoint(name):
    tell(name, counts())
    await pause(name)

async def life():
    global engine
    loop, policy = asyncio.get_running_loop(), asyncio.events._event_loop_policy
    # In its debug mode a loop tells of every slow turn, and an import is one.
    loop.slow_callback_duration = 60
    was = state()
    if INSIDE:
        engine = begin(pool_size=5, max_overflow=0)
    held = [await engine.connect() for _ in range(3)]
    await checkpoint("held")

    # Two hold a connection, four wait for one: then all are cancelled.
    started = []
    tasks = [asyncio.create_task(hold_on(started)) for _ in range(6)]
    await until(lambda: len(started) == 2)
    await checkpoint("waiting")
    for task in tasks:
        task.cancel()
    tell("cancelled", [
        type(each).__name__
        for each in await asyncio.gather(*tasks, return_exceptions=True)
    ])
    await checkpoint("given up")

    if SLOW:
        started = []
        tasks = [asyncio.create_task(ask_slowly(started)) for _ in range(2)]
        await until(lambda: len(started) == 2)
        await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await checkpoint("interrupted")

    await held.pop().close()
    forgotten = held.pop()
    del forgotten
    gc.collect()
    await asyncio.sleep(0.05)
    await checkpoint("forgotten")

    await asyncio.gather(*(use_async(20) for _ in range(10)))
    await held.pop().close()
    await checkpoint("used")
    await engine.dispose()
    await checkpoint("disposed")
    # A driver's thread may still be about to end.
    await until(lambda: state()["threads"] == was["threads"])
    tell("changed", changed(was))
    tell("loop", [
        asyncio.get_running_loop() is loop,
        asyncio.events._event_loop_policy is policy,
        type(loop).__name__,
        loop.get_exception_handler(), repr(loop.get_task_factory()),
    ])

if not INSIDE:
    engine = begin(pool_size=5, max_overflow=0)
run(life())
tell("ended", time.monotonic())
"""

CHECKPOINTS = (
    *("held", "waiting", "given up", "interrupted", "forgotten", "used"),
    "disposed",
)

#: A query that takes longer than the test, by dialect.
SLOW = {"mysql": "select sleep(50)", "postgresql": "select pg_sleep(50)", "sqlite": ""}


class AsyncioTestCase(PairTestCase):
    """Programs on one loop or another."""

    def script(self, body: str, loop: str = "asyncio", **names: object) -> str:
        """The whole program; ``names`` are told to it."""
        if loop != "asyncio":
            require(loop)
        told = "".join(f"{name} = {value!r}\n" for name, value in names.items())
        return f"{HEAD}\nrun = {LOOPS[loop]}\n{told}{body}"


class LifeTests(AsyncioTestCase):
    """One life on each driver, on both loops, watched beside a control."""

    def live(
        self,
        driver: str,
        loop: str = "asyncio",
        server: Server | None = None,
        inside: bool = False,
    ) -> None:
        """Live through it; the node agrees at every checkpoint."""
        require(driver)
        file = f"sqlite+aiosqlite:///{self.directory}/async.db"
        database = file if server is None else server.url(driver)
        slow = "" if SA_14 else SLOW[database.partition("+")[0]]
        script = self.script(LIFE, loop, INSIDE=inside, SLOW=slow)
        watched = self.start(script, self.watched(database=database))
        for name in CHECKPOINTS if slow else [*CHECKPOINTS[:3], *CHECKPOINTS[4:]]:
            conn, ckout = watched.value(name)
            try:
                self.shows(conn=conn, ckout=ckout)
            except AssertionError as error:
                raise AssertionError(f"at {name!r}: {error}") from None
            if server is not None:
                self.agree(server, conn, name)
            watched.open(name)
        self.assertEqual(["CancelledError"] * 6, watched.value("cancelled"))
        self.assertEqual([True, True], watched.value("loop")[:2])
        row = self.shows(nproc=0, conn=0, ckout=0)
        self.assertEqual((1, 5, 5), tuple(row[each] for each in MAXIMA))
        control = self.start(script, self.bare(database))
        control.open(*CHECKPOINTS)
        self.end_alike(Pair(watched, control))
        self.same(Pair(watched, control), "changed", "loop", "cancelled", "used")
        self.linked_once(watched.pid)

    def agree(self, server: Server, connections: int, name: str) -> None:
        """The server's own list has as many."""
        same = eventually(lambda: len(server.sessions()) == connections, WITHIN)
        self.assertTrue(same, f"at {name!r}: {connections}, {server.sessions()}")

    def test_aiosqlite(self) -> None:
        """The embedded default, whose connections are threads."""
        self.live("aiosqlite")

    def test_aiosqlite_uvloop(self) -> None:
        """The same on uvloop."""
        self.live("aiosqlite", "uvloop")

    def test_asyncpg(self) -> None:
        """PostgreSQL; a cancelled query ends its connection."""
        self.live("asyncpg", server=servers.postgresql())

    def test_asyncpg_uvloop(self) -> None:
        """The same on uvloop."""
        self.live("asyncpg", "uvloop", servers.postgresql())

    def test_psycopg(self) -> None:
        """PostgreSQL, by the other driver."""
        if SA_14:
            raise SkipTest("SQLAlchemy 1.4 has no dialect for psycopg 3")
        self.live("psycopg", server=servers.postgresql())

    def test_psycopg_uvloop(self) -> None:
        """The same on uvloop."""
        if SA_14:
            raise SkipTest("SQLAlchemy 1.4 has no dialect for psycopg 3")
        self.live("psycopg", "uvloop", servers.postgresql())

    def test_aiomysql(self) -> None:
        """MariaDB."""
        self.live("aiomysql", server=servers.mariadb())

    def test_asyncmy_uvloop(self) -> None:
        """MariaDB, by the other driver, on uvloop."""
        self.live("asyncmy", "uvloop", servers.mariadb())

    def test_made_inside_a_running_loop(self) -> None:
        """The engine's making is a call like another."""
        self.live("aiosqlite", inside=True)

    def test_made_inside_a_running_uvloop(self) -> None:
        """The same on uvloop."""
        self.live("asyncpg", "uvloop", servers.postgresql(), inside=True)


MAXIMA = ("maxnproc", "maxconn", "maxckout")

#: Several loops, one after another, as command-line programs have them.
RUNS = """
async def work():
    asyncio.get_running_loop().slow_callback_duration = 60
    held = [await engine.connect() for _ in range(3)]
    await use_async(5)
    tell("working", counts())
    await pause("next")
    os.unlink(os.path.join(DIRECTORY, "gate-next"))
    for each in held:
        await each.close()
    await engine.dispose()

engine = begin()
was = state()
for _ in range(3):
    run(work())
# Threads of the driver's may still be on their way out.
wait_for(lambda: threading.active_count() == 1)
tell("changed", changed(was))
tell("ended", time.monotonic())
"""

#: A loop, in which the longest wait for its turn is measured.
LAG = """
async def tick(lags):
    while True:
        then = time.perf_counter()
        await asyncio.sleep(0.002)
        lags.append(time.perf_counter() - then - 0.002)

async def main():
    await asyncio.gather(*(use_async(5) for _ in range(5)))
    await pause("begin")
    lags = []
    ticking = asyncio.create_task(tick(lags))
    until = time.monotonic() + 2
    while time.monotonic() < until:
        await asyncio.gather(*(use_async(2) for _ in range(5)))
        await asyncio.sleep(0.001)
    ticking.cancel()
    lags.sort()
    tell("lag", lags[len(lags) * 99 // 100])
    await engine.dispose()

engine = begin()
run(main())
"""

#: A loop with much garbage and many connections to report, and who collects it.
GARBAGE = """
import connmon
collectors = []

def collected(phase, info):
    if phase == "start":
        collectors.append(threading.get_ident())

class Cycle:
    def __init__(self):
        self.self = self

def reports():
    found = connmon.status()["destinations"]
    return found[0]["reports_acknowledged"] if found else 6

async def main():
    asyncio.get_running_loop().slow_callback_duration = 60
    held = [await engine.connect() for _ in range(60)]
    gc.set_threshold(60, 5, 5)
    gc.callbacks.append(collected)
    while reports() < 6:
        for _ in range(30):
            Cycle()
            await asyncio.sleep(0.001)
        await held.pop(0).close()
        held.append(await engine.connect())
    gc.callbacks.remove(collected)
    gc.set_threshold(700, 10, 10)
    for each in held:
        await each.close()
    await engine.dispose()

engine = begin(pool_size=60)
run(main())
ours = sum(each != threading.get_ident() for each in collectors)
tell("collected", [len(collectors), ours])
"""


class LoopTests(AsyncioTestCase):
    """What else there is to a loop."""

    def row(self, loop: str) -> None:
        """One process, one link, and each loop's connections while it runs."""
        database = f"sqlite+aiosqlite:///{self.directory}/row.db"
        pair = self.pair(self.script(RUNS, loop), database)
        for turn in range(3):
            for each in (pair.watched, pair.control):
                each.told("working", turn + 1)
            self.shows(conn=4, ckout=3)
            pair.open("next")
        self.same(pair, "changed")
        self.end_alike(pair)
        self.shows(nproc=0, conn=0, ckout=0, maxconn=4, maxckout=4)
        self.linked_once(pair.watched.pid)

    def test_several_loops_in_a_row(self) -> None:
        """As command-line programs have them."""
        self.row("asyncio")

    def test_several_uvloops_in_a_row(self) -> None:
        """The same on uvloop."""
        self.row("uvloop")

    def test_the_loop_collects_its_garbage_itself(self) -> None:
        """What dies of it may belong to the loop: forgotten connections do."""
        database = servers.postgresql().url("asyncpg")
        program = self.start(self.script(GARBAGE), self.watched(database=database))
        count, elsewhere = program.value("collected")
        self.assertGreater(count, 50)
        # Python 3.12 asks whichever thread runs next, and that may be ours, waking up.
        self.assertLessEqual(elsewhere, count // 50 if PYTHON_312 else 0)
        self.ends_well(program)

    def test_the_end(self) -> None:
        """As soon as without us."""
        script = self.script(
            "async def main():\n"
            "    await use_async(10)\n"
            "    await engine.dispose()\n"
            "engine = begin()\n"
            "run(main())\n"
            "tell('ended', time.monotonic())\n"
        )
        self.ends_in_time(script, f"sqlite+aiosqlite:///{self.directory}/end.db")

    def test_the_end_with_connections_held(self) -> None:
        """Neither is that of a loop left with its connections, and with threads."""
        script = self.script(
            "async def main():\n"
            "    global held\n"
            "    held = [await engine.connect() for _ in range(3)]\n"
            "engine = begin()\n"
            "run(main())\n"
            "tell('ended', time.monotonic())\n"
            "os._exit(0)\n"
        )
        self.ends_in_time(script, f"sqlite+aiosqlite:///{self.directory}/end.db")

    def test_the_loop_does_not_wait_for_us(self) -> None:
        """Its turns come as soon as without us, on the whole and nearly always."""
        database = f"sqlite+aiosqlite:///{self.directory}/lag.db"

        def measure() -> tuple[float, float]:
            pair = self.pair(self.script(LAG), database, flags=())
            # One after the other: two at once would wait for each other.
            for each in (pair.control, pair.watched):
                each.open("begin")
                each.told("lag")
                each.leaves()
            watched, control = pair.told("lag")
            return watched, control

        self.assertLess(least_difference(measure, 3), 0.02)
