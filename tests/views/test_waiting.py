"""Who waits, and what timed out, as the views of a board tell it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connmon.model.board import Board
from connmon.model.histogram import BUCKETS, Histogram
from connmon.model.records import (
    OUT,
    ConnectionRecord,
    Counters,
    Identity,
    Maxima,
    Report,
    WaiterRecord,
)
from connmon.views.alert import CRIT, OK
from connmon.views.fleet import Fleet
from connmon.views.processes import MOST_WAITERS
from connmon.views.query import Query
from connmon.views.schema import (
    CHECKOUTS,
    CONNECTIONS,
    HOSTS,
    POOLS,
    PROCESSES,
    PROGRAMS,
    Taking,
)
from tests.views.boards import BOUNDED, CLOCK, NOW, connection, pool, told

WHO = Identity("p1", "h", "api", 7)
SLOW = Histogram((*(0,) * 9, 10, *(0,) * (BUCKETS - 10)), 7.5)
"""Ten waits of half a second to one."""

BEFORE = Report(
    0,
    None,
    CLOCK - 10.0,
    1.0,
    Counters(9, timeouts=2),
    Maxima(3, 3),
    (pool(1, BOUNDED, Counters(timeouts=2)), pool(2, BOUNDED)),
    tuple(connection(id, OUT, 3.0) for id in range(3)),
)

WAITING = replace(
    BEFORE,
    sequence=1,
    base=0,
    clock=CLOCK,
    counters=Counters(9, waits=10, timeouts=5),
    pools=(
        pool(1, BOUNDED, Counters(waits=10, timeouts=5))._replace(waits=SLOW),
        pool(2, BOUNDED),
    ),
    connections=(),
    waiting=3,
    waiters=(
        WaiterRecord(1, CLOCK - 4.0, "a"),
        WaiterRecord(1, CLOCK - 2.0, "b"),
        WaiterRecord(2, CLOCK - 1.0, "c"),
    ),
)


def a_waiting_board() -> Board:
    """One process; two wait for its first pool, which three timed out of just now."""
    board = Board("s", "n")
    told(board, WHO, BEFORE, NOW - 10.0)
    told(board, WHO, WAITING)
    return board


def row(board: Board, view: str, at: int = 0, now: float = NOW) -> dict[str, Any]:
    """A row of a view, by the names of its fields."""
    frame = Fleet(board).answer(Query(view), now)
    return dict(zip(frame.fields, frame.rows[at], strict=True))


class WaitingTests(SynchronousTestCase):
    """The views of a board where somebody waits."""

    def test_programs_and_hosts(self) -> None:
        """How many, for how long at most, and how long those had that are served."""
        for view in (PROGRAMS, HOSTS):
            found = row(a_waiting_board(), view)
            self.assertEqual((3, 4.0), (found["waiting"], found["oldest_wait_seconds"]))
            self.assertAlmostEqual(0.995, found["wait_p99_seconds"])
            self.assertEqual(
                (5, 3.0), (found["timeouts"], found["timeouts_per_minute"])
            )
            self.assertEqual(CRIT, found["alert"])
            self.assertEqual(
                "3 waiting, 3 timeouts in the last minute, pool full", found["reason"]
            )

    def test_a_process(self) -> None:
        """The same, of its own waits."""
        found = row(a_waiting_board(), PROCESSES)
        self.assertEqual(
            (3, 4.0, 5, CRIT),
            tuple(
                found[name]
                for name in ("waiting", "oldest_wait_seconds", "timeouts", "alert")
            ),
        )
        self.assertAlmostEqual(0.995, found["wait_p99_seconds"])
        self.assertEqual(
            "3 waiting, 3 timeouts in the last minute, pool full in 1 of 2 pools",
            found["reason"],
        )

    def test_each_pool(self) -> None:
        """Those who wait for it, and its own timeouts."""
        names = ("waiting", "oldest_wait_seconds", "wait_p99_seconds", "timeouts")
        told_ = [row(a_waiting_board(), POOLS, at) for at in (0, 1)]
        first, second = ([each[name] for name in names] for each in told_)
        self.assertAlmostEqual(0.995, first[2])
        self.assertEqual([2, 4.0, 5], [first[0], first[1], first[3]])
        self.assertEqual([1, 1.0, None, 0], second)
        self.assertEqual(
            [
                "2 waiting, 3 timeouts in the last minute, pool full",
                "1 waiting",
            ],
            [each["reason"] for each in told_],
        )

    def test_who_waits_for_each_pool(self) -> None:
        """Thread, line and seconds of each, and nobody who waits for another pool."""
        board = a_waiting_board()
        known = WaiterRecord(1, CLOCK - 4.0, "a", "pay.py:9 charge", False, "web")
        listed = (known, *WAITING.waiters[1:])
        told(board, WHO, replace(WAITING, sequence=2, base=1, waiters=listed))
        first = Taking("pay.py:9 charge", "a", 4.0, tag="web")
        self.assertEqual(
            [(first, Taking("", "b", 2.0)), (Taking("", "c", 1.0),)],
            [row(board, POOLS, at)["waiters"] for at in (0, 1)],
        )
        self.assertEqual(5.5, row(board, POOLS, now=NOW + 1.5)["waiters"][0].seconds)

    def test_nobody_waits_for_a_pool(self) -> None:
        """That is known, and no gap in what is known."""
        board = Board("s", "n")
        told(board, WHO, BEFORE)
        self.assertEqual((), row(board, POOLS)["waiters"])

    def test_very_many_wait_for_a_pool(self) -> None:
        """Those are named who have waited for longest, and no more than a few."""
        line = tuple(WaiterRecord(1, CLOCK - 200 + n, f"t{n}") for n in range(100))
        board = a_waiting_board()
        many = replace(WAITING, sequence=2, base=1, waiting=100, waiters=line)
        told(board, WHO, many)
        found = row(board, POOLS)
        self.assertEqual(
            [f"t{n}" for n in range(MOST_WAITERS)],
            [each.owner for each in found["waiters"]],
        )
        self.assertEqual(100, found["waiting"])

    def test_more_than_are_listed(self) -> None:
        """They are taken to wait for the only pool that anybody waits for."""
        board = a_waiting_board()
        many = replace(WAITING, sequence=2, base=1, waiting=250)
        told(board, WHO, replace(many, waiters=WAITING.waiters[:2]))
        self.assertEqual([250, 0], [row(board, POOLS, at)["waiting"] for at in (0, 1)])
        told(board, WHO, replace(many, sequence=3, base=2))
        self.assertEqual([2, 1], [row(board, POOLS, at)["waiting"] for at in (0, 1)])

    def test_the_head(self) -> None:
        """The sums of the service, all timeouts since it began, and what is worst."""
        head = Fleet(a_waiting_board()).head(NOW)
        self.assertEqual(
            (3, 5, 1, 0), (head.waiting, head.timeouts, head.crit, head.warn)
        )
        self.assertAlmostEqual(0.995, head.wait_p99_seconds or 0.0)
        self.assertEqual(
            "h api STUCK: 3 waiting, 3 timeouts in the last minute, pool full",
            head.worst,
        )

    def test_nobody_has_reported(self) -> None:
        """Then it is not known who waits."""
        head = Fleet(Board("s", "n")).head(NOW)
        self.assertEqual(
            (None, None, None), (head.waiting, head.wait_p99_seconds, head.timeouts)
        )

    def test_a_minute_later(self) -> None:
        """What timed out is only in the total, if nobody waits any more."""
        board = a_waiting_board()
        calm = replace(WAITING, sequence=2, base=1, waiting=0, waiters=())
        told(board, WHO, replace(calm, closed=(0, 1, 2)))
        for later, level, lately in ((59.0, CRIT, 3.0), (61.0, OK, 0.0)):
            now = NOW + later
            for view in (PROGRAMS, HOSTS):
                found = row(board, view, now=now)
                self.assertEqual(lately, found["timeouts_per_minute"])
                self.assertEqual(5, found["timeouts"])
            for view in (PROGRAMS, HOSTS, PROCESSES, POOLS):
                self.assertEqual(level, row(board, view, now=now)["alert"], view)
            head = Fleet(board).head(now)
            self.assertEqual(int(level == CRIT), head.crit)
        self.assertIsNone(Fleet(board).head(NOW + 75.0).wait_p99_seconds)

    def test_waits_of_the_last_minute(self) -> None:
        """Of a process and a pool, too, no wait counts that is longer ago."""
        board = a_waiting_board()
        for view in (PROGRAMS, HOSTS, PROCESSES, POOLS):
            for after, known in ((0.0, True), (49.0, True), (75.0, False)):
                found = row(board, view, now=NOW + after)["wait_p99_seconds"]
                self.assertEqual(known, found is not None, (view, after))
        quick = Histogram((10, *SLOW.counts[1:]), 7.5)
        pools = (WAITING.pools[0]._replace(waits=quick), WAITING.pools[1])
        later = replace(WAITING, sequence=2, base=1, pools=pools)
        told(board, WHO, later, NOW + 70.0)
        for view in (PROGRAMS, HOSTS, PROCESSES, POOLS):
            found = row(board, view, now=NOW + 70.0)["wait_p99_seconds"]
            self.assertAlmostEqual(0.00099, found, msg=view)

    def test_waits_of_long_ago(self) -> None:
        """When they were is not known of a process that was not heard before."""
        board = Board("s", "n")
        old = replace(WAITING, sequence=0, base=None, began=CLOCK - 3600.0)
        told(board, WHO, old)
        young = replace(old, began=CLOCK - 3.0)
        told(board, replace(WHO, process="p2", hostname="i"), young)
        for view in (PROGRAMS, PROCESSES, POOLS):
            of_old, of_young = row(board, view), row(board, view, -1 - (view == POOLS))
            self.assertEqual(("h", "i"), (of_old["hostname"], of_young["hostname"]))
            self.assertIsNone(of_old["wait_p99_seconds"], view)
            self.assertAlmostEqual(0.995, of_young["wait_p99_seconds"], msg=view)

    def test_what_is_kept_of_waits(self) -> None:
        """Nothing where there was none, nor of a pool or a process that is gone."""
        board = a_waiting_board()
        process = board.processes["p1"]
        self.assertEqual([1], list(process._waits))
        gone = replace(WAITING, sequence=2, base=1, pools=(), dropped=(1,))
        told(board, WHO, gone)
        self.assertEqual([], list(process._waits))
        board = a_waiting_board()
        process = board.processes["p1"]
        self.assertTrue(board.departed("p1", 1, NOW + 1.0))
        self.assertEqual([], list(process._waits))

    def test_a_program_that_has_ended(self) -> None:
        """What timed out right before is told for as long."""
        board = a_waiting_board()
        self.assertTrue(board.departed("p1", 1, NOW + 1.0))
        found = row(board, PROGRAMS, now=NOW + 2.0)
        self.assertEqual(
            (0, CRIT, "3 timeouts in the last minute"),
            (found["waiting"], found["alert"], found["reason"]),
        )


class SessionTests(SynchronousTestCase):
    """What a connection is called elsewhere, and who took it."""

    def test_what_is_known(self) -> None:
        """Session, address, site and tag are told as they were reported."""
        record = ConnectionRecord(
            1,
            1,
            OUT,
            CLOCK - 3.0,
            CLOCK - 9.0,
            2,
            "MainThread",
            "shop/db.py:88 hold",
            48197,
            "10.0.0.5:53211",
            "import-job",
        )
        board = Board("s", "n")
        told(board, WHO, replace(BEFORE, connections=(record,)))
        for view in (CONNECTIONS, CHECKOUTS):
            found = row(board, view)
            self.assertEqual(
                ("shop/db.py:88 hold", 48197, "10.0.0.5:53211", "import-job"),
                tuple(
                    found[name] for name in ("site", "server_session", "address", "tag")
                ),
            )

    def test_what_is_not(self) -> None:
        """It is not known, rather than empty."""
        board = Board("s", "n")
        told(board, WHO, BEFORE)
        found = row(board, CONNECTIONS)
        for name in ("site", "server_session", "address", "tag"):
            self.assertIsNone(found[name], name)
