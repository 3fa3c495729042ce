"""Tests of the batch viewer: what is written where, and with which status it ends."""

from __future__ import annotations

import io
import json
import os
import signal
from collections.abc import Callable
from contextlib import redirect_stderr
from typing import Any, TextIO

from twisted.internet.error import ReactorNotRunning
from twisted.trial.unittest import SynchronousTestCase

from connmon.config import Address
from connmon.console.link import Failed
from connmon.console.options import Target
from connmon.console.stream import Stream, no_daemon, run, writer
from connmon.console.text import ASCII
from connmon.model.summary import AnyFrame
from connmon.wire.commands import NODES, PROGRAMS
from tests.console.fakes import (
    FakeReactor,
    a_frame,
    a_nodes_frame,
    a_row,
    three_nodes,
)
from tests.console.nodes import Met, Resolver

HERE = Address("10.0.0.1", 5800)
LOST = Failed(HERE, "it closed the link")
FRAME = a_frame([a_row()])


def plainly(frame: AnyFrame, now: float, first: bool) -> str:
    """Write a frame in a way that is easy to read."""
    return f"{frame.node} {'first' if first else 'again'}\n"


class StreamTests(SynchronousTestCase):
    """The viewer by itself."""

    def setUp(self) -> None:
        """Two files in memory, and no status yet."""
        self.out, self.err = io.StringIO(), io.StringIO()
        self.statuses: list[int] = []

    def stream(self, iterations: int | None = None, out: TextIO | None = None) -> Any:
        """A viewer that writes ``iterations`` frames."""
        return Stream(
            out or self.out, self.err, plainly, iterations, self.statuses.append
        )

    def test_each_frame_is_written(self) -> None:
        """The first is told from the others, for headings."""
        stream = self.stream()
        for name in ("a", "b", "c"):
            stream.shown(a_frame(node=name), HERE)
        self.assertEqual("a first\nb again\nc again\n", self.out.getvalue())
        self.assertEqual(("", []), (self.err.getvalue(), self.statuses))

    def test_it_ends_after_so_many(self) -> None:
        """With status 0, and nothing of what still comes is written."""
        stream = self.stream(2)
        for _ in range(4):
            stream.shown(FRAME, HERE)
        self.assertEqual(2, self.out.getvalue().count("\n"))
        self.assertEqual([0], self.statuses)

    def test_a_lost_node_is_told_with_the_one_that_follows(self) -> None:
        """It is no end: one line on standard error, once frames come again."""
        stream = self.stream()
        stream.lost(LOST)
        self.assertEqual(("", []), (self.err.getvalue(), self.statuses))
        stream.shown(FRAME, Address("::1", 1))
        stream.shown(FRAME, Address("::1", 1))
        self.assertEqual(
            "connmon: lost 10.0.0.1:5800 (it closed the link); going on with [::1]:1\n",
            self.err.getvalue(),
        )

    def test_a_lost_node_that_none_follows_is_one_line_too(self) -> None:
        """The end says what was lost, and what was tried then."""
        stream = self.stream()
        stream.lost(LOST)
        stream.exhausted((Failed(Address("::1", 1), "connection refused"),))
        self.assertEqual(
            "connmon: lost 10.0.0.1:5800 (it closed the link); no daemon reached, "
            "tried [::1]:1 (connection refused)\n",
            self.err.getvalue(),
        )

    def test_no_node_left_is_status_1(self) -> None:
        """What was tried is told in one line."""
        other = Failed(Address("::1", 1), "connection refused")
        self.assertFalse(self.stream().exhausted((LOST, other)))
        self.assertEqual(
            "connmon: no daemon reached, tried 10.0.0.1:5800 (it closed the link), "
            "[::1]:1 (connection refused)\n",
            self.err.getvalue(),
        )
        self.assertEqual([1], self.statuses)

    def test_a_reader_that_left_is_no_error(self) -> None:
        """``connmon --json | head -1`` ends without a word."""
        read, write = os.pipe()
        out = os.fdopen(write, "w")
        self.addCleanup(out.close)
        stream = self.stream(out=out)
        os.close(read)
        stream.shown(FRAME, HERE)
        stream.shown(FRAME, HERE)
        self.assertEqual(("", [0]), (self.err.getvalue(), self.statuses))

    def test_a_full_disk_is_one(self) -> None:
        """Status 1, and the reason once."""
        out = open("/dev/full", "w")  # noqa: SIM115 closed at the end of the test
        self.addCleanup(out.close)
        stream = self.stream(out=out)
        stream.shown(FRAME, HERE)
        stream.shown(FRAME, HERE)
        self.assertEqual(
            "connmon: cannot write: No space left on device\n", self.err.getvalue()
        )
        self.assertEqual([1], self.statuses)

    if not os.path.exists("/dev/full"):
        test_a_full_disk_is_one.skip = "no /dev/full"  # type: ignore[attr-defined]

    def test_what_was_tried_in_one_line(self) -> None:
        """The screen says it in the same words."""
        self.assertEqual(
            "no daemon reached, tried 10.0.0.1:5800 (it closed the link)",
            no_daemon((LOST,)),
        )


