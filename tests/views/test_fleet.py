"""What a node shows of its service: the head, and that all views agree with it."""

from __future__ import annotations

from collections import Counter
from dataclasses import astuple, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.errors import QueryError
from connmon.model.board import Board
from connmon.model.journal import Journal, Remark
from connmon.model.records import OUT, Counters, Home, Identity, Maxima, Report
from connmon.views.alert import (
    CRIT,
    LONG_SECONDS,
    OK,
    RANKS,
    STATES,
    WARN,
    WELL,
)
from connmon.views.fleet import Cluster, Fleet
from connmon.views.frame import Frame, Gauge
from connmon.views.query import Query
from connmon.views.roster import UP, NodeRow
from connmon.views.schema import (
    CHECKOUTS,
    CONNECTIONS,
    EVENTS,
    HOSTS,
    NODES,
    POOLS,
    PROCESSES,
    PROGRAMS,
    VIEWS,
)
from tests.views.boards import (
    BOUNDED,
    CLOCK,
    NOW,
    a_board,
    boards,
    connection,
    passed_on,
    pool,
    told,
)

A_NODE = NodeRow(
    node="node1",
    address="h:5800",
    state=UP,
    reason="",
    since_seconds=7.0,
    heard_seconds=0.0,
    clients=3,
    consoles=1,
    agreed_seconds=None,
    lag_seconds=None,
    bytes_sent=1,
    bytes_received=2,
    messages_sent=3,
    messages_received=4,
    version="1",
    remarks=("odd", "very odd"),
)


def rows(frame: Frame) -> list[dict[str, Any]]:
    """The rows, by the names of their fields."""
    return [dict(zip(frame.fields, row, strict=True)) for row in frame.rows]


def total(found: list[dict[str, Any]], name: str) -> int:
    """The sum of one field over all rows."""
    return sum(row[name] for row in found)


def _word(row: dict[str, Any]) -> str:
    """The state as it is said, which is not said if it is well."""
    return "" if row["state"] == WELL else f" {row['state']}"


