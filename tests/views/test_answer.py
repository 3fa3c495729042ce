"""From a query to a window of rows: which rows, in which order, and where it is cut."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.errors import QueryError
from connmon.views.answer import answer, checked
from connmon.views.frame import Frame, Head
from connmon.views.query import WHOLE, Key, Query
from connmon.views.schema import (
    CHECKOUTS,
    CONNECTIONS,
    EVENTS,
    HOSTS,
    NODES,
    PROGRAMS,
    VIEWS,
)
from connmon.views.table import Scope, Table

HEAD = Head("default", "node1")
Entry = dict[str, Any]


def program(hostname: str, progname: str, **more: Any) -> Entry:
    """A row of the programs view."""
    return {"hostname": hostname, "progname": progname, "alert": "ok", **more}


class Given:
    """Tables of rows that were given, whichever view is asked for."""

    def __init__(self, *entries: Entry, fields: Sequence[str] = ()) -> None:
        """The fields that can be read are those of the first, and these."""
        self._entries = entries
        self._fields = (*(entries[0] if entries else ()), *fields)

    def table(self, view: str, scope: Scope, now: float) -> Table:
        """All rows, whatever the view, that are in the scope."""
        values = {name: _reader(name) for name in self._fields}
        table = Table(VIEWS[view], self._entries, values, "as told", self._parent)
        return table.within(scope)

    def _parent(self, hostname: str) -> Entry:
        return program(hostname, "", programs=7)


def _reader(name: str) -> Callable[[Entry], Any]:
    return lambda entry: entry.get(name)


def asked(tables: Given, query: Query) -> Frame:
    """The answer to a query."""
    return answer(tables, HEAD, query, 0.0)


def column(frame: Frame, name: str) -> list[Any]:
    """The values of one field."""
    index = frame.fields.index(name)
    return [row[index] for row in frame.rows]


def names(frame: Frame) -> str:
    """The names of the programs, one after the other."""
    return " ".join(column(frame, "progname"))


class WhichTests(SynchronousTestCase):
    """Which rows are chosen."""

    def setUp(self) -> None:
        """Four programs on two hosts."""
        self.tables = Given(
            program("h1", "d", conn=4, ckout=0, waiting=0),
            program("h1", "b", conn=2, ckout=2, waiting=0),
            program("h2", "c", conn=3, ckout=0, waiting=1),
            program("h2", "a", conn=1, ckout=0, waiting=None, alert="warn"),
        )

    def shown(self, **how: Any) -> str:
        """The names of the programs that a query shows."""
        return names(asked(self.tables, Query(**how)))

    def test_all(self) -> None:
        """Without wishes there are all rows, and nothing is selected or found."""
        frame = asked(self.tables, Query())
        self.assertEqual(
            (PROGRAMS, HEAD, 0, 4, 4, None, False, "as told"),
            (
                frame.view,
                frame.head,
                frame.first,
                frame.count,
                frame.total,
                frame.selected,
                frame.found,
                frame.about,
            ),
        )
        self.assertEqual(
            tuple(each.name for each in VIEWS[PROGRAMS].fields), frame.fields
        )

    def test_what_nobody_can_tell_is_none(self) -> None:
        """A field that the table does not have is there, and not known."""
        self.assertEqual([None] * 4, column(asked(self.tables, Query()), "leaks"))

    def test_a_filter(self) -> None:
        """Only rows for which it holds are counted; the total counts all."""
        frame = asked(self.tables, Query(where=("conn>1",)))
        self.assertEqual("b d c", names(frame))
        self.assertEqual((3, 4), (frame.count, frame.total))

    def test_several_filters(self) -> None:
        """All of them must hold."""
        self.assertEqual("d c", self.shown(where=("conn>1", "ckout=0")))
        self.assertEqual("c", self.shown(where=("conn>1", "ckout=0", "h2")))
        self.assertEqual("", self.shown(where=("conn>1", "conn<2")))

    def test_a_filter_of_a_field_that_nobody_can_tell(self) -> None:
        """It is not known, so nothing compares with it."""
        self.assertEqual("", self.shown(where=("leaks>0",)))
        self.assertEqual("b d a c", self.shown(where=("leaks=-",)))

    def test_a_scope(self) -> None:
        """Rows outside of it are not even in the total."""
        frame = asked(self.tables, Query(scope=(("hostname", "h2"),)))
        self.assertEqual(("a c", 2, 2), (names(frame), frame.count, frame.total))
        self.assertEqual("c", self.shown(scope=(("hostname", "h2"), ("progname", "c"))))
        self.assertEqual("", self.shown(scope=(("conn", "4"),)))
        self.assertEqual("d", self.shown(scope=(("conn", 4),)))

    def test_busy(self) -> None:
        """Something is out, somebody waits, or something is wrong."""
        self.assertEqual("b a c", self.shown(busy=True))

    def test_busy_hosts(self) -> None:
        """Hosts are idle when their programs are."""
        tables = Given(
            {"hostname": "h1", "ckout": 0, "alert": "ok"},
            {"hostname": "h2", "ckout": 1, "alert": "ok"},
            {"hostname": "h3", "ckout": 0, "alert": "crit"},
        )
        frame = asked(tables, Query(HOSTS, busy=True))
        self.assertEqual(["h2", "h3"], column(frame, "hostname"))

    def test_busy_connections(self) -> None:
        """Those that are not in their pool, and those with which something is wrong."""
        rows = [
            {"connection": number, "state": state, "alert": alert, "out_seconds": None}
            for number, (state, alert) in enumerate(
                (("idle", "ok"), ("out", "ok"), ("detached", "ok"), ("idle", "warn"))
            )
        ]
        for each in rows:
            each["process"] = "p"
        for view in (CONNECTIONS, CHECKOUTS):
            frame = asked(Given(*rows), Query(view, busy=True))
            self.assertEqual([1, 2, 3], column(frame, "connection"))

    def test_busy_nodes_and_events(self) -> None:
        """These are never idle."""
        nodes = asked(
            Given({"node": "n", "address": "a", "state": "up"}), Query(NODES, busy=True)
        )
        self.assertEqual(["n"], column(nodes, "node"))
        event = {"origin": "o", "sequence": 1, "age_seconds": 1.0}
        events = asked(Given(event), Query(EVENTS, busy=True))
        self.assertEqual([1], column(events, "sequence"))

    def test_fields(self) -> None:
        """Those that are wanted, in the order of the view, and always the key."""
        frame = asked(self.tables, Query(fields=("conn", "alert", "nonsense")))
        self.assertEqual(("hostname", "progname", "conn", "alert"), frame.fields)
        self.assertEqual(("h1", "b", 2, "ok"), frame.rows[0])
        for view in VIEWS.values():
            frame = asked(Given(), Query(view.name, fields=("nonsense",)))
            self.assertEqual(set(view.key), set(frame.fields))


class OrderTests(SynchronousTestCase):
    """In which order rows come."""

    def setUp(self) -> None:
        """Some programs, in no order at all."""
        self.tables = Given(
            program("h2", "a", conn=3, pool_size=None),
            program("h1", "c", conn=1, alert="warn", pool_size=5),
            program("h1", "b", conn=3, alert="crit", pool_size=None),
            program("h2", "d", conn=2, pool_size=2),
            fields=("programs",),
        )

    def shown(self, **how: Any) -> str:
        """The names of the programs that a query shows."""
        return names(asked(self.tables, Query(**how)))

    def test_the_views_own(self) -> None:
        """By host, and then by name."""
        self.assertEqual("b c a d", self.shown())

    def test_upwards(self) -> None:
        """The smallest first, and among equal ones the view's own order."""
        self.assertEqual("c d b a", self.shown(sort="conn"))

    def test_downwards(self) -> None:
        """The largest first; among equal ones still the view's own order."""
        self.assertEqual("b a d c", self.shown(sort="-conn"))

    def test_what_is_not_known_comes_last(self) -> None:
        """Whichever the direction."""
        self.assertEqual("d c b a", self.shown(sort="pool_size"))
        self.assertEqual("c d b a", self.shown(sort="-pool_size"))

    def test_by_heading(self) -> None:
        """A heading names a field, too, in whatever case."""
        self.assertEqual("b a d c", self.shown(sort="-CONN"))
        self.assertEqual("b a d c", self.shown(sort="-Conn"))
        self.assertEqual("d c b a", self.shown(sort="SIZE"))

    def test_by_a_field_that_nobody_can_tell(self) -> None:
        """That leaves the view's own order."""
        self.assertEqual("b c a d", self.shown(sort="-leaks"))

    def test_the_views_own_order_turned_round(self) -> None:
        """Not the hosts alone: their programs, too."""
        places = (("h1", "a"), ("h1", "b"), ("h2", "c"))
        tables = Given(*(program(*each) for each in places))
        self.assertEqual("c b a", names(asked(tables, Query(sort="-hostname"))))
        self.assertEqual("a b c", names(asked(tables, Query(sort="hostname"))))

    def test_alerts_first(self) -> None:
        """What is worst is on top, and below all is as it would be."""
        self.assertEqual("b c a d", self.shown(alerts_first=True))
        self.assertEqual("b c d a", self.shown(alerts_first=True, sort="conn"))

    def test_alerts_first_where_there_are_none(self) -> None:
        """Nodes and events have no alerts: nothing changes."""
        rows = [{"node": name, "address": "x"} for name in ("n2", "n1")]
        frame = asked(Given(*rows), Query(NODES, alerts_first=True))
        self.assertEqual(["n2", "n1"], column(frame, "node"))

    def test_nodes_stay_as_they_are_told(self) -> None:
        """That view has no order of its own, and can be sorted all the same."""
        rows = [{"node": name, "address": "x"} for name in ("n2", "n3", "n1")]
        frame = asked(Given(*rows), Query(NODES))
        self.assertEqual(["n2", "n3", "n1"], column(frame, "node"))
        frame = asked(Given(*rows), Query(NODES, sort="-node"))
        self.assertEqual(["n3", "n2", "n1"], column(frame, "node"))

    def test_every_field_can_be_sorted_by(self) -> None:
        """Texts, numbers, flags and histories alike."""
        for one, other in (
            ("a", "b"),
            (1, 2),
            (0.5, 1),
            (False, True),
            ((0.0, 1.0), (1.0, 0.0)),
            (("a",), ("a", "b")),
        ):
            for field in VIEWS[PROGRAMS].fields[2:]:
                tables = Given(
                    program("h", "x", **{field.name: other}),
                    program("h", "y", **{field.name: one}),
                    fields=(field.name,),
                )
                self.assertEqual("y x", names(asked(tables, Query(sort=field.name))))

    def test_a_tree(self) -> None:
        """Each host stands above its programs; its row is no program."""
        frame = asked(self.tables, Query(tree=True))
        self.assertEqual(["h1"] * 3 + ["h2"] * 3, column(frame, "hostname"))
        self.assertEqual(["", "b", "c", "", "a", "d"], column(frame, "progname"))
        self.assertEqual(
            [7, None, None, 7, None, None],
            column(frame, "programs"),
        )
        self.assertEqual((6, 4), (frame.count, frame.total))

    def test_a_tree_is_ordered_by_the_first_program_of_each_host(self) -> None:
        """So what would be on top is on top, below its host."""
        frame = asked(self.tables, Query(tree=True, sort="-conn"))
        self.assertEqual(["", "b", "c", "", "a", "d"], column(frame, "progname"))
        frame = asked(self.tables, Query(tree=True, sort="-progname"))
        self.assertEqual(["", "d", "a", "", "c", "b"], column(frame, "progname"))

    def test_a_tree_has_no_hosts_without_programs(self) -> None:
        """If a filter leaves none of a host, the host is left out, too."""
        frame = asked(self.tables, Query(tree=True, where=("h2",)))
        self.assertEqual(["", "a", "d"], column(frame, "progname"))

    def test_a_tree_of_something_else(self) -> None:
        """Where nothing stands above anything, rows come as ever."""
        tables = Given({"hostname": "h"})
        table = replace(tables.table(HOSTS, {}, 0.0), parent=None)

        class Flat(Given):
            def table(self, view: str, scope: Scope, now: float) -> Table:
                """A table without parents."""
                return table

        self.assertEqual(1, asked(Flat(), Query(HOSTS, tree=True)).count)


