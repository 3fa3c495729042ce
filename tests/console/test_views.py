"""What the screen shows, at every size.

The golden screens are plain text, followed by the looks of each line that has any. To
accept what is drawn now, run these tests with UPDATE_GOLDEN=1 and read the difference.
"""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.console.text import ASCII, UNICODE, Line, Style
from connmon.console.views import (
    Shown,
    State,
    layout,
    lines,
    page_rows,
    per_second,
    totals,
)
from connmon.model.summary import Gauge
from tests.console.fakes import (
    FRAMES,
    NASTY,
    a_frame,
    a_row,
    departed,
    many_programs,
    plain,
    widest,
)

QUICK = settings(deadline=None, max_examples=150, database=None)

GOLDEN = Path(__file__).parent / "golden"

LIVE = Shown(
    frame=a_frame(many_programs()),
    state=State.LIVE,
    address="192.168.1.205:5800",
    clock="14:02:31",
)
LOST = replace(
    LIVE,
    state=State.LOST,
    message="lost node1 192.168.1.205:5800: connection refused; trying node2",
    offset=99,
)
CONNECTING = Shown(
    frame=None,
    state=State.CONNECTING,
    message="trying node1 192.168.1.205:5800",
    address="192.168.1.205:5800",
    clock="14:02:31",
)

SHOWN = st.builds(
    Shown,
    frame=st.one_of(st.none(), FRAMES),
    state=st.sampled_from(State),
    message=NASTY,
    address=NASTY,
    clock=NASTY,
    offset=st.integers(-5, 99),
    glyphs=st.sampled_from([UNICODE, ASCII]),
)


def portrait(drawn: list[Line]) -> str:
    """Return lines as a golden file has them."""
    looks = [
        f"{number:3} " + " ".join(f"{style.name}*{len(text)}" for style, text in line)
        for number, line in enumerate(drawn, 1)
        if any(style is not Style.PLAIN for style, _ in line)
    ]
    return "\n".join([*plain(drawn), "", "looks:", *looks, ""])


