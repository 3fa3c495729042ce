"""What the views show of a board that is known by heart, figure by figure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connmon.model.board import Board
from connmon.model.histogram import BUCKETS, Histogram
from connmon.model.records import (
    MOST,
    OUT,
    ConnectionRecord,
    Counters,
    Home,
    Identity,
    Maxima,
    PoolFacts,
    Report,
    WaiterRecord,
)
from connmon.views.connections import described
from connmon.views.fleet import Fleet
from connmon.views.query import Query
from connmon.views.recorded import WHOLE, Recorded
from connmon.views.schema import (
    CHECKOUTS,
    CONNECTIONS,
    HOSTS,
    POOLS,
    PROCESSES,
    PROGRAMS,
    VIEWS,
)
from connmon.wire.frames import decode_feed, encode_feed
from tests.views.boards import (
    BOUNDED,
    CLOCK,
    EMPTY,
    NOW,
    NULL,
    UNBOUNDED,
    a_board,
    connection,
    passed_on,
    pool,
    told,
)

Shown = dict[str, Any]


def shown(board: Board, view: str, now: float = NOW, **how: Any) -> list[Shown]:
    """The rows of a view by their fields' names, floats to the microsecond."""
    frame = Fleet(board).answer(Query(view, **how), now)
    return [
        {
            name: round(value, 6) if isinstance(value, float) else value
            for name, value in zip(frame.fields, row, strict=True)
        }
        for row in frame.rows
    ]


def whole(view: str, **known: Any) -> Shown:
    """A row in which nothing is known but this, and that nobody waits."""
    row = dict.fromkeys((each.name for each in VIEWS[view].fields), None)
    nobody = {"waiting": 0, "timeouts": 0, "timeouts_per_minute": 0.0}
    return row | {name: n for name, n in nobody.items() if name in row} | known


NOTHING = {
    "checkouts": 0,
    "connects": 0,
    "closes": 0,
    "connect_failures": 0,
    "invalidations": 0,
    "leaks": 0,
}


