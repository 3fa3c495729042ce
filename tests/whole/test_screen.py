"""The console's screen in a window, with a real node and a real application."""

from __future__ import annotations

import json
import os
import signal
from contextlib import ExitStack
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.console.fakes import AS_FOUND
from tests.whole.fleet import BIN, Application, Console, Node
from tests.whole.servers import free_port
from tests.whole.window import Window

CONNMON = BIN / "connmon"

#: An application that holds one connection of one engine.
HOLDER = """
from sqlalchemy import create_engine
engine = create_engine("sqlite+pysqlite_connmon:///:memory:?{query}")
held = engine.connect()
"""

#: Gives it a host with a name of somebody's own choice.
ELSEWHERE = """
import os
sysname, _, *rest = os.uname()
os.uname = lambda: os.uname_result((sysname, {host!r}, *rest))
"""


class ScreenTestCase(SynchronousTestCase):
    """A node, an application ``till``, and windows with a console in each."""

    def setUp(self) -> None:
        """Wait until the application is seen."""
        self.place = Path(self.mktemp()).resolve()
        self.place.mkdir()
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)
        self.node = self.stack.enter_context(Node())
        self.run_program("till")

    def run_program(self, name: str, before: str = "") -> Application:
        """Run an application of that name, and wait until it is seen."""
        query = f"connmon_program={name}&connmon_addr={self.node.address}"
        code = before + HOLDER.format(query=query)
        application = self.stack.enter_context(Application(code))
        with Console(self.node) as console:
            console.shows(name, ckout=1)
        return application

    def window(self, *options: str, **env: str) -> Window:
        """A window with a console at the node."""
        return self.start("-H", self.node.address, "-d", "0.3", *options, **env)

    def start(self, *options: str, **env: str) -> Window:
        """A window with a console."""
        home = {"XDG_CONFIG_HOME": str(self.place), **env}
        return self.stack.enter_context(Window([CONNMON, *options], home))

    def leaves(self, window: Window, status: int = 0) -> None:
        """Wait for the end; the terminal is as it was found."""
        self.assertEqual(status, window.ended())
        self.assertEqual(window.found, window.modes())

    def quit(self, window: Window) -> None:
        """Press ``q``, and see that it ends well."""
        window.type(b"q")
        self.leaves(window)


class ViewTests(ScreenTestCase):
    """What is shown."""

    def test_where_a_holder_is(self) -> None:
        """``s`` asks the process, and again; ``Esc`` leads back to the connection."""
        window = self.window("--view", "checkouts")
        window.shows("till", "MainThread")
        for _ in range(2):
            window.type(b"s")
            window.shows("STACK", "till[", "checked out at", "call last:", "<module>")
        window.type(b"\x1b")
        window.until(lambda: "STACK" not in window.text)
        window.shows("till", "MainThread")
        self.quit(window)

    def test_drilling_down(self) -> None:
        """From the program to its process, its pool, its connection, and back."""
        window = self.window()
        window.shows("till", "LIVE")
        window.type(b"\r")
        window.shows("PID", "programs", "1-1 of 1")
        window.type(b"\r")
        window.shows("DATABASE", "sqlite", "1-1 of 1")
        window.type(b"\r")
        window.shows("STATE", "MainThread")
        window.type(b"\x1b[D\x1b[D\x1b[D")
        window.shows("PROGRAM", "till")
        self.quit(window)

    def test_every_view(self) -> None:
        """Each by its key; Tab leads through all of them."""
        window = self.window()
        window.shows("till", "LIVE")
        headings = {
            "2": "PROGRAMS NPROC",
            "3": "OUT FOR",
            "4": "ADDRESS",
            "5": "EVENT",
            "6": "PID",
            "7": "DATABASE",
            "8": "SESSION",
            "9": "HELD BY",
            "1": "NPROC",
        }
        for key, heading in headings.items():
            window.type(key.encode())
            window.shows(heading, "LIVE")
        for heading in headings.values():
            window.type(b"\t")
            window.shows(heading)
        self.quit(window)

    def test_resized(self) -> None:
        """The screen follows the window, down to next to nothing and back."""
        window = self.window()
        window.shows("till")
        for width, height in ((160, 40), (40, 10), (100, 24)):
            window.resize(width, height)
            window.until(lambda: window.emulator.rows()[-1].endswith("1-1 of 1"))
            window.shows("till")
        window.resize(1, 1)
        window.resize(100, 24)
        window.shows("till", "1-1 of 1")
        self.quit(window)

    def test_a_hostile_name(self) -> None:
        """It sets no title, moves no cursor, and clears nothing."""
        self.run_program("bank", ELSEWHERE.format(host="\x1b]0;x\x07\x1b[2J"))
        window = self.window()
        window.shows("till", "bank", "?]0;x??[2J")
        window.type(b"2")
        window.shows("PROGRAMS", "?]0;x??[2J")
        self.assertEqual("", window.emulator.screen.title)
        self.assertNotIn(b"\x1b]0;", window.output)
        self.quit(window)
        window = self.window("-b", "-N1")
        window.says("?]0;x??[2J")
        self.assertEqual(0, window.ended())
        self.assertNotIn(b"\x1b", window.output)

    def test_no_screen_wanted(self) -> None:
        """Where the terminal can do nothing, one frame is written as text."""
        window = self.window(TERM="dumb")
        window.says("till")
        self.assertEqual(0, window.ended())
        self.assertNotIn(b"\x1b", window.output)

    def test_colours(self) -> None:
        """None with NO_COLOR; ``--color`` knows better."""
        for options, env, coloured in (
            ((), {}, True),
            ((), {"NO_COLOR": "1"}, False),
            (("--color", "always"), {"NO_COLOR": "1"}, True),
            (("--color", "never"), {}, False),
        ):
            window = self.window(*options, **env)
            window.shows("till", "LIVE")
            self.assertEqual(coloured, b"38;5;" in window.output, (options, env))
            self.quit(window)


