"""The commands as they are typed: how they start, what they print, how they end."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from connmon.views.schema import CHECKOUTS, EVENTS, NODES, PROGRAMS, VIEWS
from tests.whole.fleet import (
    BIN,
    WITHIN,
    Application,
    Console,
    Node,
    Running,
    fewest,
    ran,
)
from tests.whole.servers import eventually, free_port

CONNMON = BIN / "connmon"

#: An application that holds one connection of one engine, and says who it is.
HOLDER = """
from sqlalchemy import create_engine
engine = create_engine("sqlite+pysqlite_connmon:///:memory:?{query}")
held = engine.connect()
"""

COUNTS = ["nproc", "conn", "ckout", "maxnproc", "maxconn", "maxckout"]
ROW = ["hostname", "progname", "connected", *COUNTS, "ckoutpersec"]
STALE = ["stale", "stale_seconds"]
NAMES = {view.name: [field.name for field in view.fields] for view in VIEWS.values()}
"""The names of a row's values; each of an event has a time besides."""


def service(name: str, *ports: int) -> str:
    """The config's section of a service, with a node on each port: node1, node2."""
    nodes = "".join(
        f"    node{number} hostname=127.0.0.1:{port} bind=127.0.0.1\n"
        for number, port in enumerate(ports, 1)
    )
    return f"[connmon_service_{name}]\nname: {name}\nnodes:\n{nodes}"


def holder(program: str, **options: str) -> Application:
    """An application of this name, with connmon's options in its URL."""
    pairs = {"program": program, **options}
    query = "&".join(f"connmon_{key}={value}" for key, value in pairs.items())
    return Application(HOLDER.format(query=query))


class Daemon(Running):
    """A node started by any of the commands, wherever that logs to."""

    def __init__(self, *command: str | Path) -> None:
        """Start it, and wait until it listens."""
        super().__init__(command)
        log = self.out if "twistd" in str(command[0]) else self.err
        self.log = log
        log.until(lambda line: "listens on" in line)


class Place:
    """A temporary directory for configs and processes; mixed into a test case."""

    addCleanup: Any
    mktemp: Any
    assertEqual: Any
    assertTrue: Any
    assertIn: Any

    def setUp(self) -> None:
        """Make the directory; what is entered on the stack is left after the test."""
        self.place = Path(self.mktemp()).resolve()
        self.place.mkdir()
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)

    def config(self, *sections: str) -> str:
        """Write a config of these sections; its path."""
        path = self.place / "connmon.cfg"
        path.write_text("".join(sections))
        return str(path)

    def frame(self, *options: str) -> dict[str, Any]:
        """The one frame of a console with these options, which must not complain."""
        done = ran(CONNMON, *options, "--json", "-N", "1")
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        frame: dict[str, Any] = json.loads(done.stdout)
        return frame

    def ends_by(self, number: int, process: Running, status: int) -> float:
        """Send a signal, after which it ends with this; in how many seconds."""
        sent = time.monotonic()
        process.process.send_signal(number)
        self.assertEqual(status, process.wait())
        return time.monotonic() - sent

    def is_prompt(self, seconds: Callable[[], float]) -> None:
        """See that an end takes less than a second."""
        self.assertTrue(fewest(seconds, 1.0) < 1.0, "it took over a second")


# -- the daemon -----------------------------------------------------------------------


