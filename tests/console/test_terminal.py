"""The terminal is taken over and given back, on every way out.

``TerminalTests`` drive a ``Terminal`` on a real pty by hand, with a reactor that does
nothing by itself. ``PtyTests`` and ``ShellTests`` run a small program in a session of
its own, as a terminal window does, and read what an emulator shows.
"""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.error import ProcessDone
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

import tests
from connmon.console.ansi import Depth, Painter
from connmon.console.preferences import THEMES
from connmon.console.terminal import (
    Process,
    Terminal,
    depth,
    glyphs,
    interactive,
)
from connmon.console.text import ASCII, UNICODE, Style
from connmon.errors import ConfigError
from tests.console.fakes import (
    AS_FOUND,
    TAKEN_OVER,
    Emulator,
    FakeProcess,
    FakeReactor,
    set_size,
)

PATIENCE = 60
"""Seconds after which what a test waits for will not come any more."""


class ChoiceTests(SynchronousTestCase):
    """What the environment says about the terminal."""

    def test_interactive(self) -> None:
        """A screen needs a terminal on both sides, and one that can do something."""
        xterm = {"TERM": "xterm"}
        self.assertTrue(interactive(xterm, True, True))
        self.assertFalse(interactive(xterm, False, True))
        self.assertFalse(interactive(xterm, True, False))
        for environ in ({}, {"TERM": ""}, {"TERM": "dumb"}):
            self.assertFalse(interactive(environ, True, True))

    def test_depth(self) -> None:
        """Colours are many, sixteen, or none."""
        for environ, expected in (
            ({"TERM": "xterm-256color"}, Depth.MANY),
            ({"TERM": "xterm-direct"}, Depth.MANY),
            ({"TERM": "xterm", "COLORTERM": "truecolor"}, Depth.MANY),
            ({"TERM": "xterm"}, Depth.SIXTEEN),
            ({"TERM": "linux"}, Depth.SIXTEEN),
            ({"TERM": "vt220"}, Depth.MONO),
            ({"TERM": "xterm-256color", "NO_COLOR": "1"}, Depth.MONO),
            ({"TERM": "xterm-256color", "NO_COLOR": ""}, Depth.MANY),
        ):
            self.assertIs(expected, depth(environ), environ)

    def test_depth_as_it_is_asked_for(self) -> None:
        """``--color`` first, then NO_COLOR, then the theme, then the terminal."""
        plain = {"TERM": "xterm-256color"}
        asked_not = {**plain, "NO_COLOR": "1"}
        for environ, theme, color, expected in (
            (plain, "sixteen", "auto", Depth.SIXTEEN),
            (plain, "mono", "auto", Depth.MONO),
            ({"TERM": "xterm"}, "many", "auto", Depth.MANY),
            ({"TERM": "vt220"}, "sixteen", "auto", Depth.SIXTEEN),
            (asked_not, "many", "auto", Depth.MONO),
            (asked_not, "auto", "always", Depth.MANY),
            (asked_not, "sixteen", "always", Depth.SIXTEEN),
            ({"TERM": "vt220"}, "auto", "always", Depth.SIXTEEN),
            (plain, "many", "never", Depth.MONO),
            (plain, "auto", "never", Depth.MONO),
        ):
            found = depth(environ, theme, color)
            self.assertIs(expected, found, (environ, theme, color))

    def test_themes(self) -> None:
        """Each that can be kept has colours of its own, but for ``auto``."""
        found = {theme: depth({"TERM": "xterm"}, theme) for theme in THEMES}
        self.assertEqual(
            {
                "auto": Depth.SIXTEEN,
                "many": Depth.MANY,
                "sixteen": Depth.SIXTEEN,
                "mono": Depth.MONO,
            },
            found,
        )

    def test_glyphs(self) -> None:
        """Only a UTF-8 locale has more than ASCII, and the first setting counts."""
        for environ, expected in (
            ({"LANG": "de_DE.UTF-8"}, UNICODE),
            ({"LANG": "C.utf8"}, UNICODE),
            ({"LANG": "de_DE.UTF-8", "LC_ALL": "C"}, ASCII),
            ({"LANG": "de_DE.ISO-8859-1", "LC_CTYPE": "C.UTF-8"}, UNICODE),
            ({"LANG": "de_DE.UTF-8", "LC_ALL": ""}, UNICODE),
            ({"LANG": "C.UTF-8", "TERM": "linux"}, ASCII),
            ({}, ASCII),
        ):
            self.assertIs(expected, glyphs(environ), environ)