class GoldenTests(SynchronousTestCase):
    """Whole screens, to be looked at."""

    def check(self, name: str, shown: Shown, width: int, height: int) -> None:
        """Compare a screen with the file of that name."""
        drawn = portrait(lines(shown, width, height))
        path = GOLDEN / f"{name}-{width}x{height}.txt"
        if os.environ.get("UPDATE_GOLDEN"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(drawn, encoding="utf-8")
        self.assertEqual(path.read_text(encoding="utf-8"), drawn)

    def test_live(self) -> None:
        """The ordinary screen, in a small and in a large window."""
        self.check("live", LIVE, 80, 24)
        self.check("live", LIVE, 160, 40)

    def test_narrow(self) -> None:
        """A narrow window keeps who and how many are checked out."""
        self.check("live", LIVE, 50, 12)

    def test_lost(self) -> None:
        """A lost node is told, and what it said last stays, scrolled to the end."""
        self.check("lost", LOST, 80, 24)

    def test_connecting(self) -> None:
        """Before the first frame there is only what is being tried."""
        self.check("connecting", CONNECTING, 80, 24)

    def test_ascii(self) -> None:
        """The screen can do with ASCII."""
        self.check("ascii", replace(LIVE, glyphs=ASCII), 80, 24)


class LinesTests(SynchronousTestCase):
    """Single rules of the screen."""

    def test_all_nine_columns_at_eighty(self) -> None:
        """Eighty cells hold the nine columns, with rows of large numbers too."""
        row = a_row(counts=(9999, 9999, 9999), maxima=(9999, 9999, 9999), rate=9999.0)
        columns = layout([row], 80)
        self.assertEqual(9, len(columns))
        self.assertLessEqual(8, columns["progname"])

    def test_order_of_dropping(self) -> None:
        """The maxima go first; host, program and checkouts never go."""
        seen: list[list[str]] = []
        for width in range(90, 0, -1):
            names = list(layout([a_row()], width))
            if not seen or seen[-1] != names:
                seen.append(names)
        dropped = [(set(before) - set(after)).pop() for before, after in pairwise(seen)]
        self.assertEqual(
            ["maxnproc", "maxconn", "maxckout", "ckoutpersec", "nproc", "conn"], dropped
        )
        self.assertEqual(["hostname", "progname", "ckout"], seen[-1])

    def test_departed(self) -> None:
        """A program that has gone says so in a word, at every width."""
        row = departed()
        for width in range(26, 120):
            shown = replace(LIVE, frame=a_frame([a_row(), row]))
            line = lines(shown, width, 24)[5]
            self.assertIn("gone", plain([line])[0].split(), width)
            self.assertEqual(Style.GONE, line[0][0])

    def test_stale(self) -> None:
        """Figures that are no longer fresh are marked by a word."""
        for state, word in (
            (State.LIVE, "LIVE"),
            (State.LOST, "STALE"),
            (State.CONNECTING, "STALE"),
        ):
            first = plain(lines(replace(LIVE, state=state), 80, 24))[0]
            self.assertEqual(word, first.split()[-1])
        first = plain(lines(replace(LOST, frame=None), 80, 24))[0]
        self.assertEqual("LOST", first.split()[-1])

    def test_the_word_stays_longest(self) -> None:
        """Address and clock give way before the word that says how fresh it all is."""
        for width in range(5, 80):
            line = plain(lines(LOST, width, 24))[0]
            self.assertEqual("STALE", line.split()[-1], width)
        self.assertNotIn("14:02", plain(lines(LOST, 20, 24))[0])

    def test_no_programs(self) -> None:
        """An empty table says that it is empty."""
        drawn = plain(lines(replace(LIVE, frame=a_frame()), 80, 24))
        self.assertEqual("no program has reported yet", drawn[4])
        self.assertTrue(drawn[-1].endswith(" 0-0 of 0"))

    def test_the_place(self) -> None:
        """The footer says which rows are seen, and scrolling stops at the end."""
        rows = [a_row(f"host{number}") for number in range(57)]
        shown = replace(LIVE, frame=a_frame(rows))
        page = page_rows(shown, 25)
        self.assertEqual(20, page)
        for offset, first, last in ((0, 1, 20), (5, 6, 25), (99, 38, 57), (-3, 1, 20)):
            drawn = plain(lines(replace(shown, offset=offset), 80, 25))
            self.assertTrue(drawn[-1].endswith(f" {first}-{last} of 57"))
            self.assertEqual(f"host{first - 1}", drawn[4].split()[0])
            self.assertEqual(f"host{last - 1}", drawn[-2].split()[0])

    def test_rows_as_given(self) -> None:
        """Rows keep the order they are given in."""
        rows = [a_row("b", "z"), a_row("a", "y"), a_row("c", "x")]
        drawn = plain(lines(replace(LIVE, frame=a_frame(rows)), 80, 24))
        self.assertEqual(["b", "a", "c"], [line.split()[0] for line in drawn[4:7]])

    def test_scrolling_moves_nothing_sideways(self) -> None:
        """The columns' widths do not depend on which rows are in the window."""
        first = lines(LIVE, 120, 12)[3]
        self.assertEqual(first, lines(replace(LIVE, offset=20), 120, 12)[3])

    def test_low_windows(self) -> None:
        """A low window gives up the footer, then the table, not the heading."""
        drawn = plain(lines(LIVE, 80, 7))
        self.assertTrue(drawn[2].startswith("hostname"))
        self.assertEqual(4, page_rows(LIVE, 7))
        self.assertEqual("ctl1", drawn[6].split()[0])
        self.assertTrue(plain(lines(LIVE, 80, 1))[0].endswith("LIVE"))
        self.assertTrue(plain(lines(LOST, 80, 3))[2].startswith("lost node1"))

    def test_hostile_texts(self) -> None:
        """No text reaches the screen as it came."""
        bad = "a\x1b[31m\u202e\n"
        shown = Shown(
            frame=a_frame([a_row(bad, bad)], bad, bad),
            state=State.LOST,
            message=bad,
            address=bad,
            clock=bad,
        )
        text = "".join(plain(lines(shown, 160, 24)))
        self.assertTrue(text.isprintable())
        self.assertEqual(7, text.count("a?[31m??"))

    @QUICK
    @given(SHOWN, st.integers(1, 260), st.integers(1, 80))
    def test_any_size(self, shown: Shown, width: int, height: int) -> None:
        """Any frame in any window is exactly that high, never wider, and printable."""
        drawn = lines(shown, width, height)
        self.assertEqual(height, len(drawn))
        self.assertLessEqual(widest(drawn), width)
        text = "".join(plain(drawn))
        self.assertTrue(text.isprintable())
        self.assertTrue(shown.glyphs is UNICODE or text.isascii())

    def test_every_small_size(self) -> None:
        """The sizes at which something gives way all hold, one by one."""
        for width in range(1, 100):
            for height in range(1, 14):
                for shown in (LIVE, LOST, CONNECTING):
                    drawn = lines(shown, width, height)
                    self.assertEqual(height, len(drawn))
                    self.assertLessEqual(widest(drawn), width)


class FigureTests(SynchronousTestCase):
    """How numbers are written."""

    def test_rates(self) -> None:
        """A rate has a decimal while that says something; unknown ones are a dash."""
        for rate, text in (
            (None, "-"),
            (float("nan"), "-"),
            (float("inf"), "-"),
            (0.0, "0"),
            (0.04, "0.0"),
            (12.34, "12.3"),
            (99.94, "99.9"),
            (99.96, "100"),
            (1421.3, "1421"),
        ):
            self.assertEqual(text, per_second(rate))

    def test_totals(self) -> None:
        """The wording gets shorter with the room, and never loses digits."""
        frame = a_frame()
        self.assertEqual(
            "Hosts 5 (max 7)  Processes 156 (max 167)  Connections 586 (max 1048)  "
            "Checkouts 149 (max 317)  1421/s",
            totals(frame, 101),
        )
        self.assertEqual(
            "Hosts 5 max 7  Procs 156 max 167  Conns 586 max 1048  "
            "Ckout 149 max 317  1421/s",
            totals(frame, 100),
        )
        self.assertEqual(
            "Hosts 5/7  Procs 156/167  Conns 586/1048  Ckout 149/317  1421/s",
            totals(frame, 78),
        )
        self.assertEqual(
            "Hosts 5/7  Procs 156/167  Conns 586/1048  Ckout 149/317", totals(frame, 62)
        )
        self.assertEqual("Hosts 5/7", totals(frame, 1))

    def test_totals_without_a_rate(self) -> None:
        """Before two reports there is no rate."""
        frame = replace(a_frame(), per_second=None, hosts=Gauge(0, 0))
        self.assertTrue(totals(frame, None).endswith("  -/s"))