class WriterTests(SynchronousTestCase):
    """Each form."""

    def test_json(self) -> None:
        """One object on one line."""
        text = writer("json", ASCII)(FRAME, 12.5, True)
        self.assertEqual(1, text.count("\n"))
        self.assertTrue(text.endswith("\n"))
        self.assertEqual(12.5, json.loads(text)["time"])

    def test_csv(self) -> None:
        """Names first, and only once; one line for each program."""
        write = writer("csv", ASCII)
        first, again = write(FRAME, 1.0, True), write(FRAME, 2.0, False)
        self.assertTrue(first.startswith("time,hostname,progname,"), first)
        self.assertEqual((2, 1), (first.count("\r\n"), again.count("\r\n")))
        self.assertTrue(again.startswith("2.0,ctl1,nova-api,"), again)

    def test_csv_of_nodes(self) -> None:
        """The names are those of the view."""
        text = writer("csv", ASCII)(a_nodes_frame(three_nodes()), 1.0, True)
        self.assertTrue(text.startswith("time,node,address,state,"), text)
        self.assertEqual(4, text.count("\r\n"))

    def test_csv_without_programs(self) -> None:
        """There are names at least."""
        text = writer("csv", ASCII)(a_frame(), 1.0, True)
        self.assertEqual(1, text.count("\r\n"))

    def test_text(self) -> None:
        """Ticks are parted by a blank line."""
        write = writer("text", ASCII)
        self.assertTrue(write(FRAME, 1.0, True).startswith("connmon default@node1"))
        self.assertTrue(write(FRAME, 2.0, False).startswith("\nconnmon default@node1"))


class Staged(FakeReactor):
    """A reactor that runs what a test does meanwhile, and stops only once."""

    def __init__(self, meanwhile: Callable[[Staged], None]) -> None:
        """Call ``meanwhile`` while running."""
        super().__init__()
        self.installNameResolver(Resolver())
        self._meanwhile = meanwhile
        self.stops = 0

    def run(self) -> None:
        """Run until the test has done its part."""
        self.running = True
        for hook, arguments, named in self.whenRunningHooks:
            hook(*arguments, **named)
        self.advance(0)
        self._meanwhile(self)

    def stop(self) -> None:
        """Stop; as the real one, only once."""
        if self.stops:
            raise ReactorNotRunning("Can't stop reactor that isn't running.")
        self.stops += 1

    def meet(self) -> Met:
        """A node that accepts what is being connected to."""
        return Met(self, self.tcpClients.pop()[2])


class RunTests(SynchronousTestCase):
    """The viewer with its link and its signals."""

    def setUp(self) -> None:
        """A pipe for standard output, and the signals as they will be again."""
        self.read, self.write = os.pipe()
        self.addCleanup(os.close, self.read)
        self.addCleanup(os.close, self.write)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self.addCleanup(signal.signal, number, signal.getsignal(number))

    def run_with(
        self,
        meanwhile: Callable[[Staged], None],
        iterations: int | None = None,
        view: str = PROGRAMS,
    ) -> tuple[int, str, Staged]:
        """Run; the status, standard error, and the reactor."""
        reactor = Staged(meanwhile)
        with redirect_stderr(io.StringIO()) as err:
            status = run(
                reactor,
                Target("", (HERE,)),
                "json",
                2.0,
                iterations=iterations,
                glyphs=ASCII,
                view=view,
                fd=self.write,
            )
        self.assertEqual([], reactor.getDelayedCalls())
        return status, err.getvalue(), reactor

    def test_one_frame(self) -> None:
        """It is written, the link is closed, the reactor stopped, the status 0."""

        def meanwhile(reactor: Staged) -> None:
            met = reactor.meet()
            met.feed(a_frame([a_row(progname="日本\udc80")]))
            self.assertTrue(met.node.ended)

        status, err, reactor = self.run_with(meanwhile, 1)
        self.assertEqual((0, "", 1), (status, err, reactor.stops))
        written = os.read(self.read, 65536).decode("ascii")
        self.assertEqual("日本?", json.loads(written)["programs"][0]["progname"])

    def test_the_nodes_view(self) -> None:
        """It is asked for, and written."""

        def meanwhile(reactor: Staged) -> None:
            met = reactor.meet()
            self.assertEqual(("Subscribe", NODES, 2.0), met.node.heard[-1])
            met.feed(a_nodes_frame(three_nodes()))

        self.assertEqual((0, ""), self.run_with(meanwhile, 1, NODES)[:2])
        written = json.loads(os.read(self.read, 65536))
        self.assertEqual(
            ["node1", "node2", "node3"], [row["node"] for row in written["nodes"]]
        )

    def test_no_daemon(self) -> None:
        """One line of what was tried, and status 1."""

        def meanwhile(reactor: Staged) -> None:
            met = reactor.meet()
            met.hang_up()

        status, err, _ = self.run_with(meanwhile)
        self.assertEqual(1, status)
        self.assertEqual(
            "connmon: no daemon reached, tried 10.0.0.1:5800 (it closed the link)\n",
            err,
        )

    def test_signals(self) -> None:
        """Each ends with the status a shell would give, at any time."""
        for number, expected in (
            (signal.SIGINT, 130),
            (signal.SIGTERM, 143),
            (signal.SIGHUP, 129),
        ):

            def meanwhile(reactor: Staged, number: int = number) -> None:
                signal.raise_signal(number)

            self.assertEqual((expected, ""), self.run_with(meanwhile)[:2])

    def test_a_second_signal_changes_nothing(self) -> None:
        """It may come before the reactor has stopped."""

        def meanwhile(reactor: Staged) -> None:
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)

        status, _, reactor = self.run_with(meanwhile)
        self.assertEqual((143, 1), (status, reactor.stops))

    def test_an_ignored_signal_stays_ignored(self) -> None:
        """``nohup`` means it."""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

        def meanwhile(reactor: Staged) -> None:
            signal.raise_signal(signal.SIGHUP)
            self.assertEqual(0, reactor.stops)
            signal.raise_signal(signal.SIGTERM)

        status, _, reactor = self.run_with(meanwhile)
        self.assertEqual((143, 1), (status, reactor.stops))