class Stage:
    """A terminal window with a ``Terminal`` in it, driven by hand."""

    def __init__(self, test: SynchronousTestCase) -> None:
        """Open a pty of 40 by 10."""
        self.master, self.slave = pty.openpty()
        set_size(self.slave, 40, 10)
        self.found = termios.tcgetattr(self.slave)
        self.emulator = Emulator(40, 10)
        self.reactor = FakeReactor()
        self.process = FakeProcess(self.asleep)
        self.keys: list[str] = []
        self.sizes: list[tuple[int, int]] = []
        self.statuses: list[int] = []
        self.while_asleep: list[object] = []
        self.text = "hello"
        self.written = b""
        self.terminal = Terminal(
            self.reactor,
            Painter(Depth.MANY),
            on_key=self.pressed,
            on_resize=self.resized,
            on_exit=self.statuses.append,
            open_tty=lambda: os.dup(self.slave),
            process=self.process,
        )
        test.addCleanup(self.close)

    def run(self) -> Stage:
        """Start, and let the reactor run."""
        self.terminal.start()
        self.reactor.run()
        return self

    def close(self) -> None:
        """Leave nothing open."""
        self.terminal.restore()
        for fd in (self.master, self.slave):
            if fd >= 0:
                os.close(fd)

    def draw(self) -> None:
        """Draw the text."""
        self.terminal.draw([((Style.PLAIN, self.text),)])

    def pressed(self, key: str) -> None:
        """Keep the key; three of them do something."""
        self.keys.append(key)
        if key == "q":
            self.terminal.stop(0)
        if key == "x":
            raise RuntimeError("as asked for")

    def resized(self, width: int, height: int) -> None:
        """Keep the size, and draw."""
        self.sizes.append((width, height))
        self.emulator.resize(width, height)
        self.draw()

    def asleep(self) -> None:
        """Keep what is found while the process is stopped."""
        self.until(lambda: self.emulator.modes() == AS_FOUND)
        self.while_asleep.append(termios.tcgetattr(self.slave) == self.found)
        self.text = "back"

    def read(self) -> None:
        """Feed the emulator with what there is."""
        if select.select([self.master], [], [], 0.05)[0]:
            data = os.read(self.master, 65536)
            self.written += data
            self.emulator.feed(data)

    def until(self, reached: Callable[[], bool]) -> None:
        """Let the terminal write until something is so."""
        deadline = time.monotonic() + PATIENCE
        while not reached():
            assert time.monotonic() < deadline, self.emulator.rows()
            for writer in list(self.reactor.getWriters()):
                writer.doWrite()
            self.read()

    def shows(self, text: str) -> None:
        """Wait until the first row is this one and no writing is left to do."""
        self.until(
            lambda: self.emulator.rows()[0] == text and not self.reactor.getWriters()
        )

    def type(self, data: bytes) -> None:
        """Press keys, and let the terminal read them all at once."""
        os.write(self.master, data)
        (reader,) = self.reactor.getReaders()
        assert select.select([self.slave], [], [], PATIENCE)[0]
        reader.doRead()

    def signal(self, number: int) -> None:
        """Send a signal."""
        assert self.process.heard is not None
        self.process.heard(number)

    def modes(self) -> list[Any]:
        """Return how the terminal is set."""
        return termios.tcgetattr(self.slave)

    def given_back(self) -> bool:
        """Whether nothing is left of the screen."""
        self.until(lambda: self.emulator.modes() == AS_FOUND)
        return (
            self.modes() == self.found
            and not self.reactor.getReaders()
            and not self.reactor.getWriters()
            and not self.reactor.getDelayedCalls()
            and self.process.heard is None
            and os.get_blocking(self.slave)
        )