class ProgramsTests(SynchronousTestCase):
    """The view of the programs."""

    def setUp(self) -> None:
        """Look at all of them."""
        self.rows = {
            (row["hostname"], row["progname"]): row
            for row in shown(a_board(), PROGRAMS)
        }

    def test_which(self) -> None:
        """Each program on each host has a row, also one that departed."""
        self.assertEqual([("a", "api"), ("a", "batch"), ("b", "api")], [*self.rows])

    def test_a_program_with_two_processes(self) -> None:
        """Current figures are sums, of the fullest pool, of the longest checkout."""
        self.assertEqual(
            whole(
                PROGRAMS,
                hostname="a",
                progname="api",
                connected=True,
                nproc=2,
                conn=7,
                ckout=4,
                maxnproc=2,
                maxconn=7,
                maxckout=4,
                # Twenty in 2.5 s, of which half lie in the ten that are looked at.
                ckoutpersec=1.0,
                stale=0,
                state="BUSY",
                alert="warn",
                reason="pool full in 1 of 2 processes, oldest checkout 40s",
                pool_worst=1.0,
                full=1,
                oldest_seconds=40.0,
                invalidations_per_second=0.35,
                connects_per_second=0.1,
                checkouts=130,
                connects=8,
                closes=2,
                connect_failures=1,
                invalidations=7,
                leaks=0,
                history=(0.0,) * 20,
            ),
            self.rows["a", "api"],
        )

    def test_the_last_minute(self) -> None:
        """A step of it is told when it is over, and all of its reports are there."""
        rows = shown(a_board(), PROGRAMS, NOW + 3.25)
        self.assertEqual((*(0.0,) * 18, 4.0, 2.67), rows[0]["history"])

    def test_a_program_that_departed(self) -> None:
        """Its row stays, with what it reached and how long ago it ended."""
        self.assertEqual(
            whole(
                PROGRAMS,
                hostname="a",
                progname="batch",
                connected=False,
                nproc=0,
                conn=0,
                ckout=0,
                maxnproc=1,
                maxconn=2,
                maxckout=2,
                stale=0,
                gone_seconds=10.0,
                state="OK",
                alert="ok",
                reason="",
                full=0,
                checkouts=4,
                connects=2,
                closes=2,
                connect_failures=0,
                invalidations=0,
                leaks=0,
                history=(0.0,) * 20,
            ),
            self.rows["a", "batch"],
        )

    def test_a_program_whose_node_nobody_hears(self) -> None:
        """It still counts, and says how old it is; without a bound nothing is full."""
        self.assertEqual(
            whole(
                PROGRAMS,
                hostname="b",
                progname="api",
                connected=True,
                nproc=1,
                conn=1,
                ckout=1,
                maxnproc=1,
                maxconn=1,
                maxckout=1,
                stale=1,
                stale_seconds=11.0,
                state="OK",
                alert="warn",
                reason="1 process not heard",
                full=0,
                oldest_seconds=2.0,
                checkouts=1,
                connects=1,
                closes=0,
                connect_failures=0,
                invalidations=0,
                leaks=0,
                history=(0.0,) * 20,
            ),
            self.rows["b", "api"],
        )

    def test_pools_that_agree(self) -> None:
        """Size, overflow and capacity are told where all pools have them."""
        board = Board("s", "n")
        for token in ("p1", "p2"):
            report = Report(0, None, CLOCK, 1.0, Counters(), Maxima())
            report = replace(report, pools=(pool(1, BOUNDED),))
            told(board, Identity(token, "h", "p", 1), report)
        (row,) = shown(board, PROGRAMS)
        self.assertEqual(
            (2, 1, 6, 0.0),
            (
                row["pool_size"],
                row["max_overflow"],
                row["capacity"],
                row["pool_worst"],
            ),
        )

    def test_narrowed_to_a_host(self) -> None:
        """Only its programs are there, and only they are counted."""
        frame = Fleet(a_board()).answer(
            Query(PROGRAMS, scope=(("hostname", "a"),), fields=("conn",)), NOW
        )
        self.assertEqual((("a", "api", 7), ("a", "batch", 0)), frame.rows)
        self.assertEqual((2, 2), (frame.count, frame.total))

    def test_a_tree(self) -> None:
        """A host's row has the figures of the hosts view, and no others."""
        board = a_board()
        rows = shown(board, PROGRAMS, tree=True)
        self.assertEqual(
            [("a", ""), ("a", "api"), ("a", "batch"), ("b", ""), ("b", "api")],
            [(row["hostname"], row["progname"]) for row in rows],
        )
        names = {each.name for each in VIEWS[HOSTS].fields}
        for row, host in zip((rows[0], rows[3]), shown(board, HOSTS), strict=True):
            self.assertEqual(host, {name: row[name] for name in names})
            others = {name: row[name] for name in row if name not in names}
            self.assertEqual(
                {**dict.fromkeys(others), "progname": "", "connected": True}, others
            )

    def test_a_tree_of_one_host_sums_up_all_of_it(self) -> None:
        """Whatever the filter and the scope leave of its programs."""
        for how in (
            {"where": ("batch",)},
            {"scope": (("progname", "batch"),)},
            {"scope": (("hostname", "a"), ("progname", "batch"))},
        ):
            rows = shown(a_board(), PROGRAMS, tree=True, **how)
            self.assertEqual([8 - 1, 0], [row["conn"] for row in rows])
            self.assertEqual([1, None], [row["programs"] for row in rows])