def letters(count: int = 10) -> Given:
    """Programs a, b, c and so on."""
    return Given(*(program("h", chr(97 + number)) for number in range(count)))


class WindowTests(SynchronousTestCase):
    """Where the window is."""

    def shown(self, **how: Any) -> tuple[str, int, int | None]:
        """What is in the window, its first row's index, and the selected one's."""
        frame = asked(letters(), Query(**how))
        self.assertEqual((10, 10), (frame.count, frame.total))
        return names(frame).replace(" ", ""), frame.first, frame.selected

    def test_from_the_top(self) -> None:
        """So many rows as are wanted."""
        self.assertEqual(("abc", 0, None), self.shown(limit=3))
        self.assertEqual(("", 0, None), self.shown(limit=0))
        self.assertEqual(("abcdefghij", 0, None), self.shown(limit=WHOLE))
        self.assertEqual(("abcdefghij", 0, None), self.shown(limit=99))

    def test_from_further_down(self) -> None:
        """From the row that is named on, but never less than there could be."""
        self.assertEqual(("def", 3, None), self.shown(first=3, limit=3))
        self.assertEqual(("hij", 7, None), self.shown(first=9, limit=3))
        self.assertEqual(("hij", 7, None), self.shown(first=2**62, limit=3))
        self.assertEqual(("abcdefghij", 0, None), self.shown(first=5, limit=99))
        self.assertEqual(("abcdefghij", 0, None), self.shown(first=5))
        self.assertEqual(("", 10, None), self.shown(first=99, limit=0))

    def test_by_an_anchor(self) -> None:
        """It is on its line, wherever the window was before."""
        self.assertEqual(("efg", 4, 4), self.shown(anchor=("h", "e"), limit=3))
        self.assertEqual(("def", 3, 4), self.shown(anchor=("h", "e"), limit=3, line=1))
        self.assertEqual(
            ("def", 3, 4), self.shown(anchor=("h", "e"), limit=3, line=1, first=9)
        )

    def test_an_anchor_near_the_ends(self) -> None:
        """The window stays full rather than the anchor on its line."""
        self.assertEqual(("abc", 0, 1), self.shown(anchor=("h", "b"), limit=3, line=2))
        self.assertEqual(("hij", 7, 9), self.shown(anchor=("h", "j"), limit=3))

    def test_a_line_beyond_the_window(self) -> None:
        """The anchor is in the window all the same, on its last line."""
        for line in (2, 3, 2**62):
            self.assertEqual(
                ("cde", 2, 4), self.shown(anchor=("h", "e"), limit=3, line=line)
            )
        self.assertEqual(("", 4, 4), self.shown(anchor=("h", "e"), limit=0, line=3))

    def test_an_anchor_that_is_gone(self) -> None:
        """The window is where it was."""
        for anchor in (("h", "z"), ("h",), ("h", "e", "e"), (), (None, None), (1, 2)):
            self.assertEqual(
                ("cde", 2, None), self.shown(anchor=anchor, first=2, limit=3, line=1)
            )

    def test_an_anchor_that_a_filter_leaves_out(self) -> None:
        """It is as good as gone."""
        frame = asked(letters(), Query(where=("!progname=e",), anchor=("h", "e")))
        self.assertEqual((None, 9), (frame.selected, frame.count))

    def test_a_host_as_anchor_of_a_tree(self) -> None:
        """Its row has a key like all others."""
        tables = Given(program("h1", "a"), program("h2", "b"))
        frame = asked(tables, Query(tree=True, anchor=("h2", ""), limit=2))
        self.assertEqual((2, 2, 4), (frame.first, frame.selected, frame.count))
        self.assertEqual(["", "b"], column(frame, "progname"))

    def test_nothing_at_all(self) -> None:
        """A window of no rows is empty, and at the top."""
        query = Query(first=5, limit=5, anchor=("h", "a"), line=2, find="a")
        frame = asked(Given(), query)
        self.assertEqual(
            ((), 0, 0, 0, None, False),
            (
                frame.rows,
                frame.first,
                frame.count,
                frame.total,
                frame.selected,
                frame.found,
            ),
        )