class TerminalTests(SynchronousTestCase):
    """A ``Terminal``, step by step."""

    def test_not_before_the_reactor_runs(self) -> None:
        """Starting touches nothing until the reactor runs."""
        stage = Stage(self)
        stage.terminal.start()
        self.assertEqual(stage.found, stage.modes())
        self.assertIs(None, stage.process.heard)
        stage.terminal.restore()
        stage.reactor.run()
        self.assertEqual((stage.found, []), (stage.modes(), stage.sizes))

    def test_taken_over(self) -> None:
        """The screen is ours, keys come singly, and ^C and ^Z are still signals."""
        stage = Stage(self).run()
        stage.shows("hello")
        self.assertEqual(TAKEN_OVER, stage.emulator.modes())
        self.assertEqual([(40, 10)], stage.sizes)
        flags = stage.modes()[3]
        self.assertFalse(flags & (termios.ICANON | termios.ECHO | termios.IEXTEN))
        self.assertTrue(flags & termios.ISIG)
        self.assertEqual(b"\0", stage.modes()[6][termios.VQUIT])

    def test_stop(self) -> None:
        """Stopping gives everything back, and tells the status once."""
        stage = Stage(self).run()
        stage.shows("hello")
        stage.terminal.stop(5)
        stage.terminal.stop(6)
        self.assertEqual([5], stage.statuses)
        self.assertTrue(stage.given_back())

    def test_stop_before_anything_was_written(self) -> None:
        """What was not written when the screen ends is never written."""
        stage = Stage(self).run()
        stage.terminal.stop(0)
        self.assertTrue(stage.given_back())
        self.assertNotIn(b"hello", stage.written)

    def test_shutdown(self) -> None:
        """A reactor that stops for other reasons gives the terminal back first."""
        stage = Stage(self).run()
        stage.shows("hello")
        for function, args, kwargs in stage.reactor.triggers["before"]["shutdown"]:
            function(*args, **kwargs)
        self.assertTrue(stage.given_back())
        self.assertEqual([], stage.statuses)

    def test_keys(self) -> None:
        """Keys are told by name."""
        stage = Stage(self).run()
        stage.type(b"j\x1b[A\x1b[6~")
        self.assertEqual(["j", "Up", "PgDn"], stage.keys)

    def test_escape(self) -> None:
        """Esc is told after a pause, unless something follows it."""
        stage = Stage(self).run()
        stage.type(b"\x1b")
        stage.reactor.advance(0.04)
        self.assertEqual([], stage.keys)
        stage.reactor.advance(0.02)
        self.assertEqual(["Esc"], stage.keys)
        stage.type(b"\x1b")
        stage.type(b"[A")
        stage.reactor.advance(1)
        self.assertEqual(["Esc", "Up"], stage.keys)

    def test_keys_after_the_end(self) -> None:
        """Keys behind the one that ended it all are not told."""
        stage = Stage(self).run()
        stage.type(b"qj\x1b")
        self.assertEqual((["q"], [0]), (stage.keys, stage.statuses))
        self.assertTrue(stage.given_back())

    def test_end_within_a_turn(self) -> None:
        """A key that ends it all stops a write that is due in the same turn."""
        stage = Stage(self).run()
        (writer,) = stage.reactor.getWriters()
        stage.type(b"q")
        self.assertIs(None, writer.doWrite())
        self.assertIs(None, writer.doRead())
        self.assertTrue(stage.given_back())

    def test_end_amid_a_sequence(self) -> None:
        """Half a key is forgotten with the screen."""
        stage = Stage(self).run()
        stage.type(b"\x1b")
        stage.terminal.stop(0)
        self.assertTrue(stage.given_back())

    def test_signals(self) -> None:
        """Each signal that ends a process gives the terminal back; it has a status."""
        for number, status in (
            (signal.SIGINT, 0),
            (signal.SIGTERM, 143),
            (signal.SIGHUP, 129),
            (signal.SIGQUIT, 131),
        ):
            stage = Stage(self).run()
            stage.signal(number)
            self.assertEqual([status], stage.statuses)
            self.assertTrue(stage.given_back())

    def test_error_in_a_key(self) -> None:
        """An error of ours ends the screen, and is logged."""
        stage = Stage(self).run()
        stage.type(b"xj")
        self.assertEqual((["x"], [1]), (stage.keys, stage.statuses))
        self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))
        self.assertTrue(stage.given_back())

    def test_error_in_drawing(self) -> None:
        """So does an error in what draws."""
        stage = Stage(self)
        stage.text = 5  # type: ignore[assignment]
        stage.run()
        self.assertEqual([1], stage.statuses)
        self.assertEqual(1, len(self.flushLoggedErrors(AttributeError)))
        self.assertTrue(stage.given_back())

    def test_lost(self) -> None:
        """A terminal that is gone ends the screen as a hangup does."""
        stage = Stage(self).run()
        (reader,) = stage.reactor.getReaders()
        os.close(stage.master)
        stage.master = -1
        why = reader.doRead()
        reader.connectionLost(Failure(why))
        self.assertEqual([129], stage.statuses)
        self.assertEqual([], stage.reactor.getReaders())

    def test_window_changed(self) -> None:
        """A new size is told; so is one that was another for a moment only."""
        stage = Stage(self).run()
        stage.shows("hello")
        set_size(stage.slave, 30, 8)
        stage.signal(signal.SIGWINCH)
        stage.shows("hello")
        stage.emulator.feed(b"\x1b[2J")
        stage.signal(signal.SIGWINCH)
        stage.shows("hello")
        self.assertEqual([(40, 10), (30, 8), (30, 8)], stage.sizes)

    def test_window_changed_in_silence(self) -> None:
        """A new size is noticed while drawing, where no signal tells of it."""
        stage = Stage(self).run()
        stage.shows("hello")
        set_size(stage.slave, 30, 8)
        stage.text = "smaller"
        stage.draw()
        stage.shows("smaller")
        self.assertEqual([(40, 10), (30, 8)], stage.sizes)

    def test_no_size(self) -> None:
        """A line without a size is taken for 80 by 24."""
        stage = Stage(self)
        set_size(stage.slave, 0, 0)
        stage.run()
        self.assertEqual([(80, 24)], stage.sizes)

    def test_stalled(self) -> None:
        """While nothing can be written only the newest frame is kept."""
        stage = Stage(self).run()
        for number in range(50):
            stage.text = f"frame {number}"
            stage.draw()
        stage.shows("frame 49")
        self.assertNotIn(b"frame", stage.written.replace(b"frame 49", b""))

    def test_nothing_new(self) -> None:
        """The same frame is not written again, and does not hold up the next."""
        stage = Stage(self).run()
        stage.shows("hello")
        stage.draw()
        self.assertEqual([], stage.reactor.getWriters())
        stage.text = "next"
        stage.draw()
        stage.shows("next")

    def test_redraw(self) -> None:
        """A screen that others wrote on can be drawn anew."""
        stage = Stage(self).run()
        stage.shows("hello")
        stage.emulator.feed(b"\x1b[1;1Hrubbish")
        stage.terminal.redraw()
        stage.shows("hello")

    def test_repaint(self) -> None:
        """Another painter draws everything anew, and takes its leave in the end."""
        stage = Stage(self).run()
        stage.shows("hello")
        stage.emulator.feed(b"\x1b[1;1Hrubbish")
        stage.terminal.repaint(Painter(Depth.MONO, ASCII, False))
        stage.shows("hello")
        before = len(stage.written)
        stage.text = "next"
        stage.draw()
        stage.shows("next")
        self.assertNotIn(b"2026", stage.written[before:])
        stage.terminal.stop(0)
        self.assertTrue(stage.given_back())

    def test_suspended(self) -> None:
        """While stopped the terminal is as found; afterwards all is drawn again."""
        stage = Stage(self).run()
        stage.shows("hello")
        stage.signal(signal.SIGTSTP)
        stage.shows("back")
        self.assertEqual([True], stage.while_asleep)
        self.assertEqual(TAKEN_OVER, stage.emulator.modes())
        self.assertEqual([(40, 10), (40, 10)], stage.sizes)
        stage.terminal.stop(0)
        self.assertTrue(stage.given_back())

    def test_modes_changed_while_suspended(self) -> None:
        """What the user set meanwhile is what is given back in the end."""
        stage = Stage(self).run()

        def changed() -> None:
            stage.asleep()
            stage.found[0] ^= termios.IXANY
            termios.tcsetattr(stage.slave, termios.TCSANOW, stage.found)

        stage.process._asleep = changed
        stage.signal(signal.SIGTSTP)
        stage.terminal.stop(0)
        self.assertTrue(stage.given_back())

    def test_continued(self) -> None:
        """After a stop that nobody could prepare for, everything is set again."""
        stage = Stage(self).run()
        stage.shows("hello")
        raw = stage.modes()
        termios.tcsetattr(stage.slave, termios.TCSANOW, stage.found)
        stage.emulator.feed(b"\x1b[?1049l\x1b[?25h\x1b[1;1H$ fg")
        stage.signal(signal.SIGCONT)
        stage.shows("hello")
        self.assertEqual(TAKEN_OVER, stage.emulator.modes())
        self.assertEqual(raw, stage.modes())
        stage.terminal.stop(0)
        self.assertTrue(stage.given_back())

    def test_errors_come_last(self) -> None:
        """What was written to standard error is shown afterwards, and harmless."""
        stage = Stage(self).run()
        stage.shows("hello")
        stage.process.errors = "one\ntwo?\n"
        stage.terminal.stop(0)
        self.assertTrue(stage.given_back())
        stage.until(lambda: stage.written.endswith(b"\x1b[?1049lone\r\ntwo?\r\n"))

    def test_given_back_though_stalled(self) -> None:
        """A terminal that takes nothing is given back within a good second."""
        stage = Stage(self).run()
        stage.shows("hello")
        os.set_blocking(stage.slave, False)
        while select.select([], [stage.slave], [], 0.1)[1]:
            os.write(stage.slave, b" " * 65536)
        began = time.monotonic()
        stage.terminal.stop(0)
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(stage.found, stage.modes())
        self.assertTrue(stage.given_back())

    def test_no_terminal(self) -> None:
        """Without a terminal there is an error to be shown to the user."""

        def refuse() -> int:
            raise ConfigError("no terminal can be opened")

        terminal = Terminal(
            FakeReactor(),
            Painter(Depth.MONO),
            on_key=lambda key: None,
            on_resize=lambda width, height: None,
            on_exit=lambda status: None,
            open_tty=refuse,
        )
        self.assertRaises(ConfigError, terminal.start)
        terminal.restore()