class MistakeChecks(Place):
    """What each way of starting a node says of a mistake; mixed into a test case."""

    def command(self) -> list[str | Path]:
        """What is typed before the node's own options."""
        raise NotImplementedError

    def complaint(self, *options: str) -> str:
        """The one line that a node with these options says before it ends."""
        done = ran(*self.command(), *options)
        self.assertTrue(done.returncode > 0, f"exit status {done.returncode}")
        self.assertEqual(("", 1), (done.stdout, done.stderr.count("\n")), done.stderr)
        return done.stderr.rstrip("\n")

    def test_choice(self) -> None:
        """Several nodes, no such node, no such service: told with what there is."""
        config = self.config(service("default", free_port(), free_port()))
        no_node = "service 'default' has no node 'node9', expected one of: "
        several = "service 'default' has several nodes, choose one with --node: "
        for expected, *options in (
            (f"connmon: {several}node1, node2",),
            (f"connmon: {no_node}node1, node2", "--node=node9"),
            (
                f"connmon: {config}: no service 'nope', expected one of: default",
                "--service=nope",
            ),
        ):
            self.assertEqual(expected, self.complaint("--config", config, *options))

    def test_config(self) -> None:
        """A config that cannot be read, or understood, is named; so is the line."""
        missing = str(self.place / "missing.cfg")
        config = self.config(service("default", 1), "    node2 hostname=[::1\n")
        bad_line = "[connmon_service_default] line 5: nodes: bad brackets in '[::1'"
        for expected, path in (
            (f"connmon: cannot read {missing}: No such file", missing),
            (f"connmon: cannot read {self.place}: Is a directory", str(self.place)),
            (f"connmon: {config}: {bad_line}", config),
        ):
            said = self.complaint("--config", path)
            self.assertTrue(said.startswith(expected), said)

    def test_address(self) -> None:
        """A port that is taken, a port that is none, and an address of another host."""
        taker = self.stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        taken: int = taker.getsockname()[1]
        config = self.config(service("default", taken))
        self.assertEqual(
            f"connmon: cannot listen on 127.0.0.1:{taken}: Address already in use",
            self.complaint("--config", config),
        )
        self.assertIn(
            "--host: bad port '99999'", self.complaint("-H", "localhost:99999")
        )
        self.assertEqual(
            "connmon: cannot listen on 192.0.2.1:5800: Cannot assign requested address",
            self.complaint("--host", "192.0.2.1"),
        )


class ForegroundChecks(MistakeChecks):
    """A node in the foreground; mixed into a test case."""

    def daemon(self, *options: str) -> Daemon:
        """A node that listens, and is gone after the test."""
        return self.stack.enter_context(Daemon(*self.command(), *options))

    def status(self, number: int) -> int:
        """The exit status after this signal."""
        return 0

    def ends(self, number: int, *options: str) -> float:
        """Start, serve, and stop with a signal while a console looks on.

        In how many seconds it stopped.
        """
        port = free_port()
        config = self.config(service("default", port, free_port()))
        node = self.daemon(*options, config)
        self.assertIn(f"listens on 127.0.0.1:{port}", node.log.seen[-1])
        frame = self.frame("-H", f"127.0.0.1:{port}")
        self.assertEqual(("default", "node1"), (frame["service"], frame["node"]))
        looking = Running([CONNMON, "-H", f"127.0.0.1:{port}", "--json"])
        self.stack.enter_context(looking).out.until(lambda line: True)

        took = self.ends_by(number, node, self.status(number))
        self.assertIn("node node1 stops", "\n".join(node.log.rest()))
        said = "\n".join([*node.out.rest(), *node.err.rest()])
        self.assertTrue("Traceback" not in said, said)
        return took

    def test_terminated(self) -> None:
        """SIGTERM stops it cleanly; its options in their long form."""
        options = ("--node", "node1", "--service", "default", "--config")
        self.is_prompt(lambda: self.ends(signal.SIGTERM, *options))

    def test_interrupted(self) -> None:
        """^C stops it cleanly; its options in their short form."""
        options = ("-n", "node1", "-s", "default", "-c")
        self.is_prompt(lambda: self.ends(signal.SIGINT, *options))

    def test_only_node(self) -> None:
        """The only node need not be named; a warning about the config is logged."""
        port = free_port()
        node = self.daemon("-c", self.config(service("default", port), "colour: red\n"))
        warning = (
            'line 5: unknown key "colour", expected name, nodes, stale_after, '
            "databases or connmon_stacks"
        )
        self.assertIn(warning, "\n".join(node.log.seen))
        self.assertEqual("node1", self.frame("-H", f"127.0.0.1:{port}")["node"])