class FindTests(SynchronousTestCase):
    """Going to the next row that matches."""

    def found(self, find: str, **how: Any) -> tuple[int | None, bool]:
        """Which row is selected then, and whether one was found."""
        frame = asked(letters(), Query(find=find, **how))
        return frame.selected, frame.found

    def test_forwards(self) -> None:
        """It is the next one below the anchor that matches, not the anchor."""
        self.assertEqual((4, True), self.found("progname:e", anchor=("h", "a")))
        self.assertEqual((4, True), self.found("progname:e", anchor=("h", "d")))
        self.assertEqual((5, True), self.found("h", anchor=("h", "e")))

    def test_backwards(self) -> None:
        """Or the next one above it."""
        self.assertEqual(
            (4, True), self.found("progname:e", anchor=("h", "j"), find_step=-1)
        )
        self.assertEqual((3, True), self.found("h", anchor=("h", "e"), find_step=-1))

    def test_from_the_other_end(self) -> None:
        """After the last comes the first, and before the first the last."""
        self.assertEqual((1, True), self.found("progname:b", anchor=("h", "e")))
        self.assertEqual((0, True), self.found("h", anchor=("h", "j")))
        self.assertEqual((9, True), self.found("h", anchor=("h", "a"), find_step=-1))
        self.assertEqual(
            (7, True), self.found("progname:h", anchor=("h", "e"), find_step=-1)
        )

    def test_only_the_anchor_itself(self) -> None:
        """If nothing else matches, it is found again."""
        for step in (1, -1):
            self.assertEqual(
                (4, True),
                self.found("progname:e", anchor=("h", "e"), find_step=step),
            )

    def test_nothing(self) -> None:
        """The anchor stays, and so does the window by it."""
        self.assertEqual((4, False), self.found("zzz", anchor=("h", "e")))
        self.assertEqual((None, False), self.found("zzz"))
        self.assertEqual((None, False), self.found("zzz", anchor=("h", "z"), first=3))

    def test_without_an_anchor(self) -> None:
        """The window's first row is looked at first."""
        for step in (1, -1):
            self.assertEqual((3, True), self.found("h", first=3, find_step=step))
            self.assertEqual((9, True), self.found("h", first=99, find_step=step))
            self.assertEqual((0, True), self.found("h", find_step=step))
        self.assertEqual((4, True), self.found("progname:e", first=5))
        self.assertEqual((6, True), self.found("progname:g", first=5))
        self.assertEqual((9, True), self.found("progname:j", first=5, find_step=-1))

    def test_the_window_is_placed_by_it(self) -> None:
        """What was found is on the line where the anchor would have been."""
        frame = asked(
            letters(), Query(find="progname:h", anchor=("h", "a"), line=1, limit=3)
        )
        self.assertEqual(("g h i", 6, 7), (names(frame), frame.first, frame.selected))

    def test_in_a_tree(self) -> None:
        """Hosts are found, too."""
        tables = Given(program("h1", "a"), program("h2", "b"))
        frame = asked(tables, Query(tree=True, find="hostname:h2"))
        self.assertEqual((2, True), (frame.selected, frame.found))