class HostsTests(SynchronousTestCase):
    """The view of the hosts."""

    def test_a_host(self) -> None:
        """It is the sum of its programs, as far as they have sums."""
        self.assertEqual(
            [
                whole(
                    HOSTS,
                    hostname="a",
                    programs=1,
                    nproc=2,
                    conn=7,
                    ckout=4,
                    ckoutpersec=1.0,
                    stale=0,
                    state="BUSY",
                    alert="warn",
                    reason="pool full in 1 of 2 processes, oldest checkout 40s",
                    pool_worst=1.0,
                    full=1,
                    oldest_seconds=40.0,
                    invalidations_per_second=0.35,
                    connects_per_second=0.1,
                    checkouts=134,
                    connects=10,
                    closes=4,
                    connect_failures=1,
                    invalidations=7,
                    leaks=0,
                ),
                whole(
                    HOSTS,
                    hostname="b",
                    programs=1,
                    nproc=1,
                    conn=1,
                    ckout=1,
                    stale=1,
                    stale_seconds=11.0,
                    state="OK",
                    alert="warn",
                    reason="1 process not heard",
                    full=0,
                    oldest_seconds=2.0,
                    **NOTHING | {"checkouts": 1, "connects": 1},
                ),
            ],
            shown(a_board(), HOSTS),
        )

    def test_a_host_is_gone_when_its_last_process_is(self) -> None:
        """Then it says since when, else not."""
        board = Board("s", "n")
        for number, name in enumerate(("x", "y")):
            told(
                board,
                Identity(name, "h", name, 1),
                Report(0, None, CLOCK, 1.0, Counters(), Maxima()),
                NOW - 50.0,
            )
            board.departed(name, 1, NOW - 30.0 + 10.0 * number)
            (row,) = shown(board, HOSTS)
        self.assertEqual(
            (20.0, 0, 0), (row["gone_seconds"], row["programs"], row["nproc"])
        )
        told(
            board,
            Identity("z", "h", "z", 1),
            Report(0, None, CLOCK, 1.0, Counters(), Maxima()),
        )
        (row,) = shown(board, HOSTS)
        self.assertEqual(
            (None, 1, 1), (row["gone_seconds"], row["programs"], row["nproc"])
        )

    def test_of_several_programs(self) -> None:
        """The fullest pool, the longest checkout, the oldest knowledge of all."""
        board = Board("s", "n")
        for number, unheard in enumerate((5.0, 9.0, 7.0)):
            report = Report(
                0,
                None,
                CLOCK,
                1.0,
                Counters(10, 0, 2),
                Maxima(1, 1),
                (pool(1, BOUNDED._replace(size=1 + number)),),
                (connection(1, OUT, 1.0 + number),),
            )
            home = Home(f"node{number}", "i")
            who = Identity(f"p{number}", "h", f"x{number}", 1)
            passed_on(board, who, report, home, unheard)
        (row,) = shown(board, HOSTS)
        self.assertEqual(
            (3, 0.5, 3.0, 9.0, 9, 30, 6, "warn", "3 processes not heard"),
            (
                row["stale"],
                row["pool_worst"],
                row["oldest_seconds"],
                row["stale_seconds"],
                row["capacity"],
                row["checkouts"],
                row["connects"],
                row["alert"],
                row["reason"],
            ),
        )

    def test_totals_are_held_within_what_can_be_told(self) -> None:
        """Whatever processes claim, their sum is a count."""
        board = Board("s", "n")
        for name in ("x", "y"):
            counters = Counters(*[MOST] * len(Counters._fields))
            report = Report(0, None, CLOCK, 1.0, counters, Maxima(MOST, MOST))
            huge = BOUNDED._replace(size=MOST, max_overflow=MOST)
            report = replace(report, pools=(pool(1, huge, counters),))
            told(board, Identity(name, "h", name, 1), report)
        for view in (PROGRAMS, HOSTS, PROCESSES, POOLS):
            for row in shown(board, view):
                self.assertEqual({MOST}, {row[name] for name in NOTHING}, view)
                self.assertEqual(MOST, row.get("capacity", MOST), view)


