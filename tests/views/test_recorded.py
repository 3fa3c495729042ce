"""A recording answers as the node did: every query, from the rows that it kept."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.model.board import Board
from connmon.model.journal import Journal
from connmon.model.records import Counters, Identity, Maxima, Report, WaiterRecord
from connmon.views.answer import answer
from connmon.views.fleet import Fleet
from connmon.views.frame import Frame
from connmon.views.query import Key, Query
from connmon.views.recorded import WHOLE, Recorded
from connmon.views.schema import (
    ADVICE,
    CHECKOUTS,
    CONNECTIONS,
    EVENTS,
    HOSTS,
    NODES,
    POOLS,
    PROCESSES,
    PROGRAMS,
    SERVERS,
    SHARES,
    SITES,
    TAGS,
    TIMEOUTS,
    VIEWS,
)
from connmon.wire.frames import decode_feed, encode_feed
from tests.views.boards import CLOCK, NOW, a_board, boards, told
from tests.views.test_fleet import A_NODE


def a_fleet(board: Board) -> Fleet:
    """A board, some nodes and some events."""
    journal = Journal("node1", "o1")
    for number in range(3):
        journal.note(f"event {number}", NOW - 3.0 * number, pid=number)
    other = replace(A_NODE, node="a", state="stale", clients=None, remarks=())
    return Fleet(board, nodes=lambda: (A_NODE, other), events=journal.newest)


def recorded(fleet: Fleet) -> tuple[Frame, ...]:
    """What a console gets that records the fleet."""
    return decode_feed(encode_feed([fleet.answer(each, NOW) for each in WHOLE]))


def replayed(frames: tuple[Frame, ...], query: Query) -> Frame:
    """What a recording answers, whenever it is asked."""
    return answer(Recorded(frames), frames[0].head, query, 0.0)


KEYS: list[Key] = [
    ("a", "api"),
    ("a", ""),
    ("a",),
    ("p1",),
    ("p1", 1),
    ("p0", 0),
    ("node1", "h:5800"),
    ("o1", 2),
    ("gone",),
]


@st.composite
def queries(draw: st.DrawFn) -> Query:
    """Anything that may be asked of a view."""
    view = VIEWS[draw(st.sampled_from(sorted(VIEWS)))]
    names = [each.name for each in view.fields]
    sort = draw(st.sampled_from(("", *names, *(f"-{name}" for name in names))))
    scope = {"hostname": "a", "progname": "api", "process": "p1", "pool_id": 1}
    scope |= {"state": "out", "alert": "warn", "pid": 1, "stale_seconds": None}
    scope |= {"node": "node1", "site": None, "tag": "web"}
    within = [
        (name, value)
        for name, value in scope.items()
        if name in (*names, *view.inner) or (name in ("site", "tag") and view.inner)
    ]
    return Query(
        view.name,
        scope=tuple(draw(st.lists(st.sampled_from(within), max_size=2, unique=True))),
        where=tuple(draw(st.lists(st.sampled_from(("a", "!b", '"1"')), max_size=2))),
        busy=draw(st.booleans()),
        sort=sort,
        alerts_first=draw(st.booleans()),
        tree=draw(st.booleans()),
        fields=draw(st.just(()) | st.lists(st.sampled_from(names)).map(tuple)),
        first=draw(st.integers(0, 9)),
        limit=draw(st.integers(-1, 9)),
        anchor=draw(st.none() | st.sampled_from(KEYS)),
        line=draw(st.integers(0, 3)),
        find=draw(st.sampled_from(("", "api", "1", "zzz"))),
        find_step=draw(st.sampled_from((1, -1))),
    )


class RecordedTests(SynchronousTestCase):
    """A recording of a moment, and the fleet as it was then."""

    @settings(deadline=None)
    @given(boards(), st.lists(queries(), min_size=1, max_size=4))
    def test_every_query_has_the_same_answer(
        self, board: Board, asked: list[Query]
    ) -> None:
        """The same rows, in the same order, with the same things said of them."""
        fleet = a_fleet(board)
        frames = recorded(fleet)
        for query in asked:
            if query.view in (SITES, TAGS) and fleet.head(NOW).waiting:
                continue  # who waits where is not recorded
            self.assertEqual(fleet.answer(query, NOW), replayed(frames, query), query)

    def test_every_view(self) -> None:
        """Of the board that is known by heart, flat and as a tree, by every field."""
        fleet = a_fleet(a_board())
        frames = recorded(fleet)
        for view in VIEWS.values():
            for each in view.fields:
                for tree in (False, True):
                    query = Query(view.name, sort=f"-{each.name}", tree=tree)
                    self.assertEqual(
                        fleet.answer(query, NOW), replayed(frames, query), query
                    )

    def test_the_words_for_a_scope(self) -> None:
        """They are the node's, also where the scope names no pool."""
        fleet = a_fleet(a_board())
        frames = recorded(fleet)
        seen = set()
        for view in (CONNECTIONS, CHECKOUTS, POOLS):
            for process in ("p1", "p2", "p3", "p4", "p9", None, 1):
                for pool_id in (0, 1, 2, None, "1"):
                    for scope in (
                        (("process", process), ("pool_id", pool_id)),
                        (("pool_id", pool_id),),
                        (("process", process),),
                    ):
                        query = Query(view, scope=scope)
                        frame = fleet.answer(query, NOW)
                        self.assertEqual(frame, replayed(frames, query), query)
                        seen.add(frame.about)
        # Of the five pools that there are, two are alike.
        self.assertEqual(5, len(seen))

    def test_what_is_recorded(self) -> None:
        """All views but those of the checkouts, which are among the connections."""
        self.assertEqual(
            [
                PROGRAMS,
                HOSTS,
                PROCESSES,
                POOLS,
                CONNECTIONS,
                NODES,
                EVENTS,
                TIMEOUTS,
                SERVERS,
                SHARES,
                ADVICE,
            ],
            [each.view for each in WHOLE],
        )
        for each in WHOLE:
            self.assertEqual(Query(each.view), each)

    def test_who_waits_where_is_not_recorded(self) -> None:
        """Then nobody knows how many wait for a line; what it holds is the same."""
        who, counters = Identity("p5", "b", "api", 15), Counters()
        waiter = WaiterRecord(1, CLOCK - 3.0, "t", "a.py:1 f")
        report = Report(0, None, CLOCK, 1.0, counters, Maxima(), waiting=1)
        for waiting, expected in ((1, None), (0, 0)):
            board, waiters = a_board(), (waiter,) * waiting
            told(board, who, replace(report, waiting=waiting, waiters=waiters))
            fleet = a_fleet(board)
            query = Query(SITES, where=("site=-",))
            live, frame = fleet.answer(query, NOW), replayed(recorded(fleet), query)
            at = live.fields.index("waiting")
            (row,), (known,) = frame.rows, live.rows
            self.assertEqual((expected, 0), (row[at], known[at]))
            self.assertEqual(known[:at], row[:at])

    def test_views_that_are_missing(self) -> None:
        """They are empty; what is there is shown."""
        fleet = a_fleet(a_board())
        frames = recorded(fleet)
        for view in VIEWS:
            query = Query(view, alerts_first=True, busy=True, find="a", tree=True)
            frame = replayed(frames[5:6], query)  # nothing but the nodes
            self.assertEqual(2 if view == NODES else 0, frame.count, view)
        programs = replayed(frames[:1], Query(tree=True))
        self.assertEqual(
            [("a", "", None), ("a", "api", 7), ("a", "batch", 0)],
            [
                tuple(
                    row[programs.fields.index(name)]
                    for name in ("hostname", "progname", "conn")
                )
                for row in programs.rows[:3]
            ],
        )

    def test_fields_that_are_missing(self) -> None:
        """A recording of an older connmon has fewer: they are not known."""
        fleet = a_fleet(a_board())
        older = tuple(
            fleet.answer(
                replace(each, fields=("conn", "state", "nproc", "hostname")), NOW
            )
            for each in WHOLE
        )
        for view in VIEWS:
            for each in VIEWS[view].fields:
                query = Query(view, sort=each.name, alerts_first=True, busy=True)
                replayed(older, query)
        frame = replayed(older, Query(PROGRAMS, where=("conn>0",)))
        self.assertEqual(2, frame.count)
        frame = replayed(older, Query(CHECKOUTS))
        self.assertEqual(5, frame.count)
        frame = replayed(older, Query(HOSTS, where=("alert=-",)))
        self.assertEqual(2, frame.count)
        frame = replayed(older, Query(PROCESSES, scope=(("hostname", "a"),)))
        self.assertEqual(2, frame.count)
        frame = replayed(older, Query(POOLS, fields=("waiters",), where=("waiters=-",)))
        at = frame.fields.index("waiters")
        self.assertEqual([None] * 5, [row[at] for row in frame.rows])