class RefusedTests(SynchronousTestCase):
    """What cannot be asked."""

    def refused(self, query: Query) -> str:
        """Why, in words; also before any table is made."""
        with self.assertRaises(QueryError) as caught:
            checked(query)
        with self.assertRaises(QueryError) as again:
            asked(Given(), query)
        self.assertEqual(str(caught.exception), str(again.exception))
        self.assertLess(len(str(caught.exception)), 1000)
        return str(caught.exception)

    def test_a_view_that_there_is_not(self) -> None:
        """All that there are are named."""
        self.assertEqual(
            "no view 'progs', expected programs, hosts, processes, pools, "
            "connections, checkouts, nodes, events, timeouts, sites, tags, servers, "
            "shares, advice",
            self.refused(Query("progs")),
        )
        self.assertIn("no view '\\x1b[2J', ", self.refused(Query("\x1b[2J")))
        self.refused(Query("x" * 100_000))

    def test_a_field_to_sort_by_that_there_is_not(self) -> None:
        """All fields of the view are named."""
        text = self.refused(Query(NODES, sort="-conn"))
        self.assertIn("no field 'conn' of nodes to sort by, expected one of", text)
        self.assertIn(", heard_seconds, ", text)
        for sort in ("-", "--conn", "conn,ckout", "x" * 100_000, "\x1b"):
            self.refused(Query(sort=sort))

    def test_a_field_of_the_scope_that_there_is_not(self) -> None:
        """It would let nothing through, which looks as if nothing were there."""
        text = self.refused(Query(CONNECTIONS, scope=(("node", "n1"),)))
        self.assertIn("no field 'node' of connections to narrow it by", text)

    def test_filters_that_cannot_be_understood(self) -> None:
        """Of those that choose, and of the one that finds."""
        for query in (
            Query(where=("conn>x",)),
            Query(where=("nova", "nonsense:1")),
            Query(find="conn>x"),
            Query(find='"'),
        ):
            self.refused(query)
        self.assertIn("'conn>x' has 'x' for conn", self.refused(Query(find="conn>x")))

    def test_what_can_be_asked(self) -> None:
        """The view is returned."""
        for view in VIEWS.values():
            self.assertIs(view, checked(Query(view.name)))
            for each in view.fields:
                checked(Query(view.name, sort=each.name))
                checked(Query(view.name, sort=f"-{each.heading}"))
                checked(Query(view.name, scope=((each.name, None),)))