class EndTests(ScreenTestCase):
    """The window is given back, whatever happens."""

    def test_terminated(self) -> None:
        """SIGTERM and SIGHUP end it with the status of a shell."""
        for number, status in ((signal.SIGTERM, 143), (signal.SIGHUP, 129)):
            window = self.window()
            window.shows("till")
            window.process.send_signal(number)
            self.leaves(window, status)

    def test_no_daemon(self) -> None:
        """The screen is left, and one line tells what was tried."""
        address = f"127.0.0.1:{free_port()}"
        window = self.start("-H", address)
        self.leaves(window, 1)
        said = f"no daemon reached, tried {address} (connection refused)"
        self.assertIn(f"connmon: {said}", window.text)

    def test_suspended(self) -> None:
        """^Z gives the window to the shell, fg takes it again; a job can be killed."""
        window = self.stack.enter_context(
            Window(
                ["bash", "--norc", "--noprofile", "-i"],
                {"PS1": "$ ", "HISTFILE": "", "XDG_CONFIG_HOME": str(self.place)},
            )
        )
        window.type(f"{CONNMON} -H {self.node.address} -d 0.3\n".encode())
        for _ in range(2):
            window.shows("till", "LIVE")
            window.type(b"\x1a")
            window.says("Stopped")
            # For paste mode the shell has its own liking.
            window.until(lambda: window.emulator.modes() - {2004} == AS_FOUND)
            window.type(b"clear; fg\n")
        window.shows("till", "LIVE")
        os.kill(window.foreground(), signal.SIGTERM)
        window.until(lambda: window.emulator.modes() - {2004} == AS_FOUND)
        window.type(b"echo status $?\n")
        window.says("status 143")
        window.type(b"exit\n")
        window.until(lambda: window.process.poll() is not None)


