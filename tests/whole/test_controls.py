"""The controls, on real processes: what ``connmon.status()`` says, whole programs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.whole.fleet import WITHIN, Application, Console, Node
from tests.whole.servers import eventually

SETUP = """
import connmon
from sqlalchemy import create_engine
from sqlalchemy.pool import QueuePool
engine = create_engine({url!r}, poolclass=QueuePool)
held = []
"""


class ControlsTestCase(SynchronousTestCase):
    """A node, a console, and a directory for databases."""

    def setUp(self) -> None:
        """Start them."""
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)
        self.directory = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.node = self.stack.enter_context(Node())
        self.console = self.stack.enter_context(Console(self.node))

    def application(self, query: str = "", **env: str) -> Application:
        """An application whose engine has this query in its URL."""
        setup = SETUP.format(url=f"sqlite:///{self.directory}/x.db{query}")
        return self.stack.enter_context(Application(setup, env))


class StatusTests(ControlsTestCase):
    """What an application that is watched can say of us."""

    def status(self, application: Application, **wanted: Any) -> dict[str, Any]:
        """Wait until its one destination has these figures; the destination."""
        found: dict[str, Any] = {}

        def has_come() -> bool:
            found.update(application.do("connmon.status()['destinations'][0]"))
            return all(found[name] == value for name, value in wanted.items())

        self.assertTrue(eventually(has_come, WITHIN), (wanted, found))
        return found

    def test_the_life_of_a_link(self) -> None:
        """Before it is made, while it holds, while the node is stopped, and after."""
        address = self.node.address
        application = self.application(
            f"?plugin=connmon&connmon_addr={address}&connmon_program=app"
        )
        said = self.status(application, state="idle", engines=1)
        self.assertEqual((None, 0), (said["node"], said["registrations"]))
        application.do("held.append(engine.connect())")
        said = self.status(application, state="linked", reports_acknowledged=2)
        self.assertEqual(("node1", address), (said["node"], said["address"]))
        self.assertEqual((1, 2, 0), self.counts(said))
        self.assertEqual(24, len(said["process"]))
        self.assertTrue(application.do("connmon.status()['thread']"))

        self.node.process.send_signal(signal.SIGSTOP)
        application.do("held.append(engine.connect())")
        said = self.status(application, state="looking", node=None)
        self.assertEqual(3, said["reports_sent"])
        self.assertGreaterEqual(said["failures"], 1)
        self.assertIn(address, said["last_failure"])
        self.assertGreater(said["last_report_age"], 1.0)

        self.node.process.send_signal(signal.SIGCONT)
        said = self.status(application, state="linked", registrations=2)
        self.console.shows("app", nproc=1, conn=2, ckout=2)

    def counts(self, said: dict[str, Any]) -> tuple[int, int, int]:
        """Registrations, reports sent, failures."""
        return said["registrations"], said["reports_sent"], said["failures"]

    def test_a_node_that_is_gone(self) -> None:
        """Why it is not reached is said."""
        application = self.application(
            f"?plugin=connmon&connmon_addr={self.node.address}"
        )
        application.do("held.append(engine.connect())")
        self.status(application, state="linked")
        self.node.end()
        said = self.status(application, state="looking")
        self.assertTrue(said["last_failure"].startswith(self.node.address), said)

    def test_a_node_of_another_service(self) -> None:
        """The refusal is what is said, once for each time."""
        application = self.application(
            f"?plugin=connmon&connmon_addr={self.node.address}&connmon_service=other"
        )
        application.do("held.append(engine.connect())")

        def refused() -> bool:
            said = application.do("connmon.status()['destinations'][0]")
            return "refused" in (said["last_failure"] or "")

        self.assertTrue(eventually(refused, WITHIN))
        self.status(application, state="looking", registrations=0)


class EnvironmentTests(ControlsTestCase):
    """An application that is configured by its environment alone."""

    def test_all_of_it(self) -> None:
        """The URL says no more than that it is watched."""
        application = self.application(
            "?plugin=connmon",
            CONNMON_ADDR=self.node.address,
            CONNMON_PROGRAM="from-environment",
        )
        application.do("held.append(engine.connect())")
        self.console.shows("from-environment", nproc=1, conn=1)

    def test_a_configuration(self) -> None:
        """Named by the environment, with one of its services."""
        path = Path(self.directory) / "some.cfg"
        path.write_text(
            "[connmon_service_x]\nname: default\nnodes:\n"
            f"    node1 hostname={self.node.address}\n"
        )
        application = self.application(
            "?plugin=connmon&connmon_program=app",
            CONNMON_CONFIG=str(path),
            CONNMON_SERVICE="default",
        )
        application.do("held.append(engine.connect())")
        self.console.shows("app", nproc=1, conn=1)


class AttachTests(ControlsTestCase):
    """Programs that do not know of us."""

    def test_an_engine_in_use(self) -> None:
        """From when it is attached to, each connection once it is checked out."""
        application = self.application()
        application.do("held += [engine.connect() for _ in range(2)]")
        application.do(
            f"connmon.attach(engine, addr={self.node.address!r}, program='app')"
        )
        application.do("held.append(engine.connect())")
        self.console.shows("app", nproc=1, conn=1, ckout=1)
        application.do("[held.pop().close() for _ in range(3)]")
        application.do("held += [engine.connect() for _ in range(3)]")
        self.console.shows("app", nproc=1, conn=3, ckout=3)
        self.assertEqual((0, []), application.leave())

    def test_a_whole_program(self) -> None:
        """A parent and its forked child, under the script's name."""
        path = Path(self.directory) / "a-program"
        path.write_text(
            "import os, sys\n"
            "from sqlalchemy import create_engine\n"
            "from sqlalchemy.pool import QueuePool\n"
            f"engine = create_engine('sqlite:///{self.directory}/x.db',\n"
            "                       poolclass=QueuePool)\n"
            "held = [engine.connect() for _ in range(2)]\n"
            "pid = os.fork()\n"
            "if pid == 0:\n"
            "    engine.dispose(close=False)\n"
            "    held = [engine.connect()]\n"
            "    sys.stdin.readline()\n"
            "    os._exit(0)\n"
            "os.waitpid(pid, 0)\n"
            "import connmon, json\n"
            "print(json.dumps(connmon.status()))\n"
        )
        words = ["-W", "ignore::ResourceWarning", "-m", "connmon.attach"]
        words += ["--addr", self.node.address, "--", str(path)]
        running = subprocess.Popen(
            [sys.executable, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(running.kill)
        self.console.shows("a-program", nproc=2, conn=3, ckout=3)
        out, err = running.communicate("\n", WITHIN)
        self.assertEqual((0, ""), (running.returncode, err))
        (said,) = json.loads(out)["destinations"]
        self.assertEqual("linked", said["state"])
        self.console.shows("a-program", nproc=0, maxnproc=2, maxconn=3)