# Any rows, and any query.

KEYS: list[Key] = [("h1", "a"), ("h1", ""), ("h2", "b"), ("h3", "c"), ("h9", "z")]
ROWS = st.lists(
    st.builds(
        program,
        st.sampled_from(("h1", "h2", "h3")),
        st.sampled_from("abcd"),
        conn=st.none() | st.integers(0, 3),
        ckout=st.integers(0, 2),
        alert=st.sampled_from(("ok", "warn", "crit")),
    ),
    max_size=12,
    unique_by=lambda row: (row["hostname"], row["progname"]),
)
QUERIES = st.builds(
    Query,
    scope=st.sampled_from(((), (("hostname", "h1"),), (("ckout", 0),))),
    where=st.sampled_from(((), ("conn>0",), ("conn<3", "!h2"))),
    busy=st.booleans(),
    sort=st.sampled_from(("", "conn", "-conn", "-CKOUT", "progname", "leaks")),
    alerts_first=st.booleans(),
    tree=st.booleans(),
    fields=st.sampled_from(((), ("conn",), ("hostname",))),
    first=st.integers(0, 15),
    limit=st.integers(-1, 15),
    anchor=st.none() | st.sampled_from(KEYS),
    line=st.integers(0, 15),
    find=st.sampled_from(("", "conn=1", "zzz", "hostname:h2")),
    find_step=st.sampled_from((1, -1)),
)


