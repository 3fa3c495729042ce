"""A connection that one process opened and its child uses: noticed, and once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.client.test_plugin import NOWHERE

SCRIPT = """
import json, os, warnings
from sqlalchemy import create_engine
from sqlalchemy.pool import QueuePool
import connmon
from connmon.client.agent import HERE
HERE.wake = lambda agent: True  # no reporting thread: this one keeps the books

def told():
    (agent,) = HERE.agents
    report = agent.ledger.whole(1, 0.0, 0.0)
    return [[*each[3:4], *each[5:8]] for each in report.notices], report.counters

def in_child(work):
    pid = os.fork()
    if pid == 0:
        try:
            print(json.dumps(work()), flush=True)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
"""


def ran(work: str) -> list[Any]:
    """What a program said, line by line, that does this."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", SCRIPT + work],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    if done.returncode or done.stderr:
        raise AssertionError(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


URL = f"sqlite+connmon:///file:x?mode=memory&uri=true&connmon_addr={NOWHERE}"


class InheritedTests(SynchronousTestCase):
    """The notice that a connection was inherited."""

    def test_used_in_the_child(self) -> None:
        """It says whose line took it, and is made once for each connection."""
        work = f"""
engine = create_engine({URL!r}, poolclass=QueuePool)
held = [engine.connect(), engine.connect()]
for each in held: each.close()
def use():
    held = [engine.connect(), engine.connect(), engine.connect()]
    for each in held: each.close()
    engine.connect().close()
    return told()
in_child(use)
print(json.dumps(told()))
"""
        (notices, counters), (of_parent, _) = ran(work)
        for kind, seconds, owner, site in notices:
            self.assertEqual(("inherited", 0.0), (kind, seconds))
            self.assertEqual("MainThread", owner)
            self.assertRegex(site, r"<string>:\d+ use")
        self.assertEqual(2, len(notices))
        self.assertEqual([4, 4, 3], counters[:3])
        self.assertEqual([], of_parent)

    def test_what_is_no_sharing(self) -> None:
        """A pool that the child disposed of, one of its own, one attached late."""
        work = f"""
# The child leaves the parent's open, and Python 3.13 says so.
warnings.filterwarnings("ignore", "unclosed database")
engine = create_engine({URL!r}, poolclass=QueuePool)
engine.connect().close()
late = create_engine("sqlite://", poolclass=QueuePool)
late.connect().close()
def use():
    engine.dispose(close=False)
    engine.connect().close()
    connmon.attach(late, addr={NOWHERE!r})
    late.connect().close()
    engine.dispose()
    return told()[0]
in_child(use)
print(json.dumps(use()))
"""
        self.assertEqual([[], []], ran(work))

    def test_without_a_trace(self) -> None:
        """``off`` is no line, ``slow`` is one, for it happens seldom."""
        for trace, said in (("off", False), ("slow", True)):
            url = f"{URL}&connmon_trace={trace}"
            work = f"""
engine = create_engine({url!r}, poolclass=QueuePool)
engine.connect().close()
def use():
    engine.connect().close()
    return told()[0]
in_child(use)
"""
            (((*_, site),),) = ran(work)
            self.assertEqual(said, site.endswith(" use"), (trace, site))
