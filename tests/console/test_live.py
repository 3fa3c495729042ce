"""Tests of the screen's viewer: what is drawn of frames, losses and keys."""

from __future__ import annotations

import io
import os
import pty
import select
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from typing import Any

from twisted.internet.task import LoopingCall
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from connmon.config import Address
from connmon.console.link import Failed
from connmon.console.live import Live, run
from connmon.console.options import Target
from connmon.console.text import UNICODE, Line
from connmon.wire.commands import NODES, PROGRAMS
from tests.console.fakes import (
    Emulator,
    FakeProcess,
    FakeReactor,
    a_frame,
    a_nodes_frame,
    a_row,
    many_programs,
    plain,
    three_nodes,
)
from tests.console.nodes import Met, Resolver

HERE, THERE = Address("10.0.0.1", 5800), Address("10.0.0.2", 5800)
LOST = Failed(HERE, "it closed the link")
REFUSED = Failed(THERE, "connection refused")


class FakeTerminal:
    """A terminal that keeps what is drawn on it."""

    def __init__(self) -> None:
        """Begin blank."""
        self.size = (100, 24)
        self.drawn: list[str] = []
        self.draws = 0
        self.redraws = 0
        self.statuses: list[int] = []

    def draw(self, lines: Sequence[Line]) -> None:
        """Keep the lines."""
        self.draws += 1
        self.drawn = plain(lines)

    def redraw(self) -> None:
        """Count."""
        self.redraws += 1

    def stop(self, status: int) -> None:
        """Keep the status."""
        self.statuses.append(status)

    @property
    def text(self) -> str:
        """All that is to be seen."""
        return "\n".join(self.drawn)