class HeadTests(SynchronousTestCase):
    """The service as a whole."""

    def test_of_an_empty_board(self) -> None:
        """There is nothing, and all is well."""
        head = Fleet(Board("default", "node1")).head(NOW)
        self.assertEqual(("default", "node1"), (head.service, head.node))
        nothing = Gauge(0, 0)
        self.assertEqual(
            (nothing, nothing, nothing, nothing),
            (head.hosts, head.processes, head.connections, head.checkouts),
        )
        self.assertEqual(
            (None, (0.0,) * 20, 0, None, 0, 0, "", 1, 1, ()),
            (
                head.per_second,
                head.history,
                head.stale,
                head.oldest_seconds,
                head.crit,
                head.warn,
                head.worst,
                head.nodes_up,
                head.nodes,
                head.down,
            ),
        )

    def test_of_the_board_known_by_heart(self) -> None:
        """Sums and maxima, what is stale, what is oldest, what is worst."""
        fleet = Fleet(a_board(), cluster=lambda: Cluster(1, 2, ("node2",)))
        head = fleet.head(NOW)
        self.assertEqual(
            (Gauge(2, 2), Gauge(3, 3), Gauge(8, 9), Gauge(5, 5)),
            (head.hosts, head.processes, head.connections, head.checkouts),
        )
        self.assertAlmostEqual(1.0, head.per_second or 0.0)
        self.assertEqual((1, 40.0), (head.stale, head.oldest_seconds))
        self.assertEqual((0, 2), (head.crit, head.warn))
        self.assertEqual(
            "a api BUSY: pool full in 1 of 2 processes, oldest checkout 40s", head.worst
        )
        self.assertEqual((1, 2, ("node2",)), (head.nodes_up, head.nodes, head.down))
        waits = (head.waiting, head.wait_p99_seconds, head.timeouts, head.txn_seconds)
        self.assertEqual((0, None, 0, None), waits)
        self.assertEqual((*(0.0,) * 18, 4.0, 2.67), fleet.head(NOW + 3.25).history)

    def test_what_is_worst(self) -> None:
        """More full pools are worse, then a fuller one, then an older checkout."""

        def worst(*programs: tuple[int, float]) -> str:
            board = Board("s", "n")
            for number, (out, ago) in enumerate(programs):
                report = Report(
                    0,
                    None,
                    CLOCK,
                    1.0,
                    Counters(),
                    Maxima(),
                    (pool(1, BOUNDED._replace(size=10, max_overflow=0)),),
                    tuple(connection(id, OUT, ago) for id in range(out)),
                )
                told(board, Identity(f"p{number}", "h", f"x{number}", 1), report)
            return Fleet(board).head(NOW).worst

        self.assertEqual("", worst((1, 1.0), (7, 30.0)))
        self.assertEqual("h x1 BUSY: pool full", worst((9, 90.0), (10, 1.0), (1, 99.0)))
        self.assertEqual("h x1: pool 90 % used", worst((8, 2.0), (9, 1.0), (1, 99.0)))
        self.assertEqual(
            "h x2: oldest checkout 41s", worst((0, 0), (1, 40.0), (1, 41.0))
        )

    def test_what_changes_is_seen_at_once(self) -> None:
        """Whoever asks twice at the same moment is told what is true by then."""
        board = Board("s", "n")
        fleet = Fleet(board)
        self.assertEqual((0, ""), (fleet.head(NOW).warn, fleet.head(NOW).worst))
        who = Identity("p", "h", "x", 1)
        full = Report(
            0,
            None,
            CLOCK,
            1.0,
            Counters(),
            Maxima(),
            (pool(1, BOUNDED),),
            tuple(connection(id, OUT, 2.0) for id in range(3)),
        )
        told(board, who, full)
        frame = fleet.answer(Query(), NOW)
        self.assertEqual(
            (1, "h x BUSY: pool full", 2.0),
            (frame.head.warn, frame.head.worst, frame.head.oldest_seconds),
        )
        told(
            board,
            who,
            replace(full, sequence=1, base=0, closed=(0, 1, 2), connections=()),
        )
        self.assertEqual((0, ""), (fleet.head(NOW).warn, fleet.head(NOW).worst))
        self.assertIsNone(fleet.head(NOW).oldest_seconds)

    def test_a_checkout_gets_too_old_by_itself(self) -> None:
        """At the same moment for the head and for each row."""
        board = Board("s", "n")
        report = Report(0, None, CLOCK, 1.0, Counters(), Maxima())
        report = replace(report, connections=(connection(1, OUT, 0.0),))
        told(board, Identity("p", "h", "x", 1), report)
        for later in (-1e-9, 0.0, 1e-9, 1e-6):
            now = NOW + LONG_SECONDS + later
            for view in (PROGRAMS, HOSTS, PROCESSES, CONNECTIONS, CHECKOUTS):
                frame = Fleet(board).answer(Query(view), now)
                expected = WARN if later > 0 else OK
                self.assertEqual([expected], [row["alert"] for row in rows(frame)])
                self.assertEqual(int(later > 0), frame.head.warn)


