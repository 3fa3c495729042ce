"""Searching what is here, before a node is asked."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from connmon.console.place import Place
from connmon.console.search import found
from connmon.views.frame import Frame
from connmon.views.schema import PROGRAMS
from tests.console.viewer import a_frame, a_row, key_of, programs

ROWS = programs(20)
ROWS[14] = a_row(hostname="ctl1", progname="p14", alert="crit", conn=9)
WHOLE = a_frame(rows=ROWS)
PART = replace(WHOLE, rows=tuple(ROWS[10:17]), first=10)


class FoundTests(SynchronousTestCase):
    """``found``, the next row below the cursor."""

    def test_next(self) -> None:
        """It is the nearest one below, by its index among all rows."""
        self.assertEqual(1, found(Place(), WHOLE, 5, "p"))
        self.assertEqual(14, found(Place(), WHOLE, 5, "alert!=ok"))
        place = Place(selected=key_of(11))
        self.assertEqual(12, found(place, PART, 5, "p"))
        self.assertEqual(14, found(place, PART, 5, "conn>5"))

    def test_not_above(self) -> None:
        """Neither the row under the cursor nor those above it are found."""
        place = Place(selected=key_of(14))
        self.assertEqual(None, found(place, WHOLE, 5, "conn>5"))
        self.assertEqual(None, found(place, PART, 5, "p03"))

    def test_cursor_elsewhere(self) -> None:
        """Rows that are here are searched unless there may be nearer ones."""
        self.assertEqual(14, found(Place(target=9), PART, 5, "conn>5"))
        self.assertEqual(None, found(Place(target=8), PART, 5, "conn>5"))
        self.assertEqual(14, found(Place(target=2), PART, 5, "conn>5", partly=True))
        self.assertEqual(None, found(Place(target=19), PART, 5, "p"))

    def test_nothing_to_search(self) -> None:
        """Without a frame, or in an empty one, nothing is found."""
        self.assertEqual(None, found(Place(), None, 5, "p"))
        self.assertEqual(None, found(Place(), a_frame(), 5, "p"))

    def test_no_filter(self) -> None:
        """What is no filter finds nothing: the node will say why."""
        self.assertEqual(None, found(Place(), WHOLE, 5, "nosuch=1"))

    def test_lacking_fields(self) -> None:
        """Where a field is lacking, only a part is found, and only if that will do."""
        frame = Frame(
            WHOLE.head, PROGRAMS, ("hostname", "progname"), (("a", "x"), ("a", "y"))
        )
        frame = replace(frame, count=2)
        self.assertEqual(None, found(Place(), frame, 5, "y"))
        self.assertEqual(1, found(Place(), frame, 5, "y", partly=True))
        self.assertEqual(None, found(Place(), frame, 5, "conn>5", partly=True))
        self.assertEqual(1, found(Place(), frame, 5, "progname=y"))
