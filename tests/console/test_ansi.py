"""What the terminal shows after the bytes that were painted."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.console.ansi import Depth, Painter
from connmon.console.text import ASCII, Line, Style
from connmon.console.views import Shown, State, lines
from connmon.model.summary import Frame
from tests.console.fakes import (
    AS_FOUND,
    FRAMES,
    NASTY,
    TAKEN_OVER,
    Emulator,
    a_frame,
    many_programs,
    plain,
)

# Not shrunk: with an emulator in the loop that takes minutes.
QUICK = settings(deadline=None, max_examples=60, database=None, phases=[Phase.generate])

ALLOWED = re.compile(
    rb"\x1b\[\d+;\d+H"  # go to
    rb"|\x1b\[2[JK]"  # erase
    rb"|\x1b\[[0-9;]+m"  # looks
    rb"|\x1b\[\?(?:7|25|1049|2004|2026)[hl]"  # modes
    rb"|\x18"
)


def line(text: str, style: Style = Style.PLAIN) -> Line:
    """Return a line of one segment."""
    return ((style, text),)


class PaintTests(SynchronousTestCase):
    """``paint`` writes what has changed."""

    def setUp(self) -> None:
        """Begin with a terminal of 20 by 3 that shows two lines."""
        self.painter = Painter(Depth.MANY)
        self.terminal = Emulator(20, 3)
        self.terminal.feed(self.painter.enter())
        self.paint(line("first"), line("second"))

    def paint(self, *drawn: Line) -> bytes:
        """Paint lines, and return the bytes that took."""
        data = self.painter.paint(drawn, 20, 3)
        self.terminal.feed(data)
        return data

    def test_first(self) -> None:
        """The first frame covers the screen."""
        self.assertEqual(["first", "second", ""], self.terminal.rows())

    def test_no_change(self) -> None:
        """The same frame again costs nothing."""
        self.assertEqual(b"", self.paint(line("first"), line("second")))

    def test_one_line(self) -> None:
        """Only a line that has changed is written, and what it was is erased."""
        data = self.paint(line("first"), line("x"))
        self.assertNotIn(b"first", data)
        self.assertEqual(["first", "x", ""], self.terminal.rows())

    def test_looks_alone(self) -> None:
        """A line whose looks have changed is written as well."""
        self.paint(line("first", Style.ALERT), line("second"))
        self.assertEqual("000000", self.terminal.screen.buffer[0][0].fg)
        self.assertEqual("default", self.terminal.screen.buffer[0][5].bg)

    def test_another_size(self) -> None:
        """In another size everything is written."""
        self.terminal.resize(10, 2)
        self.terminal.feed(self.painter.paint([line("first"), line("second")], 10, 2))
        self.assertEqual(["first", "second"], self.terminal.rows())

    def test_forget(self) -> None:
        """What another program wrote over goes with the next frame, if asked."""
        self.terminal.feed(b"\x1b[3;1Hrubbish")
        self.painter.forget()
        self.paint(line("first"), line("second"))
        self.assertEqual(["first", "second", ""], self.terminal.rows())

    def test_all_at_once(self) -> None:
        """A frame appears as a whole, where the terminal can do that."""
        data = self.paint(line("x"))
        self.assertTrue(data.startswith(b"\x1b[?2026h"))
        self.assertTrue(data.endswith(b"\x1b[?2026l"))
        self.assertEqual(TAKEN_OVER, self.terminal.modes())

    def test_not_at_once(self) -> None:
        """The Linux console is spared that."""
        painter = Painter(Depth.SIXTEEN, ASCII, synchronised=False)
        data = painter.enter() + painter.paint([line("x")], 20, 3) + painter.leave()
        self.assertNotIn(b"2026", data)

    def test_a_dispute_over_widths_spoils_one_segment(self) -> None:
        """What follows text beyond ASCII is put in its place by position."""
        drawn: Line = ((Style.PLAIN, "é…"), (Style.TITLE, "next"))
        self.assertIn(b"\xe2\x80\xa6\x1b[1;3H", self.paint(drawn))

    def test_the_last_column(self) -> None:
        """A full line neither wraps nor loses its last cell."""
        self.paint(line("x" * 20), line("y" * 20), line("z" * 20))
        rows = ["x" * 20, "y" * 20, "z" * 20]
        self.assertEqual(rows, self.terminal.rows())

    def test_too_many_lines(self) -> None:
        """Lines below the window are not written."""
        self.assertNotIn(b"fourth", self.paint(*map(line, ("a", "b", "c", "fourth"))))

    def test_ascii(self) -> None:
        """With ASCII glyphs no other byte is written, whatever the lines say."""
        painter = Painter(Depth.MONO, ASCII)
        self.assertTrue(painter.paint([line("Zürich…")], 20, 3).isascii())

    def test_the_last_door(self) -> None:
        """A control character that got this far does not get out."""
        self.paint(line("a\x1b[2Jb\x9b\ud800"))
        self.assertEqual("a?[2Jb??", self.terminal.rows()[0])

    def test_monochrome(self) -> None:
        """Without colours bold and reverse stay, and no colour is asked for."""
        for depth, colour in ((Depth.MONO, False), (Depth.MANY, True)):
            drawn = [line("x", style) for style in Style]
            data = Painter(depth).paint(drawn, 20, len(drawn))
            self.assertEqual(colour, re.search(rb"[;\[][34]8;5", data) is not None)
            self.assertIn(b"\x1b[7m", data)


class ModeTests(SynchronousTestCase):
    """``enter`` and ``leave``."""

    def test_there_and_back(self) -> None:
        """The modes after leaving are those before entering."""
        painter = Painter(Depth.MANY)
        terminal = Emulator(20, 3)
        self.assertEqual(AS_FOUND, terminal.modes())
        terminal.feed(painter.enter())
        self.assertEqual(TAKEN_OVER, terminal.modes())
        terminal.feed(painter.paint([line("x", Style.ALERT)], 20, 3))
        terminal.feed(painter.leave())
        self.assertEqual(AS_FOUND, terminal.modes())
        self.assertEqual("default", terminal.screen.cursor.attrs.bg)

    def test_leave_ends_what_was_half_written(self) -> None:
        """The first byte of leaving cancels a sequence that was cut off."""
        self.assertEqual(b"\x18", Painter(Depth.MONO).leave()[:1])

    def test_enter_forgets(self) -> None:
        """After coming back everything is drawn."""
        painter = Painter(Depth.MONO)
        for _ in range(2):
            painter.enter()
            self.assertIn(b"x", painter.paint([line("x")], 20, 3))
            painter.leave()


FRAME = a_frame(many_programs())
STEPS = st.lists(
    st.tuples(
        st.one_of(st.just(FRAME), FRAMES),
        st.sampled_from(State),
        st.one_of(st.just(""), NASTY),
        st.integers(0, 30),
    ),
    min_size=1,
    max_size=5,
)


class WalkTests(SynchronousTestCase):
    """Frames after one another end in the same screen as the last one alone."""

    @QUICK
    @given(STEPS, st.integers(1, 120), st.integers(1, 20), st.sampled_from(Depth))
    def test_incremental(
        self,
        steps: list[tuple[Frame, State, str, int]],
        width: int,
        height: int,
        depth: Depth,
    ) -> None:
        """The difference painted is the difference there is, and nothing is unknown."""
        painter = Painter(depth)
        walked, direct = Emulator(width, height), Emulator(width, height)
        walked.feed(painter.enter())
        drawn: list[Line] = []
        for frame, state, message, offset in steps:
            shown = Shown(frame, state, message, "[::1]:5800", "14:02:31", offset)
            drawn = lines(shown, width, height)
            data = painter.paint(drawn, width, height)
            self.assertNotIn(b"\x1b", ALLOWED.sub(b"", data))
            walked.feed(data)
        afresh = Painter(depth)
        direct.feed(afresh.enter() + afresh.paint(drawn, width, height))
        self.assertEqual(direct.cells(), walked.cells())
        self.assertEqual(plain(drawn), walked.rows())

    def test_only_known_sequences(self) -> None:
        """Entering and leaving use no sequences but the known ones either."""
        for depth in Depth:
            painter = Painter(depth)
            shown = Shown(FRAME, State.LOST, "lost", "[::1]:5800", "14:02:31")
            data = painter.enter() + painter.leave() + painter.enter()
            for width in (80, 160):
                data += painter.paint(lines(shown, width, 24), width, 24)
                shown = replace(shown, state=State.LIVE)
            rest = ALLOWED.sub(b"", data + painter.leave())
            self.assertTrue(rest.decode().isprintable())