class ProcessesTests(SynchronousTestCase):
    """The view of the processes."""

    def test_each(self) -> None:
        """Live ones only, each with its own figures."""
        rows = shown(a_board(), PROCESSES)
        self.assertEqual(
            [
                whole(
                    PROCESSES,
                    hostname="a",
                    progname="api",
                    pid=11,
                    process="p1",
                    node="node1",
                    up_seconds=200.0,
                    heard_seconds=0.0,
                    pools=2,
                    conn=5,
                    ckout=3,
                    maxconn=5,
                    maxckout=4,
                    ckoutpersec=1.0,
                    state="BUSY",
                    alert="warn",
                    reason="pool full in 1 of 2 pools, oldest checkout 40s",
                    pool_worst=1.0,
                    full=1,
                    oldest_seconds=40.0,
                    checkouts=120,
                    connects=7,
                    closes=2,
                    connect_failures=1,
                    invalidations=7,
                    leaks=0,
                ),
                whole(
                    PROCESSES,
                    hostname="a",
                    progname="api",
                    pid=12,
                    process="p2",
                    node="node1",
                    heard_seconds=0.0,
                    pools=1,
                    conn=2,
                    ckout=1,
                    maxconn=2,
                    maxckout=2,
                    state="OK",
                    alert="ok",
                    reason="",
                    capacity=3,
                    pool_worst=0.333333,
                    full=0,
                    oldest_seconds=10.0,
                    **NOTHING | {"checkouts": 10, "connects": 1},
                ),
                whole(
                    PROCESSES,
                    hostname="b",
                    progname="api",
                    pid=11,
                    process="p4",
                    node="node2",
                    heard_seconds=0.0,
                    pools=2,
                    conn=1,
                    ckout=1,
                    maxconn=1,
                    maxckout=1,
                    stale_seconds=11.0,
                    state="OK",
                    alert="warn",
                    reason="1 process not heard",
                    full=0,
                    oldest_seconds=2.0,
                    **NOTHING | {"checkouts": 1, "connects": 1},
                ),
            ],
            rows,
        )

    def test_time_goes_by_between_reports(self) -> None:
        """Ages grow, by the node's clock, though the process says nothing."""
        row = shown(a_board(), PROCESSES, NOW + 3.5)[0]
        self.assertEqual(
            (3.5, 203.5, 43.5),
            (row["heard_seconds"], row["up_seconds"], row["oldest_seconds"]),
        )

    def test_engines(self) -> None:
        """How many it made, by all of its lines; not known of who tells of none."""
        board = Board("s", "n")
        report = Report(0, None, CLOCK, 1.0, Counters(), Maxima())
        for token, made in (("p1", (("a.py:1 f", 40), ("", 2))), ("p2", ())):
            told(board, Identity(token, "h", "p", 1), replace(report, engines=made))
        self.assertEqual(
            [42, None], [row["engines"] for row in shown(board, PROCESSES)]
        )

    def test_narrowed(self) -> None:
        """To a host, a program of one host, a process, a node."""
        board = a_board()
        for scope, tokens in (
            ({"hostname": "a"}, "p1 p2"),
            ({"hostname": "a", "progname": "api"}, "p1 p2"),
            ({"hostname": "a", "progname": "batch"}, ""),
            ({"hostname": "c", "progname": "api"}, ""),
            ({"progname": "api"}, "p1 p2 p4"),
            ({"process": "p2"}, "p2"),
            ({"process": "p3"}, ""),
            ({"process": "p9"}, ""),
            ({"process": "p2", "hostname": "b"}, ""),
            ({"node": "node2"}, "p4"),
            ({"node": "node9"}, ""),
            ({"pid": 11}, "p1 p4"),
            ({"pid": "11"}, ""),
            ({"process": 5}, ""),
            ({"process": None}, ""),
            ({"alert": "ok"}, "p2"),
            ({"stale_seconds": None}, "p1 p2"),
        ):
            rows = shown(board, PROCESSES, scope=tuple(scope.items()))
            self.assertEqual(tokens, " ".join(row["process"] for row in rows), scope)


