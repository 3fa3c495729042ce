"""What the terminal shows after the bytes that were painted."""

from __future__ import annotations

import re
from dataclasses import replace

import pyte.screens
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from wcwidth import wcwidth

from connmon.console.ansi import Depth, Painter
from connmon.console.place import Place, Screen
from connmon.console.text import ASCII, Line, Style, width
from connmon.console.views import Shown, State, lines
from connmon.views.schema import PROGRAMS
from tests.console.fakes import AS_FOUND, TAKEN_OVER, Emulator, plain
from tests.console.frames import FRAMES, any_shown

# Not shrunk: with an emulator in the loop that takes minutes.
QUICK = settings(deadline=None, max_examples=60, database=None, phases=[Phase.generate])

ALLOWED = re.compile(
    rb"\x1b\[\d+;\d+H"  # go to
    rb"|\x1b\[2[JK]"  # erase
    rb"|\x1b\[[0-9;]+m"  # looks
    rb"|\x1b\[\?(?:7|25|1049|2004|2026)[hl]"  # modes
    rb"|\x18"
)


def unsynchronised(data: bytes) -> bytes:
    """Return output without what has it appear at once."""
    return data.removeprefix(b"\x1b[?2026h").removesuffix(b"\x1b[?2026l")


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
        self.paint(line("first", Style.CRIT), line("second"))
        self.assertEqual("000000", self.terminal.screen.buffer[0][0].fg)
        self.assertEqual("default", self.terminal.screen.buffer[0][5].bg)

    def test_a_segment(self) -> None:
        """Of a line that stays as wide, only the segments that differ are written."""
        before: Line = (
            (Style.TITLE, "name"),
            (Style.PLAIN, "  1"),
            (Style.QUIET, "  x"),
        )
        self.paint(before, line("second"))
        data = self.paint(
            (*before[:1], (Style.WARN, " 22"), *before[2:]), line("second")
        )
        self.assertEqual(b"\x1b[1;5H\x1b[1;38;5;166m 22\x1b[0m", unsynchronised(data))
        self.assertEqual("name 22  x", self.terminal.rows()[0])

    def test_other_segments(self) -> None:
        """They need not begin where those before them began."""
        self.paint(((Style.PLAIN, "ab"), (Style.TITLE, "cdef")))
        self.paint(((Style.PLAIN, "abc"), (Style.TITLE, "d"), (Style.PLAIN, "ef")))
        self.assertEqual("abcdef", self.terminal.rows()[0])
        looks = [self.terminal.screen.buffer[0][x].bold for x in range(6)]
        self.assertEqual([False, False, False, True, False, False], looks)

    def test_neighbours_share_their_looks(self) -> None:
        """Looks are switched only where they change."""
        data = self.paint(((Style.WARN, "a"), (Style.WARN, "b"), (Style.PLAIN, "c")))
        self.assertIn(b"\x1b[1;38;5;166mab\x1b[0mc", data)

    def test_erasing_is_plain(self) -> None:
        """No line is erased in the colours of the one before it."""
        self.paint(line("x" * 20, Style.SELECTED), line("y"))
        self.assertEqual("default", self.terminal.screen.buffer[1][9].bg)

    def test_blanks_cost_little(self) -> None:
        """On an erased line long blanks are passed over, but not in other looks."""
        data = self.paint(((Style.PLAIN, " " * 12), (Style.PLAIN, "x")))
        self.assertNotIn(b"  ", data)
        self.assertEqual(" " * 12 + "x", self.terminal.rows()[0])
        self.assertIn(b" " * 12, self.paint(line(" " * 12, Style.SELECTED)))

    def test_beyond_the_window(self) -> None:
        """What does not begin within the window is not written."""
        data = self.paint(line("x" * 20), ((Style.PLAIN, "y" * 20), (Style.TITLE, "z")))
        self.assertNotIn(b"z", data)

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
            self.assertEqual(colour, re.search(rb"[;\[][34][0-9]", data) is not None)
            self.assertRegex(data, rb"[;\[]7m")
            self.assertRegex(data, rb"\x1b\[1[;m]")

    def test_sixteen(self) -> None:
        """Nobody knows how the sixteen look: they come in pairs, or not at all."""
        drawn = [line("x", style) for style in Style]
        data = Painter(Depth.SIXTEEN).paint(drawn, 20, len(drawn))
        looks = re.findall(rb"\x1b\[([0-9;]*)m", data)
        for look in looks:
            numbers = [int(each) for each in look.split(b";")]
            inks = [each for each in numbers if 30 <= each < 40]
            papers = [each for each in numbers if 40 <= each < 50]
            self.assertEqual(len(inks), len(papers), look)
        self.assertTrue(any(b"41" in look for look in looks))

    def test_what_is_wrong_is_no_mere_hue(self) -> None:
        """It differs from plain text, and from one another, in more than a colour."""
        for depth in Depth:
            looks = {}
            for style in (Style.PLAIN, Style.WARN, Style.CRIT, Style.SELECTED):
                terminal = Emulator(20, 1)
                terminal.feed(Painter(depth).paint([line("x", style)], 20, 1))
                cell = terminal.screen.buffer[0][0]
                filled = cell.reverse or cell.bg != "default"
                looks[style] = (cell.bold, filled)
            self.assertEqual((False, False), looks[Style.PLAIN])
            self.assertEqual((True, False), looks[Style.WARN])
            self.assertTrue(looks[Style.CRIT][1])
            self.assertTrue(looks[Style.SELECTED][1])