class ListedTests(SynchronousTestCase):
    """The views of what nodes tell of themselves."""

    def test_nodes(self) -> None:
        """Each as it was told, in the order in which they were."""
        other = replace(A_NODE, node="a", state="stale", reason="silent")
        fleet = Fleet(a_board(), nodes=lambda: (A_NODE, other))
        frame = fleet.answer(Query(NODES), NOW)
        self.assertEqual((astuple(A_NODE), astuple(other)), frame.rows)
        self.assertEqual(
            tuple(each.name for each in VIEWS[NODES].fields),
            tuple(NodeRow.__dataclass_fields__),
        )

    def test_events(self) -> None:
        """The newest first, with how long ago each was, and about whom."""
        journal = Journal("node1", "o1")
        journal.note("it began", NOW - 60.0)
        journal.note(
            "it broke",
            NOW - 5.0,
            severity="crit",
            hostname="h",
            progname="p",
            pid=7,
        )
        fleet = Fleet(a_board(), events=journal.newest)
        self.assertEqual(
            [
                (5.0, "crit", "h", "p", 7, "node1", "it broke", "o1", 2),
                (60.0, "info", None, None, None, "node1", "it began", "o1", 1),
            ],
            list(fleet.answer(Query(EVENTS), NOW).rows),
        )

    def test_events_at_the_moment_that_is_shown(self) -> None:
        """They are asked for as of then."""
        asked = []

        def events(now: float) -> tuple[Remark, ...]:
            asked.append(now)
            return ()

        Fleet(a_board(), events=events).answer(Query(EVENTS), NOW)
        self.assertEqual([NOW], asked)

    def test_without_a_cluster(self) -> None:
        """There are no nodes and no events to show."""
        for view in (NODES, EVENTS):
            frame = Fleet(a_board()).answer(Query(view), NOW)
            self.assertEqual(((), 0, 0), (frame.rows, frame.count, frame.total))


class FleetTests(SynchronousTestCase):
    """Answers to queries."""

    def test_looking_changes_nothing(self) -> None:
        """The same question has the same answer again."""
        fleet = Fleet(a_board(), nodes=lambda: (A_NODE,))
        for view in VIEWS:
            self.assertEqual(
                fleet.answer(Query(view), NOW), fleet.answer(Query(view), NOW)
            )

    def test_several_at_once(self) -> None:
        """They are answered as each would be, and all have one head."""
        fleet = Fleet(a_board(), nodes=lambda: (A_NODE,))
        queries = [Query(view, limit=2) for view in VIEWS]
        frames = fleet.answers(queries, NOW)
        self.assertEqual([fleet.answer(each, NOW) for each in queries], frames)
        self.assertEqual(1, len({id(each.head) for each in frames}))

    def test_what_cannot_be_asked(self) -> None:
        """It is refused, alone or among others."""
        fleet = Fleet(a_board())
        with self.assertRaises(QueryError):
            fleet.answer(Query("x"), NOW)
        with self.assertRaises(QueryError):
            fleet.answers([Query(), Query(sort="x")], NOW)

    def test_a_fleet_is_tables(self) -> None:
        """A view's rows can be had before anybody chose among them."""
        table = Fleet(a_board()).table(PROCESSES, {"hostname": "a"}, NOW)
        read = table.values["process"]
        self.assertEqual({"p1", "p2"}, {read(each) for each in table.entries})

    def test_the_same_process_ids_on_one_host(self) -> None:
        """Containers repeat them; the token decides, so rows keep their order."""
        board = Board("s", "n")
        report = Report(0, None, CLOCK, 1.0, Counters(), Maxima())
        report = replace(report, connections=(connection(1, OUT, 3.0),))
        for token in ("c", "a", "b"):
            told(board, Identity(token, "h", "p", 1), report)
        for view in (PROCESSES, CONNECTIONS, CHECKOUTS):
            for scope in ((), (("hostname", "h"), ("progname", "p"))):
                frame = Fleet(board).answer(Query(view, scope=scope), NOW)
                self.assertEqual(
                    ["a", "b", "c"], [row["process"] for row in rows(frame)]
                )


_LEVELS = ((HOSTS, PROGRAMS), (PROGRAMS, PROCESSES), (PROCESSES, POOLS))