class PoolsTests(SynchronousTestCase):
    """The view of the pools."""

    def setUp(self) -> None:
        """Look at all of them."""
        self.rows = {
            (row["process"], row["pool_id"]): row for row in shown(a_board(), POOLS)
        }

    def test_which(self) -> None:
        """Those of live processes, by process and number."""
        self.assertEqual(
            [("p1", 1), ("p1", 2), ("p2", 1), ("p4", 1), ("p4", 2)], [*self.rows]
        )

    def test_one_with_a_bound(self) -> None:
        """What it is, what it is used for and how long that takes."""
        self.assertEqual(
            whole(
                POOLS,
                hostname="a",
                progname="api",
                pid=11,
                process="p1",
                pool_id=1,
                pool_name="pg://db:5432/x",
                kind="QueuePool",
                pool_size=2,
                max_overflow=1,
                timeout_seconds=30.0,
                recycle_seconds=3600.0,
                pre_ping=True,
                conn=3,
                ckout=3,
                maxconn=7,
                maxckout=6,
                state="BUSY",
                alert="warn",
                reason="pool full, oldest checkout 40s",
                pool_used=1.0,
                oldest_seconds=40.0,
                hold_p50_seconds=0.75,
                hold_p99_seconds=0.995,
                checkouts=120,
                connects=7,
                closes=2,
                connect_failures=1,
                invalidations=7,
                leaks=0,
                waiters=(),
                wait_histogram=(),
            ),
            self.rows["p1", 1],
        )

    def test_how_long_waits_took(self) -> None:
        """By the bounds of the histogram, from the first; what has none is told."""
        waited = Histogram((0, 31, *(0,) * (BUCKETS - 4), 4, 1), 900.0)
        board = Board("s", "n")
        record = pool(1, BOUNDED)._replace(waits=waited)
        report = Report(0, None, CLOCK, 1.0, Counters(), Maxima(), (record,))
        told(board, Identity("p", "h", "p", 1), report)
        (row,) = shown(board, POOLS)
        expected = (("0.0025", 31), ("300", 4), ("inf", 1))
        self.assertEqual(expected, row["wait_histogram"])

    def test_those_without_a_bound(self) -> None:
        """They are never full; what they do not have is not known, nor is "never"."""
        for key, kind, size, overflow, timeout, conn, ckout in (
            (("p1", 2), "QueuePool", 5, None, 10.0, 2, 0),
            (("p4", 1), "QueuePool", 0, 10, 30.0, 0, 0),
            (("p4", 2), "NullPool", None, None, None, 1, 1),
        ):
            row = self.rows[key]
            self.assertEqual(
                (kind, size, overflow, timeout, conn, ckout, None, None, False),
                (
                    row["kind"],
                    row["pool_size"],
                    row["max_overflow"],
                    row["timeout_seconds"],
                    row["conn"],
                    row["ckout"],
                    row["pool_used"],
                    row["recycle_seconds"],
                    row["pre_ping"],
                ),
            )

    def test_whose_node_nobody_hears(self) -> None:
        """Each pool of such a process says so."""
        for number in (1, 2):
            row = self.rows["p4", number]
            self.assertEqual(
                (11.0, "warn", "1 process not heard"),
                (row["stale_seconds"], row["alert"], row["reason"]),
            )

    def test_durations_that_are_none(self) -> None:
        """A pool of another connmon may tell -1; that is never."""
        report = Report(0, None, CLOCK, 1.0, Counters(), Maxima())
        facts = BOUNDED._replace(timeout=-1.0, recycle=-1.0)
        board = Board("s", "n")
        who = Identity("p", "h", "p", 1)
        told(board, who, replace(report, pools=(pool(1, facts),)))
        (row,) = shown(board, POOLS)
        self.assertEqual((None, None), (row["timeout_seconds"], row["recycle_seconds"]))

    def test_why_connections_were_closed(self) -> None:
        """As told, the most first; not known of who does not tell, though some were."""
        closings = (("overflow", 3), ("invalidated: OperationalError", 1))
        pools = (
            pool(1, BOUNDED, Counters(closes=4))._replace(closings=closings),
            pool(2, BOUNDED, Counters(closes=4)),
            pool(3, BOUNDED),
        )
        board = Board("s", "n")
        report = Report(0, None, CLOCK, 1.0, Counters(), Maxima(), pools)
        told(board, Identity("p", "h", "p", 1), report)
        rows = shown(board, POOLS)
        self.assertEqual([closings, None, ()], [row["closings"] for row in rows])
        for text, found in (("closings:operational", [1]), ("closings=-", [2])):
            rows = shown(board, POOLS, where=(text,))
            self.assertEqual(found, [row["pool_id"] for row in rows], text)
        rows = shown(board, POOLS, sort="-closings")
        self.assertEqual([1, 3, 2], [row["pool_id"] for row in rows])

    def test_how_long_connecting_takes(self) -> None:
        """It has a histogram of its own."""
        created = Histogram((4, *(0,) * (BUCKETS - 1)), 0.002)
        record = pool(1, BOUNDED)._replace(creations=created)
        report = Report(0, None, CLOCK, 1.0, Counters(), Maxima(), (record,))
        board = Board("s", "n")
        told(board, Identity("p", "h", "p", 1), report)
        (row,) = shown(board, POOLS)
        self.assertEqual(0.00099, row["connect_p99_seconds"])