class LiveTests(SynchronousTestCase):
    """One viewer and its terminal."""

    def setUp(self) -> None:
        """A viewer of a service with two nodes."""
        self.terminal = FakeTerminal()
        self.asked: list[str] = []
        self.live = self.viewer(HERE, THERE)

    def viewer(self, *addresses: Address, view: str = PROGRAMS) -> Live:
        """A viewer of these nodes, on the terminal."""
        live = Live(Target("default", addresses), UNICODE, view)
        terminal: Any = self.terminal
        live.join(terminal, self.asked.append)
        return live

    def test_before_the_first_frame(self) -> None:
        """The screen says that it connects."""
        self.live.resized(100, 24)
        self.assertIn("connecting", self.terminal.text.lower())
        self.assertEqual(24, len(self.terminal.drawn))

    def test_a_frame_is_drawn(self) -> None:
        """With its node's address and its rows."""
        self.live.shown(a_frame([a_row(progname="nova-api")]), HERE)
        self.assertIn("nova-api", self.terminal.text)
        self.assertIn("10.0.0.1:5800", self.terminal.text)

    def test_a_lost_node_leaves_its_figures(self) -> None:
        """They are marked, and it is said what happens next."""
        self.live.shown(a_frame([a_row(progname="nova-api")]), HERE)
        self.live.lost(LOST)
        self.assertIn("nova-api", self.terminal.text)
        self.assertIn(
            "lost 10.0.0.1:5800 (it closed the link); trying the others",
            self.terminal.text,
        )

    def test_the_only_node_is_tried_again(self) -> None:
        """There are no others then."""
        live = self.viewer(HERE)
        live.shown(a_frame(), HERE)
        live.lost(LOST)
        self.assertIn("; trying it again", self.terminal.text)

    def test_no_node_any_more(self) -> None:
        """It goes on trying, and says so."""
        self.live.shown(a_frame([a_row()]), HERE)
        self.live.lost(LOST)
        self.assertTrue(self.live.exhausted((REFUSED,)))
        self.assertIn(
            "no daemon reached, tried 10.0.0.2:5800 (connection refused); trying on",
            self.terminal.text,
        )
        self.assertIn("nova-api", self.terminal.text)
        self.assertEqual(([], ""), (self.terminal.statuses, self.live.last_words))

    def test_a_node_found_again(self) -> None:
        """Nothing reminds of the loss."""
        self.live.shown(a_frame(), HERE)
        self.live.lost(LOST)
        self.live.exhausted((REFUSED,))
        self.live.shown(a_frame(), THERE)
        self.assertNotIn("lost", self.terminal.text)
        self.assertNotIn("tried", self.terminal.text)
        self.assertIn("10.0.0.2:5800", self.terminal.text)

    def test_no_node_at_all(self) -> None:
        """At the start that is the end, with words for after the screen."""
        self.assertFalse(self.live.exhausted((LOST, REFUSED)))
        self.assertEqual([1], self.terminal.statuses)
        self.assertEqual(
            "no daemon reached, tried 10.0.0.1:5800 (it closed the link), "
            "10.0.0.2:5800 (connection refused)",
            self.live.last_words,
        )

    def test_keys(self) -> None:
        """Q ends, ^L draws anew, others scroll, and the rest does no harm."""
        self.live.pressed("Down")
        self.live.shown(a_frame(many_programs()), HERE)
        top = list(self.terminal.drawn)
        self.live.pressed("Down")
        self.assertNotEqual(top, self.terminal.drawn)
        self.live.pressed("Up")
        self.live.pressed("F12")
        self.assertEqual(top[:-1], self.terminal.drawn[:-1])
        self.live.pressed("^L")
        self.assertEqual(1, self.terminal.redraws)
        self.assertEqual([], self.terminal.statuses)
        self.live.pressed("q")
        self.assertEqual([0], self.terminal.statuses)

    def test_another_view(self) -> None:
        """It is asked for, and shown when it comes; until then nothing is."""
        self.live.shown(a_frame([a_row(progname="nova-api")]), HERE)
        self.live.pressed("4")
        self.assertEqual([NODES], self.asked)
        self.assertNotIn("nova-api", self.terminal.text)
        self.assertIn("CONNECTING", self.terminal.text)
        self.live.shown(a_nodes_frame(three_nodes()), HERE)
        self.assertIn("unreachable", self.terminal.text)
        self.assertIn("LIVE", self.terminal.text)
        self.live.pressed("4")
        self.assertEqual([NODES], self.asked)
        self.live.pressed("1")
        self.assertEqual([NODES, PROGRAMS], self.asked)
        self.assertNotIn("nova-api", self.terminal.text)
        self.live.shown(a_frame([a_row(progname="nova-api")]), HERE)
        self.assertIn("nova-api", self.terminal.text)

    def test_another_view_without_a_node(self) -> None:
        """What was seen of it last is shown as stale, if it ever was."""
        self.live.shown(a_frame([a_row(progname="nova-api")]), HERE)
        self.live.lost(LOST)
        self.live.pressed("4")
        self.assertIn("LOST", self.terminal.text)
        self.assertNotIn("nova-api", self.terminal.text)
        self.assertTrue(self.live.exhausted((REFUSED,)))
        self.live.pressed("1")
        self.assertIn("nova-api", self.terminal.text)
        self.assertIn("STALE", self.terminal.text)

    def test_the_view_to_begin_with(self) -> None:
        """It may be any."""
        live = self.viewer(HERE, view=NODES)
        live.shown(a_nodes_frame(three_nodes()), HERE)
        self.assertIn("unreachable", self.terminal.text)

    def test_scrolling_ends_with_the_rows(self) -> None:
        """However often it is asked for, the last row is the end."""
        self.live.shown(a_frame(many_programs()), HERE)
        for _ in range(50):
            self.live.pressed("PgDn")
        bottom = list(self.terminal.drawn)
        self.live.pressed("Up")
        self.assertNotEqual(bottom, self.terminal.drawn)

    def test_another_size(self) -> None:
        """Everything is laid out for it."""
        self.live.shown(a_frame(many_programs()), HERE)
        self.live.resized(40, 10)
        self.assertEqual(10, len(self.terminal.drawn))
        self.assertLessEqual(max(map(len, self.terminal.drawn)), 40)


