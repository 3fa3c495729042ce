"""Whatever of ours fails, the application works on as if we were not there.

Each test breaks one part inside a real application, runs the same load as an
application without connmon, and compares what the two printed. What is broken must be
said once, on the logger ``connmon``, and counted.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from twisted.trial.unittest import SynchronousTestCase

from tests.whole.fleet import Node, ran

#: What the application does, and prints: every way a connection can begin and end.
LOAD = """
import gc, json, logging, sys, threading, time, warnings
warnings.simplefilter("ignore", ResourceWarning)
from sqlalchemy import create_engine, event, exc, text
from sqlalchemy.pool import QueuePool
{fault}
options = dict(
    poolclass=QueuePool, pool_size=2, max_overflow=1, pool_timeout=0.05,
    connect_args=dict(check_same_thread=False),
)
engine = create_engine({url!r}, **options)
seen = []
def use():
    with engine.begin() as connection:
        connection.execute(text("create table if not exists t (x integer)"))
        connection.execute(text("insert into t values (1)"))
    with engine.connect() as connection:
        seen.append(connection.execute(text("select count(*) from t")).scalar())
use()
held = [engine.connect() for _ in range(3)]
try:
    engine.connect()
except exc.TimeoutError as error:
    seen.append(type(error).__name__)
seen.append(engine.pool.checkedout())
held.pop().invalidate()
raw = engine.raw_connection()
raw.invalidate(soft=True)
raw.close()
held.pop().detach()
gc.collect()
[each.close() for each in held]
engine.raw_connection().detach()
engine.raw_connection()
gc.collect()
out = engine.connect()
engine.dispose()
out.close()
use()
engine.dispose(close=False)
use()
threads = [threading.Thread(target=lambda: [use() for _ in range(20)]) for _ in "12"]
[each.start() for each in threads]
[each.join() for each in threads]
seen.append(engine.pool.checkedout())
bad = create_engine({bad!r}, **options)
try:
    bad.connect()
except exc.OperationalError as error:
    seen.append(str(error.orig))
del bad
gc.collect()
print(json.dumps([seen[:4], max(seen[4:-2]), seen[-2:]]))
"""

#: Break a method of ours: it raises from now on.
BREAK = """
from {module} import {name} as broken
def fault(*args, **kwargs):
    raise RuntimeError("a fault of ours")
setattr(broken, {attribute!r}, fault)
"""

#: Have the operating system refuse something.
NATIVE = """
from dataclasses import replace
from connmon.client import native
find = native.find
def fault(*args, **kwargs):
    raise RuntimeError("a fault of ours")
native.find = lambda: replace(find(), {lacking}=fault)
import connmon.client.agent
"""

#: How many failures the process counts, of whatever kind.
COUNT = """
import connmon
status = connmon.status()
counted = status["events_failed"] + bool(status["reason"]) + sum(
    each["failures"] for each in status["destinations"]
)
sys.stdout.write(json.dumps(counted) + "\\n")
"""

#: Wait until the reporting thread has met its fault.
MET = """
until = time.monotonic() + 60
while time.monotonic() < until and not any(
    each["last_failure"] and "fault" in each["last_failure"]
    for each in __import__("connmon").status()["destinations"]
):
    time.sleep(0.01)