def keys(frame: Frame) -> list[Key]:
    """What tells the rows from each other."""
    places = [frame.fields.index(name) for name in VIEWS[frame.view].key]
    return [tuple(row[each] for each in places) for row in frame.rows]


class AnyTests(SynchronousTestCase):
    """What is true of every window."""

    @given(ROWS, QUERIES)
    def test_a_window_is_a_part_of_the_whole(
        self, rows: list[Entry], query: Query
    ) -> None:
        """It is a slice of what there is without a window, as long as it can be."""
        tables = Given(*rows, fields=("hostname", "progname", "alert", "conn", "ckout"))
        frame = asked(tables, query)
        whole = asked(
            tables, replace(query, first=0, limit=WHOLE, anchor=None, find="")
        )
        self.assertEqual(len(whole.rows), frame.count)
        self.assertEqual(whole.count, frame.count)
        self.assertEqual(whole.total, frame.total)
        limit = frame.count if query.limit == WHOLE else query.limit
        self.assertEqual(min(limit, frame.count), len(frame.rows))
        self.assertEqual(
            whole.rows[frame.first : frame.first + len(frame.rows)], frame.rows
        )

    @given(ROWS, QUERIES)
    def test_the_selected_row_is_the_right_one(
        self, rows: list[Entry], query: Query
    ) -> None:
        """It is the anchor or one that matches, and it is in the window."""
        tables = Given(*rows, fields=("hostname", "progname", "alert", "conn", "ckout"))
        frame = asked(tables, query)
        every = keys(asked(tables, replace(query, first=0, limit=WHOLE, find="")))
        at = every.index(query.anchor) if query.anchor in every else None
        if frame.found:
            where = (*query.where, query.find)
            matching = keys(asked(tables, replace(query, where=where, limit=WHOLE)))
            self.assertIn(every[frame.selected or 0], matching)
        else:
            self.assertEqual(at, frame.selected)
        if frame.selected is not None and query.limit:
            self.assertIn(every[frame.selected], keys(frame))

    @given(ROWS, QUERIES)
    def test_going_from_match_to_match_sees_each_once(
        self, rows: list[Entry], query: Query
    ) -> None:
        """So often as there are matches, then again from the first."""
        tables = Given(*rows, fields=("hostname", "progname", "alert", "conn", "ckout"))
        query = replace(query, tree=False, find="conn=1", anchor=None, limit=WHOLE)
        where = (*query.where, "conn=1")
        matching = keys(asked(tables, replace(query, where=where, find="")))
        every = keys(asked(tables, replace(query, find="")))
        seen = []
        for _ in matching:
            frame = asked(tables, query)
            seen.append(every[frame.selected or 0])
            query = replace(query, anchor=seen[-1])
        self.assertEqual(sorted(matching), sorted(seen))
