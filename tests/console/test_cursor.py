"""The cursor: it stays with its row, and that row on its line, whatever comes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from connmon.console.cursor import (
    aim,
    held,
    itself,
    line,
    moved,
    paged,
    position,
    put,
    row,
    settled,
)
from connmon.console.keys import SECTIONS, Action
from connmon.console.place import Mode, Place
from connmon.views.frame import Frame
from connmon.views.schema import PROGRAMS
from tests.console.viewer import Node, Viewer, a_frame, a_row, key_of, programs

QUICK = settings(deadline=None, max_examples=200, database=None)

WHOLE = a_frame(rows=programs(30))
"""Thirty rows, all of them held."""

PART = a_frame(rows=programs(30)[10:22], first=10, count=30)
"""Of the same rows those from the tenth to before the twenty-second."""


class PositionTests(SynchronousTestCase):
    """``position`` with room for five rows."""

    def test_first(self) -> None:
        """A place that nobody has moved in is at its first row."""
        self.assertEqual((0, 0), position(Place(), WHOLE, 5))
        self.assertEqual((0, 0), position(Place(), PART, 5))

    def test_selected(self) -> None:
        """The row selected is on its line, wherever it is now."""
        place = Place(selected=key_of(12), line=3, first=2)
        self.assertEqual((9, 12), position(place, WHOLE, 5))
        self.assertEqual((9, 12), position(place, PART, 5))

    def test_rows_run_out(self) -> None:
        """No room is left above the first row, nor below the last one."""
        above = Place(selected=key_of(1), line=4)
        self.assertEqual((0, 1), position(above, WHOLE, 5))
        below = Place(selected=key_of(28), line=0)
        self.assertEqual((25, 28), position(below, WHOLE, 5))

    def test_few_rows(self) -> None:
        """Rows that all fit are all seen."""
        few = a_frame(rows=programs(3))
        self.assertEqual((0, 2), position(Place(selected=key_of(2)), few, 5))

    def test_no_rows(self) -> None:
        """Without rows there is nothing to be on, and no harm."""
        none = a_frame()
        for place in (Place(), Place(selected=key_of(3), first=2), Place(target=7)):
            self.assertEqual((0, 0), position(place, none, 5))
            self.assertEqual(None, row(place, none, 5))
            self.assertTrue(held(place, none, 5))
            self.assertEqual(place, settled(place, none, 5))

    def test_gone(self) -> None:
        """Where a row is not held, the cursor is where it was."""
        place = Place(selected=("gone", "gone"), line=2, first=6)
        self.assertEqual((6, 8), position(place, WHOLE, 5))
        last = Place(selected=("gone", "gone"), line=2, first=90)
        self.assertEqual((25, 29), position(last, WHOLE, 5))

    def test_target(self) -> None:
        """A row that was not seen yet is known by its index."""
        self.assertEqual((19, 21), position(Place(target=21, line=2), PART, 5))
        self.assertEqual((25, 29), position(Place(target=99, line=2), PART, 5))

    def test_less_room(self) -> None:
        """In a window that became smaller the cursor is on its last line."""
        place = Place(selected=key_of(12), line=8, first=4)
        self.assertEqual((8, 12), position(place, WHOLE, 5))
        self.assertEqual(4, line(place, 5))
        self.assertEqual(12, aim(place))

    def test_no_room(self) -> None:
        """A window without any room is one of a single row."""
        for page in (0, 1):
            place = Place(selected=key_of(12), line=3, first=9)
            self.assertEqual((12, 12), position(place, WHOLE, page))
            self.assertEqual(key_of(13), moved(place, WHOLE, page, 1).selected)


class MoveTests(SynchronousTestCase):
    """``moved``, ``paged`` and ``put``, with room for five rows."""

    def test_within(self) -> None:
        """The window stays while the cursor moves within it."""
        place = moved(Place(), WHOLE, 5, 4)
        self.assertEqual(Place(selected=key_of(4), line=4, first=0), place)

    def test_out_of_it(self) -> None:
        """The window follows a cursor that leaves it, by no more than it must."""
        down = moved(Place(selected=key_of(4), line=4), WHOLE, 5, 1)
        self.assertEqual(Place(selected=key_of(5), line=4, first=1), down)
        up = moved(Place(selected=key_of(4), line=0, first=4), WHOLE, 5, -1)
        self.assertEqual(Place(selected=key_of(3), line=0, first=3), up)

    def test_ends(self) -> None:
        """Neither end is passed."""
        self.assertEqual(key_of(0), moved(Place(), WHOLE, 5, -1).selected)
        self.assertEqual(key_of(29), moved(Place(), WHOLE, 5, 99).selected)
        self.assertEqual(key_of(29), put(Place(), WHOLE, 5, 99).selected)
        self.assertEqual(key_of(0), put(Place(), WHOLE, 5, -99).selected)

    def test_page(self) -> None:
        """By a page the window goes as far as the cursor, which keeps its line."""
        place = Place(selected=key_of(12), line=3, first=9)
        down = paged(place, WHOLE, 5, 4)
        self.assertEqual(Place(selected=key_of(16), line=3, first=13), down)
        self.assertEqual(place, paged(down, WHOLE, 5, -4))

    def test_last_page(self) -> None:
        """Where the window cannot go on, the cursor still does, to the end."""
        place = Place(selected=key_of(24), line=1, first=23)
        down = paged(place, WHOLE, 5, 4)
        self.assertEqual(Place(selected=key_of(28), line=3, first=25), down)
        self.assertEqual(key_of(29), paged(down, WHOLE, 5, 4).selected)
        up = paged(Place(selected=key_of(3), line=2, first=1), WHOLE, 5, -4)
        self.assertEqual(Place(selected=key_of(0), line=0, first=0), up)

    def test_not_held(self) -> None:
        """A row that is not held yet is a target, which further keys go on from."""
        place = Place(selected=key_of(20), line=4, first=16)
        aimed = paged(place, PART, 5, 4)
        self.assertEqual(Place(line=4, first=20, target=24), aimed)
        self.assertEqual(25, moved(aimed, PART, 5, 1).target)
        back = moved(aimed, PART, 5, -4)
        self.assertEqual((key_of(20), None), (back.selected, back.target))
        self.assertFalse(held(aimed, PART, 5))

    @QUICK
    @given(
        st.integers(0, 12),
        st.integers(0, 40),
        st.tuples(st.integers(0, 39), st.integers(0, 12)),
        st.sampled_from([moved, paged]),
        st.integers(-50, 50),
    )
    def test_always_seen(
        self, page: int, count: int, begin: tuple[int, int], move: Any, rows: int
    ) -> None:
        """Wherever it goes, the cursor is on a row, and that row in the window."""
        frame = a_frame(rows=programs(count))
        at, down = begin
        place = Place(selected=key_of(at), line=down, first=max(0, at - down))
        if count:
            place = move(place, frame, page, rows)
            self.assertIsNot(None, place.selected)
        top, cursor = position(place, frame, page)
        self.assertTrue(0 <= cursor < max(1, count))
        self.assertTrue(top <= cursor < top + max(1, page))
        self.assertTrue(0 <= top <= max(0, count - max(1, page)))
        self.assertTrue(place.first >= 0)

    @QUICK
    @given(st.integers(2, 9), st.integers(0, 60), st.integers(0, 8), st.integers(1, 3))
    def test_round_trip(self, page: int, top: int, down: int, pages: int) -> None:
        """As many pages back as forth lead to the same row on the same line."""
        frame = a_frame(rows=programs(99))
        down = min(down, page - 1)
        place = Place(selected=key_of(top + down), line=down, first=top)
        by = pages * (page - 1)
        self.assertEqual(place, paged(paged(place, frame, page, by), frame, page, -by))


class RowTests(SynchronousTestCase):
    """``row``, the one under the cursor."""

    def test_held(self) -> None:
        """It has its values by the names of the fields that the frame has."""
        frame = Frame(WHOLE.head, PROGRAMS, ("progname", "conn"), (("a", 1), ("b", 2)))
        frame = replace(frame, count=2)
        self.assertEqual({"progname": "a", "conn": 1}, row(Place(), frame, 5))

    def test_not_held(self) -> None:
        """A row that is not here yet is none."""
        self.assertEqual(None, row(Place(), PART, 5))
        self.assertEqual(None, row(Place(target=25), PART, 5))


class ItselfTests(SynchronousTestCase):
    """``itself``, the row that was selected."""

    def test_held(self) -> None:
        """It is found by its key; while none was selected, it is the first."""
        for place, number in ((Place(), 0), (Place(selected=key_of(7)), 7)):
            found = itself(place, WHOLE)
            assert found is not None
            self.assertEqual(key_of(number), (found["hostname"], found["progname"]))

    def test_not_held(self) -> None:
        """None is taken for it, though the cursor would be on another."""
        place = Place(selected=key_of(99))
        self.assertEqual(None, itself(place, WHOLE))
        self.assertNotEqual(None, row(place, WHOLE, 5))


class SettledTests(SynchronousTestCase):
    """``settled``, once a frame is there."""

    def test_first(self) -> None:
        """The first row stays the one, whichever it is."""
        self.assertEqual(Place(), settled(Place(), WHOLE, 5))

    def test_target(self) -> None:
        """A target becomes the row that is there."""
        self.assertEqual(
            Place(selected=key_of(20), line=2, first=18),
            settled(Place(target=20, line=2, first=18), PART, 5),
        )

    def test_target_too_far(self) -> None:
        """A target beyond the rows that there are is the last one."""
        self.assertEqual(
            Place(selected=key_of(29), line=4, first=25),
            settled(Place(target=40, line=0, first=40), WHOLE, 5),
        )

    def test_target_not_held(self) -> None:
        """A frame without the target changes nothing."""
        place = Place(target=25, line=2, first=23)
        self.assertEqual(place, settled(place, PART, 5))

    def test_moved_by_others(self) -> None:
        """A row that others pushed away is followed, on its line."""
        place = Place(selected=key_of(15), line=2, first=3)
        self.assertEqual(
            Place(selected=key_of(15), line=2, first=13), settled(place, PART, 5)
        )

    def test_gone(self) -> None:
        """A row that is gone leaves the cursor to the one that took its place."""
        place = Place(selected=("gone", "gone"), line=2, first=13)
        after = Place(selected=key_of(15), line=2, first=13)
        self.assertEqual(after, settled(place, WHOLE, 5))
        self.assertEqual(after, settled(place, PART, 5, place.selected))

    def test_perhaps_elsewhere(self) -> None:
        """A row is not gone as long as a frame was asked for by another one."""
        place = Place(selected=("gone", "gone"), line=2, first=13)
        for anchor in (None, key_of(12)):
            self.assertEqual(place, settled(place, PART, 5, anchor))
        found = replace(PART, selected=12, found=True)
        self.assertEqual(place, settled(place, found, 5, place.selected))

    def test_not_in_this_frame(self) -> None:
        """A row that is not held makes that the window is not, so that one asks."""
        place = Place(selected=("gone", "gone"), line=2, first=13)
        self.assertFalse(held(place, PART, 5))
        self.assertTrue(held(replace(place, selected=key_of(15)), PART, 5))

    def test_without_a_key(self) -> None:
        """Rows that nothing tells apart are shown, and cannot be selected."""
        frame = Frame(WHOLE.head, PROGRAMS, ("conn",), ((1,), (2,), (3,)), count=3)
        place = moved(Place(), frame, 5, 2)
        self.assertEqual((None, 2), (place.selected, place.target))
        self.assertEqual((0, 2), position(place, frame, 5))
        self.assertEqual(place, settled(place, frame, 5))


class HeldTests(SynchronousTestCase):
    """``held``, by which one knows when to ask."""

    def test_window(self) -> None:
        """All rows of the window must be there."""
        for first, expected in ((9, False), (10, True), (17, True), (18, False)):
            place = Place(selected=key_of(first + 2), line=2, first=first)
            self.assertEqual(expected, held(place, PART, 5), first)

    def test_end(self) -> None:
        """What is below the last row need not be there."""
        frame = a_frame(rows=programs(30)[20:], first=20, count=30)
        place = Place(selected=key_of(29), line=1, first=28)
        self.assertTrue(held(place, frame, 5))


class ViewerTests(SynchronousTestCase):
    """Keys, a node, and a window that is much smaller than its table."""

    def viewer(self, count: int = 40, page: int = 5) -> Viewer:
        """A viewer who has seen the first rows."""
        viewer = Viewer(Node(programs=programs(count)), page)
        viewer.calm()
        return viewer

    def test_down(self) -> None:
        """Every row is reached by going down, one after the other, and up again."""
        viewer = self.viewer()
        seen = [viewer.on]
        for _ in range(39):
            viewer.pressed("Down")
            if viewer.on is None or len(seen) % 7 == 0:
                viewer.calm()
            seen.append(viewer.on)
        self.assertEqual([key_of(number) for number in range(40)], seen)
        viewer.pressed("Down")
        self.assertEqual(key_of(39), viewer.on)
        for number in reversed(range(39)):
            viewer.pressed("Up")
            viewer.calm()
            self.assertEqual(key_of(number), viewer.on)

    def test_pages(self) -> None:
        """Pages lead over all rows, each with one row of the one before."""
        viewer = self.viewer(count=41)
        seen = [*viewer.seen]
        while viewer.seen[-1] != key_of(40):
            last = viewer.seen[-1]
            viewer.pressed("PgDn")
            viewer.calm()
            self.assertEqual(last, viewer.seen[0])
            seen += viewer.seen[1:]
        self.assertEqual([key_of(number) for number in range(41)], seen)
        self.assertEqual(10, len(seen) // 4)

    def test_ends(self) -> None:
        """End and Home lead to the last row and the first one, from anywhere."""
        viewer = self.viewer()
        viewer.pressed("End")
        viewer.calm()
        self.assertEqual((key_of(39), 4), (viewer.on, viewer.line))
        viewer.pressed("Home")
        viewer.calm()
        self.assertEqual((key_of(0), 0), (viewer.on, viewer.line))
        viewer.pressed("G", "Up")
        viewer.calm()
        self.assertEqual(key_of(38), viewer.on)
        viewer.pressed("g", "Down")
        viewer.calm()
        self.assertEqual(key_of(1), viewer.on)

    def test_faster_than_the_node(self) -> None:
        """Keys pressed before any answer add up."""
        viewer = self.viewer(count=99)
        viewer.pressed(*["PgDn"] * 6, "Down", "Down", "PgUp")
        viewer.calm()
        self.assertEqual(key_of(5 * 4 + 2), viewer.on)

    def test_before_the_first_frame(self) -> None:
        """Keys that come before any row do no harm."""
        viewer = Viewer(Node(programs=programs(9)), 5)
        viewer.pressed("Down", "PgDn", "End", "Enter", "Up", "Home")
        viewer.calm()
        self.assertEqual(key_of(0), viewer.on)

    def test_follows(self) -> None:
        """The row that was chosen stays on its line while others come above it."""
        viewer = self.viewer()
        viewer.pressed("PgDn", "PgDn", "Down", "Down")
        viewer.calm()
        before = viewer.on, viewer.line
        for number in range(30):
            viewer.node.rows[PROGRAMS].insert(
                0, a_row(hostname="a", progname=str(number))
            )
            viewer.ticked()
            viewer.taken()
            self.assertEqual(before, (viewer.on, viewer.line))

    def test_gone_then_others_move(self) -> None:
        """Once its row has gone, the cursor stays with the one it came to."""
        viewer = self.viewer()
        viewer.pressed("PgDn", "PgDn")
        viewer.calm()
        self.assertEqual(key_of(8), viewer.on)
        del viewer.node.rows[PROGRAMS][8]
        viewer.ticked()
        viewer.calm()
        self.assertEqual(key_of(9), viewer.on)
        rows = viewer.node.rows[PROGRAMS]
        rows += [a_row(hostname="a", progname=f"{number:02}") for number in range(40)]
        viewer.ticked()
        viewer.calm()
        self.assertEqual((key_of(9), 0), (viewer.on, viewer.line))

    def test_asks_nothing_at_rest(self) -> None:
        """Rows that change places are no reason to ask for others again."""
        viewer = self.viewer()
        viewer.pressed("PgDn", "PgDn", "Down")
        viewer.calm()
        asked = viewer.told
        for host in ("a", "b", "z"):
            viewer.node.rows[PROGRAMS] += programs(9, host)
            viewer.ticked()
            viewer.calm()
        self.assertEqual(asked, viewer.told)

    def test_scrolls_within_what_is_held(self) -> None:
        """While there are rows beyond the window, moving by one asks for nothing."""
        viewer = self.viewer()
        asked = viewer.told
        viewer.pressed(*["Down"] * 9)
        self.assertEqual(asked, viewer.told)
        self.assertEqual(key_of(9), viewer.on)
        viewer.rest()
        self.assertEqual(asked + 1, viewer.told)

    def test_moved_and_pushed_out(self) -> None:
        """A row gone to a moment ago is followed out of what was asked for before."""
        viewer = self.viewer(count=60)
        viewer.pressed(*["Down"] * 9)
        viewer.node.rows[PROGRAMS] += programs(40, "a")
        viewer.ticked()
        viewer.calm()
        self.assertEqual(key_of(9), viewer.on)

    def test_smaller_window(self) -> None:
        """The row stays when the window becomes much smaller, and larger again."""
        viewer = self.viewer(count=60, page=20)
        viewer.pressed(*["Down"] * 35)
        viewer.calm()
        for page in (3, 1, 25, 60, 2):
            viewer.resized(page)
            viewer.ticked()
            viewer.calm()
            self.assertEqual(key_of(35), viewer.on)
            self.assertIn(key_of(35), viewer.seen)

    def test_tree(self) -> None:
        """In a tree, hosts are rows that the cursor goes over like any other."""
        viewer = Viewer(Node(programs=[*programs(2, "a"), *programs(2, "b")]), 3)
        viewer.pressed("t")
        viewer.calm()
        seen = []
        for _ in range(6):
            seen.append(viewer.on)
            viewer.pressed("Down")
            viewer.calm()
        hosts = [[(host, ""), (host, "p00"), (host, "p01")] for host in ("a", "b")]
        self.assertEqual([*hosts[0], *hosts[1]], seen)

    def test_another_order(self) -> None:
        """Sorting takes the cursor along with its row."""
        viewer = self.viewer()
        viewer.pressed("PgDn", "PgDn", ">", "R")
        viewer.calm()
        self.assertEqual(key_of(8), viewer.on)
        viewer.pressed("Down")
        self.assertEqual(key_of(7), viewer.on)

    def test_filter(self) -> None:
        """A filter that drops the row leaves the cursor on one that is there."""
        viewer = self.viewer()
        viewer.pressed("End", "\\", *"progname<", "Esc")
        viewer.pressed("\\", *"p0", "Enter")
        viewer.calm()
        self.assertEqual(key_of(9), viewer.on)
        viewer.pressed("Esc")
        viewer.calm()
        self.assertEqual(key_of(9), viewer.on)

    def test_search(self) -> None:
        """A search goes on from row to row, and from the end to the beginning."""
        node = Node(programs=programs(40))
        for number in (0, 3, 30):
            node.rows[PROGRAMS][number] = a_row(
                hostname="ctl1", progname=f"p{number:02}", reason="looked for"
            )
        viewer = Viewer(node, 5)
        viewer.calm()
        found = []
        viewer.pressed("/", *"LOOKED", "Enter")
        for _ in range(4):
            viewer.calm()
            found.append(viewer.on)
            viewer.pressed("&")
        self.assertEqual([key_of(each) for each in (3, 30, 0, 3)], found)

    def test_search_from_what_is_not_seen_yet(self) -> None:
        """A search begins below the row gone to, even if that is still on its way."""
        node = Node(programs=programs(60))
        for number in (20, 50):
            node.rows[PROGRAMS][number] = a_row(
                hostname="ctl1", progname=f"p{number:02}", reason="looked for"
            )
        viewer = Viewer(node, 5)
        viewer.calm()
        viewer.pressed(*["PgDn"] * 8, "/", *"looked", "Enter")
        viewer.calm()
        self.assertEqual(key_of(50), viewer.on)

    def test_search_dropped(self) -> None:
        """A search that a new order overtakes keeps nobody from asking later."""
        viewer = self.viewer()
        viewer.pressed("/", *"p39", "Enter", ">", "R")
        viewer.calm()
        viewer.pressed("End")
        viewer.calm()
        self.assertEqual(key_of(0), viewer.on)

    def test_paused(self) -> None:
        """What is paused stands still, but can be gone through."""
        viewer = self.viewer()
        viewer.pressed("Down", " ")
        viewer.calm()
        viewer.node.rows[PROGRAMS].clear()
        viewer.ticked()
        viewer.calm()
        viewer.pressed("End")
        viewer.calm()
        self.assertEqual(key_of(39), viewer.on)
        viewer.pressed(" ")
        viewer.calm()
        self.assertEqual([], viewer.seen)


HOSTS = ("a", "b", "c")
NAMES = [(host, f"p{number}") for host in HOSTS for number in range(8)]
ALL_KEYS = [key for _, bindings in SECTIONS for each in bindings for key in each.keys]
MOVES = ["Up", "Down", "Down", "PgUp", "PgDn", "PgDn", "Home", "End"]
LEFT_OUT = {"q", "Q", "F10", "^C"}


class Watching(RuleBasedStateMachine):
    """A viewer who presses keys while rows come, go and change places.

    Questions and frames take their time, so that keys come between them.
    """

    @initialize(
        names=st.lists(st.sampled_from(NAMES), unique=True, min_size=8),
        page=st.integers(1, 3),
    )
    def begin(self, names: list[tuple[str, str]], page: int) -> None:
        """Some rows are there, of which few can be seen."""
        self.node = Node(programs=[])
        self.values: dict[tuple[str, str], tuple[int, str]] = {}
        for name in names:
            self.values[name] = (0, "ok")
        self._tell()
        self.viewer = Viewer(self.node, page)

    def _tell(self) -> None:
        self.node.rows[PROGRAMS] = [
            a_row(hostname=name[0], progname=name[1], conn=conn, alert=alert)
            for name, (conn, alert) in self.values.items()
        ]

    # What happens to the rows.

    @rule(
        names=st.lists(st.sampled_from(NAMES), unique=True, max_size=6),
        conn=st.integers(0, 9),
        alert=st.sampled_from(["ok", "ok", "warn", "crit"]),
    )
    def change(self, names: list[tuple[str, str]], conn: int, alert: str) -> None:
        """Rows come, or have other values, which may change their order."""
        for name in names:
            self.values[name] = (conn, alert)
        self._tell()

    @rule(names=st.lists(st.sampled_from(NAMES), unique=True, max_size=8))
    def remove(self, names: list[tuple[str, str]]) -> None:
        """Rows go."""
        for name in names:
            self.values.pop(name, None)
        self._tell()

    # What the viewer does.

    @rule(keys=st.lists(st.sampled_from(MOVES), min_size=1, max_size=5))
    def move(self, keys: list[str]) -> None:
        """The cursor is moved."""
        if self.viewer.screen.prompt or self.viewer.screen.mode is not Mode.TABLE:
            self.viewer.pressed("Esc")
        self.viewer.pressed(*keys)

    @rule(key=st.sampled_from(["c", "n", "R", "A", "<", ">", "t", "i", "!", "&"]))
    def order(self, key: str) -> None:
        """The rows are wanted in another order, or one of them is looked for."""
        self.viewer.pressed(key)

    @rule(
        key=st.sampled_from([key for key in ALL_KEYS if key not in LEFT_OUT]),
        stay=st.sampled_from([False, False, True]),
    )
    def press(self, key: str, stay: bool) -> None:
        """Any key is pressed, and mostly one comes back to the programs."""
        self.viewer.pressed(key)
        if not stay:
            self.viewer.pressed("Esc", "1", "Esc")

    @rule(text=st.sampled_from(["p1", "a", "alert!=ok", "conn>4", "x"]))
    def narrow(self, text: str) -> None:
        """The rows are filtered."""
        self.viewer.pressed("Esc", "1", "\\", "^U", *text, "Enter", "Esc")

    @rule(text=st.sampled_from(["p1", "b", "crit", "x"]))
    def search(self, text: str) -> None:
        """A text is looked for."""
        self.viewer.pressed("Esc", "/", "^U", *text, "Enter")

    @rule(page=st.integers(0, 9))
    def resize(self, page: int) -> None:
        """The window has another size."""
        self.viewer.resized(page)

    # What passes between the two.

    @rule()
    def tick(self) -> None:
        """It is time for another frame."""
        self.viewer.ticked()

    @rule()
    def hear(self) -> None:
        """The node hears a question."""
        self.viewer.heard()

    @rule()
    def rest(self) -> None:
        """The viewer has pressed nothing for a while."""
        self.viewer.rest()

    @precondition(lambda self: self.viewer.frames)
    @rule()
    def take(self) -> None:
        """A frame arrives: the cursor stays with its row, and that on its line."""
        viewer, sent = self.viewer, self.viewer.frames[0]
        before, page = viewer.place, viewer.page
        compared = viewer.will_take(sent) and not viewer.will_find(sent)
        viewer.taken()
        if not compared or before.target is not None:
            return
        if before.selected is None:
            assert position(viewer.place, sent.frame, page) == (0, 0)
        elif before.selected in sent.order:
            assert viewer.place.selected == before.selected
            index = sent.order.index(before.selected)
            if before.selected in viewer.held:
                room = max(0, len(sent.order) - max(1, page))
                top = max(0, min(index - line(before, page), room))
                assert position(viewer.place, sent.frame, page) == (top, index)

    @rule()
    def settle(self) -> None:
        """Once all has arrived, the window is full and the cursor on a row of it."""
        viewer = self.viewer
        viewer.calm()
        frame = viewer.current
        assert frame is not None
        assert held(viewer.place, frame, viewer.page), viewer.place
        if not frame.count:
            return
        assert viewer.on is not None
        assert viewer.on in viewer.seen
        assert viewer.place.target is None
        assert viewer.on == viewer.place.selected or position(
            viewer.place, frame, viewer.page
        ) == (0, 0)
        assert len(viewer.seen) == min(max(1, viewer.page), frame.count)

    @invariant()
    def cursor_within_the_window(self) -> None:
        """At every moment the cursor is between the window's first line and last."""
        viewer = getattr(self, "viewer", None)
        if viewer is not None and viewer.current is not None:
            top, cursor = position(viewer.place, viewer.current, viewer.page)
            assert 0 <= top <= cursor < top + max(1, viewer.page)
            assert cursor < max(1, viewer.current.count)


class WatchingTests(SynchronousTestCase):
    """The cursor, with keys, rows and answers in any order."""

    def test_any_order(self) -> None:
        """Whatever happens, nothing raises, and the cursor keeps to its row."""
        run_state_machine_as_test(
            Watching,
            settings=settings(
                max_examples=150, stateful_step_count=40, deadline=None, database=None
            ),
        )

    def test_all_keys_are_tried(self) -> None:
        """The keys tried at random are those of all actions but the last."""
        tried = {key for key in ALL_KEYS if key not in LEFT_OUT}
        actions = {
            each.action
            for _, bindings in SECTIONS
            for each in bindings
            if tried.intersection(each.keys)
        }
        self.assertEqual(set(Action) - actions, {Action.QUIT})
