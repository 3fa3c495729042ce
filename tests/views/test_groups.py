"""The views of call sites and tags: what is out, and who waits, by line and by tag."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from twisted.trial.unittest import SynchronousTestCase

from connmon.errors import QueryError
from connmon.model.board import Board
from connmon.model.records import (
    IDLE,
    OUT,
    ConnectionRecord,
    Counters,
    Home,
    Identity,
    Maxima,
    Report,
    WaiterRecord,
)
from connmon.views.answer import answer
from connmon.views.fleet import Fleet
from connmon.views.frame import Frame
from connmon.views.query import Query
from connmon.views.recorded import WHOLE, Recorded
from connmon.views.schema import CHECKOUTS, PROCESSES, PROGRAMS, SITES, TAGS, VIEWS
from connmon.wire.frames import decode_feed, encode_feed
from connmon.wire.queries import decode_queries, encode_queries
from tests.views.boards import (
    BOUNDED,
    CLOCK,
    NOW,
    boards,
    connection,
    passed_on,
    pool,
    told,
)

ORDERS, REPORT = "orders.py:88 create", "report.py:7 monthly"


def out(id: int, site: str, tag: str = "", ago: float = 1.0) -> ConnectionRecord:
    """A connection that a line of the application took."""
    return connection(id, OUT, ago, of=1)._replace(site=site, tag=tag, owner=f"t{id}")


def a_report(*connections: ConnectionRecord, **changes: Any) -> Report:
    """All that a process has to say."""
    pools = (pool(1, BOUNDED), pool(2, BOUNDED))
    report = Report(0, None, CLOCK, 1.0, Counters(), Maxima(), pools, connections)
    return replace(report, **changes)


def a_board() -> Board:
    """Two processes of ``shop`` on different hosts, one of ``bank``, one of ``idle``.

    Their lines hold 3 and 1 connections in the first process, 2 in the second, and 1 of
    which nothing is known; somebody waits in each of the processes of ``shop``.
    """
    board = Board("s", "n")
    told(
        board,
        Identity("p1", "a", "shop", 11),
        a_report(
            out(1, ORDERS, "web", 40.0),
            out(2, ORDERS, "import", 2.0),
            out(3, ORDERS),
            out(4, REPORT, "web"),
            connection(5, IDLE, 3.0),
            waiting=1,
            waiters=(WaiterRecord(1, CLOCK - 5.0, "t9", ORDERS, tag="web"),),
        ),
    )
    told(
        board,
        Identity("p2", "b", "shop", 12),
        a_report(
            out(1, ORDERS, "web"),
            out(2, ORDERS, "web"),
            waiting=1,
            waiters=(WaiterRecord(2, CLOCK - 7.0, "t9", "new.py:1 wait"),),
        ),
    )
    told(board, Identity("p3", "b", "bank", 13), a_report(out(1, "", "")))
    told(board, Identity("p4", "b", "idle", 14), a_report(connection(1, IDLE, 3.0)))
    return board


def rows(frame: Frame) -> list[dict[str, Any]]:
    """The rows, by the names of their fields."""
    return [dict(zip(frame.fields, row, strict=True)) for row in frame.rows]


def shown(board: Board, view: str, *scope: tuple[str, object]) -> list[dict[str, Any]]:
    """The rows of a view."""
    return rows(Fleet(board).answer(Query(view, scope=scope), NOW))


def told_of(found: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    """These values of each row."""
    return [tuple(row[name] for name in names) for row in found]


class SitesTests(SynchronousTestCase):
    """The rows of ``sites``."""

    def test_a_row(self) -> None:
        """All there is to say of a line, with the most first."""
        first = shown(a_board(), SITES)[0]
        self.assertEqual(
            {
                "site": ORDERS,
                "ckout": 5,
                "out_of": 6,
                "share": 5 / 6,
                "waiting": 1,
                "oldest_wait_seconds": 5.0,
                "oldest_seconds": 40.0,
                "txn_seconds": None,
                "nproc": 2,
                "hosts": 2,
                "hostnames": ("a", "b"),
                "prognames": ("shop",),
                "tags": ("import", "web"),
                "stale": 0,
                "stale_seconds": None,
                "alert": "crit",
                "reason": "1 waiting, oldest checkout 40s",
            },
            first,
        )
        self.assertEqual([each.name for each in VIEWS[SITES].fields], list(first))

    def test_every_line(self) -> None:
        """Each line has a row, one that only waits, too, and what has none has one."""
        self.assertEqual(
            [
                (ORDERS, 5, 6, 1, 2, ("shop",)),
                (REPORT, 1, 4, 0, 1, ("shop",)),
                (None, 1, 1, 0, 1, ("bank",)),
                ("new.py:1 wait", 0, 2, 1, 1, ("shop",)),
            ],
            told_of(
                shown(a_board(), SITES),
                "site",
                "ckout",
                "out_of",
                "waiting",
                "nproc",
                "prognames",
            ),
        )

    def test_nothing_is_out(self) -> None:
        """There is no row; of none there is no share."""
        board = Board("s", "n")
        self.assertEqual([], shown(board, SITES))
        told(board, Identity("p", "h", "p", 1), a_report(connection(1, IDLE, 3.0)))
        self.assertEqual([], shown(board, SITES))
        waiters = (WaiterRecord(1, CLOCK - 5.0, "t", ORDERS),)
        lonely = a_report(waiting=1, waiters=waiters)
        told(board, Identity("q", "h", "q", 1), lonely)
        self.assertEqual(
            [(0, 0, None, "crit")],
            told_of(shown(board, SITES), "ckout", "out_of", "share", "alert"),
        )

    def test_more_than_are_listed(self) -> None:
        """Whoever waits and is not listed waits at a line that is not known."""
        board = Board("s", "n")
        waiters = tuple(WaiterRecord(1, CLOCK - 5.0, "t", ORDERS) for _ in range(100))
        report = a_report(out(1, ORDERS), waiting=250, waiters=waiters)
        told(board, Identity("p", "h", "p", 1), report)
        expected = [(ORDERS, 100, 5.0), (None, 150, None)]
        names = ("site", "waiting", "oldest_wait_seconds")
        self.assertEqual(expected, told_of(shown(board, SITES), *names))
        of_pool = shown(board, SITES, ("process", "p"), ("pool_id", 1))
        self.assertEqual(expected, told_of(of_pool, *names))
        several = (*waiters[:99], WaiterRecord(2, CLOCK - 5.0, "t", ORDERS))
        again = replace(report, sequence=1, base=0, waiters=several)
        told(board, Identity("p", "h", "p", 1), again)
        of_pool = shown(board, SITES, ("process", "p"), ("pool_id", 1))
        self.assertEqual([(ORDERS, 99, 5.0)], told_of(of_pool, *names))

    def test_what_is_stale(self) -> None:
        """It is counted by processes, and is a warning."""
        board = a_board()
        who = Identity("p5", "c", "shop", 15)
        home = Home("node2", "i2")
        passed_on(board, who, a_report(out(1, REPORT)), home, unheard=11.0)
        (row,) = [row for row in shown(board, SITES) if row["site"] == REPORT]
        self.assertEqual(
            (2, 1, 11.0, "warn", "1 process not heard"),
            told_of([row], "nproc", "stale", "stale_seconds", "alert", "reason")[0],
        )

    def test_a_node_that_was_never_heard(self) -> None:
        """Its processes are stale, for how long is not known."""
        board = Board("s", "n")
        who, report = Identity("p", "h", "p", 1), a_report(out(1, ORDERS))
        told(board, who, report)
        moved = replace(report, base=0, sequence=1)
        board.followed(Home("node2", "i"), "p", 1, moved, NOW)
        self.assertEqual(
            [(1, None, "warn")],
            told_of(shown(board, SITES), "stale", "stale_seconds", "alert"),
        )


class TagsTests(SynchronousTestCase):
    """The rows of ``tags``."""

    def test_every_tag(self) -> None:
        """The same by tag, with the lines of each; what has none has a row."""
        self.assertEqual(
            [
                ("web", 4, 6, 1, (ORDERS, REPORT)),
                (None, 2, 7, 1, ("new.py:1 wait", ORDERS)),
                ("import", 1, 4, 0, (ORDERS,)),
            ],
            told_of(
                shown(a_board(), TAGS), "tag", "ckout", "out_of", "waiting", "sites"
            ),
        )
        self.assertEqual(
            [each.name for each in VIEWS[TAGS].fields], list(shown(a_board(), TAGS)[0])
        )


class ScopeTests(SynchronousTestCase):
    """What these views are narrowed to, and filters."""

    def test_narrowed(self) -> None:
        """Only what is within counts, for all of the figures."""
        board = a_board()
        names = ("site", "ckout", "out_of", "waiting", "hosts")
        for scope, expected in (
            (
                (("hostname", "b"),),
                [
                    (ORDERS, 2, 2, 0, 1),
                    (None, 1, 1, 0, 1),
                    ("new.py:1 wait", 0, 2, 1, 1),
                ],
            ),
            (
                (("hostname", "a"), ("progname", "shop")),
                [(ORDERS, 3, 4, 1, 1), (REPORT, 1, 4, 0, 1)],
            ),
            ((("process", "p3"),), [(None, 1, 1, 0, 1)]),
            (
                (("process", "p2"), ("pool_id", 1)),
                [(ORDERS, 2, 2, 0, 1)],
            ),
            ((("process", "p2"), ("pool_id", 2)), [("new.py:1 wait", 0, 0, 1, 1)]),
            ((("process", "p9"),), []),
            ((("tag", "import"),), [(ORDERS, 1, 1, 0, 1)]),
            ((("site", REPORT),), [(REPORT, 1, 4, 0, 1)]),
            ((("site", None),), [(None, 1, 1, 0, 1)]),
            ((("owner", "t4"),), [(REPORT, 1, 1, 0, 1)]),
            ((("pool_name", BOUNDED.name), ("pid", 13)), [(None, 1, 1, 0, 1)]),
        ):
            self.assertEqual(expected, told_of(shown(board, SITES, *scope), *names))
        self.assertEqual(
            [("web", 1, 1)],
            told_of(shown(board, TAGS, ("site", REPORT)), "tag", "ckout", "out_of"),
        )

    def test_what_is_said_of_a_pool(self) -> None:
        """As where its connections are shown."""
        query = Query(SITES, scope=(("process", "p1"), ("pool_id", 1)))
        self.assertEqual(
            "QueuePool 2+1, timeout 30s, recycle 3600s, pre-ping; "
            f"waiting: t9 for 5.0s at {ORDERS}",
            Fleet(a_board()).answer(query, NOW).about,
        )

    def test_a_scope_that_there_is_not(self) -> None:
        """What a checkout does not have is refused."""
        for name in ("conn", "node", "nonsense"):
            with self.assertRaises(QueryError):
                shown(a_board(), SITES, (name, 1))

    def test_filters_and_orders(self) -> None:
        """They look at the rows, a name among several included."""
        fleet = Fleet(a_board())
        for query, expected in (
            (Query(SITES, where=("prog=shop",)), [ORDERS, REPORT, "new.py:1 wait"]),
            (Query(SITES, where=("host=a",)), [ORDERS, REPORT]),
            (Query(SITES, where=("tag:imp",)), [ORDERS]),
            (Query(SITES, where=("site=-",)), [None]),
            (Query(SITES, where=("share>80%", "ckout>1")), [ORDERS]),
            (Query(SITES, where=("monthly",)), [REPORT]),
            (
                Query(SITES, sort="site"),
                ["new.py:1 wait", ORDERS, REPORT, None],
            ),
            (
                Query(SITES, sort="-oldest_wait_seconds", limit=2),
                ["new.py:1 wait", ORDERS],
            ),
            (Query(SITES, busy=True), [ORDERS, REPORT, None, "new.py:1 wait"]),
            (Query(SITES, alerts_first=True, limit=2), [ORDERS, "new.py:1 wait"]),
            (Query(SITES, anchor=(None,), limit=1), [None]),
        ):
            found = rows(fleet.answer(query, NOW))
            self.assertEqual(expected, [row["site"] for row in found], query)

    def test_on_the_wire(self) -> None:
        """A line that is not known can be asked for, and is answered."""
        query = Query(TAGS, scope=(("site", None),), anchor=(None,))
        (read,) = decode_queries(encode_queries([query]))
        self.assertEqual(query, read)
        frame = Fleet(a_board()).answer(read, NOW)
        self.assertEqual((frame,), decode_feed(encode_feed([frame])))


class RecordedTests(SynchronousTestCase):
    """A recording, which has the connections."""

    def test_the_same_by_and_by(self) -> None:
        """What is held is the same, however it is narrowed; waits are not known."""
        fleet = Fleet(a_board())
        frames = decode_feed(encode_feed(fleet.answers(WHOLE, NOW)))
        for view in (SITES, TAGS):
            for scope in (
                (),
                (("hostname", "a"),),
                (("process", "p1"), ("pool_id", 1)),
                (("tag", "web"),),
                (("site", None),),
            ):
                query = Query(view, scope=scope, where=("ckout>0",))
                live = rows(fleet.answer(query, NOW))
                found = answer(Recorded(frames), frames[0].head, query, 0.0)
                for row, known in zip(rows(found), live, strict=True):
                    differ = {name for name in row if row[name] != known[name]}
                    # A line that waits for one has it in its sums.
                    self.assertLessEqual(
                        differ - {"nproc", "hosts", "hostnames", "prognames", "out_of"},
                        {
                            "waiting",
                            "oldest_wait_seconds",
                            "alert",
                            "reason",
                            "sites",
                            "tags",
                            "share",
                        },
                    )
                    self.assertIsNone(row["waiting"])


class SumTests(SynchronousTestCase):
    """Any board."""

    @settings(deadline=None, max_examples=60)
    @given(boards())
    def test_the_sums_are_those_of_other_views(self, board: Board) -> None:
        """All that is out and all who wait are in one row each, whatever they are."""
        fleet = Fleet(board)
        programs = shown(board, PROGRAMS)
        held, waiting = (
            sum(row[name] for row in programs) for name in ("ckout", "waiting")
        )
        listed = sum(len(each.waiters) for each in board.processes.values())
        for view in (SITES, TAGS):
            found = shown(board, view)
            self.assertEqual(held, sum(row["ckout"] for row in found))
            self.assertEqual(max(waiting, listed), sum(row["waiting"] for row in found))
            for row in found:
                self.assertLessEqual(row["ckout"], row["out_of"])
                self.assertLessEqual(row["hosts"], row["nproc"])
                scope = ((VIEWS[view].key[0], row[VIEWS[view].key[0]]),)
                self.assertEqual([row], shown(board, view, *scope))
                inner = shown(board, CHECKOUTS, *scope)
                self.assertEqual(row["ckout"], len(inner))
                ages = [each["out_seconds"] for each in inner]
                self.assertEqual(max(ages, default=None), row["oldest_seconds"])
        for process in shown(board, PROCESSES):
            found = shown(board, SITES, ("process", process["process"]))
            self.assertEqual(process["ckout"], sum(row["ckout"] for row in found))
        self.assertEqual(
            fleet.answer(Query(SITES), NOW), fleet.answer(Query(SITES), NOW)
        )