class ModeTests(SynchronousTestCase):
    """``enter`` and ``leave``."""

    def test_there_and_back(self) -> None:
        """The modes after leaving are those before entering."""
        painter = Painter(Depth.MANY)
        terminal = Emulator(20, 3)
        self.assertEqual(AS_FOUND, terminal.modes())
        terminal.feed(painter.enter())
        self.assertEqual(TAKEN_OVER, terminal.modes())
        terminal.feed(painter.paint([line("x", Style.CRIT)], 20, 3))
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


def ambiguous(char: str) -> int:
    """Return how wide a terminal takes a character that takes the disputed for wide."""
    return 2 if not char.isascii() and wcwidth(char) == 1 else wcwidth(char)


TEXTS = st.text("ab \u2501\u2578\u2026\u65e5", max_size=6)
SEGMENTS = st.tuples(st.sampled_from(Style), TEXTS)
ROW = st.lists(SEGMENTS, max_size=6).map(tuple)


def fitting(drawn: Line, cells: int) -> Line:
    """Return the first segments of a line that fit."""
    kept: list[tuple[Style, str]] = []
    for segment in drawn:
        cells -= width(segment[1])
        if cells < 0:
            break
        kept.append(segment)
    return tuple(kept)


class WalkTests(SynchronousTestCase):
    """Frames after one another end in the same screen as the last one alone."""

    def walk(self, screens: list[list[Line]], depth: Depth, across: int) -> Emulator:
        """Paint one after the other and the last one alone; both must look alike."""
        height = len(screens[0])
        painter, afresh = Painter(depth), Painter(depth)
        walked, direct = Emulator(across, height), Emulator(across, height)
        walked.feed(painter.enter())
        for drawn in screens:
            data = painter.paint(drawn, across, height)
            self.assertNotIn(b"\x1b", ALLOWED.sub(b"", data))
            walked.feed(data)
        direct.feed(afresh.enter() + afresh.paint(screens[-1], across, height))
        self.assertEqual(direct.cells(), walked.cells())
        return walked

    @QUICK
    @given(
        st.lists(any_shown(), min_size=1, max_size=4),
        st.integers(1, 120),
        st.integers(1, 20),
        st.sampled_from(Depth),
    )
    def test_screens(
        self, steps: list[Shown], across: int, height: int, depth: Depth
    ) -> None:
        """The difference painted is the difference there is, and nothing is unknown."""
        screens = [lines(shown, across, height) for shown in steps]
        walked = self.walk(screens, depth, across)
        self.assertEqual(plain(screens[-1]), walked.rows())

    @QUICK
    @given(st.lists(st.lists(ROW, min_size=3, max_size=3), min_size=1, max_size=6))
    def test_any_lines(self, screens: list[list[Line]]) -> None:
        """So it is with lines that have most of their segments in common."""
        self.walk(
            [[fitting(drawn, 20) for drawn in each] for each in screens], Depth.MANY, 20
        )

    @QUICK
    @given(
        st.lists(any_shown(), min_size=2, max_size=4),
        st.lists(st.lists(ROW, min_size=3, max_size=3), min_size=2, max_size=6),
    )
    def test_disputed_widths(
        self, steps: list[Shown], screens: list[list[Line]]
    ) -> None:
        """A terminal with other ideas of widths is left with nothing old either."""
        self.patch(pyte.screens, "wcwidth", ambiguous)
        self.walk([lines(shown, 60, 12) for shown in steps], Depth.MONO, 60)
        self.walk(
            [[fitting(drawn, 20) for drawn in each] for each in screens], Depth.MANY, 20
        )

    def test_a_second_costs_little(self) -> None:
        """Of a screen on which a figure and the clock move, little is written."""
        frame = FRAMES[PROGRAMS]
        row = list(frame.rows[7])
        row[frame.fields.index("ckout")] = 77
        moved = replace(frame, rows=(*frame.rows[:7], tuple(row), *frame.rows[8:]))
        painter = Painter(Depth.MANY)
        screen = Screen((Place(PROGRAMS),))
        sizes = [
            len(painter.paint(lines(shown, 160, 40), 160, 40))
            for shown in (
                Shown(screen, frame, State.LIVE, clock="14:02:31"),
                Shown(screen, moved, State.LIVE, clock="14:02:32"),
            )
        ]
        self.assertLess(sizes[1], 100)
        self.assertLess(sizes[0], 12_000)

    def test_only_known_sequences(self) -> None:
        """Entering and leaving use no sequences but the known ones either."""
        for depth in Depth:
            painter = Painter(depth)
            screen = Screen((Place(PROGRAMS),))
            shown = Shown(screen, FRAMES[PROGRAMS], State.LOST, "lost", "[::1]:5800")
            data = painter.enter() + painter.leave() + painter.enter()
            for across in (80, 160):
                data += painter.paint(lines(shown, across, 24), across, 24)
                shown = replace(shown, state=State.LIVE)
            rest = ALLOWED.sub(b"", data + painter.leave())
            self.assertTrue(rest.decode().isprintable())
