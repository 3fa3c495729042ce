"""``connmon check`` as a monitoring system runs it, and the states it tells of."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.whole.fleet import BIN, WITHIN, Application, Console, Node, Running, ran
from tests.whole.servers import free_port

CONNMON = BIN / "connmon"

#: A program with a pool of two places, on a database that may not be there.
SETUP = """
from sqlalchemy import create_engine, exc
from sqlalchemy.pool import QueuePool
engine = create_engine(
    "sqlite+connmon:///{path}?connmon_addr={address}&connmon_program={program}",
    poolclass=QueuePool, pool_size=1, max_overflow=1, pool_timeout={timeout},
)
held = []
def take():
    held.append(engine.connect())
def wait():
    thread = threading.Thread(target=take)
    thread.start()
    return thread
def fail():
    try:
        engine.connect()
    except exc.OperationalError:
        pass
def time_out():
    try:
        engine.connect()
    except exc.TimeoutError:
        pass
"""


class CheckTests(SynchronousTestCase):
    """A node, and programs that do well or do not."""

    def setUp(self) -> None:
        """Start the node."""
        stack = ExitStack()
        self.addCleanup(stack.close)
        self.stack = stack
        self.place = stack.enter_context(tempfile.TemporaryDirectory())
        self.node = stack.enter_context(Node())

    def start(
        self, program: str, path: str = "x.db", timeout: float = 60
    ) -> Application:
        """A program of that name."""
        setup = SETUP.format(
            path=f"{self.place}/{path}",
            address=self.node.address,
            program=program,
            timeout=timeout,
        )
        return self.stack.enter_context(Application(setup))

    def console(self) -> Console:
        """Somebody who looks on."""
        return self.stack.enter_context(Console(self.node))

    def check(self, *options: str) -> tuple[int, str]:
        """The exit status and the line, which is all that is said."""
        done = ran(CONNMON, "check", "-H", self.node.address, *options)
        self.assertEqual("", done.stderr)
        self.assertEqual(1, done.stdout.count("\n"), done.stdout)
        return done.returncode, done.stdout.rstrip("\n")

    def before_stuck(self, shop: Application, *options: str) -> int:
        """The exit status while somebody waits, but is not stuck yet.

        On a busy machine that may be over before the command looks: then there is
        another who waits, and another command.
        """
        for _ in range(20):
            shop.do("held.pop().close(); waiter.join(); waiter = wait()")
            status, line = self.check(*options)
            if " STUCK: " not in line:
                break
        return status

    def test_one_after_the_other(self) -> None:
        """Nothing known, well, full, full with somebody who waits, and well again."""
        said = "CONNMON UNKNOWN - no program is known"
        self.assertEqual((3, said), self.check())
        shop, console = self.start("shop"), self.console()
        shop.do("take()")
        console.shows("shop", ckout=1, state="OK")
        status, line = self.check()
        self.assertEqual(0, status, line)
        said = "CONNMON OK - 1 program, 1 process, 1 connection out | 'pool_used'=50%;8"
        self.assertTrue(line.startswith(said), line)

        shop.do("take()")
        console.shows("shop", ckout=2, state="BUSY", alert="warn")
        status, line = self.check()
        self.assertEqual(1, status, line)
        self.assertRegex(
            line, r"^CONNMON WARNING - \S+ shop BUSY: pool full \| 'pool_used'=100%;80;"
        )

        shop.do("waiter = wait()")
        console.shows("shop", waiting=1, alert="crit")
        status, line = self.check()
        self.assertEqual(2, status, line)
        self.assertRegex(
            line,
            r"^CONNMON CRITICAL - \S+ shop \w+: 1 waiting, pool full \| .* "
            r"'waiting'=1;;0;0 ",
        )
        self.assertEqual(1, self.before_stuck(shop, "--critical-waiting", "2"))
        options = ("--critical-waiting=9", "--warning-used=none")
        self.assertEqual(0, self.before_stuck(shop, *options))
        self.assertEqual(3, self.check("--filter", "progname=till")[0])
        # Nothing comes back: a while later it is stuck.
        console.shows("shop", waiting=1, state="STUCK")
        self.assertRegex(self.check()[1], r"^CONNMON CRITICAL - \S+ shop STUCK: 1 wait")

        shop.do("held.pop().close(); waiter.join(); held.pop().close()")
        console.shows("shop", waiting=0, ckout=1, state="OK")
        self.assertEqual(0, self.check()[0])

    def test_a_timeout(self) -> None:
        """It is critical for a minute, though all is given back."""
        shop, console = self.start("shop", timeout=0.1), self.console()
        shop.do("take(); take(); time_out(); [held.pop().close() for _ in range(2)]")
        console.shows("shop", ckout=0, state="STUCK", alert="crit")
        status, line = self.check()
        self.assertEqual(2, status, line)
        self.assertIn(" shop STUCK: 1 timeout in the last minute | ", line)
        self.assertIn(" 'timeouts'=1;;0;0 ", line)

    def test_no_database(self) -> None:
        """A program whose database is not there, and then is."""
        shop, console = self.start("shop", "later/x.db"), self.console()
        shop.do("fail()")
        console.shows("shop", state="UNREACHABLE", alert="crit", connect_failures=1)
        status, line = self.check()
        self.assertEqual(2, status, line)
        self.assertRegex(line, r" shop UNREACHABLE: connecting failed \d+s ago \| ")
        (Path(self.place) / "later").mkdir()
        shop.do("take()")
        console.shows("shop", state="OK", alert="ok")
        self.assertEqual(0, self.check()[0])

    def test_no_answer(self) -> None:
        """No node, one that says nothing, and an option that there is not."""
        done = ran(CONNMON, "check", "-H", f"127.0.0.1:{free_port()}")
        self.assertEqual((3, ""), (done.returncode, done.stderr))
        self.assertTrue(
            done.stdout.startswith("CONNMON UNKNOWN - no daemon reached, tried "), done
        )
        silent = self.stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        there = f"127.0.0.1:{silent.getsockname()[1]}"
        done = ran(CONNMON, "check", "-H", there, "--timeout", "0.5")
        self.assertEqual(
            (3, "CONNMON UNKNOWN - no answer within 0.5 seconds\n", ""),
            (done.returncode, done.stdout, done.stderr),
        )
        status, line = self.check("--bogus")
        self.assertEqual(
            (3, "CONNMON UNKNOWN - unrecognized arguments: --bogus"), (status, line)
        )

    def test_killed(self) -> None:
        """A monitoring system that loses its patience still gets a line."""
        silent = self.stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        there = f"127.0.0.1:{silent.getsockname()[1]}"
        asking = Running([CONNMON, "check", "-H", there])
        self.stack.enter_context(asking)
        silent.settimeout(WITHIN)
        self.stack.enter_context(silent.accept()[0])
        asking.process.send_signal(signal.SIGTERM)
        self.assertEqual(3, asking.wait())
        self.assertEqual(["CONNMON UNKNOWN - interrupted"], asking.out.rest())
        self.assertEqual([], asking.err.rest())

    def test_nobody_reads(self) -> None:
        """An output that cannot be written is unknown, too."""
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [str(CONNMON), "check", "-H", self.node.address],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                timeout=WITHIN,
                check=False,
                env={**os.environ, "PYTHONPATH": ""},
            )
        self.assertEqual(3, done.returncode)
        self.assertIn("connmon check: cannot write: No space left", done.stderr)