"""


class FaultTests(SynchronousTestCase):
    """One part broken at a time, in an application of its own."""

    def setUp(self) -> None:
        """A node to report to."""
        self.node = Node()
        self.addCleanup(self.node.end)

    @contextmanager
    def urls(self) -> Iterator[tuple[str, str]]:
        """The URL of a database, and of one that cannot be opened."""
        with tempfile.TemporaryDirectory() as directory:
            yield f"{directory}/x.db", f"{directory}/none/x.db"

    def program(self, path: str, bad: str, ours: str = "", fault: str = "") -> str:
        """The load; ``ours`` is added to both URLs."""
        return LOAD.format(
            url=f"sqlite:///{path}{ours}", bad=f"sqlite:///{bad}{ours}", fault=fault
        )

    def check(self, fault: str, after: str = "", *, counts: bool = True) -> str:
        """The application prints what it would without us; what it complained of."""
        with self.urls() as (path, bad):
            plain = ran(sys.executable, "-c", self.program(path, bad))
        self.assertEqual((0, ""), (plain.returncode, plain.stderr))
        ours = f"?plugin=connmon&connmon_addr={self.node.address}"
        with self.urls() as (path, bad):
            program = self.program(path, bad, ours, fault)
            done = ran(sys.executable, "-c", program + after + COUNT)
        printed, _, counted = done.stdout.rstrip("\n").rpartition("\n")
        self.assertEqual((0, plain.stdout), (done.returncode, printed + "\n"))
        if counts:
            self.assertGreater(json.loads(counted), 0)
        return done.stderr

    def breaks(self, module: str, name: str, attribute: str) -> None:
        """A broken part is said once, and counted."""
        fault = BREAK.format(module=module, name=name, attribute=attribute)
        complaint = self.check(fault)
        self.assertRegex(
            complaint,
            r"\Aconnmon: a pool event could not be noted: .*fault of ours.*\n\Z",
        )

    def test_nothing_broken(self) -> None:
        """The load itself is the same with us and without."""
        self.assertEqual("", self.check("", counts=False))

    def test_a_checkout(self) -> None:
        """The mark of a checkout."""
        self.breaks("connmon.model.connection", "Connection", "taken")

    def test_a_checkin(self) -> None:
        """The mark of a check-in."""
        self.breaks("connmon.model.connection", "Connection", "returned")

    def test_a_new_connection(self) -> None:
        """The entry of a new connection."""
        self.breaks("connmon.model.ledger", "Ledger", "enter")

    def test_its_record(self) -> None:
        """What stands for a new connection."""
        self.breaks("connmon.model.ledger", "Ledger", "connection")

    def test_a_creation(self) -> None:
        """How long a connection took to make."""
        self.breaks("connmon.model.pool", "Pool", "created")

    def test_a_failed_connect(self) -> None:
        """A connection that could not be made."""
        self.breaks("connmon.model.pool", "Pool", "refused")

    def test_a_closing(self) -> None:
        """The end of a connection, in its pool or detached."""
        self.breaks("connmon.model.ledger", "Ledger", "closed")

    def test_an_invalidation(self) -> None:
        """Both kinds."""
        self.breaks("connmon.model.ledger", "Ledger", "invalidated")

    def test_a_detachment(self) -> None:
        """A connection that leaves its pool."""
        self.breaks("connmon.model.ledger", "Ledger", "detached")

    def test_the_next_pool(self) -> None:
        """Following a pool after ``dispose()``."""
        self.breaks("connmon.client.listeners", "Watch", "let_go")

    def test_a_retirement(self) -> None:
        """The end of an engine."""
        self.breaks("connmon.model.ledger", "Ledger", "retired")

    def test_a_mark(self) -> None:
        """Waking the reporting thread."""
        self.breaks("connmon.model.ledger", "Ledger", "stir")

    def test_commits_and_rollbacks(self) -> None:
        """Where they are counted."""
        fault = BREAK.format(
            module="connmon.model.pool", name="Pool", attribute="committed"
        ) + BREAK.format(
            module="connmon.model.pool", name="Pool", attribute="rolled_back"
        )
        self.assertIn(
            "fault of ours",
            self.check(
                fault + "import os; os.environ['CONNMON_TRANSACTIONS'] = 'on'\n"
            ),
        )

    def test_a_dropped_connection(self) -> None:
        """What the collector tells is lost in silence: there is nobody to tell."""
        fault = BREAK.format(
            module="connmon.model.ledger", name="Ledger", attribute="dropped"
        )
        self.assertIn(self.check(fault, counts=False).count("\n"), (0, 1))

    def test_the_codec(self) -> None:
        """A report that cannot be written."""
        fault = BREAK.format(
            module="connmon.client", name="link", attribute="encode_report"
        )
        complaint = self.check(fault, MET)
        self.assertRegex(complaint, r"\Aconnmon: .*RuntimeError: a fault of ours\n\Z")

    def test_the_books(self) -> None:
        """A report that cannot be made."""
        fault = BREAK.format(
            module="connmon.model.ledger", name="Ledger", attribute="whole"
        )
        complaint = self.check(fault, MET)
        self.assertRegex(complaint, r"\Aconnmon: .*RuntimeError: a fault of ours\n\Z")

    def test_the_socket(self) -> None:
        """No socket is to be had."""
        fault = NATIVE.format(lacking="socket")
        complaint = self.check(fault, MET)
        self.assertRegex(complaint, r"\Aconnmon: .*a fault of ours.*\n\Z")

    def test_the_thread(self) -> None:
        """No thread is to be had."""
        fault = NATIVE.format(lacking="start_new_thread")
        complaint = self.check(fault)
        self.assertRegex(
            complaint, r"\Aconnmon cannot report from this process: .*fault of ours\n\Z"
        )

    def test_the_config_reader(self) -> None:
        """Reading the configuration fails in a way that nobody thought of."""
        fault = BREAK.format(
            module="connmon.client", name="options", attribute="choose"
        )
        complaint = self.check(fault, counts=False)
        self.assertRegex(
            complaint, r"\Aconnmon: engines are not watched: .*fault of ours.*\n\Z"
        )

    def test_twisted(self) -> None:
        """Twisted is not there, or broken."""
        complaint = self.check("sys.modules['twisted'] = None\n", counts=False)
        self.assertRegex(
            complaint, r"\Aconnmon: engines are not watched: .*twisted.*\n\Z"
        )
