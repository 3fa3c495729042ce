"""A node at a UNIX socket beside its TCP port, for real applications and consoles."""

from __future__ import annotations

import os
import signal
import socket
import stat
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from twisted.trial.unittest import SynchronousTestCase

from tests.whole.fleet import BIN, Application, Console, Node, Running, ran
from tests.whole.servers import free_port

if TYPE_CHECKING:
    from typing_extensions import Self

SETUP = """
from sqlalchemy import create_engine
from sqlalchemy.pool import QueuePool
engine = create_engine({url!r}, poolclass=QueuePool)
held = []
"""

CONFIG = """\
[connmon_service_default]
name: default

nodes:
    node1 hostname={unix} bind=127.0.0.1:{port} bind={unix}
"""

#: What an application leaves open is its own affair, and told on some Pythons.
DEV = ("-X", "dev", "-W", "error", "-W", "ignore::ResourceWarning")


class BothNode(Node):
    """A node that listens on a TCP port and a UNIX socket, as its config says."""

    def __init__(self, config: Path, unix: str) -> None:
        """Start it, and wait until it listens on both."""
        self.unix = unix
        Running.__init__(self, [BIN / "connmond", "-c", config])
        for _ in range(2):
            self.err.until(lambda line: "listens on" in line)

    @property
    def address(self) -> str:
        """Its UNIX socket."""
        return self.unix


