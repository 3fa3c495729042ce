"""Tests of the node's options, how its parts are joined, and its start and end."""

from __future__ import annotations

import gc
import io
import shutil
import socket
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService
from twisted.internet import reactor as global_reactor
from twisted.internet.address import IPv4Address
from twisted.internet.testing import MemoryReactorClock
from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from connmon import __version__, config
from connmon.daemon import main, tap
from connmon.daemon.listening import bind
from connmon.daemon.mesh import TICK_SECONDS
from connmon.errors import ConfigError
from connmon.wire import commands
from tests.daemon.fakes import NodeTestCase, Talk
from twisted.plugins import connmon_plugin

CONFIG = """\
[connmon_service_one]
name: one
nodes:
    a hostname=127.0.0.1:1 bind=127.0.0.1:1
odd: 1

[connmon_service_two]
name: two
nodes:
    a hostname=127.0.0.1:5800
    b hostname=127.0.0.2:5800 bind=127.0.0.1:5801
"""


class Port:
    """A listening port of a reactor that accepts nothing."""

    def __init__(self, family: int, factory: Any, place: tuple[str, int]) -> None:
        """Remember what would be accepted, where and how."""
        self.family = family
        self.factory = factory
        self.place = place
        self.listens = True

    def getHost(self) -> IPv4Address:
        """Where it listens."""
        return IPv4Address("TCP", *self.place)

    def stopListening(self) -> None:
        """Listen no more."""
        self.listens = False


class PortReactor(MemoryReactorClock):
    """A reactor that takes over sockets, and can tell where they were bound."""

    def __init__(self) -> None:
        """No socket yet."""
        super().__init__()
        self.ports: list[Port] = []

    def adoptStreamPort(self, fileno: int, addressFamily: int, factory: Any) -> Any:
        """Take over a socket, as a copy that is closed again."""
        with socket.fromfd(fileno, addressFamily, socket.SOCK_STREAM) as adopted:
            place = adopted.getsockname()[:2]
        self.ports.append(Port(addressFamily, factory, place))
        return self.ports[-1]


class WithFiles(NodeTestCase):
    """Options on the command line, and a config in a file."""

    def setUp(self) -> None:
        """A config with two services, and a reactor."""
        super().setUp()
        self.path = self.mktemp()
        Path(self.path).write_text(CONFIG, encoding="utf-8")
        self.reactor = PortReactor()

    def directory(self) -> Path:
        """A directory with a short name, since paths of sockets may not be long."""
        made = Path(tempfile.mkdtemp())
        self.addCleanup(_remove, made)
        return made

    def options(self, *argv: str) -> tap.Options:
        """The options of a command line."""
        options = tap.Options()
        options.parseOptions(list(argv))
        return options

    def make(self, *argv: str) -> MultiService:
        """A node made of a command line with the config; stopped at the end."""
        service = tap.make_node(
            self.options("--config", self.path, *argv), self.reactor
        )
        listening: Any = service.services[0]
        self.addCleanup(listening.stopService)
        return service

    def complaint(self, *argv: str) -> str:
        """The one line that says why there is no node."""
        return str(self.assertRaises(ConfigError, self.make, *argv))