class ProcessTests(SynchronousTestCase):
    """What is changed in the process itself is put back."""

    def test_signals(self) -> None:
        """Signals are heard, and then belong to whoever had them before."""
        process = Process()
        heard: list[int] = []
        before = signal.getsignal(signal.SIGWINCH)
        process.listen(heard.append)
        self.addCleanup(process.ignore)
        signal.raise_signal(signal.SIGWINCH)
        process.ignore()
        self.assertEqual([signal.SIGWINCH], heard)
        self.assertEqual(before, signal.getsignal(signal.SIGWINCH))


class Session(ProcessProtocol):
    """A program in a session of its own, in a window of 80 by 24."""

    def __init__(self, test: TestCase, *command: str, **environ: str) -> None:
        """Run ``command`` with Python's path set to these sources."""
        self.emulator = Emulator(80, 24)
        self.output = b""
        self.status: int | None = None
        self._waiting: tuple[Callable[[], bool], Deferred[None]] | None = None
        master, slave = pty.openpty()
        set_size(slave, 80, 24)
        self.window = os.dup(master)
        test.addCleanup(os.close, self.window)
        self.found = termios.tcgetattr(self.window)
        spawn: Any = reactor.spawnProcess  # typed without the pty that may be given
        spawn(
            self,
            command[0],
            command,
            {
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(Path(tests.__file__).parents[1]),
                "TERM": "xterm-256color",
                "LANG": "C.UTF-8",
                **environ,
            },
            usePTY=(master, slave, ""),
        )
        test.addCleanup(self.kill)

    def outReceived(self, data: bytes) -> None:
        """Show what comes."""
        self.output += data
        self.emulator.feed(data)
        self._look()

    def processEnded(self, reason: Failure) -> None:
        """Keep the exit status; a signal counts as the shell counts it."""
        value: Any = reason.value
        ended = reason.check(ProcessDone)
        self.status = 0 if ended else value.exitCode or 128 + (value.signal or 0)
        self._look()

    def _look(self) -> None:
        if self._waiting is not None and self._waiting[0]():
            _, waiting = self._waiting
            self._waiting = None
            waiting.callback(None)

    def until(self, reached: Callable[[], bool]) -> Deferred[None]:
        """Wait for output until something is so."""
        waiting: Deferred[None] = Deferred()
        self._waiting = (reached, waiting)
        self._look()
        return waiting

    def up(self) -> bool:
        """Whether the screen is up and drawn to its last line."""
        modes = self.emulator.modes()
        return modes == TAKEN_OVER and self.emulator.rows()[-1].endswith(" of 28")

    def says(self, text: str) -> Deferred[None]:
        """Wait until the window shows a text."""
        return self.until(lambda: any(text in row for row in self.emulator.rows()))

    def ended(self) -> Deferred[None]:
        """Wait for the end."""
        return self.until(lambda: self.status is not None)

    def type(self, data: bytes) -> None:
        """Press keys."""
        assert self.transport is not None
        self.transport.write(data)

    def send(self, name: str) -> None:
        """Send a signal to the program."""
        assert self.transport is not None
        number = signal.Signals[f"SIG{name}"]
        self.transport.signalProcess(number)

    def resize(self, width: int, height: int) -> None:
        """Pull at the window's corner."""
        self.emulator.resize(width, height)
        set_size(self.window, width, height)

    def kill(self) -> Deferred[None] | None:
        """Leave no process behind."""
        if self.status is not None:
            return None
        self.send("KILL")
        return self.ended()

    def given_back(self) -> bool:
        """Whether the window is as it was found."""
        modes = termios.tcgetattr(self.window)
        return modes == self.found and self.emulator.modes() == AS_FOUND


