"""What the reporting thread does not do, watched from its beginning to its end."""

from __future__ import annotations

import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.whole.fleet import Application, Console, Node
from tests.whole.servers import free_port

SETUP = """
import atexit, _thread
from sqlalchemy import create_engine
from sqlalchemy.pool import QueuePool
main, imported = _thread.get_ident(), []

def heard(event, arguments):
    # Of every import of a module that is not there yet, in the thread that asks.
    if event == "import" and _thread.get_ident() != main:
        imported.append(arguments[0])

sys.addaudithook(heard)
# Before our own, so that it is called after it.
atexit.register(lambda: open(os.environ["TOLD"], "w").write(repr(imported)))
engine = create_engine({url!r}, poolclass=QueuePool)
held = []
"""

DEV = ("-X", "dev", "-W", "error", "-W", "ignore::ResourceWarning")


class ImportTests(SynchronousTestCase):
    """The thread imports nothing: a fork in the middle would poison the child."""

    def live(self, host: str) -> None:
        """No node, a node, that node lost, another in its place, the end."""
        port = free_port()
        with ExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            url = (
                f"sqlite:///{directory}/x.db?plugin=connmon&connmon_program=app"
                f"&connmon_addr={host}:{port}"
            )
            told = directory / "told"
            application = stack.enter_context(
                Application(SETUP.format(url=url), {"TOLD": str(told)}, *DEV)
            )
            application.do("held.append(engine.connect())")
            with Node(port) as node, Console(node) as console:
                console.shows("app", conn=1, ckout=1)
                application.do("held.append(engine.connect())")
                console.shows("app", conn=2, ckout=2)
            with Node(port) as node, Console(node) as console:
                application.do("held.pop().close()")
                console.shows("app", conn=2, ckout=1)
                self.assertEqual([], application.do("imported"))
                self.assertEqual((0, []), application.leave())
            self.assertEqual("[]", told.read_text())

    def test_by_number(self) -> None:
        """A numeric address."""
        self.live("127.0.0.1")

    def test_by_the_local_name(self) -> None:
        """The one name that is never looked up."""
        self.live("localhost")

    def test_by_another_name(self) -> None:
        """A name that the resolver is asked for, in a thread of its own."""
        name = socket.gethostname()
        try:
            found = socket.getaddrinfo(name, None, socket.AF_INET)
        except OSError:
            found = []
        if not any(str(each[4][0]).startswith("127.") for each in found):
            raise SkipTest("this machine's name does not lead to itself alone")
        self.live(name)