class Staged(FakeReactor):
    """A reactor that runs what a test does meanwhile."""

    def __init__(self, meanwhile: Callable[[Staged], None]) -> None:
        """Call ``meanwhile`` while running."""
        super().__init__()
        self.installNameResolver(Resolver())
        self._meanwhile = meanwhile

    def run(self) -> None:
        """Run until the test has done its part."""
        self.running = True
        for hook, arguments, named in self.whenRunningHooks:
            hook(*arguments, **named)
        self.advance(0)
        self._meanwhile(self)

    def stop(self) -> None:
        """Stop, once."""
        MemoryReactorClock.stop(self)
        self.running = False


class RunTests(SynchronousTestCase):
    """Viewer, link and terminal together, on a pty of its own."""

    def run_with(self, meanwhile: Callable[[Staged], None]) -> tuple[int, str, Staged]:
        """Run; the status, standard error, and the reactor."""
        self.master, self.slave = pty.openpty()
        self.addCleanup(os.close, self.master)
        self.addCleanup(os.close, self.slave)
        reactor = Staged(meanwhile)
        with redirect_stderr(io.StringIO()) as err:
            status = run(
                reactor,
                Target("", (HERE,)),
                2.0,
                {"TERM": "xterm-256color", "LANG": "C.UTF-8"},
                open_tty=lambda: os.dup(self.slave),
                process=FakeProcess(),
            )
        self.assertEqual([], reactor.getDelayedCalls())
        self.assertTrue(reactor.hasStopped)
        return status, err.getvalue(), reactor

    def read(self, reactor: Staged) -> str:
        """What the terminal shows once all is written."""
        emulator = Emulator(80, 24)
        while reactor.getWriters():
            for writer in reactor.getWriters():
                writer.doWrite()
            while select.select([self.master], [], [], 0)[0]:
                emulator.feed(os.read(self.master, 65536))
        return "\n".join(emulator.rows())

    def test_from_the_first_frame_to_q(self) -> None:
        """A frame is on the screen; q closes the link and ends with 0."""

        def meanwhile(reactor: Staged) -> None:
            met = Met(reactor, reactor.tcpClients.pop()[2])
            met.feed(a_frame([a_row(progname="nova-api")]))
            calls: Any = reactor.getDelayedCalls()
            waiting = [call.func for call in calls]
            # The clock goes on while no frame comes.
            self.assertTrue(any(isinstance(each, LoopingCall) for each in waiting))
            self.assertIn("nova-api", self.read(reactor))
            os.write(self.master, b"q")
            (reader,) = reactor.getReaders()
            select.select([self.slave], [], [], 5)
            reader.doRead()
            met.pump.flush()
            self.assertTrue(met.node.ended)

        self.assertEqual((0, ""), self.run_with(meanwhile)[:2])

    def test_another_view(self) -> None:
        """A key asks the node for it, on the same link."""

        def meanwhile(reactor: Staged) -> None:
            met = Met(reactor, reactor.tcpClients.pop()[2])
            met.feed(a_frame([a_row(progname="nova-api")]))
            self.read(reactor)
            os.write(self.master, b"4")
            (reader,) = reactor.getReaders()
            select.select([self.slave], [], [], 5)
            reader.doRead()
            met.pump.flush()
            self.assertEqual(
                [("Subscribe", view, 2.0) for view in (PROGRAMS, NODES)],
                met.node.heard[1:],
            )
            met.feed(a_nodes_frame(three_nodes()))
            self.assertIn("unreachable", self.read(reactor))
            os.write(self.master, b"q")
            select.select([self.slave], [], [], 5)
            reader.doRead()

        self.assertEqual((0, ""), self.run_with(meanwhile)[:2])

    def test_no_daemon(self) -> None:
        """The screen is given back, and one line tells what was tried."""

        def meanwhile(reactor: Staged) -> None:
            Met(reactor, reactor.tcpClients.pop()[2], silent=True).hang_up()

        self.assertEqual(
            (
                1,
                (
                    "connmon: no daemon reached, "
                    "tried 10.0.0.1:5800 (it closed the link)\n"
                ),
            ),
            self.run_with(meanwhile)[:2],
        )