class ConnmondTests(ForegroundChecks, SynchronousTestCase):
    """``connmond``."""

    program: ClassVar[list[str]] = ["connmond"]

    def command(self) -> list[str | Path]:
        """The program as installed."""
        return [BIN / self.program[0], *self.program[1:]]

    def test_bad_option(self) -> None:
        """An option there is not, and a word too many: one line, and status 2."""
        name = " ".join(self.program)
        for option, said in (
            ("--bogus", "option --bogus not recognized"),
            ("--config", "option --config requires argument"),
            ("node1", "Wrong number of arguments."),
        ):
            done = ran(*self.command(), option)
            self.assertEqual(
                (2, "", f"{name}: {said}\n"),
                (done.returncode, done.stdout, done.stderr),
            )

    def test_help(self) -> None:
        """Help begins with what to type."""
        done = ran(*self.command(), "--help")
        usage = f"Usage: {' '.join(self.program)} [--config FILE]"
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertTrue(done.stdout.startswith(usage), done.stdout)


class ListenTests(ConnmondTests):
    """``connmon listen``."""

    program: ClassVar[list[str]] = ["connmon", "listen"]


class TwistdTests(ForegroundChecks, SynchronousTestCase):
    """``twistd -n connmon``."""

    def command(self) -> list[str | Path]:
        """Twisted's own program, its pidfile out of the way."""
        return [BIN / "twistd", "-n", f"--pidfile={self.place}/pid", "connmon"]

    def status(self, number: int) -> int:
        """Twistd, once all is stopped, ends by the signal itself."""
        return -number

    def test_bad_option(self) -> None:
        """It is refused in twistd's own words."""
        done = ran(*self.command(), "--bogus")
        self.assertTrue(done.returncode > 0, f"exit status {done.returncode}")
        self.assertIn("option --bogus not recognized", done.stdout + done.stderr)


class BackgroundTests(MistakeChecks, SynchronousTestCase):
    """``twistd connmon``, which goes into the background."""

    def command(self) -> list[str | Path]:
        """Twisted's own program, its files in the temporary directory."""
        files = [f"--pidfile={self.place}/pid", f"--logfile={self.place}/log"]
        return [BIN / "twistd", *files, "connmon"]

    def test_runs_until_stopped(self) -> None:
        """It serves after the command has ended, until its pidfile is made use of."""
        self.is_prompt(self.serves_and_ends)

    def serves_and_ends(self) -> float:
        """Start it, and stop it; in how many seconds it stopped."""
        port = free_port()
        config = self.config(service("default", port))
        done = ran(*self.command(), "--node", "node1", "--config", config)
        self.assertEqual((0, "", ""), (done.returncode, done.stdout, done.stderr))
        pidfile = self.place / "pid"
        pid = int(pidfile.read_text())
        try:
            self.assertEqual("node1", self.frame("-H", f"127.0.0.1:{port}")["node"])
        finally:
            sent = time.monotonic()
            os.kill(pid, signal.SIGTERM)
        gone = eventually(lambda: not pidfile.exists(), WITHIN)
        took = time.monotonic() - sent
        self.assertTrue(gone, "still there")
        log = (self.place / "log").read_text()
        for expected in (f"listens on 127.0.0.1:{port}", "joined", "node node1 stops"):
            self.assertIn(expected, log)
        return took


class LogTests(Place, SynchronousTestCase):
    """What a node's log tells of those who come and go."""

    def test_comings_and_goings(self) -> None:
        """Clients are named by host, program and process, consoles by their address."""
        with Node() as node:
            with holder("till", addr=node.address) as application:
                who = rf"client \S+ till\[{application.pid}\]"
                node.err.until(re.compile(rf"{who} joined from 127\.0\.0\.1:").search)
                application.leave()
                node.err.until(re.compile(rf"{who} left").search)
            with holder("crash", addr=node.address) as application:
                node.err.until(re.compile(r"crash\[\d+\] joined").search)
                application.process.kill()
                node.err.until(re.compile(r"crash\[\d+\] left").search)
            self.frame("-H", node.address)
            node.err.until(re.compile(r"console 127\.0\.0\.1:\d+ joined").search)
            node.err.until(re.compile(r"console 127\.0\.0\.1:\d+ left").search)