SHELL = ("bash", "--norc", "--noprofile", "-i")
PROGRAM = (sys.executable, "-m", "tests.console.program")


class PtyTests(TestCase):
    """The program alone in a window."""

    timeout = PATIENCE

    def start(self, *command: str, **environ: str) -> Session:
        """Run the program."""
        return Session(self, *(command or PROGRAM), **environ)

    @inlineCallbacks
    def leaves(self, session: Session, status: int) -> Any:
        """Wait for an end with this status and the terminal as it was found."""
        yield session.ended()
        self.assertEqual(status, session.status)
        self.assertTrue(session.given_back(), session.emulator.rows())

    @inlineCallbacks
    def test_screen(self) -> Any:
        """The whole way from a frame to the window, with a little scrolling."""
        session = self.start()
        yield session.until(session.up)
        rows = session.emulator.rows()
        self.assertTrue(rows[0].startswith("connmon default@node1"))
        self.assertTrue(rows[4].startswith("  HOST"))
        session.type(b"G")
        yield session.says("11-28 of 28")
        session.type(b"\x1b[5~")
        yield session.says("1-18 of 28")
        session.type(b"q")
        yield self.leaves(session, 0)

    @inlineCallbacks
    def test_interrupt_key(self) -> Any:
        """^C leaves with status 0."""
        session = self.start()
        yield session.until(session.up)
        session.type(b"\x03")
        yield self.leaves(session, 0)

    @inlineCallbacks
    def test_signals(self) -> Any:
        """Signals leave with the status a shell would give."""
        for name, status in (("TERM", 143), ("HUP", 129), ("QUIT", 131), ("INT", 0)):
            session = self.start()
            yield session.until(session.up)
            session.send(name)
            yield self.leaves(session, status)

    @inlineCallbacks
    def test_error(self) -> Any:
        """An error ends the screen, and is to be read afterwards."""
        session = self.start()
        yield session.until(session.up)
        session.type(b"x")
        yield self.leaves(session, 1)
        left = session.output.rindex(b"\x1b[?1049l")
        self.assertIn(b"RuntimeError: as asked for", session.output[left:])

    @inlineCallbacks
    def test_standard_error(self) -> Any:
        """What is written to standard error does not hurt the screen, nor get lost."""
        session = self.start()
        yield session.until(session.up)
        session.type(b"e")
        yield session.says("e at 80x24")
        self.assertNotIn(b"wrong", session.output)
        session.type(b"q")
        yield self.leaves(session, 0)
        self.assertIn(b"something ?[31m went wrong\r\n", session.output)

    @inlineCallbacks
    def test_reactor_stopped(self) -> Any:
        """Whoever stops the reactor, the terminal is given back."""
        session = self.start()
        yield session.until(session.up)
        session.type(b"s")
        yield self.leaves(session, 0)
        self.assertIn(b"status -1", session.output)

    @inlineCallbacks
    def test_interpreter_ends(self) -> Any:
        """The screen is left even if nothing but the interpreter's end sees to it."""
        session = self.start()
        yield session.until(session.up)
        session.type(b"z")
        yield self.leaves(session, 0)
        self.assertIn(b"status -1", session.output)

    @inlineCallbacks
    def test_window_closed(self) -> Any:
        """A window that is closed takes the program with it."""
        session = self.start()
        yield session.until(session.up)
        os.close(session.window)
        session.window = os.open(os.devnull, os.O_RDONLY)
        session.transport.loseConnection()  # type: ignore[union-attr]
        yield session.ended()
        self.assertEqual(129, session.status)

    @inlineCallbacks
    def test_resize(self) -> Any:
        """The screen follows the window, larger and smaller, down to nothing."""
        session = self.start()
        yield session.until(session.up)
        for width, height in ((160, 40), (50, 12), (80, 24)):
            session.resize(width, height)
            yield session.until(session.up)
            session.type(b"w")
            yield session.says(f"w at {width}x{height}")
        session.resize(1, 1)
        session.resize(80, 24)
        yield session.until(session.up)
        session.type(b"q")
        yield self.leaves(session, 0)

    @inlineCallbacks
    def test_suspend_without_a_shell(self) -> Any:
        """Where nobody could continue it, ^Z only draws the screen anew."""
        session = self.start()
        yield session.until(session.up)
        session.type(b"\x1a")
        yield session.until(
            lambda: session.output.count(b"\x1b[?1049h") == 2 and session.up()
        )
        session.type(b"q")
        yield self.leaves(session, 0)

    @inlineCallbacks
    def test_ascii(self) -> Any:
        """In the C locale not a byte beyond ASCII is written."""
        session = self.start(LC_ALL="C", TERM="linux")
        yield session.until(session.up)
        session.type(b"q")
        yield self.leaves(session, 0)
        self.assertTrue(session.output.isascii())
        self.assertNotIn(b"2026", session.output)

    @inlineCallbacks
    def test_no_controlling_terminal(self) -> Any:
        """Without a controlling terminal the inherited one is used, and given back."""
        session = self.start("setsid", "-w", *PROGRAM)
        yield session.until(session.up)
        session.resize(100, 30)
        session.type(b"w")
        yield session.says("w at ")
        session.type(b"w")
        yield session.says("w at 100x30")
        session.type(b"q")
        yield self.leaves(session, 0)


