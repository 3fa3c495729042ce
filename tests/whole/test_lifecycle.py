"""How applications begin, fork and end with us inside, on real processes.

The application's interpreter turns every warning into an error and runs in development
mode, and must say nothing on standard error.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from math import inf

from twisted.trial.unittest import SynchronousTestCase

from tests.whole import servers
from tests.whole.fleet import WITHIN, Application, Console, Node, fewest
from tests.whole.servers import eventually, free_port

SETUP = """
from sqlalchemy import create_engine, text
from sqlalchemy.pool import QueuePool
engine = create_engine({url!r}, poolclass=QueuePool)
held = []
"""

#: A whole program that uses a database, says how long its end took, and how much of
#: that is the interpreter's own is told by the same program without us.
SCRIPT = """
import sys, time
from sqlalchemy import create_engine
engine = create_engine(sys.argv[1])
for _ in range(5):
    engine.connect().close()
{before}
print(time.monotonic(), flush=True)
{end}
"""

#: What an application leaves open is its own affair, and told on some Pythons.
DEV = ("-X", "dev", "-W", "error", "-W", "ignore::ResourceWarning")


class LifecycleTests(SynchronousTestCase):
    """One application, and what becomes of it."""

    def setUp(self) -> None:
        """A directory for a database, and what must be ended."""
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)
        self.directory = self.stack.enter_context(tempfile.TemporaryDirectory())

    def url(self, address: str) -> str:
        """A watched URL that reports to ``address``."""
        return (
            f"sqlite+connmon:///{self.directory}/x.db"
            f"?connmon_addr={address}&connmon_program=app"
        )

    def node(self) -> tuple[Node, Console]:
        """A node and a console on it."""
        node = self.stack.enter_context(Node())
        return node, self.stack.enter_context(Console(node))

    def application(self, address: str) -> Application:
        """A watched application."""
        setup = SETUP.format(url=self.url(address))
        return self.stack.enter_context(Application(setup, None, *DEV))

    def run_script(self, url: str, before: str = "", end: str = "") -> float:
        """Run the whole program; seconds from its last line to its end."""
        done = subprocess.run(
            [sys.executable, *DEV, "-c", SCRIPT.format(before=before, end=end), url],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        now = time.monotonic()
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        return now - float(done.stdout)

    def test_parent_and_child_each_report_their_own(self) -> None:
        """A fork after the engine connected: two processes, two truths."""
        node, console = self.node()
        parent = self.application(node.address)
        parent.do("held += [engine.connect() for _ in range(3)]")
        console.shows("app", nproc=1, conn=3, ckout=3)
        parent.do("wait, go = os.pipe()")
        parent.do(
            "pid = os.fork()\n"
            "if pid == 0:\n"
            "    os.close(go)\n"
            "    engine.dispose(close=False)\n"
            "    mine = [engine.connect() for _ in range(2)]\n"
            "    os.read(wait, 1)\n"
            "    mine.pop().close()\n"
            "    os.read(wait, 1)\n"
            "    os._exit(0)\n"
        )
        console.shows("app", nproc=2, conn=5, ckout=5)
        parent.do("held.pop().close()")
        console.shows("app", nproc=2, conn=5, ckout=4)
        parent.do("os.write(go, b'.')")
        console.shows("app", nproc=2, conn=5, ckout=3)
        parent.do("os.write(go, b'.')")
        self.assertEqual(0, parent.do("os.waitpid(pid, 0)[1]"))
        row = console.shows("app", nproc=1, conn=3, ckout=2)
        self.assertEqual((2, 5), (row["maxnproc"], row["maxconn"]))
        parent.do("held.pop().close()")
        console.shows("app", nproc=1, conn=3, ckout=1)
        self.assertEqual((0, []), parent.leave())
        # One link each, and none again at the end.
        joined = [line for line in node.err.rest_so_far() if "client" in line]
        self.assertEqual(2, sum(" joined " in line for line in joined), joined)

    def test_many_forks_leave_the_parent_linked(self) -> None:
        """Children that come and go do not cost the parent its link."""
        node, console = self.node()
        parent = self.application(node.address)
        parent.do("held.append(engine.connect())")
        console.shows("app", nproc=1, conn=1)
        parent.do(
            "def family(count):\n"
            "    for _ in range(count):\n"
            "        pid = os.fork()\n"
            "        if pid == 0:\n"
            "            os._exit(0)\n"
            "        os.waitpid(pid, 0)\n"
        )
        parent.do("family(30)")
        parent.do("held.append(engine.connect())")
        console.shows("app", nproc=1, conn=2, ckout=2, maxnproc=1)
        left = [line for line in node.err.rest_so_far() if "left" in line]
        self.assertEqual([], left)

    def test_a_parent_that_dies_is_gone_though_its_child_lives(self) -> None:
        """The child does not hold its parent's link open."""
        node, console = self.node()
        parent = self.application(node.address)
        parent.do("held.append(engine.connect())")
        console.shows("app", nproc=1, conn=1)
        child = parent.do("os.fork() or time.sleep(60)")
        self.addCleanup(os.kill, child, signal.SIGKILL)
        parent.process.kill()
        console.shows("app", within=5.0, nproc=0, conn=0)

    def test_a_daemonised_program_reports_under_its_new_pid(self) -> None:
        """Engine made and used, then two forks and a new session."""
        node, console = self.node()
        ready, told = os.pipe()
        script = (
            "import os, sys, time\n"
            "from sqlalchemy import create_engine\n"
            f"engine = create_engine({self.url(node.address)!r})\n"
            "engine.connect().close()\n"
            "if os.fork(): os._exit(0)\n"
            "os.setsid()\n"
            "if os.fork(): os._exit(0)\n"
            "engine.dispose(close=False)\n"
            "held = engine.connect()\n"
            f"os.write({told}, str(os.getpid()).encode())\n"
            "time.sleep(60)\n"
        )
        command = [sys.executable, *DEV, "-c", script]
        subprocess.run(command, check=True, pass_fds=[told], timeout=30)
        pid = int(os.read(ready, 20))
        self.addCleanup(os.close, ready)
        self.addCleanup(os.close, told)
        self.addCleanup(os.kill, pid, signal.SIGKILL)
        console.shows("app", nproc=1, conn=1, ckout=1)

    def test_what_a_short_program_did_is_told(self) -> None:
        """A program that ends at once is on the board, with what it reached."""
        node, console = self.node()
        self.run_script(
            self.url(node.address), "held = [engine.connect() for _ in range(4)]"
        )
        console.shows("app", connected=False, maxconn=4, maxckout=4)

    def test_the_end_is_not_held_up(self) -> None:
        """With the node up, absent or refusing: as fast as without us, and silent."""
        node, _ = self.node()
        for address in (node.address, f"127.0.0.1:{free_port()}"):
            self.assertLess(self.held_up(self.url(address), 0.25), 0.25, address)

    def held_up(self, url: str, few: float) -> float:
        """By how many seconds later a program ends with us, at best.

        Tried until they are few, for a machine that is busy holds up any program.
        """
        bare = ours = inf
        for _ in range(10):
            bare = min(bare, self.run_script(f"sqlite:///{self.directory}/x.db"))
            ours = min(ours, self.run_script(url))
            if ours - bare < few:
                break
        return ours - bare

    def test_the_end_with_a_stopped_node_is_bounded(self) -> None:
        """A node that accepts and never answers costs half a second at most."""
        node, _ = self.node()
        node.process.send_signal(signal.SIGSTOP)
        longer = self.held_up(self.url(node.address), 0.8)
        node.process.send_signal(signal.SIGCONT)
        self.assertLess(longer, 0.8)

    def test_every_way_to_end(self) -> None:
        """sys.exit, a thread still at work, a daemon thread: silent and prompt."""
        node, _ = self.node()
        for before, end in (
            ("", "sys.exit(0)"),
            (
                (
                    "import threading\n"
                    "threading.Thread(target=lambda: engine.connect().close()).start()"
                ),
                "",
            ),
            (
                (
                    "from threading import Thread\n"
                    "Thread(target=time.sleep, args=(9,), daemon=True).start()"
                ),
                "",
            ),
            ("held = engine.connect()", ""),
            ("engine.dispose()", "import os; os._exit(0)"),
        ):
            script = partial(self.run_script, self.url(node.address), before, end)
            self.assertLess(fewest(script, 1.5), 1.5, (before, end))

    def test_nothing_of_the_host_is_touched(self) -> None:
        """No global reactor, and signals, hooks, logging and streams as they were."""
        node, console = self.node()
        application = self.application(node.address)
        application.do(
            "import logging, signal, threading, warnings\n"
            "def state():\n"
            "    return repr([\n"
            "        [signal.getsignal(n) for n in range(1, 32)], sys.excepthook,\n"
            "        threading.excepthook, sys.stdout, sys.stderr,\n"
            "        logging.root.handlers, logging.root.level,\n"
            "        warnings.filters, sorted(os.environ),\n"
            "    ])\n"
            "before = state()\n"
        )
        application.do("held.append(engine.connect())")
        console.shows("app", conn=1, ckout=1)
        self.assertEqual(application.do("before"), application.do("state()"))
        self.assertFalse(application.do("'twisted.internet.reactor' in sys.modules"))
        self.assertEqual(1, application.do("threading.active_count()"))
        self.assertEqual((0, []), application.leave())

    def test_the_thread_imports_nothing(self) -> None:
        """All it needs is there when the engine is made: a fork may come any time."""
        node, console = self.node()
        application = self.application(node.address)
        application.do("before = set(sys.modules)")
        application.do("held.append(engine.connect())")
        console.shows("app", conn=1, ckout=1)
        application.do("import _thread; new = set(sys.modules) - before")
        imported = application.do(
            "sorted(name for name in new if 'sqlite' not in name)"
        )
        self.assertEqual([], imported)

    def test_memory_is_bounded_while_the_node_is_away(self) -> None:
        """A hundred thousand connections made and closed leave no marks behind."""
        application = self.application(f"127.0.0.1:{free_port()}")
        application.do("from sqlalchemy.pool import NullPool")
        application.do(
            f"null = create_engine({self.url('127.0.0.1:1')!r}, poolclass=NullPool)"
        )
        application.do("from connmon.client.agent import HERE")
        application.do(
            "marks = lambda: [len(a.ledger._closed) for a in HERE._agents.values()]"
        )
        application.do("[null.connect().close() for _ in range(3000)]")
        empty = eventually(lambda: max(application.do("marks()")) == 0, WITHIN)
        self.assertTrue(empty, application.do("marks()"))


