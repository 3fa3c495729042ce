"""``connmon``: which viewer is started, what it begins with, and how it ends."""

from __future__ import annotations

import io
import os
import pty
import select
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connmon.config import Address
from connmon.console import main, preferences
from connmon.console.live import Live
from connmon.console.options import Target, Wanted
from connmon.console.picture import as_line
from connmon.console.tape import Recorder, Recording
from connmon.errors import ConfigError
from connmon.views.query import Query
from connmon.views.recorded import WHOLE
from connmon.views.schema import EVENTS, HOSTS, NODES, PROGRAMS
from tests.console.fakes import (
    AS_FOUND,
    TAKEN_OVER,
    Emulator,
    FakeProcess,
    set_size,
)
from tests.console.frames import FRAMES, a_frame
from tests.console.nodes import Staged
from tests.console.sources import many

HERE, THERE = Address("10.0.0.1", 5800), Address("10.0.0.2", 5800)
NODES_WANTED = Wanted(
    target=Target("", (HERE,)), form=None, query=Query(PROGRAMS), delay=2.0
)
XTERM = {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
PICTURE = tuple(FRAMES[each.view] for each in WHOLE)


def ended(argv: list[str]) -> tuple[int, str]:
    """The exit status of a command line, and what it said on standard error."""
    with redirect_stderr(io.StringIO()) as err:
        status = main.main(argv, "connmon")
    return status, err.getvalue()


class ChosenTests(SynchronousTestCase):
    """The screen, or what is written in its place."""

    def test_screen(self) -> None:
        """Where there is one, unless a form or a number of frames is wanted."""
        self.assertEqual((None, None), main.chosen(None, None, screen=True))
        self.assertEqual(("json", None), main.chosen("json", None, screen=True))
        self.assertEqual(("text", 3), main.chosen(None, 3, screen=True))

    def test_no_screen(self) -> None:
        """One frame as text; of a recording, all of them."""
        self.assertEqual(("text", 1), main.chosen(None, None, screen=False))
        self.assertEqual(("text", 2), main.chosen(None, 2, screen=False))
        self.assertEqual(("csv", None), main.chosen("csv", None, screen=False))
        self.assertEqual(
            ("text", None), main.chosen(None, None, screen=False, replaying=True)
        )
        self.assertEqual(
            ("text", 2), main.chosen(None, 2, screen=False, replaying=True)
        )


class ComplaintTests(SynchronousTestCase):
    """What cannot be done is one line, and status 1, before anything is shown."""

    def test_recordings_of_no_use(self) -> None:
        """None there, none at all, none of ours, and one without a picture."""
        stranger = self.mktemp()
        Path(stranger).write_bytes(b"hello")
        empty = self.mktemp()
        Recorder(empty).close()
        cut = self.mktemp()
        recorder = Recorder(cut)
        recorder.record(1.0, as_line(PICTURE))
        recorder.close()
        os.truncate(cut, os.path.getsize(cut) - 1)
        for path, words in (
            ("/nonexistent/x", "cannot read /nonexistent/x: No such file or directory"),
            (stranger, f"{stranger} is no recording of connmon, expected "),
            (".", ". is no file that one can jump in"),
            (empty, f"{empty}: there is no picture to show"),
            (cut, f"{cut}: cut off at byte "),
        ):
            for form in (["--json"], []):
                status, said = ended(["--replay", path, *form])
                self.assertEqual((1, 1), (status, said.count("\n")), said)
                self.assertTrue(said.startswith(f"connmon: {words}"), said)

    def test_a_recording_that_cannot_be_written(self) -> None:
        """No node is sought for it."""
        for form in (["--json"], ["-b", "-N1"]):
            status, said = ended(["-H", "h", "--record", "/nonexistent/x", *form])
            self.assertEqual((1, 1), (status, said.count("\n")), said)
            self.assertTrue(
                said.startswith("connmon: cannot record to /nonexistent/x: "), said
            )


class BeginTests(SynchronousTestCase):
    """What the screen begins with: what was kept, but for what is asked for now."""

    def begin(self, kept: str = "", **changes: Any) -> Any:
        """The screen to begin with."""
        wanted = replace(NODES_WANTED, delay=None, **changes)
        choices, warnings = preferences.load(self.environ(kept))
        return main._begin(wanted, choices, warnings)

    def environ(self, kept: str) -> dict[str, str]:
        """An environment in which that was kept."""
        home = Path(self.mktemp()).resolve()
        (home / "connmon").mkdir(parents=True)
        if kept:
            (home / "connmon" / "console.json").write_text(kept)
        return {"XDG_CONFIG_HOME": str(home)}

    def test_nothing(self) -> None:
        """The programs, every two seconds."""
        screen = self.begin()
        self.assertEqual((PROGRAMS, 2.0), (screen.place.view, screen.choices.delay))
        self.assertEqual("", screen.notice)

    def test_what_was_kept(self) -> None:
        """View, pace and orders."""
        kept = '{"view": "events", "delay": 5, "sorts": {"events": "hostname"}}'
        screen = self.begin(kept)
        self.assertEqual((EVENTS, 5.0), (screen.place.view, screen.choices.delay))
        self.assertEqual({EVENTS: "hostname"}, screen.choices.sorts)

    def test_what_is_asked_for_now(self) -> None:
        """It comes first, the rest stays as it was kept."""
        kept = '{"view": "events", "delay": 5, "tree": true}'
        screen = self.begin(kept, view=NODES, query=Query(NODES))
        self.assertEqual((NODES, 5.0), (screen.place.view, screen.choices.delay))
        self.assertTrue(screen.choices.tree)

    def test_a_filter_or_an_order(self) -> None:
        """They are of the view that they were checked for, which is then shown."""
        kept = '{"view": "events", "sorts": {"programs": "-conn", "hosts": "-conn"}}'
        screen = self.begin(kept, query=Query(PROGRAMS, where=("nova",)))
        self.assertEqual((PROGRAMS, "nova"), (screen.place.view, screen.where))
        screen = self.begin(kept, query=Query(PROGRAMS), sort="-ckout")
        self.assertEqual(PROGRAMS, screen.place.view)
        self.assertEqual({PROGRAMS: "-ckout", HOSTS: "conn"}, screen.choices.sorts)

    def test_what_cannot_be_used(self) -> None:
        """It is reported, the first thing at once, and the rest is used."""
        screen = self.begin('{"view": "nope", "delay": 5, "theme": 3}')
        self.assertEqual((PROGRAMS, 5.0), (screen.place.view, screen.choices.delay))
        self.assertTrue(screen.notice_is_error)
        self.assertIn("console.json: view: expected one of ", screen.notice)
        self.assertTrue(screen.notice.endswith(" (L shows the log)"), screen.notice)


class ShowTestCase(SynchronousTestCase):
    """The screen's parts together, on a pty of its own and with nodes in memory."""

    def setUp(self) -> None:
        """A home without preferences."""
        self.home = os.path.abspath(self.mktemp())
        self.environ = {**XTERM, "XDG_CONFIG_HOME": self.home}

    def run_with(
        self, meanwhile: Callable[[Staged], None], wanted: Wanted = NODES_WANTED
    ) -> tuple[int, str]:
        """Run; the status, and standard error."""
        self.master, self.slave = pty.openpty()
        self.addCleanup(os.close, self.master)
        self.addCleanup(os.close, self.slave)
        set_size(self.slave, 250, 24)
        self.emulator = Emulator(250, 24)
        self.reactor = Staged(meanwhile)
        with redirect_stderr(io.StringIO()) as err:
            status = main.show(
                self.reactor,
                wanted,
                self.environ,
                open_tty=lambda: os.dup(self.slave),
                process=FakeProcess(),
            )
        self.read()
        self.assertEqual(AS_FOUND, self.emulator.modes())
        self.assertEqual([], self.reactor.getDelayedCalls())
        self.assertEqual(1, self.reactor.stops)
        return status, err.getvalue()

    def read(self) -> str:
        """What the terminal shows once all is written."""
        for writer in self.reactor.getWriters():
            while writer in self.reactor.getWriters():
                writer.doWrite()
                self.drain()
        self.drain()
        return "\n".join(self.emulator.rows())

    def drain(self) -> None:
        """Take what the terminal was sent."""
        while select.select([self.master], [], [], 0)[0]:
            self.emulator.feed(os.read(self.master, 65536))

    def press(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self.master, keys)
        (reader,) = self.reactor.getReaders()
        select.select([self.slave], [], [], 5)
        reader.doRead()


class ShowTests(ShowTestCase):
    """The screen, from its start to its end."""

    def test_from_the_first_frame_to_q(self) -> None:
        """A frame is on the screen; q closes the link and ends with 0."""

        def meanwhile(reactor: Staged) -> None:
            met = reactor.meet()
            met.feed(FRAMES[PROGRAMS])
            self.assertIn("nova-api", self.read())
            self.assertEqual(TAKEN_OVER, self.emulator.modes())
            self.press(b"q")
            met.flush()
            self.assertTrue(met.node.ended)

        self.assertEqual((0, ""), self.run_with(meanwhile))

    def test_the_clock_goes_on(self) -> None:
        """Each second the screen is drawn, also while no frame comes."""

        def meanwhile(reactor: Staged) -> None:
            met = reactor.meet()
            met.feed(FRAMES[PROGRAMS])
            self.read()
            met.hang_up()
            for age in ("1.0s", "2.0s", "3.0s"):
                reactor.advance(1.0)
                self.assertIn(f"STALE {age}", self.read())
            self.press(b"q")

        self.assertEqual((0, ""), self.run_with(meanwhile))

    def test_another_view(self) -> None:
        """A key asks the node for it, on the same link."""

        def meanwhile(reactor: Staged) -> None:
            met = reactor.meet()
            met.feed(FRAMES[PROGRAMS])
            self.read()
            self.press(b"4")
            met.flush()
            self.assertEqual((NODES, 2), (met.asked.queries[0].view, met.asked.number))
            met.feed(FRAMES[NODES])
            self.assertIn("unreachable", self.read())
            self.press(b"q")

        self.assertEqual((0, ""), self.run_with(meanwhile))

    def test_another_node(self) -> None:
        """It is asked for what is seen then, and the view goes on."""
        wanted = replace(NODES_WANTED, target=Target("", (HERE, THERE)))

        def meanwhile(reactor: Staged) -> None:
            met = reactor.meet()
            met.feed(FRAMES[PROGRAMS])
            self.read()
            self.press(b"5")
            met.flush()
            met.feed(FRAMES[EVENTS])
            asked = met.asked
            met.hang_up()
            self.assertIn("DISCONNECTED", self.read())
            reactor.advance(0)
            met = reactor.meet()
            self.assertEqual(asked, met.asked)
            met.feed(FRAMES[EVENTS])
            text = self.read()
            self.assertIn("first one began", text)
            self.assertNotIn("DISCONNECTED", text)
            self.press(b"q")

        self.assertEqual((0, ""), self.run_with(meanwhile, wanted))

    def test_no_daemon(self) -> None:
        """The screen is given back, and one line tells what was tried."""

        def meanwhile(reactor: Staged) -> None:
            reactor.meet(silent=True).hang_up()

        said = "no daemon reached, tried 10.0.0.1:5800 (it closed the link)"
        self.assertEqual((1, f"connmon: {said}\n"), self.run_with(meanwhile))

    def test_what_cannot_be_drawn(self) -> None:
        """The screen ends by it, rather than to stand there as if it were new."""

        def meanwhile(reactor: Staged) -> None:
            met = reactor.meet()
            met.feed(FRAMES[PROGRAMS])
            self.read()
            self.patch(Live, "_shown", lambda live: 1 / 0)
            reactor.advance(1.0)

        self.assertEqual((1, ""), self.run_with(meanwhile))
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_kept_for_the_next_time(self) -> None:
        """``W`` keeps what the next screen begins with."""

        def first(reactor: Staged) -> None:
            met = reactor.meet()
            met.feed(FRAMES[PROGRAMS])
            self.press(b"2c+W")
            self.assertIn("choices kept in ", self.read())
            self.press(b"q")

        def second(reactor: Staged) -> None:
            met = reactor.meet()
            (query,) = met.asked.queries
            self.assertEqual((HOSTS, "-conn"), (query.view, query.sort))
            self.assertEqual(3.0, met.asked.interval)
            met.feed(FRAMES[HOSTS])
            self.assertIn("compute-node-0117", self.read())
            self.press(b"q")

        self.assertEqual((0, ""), self.run_with(first))
        wanted = replace(NODES_WANTED, delay=None)
        self.assertEqual((0, ""), self.run_with(second, wanted))

    def test_kept_content_of_no_use(self) -> None:
        """It is told, also in the log, and otherwise ignored."""
        file = Path(self.home) / "connmon" / "console.json"
        file.parent.mkdir(parents=True)
        file.write_text('{"delay": -1, "color": "pink"}')

        def meanwhile(reactor: Staged) -> None:
            met = reactor.meet()
            met.feed(FRAMES[PROGRAMS])
            self.assertIn("nova-api", self.read())
            self.press(b"L")
            log = self.read()
            self.assertIn("LOG", log)
            self.assertEqual(2, log.count(str(file)), log)
            self.press(b"q")
            self.press(b"q")

        self.assertEqual((0, ""), self.run_with(meanwhile))


class RecordTests(ShowTestCase):
    """The screen, recorded; and a recording on it."""

    def recorded(self, wanted: Wanted) -> str:
        """A recording of three programs, then of five, as a screen makes it."""
        path: str = self.mktemp()

        def meanwhile(reactor: Staged) -> None:
            met = reactor.meet()
            self.assertEqual(WHOLE, met.asked.queries)
            for count in (3, 5):
                met.feed(a_frame(PROGRAMS, many(count)), *PICTURE[1:])
                self.assertIn(f"p{count - 1:04}", self.read())
            self.press(b"5")
            reactor.advance(0)
            self.assertIn("first one began", self.read())
            self.press(b"q")

        status = self.run_with(meanwhile, replace(wanted, record=path))
        self.assertEqual((0, ""), status)
        return path

    def test_recorded_and_replayed(self) -> None:
        """All that the node told is in the file, and any view of it is shown."""
        path = self.recorded(NODES_WANTED)
        wanted = replace(NODES_WANTED, target=None, replay=path, view=HOSTS)

        def meanwhile(reactor: Staged) -> None:
            self.assertEqual([], reactor.tcpClients)
            self.assertIn("compute-node-0117", self.read())
            self.press(b"1")
            reactor.advance(0)
            text = self.read()
            self.assertIn("picture 1 of 2", text)
            self.assertNotIn("p0003", text)
            self.press(b".")
            text = self.read()
            self.assertIn("picture 2 of 2, paused", text)
            self.assertIn("p0004", text)
            self.assertIn("REPLAY", text)
            self.press(b"q")

        self.assertEqual((0, ""), self.run_with(meanwhile, wanted))

    def test_from_a_moment_on(self) -> None:
        """``--at`` and ``--speed``."""
        path = self.recorded(NODES_WANTED)
        wanted = replace(NODES_WANTED, target=None, replay=path, at="-0s", speed=4.0)

        def meanwhile(reactor: Staged) -> None:
            self.assertIn("picture 2 of 2, 4 times as fast", self.read())
            self.press(b"q")

        self.assertEqual((0, ""), self.run_with(meanwhile, wanted))

    def test_cut_off(self) -> None:
        """What is whole is shown; at its end it is told that there was more."""
        path = self.recorded(NODES_WANTED)
        os.truncate(path, os.path.getsize(path) - 10)
        wanted = replace(NODES_WANTED, target=None, replay=path)

        def meanwhile(reactor: Staged) -> None:
            reactor.advance(1.0)
            text = self.read()
            self.assertIn("picture 1 of 1", text)
            self.assertIn(f" {path}: cut off at byte ", text)
            self.press(b"q")

        self.assertEqual((0, ""), self.run_with(meanwhile, wanted))

    def test_a_disk_that_is_full(self) -> None:
        """It is said once, and the screen goes on."""
        path = self.mktemp()

        def meanwhile(reactor: Staged) -> None:
            met = reactor.meet()
            met.feed(*PICTURE)
            self.patch(Recorder, "_write", broken)
            met.feed(*PICTURE)
            self.assertIn("the recording ends: cannot record to ", self.read())
            self.press(b"j")
            met.feed(a_frame(PROGRAMS, many(3)), *PICTURE[1:])
            text = self.read()
            self.assertNotIn("the recording ends", text)
            self.assertIn("p0002", text)
            self.press(b"q")

        def broken(recorder: Recorder, member: bytes) -> None:
            recorder._fail("no space")

        wanted = replace(NODES_WANTED, record=path)
        self.assertEqual((0, ""), self.run_with(meanwhile, wanted))
        recording = Recording(path)
        self.addCleanup(recording.close)
        self.assertEqual(1, len(recording))

    def test_of_no_use(self) -> None:
        """Neither a file that cannot be written nor one of something else is begun.

        The terminal is not touched then.
        """
        for wanted in (
            replace(NODES_WANTED, record="/nonexistent/x"),
            replace(NODES_WANTED, target=None, replay="/dev/null"),
        ):
            self.assertRaises(
                ConfigError,
                main.show,
                Staged(lambda reactor: None),
                wanted,
                self.environ,
                open_tty=lambda: self.fail("it opened the terminal"),
            )
