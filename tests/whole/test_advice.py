"""Advice about real programs: each rule has a program that does what it is about."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connmon.console.advice import Advice
from tests.whole.fleet import BIN, WITHIN, Application, Node, ran
from tests.whole.servers import eventually, mariadb

#: Makes engines of one program, each for a database of its own.
SHOP = """
import os
if {host!r}:
    real = list(os.uname())
    real[1] = {host!r}
    os.uname = lambda: os.uname_result(real)
from sqlalchemy import create_engine, pool
from sqlalchemy.exc import TimeoutError
def engine(name, poolclass=pool.QueuePool, **options):
    return create_engine(
        f"sqlite+pysqlite_connmon:///{place}/{{name}}.db?connmon_addr={addr}"
        "&connmon_program=shop",
        poolclass=poolclass,
        connect_args={{"check_same_thread": False}},
        **options,
    )
def use(engine, times):
    for _ in range(times):
        engine.connect().close()
def use_at_once(engine, many):
    held = [engine.connect() for _ in range(many)]
    for each in held:
        each.close()
"""


class AdviceTests(SynchronousTestCase):
    """``connmon advice``, of a node with programs."""

    def setUp(self) -> None:
        """Start a node; what is entered on the stack is left after the test."""
        self.place = Path(self.mktemp()).resolve()
        self.place.mkdir()
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)
        self.node = self.stack.enter_context(Node())

    def shop(self, host: str = "") -> Application:
        """A process of the program, perhaps on a host of that name."""
        setup = SHOP.format(place=self.place, addr=self.node.address, host=host)
        return self.stack.enter_context(Application(setup))

    def advice(self, *arguments: str) -> list[dict[str, Any]]:
        """The findings."""
        command = BIN / "connmon", "advice", "-H", self.node.address
        done = ran(*command, *arguments, "--json")
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        return [json.loads(line) for line in done.stdout.splitlines()]

    def until(
        self, rule: str, evidence: str = "", within: float = WITHIN
    ) -> dict[str, Any]:
        """The one finding of a rule, once there is one with such evidence."""
        found: list[dict[str, Any]] = []

        def there_is() -> bool:
            found[:] = [
                each
                for each in self.advice()
                if each["rule"] == rule and evidence in each["evidence"]
            ]
            return bool(found)

        self.assertTrue(eventually(there_is, within), f"no {rule}: {self.advice()}")
        (finding,) = found
        self.assertEqual("shop", finding["progname"])
        return finding

    def test_nothing(self) -> None:
        """That is said, with status 0; so it is of a program that there is not."""
        shop = self.shop()
        shop.do("fine = engine('fine', pool_size=2, max_overflow=0)")
        shop.do("use_at_once(fine, 2)")
        shop.do("use(fine, 30)")
        for arguments in ((), ("shop",), ("nobody",)):
            done = ran(BIN / "connmon", "advice", "-H", self.node.address, *arguments)
            self.assertEqual(
                (0, f"{Advice.nothing}\n", ""),
                (done.returncode, done.stdout, done.stderr),
            )

    def test_too_small(self) -> None:
        """Two have the two connections that there are, and a third waits in vain."""
        shop = self.shop()
        shop.do("small = engine('small', pool_size=1, max_overflow=1, pool_timeout=.1)")
        shop.do("use(small, 30)")
        shop.do(
            "def third():\n"
            "    try: small.connect()\n"
            "    except TimeoutError: pass\n"
            "held = [small.connect(), small.connect()]\n"
            "other = threading.Thread(target=third)\n"
            "other.start()\n"
            "other.join()\n"
            "for each in held: each.close()\n"
        )
        said = self.until("pool-too-small")
        self.assertEqual(
            "the pool is too small: 2 places, and 3 were wanted at once",
            said["finding"],
        )
        self.assertEqual("set pool_size=3 (it is 1; max_overflow=1)", said["advice"])
        self.assertIn("1 timed out", said["evidence"])
        self.assertEqual([], self.advice("other"))
        # The thread that holds them is told to have two as well.
        self.assertIn(said, self.advice("shop"))

    def test_all_time_out(self) -> None:
        """One has the only connection for good, and twenty others wait in vain."""
        shop = self.shop()
        shop.do("only = engine('only', pool_size=1, max_overflow=0, pool_timeout=.01)")
        shop.do(
            "def other():\n"
            "    for _ in range(20):\n"
            "        try: only.connect()\n"
            "        except TimeoutError: pass\n"
            "held = only.connect()\n"
            "others = threading.Thread(target=other)\n"
            "others.start()\n"
            "others.join()\n"
        )
        self.until(
            "pool-too-small", "20 of 21 attempted checkouts waited and 20 timed out"
        )

    def test_a_second_checkout(self) -> None:
        """A thread waits for a connection while it has the only one."""
        shop = self.shop()
        shop.do("only = engine('only', pool_size=1, max_overflow=0, pool_timeout=.1)")
        shop.do("use(only, 30)")
        shop.do(
            "with only.connect():\n"
            "    try: only.connect()\n"
            "    except TimeoutError: pass\n"
        )
        said = self.until("nested-checkout")
        self.assertEqual("crit", said["severity"])
        self.assertIn("MainThread in ", said["evidence"])
        self.assertIn("of 1 place with one of its own out", said["evidence"])
        self.assertEqual([said["rule"]], [each["rule"] for each in self.advice()])

    def test_two_at_once(self) -> None:
        """A thread has two connections out, though nobody waits."""
        shop = self.shop()
        shop.do("roomy = engine('roomy', pool_size=5)")
        shop.do("with roomy.connect(), roomy.connect(): threading.Event().wait(3)")
        said = self.until("nested-checkout")
        self.assertEqual("warn", said["severity"])
        self.assertIn("MainThread in ", said["evidence"])
        self.assertIn("had two out at once", said["evidence"])

    def test_unbounded(self) -> None:
        """Four connections at once, and nothing to keep it from opening more."""
        shop = self.shop()
        shop.do("endless = engine('endless', pool_size=2, max_overflow=-1)")
        shop.do("use_at_once(endless, 4)")
        said = self.until("unbounded-overflow", "4 were out at once at most")
        self.assertIn("set max_overflow=3", said["advice"])

    def test_overflow_churn(self) -> None:
        """Four at once, again and again, of which a pool keeps one."""
        shop = self.shop()
        shop.do("tight = engine('tight', pool_size=1, max_overflow=5)")
        shop.do("for _ in range(20): use_at_once(tight, 4)")
        # Reports may be told in the middle of it.
        closed = "60 of 61 connections opened were closed"
        said = self.until("overflow-churn", closed)
        self.assertEqual(
            "set pool_size=4, max_overflow=2, so that they are kept", said["advice"]
        )

    def test_engines(self) -> None:
        """A function makes an engine each time it is called.

        What it made once for each of many databases does not count.
        """
        shop = self.shop()
        shop.do("shards = [engine(f'shard{number}') for number in range(15)]")
        shop.do("for each in shards: use(each, 1)")
        shop.do("def request(): use(engine('request'), 1)")
        shop.do("for _ in range(12): request()")
        said = self.until("engine-per-request", "12 engines in ")
        self.assertTrue(said["site"].endswith(" engine"), said["site"])

    def test_inherited(self) -> None:
        """A child uses a connection that its parent opened before the fork."""
        shop = self.shop()
        shop.do("shared = engine('shared', pool_size=2)")
        shop.do("use_at_once(shared, 2)")
        shop.do(
            "child = os.fork()\n"
            "if not child:\n"
            "    use(shared, 1)\n"
            "    time.sleep(60)\n"
            "    os._exit(0)\n"
        )
        try:
            said = self.until("inherited-connection")
        finally:
            shop.do("os.kill(child, 9)")
            shop.do("os.waitpid(child, 0)")
        self.assertEqual("crit", said["severity"])
        self.assertIn(f"pid {shop.do('child')}", said["evidence"])

    def test_stale(self) -> None:
        """A server ends sessions that have been idle for two seconds."""
        url = mariadb().url("pymysql")
        shop = self.shop()
        shop.do(
            f"stale = create_engine({url!r}, pool_pre_ping=True, plugins=['connmon'],"
            f"connmon_addr={self.node.address!r}, connmon_program='shop',"
            "connect_args={'init_command': 'SET SESSION wait_timeout=2'})"
        )
        for _ in range(4):
            shop.do("use(stale, 1)")
            shop.do("time.sleep(3)")
        said = self.until("stale-after-idle")
        self.assertIn("3 connections were found broken before use", said["evidence"])
        self.assertEqual("set pool_recycle=2 (it is off)", said["advice"])

    def test_idle_in_transaction(self) -> None:
        """A transaction is begun, and then nothing is executed in it."""
        shop = self.shop()
        shop.do("from sqlalchemy import text")
        shop.do("held = engine('idle', pool_size=1, max_overflow=0).connect()")
        shop.do("held.execute(text('select 1')).all()")
        self.assertEqual([], self.advice())
        said = self.until("idle-in-transaction", within=90.0)
        self.assertIn("1 connection; the longest is MainThread in ", said["evidence"])
        self.assertIn(" and idle for 3", said["evidence"])

    def test_settings_differ(self) -> None:
        """Two hosts have two pool sizes."""
        for host, size in (("ctl1", 2), ("ctl2", 3)):
            shop = self.shop(host)
            shop.do(f"pool_ = engine('nova', pool_size={size})")
            shop.do("use_at_once(pool_, 2)")
        said = self.until("settings-differ")
        self.assertEqual(["ctl1", "ctl2"], said["hostnames"])
        self.assertEqual(
            "QueuePool 2+10, timeout 30s on ctl1; QueuePool 3+10, timeout 30s on ctl2",
            said["evidence"],
        )

    def test_what_takes_a_while(self) -> None:
        """A pool that is too large, and connections opened without end."""
        shop = self.shop()
        shop.do("null = engine('null', pool.NullPool)")
        shop.do("large = engine('large', pool_size=20)")
        began = time.monotonic()
        shop.do("use(null, 400)")
        shop.do("use_at_once(large, 2)")
        shop.do("use(large, 150)")
        churn = self.until("nullpool-churn")
        self.assertTrue(time.monotonic() - began > 9.0, "it was too early to say")
        self.assertIn("400 connections opened in ", churn["evidence"])
        self.assertIn("pool_size=2 in place of NullPool", churn["advice"])
        self.assertEqual([churn["rule"]], [each["rule"] for each in self.advice()])
        said = self.until("pool-too-large", within=90.0)
        self.assertTrue(time.monotonic() - began > 59.0, "it was too early to say")
        self.assertTrue(said["advice"].startswith("set pool_size=3:"), said["advice"])
        self.assertIn("152 checkouts", said["evidence"])
