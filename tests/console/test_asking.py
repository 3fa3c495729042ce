"""What the screen asks of the node."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.console import columns
from connmon.console.asking import PAUSED_ROWS, about, placing, query
from connmon.console.choices import Choices
from connmon.console.cursor import position
from connmon.console.place import Place, Screen
from connmon.views.answer import checked
from connmon.views.query import Query
from connmon.views.schema import CHECKOUTS, HOSTS, PROGRAMS, VIEWS
from connmon.wire.queries import decode_queries, encode_queries
from tests.console.viewer import Node, key_of, programs

QUICK = settings(deadline=None, max_examples=200, database=None)


def asked(place: Place, page: int = 5, *, paused: bool = False) -> Query:
    """The query for a place."""
    return query(Screen((place,), paused=paused), page)


class WindowTests(SynchronousTestCase):
    """Which rows are asked for."""

    def test_first(self) -> None:
        """At first it is the first rows, and two pages more."""
        found = asked(Place())
        self.assertEqual(
            (0, 15, None, ""), (found.first, found.limit, found.anchor, found.find)
        )

    def test_selected(self) -> None:
        """The row selected is the anchor, on its line below a page of margin."""
        found = asked(Place(selected=key_of(30), line=2, first=28))
        self.assertEqual((key_of(30), 7), (found.anchor, found.line))
        self.assertEqual((23, 15), (found.first, found.limit))

    def test_near_the_beginning(self) -> None:
        """There is no margin above the first row."""
        self.assertEqual(0, asked(Place(selected=key_of(4), line=2, first=2)).first)

    def test_target(self) -> None:
        """A row that was not seen yet is asked for by its index."""
        found = asked(Place(target=30, line=2, first=28))
        self.assertEqual((None, 23, 15), (found.anchor, found.first, found.limit))

    def test_less_room(self) -> None:
        """In a window that became smaller the row is on its last line."""
        found = asked(Place(selected=key_of(30), line=20, first=10), page=5)
        self.assertEqual((9, 21), (found.line, found.first))

    def test_no_room(self) -> None:
        """Without room for a row, one is asked for all the same."""
        self.assertEqual(asked(Place(), page=1), asked(Place(), page=0))

    def test_paused(self) -> None:
        """While it is paused, all that one may scroll to is asked for."""
        found = asked(Place(selected=key_of(30), line=2, first=28), paused=True)
        self.assertEqual(PAUSED_ROWS, found.limit)
        self.assertEqual(PAUSED_ROWS // 2 + 2, found.line)

    def test_find(self) -> None:
        """A search begins below the cursor, or above it if it goes upwards."""
        screen = Screen((Place(selected=key_of(30), line=2, first=28),))
        found = query(screen, 5, "conn>5")
        self.assertEqual(
            ("conn>5", 1, key_of(30)), (found.find, found.find_step, found.anchor)
        )
        self.assertEqual(1, query(Screen(), 5, "conn>5").first)
        self.assertEqual(31, query(Screen((Place(target=30),)), 5, "conn>5").first)
        self.assertEqual(29, query(Screen((Place(target=30),)), 5, "conn>5", -1).first)

    @QUICK
    @given(
        st.integers(1, 9),
        st.integers(0, 60),
        st.integers(0, 60),
        st.tuples(st.integers(0, 12), st.integers(0, 60)),
        st.booleans(),
    )
    def test_enough(
        self, page: int, count: int, at: int, seen: tuple[int, int], aimed: bool
    ) -> None:
        """The answer has all of the window, and a page more on either side."""
        line, first = seen
        if aimed:
            place = Place(target=at, line=line, first=max(0, at - line))
        else:
            place = Place(selected=key_of(at), line=line, first=first)
        frame = Node(programs=programs(count)).answer(asked(place, page))
        if not aimed and at >= count:
            return  # the row is gone, and where it was is not known for sure
        top, cursor = position(place, frame, page)
        self.assertEqual(min(at, max(0, count - 1)), cursor)
        self.assertLessEqual(frame.first, max(0, top - page))
        end = min(count, top + 2 * page)
        self.assertGreaterEqual(frame.first + len(frame.rows), end)


class ChoicesTests(SynchronousTestCase):
    """What of the viewer's choices the node is told."""

    def test_passed_on(self) -> None:
        """Scope, filter, order and what is hidden are the node's business."""
        choices = Choices(
            sorts={HOSTS: "-conn", PROGRAMS: "ckout"}, alerts_first=False, busy=True
        )
        place = Place(HOSTS, (("hostname", "ctl1"),), where="conn>5")
        found = query(Screen((Place(), place), choices), 5)
        self.assertEqual(
            Query(
                HOSTS,
                (("hostname", "ctl1"),),
                ("conn>5",),
                busy=True,
                sort="-conn",
                fields=columns.fields(HOSTS, ""),
                limit=15,
                line=5,
            ),
            found,
        )

    def test_usual(self) -> None:
        """Without any choice it is the view's own order, alerts first."""
        found = query(Screen(), 5)
        self.assertEqual((), found.where)
        self.assertEqual(
            ("", True, False), (found.sort, found.alerts_first, found.busy)
        )

    def test_tree(self) -> None:
        """Only programs are shown in a tree."""
        choices = Choices(tree=True)
        self.assertTrue(query(Screen((Place(),), choices), 5).tree)
        self.assertFalse(query(Screen((Place(HOSTS),), choices), 5).tree)

    def test_fields(self) -> None:
        """The fields are those of the set in use, and what opening a row needs."""
        choices = Choices(sets={PROGRAMS: "wait"})
        self.assertIn("leaks", query(Screen((Place(),), choices), 5).fields)
        self.assertNotIn("leaks", query(Screen(), 5).fields)
        self.assertIn("pool_id", query(Screen((Place(CHECKOUTS),)), 5).fields)

    def test_unknown(self) -> None:
        """An order or a set that is not known is the view's own."""
        choices = Choices(sorts={PROGRAMS: "-nosuch"}, sets={PROGRAMS: "nosuch"})
        self.assertEqual(query(Screen(), 5), query(Screen((Place(),), choices), 5))

    def test_understood(self) -> None:
        """A node understands what is asked for any view, with any set of columns."""
        for view in VIEWS:
            for name in columns.sets(view):
                choices = Choices(sets={view: name})
                found = query(Screen((Place(view),), choices), 5)
                self.assertEqual(VIEWS[view], checked(found))
                self.assertEqual(
                    (found,), tuple(decode_queries(encode_queries([found])))
                )