# -- the console ----------------------------------------------------------------------


class FramesTests(Place, SynchronousTestCase):
    """What a console writes of a node with one application, ``till``."""

    def setUp(self) -> None:
        """Wait until the application is seen."""
        super().setUp()
        self.node = self.stack.enter_context(Node())
        self.stack.enter_context(holder("till", addr=self.node.address))
        with Console(self.node) as console:
            console.shows("till", ckout=1)

    def output(self, *options: str) -> str:
        """The output of a console at the node, which must not complain."""
        done = ran(CONNMON, "-H", self.node.address, *options)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        return done.stdout

    def test_json(self) -> None:
        """One object on one line, with the names and types that are promised."""
        before = time.time()
        output = self.output("--json", "-N", "1")
        self.assertEqual(1, output.count("\n"))
        frame = json.loads(output)
        names = ["time", "service", "node"]
        totals = ["hosts", "processes", "connections", "checkouts"]
        waits = ["waiting", "wait_p99_seconds", "timeouts", "oldest_seconds"]
        rest = ["cluster", "alerts", *waits, "txn_seconds", "history", "count"]
        self.assertEqual([*names, *totals, "programs", *rest], list(frame))
        self.assertEqual(1, frame["count"])
        self.assertTrue(before - 1 <= frame["time"] <= time.time() + 1, frame["time"])
        self.assertEqual(("default", "node1"), (frame["service"], frame["node"]))
        one = {"current": 1, "max": 1}
        self.assertEqual({"nodes": 1, "up": 1, "down": []}, frame["cluster"])
        self.assertEqual({**one, "stale": 0}, frame["processes"])
        for total in ("hosts", "connections"):
            self.assertEqual(one, frame[total])
        per_second = frame["checkouts"]["per_second"]
        self.assertEqual({**one, "per_second": per_second}, frame["checkouts"])
        (row,) = frame["programs"]
        self.assertEqual([*ROW, *STALE], list(row)[: len(ROW) + len(STALE)])
        self.assertEqual(NAMES[PROGRAMS], list(row))
        self.assertEqual([0, None], [row[name] for name in STALE])
        expected = [socket.gethostname(), "till", True, 1, 1, 1, 1, 1, 1]
        self.assertEqual(expected, [row[name] for name in ROW[:-1]])
        for rate in (per_second, row["ckoutpersec"]):
            self.assertTrue(rate is None or isinstance(rate, float), rate)

    def test_csv(self) -> None:
        """A line of names once, then a line for each program and tick."""
        lines = list(csv.reader(io.StringIO(self.output("--csv", "-N2", "-d0.2"))))
        self.assertEqual([["time", *NAMES[PROGRAMS]]], lines[:1])
        host = socket.gethostname()
        expected = [[host, "till", "1", "1", "1", "1", "1", "1", "1"]] * 2
        self.assertEqual(expected, [line[1 : len(ROW)] for line in lines[1:]])

    def test_text(self) -> None:
        """Plain text in blocks, one for each tick, without any escape."""
        for option in ("-b", "--batch"):
            output = self.output(option, "--iterations", "2", "--delay", "0.2")
            self.assertTrue(output.replace("\n", "").isprintable(), output)
            blocks = [block.splitlines() for block in output.split("\n\n")]
            self.assertEqual([5, 5], list(map(len, blocks)))
            for name, totals, waits, head, row in blocks:
                self.assertTrue(name.startswith("connmon default@node1 "), name)
                self.assertTrue(totals.startswith("Hosts 1 max 1 "), totals)
                self.assertTrue(waits.startswith("Waiting 0  "), waits)
                self.assertEqual(["HOST", "PROGRAM", "STATE"], head.split()[:3])
                self.assertEqual(["till", "OK", "1", "1", "1"], row.split()[1:6])

    def test_every_view(self) -> None:
        """It is there for programs and for people; ``-O`` lists the names."""
        for view, names in NAMES.items():
            frame = json.loads(self.output("--json", "-N1", "--view", view))
            self.assertEqual(len(frame[view]), frame["count"])
            time_first = ["time"] if view == EVENTS else []
            for row in frame[view]:
                self.assertEqual(time_first + names, list(row))
            first = self.output("--csv", "-N1", "--view", view).split("\n")[0]
            self.assertEqual(["time", *names], first.split(","))
        output = self.output("-b", "-N1", "--view", NODES, "-w", "60")
        self.assertTrue(all(len(line) <= 60 for line in output.splitlines()))
        listed = self.output("-O", "--view", NODES).splitlines()
        self.assertEqual(NAMES[NODES], [line.split()[0] for line in listed])

    def test_rows(self) -> None:
        """Those that are wanted, in the order that is."""
        self.stack.enter_context(holder("bank", addr=self.node.address))
        with Console(self.node) as console:
            console.shows("bank", ckout=1)
        for options, expected in (
            ([], ["bank", "till"]),
            (["--filter", "till"], ["till"]),
            (["--filter", "ckout>1"], []),
            (["--filter", ""], ["bank", "till"]),
            (["-o", "+progname"], ["till", "bank"]),
            (["-o", "-progname"], ["bank", "till"]),
        ):
            frame = json.loads(self.output("--json", "-N1", *options))
            self.assertEqual(expected, [row["progname"] for row in frame["programs"]])

    def test_as_they_were_called(self) -> None:
        """``--dump-only`` and ``--logging``: each update a line."""
        for view in (PROGRAMS, NODES):
            options = ["-N2", "-d0.2", "--view", view]
            lines = self.output("--dump-only", *options).splitlines()
            self.assertEqual([1, 1], [len(json.loads(line)[view]) for line in lines])
            lines = self.output("--logging", *options).splitlines()
            self.assertEqual(2, len(lines))
            for line in lines:
                self.assertIn(" connmon default@node1  Hosts 1 max 1  Procs 1 ", line)

    def test_recorded(self) -> None:
        """A replay writes what was written while it was recorded, line by line."""
        path = str(self.place / "some.rec")
        written = self.output("--json", "-N3", "-d0.2", "--record", path)
        done = ran(CONNMON, "--replay", path, "--json")
        self.assertEqual((0, written, ""), (done.returncode, done.stdout, done.stderr))
        for view in (PROGRAMS, CHECKOUTS, NODES):
            done = ran(CONNMON, "--replay", path, "--csv", "--view", view, "-N", "1")
            self.assertEqual((0, ""), (done.returncode, done.stderr))
            rows = list(csv.reader(io.StringIO(done.stdout)))[1:]
            self.assertEqual(1, len(rows), view)
        done = ran(CONNMON, "--replay", path, "--logging", "--at", "-0s")
        self.assertEqual((0, 1), (done.returncode, done.stdout.count("\n")))

    def test_a_recording_continued(self) -> None:
        """What is recorded to the same file later follows what is there."""
        path = str(self.place / "some.rec")
        for _ in range(2):
            self.output("--json", "-N1", "--record", path)
        done = ran(CONNMON, "--replay", path, "--json")
        self.assertEqual(2, done.stdout.count("\n"))

    def test_without_a_terminal(self) -> None:
        """Where no screen can be shown, and nothing else is asked for: one frame."""
        self.assertEqual(5, self.output().count("\n"))
        self.assertEqual(5, self.output("-d", "0.5").count("\n"))

    def test_delay(self) -> None:
        """Ticks come as far apart as was asked for."""
        lines = self.output("--json", "-N", "3", "-d", "0.5").splitlines()
        times = [json.loads(line)["time"] for line in lines]
        self.assertEqual(3, len(times))
        self.assertTrue(0.8 < times[2] - times[0] < 2.0, times)

    def test_closed_pipe(self) -> None:
        """A reader who has had enough (``head -1``) is no error."""
        for form in ("--json", "--csv", "--batch", "--logging"):
            shell = 'set -o pipefail; "$@" | head -1'
            command = ["bash", "-c", shell, "bash", str(CONNMON), "-d0.1", form]
            done = ran(*command, "-H", self.node.address)
            self.assertEqual((0, ""), (done.returncode, done.stderr))
            self.assertEqual(1, done.stdout.count("\n"))

    def test_no_output(self) -> None:
        """Output that is closed, or full, is one line and status 1."""
        for redirection, reason in (
            (">&-", "Bad file descriptor"),
            (">/dev/full", "No space left on device"),
        ):
            shell = f'exec "$@" {redirection}'
            for what in (["--json", "-H", self.node.address], ["-O"]):
                done = ran("sh", "-c", shell, "sh", CONNMON, *what)
                complaint = f"connmon: cannot write: {reason}\n"
                self.assertEqual((1, complaint), (done.returncode, done.stderr))

    def test_signals(self) -> None:
        """A batch that is stopped ends with the status a shell gives, and quietly."""
        for number, status in (
            (signal.SIGINT, 130),
            (signal.SIGTERM, 143),
            (signal.SIGHUP, 129),
        ):
            self.is_prompt(partial(self.batch_ends, number, status))

    def batch_ends(self, number: int, status: int) -> float:
        """Stop a batch with a signal; in how many seconds it ended."""
        with Running([CONNMON, "-H", self.node.address, "--json"]) as batch:
            batch.out.until(lambda line: True)
            took = self.ends_by(number, batch, status)
            self.assertEqual([], batch.err.rest())
        return took