class AsyncTests(SynchronousTestCase):
    """Asynchronous engines, in both forms."""

    def count(self, url: str) -> None:
        """Three connections out, one given back, all disposed of."""
        with ExitStack() as stack:
            node = stack.enter_context(Node())
            console = stack.enter_context(Console(node))
            url += f"connmon_addr={node.address}&connmon_program=app"
            application = stack.enter_context(
                Application(
                    "import asyncio\n"
                    "from sqlalchemy.ext.asyncio import create_async_engine\n"
                    "from sqlalchemy.pool import AsyncAdaptedQueuePool as Pool\n"
                    "loop = asyncio.new_event_loop()\n"
                    "run = loop.run_until_complete\n"
                    f"engine = create_async_engine({url!r}, poolclass=Pool)\n"
                    "async def take():\n"
                    "    return await engine.connect()\n"
                )
            )
            application.do("held = [run(take()) for _ in range(3)]")
            console.shows("app", conn=3, ckout=3)
            application.do("run(held.pop().close())")
            console.shows("app", conn=3, ckout=2)
            application.do("for each in held: run(each.close())\n")
            application.do("run(engine.dispose()); loop.close()")
            console.shows("app", conn=0, ckout=0)
            status, said = application.leave()
            self.assertEqual(0, status)
            self.assertEqual([], [line for line in said if "connmon" in line])

    def test_aiosqlite(self) -> None:
        """The embedded default, asynchronously."""
        with tempfile.TemporaryDirectory() as directory:
            self.count(f"sqlite+aiosqlite_connmon:///{directory}/x.db?")

    def test_asyncpg(self) -> None:
        """PostgreSQL by asyncpg."""
        url = servers.postgresql().url("asyncpg").replace("asyncpg", "asyncpg_connmon")
        self.count(url + "?")

    def test_aiomysql(self) -> None:
        """MariaDB by aiomysql, by the plugin form."""
        self.count(servers.mariadb().url("aiomysql") + "?plugin=connmon&")