class LinkTests(ScreenTestCase):
    """The node goes, and comes."""

    def test_the_only_node(self) -> None:
        """From whom, why, and what next; then it goes on where it was."""
        window = self.window()
        window.shows("till", "LIVE")
        window.type(b"6")
        window.shows("PID", "1-1 of 1")
        self.node.process.kill()
        window.shows("DISCONNECTED", f"from {self.node.address}", "trying it again")
        window.shows("STALE", "till")
        window.type(b"L")
        # Its kernel says it otherwise where it left unread what the console had sent.
        window.shows_any(
            f"lost {self.node.address} (it closed the link)",
            f"lost {self.node.address} (the link broke)",
        )
        window.type(b"x")
        self.stack.enter_context(Node(self.node.port))
        window.shows("LIVE", "PID", "till")
        self.assertNotIn("DISCONNECTED", window.text)
        self.quit(window)

    def test_another_node(self) -> None:
        """It is taken at once, and shows the same."""
        ports = (free_port(), free_port())
        config = self.place / "connmon.cfg"
        nodes = "".join(
            f"    node{number} hostname=127.0.0.1:{port} bind=127.0.0.1\n"
            for number, port in enumerate(ports, 1)
        )
        config.write_text(f"[connmon_service_x]\nname: default\nnodes:\n{nodes}")
        running = {
            name: self.stack.enter_context(ConfiguredNode(config, name))
            for name in ("node1", "node2")
        }
        window = self.start("-c", str(config), "-d", "0.3")
        window.shows("cluster 2/2 up", "LIVE")
        window.type(b"4")
        window.shows("node2", "LIVE")
        first = "node1" if "default@node1" in window.text else "node2"
        other = {"node1": "node2", "node2": "node1"}[first]
        running[first].process.kill()
        window.shows(f"default@{other}", "LIVE", "cluster 1/2 up")
        self.quit(window)


class ConfiguredNode(Node):
    """A node of a config."""

    def __init__(self, config: Path, name: str) -> None:
        """Start it, and wait until it listens."""
        super(Node, self).__init__([BIN / "connmond", "-c", config, "-n", name])
        self.err.until(lambda line: "listens on" in line)


class FileTests(ScreenTestCase):
    """What is kept, saved, recorded and replayed."""

    def test_kept(self) -> None:
        """View, order and columns are those of the next start."""
        window = self.window()
        window.shows("till", "LIVE")
        window.type(b"2c")
        window.shows("PROGRAMS")
        window.type(b"W")
        file = self.place / "connmon" / "console.json"
        window.shows(f"choices kept in {file}"[:80])
        self.quit(window)
        self.assertEqual("hosts", json.loads(file.read_text())["view"])
        window = self.start("-H", self.node.address)
        window.shows("PROGRAMS NPROC", "LIVE", "0.3s ")
        self.quit(window)
        window = self.window("--view", "nodes")
        window.shows("ADDRESS", "LIVE")
        self.quit(window)

    def test_kept_content_of_no_use(self) -> None:
        """It is told, and ignored."""
        file = self.place / "connmon" / "console.json"
        file.parent.mkdir()
        for content, words in (
            ("{", "expected JSON"),
            ('{"view": "all"}', "view: expected one of"),
        ):
            file.write_text(content)
            window = self.window()
            window.shows("till", "LIVE", f"{file}"[:60])
            window.type(b"L")
            window.resize(250, 24)
            window.shows("LOG", words)
            window.type(b"x")
            self.quit(window)
            self.assertEqual(content, file.read_text())

    def test_saved(self) -> None:
        """The screen is in the file as it was seen."""
        window = self.window()
        window.shows("till", "LIVE")
        file = self.place / "screen.txt"
        window.type(b"S\x15" + bytes(file) + b"\r")
        window.shows("saved to ")
        self.quit(window)
        saved = file.read_text().splitlines()
        self.assertEqual(24, len(saved))
        self.assertTrue(
            saved[0].startswith(f"connmon default@node1 {self.node.address}")
        )
        self.assertIn("till", saved[5])

    def test_recorded(self) -> None:
        """What the screen saw, and all else that the node told, can be replayed."""
        file = str(self.place / "some.rec")
        window = self.window("--record", file)
        window.shows("till", "LIVE")
        self.run_program("bank")
        window.shows("bank", "till", "LIVE")
        self.quit(window)
        window = self.start("--replay", file, "--speed", "0.1")
        window.shows("REPLAY", "picture 1 of ")
        window.type(b" G,.")
        window.shows("paused")
        window.type(b"J-0s\r")
        window.shows("bank", "till")
        window.type(b"3")
        window.shows("OUT FOR", "MainThread", "bank")
        self.quit(window)
