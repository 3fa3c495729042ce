"""Applications whose nodes have names, and a resolver that hangs with one of them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.whole.fleet import Application, Console, Node, fewest

#: What an application leaves open is its own affair, and told on some Pythons.
DEV = ("-X", "dev", "-W", "error", "-W", "ignore::ResourceWarning")

#: A resolver that does not answer for one name, as where no name server does. It lets
#: other threads go on, as the real one does.
HANGING = """
import _socket, time
asked = []
def getaddrinfo(host, *args, resolver=_socket.getaddrinfo):
    if host == "hangs.example" and not args[-1] & _socket.AI_NUMERICHOST:
        asked.append(host)
        time.sleep(60)
    return resolver(host, *args)
_socket.getaddrinfo = getaddrinfo
"""

SETUP = """
from sqlalchemy import create_engine
from sqlalchemy.pool import QueuePool
engines = [create_engine(url, poolclass=QueuePool) for url in {urls!r}]
held = []
"""

#: A whole program that uses a database, and says when it was about to end.
SCRIPT = """
import sys, time
from sqlalchemy import create_engine
engine = create_engine(sys.argv[1])
engine.connect().close()
{before}
print(time.monotonic(), flush=True)
"""


class HangingTests(SynchronousTestCase):
    """One name hangs; all else goes on."""

    def setUp(self) -> None:
        """A directory, and a node that is seen by a console."""
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)
        self.directory = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.node = self.stack.enter_context(Node())
        self.console = self.stack.enter_context(Console(self.node))

    def url(self, query: str, program: str) -> str:
        """A watched URL."""
        database = f"sqlite+connmon:///{self.directory}/x.db"
        return f"{database}?{query}&connmon_program={program}"

    def application(self, *urls: str) -> Application:
        """An application with an engine for each URL."""
        setup = HANGING + SETUP.format(urls=urls)
        return self.stack.enter_context(Application(setup, None, *DEV))

    def forks(self, application: Application) -> float:
        """Have it fork twenty times; in how many seconds it did."""
        application.do(
            "began = time.monotonic()\n"
            "for _ in range(20):\n"
            "    pid = os.fork()\n"
            "    if pid == 0:\n"
            "        os._exit(0)\n"
            "    os.waitpid(pid, 0)\n"
            "took = time.monotonic() - began\n"
        )
        took: float = application.do("took")
        return took

    def forks_while_it_hangs(self) -> float:
        """Have a new application do so."""
        url = self.url("connmon_addr=hangs.example", "lost")
        with self.application(url) as application:
            application.do("held += [each.connect() for each in engines]")
            application.do("while not asked: time.sleep(0.01)")
            return self.forks(application)

    def test_a_fork_is_not_held_up(self) -> None:
        """Neither the first one nor the others."""
        self.assertLess(fewest(self.forks_while_it_hangs, 2.0), 2.0)

    def test_another_destination_is_not_held_up(self) -> None:
        """Nor is it by forks while it hangs, nor is the end."""
        application = self.application(
            self.url("connmon_addr=hangs.example", "lost"),
            self.url(f"connmon_addr=localhost:{self.node.port}", "app"),
        )
        application.do("held += [each.connect() for each in engines]")
        self.console.shows("app", nproc=1, conn=1, ckout=1)
        self.assertEqual(["hangs.example"], application.do("asked"))
        application.do("held.append(engines[1].connect())")
        self.console.shows("app", nproc=1, conn=2, ckout=2)
        self.forks(application)
        application.do("held.pop().close()")
        self.console.shows("app", nproc=1, conn=2, ckout=1)
        self.assertEqual((0, []), application.leave())

    def test_another_node_of_the_service_is_tried(self) -> None:
        """Though the first one's name is not even known to be bad."""
        config = self.directory / "connmon.cfg"
        config.write_text(
            "[connmon_service_default]\nname: default\nnodes:\n"
            "    a hostname=hangs.example\n"
            f"    b hostname=localhost:{self.node.port}\n"
        )
        urls = [self.url(f"connmon_config={config}", f"app{n}") for n in range(3)]
        application = self.application(*urls)
        application.do("held += [each.connect() for each in engines]")
        for number in range(3):
            self.console.shows(f"app{number}", nproc=1, conn=1, ckout=1)

    def test_the_end_is_bounded(self) -> None:
        """Half a second, however long the resolver hangs."""
        bare = min(self.ended("") for _ in range(2))
        asked = "while not asked: time.sleep(0.01)"
        bound = bare + 0.8
        hanging = partial(self.ended, "connmon_addr=hangs.example", asked)
        self.assertLess(fewest(hanging, bound), bound)

    def ended(self, query: str, before: str = "") -> float:
        """Run a whole program; seconds from its last line to its end."""
        url = self.url(query, "app") if query else f"sqlite:///{self.directory}/x.db"
        done = subprocess.run(
            [sys.executable, *DEV, "-c", HANGING + SCRIPT.format(before=before), url],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        now = time.monotonic()
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        return now - float(done.stdout)
