"""Tests of ``connmon.status()``, and of the history it tells."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import threading
from typing import Any

from sqlalchemy import create_engine
from twisted.trial.unittest import SynchronousTestCase

import connmon
from connmon.client import status
from connmon.client.agent import HERE
from connmon.client.history import History
from tests.client.test_plugin import NOWHERE, EnginesTestCase

KEYS = {
    "service",
    "program",
    "addresses",
    "engines",
    "process",
    "state",
    "seconds",
    "node",
    "address",
    "registrations",
    "reports_sent",
    "reports_acknowledged",
    "last_report_age",
    "failures",
    "last_failure",
    "incidents_dropped",
    "pools",
}


class HistoryTests(SynchronousTestCase):
    """What an uplink has done."""

    def setUp(self) -> None:
        """An uplink that begins at 10 seconds."""
        self.history = History("token", 10.0)

    def told(self, now: float) -> dict[str, Any]:
        """What ``status`` makes of it."""
        return status._course(self.history, now)

    def test_the_course_of_a_link(self) -> None:
        """From the first call to the loss of the link."""
        self.history.met()
        self.history.welcomed("node1")
        told = self.told(11.5)
        self.assertEqual(("looking", 1.5), (told["state"], told["seconds"]))
        self.assertEqual((None, None), (told["node"], told["address"]))
        self.history.registered("h:1", 12.0)
        self.history.reported()
        told = self.told(13.0)
        self.assertEqual(("linked", 1.0), (told["state"], told["seconds"]))
        self.assertEqual(("node1", "h:1"), (told["node"], told["address"]))
        self.assertEqual((1, 0), (told["reports_sent"], told["reports_acknowledged"]))
        self.assertIsNone(told["last_report_age"])
        self.history.answered(13.5)
        told = self.told(15.0)
        self.assertEqual((1, 1.5), (told["registrations"], told["last_report_age"]))
        self.assertEqual((0, None), (told["failures"], told["last_failure"]))
        self.history.lost("h:1: lost", 16.0)
        told = self.told(16.25)
        self.assertEqual(("looking", 0.25), (told["state"], told["seconds"]))
        self.assertEqual((1, "h:1: lost"), (told["failures"], told["last_failure"]))
        self.assertIsNone(told["node"])

    def test_a_loss_that_was_explained_is_one_failure(self) -> None:
        """The explanation is better than what the link says at its end."""
        self.history.failed("a: refused")
        self.history.met()
        self.history.failed("b: not a node")
        self.history.lost("b: connection aborted", 11.0)
        told = self.told(12.0)
        self.assertEqual((2, "b: not a node"), (told["failures"], told["last_failure"]))

    def test_looking_is_counted_from_its_beginning(self) -> None:
        """Attempts that fail do not begin it anew."""
        self.history.met()
        self.history.lost("a: closed", 11.0)
        self.assertEqual(5.0, self.told(15.0)["seconds"])

    def test_the_end_is_no_failure(self) -> None:
        """A link is closed in order when its process ends."""
        self.history.registered("h:1", 11.0)
        self.history.lost("", 12.0)
        self.assertEqual(0, self.told(12.0)["failures"])

    def test_a_clock_that_is_read_late(self) -> None:
        """Another thread wrote after the clock was read: no age is negative."""
        self.history.registered("h:1", 11.0)
        self.assertEqual(0.0, self.told(10.0)["seconds"])

    def test_a_failure_of_a_stranger_s_making(self) -> None:
        """Its text is not endless."""
        self.history.failed(10_000 * "x")
        self.assertEqual(1024, len(self.told(10.0)["last_failure"]))


class StatusTests(EnginesTestCase):
    """What it says of this process."""

    def destination(self, program: str) -> dict[str, Any]:
        """The destination of that program."""
        found: list[dict[str, Any]] = connmon.status()["destinations"]
        (one,) = (each for each in found if each["program"] == program)
        return one

    def test_a_process_that_has_nothing_of_ours(self) -> None:
        """It says so without importing anything that would matter."""
        script = (
            "import sys, json, connmon\n"
            "print(json.dumps(connmon.status()))\n"
            "names = ('sqlalchemy', 'twisted', 'crochet', 'threading', 'logging')\n"
            "assert not [n for n in names if n in sys.modules]\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=False
        )
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        said = json.loads(done.stdout)
        self.assertIsInstance(said.pop("pid"), int)
        expected: dict[str, object] = {
            "enabled": True,
            "reason": None,
            "thread": False,
            "events_failed": 0,
            "destinations": [],
        }
        self.assertEqual(expected, said)

    def test_an_engine_that_was_not_used(self) -> None:
        """It is watched, and nothing was started for it."""
        url = f"sqlite+connmon://?connmon_addr={NOWHERE}&connmon_program=unused"
        engine = create_engine(url)
        said = self.destination("unused")
        self.assertEqual(KEYS, set(said))
        self.assertEqual(("idle", None), (said["state"], said["process"]))
        self.assertEqual(([NOWHERE], 1), (said["addresses"], said["engines"]))
        self.assertIsNone(said["service"])
        more = [create_engine(url) for _ in range(3)]
        self.assertEqual(4, self.destination("unused")["engines"])
        del engine, more
        gc.collect()
        self.assertEqual(0, self.destination("unused")["engines"])

    def test_it_is_plain(self) -> None:
        """JSON can say all of it, and every destination has the same keys."""
        said = connmon.status()
        self.assertEqual(said, json.loads(json.dumps(said)))
        for each in said["destinations"]:
            self.assertEqual(KEYS, set(each))

    def test_disabled(self) -> None:
        """It says why."""
        os.environ["CONNMON_DISABLE"] = "yes"
        said = connmon.status()
        self.assertEqual(
            (False, "CONNMON_DISABLE=yes"), (said["enabled"], said["reason"])
        )

    def test_given_up(self) -> None:
        """Likewise, where reporting was found to be impossible."""
        self.patch(HERE, "given_up", "cannot report: RuntimeError: no threads")
        said = connmon.status()
        self.assertFalse(said["enabled"])
        self.assertIn("no threads", said["reason"])

    def test_in_the_middle_of_an_import(self) -> None:
        """Another thread is importing the client: there is nothing to say yet."""
        agent = sys.modules["connmon.client.agent"]
        self.addCleanup(setattr, agent, "HERE", HERE)
        del agent.HERE
        self.assertEqual([], connmon.status()["destinations"])

    def test_engines_come_and_go_meanwhile(self) -> None:
        """In other threads; nobody waits, nobody fails."""
        url = f"sqlite+connmon://?connmon_addr={NOWHERE}&connmon_program=busy"
        stop, failed = threading.Event(), []

        def churn() -> None:
            try:
                # Not for ever: PyPy keeps them all for a while, and all are told.
                for _ in range(300):
                    if not stop.is_set():
                        create_engine(url)
            except Exception as error:  # noqa: BLE001  told in the main thread
                failed.append(error)

        threads = [threading.Thread(target=churn) for _ in range(3)]
        for each in threads:
            each.start()
        try:
            for _ in range(300):
                connmon.status()
        finally:
            stop.set()
            for each in threads:
                each.join()
        self.assertEqual([], failed)

    def test_in_a_forked_child(self) -> None:
        """What the parent did is not the child's."""
        url = f"sqlite+connmon://?connmon_addr={NOWHERE}&connmon_program=parent"
        script = (
            "import connmon, json, os, time\n"
            "from sqlalchemy import create_engine\n"
            f"engine = create_engine({url!r})\n"
            "engine.connect().close()\n"
            "assert connmon.status()['destinations'][0]['process']\n"
            "pid = os.fork()\n"
            "if pid == 0:\n"
            "    said = connmon.status()\n"
            "    (one,) = said['destinations']\n"
            "    print(said['pid'] == os.getpid(), said['thread'], flush=True)\n"
            "    print(one['state'], one['engines'], one['process'], flush=True)\n"
            "    os._exit(0)\n"
            "assert os.waitpid(pid, 0)[1] == 0\n"
            # It stood aside for the fork, and takes a moment to be back.
            "end = time.monotonic() + 20\n"
            "while not connmon.status()['thread']:\n"
            "    assert time.monotonic() < end\n"
            "engine.dispose()\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=False
        )
        said = "True False\nidle 1 None\n"
        self.assertEqual((0, said, ""), (done.returncode, done.stdout, done.stderr))