class ConnectionsTests(SynchronousTestCase):
    """The views of the connections, and of those that are out."""

    def test_each(self) -> None:
        """All open ones, the longest out first, and then those that are not."""
        rows = shown(a_board(), CONNECTIONS)
        self.assertEqual(
            [
                ("p1", 1, "out"),
                ("p2", 1, "out"),
                ("p1", 2, "out"),
                ("p4", 1, "out"),
                ("p1", 3, "out"),
                ("p1", 4, "idle"),
                ("p1", 5, "detached"),
                ("p2", 2, "idle"),
            ],
            [(row["process"], row["connection"], row["state"]) for row in rows],
        )
        common = {"hostname": "a", "progname": "api", "pid": 11, "process": "p1"}
        common |= {"age_seconds": 400.0, "uses": 9}
        first = {"pool_id": 1, "pool_name": "pg://db:5432/x"}
        second = {"pool_id": 2, "pool_name": "pg://db:5432/y"}
        self.assertEqual(
            whole(
                CONNECTIONS,
                **common | first,
                connection=1,
                state="out",
                out_seconds=40.0,
                alert="warn",
                reason="out for 40s",
                owner="MainThread",
            ),
            rows[0],
        )
        self.assertEqual(
            whole(
                CONNECTIONS,
                **common | second,
                connection=4,
                state="idle",
                idle_seconds=8.0,
                alert="ok",
                reason="",
            ),
            rows[5],
        )
        self.assertEqual(
            whole(
                CONNECTIONS,
                **common | second,
                connection=5,
                state="detached",
                alert="ok",
                reason="",
            ),
            rows[6],
        )
        self.assertEqual(
            (11.0, "warn", "1 process not heard"),
            (rows[3]["stale_seconds"], rows[3]["alert"], rows[3]["reason"]),
        )

    def test_those_that_are_out(self) -> None:
        """They are the same rows, and no others."""
        every = shown(a_board(), CONNECTIONS)
        self.assertEqual(
            [row for row in every if row["state"] == "out"],
            shown(a_board(), CHECKOUTS),
        )

    def test_what_nobody_can_return(self) -> None:
        """It is critical, in words; what leaked is counted for the whole fleet."""
        why = "its thread has ended"
        leaks = Counters(leaks=3)
        report = Report(
            0, None, CLOCK, 1.0, leaks, Maxima(), (pool(1, BOUNDED, leaks),)
        )
        lost = connection(1, OUT, 1.0)._replace(leak=why)
        long = connection(2, OUT, 40.0)._replace(leak=why)
        fine = connection(3, OUT, 1.0)
        board = Board("s", "n")
        report = replace(report, connections=(lost, long, fine))
        told(board, Identity("p", "h", "p", 1), report)
        rows = sorted(shown(board, CHECKOUTS), key=lambda row: row["connection"])
        self.assertEqual(
            [
                (why, "crit", f"leaked: {why}"),
                (why, "crit", f"leaked: {why}, out for 40s"),
                (None, "ok", ""),
            ],
            [(row["leak"], row["alert"], row["reason"]) for row in rows],
        )
        for view in (PROGRAMS, HOSTS, PROCESSES, POOLS):
            self.assertEqual([3], [row["leaks"] for row in shown(board, view)], view)

    def test_a_pool_that_was_never_told(self) -> None:
        """A connection may be of a pool that the process has not named."""
        report = Report(0, None, CLOCK, 1.0, Counters(), Maxima())
        report = replace(report, connections=(connection(1, OUT, 1.0, of=7),))
        board = Board("s", "n")
        told(board, Identity("p", "h", "p", 1), report)
        (row,) = shown(board, CHECKOUTS)
        self.assertEqual((7, None), (row["pool_id"], row["pool_name"]))

    def test_narrowed_to_a_pool(self) -> None:
        """Its connections, and in words what it is."""
        for view, connections in ((CONNECTIONS, (4, 5)), (CHECKOUTS, ())):
            query = Query(
                view,
                scope=(("process", "p1"), ("pool_id", 2)),
                fields=("connection",),
            )
            frame = Fleet(a_board()).answer(query, NOW)
            at = frame.fields.index("connection")
            self.assertEqual(connections, tuple(row[at] for row in frame.rows))
            self.assertEqual(len(connections), frame.total)
            self.assertEqual("QueuePool 5+unbounded, timeout 10s", frame.about)

    def test_what_is_said_of_a_scope(self) -> None:
        """Nothing, unless it names one pool that there is."""
        full = "QueuePool 2+1, timeout 30s, recycle 3600s, pre-ping"
        for scope, about in (
            ({}, ""),
            ({"process": "p1"}, ""),
            ({"pool_id": 1}, ""),
            ({"process": "p1", "pool_id": 1}, full),
            ({"process": "p1", "pool_id": 1, "state": "idle"}, full),
            ({"process": "p1", "pool_id": 9}, ""),
            ({"process": "p1", "pool_id": None}, ""),
            ({"process": "p3", "pool_id": 1}, ""),
            ({"process": "p9", "pool_id": 1}, ""),
        ):
            query = Query(CONNECTIONS, scope=tuple(scope.items()))
            self.assertEqual(about, Fleet(a_board()).answer(query, NOW).about, scope)

    def test_who_waits_for_what_is_out(self) -> None:
        """The longest are named, and how many more there are; in recordings as well."""
        board = Board("s", "n")
        waiters = tuple(
            WaiterRecord(of, CLOCK - since, f"t{since:g}", site)
            for of, since, site in (
                *((1, 9.0, "a.py:1 f"), (2, 8.0, ""), (1, 7.0, ""), (1, 6.0, "b.py:2")),
                (1, 5.0, "b.py:2"),
            )
        )
        facts = BOUNDED._replace(recycle=None, pre_ping=False)
        pools = (pool(1, facts), pool(2, facts))
        report = Report(0, None, CLOCK, 1.0, Counters(), Maxima(), pools)
        report = replace(report, waiting=5, waiters=waiters)
        told(board, Identity("p", "h", "p", 1), report)
        fleet = Fleet(board)
        of_pool = "QueuePool 2+1, timeout 30s; waiting: "
        replayed = Recorded(fleet.answers(WHOLE, NOW))
        for id, expected in (
            (1, "t9 for 9.0s at a.py:1 f, t7 for 7.0s, t6 for 6.0s at b.py:2, 1 more"),
            (2, "t8 for 8.0s"),
        ):
            scope = {"process": "p", "pool_id": id}
            frame = fleet.answer(Query(CONNECTIONS, scope=tuple(scope.items())), NOW)
            self.assertEqual(of_pool + expected, frame.about)
            table = replayed.table(CHECKOUTS, scope, NOW)
            self.assertEqual(of_pool + expected, table.about)

    def test_pools_in_words(self) -> None:
        """What a pool has not is not said."""
        for facts, words in (
            (BOUNDED, "QueuePool 2+1, timeout 30s, recycle 3600s, pre-ping"),
            (UNBOUNDED, "QueuePool 5+unbounded, timeout 10s"),
            (EMPTY, "QueuePool 0+unbounded, timeout 30s"),
            (NULL, "NullPool"),
            (PoolFacts("", "QueuePool", 10, 0, 0.5), "QueuePool 10+0, timeout 0.5s"),
            (PoolFacts("", "StaticPool", recycle=0.0), "StaticPool"),
        ):
            self.assertEqual(words, described(facts))