class AgreementTests(SynchronousTestCase):
    """Whatever a board knows, its views agree."""

    @settings(deadline=None)
    @given(boards())
    def test_sums(self, board: Board) -> None:
        """Processes, programs, hosts and the head count the same."""
        fleet = Fleet(board)
        head = fleet.head(NOW)
        found = {view: rows(fleet.answer(Query(view), NOW)) for view in VIEWS}
        for view in (PROGRAMS, HOSTS, PROCESSES):
            self.assertEqual(head.connections.current, total(found[view], "conn"))
            self.assertEqual(head.checkouts.current, total(found[view], "ckout"))
        for view in (PROGRAMS, HOSTS):
            self.assertEqual(head.processes.current, total(found[view], "nproc"))
            self.assertEqual(head.stale, total(found[view], "stale"))
        for view in (PROGRAMS, HOSTS, PROCESSES, POOLS):
            self.assertEqual(head.waiting or 0, total(found[view], "waiting"))
        for view in (PROGRAMS, HOSTS):
            self.assertEqual(head.timeouts or 0, total(found[view], "timeouts"))
        self.assertEqual(head.processes.current, len(found[PROCESSES]))
        self.assertEqual(head.hosts.current, sum(r["nproc"] > 0 for r in found[HOSTS]))
        self.assertEqual(head.connections.current, len(found[CONNECTIONS]))
        self.assertEqual(head.checkouts.current, len(found[CHECKOUTS]))
        # All connections here are of pools that are known.
        self.assertEqual(head.connections.current, total(found[POOLS], "conn"))
        self.assertEqual(head.checkouts.current, total(found[POOLS], "ckout"))
        self.assertEqual(total(found[PROCESSES], "pools"), len(found[POOLS]))

    @settings(deadline=None)
    @given(boards())
    def test_each_row_is_the_sum_of_those_below_it(self, board: Board) -> None:
        """Host by host, program by program, process by process."""
        fleet = Fleet(board)
        for above, below in _LEVELS:
            view = VIEWS[above]
            for row in rows(fleet.answer(Query(above), NOW)):
                scope = tuple((name, row[name]) for name in view.key)
                parts = rows(fleet.answer(Query(below, scope=scope), NOW))
                for name in ("conn", "ckout", "waiting"):
                    self.assertEqual(row[name], total(parts, name), (above, name))
                for name in ("oldest_seconds", "oldest_wait_seconds"):
                    ages = [part[name] for part in parts]
                    known = [age for age in ages if age is not None]
                    self.assertEqual(max(known, default=None), row[name])
                shares = [
                    part.get("pool_worst", part.get("pool_used")) for part in parts
                ]
                used = [share for share in shares if share is not None]
                self.assertEqual(max(used, default=None), row["pool_worst"])

    @settings(deadline=None)
    @given(boards())
    def test_alerts(self, board: Board) -> None:
        """The head counts programs that are not ok, and says which is worst."""
        fleet = Fleet(board)
        frame = fleet.answer(Query(), NOW)
        levels = Counter(row["alert"] for row in rows(frame))
        self.assertEqual(levels[CRIT], frame.head.crit)
        self.assertEqual(levels[WARN], frame.head.warn)
        worst = [
            f"{row['hostname']} {row['progname']}{_word(row)}: {row['reason']}"
            for row in rows(frame)
            if row["alert"] != OK
        ]
        self.assertEqual(bool(worst), bool(frame.head.worst))
        if worst:
            self.assertIn(frame.head.worst, worst)
        for view in (PROGRAMS, HOSTS, PROCESSES, POOLS, CONNECTIONS):
            for row in rows(fleet.answer(Query(view), NOW)):
                self.assertEqual(row["alert"] == OK, row["reason"] == "", row)

    @settings(deadline=None)
    @given(boards())
    def test_what_a_table_says_of_itself(self, board: Board) -> None:
        """Its entries are in order if it says so, and its ranks are of all alerts."""
        for view in (PROGRAMS, HOSTS, PROCESSES):
            table = Fleet(board).table(view, {}, NOW)
            self.assertTrue(table.ordered)
            keys = [
                tuple(table.values[name](each) for name in VIEWS[view].order)
                for each in table.entries
            ]
            self.assertEqual(sorted(keys), keys)
            alerts = {each: table.values["alert"](each) for each in table.entries}
            wrong = {
                each: RANKS[level] for each, level in alerts.items() if level != OK
            }
            self.assertEqual(wrong, table.ranks)

    @settings(deadline=None)
    @given(boards())
    def test_what_is_wrong_below_is_wrong_above(self, board: Board) -> None:
        """A host is ok if all its programs are, a program if its processes are."""
        fleet = Fleet(board)
        for above, below in _LEVELS[:2]:
            wrong = {
                tuple(row[name] for name in VIEWS[above].key)
                for row in rows(fleet.answer(Query(below), NOW))
                if row["alert"] != OK
            }
            for row in rows(fleet.answer(Query(above), NOW)):
                key = tuple(row[name] for name in VIEWS[above].key)
                self.assertEqual(key in wrong, row["alert"] != OK, (above, row))

    @settings(deadline=None)
    @given(boards())
    def test_each_is_in_the_worst_state_of_those_below_it(self, board: Board) -> None:
        """Host by host, program by program, process by process."""
        places = list(STATES)
        fleet = Fleet(board)
        for above, below in _LEVELS:
            view = VIEWS[above]
            for row in rows(fleet.answer(Query(above), NOW)):
                scope = tuple((name, row[name]) for name in view.key)
                parts = rows(fleet.answer(Query(below, scope=scope), NOW))
                worst = min((places.index(part["state"]) for part in parts), default=-1)
                self.assertEqual(places[worst], row["state"], (above, row))

    @settings(deadline=None)
    @given(boards(), st.sampled_from(sorted(VIEWS)), st.data())
    def test_keys_tell_rows_apart(
        self, board: Board, view: str, data: st.DataObject
    ) -> None:
        """Any row can be found again by its key, and is in the window then."""
        fleet = Fleet(board, nodes=lambda: (A_NODE,))
        found = rows(fleet.answer(Query(view), NOW))
        keys = [tuple(row[name] for name in VIEWS[view].key) for row in found]
        self.assertEqual(len(keys), len(set(keys)))
        if keys:
            at = data.draw(st.integers(0, len(keys) - 1))
            query = Query(view, anchor=keys[at], limit=2, line=1)
            frame = fleet.answer(query, NOW)
            self.assertEqual(at, frame.selected)
            self.assertEqual(
                frame.rows[at - frame.first],
                fleet.answer(Query(view), NOW).rows[at],
            )