class UnixTests(SynchronousTestCase):
    """One directory with a socket and a config, and whoever uses them."""

    def setUp(self) -> None:
        """A directory with a short name, since paths of sockets may not be long."""
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)
        directory = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.directory = Path(directory)
        self.path = self.directory / "connmon.sock"
        self.port = free_port()
        self.config = self.directory / "connmon.cfg"
        self.config.write_text(CONFIG.format(unix=self.unix, port=self.port))

    @property
    def unix(self) -> str:
        """The socket's address."""
        return f"unix:{self.path}"

    def node(self) -> BothNode:
        """A node that listens."""
        return self.stack.enter_context(BothNode(self.config, self.unix))

    def console(self, node: Node) -> Console:
        """A console at the node's UNIX socket."""
        return self.stack.enter_context(Console(node))

    def application(self, query: str, program: str) -> Application:
        """A watched application."""
        url = f"sqlite+connmon:///{self.directory}/x.db?{query}"
        setup = SETUP.format(url=f"{url}&connmon_program={program}")
        return self.stack.enter_context(Application(setup, None, *DEV))

    def test_a_fleet_of_both_kinds(self) -> None:
        """By socket, by port and by config; a fork; and a node killed and replaced."""
        node = self.node()
        console = self.console(node)
        by_unix = self.application(f"connmon_addr={self.unix}", "by_unix")
        by_port = self.application(f"connmon_addr=127.0.0.1:{self.port}", "by_port")
        by_file = self.application(f"connmon_config={self.config}", "by_file")
        for each in (by_unix, by_port, by_file):
            each.do("held += [engine.connect() for _ in range(2)]")
        for program in ("by_unix", "by_port", "by_file"):
            console.shows(program, nproc=1, conn=2, ckout=2)

        by_unix.do("wait, go = os.pipe()")
        by_unix.do(
            "pid = os.fork()\n"
            "if pid == 0:\n"
            "    os.close(go)\n"
            "    engine.dispose(close=False)\n"
            "    mine = engine.connect()\n"
            "    os.read(wait, 1)\n"
            "    os._exit(0)\n"
        )
        console.shows("by_unix", nproc=2, conn=3, ckout=3)
        by_unix.do("held.pop().close()")
        console.shows("by_unix", nproc=2, conn=3, ckout=2)
        by_unix.do("os.close(go)")
        self.assertEqual(0, by_unix.do("os.waitpid(pid, 0)[1]"))
        console.shows("by_unix", nproc=1, conn=2, ckout=1)
        joined = [line for line in node.err.rest_so_far() if " by_unix[" in line]
        self.assertEqual(2, sum(" joined " in line for line in joined), joined)
        self.assertIn(f"a UNIX socket, pid {by_unix.pid}, uid", joined[0])

        node.process.kill()
        node.wait()
        self.assertTrue(self.path.is_socket())
        by_unix.do("held.pop().close()")
        console = self.console(self.node())
        console.shows("by_unix", nproc=1, conn=2, ckout=0)
        console.shows("by_port", nproc=1, conn=2, ckout=2)
        for each in (by_unix, by_port, by_file):
            self.assertEqual((0, []), each.leave())
        console.shows("by_unix", nproc=0, connected=False)

    def test_as_a_url_has_it(self) -> None:
        """Percent-encoded, or with the three slashes of a URL."""
        console = self.console(self.node())
        for number, address in enumerate((quote(self.unix, ""), f"unix://{self.path}")):
            application = self.application(f"connmon_addr={address}", f"app{number}")
            application.do("held.append(engine.connect())")
            console.shows(f"app{number}", nproc=1, ckout=1)

    def test_the_file_comes_and_goes_with_the_node(self) -> None:
        """Everyone may connect to it; after a clean stop it is gone."""
        for number in (signal.SIGTERM, signal.SIGINT):
            node = self.node()
            self.assertEqual(0o666, stat.S_IMODE(self.path.stat().st_mode))
            node.process.send_signal(number)
            node.wait()
            self.assertFalse(self.path.exists())
            said = "\n".join(node.err.rest())
            self.assertNotIn("Traceback", said)

    def test_a_node_that_cannot_listen_says_why(self) -> None:
        """In one line that names the address, with a status, and nothing is left."""
        self.node()
        other = self.directory / "other.sock"
        missing = self.directory / "no" / "c.sock"
        for address, reason in (
            (f"unix:{self.path}", "Address already in use"),
            (f"unix:{self.config}", "a file is there, expected a socket or nothing"),
            (f"unix:{missing}", f"no directory {missing.parent}"),
        ):
            done = ran(BIN / "connmond", "-H", f"unix:{other}", "-H", address)
            expected = f"connmon: cannot listen on {address}: {reason}\n"
            self.assertEqual((1, "", expected), (done.returncode, "", done.stderr))
            self.assertFalse(other.exists())

    def test_a_console_at_no_node_says_why(self) -> None:
        """What the system says of the socket."""
        for path, reason in (
            (self.path, "no such file or directory"),
            (self.config, "connection refused"),
        ):
            done = ran(BIN / "connmon", "-H", f"unix:{path}")
            self.assertEqual(
                (1, "", f"connmon: no daemon reached, tried unix:{path} ({reason})\n"),
                (done.returncode, done.stdout, done.stderr),
            )

    def test_who_is_another_than_it_says_is_noted(self) -> None:
        """Linked through a relay, a process seems to be the relay; it is shown."""
        node = self.node()
        console = self.console(node)
        relay = self.stack.enter_context(Relay(self.directory / "r.sock", self.path))
        through = self.application(f"connmon_addr=unix:{relay.path}", "through")
        through.do("held.append(engine.connect())")
        console.shows("through", nproc=1, ckout=1)
        note = node.err.until(lambda line: "by the credentials" in line)
        self.assertIn(f"through[{through.pid}] is process {os.getpid()}, by the", note)
        straight = self.application(f"connmon_addr={self.unix}", "straight")
        straight.do("held.append(engine.connect())")
        console.shows("straight", nproc=1, ckout=1)
        notes = [line for line in node.err.rest_so_far() if "credentials" in line]
        self.assertEqual([note], notes)


class Relay:
    """Passes one link on, from a socket of its own to another."""

    def __init__(self, path: Path, there: Path) -> None:
        """Listen at ``path``."""
        self.path = path
        self._there = str(there)
        self._ear = socket.socket(socket.AF_UNIX)
        self._ear.bind(str(path))
        self._ear.listen()
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        """Begin."""
        self._run(self._accept)
        return self

    def __exit__(self, *why: object) -> None:
        """End, with the link."""
        for each in (self._ear, *self._ends):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        for thread in self._threads:
            thread.join()
        for each in (self._ear, *self._ends):
            each.close()

    def _run(self, work: Callable[..., None], *args: socket.socket) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        try:
            near, _ = self._ear.accept()
        except OSError:
            return
        far = socket.socket(socket.AF_UNIX)
        far.connect(self._there)
        self._ends += [near, far]
        self._run(_pass_on, near, far)
        self._run(_pass_on, far, near)


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    """Copy until either end is closed."""
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