def _remove(path: Path) -> None:
    """Remove a directory, whatever has become of it."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


class OptionsTests(WithFiles):
    """What can be said on the command line."""

    def test_defaults(self) -> None:
        """The default service, its only node, and where a config is looked for."""
        self.assertEqual(
            {"config": None, "service": "default", "node": None, "host": []},
            dict(self.options()),
        )

    def test_long_and_short(self) -> None:
        """Each option has both forms."""
        given = {"config": "f", "service": "s", "node": "n", "host": "h:1"}
        for names in (
            ("--config", "--service", "--node", "--host"),
            ("-c", "-s", "-n", "-H"),
        ):
            argv = [
                word
                for pair in zip(names, given.values(), strict=True)
                for word in pair
            ]
            self.assertEqual({**given, "host": ["h:1"]}, dict(self.options(*argv)))

    def test_several_addresses(self) -> None:
        """Each is listened on, in their order."""
        options = self.options("-H", "unix:/a", "--host", "h", "--host=unix:/b")
        self.assertEqual(["unix:/a", "h", "unix:/b"], options["host"])

    def test_bad_options(self) -> None:
        """Unknown ones, missing values and stray words are errors."""
        for argv in (["--nope", "x"], ["--node"], ["node1"]):
            self.assertRaises(usage.UsageError, self.options, *argv)

    def test_version(self) -> None:
        """It is connmon's own, not Twisted's."""
        with redirect_stdout(io.StringIO()) as out:
            self.assertRaises(SystemExit, self.options, "--version")
        self.assertEqual(f"connmon {__version__}\n", out.getvalue())

    def test_the_plugin_names_this_module(self) -> None:
        """``twistd connmon`` finds both names it needs."""
        maker: Any = connmon_plugin.connmon
        self.assertEqual("connmon", maker.tapname)
        self.assertIs(tap.Options, maker.options)
        self.assertIs(tap.makeService, maker.makeService)


class MakingTests(WithFiles):
    """Which node is made, or why none is."""

    def setUp(self) -> None:
        """A node has its process to itself; the tests have not."""
        super().setUp()
        self.addCleanup(gc.set_threshold, *gc.get_threshold())

    def test_an_unknown_service_lists_the_services(self) -> None:
        """What there is instead is said at once."""
        self.assertEqual(
            f"{self.path}: no service 'three', expected one of: one, two",
            self.complaint("-s", "three"),
        )

    def test_an_unknown_node_lists_the_nodes(self) -> None:
        """Of the service that was asked for."""
        self.assertEqual(
            "service 'two' has no node 'c', expected one of: a, b",
            self.complaint("-s", "two", "-n", "c"),
        )

    def test_several_nodes_need_a_choice(self) -> None:
        """Only a service with one node goes without."""
        self.assertEqual(
            "service 'two' has several nodes, choose one with --node: a, b",
            self.complaint("-s", "two"),
        )

    def test_a_bad_host_names_the_mistake(self) -> None:
        """The option is checked like an address of the config."""
        self.assertEqual(
            "--host: bad port 'x' in 'a:x', "
            "expected HOST[:PORT] with a port from 0 to 65535",
            self.complaint("-s", "one", "-H", "a:x"),
        )

    def test_a_missing_file(self) -> None:
        """A config that was asked for must be there."""
        options = self.options("-c", "/nonexistent/connmon.cfg")
        error = self.assertRaises(ConfigError, tap.make_node, options, self.reactor)
        self.assertIn("/nonexistent/connmon.cfg", str(error))

    def test_a_port_in_use_is_one_line_and_a_status(self) -> None:
        """So it is for twistd, which would show a traceback of anything else."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            where = f"127.0.0.1:{taken.getsockname()[1]}"
            options = self.options("-c", self.path, "-s", "one", "-H", where)
            seconds = global_reactor.seconds
            self.patch(global_reactor, "seconds", seconds)
            ended = self.assertRaises(SystemExit, tap.makeService, options)
        self.assertEqual(
            f"connmon: cannot listen on {where}: Address already in use", ended.code
        )

    def test_the_reactor_goes_by_the_monotonic_clock(self) -> None:
        """An adjustment of the wall clock must not end every link at once."""
        seconds = global_reactor.seconds
        self.patch(global_reactor, "seconds", seconds)
        options = self.options("-c", self.path, "-s", "one", "-H", "127.0.0.1:0")
        service = tap.makeService(options)
        self.assertIs(
            time.monotonic,
            global_reactor.seconds,
        )
        listening: Any = service.services[0]
        listening.stopService()

    def test_full_collections_are_rare(self) -> None:
        """Each stops the node for as long as it takes to look at a whole fleet."""
        options = self.options("-c", self.path, "-s", "one", "-H", "127.0.0.1:0")
        self.patch(global_reactor, "seconds", global_reactor.seconds)
        service = tap.makeService(options)
        self.assertEqual(tap.COLLECTOR, gc.get_threshold())
        listening: Any = service.services[0]
        listening.stopService()


