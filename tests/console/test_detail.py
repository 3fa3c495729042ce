"""What is said of the selected row below the table, and on how many lines."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.console import detail
from connmon.console.marks import Values
from connmon.console.text import ASCII, UNICODE, Style
from connmon.views.schema import (
    ADVICE,
    CONNECTIONS,
    EVENTS,
    POOLS,
    PROGRAMS,
    TIMEOUTS,
    VIEWS,
    Taking,
)
from tests.console.fakes import plain, widest
from tests.console.sources import told_frames

WAITERS = (
    Taking("pay.py:9 charge", "charge 3", 2.1),
    Taking("pay.py:9 charge", "charge 5", 1.2, tag="web"),
)
POOL = {
    "hostname": "vm",
    "progname": "payments",
    "pool_name": "mysql://db/shop",
    "reason": "2 waiting, pool full",
    "waiting": 2,
    "waiters": WAITERS,
}
WAITING = "waiting: 2.1s charge 3 at pay.py:9 charge; 1.2s charge 5 at pay.py:9 charge"


def said(view: str, values: Values, room: int = 80, most: int = 9) -> list[str]:
    """What is said, as plain text."""
    return plain(detail.lines(view, values, UNICODE, room, most))


class PoolTests(SynchronousTestCase):
    """A pool, and those who wait for it."""

    def test_who_waits(self) -> None:
        """Each with seconds, thread and line, below whose the pool is."""
        self.assertEqual(
            [" vm payments mysql://db/shop   2 waiting, pool full", f" {WAITING}"],
            said(POOLS, POOL),
        )

    def test_a_line_only(self) -> None:
        """Then all of it is on that, to be cut."""
        self.assertEqual(
            [f" vm payments mysql://db/shop   2 waiting, pool full   {WAITING}"],
            said(POOLS, POOL, most=1),
        )

    def test_a_narrow_window(self) -> None:
        """Who waits stays on one line with where; what does not fit is on the last."""
        waits = [
            " waiting: 2.1s charge 3 at pay.py:9 charge;",
            " 1.2s charge 5 at pay.py:9 charge",
        ]
        named = " vm payments mysql://db/shop   2 waiting, pool full"
        self.assertEqual([named, *waits], said(POOLS, POOL, 55))
        cut = said(POOLS, POOL, 55, 2)
        self.assertEqual([named, f"{waits[0]}{waits[1]}"], cut)

    def test_little_is_known(self) -> None:
        """A line that is not known is not named, and nobody is not listed."""
        values: dict[str, Any] = {**POOL, "waiters": (Taking("", "t", 0.4),)}
        self.assertEqual(" waiting: 0.4s t; and 1 more", said(POOLS, values)[1], values)
        for nobody in ((), None):
            self.assertEqual(1, len(said(POOLS, {**POOL, "waiters": nobody})))

    def test_more_than_are_listed(self) -> None:
        """How many more there are is said."""
        values = {**POOL, "waiting": 1234}
        self.assertEqual(
            f"{WAITING}; and 1232 more", " ".join(said(POOLS, values, 300)[1:])[1:]
        )


class OtherTests(SynchronousTestCase):
    """Rows of other views."""

    def test_names_stand_out(self) -> None:
        """What names the row looks like a value, the rest does not."""
        ((first, second),) = detail.lines(
            PROGRAMS, {"hostname": "h", "progname": "p", "reason": "r"}, UNICODE, 80, 9
        )
        self.assertEqual((Style.VALUE, " h p"), first)
        self.assertEqual((Style.PLAIN, "   r"), second)

    def test_sentences_are_whole(self) -> None:
        """They go on where there is another line."""
        for view, name in ((EVENTS, "text"), (ADVICE, "finding")):
            values = {name: "the pool is too small", "progname": "p"}
            self.assertEqual(
                [" the pool", " is too", " small"], said(view, values, 10), view
            )
            self.assertEqual([" the pool is too small"], said(view, values, 10, 1))

    def test_holders(self) -> None:
        """Those of a timeout, each on one line."""
        values = {"holders": WAITERS, "progname": "p"}
        self.assertEqual(
            [" pay.py:9 charge charge 3 2.1s;", " pay.py:9 charge charge 5 1.2s"],
            said(TIMEOUTS, values, 40),
        )

    def test_a_connection(self) -> None:
        """Its line, and who has it."""
        values = {"site": "a.py:1 f", "owner": "w", "uses": 3, "hostname": "h"}
        self.assertEqual([" a.py:1 f   thread w   3 uses"], said(CONNECTIONS, values))

    def test_no_row(self) -> None:
        """Then there is an empty line."""
        self.assertEqual([""], said(PROGRAMS, {}))

    @settings(deadline=None, max_examples=100, database=None)
    @given(st.data(), st.integers(1, 120), st.integers(1, 9))
    def test_any_row(self, data: st.DataObject, room: int, most: int) -> None:
        """It is harmless, on no more lines than there are, and only the last is cut."""
        view = data.draw(st.sampled_from(sorted(VIEWS)))
        frame = data.draw(told_frames(view))
        for row in frame.rows:
            values = dict(zip(frame.fields, row, strict=True))
            for glyphs in (UNICODE, ASCII):
                drawn = detail.lines(view, values, glyphs, room, most)
                self.assertTrue(1 <= len(drawn) <= most)
                self.assertLessEqual(widest([*drawn[:-1], ()]), max(room, 3))
                self.assertTrue("".join(plain(drawn)).isprintable())