class ShellTests(TestCase):
    """The program as a shell's job."""

    timeout = PATIENCE

    def start(self) -> Session:
        """Run a shell."""
        session = Session(self, *SHELL, PS1="$ ", HISTFILE="")
        session.type((" ".join(PROGRAM) + "\n").encode())
        return session

    def back(self, session: Session) -> bool:
        """Whether the shell has the window (with paste mode to its own liking)."""
        return session.emulator.modes() - {2004} == AS_FOUND

    @inlineCallbacks
    def leaves(self, session: Session) -> Any:
        """Quit, and see that the shell goes on."""
        session.type(b"q")
        yield session.until(lambda: self.back(session))
        yield session.says("status 0")
        session.type(b"exit\n")
        yield session.ended()

    @inlineCallbacks
    def test_suspend(self) -> Any:
        """^Z gives the window to the shell, and fg takes it again, and again."""
        session = self.start()
        for _ in range(2):
            yield session.until(session.up)
            session.type(b"\x1a")
            yield session.until(lambda: self.back(session))
            yield session.says("Stopped")
            session.type(b"clear; fg\n")
        yield session.until(session.up)
        yield self.leaves(session)

    @inlineCallbacks
    def test_background(self) -> Any:
        """In the background it is silent; once in front it comes up by itself."""
        session = self.start()
        yield session.until(session.up)
        session.type(b"\x1a")
        yield session.says("Stopped")
        session.type(b"clear; bg; echo still h''ere\n")
        yield session.says("still here")
        self.assertTrue(self.back(session))
        session.type(b"fg\n")
        yield session.until(session.up)
        yield self.leaves(session)

    @inlineCallbacks
    def test_begun_in_the_background(self) -> Any:
        """What is started in the background waits to be called to the front."""
        session = Session(self, *SHELL, PS1="$ ", HISTFILE="")
        session.type((" ".join(PROGRAM) + " & echo still h''ere\n").encode())
        yield session.says("still here")
        session.type(b"fg\n")
        yield session.until(session.up)
        yield self.leaves(session)

    @inlineCallbacks
    def test_stopped_without_warning(self) -> Any:
        """After SIGSTOP, which cannot be prepared for, fg sets everything right."""
        session = self.start()
        yield session.until(session.up)
        os.kill(os.tcgetpgrp(session.window), signal.SIGSTOP)
        yield session.says("Stopped")
        session.type(b"fg\n")
        yield session.until(lambda: session.output.count(b"\x1b[?1049h") == 2)
        yield session.until(session.up)
        yield self.leaves(session)