class NonsenseTests(SynchronousTestCase):
    """Processes may say anything of their clocks, and nodes come from nowhere."""

    def test_clocks_that_cannot_be(self) -> None:
        """All durations stay finite and not negative, so that frames can be read."""
        for clock, when, expected in (
            (1.7e308, -1.7e308, 1e9),
            (-1.7e308, 1.7e308, 0.0),
            (CLOCK, CLOCK + 5.0, 0.0),
            (CLOCK, CLOCK - 2e9, 1e9),
        ):
            record = ConnectionRecord(1, 1, OUT, when, when, 1, "")
            report = Report(
                0,
                None,
                clock,
                1.0,
                Counters(),
                Maxima(),
                (pool(1, BOUNDED),),
                (record,),
                began=when,
            )
            board = Board("s", "n")
            told(board, Identity("p", "h", "p", 1), report)
            for view in (PROGRAMS, HOSTS, PROCESSES, POOLS, CONNECTIONS, CHECKOUTS):
                frame = Fleet(board).answer(Query(view), NOW)
                (row,) = frame.rows
                values = dict(zip(frame.fields, row, strict=True))
                out = "out_seconds" if "out_seconds" in values else "oldest_seconds"
                self.assertEqual(expected, values[out], view)
                self.assertEqual(expected, values.get("age_seconds", expected))
                self.assertEqual(expected, values.get("up_seconds", expected))
                self.assertEqual(expected, frame.head.oldest_seconds)
                self.assertEqual((frame,), decode_feed(encode_feed([frame])))

    def test_a_node_that_was_never_heard(self) -> None:
        """Its processes are stale, for how long is not known."""
        board = Board("s", "n")
        who, home = Identity("p", "h", "p", 1), Home("node2", "i")
        report = Report(0, None, CLOCK, 1.0, Counters(), Maxima())
        told(board, who, report)
        moved = replace(report, base=0, sequence=1)
        board.followed(home, "p", 1, moved, NOW)
        for view in (PROGRAMS, HOSTS, PROCESSES):
            (row,) = shown(board, view)
            self.assertIsNone(row["stale_seconds"])
            self.assertEqual(
                ("warn", "1 process not heard"), (row["alert"], row["reason"])
            )
        self.assertEqual(1, Fleet(board).head(NOW).stale)