class ChoiceTests(Place, SynchronousTestCase):
    """Which node a console takes, and what it says when there is none."""

    def refused(self, *options: str) -> str:
        """The one line of a console that ends with status 1."""
        done = ran(CONNMON, *options, "--json")
        self.assertEqual((1, ""), (done.returncode, done.stdout), done.stderr)
        self.assertEqual(1, done.stderr.count("\n"), done.stderr)
        return done.stderr.rstrip("\n")

    def test_no_daemon(self) -> None:
        """Every address that was tried is named."""
        ports = (free_port(), free_port())
        config = self.config(service("default", *ports))
        said = self.refused("--config", config)
        self.assertTrue(said.startswith("connmon: no daemon reached, tried "), said)
        for port in ports:
            self.assertIn(f"127.0.0.1:{port} (connection refused)", said)
        said = self.refused("--config", config, "--node", "node2")
        self.assertEqual(
            f"connmon: no daemon reached, tried 127.0.0.1:{ports[1]} "
            "(connection refused)",
            said,
        )
        said = self.refused("--host", "no-such-host.invalid")
        self.assertIn("no-such-host.invalid:5800 (", said)

    def test_config_mistakes(self) -> None:
        """A mistake in the config, or a name that it lacks, is one line too."""
        config = self.config(service("default", 1))
        for expected, *options in (
            (
                f"{config}: no service 'x', expected one of: default",
                "-c",
                config,
                "-sx",
            ),
            ("service 'default' has no node 'x'", "-c", config, "-nx"),
            ("cannot read /nowhere: No such file", "-c", "/nowhere"),
        ):
            said = self.refused(*options)
            self.assertTrue(said.startswith(f"connmon: {expected}"), said)

    def test_bad_options(self) -> None:
        """An option, or what it is given, that is wrong: status 2, and its name."""
        for options, named in (
            (["--bogus"], "--bogus"),
            (["-d", "soon"], "--delay"),
            (["-N", "0"], "--iterations"),
            (["-H", "here:there"], "--host"),
            (["-H", "here", "-n", "node1"], "--node"),
            (["--json", "--csv"], "--csv"),
            (["--view", "all"], "--view"),
            (["--filter", "nope=1"], "--filter"),
            (["-o", "nope"], "--sort"),
            (["-w", "0"], "--width"),
            (["--color", "pink"], "--color"),
            (["--at", "14:02"], "--at"),
            (["--replay", "x", "-H", "h"], "--host"),
            (["--replay", "x", "--record", "y"], "--record"),
            (["watch"], "'watch'"),
            (["demo", "--seconds", "-1"], "--seconds"),
        ):
            done = ran(CONNMON, *options)
            self.assertEqual((2, ""), (done.returncode, done.stdout))
            self.assertIn(named, done.stderr.splitlines()[-1])

    def test_node_dies(self) -> None:
        """A batch goes on with the other node; without any it ends. One line each."""
        ports = (free_port(), free_port())
        config = self.config(service("default", *ports))
        nodes = {
            name: self.stack.enter_context(
                Daemon(BIN / "connmond", "-c", config, "-n", name)
            )
            for name in ("node1", "node2")
        }
        options = ["-c", config, "--json", "-d", "0.1"]
        batch = self.stack.enter_context(Running([CONNMON, *options]))
        first = json.loads(batch.out.until(lambda line: True))["node"]
        nodes.pop(first).process.kill()
        (second,) = nodes
        batch.out.until(lambda line: json.loads(line)["node"] == second)

        nodes[second].process.kill()
        self.assertEqual(1, batch.wait())
        on, end = batch.err.rest()
        self.assertIn(f"going on with 127.0.0.1:{ports[second == 'node2']}", on)
        self.assertIn("; no daemon reached, tried ", end)

    def test_only_node_dies(self) -> None:
        """A batch that has no other node ends with status 1, and says why."""
        with Node() as node:
            options = ["-H", node.address, "--json", "-d", "0.1"]
            batch = self.stack.enter_context(Running([CONNMON, *options]))
            batch.out.until(lambda line: True)
            node.process.kill()
            self.assertEqual(1, batch.wait())
        (said,) = batch.err.rest()
        self.assertIn(f"lost {node.address} (", said)
        self.assertIn(f"; no daemon reached, tried {node.address} (", said)

    def test_address(self) -> None:
        """Given an address, service and node are the node's own; -s is verified."""
        port = free_port()
        config = self.config(service("billing", port))
        here = ("-H", f"127.0.0.1:{port}")
        self.stack.enter_context(
            Daemon(BIN / "connmond", "-c", config, "-s", "billing")
        )
        for options in ([], ["-s", "billing"]):
            frame = self.frame(*here, *options)
            self.assertEqual(("billing", "node1"), (frame["service"], frame["node"]))
        self.assertEqual(
            f"connmon: no daemon reached, tried 127.0.0.1:{port} "
            "(this node is of service 'billing', not 'default')",
            self.refused(*here, "-s", "default"),
        )


