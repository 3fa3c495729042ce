"""What keys do to the viewer's choices."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.console.keys import BINDINGS
from connmon.console.screen import Effect, Screen, clamped, press
from connmon.wire.commands import NODES, PROGRAMS


class PressTests(SynchronousTestCase):
    """``press`` with 57 rows of which 20 fit."""

    def offset(self, *keys: str, start: int = 0, rows: int = 57, page: int = 20) -> int:
        """Return where the keys lead."""
        screen = Screen(start)
        for key in keys:
            screen, effect = press(screen, key, rows, page)
            self.assertIs(Effect.NONE, effect)
        return screen.offset

    def test_rows(self) -> None:
        """Arrows and the letters beside them move by one row."""
        self.assertEqual(2, self.offset("Down", "j"))
        self.assertEqual(3, self.offset("Up", "k", start=5))

    def test_pages(self) -> None:
        """A page leaves one row of the last one in sight."""
        self.assertEqual(19, self.offset("PgDn"))
        self.assertEqual(11, self.offset("PgUp", start=30))
        self.assertEqual(1, self.offset("PgDn", page=1))

    def test_ends(self) -> None:
        """Both ends are one key away, and are not passed."""
        self.assertEqual(37, self.offset("End"))
        self.assertEqual(37, self.offset("G", "Down", "PgDn"))
        self.assertEqual(0, self.offset("Home", "Up", "PgUp", start=30))
        self.assertEqual(0, self.offset("g", start=30))

    def test_everything_fits(self) -> None:
        """With room for all rows nothing scrolls."""
        self.assertEqual(0, self.offset("Down", "PgDn", "End", rows=20))
        self.assertEqual(0, self.offset("Down", "End", rows=0, page=0))

    def test_rows_went_away(self) -> None:
        """With fewer rows than there were, scrolling goes on from what is seen."""
        self.assertEqual(9, self.offset("Up", start=50, rows=30))

    def test_quit(self) -> None:
        """Four keys quit."""
        for key in ("q", "Q", "F10", "^C"):
            self.assertEqual((Screen(3), Effect.QUIT), press(Screen(3), key, 57, 20))

    def test_redraw(self) -> None:
        """^L asks for a fresh screen."""
        self.assertEqual((Screen(3), Effect.REDRAW), press(Screen(3), "^L", 57, 20))

    def test_views(self) -> None:
        """A view begins with its first row; its own key changes nothing."""
        programs, nodes = Screen(3, PROGRAMS), Screen(0, NODES)
        for screen, key, expected in (
            (programs, "4", nodes),
            (programs, "1", programs),
            (nodes, "1", Screen(0, PROGRAMS)),
            (Screen(1, NODES), "4", Screen(1, NODES)),
        ):
            self.assertEqual((expected, Effect.NONE), press(screen, key, 57, 20))

    def test_no_meaning(self) -> None:
        """Other keys do nothing, pasted words included."""
        for key in ("x", "Esc", "Enter", "é"):
            self.assertEqual((Screen(3), Effect.NONE), press(Screen(3), key, 57, 20))

    @settings(deadline=None, database=None)
    @given(
        st.integers(-5, 99),
        st.lists(st.sampled_from([key for b in BINDINGS for key in b.keys])),
        st.integers(0, 60),
        st.integers(0, 40),
    )
    def test_in_range(self, start: int, keys: list[str], rows: int, page: int) -> None:
        """Wherever keys lead, the rows from there on fill the page if any can."""
        screen = Screen(clamped(start, rows, page))
        for key in keys:
            screen, _ = press(screen, key, rows, page)
            self.assertEqual(screen.offset, clamped(screen.offset, rows, page))