class RunningTests(WithFiles):
    """A node's start and end."""

    def started(self, *argv: str) -> MultiService:
        """A node that runs."""
        service = self.make(*argv)
        service.startService()
        self.addCleanup(service.stopService)
        return service

    def test_it_listens_where_it_is_told(self) -> None:
        """``--host`` instead of the node's bind; a free port is named in the log."""
        self.started("-s", "two", "-n", "b", "-H", "127.0.0.1:0")
        (port,) = self.reactor.ports
        where = config.Address(*port.place)
        warning = (
            'line 5: unknown key "odd", expected name, nodes, stale_after, '
            "databases or connmon_stacks"
        )
        self.assertEqual(
            [f"{self.path}: [connmon_service_one] {warning}"], self.logged()
        )
        self.reactor.run()
        self.assertEqual(
            [f"node b of service two listens on {where}, connmon {__version__}"],
            self.logged(),
        )

    def test_it_is_shown_where_it_listens(self) -> None:
        """If that was said, and no other node goes by the configured address."""
        for argv, shown in (
            (["-s", "one"], "127.0.0.1:1"),
            (["-s", "one", "-H", "0.0.0.0:0"], "127.0.0.1:1"),
            (["-s", "two", "-n", "b", "-H", "127.0.0.1:0"], "127.0.0.2:5800"),
            (["-s", "one", "-H", "127.0.0.1:0"], None),
        ):
            listening: Any = self.started(*argv).services[0]
            where = config.Address(*self.reactor.ports[-1].place)
            name = "b" if "b" in argv else "a"
            (row,) = (
                each for each in listening._node.mesh.nodes() if each.node == name
            )
            self.assertEqual(shown or str(where), row.address)

    def test_it_listens_on_each_bind(self) -> None:
        """A TCP port and a UNIX socket, by the config; both are named, and both end."""
        place = self.directory()
        Path(self.path).write_text(
            "[connmon_service_one]\nname: one\nnodes:\n    a hostname=h "
            f"bind=unix:{place}/a.sock bind=unix:{place}/b.sock\n",
            encoding="utf-8",
        )
        service = self.started("-s", "one")
        self.reactor.run()
        self.assertEqual(
            [
                f"node a of service one listens on unix:{place}/{name}.sock, "
                f"connmon {__version__}"
                for name in "ab"
            ],
            self.logged(),
        )
        self.assertEqual(2, len(self.reactor.getReaders()))
        service.stopService()
        self.reactor.advance(0)
        self.assertEqual([], self.reactor.getReaders())
        self.assertEqual([], list(place.iterdir()))

    def test_a_file_that_cannot_be_removed_is_told(self) -> None:
        """And all else ends as it should."""
        place = self.directory()
        service = self.started(
            "-s", "one", "-H", f"unix:{place}/a.sock", "-H", "127.0.0.1:0"
        )
        self.logged()
        # A directory of that name, now, where even root finds none to look into.
        (place / "a.sock").unlink()
        place.rmdir()
        place.write_text("")
        service.stopService()
        self.assertEqual(
            [
                "node a stops",
                f"cannot remove unix:{place}/a.sock: Not a directory",
            ],
            self.logged(),
        )
        self.assertFalse(self.reactor.ports[0].listens)
        self.reactor.advance(0)

    def test_links_reach_the_board(self) -> None:
        """Factory, board and feeds are of one node."""
        self.started("-s", "one", "-H", "127.0.0.1:0")
        factory = self.reactor.ports[0].factory
        talk = Talk(factory.node, self.reactor, "10.0.0.1", 5555)
        answer = talk.hello(commands.CONSOLE, service="one")
        self.assertEqual(("one", "a"), (answer["service"], answer["node"]))
        self.assertEqual(16, len(answer["incarnation"]))
        talk.subscribe()
        (look,) = talk.caller.looks
        self.assertEqual(("one", "a"), (look.service, look.node))
        talk.hang_up()

    def test_each_start_is_another_incarnation(self) -> None:
        """Even of the same node."""
        tokens = set()
        for _ in range(2):
            self.started("-s", "one", "-H", "127.0.0.1:0")
            tokens.add(self.reactor.ports[-1].factory.node.incarnation)
        self.assertEqual(2, len(tokens))

    def test_its_end(self) -> None:
        """It listens no more, hangs up on everyone, and leaves nothing ticking."""
        service = self.started("-s", "one", "-H", "127.0.0.1:0")
        port = self.reactor.ports[0]
        talk = Talk(port.factory.node, self.reactor, "10.0.0.1", 5555)
        talk.hello(service="one")
        talk.register()
        self.logged()
        service.stopService()
        talk.pump.flush()
        self.assertFalse(port.listens)
        self.assertFalse(talk.is_open)
        self.assertEqual(
            ["node a stops", "client ctl1 nova-api[42] left: the node stops"],
            self.logged(),
        )
        self.assertEqual([], self.reactor.getDelayedCalls())

    def test_a_node_that_is_stopped_unstarted_gives_its_port_back(self) -> None:
        """Its sockets were bound before it was to start."""
        listeners = bind(config.Address("127.0.0.1", 0))
        tap.Listening(self.reactor, self.node, listeners).stopService()
        self.assertEqual([-1], [each.socket.fileno() for each in listeners])

    def test_the_board_is_swept(self) -> None:
        """Every 5 seconds; a sweep that fails is logged and does not end the others."""
        service = self.started("-s", "one", "-H", "127.0.0.1:0")
        board = self.reactor.ports[0].factory.node.board
        swept: list[float] = []

        def sweep(now: float) -> list[Any]:
            swept.append(now)
            if len(swept) == 1:
                raise ZeroDivisionError("oh")
            return []

        self.patch(board, "expired", sweep)
        self.reactor.pump([TICK_SECONDS] * 16)
        self.assertEqual([5.0, 10.0, 15.0], swept)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))
        service.stopService()


class ForegroundTests(SynchronousTestCase):
    """``connmond``, as far as it goes without a reactor that runs."""

    def test_a_bad_option_is_status_2(self) -> None:
        """With one line that names the command."""
        with redirect_stderr(io.StringIO()) as err:
            self.assertEqual(2, main.main(["--nope"], "connmond"))
        self.assertEqual(1, err.getvalue().count("\n"))
        self.assertTrue(err.getvalue().startswith("connmond: "), err.getvalue())

    def test_a_bad_config_is_one_line(self) -> None:
        """The interpreter prints it, and its status is 1."""
        ended = self.assertRaises(
            SystemExit, main.main, ["-c", "/nonexistent/connmon.cfg"], "connmond"
        )
        self.assertTrue(str(ended.code).startswith("connmon: "), ended.code)

    def test_help_names_the_command(self) -> None:
        """Whichever way it was started."""
        for program in ("connmond", "connmon listen"):
            with redirect_stdout(io.StringIO()) as out:
                self.assertRaises(SystemExit, main.main, ["--help"], program)
            self.assertTrue(
                out.getvalue().startswith(f"Usage: {program} [--config FILE]"),
                out.getvalue(),
            )