class ServicesTests(Place, SynchronousTestCase):
    """Two services in one config."""

    def setUp(self) -> None:
        """A node of each."""
        super().setUp()
        self.ports = {"default": free_port(), "billing": free_port()}
        sections = [service(name, port) for name, port in self.ports.items()]
        self.path = self.config(*sections)
        self.nodes = {
            name: self.stack.enter_context(
                Daemon(BIN / "connmond", "--config", self.path, "--service", name)
            )
            for name in self.ports
        }

    def test_kept_apart(self) -> None:
        """Each console shows its own service's program alone."""
        for name in self.ports:
            program = f"of-{name}"
            self.stack.enter_context(holder(program, config=self.path, service=name))
        for name in self.ports:
            options = ["-c", self.path, "-s", name, "--json", "-d0.2"]
            with Running([CONNMON, *options]) as console:
                line = console.out.until(lambda line: "progname" in line)
            frame = json.loads(line)
            self.assertEqual(name, frame["service"])
            self.assertEqual(
                [f"of-{name}"], [row["progname"] for row in frame["programs"]]
            )

    def test_stranger(self) -> None:
        """A client sent to the other service's node is refused: both logs have why.

        The application works on as if nothing had happened.
        """
        reason = "this node is of service 'default', not 'billing'"
        port = self.ports["default"]
        astray = self.config(service("billing", port))
        with holder("stranger", config=astray, service="billing") as application:
            self.nodes["default"].log.until(lambda line: reason in line)
            query = "held.exec_driver_sql('select 1').scalar()"
            self.assertEqual(1, application.do(query))
            self.assertEqual([], self.frame("-H", f"127.0.0.1:{port}")["programs"])
            status, complaints = application.leave()
        self.assertEqual((0, 1), (status, len(complaints)), complaints)
        self.assertIn(reason, complaints[0])