class StaleTests(SynchronousTestCase):
    """Processes whose node nobody hears."""

    def test_from_when_on(self) -> None:
        """A node that is heard a moment later than usual makes nothing stale."""
        for unheard, stale in ((0.0, 0), (4.0, 0), (4.5, 1)):
            board = Board("s", "n")
            report = Report(0, None, CLOCK, 1.0, Counters(), Maxima())
            home = Home("node2", "i")
            passed_on(board, Identity("p", "h", "x", 1), report, home, unheard)
            head = Fleet(board).head(NOW)
            self.assertEqual((stale, stale), (head.stale, head.warn), unheard)

    def test_of_several_processes(self) -> None:
        """They are counted, and the oldest knowledge is told."""
        board = Board("s", "n")
        report = Report(0, None, CLOCK, 1.0, Counters(), Maxima())
        for number, unheard in enumerate((5.0, 9.0, 1.0)):
            who = Identity(f"p{number}", "h", "x", 1)
            passed_on(board, who, report, Home(f"node{number}", "i"), unheard)
        (row,) = rows(Fleet(board).answer(Query(), NOW))
        self.assertEqual((2, 9.0), (row["stale"], row["stale_seconds"]))
        self.assertEqual("2 processes not heard", row["reason"])

    def test_those_that_are_not_live(self) -> None:
        """Whoever departed is not missed."""
        board = Board("s", "n", stale_after=20.0)
        report = Report(0, None, CLOCK, 1.0, Counters(), Maxima())
        passed_on(board, Identity("p", "h", "x", 1), report, Home("m", "i"), 5.0)
        self.assertEqual(1, Fleet(board).head(NOW).stale)
        board.expired(NOW + 60.0)
        head = Fleet(board).head(NOW + 60.0)
        self.assertEqual((0, 0, 0), (head.stale, head.warn, head.processes.current))