class AboutTests(SynchronousTestCase):
    """``about`` and ``placing``, by which one knows what must be asked."""

    def test_about(self) -> None:
        """Rows are of use for another query that differs but in its window."""
        base = query(Screen(), 5)
        for same in (
            replace(base, first=9),
            replace(base, limit=99),
            replace(base, anchor=key_of(1)),
            replace(base, line=3),
            replace(base, find="a"),
            replace(base, find_step=-1),
        ):
            self.assertEqual(about(base), about(same))
        for other in (
            replace(base, view=HOSTS),
            replace(base, scope=(("hostname", "a"),)),
            replace(base, where=("a",)),
            replace(base, busy=True),
            replace(base, sort="conn"),
            replace(base, alerts_first=False),
            replace(base, tree=True),
            replace(base, fields=("conn",)),
        ):
            self.assertNotEqual(about(base), about(other))

    def test_placing(self) -> None:
        """The node must know of another row or size, but not of another line."""
        base = query(Screen((Place(selected=key_of(3)),)), 5)
        for same in (replace(base, first=9), replace(base, line=3)):
            self.assertEqual(placing(base), placing(same))
        for other in (
            replace(base, anchor=key_of(4)),
            replace(base, limit=99),
            replace(base, find="a"),
        ):
            self.assertNotEqual(placing(base), placing(other))
