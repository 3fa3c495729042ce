"""The states of programs, hosts, processes and pools, as a board comes to them."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from connmon.model.board import Board
from connmon.model.records import (
    COLLECTED,
    DETACHED,
    OUT,
    ConnectionRecord,
    Counters,
    Home,
    Identity,
    Maxima,
    Notice,
    Record,
    Report,
    Standing,
    WaiterRecord,
)
from connmon.views.alert import (
    BUSY,
    CRIT,
    FAILING_SECONDS,
    IDLE_IN_TXN,
    LEAKING,
    LEAKING_SECONDS,
    LONG_SECONDS,
    OK,
    STATES,
    STILL_SECONDS,
    STUCK,
    UNREACHABLE,
    WARN,
    WELL,
)
from connmon.views.fleet import Fleet
from connmon.views.query import Query
from connmon.views.recorded import WHOLE, Recorded
from connmon.views.schema import CHECKOUTS, HOSTS, POOLS, PROCESSES, PROGRAMS
from tests.views.boards import BOUNDED, CLOCK, NOW, connection, pool, told

WHO = Identity("p1", "h", "api", 7)
JUDGED = (HOSTS, PROGRAMS, PROCESSES, POOLS)

CALM = Report(
    0,
    None,
    CLOCK,
    1.0,
    Counters(9, 9, 3),
    Maxima(3, 3),
    (pool(1, BOUNDED, Counters(9, 9, 3)), pool(2, BOUNDED)),
    began=1.0,
)
FULL = tuple(connection(id, OUT, 9.0 + id) for id in range(3))
WAITER = WaiterRecord(1, CLOCK - 0.1, "w")


class StatesTests(SynchronousTestCase):
    """One process, calm at first."""

    def setUp(self) -> None:
        """It has two pools, of three places each."""
        self.board = Board("s", "n")
        self.fleet = Fleet(self.board)
        self.sequence = 0
        told(self.board, WHO, CALM)

    def tell(self, now: float = NOW, **changes: object) -> None:
        """The process reports something more."""
        self.sequence += 1
        base = self.sequence - 1
        report = replace(CALM, sequence=self.sequence, base=base, pools=())
        told(self.board, WHO, replace(report, **changes), now)  # type: ignore[arg-type]

    def count(self, counters: Counters, now: float = NOW) -> None:
        """The first pool's counters have grown by this."""
        all_of_it = CALM.pools[0].counters.plus(counters)
        self.tell(now, counters=all_of_it, pools=(pool(1, BOUNDED, all_of_it),))

    def seen(self, now: float = NOW) -> tuple[str, str, str]:
        """State, alert and reason, which must be the same wherever they are told."""
        found = set()
        for view in JUDGED:
            frame = self.fleet.answer(Query(view), now)
            row = dict(zip(frame.fields, frame.rows[0], strict=True))
            found.add((row["state"], row["alert"], row["reason"]))
        told_once = {(state, alert) for state, alert, _ in found}
        self.assertEqual(1, len(told_once), found)
        other = self.fleet.answer(Query(POOLS, fields=("state",)), now).rows[1]
        self.assertEqual(WELL, other[-1])
        word, level, reason = row["state"], row["alert"], row["reason"]
        worst = self.fleet.head(now).worst
        said = f" {word}" if word != WELL else ""
        self.assertTrue(worst.startswith(f"h api{said}: {reason}" if reason else ""))
        return word, level, reason

    def test_well(self) -> None:
        """As long as nothing is wrong."""
        self.assertEqual((WELL, OK, ""), self.seen())
        self.tell(connections=FULL[:2])
        self.assertEqual((WELL, OK, ""), self.seen())

    def test_busy(self) -> None:
        """A full pool, also while somebody waits a moment for it."""
        self.tell(connections=FULL)
        self.assertEqual((BUSY, WARN, "pool full"), self.seen())
        moved = connection(3, OUT, 1.0)
        self.tell(connections=(moved,), closed=(0,), waiting=1, waiters=(WAITER,))
        self.assertEqual((BUSY, CRIT, "1 waiting, pool full"), self.seen())

    def test_what_outlived_the_pool_before(self) -> None:
        """It fills no pool, and keeps nobody waiting; the views tell it apart."""
        old = FULL[0]._replace(disposed=True)
        self.tell(connections=(old, *FULL[1:]))
        self.assertEqual((WELL, OK, ""), self.seen())
        frame = self.fleet.answer(Query(POOLS, fields=("ckout", "pool_used")), NOW)
        self.assertEqual((3, 2 / 3), tuple(frame.rows[0][-2:]))
        read = ("ckout", "pool_worst", "oldest_seconds")
        frame = self.fleet.answer(Query(PROGRAMS, fields=read), NOW)
        self.assertEqual((3, 2 / 3, 11.0), tuple(frame.rows[0][-3:]))
        states = self.fleet.answer(Query(CHECKOUTS, fields=("state",)), NOW).rows
        self.assertEqual({"out", "disposed"}, {row[-1] for row in states})
        recorded = Recorded(self.fleet.answers(WHOLE, NOW))
        self.assertEqual(3, len(list(recorded.table(CHECKOUTS, {}, NOW).entries)))
        gone = NOW + STILL_SECONDS + 1.0
        self.tell(gone, connections=(old,), waiting=1, waiters=(WAITER,))
        self.assertNotEqual(STUCK, self.seen(gone)[0])

    def test_stuck(self) -> None:
        """Nobody returns anything while somebody waits: by itself, as time passes."""
        moved = connection(3, OUT, 0.0)
        full = (moved, *FULL[:2])
        self.tell(connections=full, waiting=1, waiters=(WAITER,))
        for later, expected in ((0.0, BUSY), (4.9, BUSY), (5.0, STUCK), (99.0, STUCK)):
            self.assertEqual(expected, self.seen(NOW + later)[0], later)
        self.assertEqual(5.0, STILL_SECONDS)
        self.tell(NOW + 6.0, clock=CLOCK + 6.0)
        self.assertEqual(BUSY, self.seen(NOW + 6.0)[0], "nobody waits any more")

    def test_stuck_by_a_timeout(self) -> None:
        """For a minute, whatever else is."""
        self.count(Counters(timeouts=2))
        self.assertEqual(
            (STUCK, CRIT, "2 timeouts in the last minute"), self.seen(NOW + 59.0)
        )
        self.assertEqual((WELL, OK, ""), self.seen(NOW + 61.0))

    def test_unreachable(self) -> None:
        """A minute from the last failure, unless something was connected."""
        self.count(Counters(connect_failures=1))
        self.assertEqual(
            (UNREACHABLE, CRIT, "connecting failed 3s ago"), self.seen(NOW + 3.0)
        )
        self.assertEqual(UNREACHABLE, self.seen(NOW + FAILING_SECONDS)[0])
        self.assertEqual((WELL, OK, ""), self.seen(NOW + FAILING_SECONDS + 0.1))
        self.count(Counters(connect_failures=2), NOW + 2.0)
        self.assertEqual(UNREACHABLE, self.seen(NOW + 2.0)[0])
        self.count(Counters(connect_failures=2, connects=1), NOW + 3.0)
        self.assertEqual((WELL, OK, ""), self.seen(NOW + 3.0))

    def test_leaking(self) -> None:
        """Ten minutes from the last proof, or as long as one is out."""
        self.count(Counters(leaks=1))
        self.assertEqual(
            (LEAKING, WARN, "connection leaked 1m05s ago"), self.seen(NOW + 65.0)
        )
        self.assertEqual(LEAKING, self.seen(NOW + LEAKING_SECONDS)[0])
        self.assertEqual((WELL, OK, ""), self.seen(NOW + LEAKING_SECONDS + 0.1))
        lost = connection(3, OUT, 9.0)._replace(leak="its thread has ended")
        self.tell(NOW + 900.0, clock=CLOCK + 900.0, connections=(lost,))
        word, level, reason = self.seen(NOW + 900.0)
        self.assertEqual((LEAKING, WARN), (word, level))
        self.assertTrue(reason.startswith("1 connection leaked, "), reason)

    def test_leaking_as_another_node_knows_it(self) -> None:
        """A node that hears of the process only now knows it by the last notices."""
        notice = Notice(1, 1, CLOCK - 100.0, COLLECTED, 3, 1.0, "t")
        board = Board("s", "other")
        report = replace(CALM, notices=(notice,))
        home = Home("n", "i")
        board.adopted(Record(WHO, Standing(1, 0, 1), home, 0.0, 0.0, report), NOW)
        for later, expected in ((0.0, LEAKING), (499.0, LEAKING), (501.0, WELL)):
            board.homes.heard(home, NOW + later)
            frame = Fleet(board).answer(Query(fields=("state",)), NOW + later)
            self.assertEqual(expected, frame.rows[0][-1], later)

    def test_idle_in_a_transaction(self) -> None:
        """From half a minute on, by itself; in a detached connection, too."""
        for state in (OUT, DETACHED):
            open_ = ConnectionRecord(
                7,
                1,
                state,
                CLOCK - 20.0,
                CLOCK - 90.0,
                1,
                "t",
                transaction=CLOCK - 15.0,
                quiet=CLOCK - 10.0,
            )
            self.tell(connections=(open_,))
            self.assertEqual(WELL, self.seen(NOW + 1.0)[0])
            self.assertNotEqual(IDLE_IN_TXN, self.seen(NOW + LONG_SECONDS - 10.0)[0])
            word, level, reason = self.seen(NOW + LONG_SECONDS - 9.0)
            self.assertEqual((IDLE_IN_TXN, WARN), (word, level))
            self.assertTrue(reason.startswith("idle in transaction 31s"), reason)

    def test_after_the_end(self) -> None:
        """Only timeouts are told of what has ended."""
        lost = connection(3, OUT, 9.0)._replace(leak="gone")
        self.tell(connections=(lost,))
        self.count(Counters(connect_failures=1, leaks=1, timeouts=1))
        self.assertTrue(self.board.departed("p1", 1, NOW))
        for view in (PROGRAMS, HOSTS):
            for later, expected in ((1.0, STUCK), (61.0, WELL)):
                frame = self.fleet.answer(Query(view, fields=("state",)), NOW + later)
                self.assertEqual(expected, frame.rows[0][-1])

    def test_filters_and_words(self) -> None:
        """A state is found in any case, and is one of those that are documented."""
        self.tell(connections=FULL)
        for where, count in (
            ("state:busy", 1),
            ("state=BUSY", 1),
            ("state!=ok", 1),
            ("state:stuck", 0),
        ):
            frame = self.fleet.answer(Query(where=(where,)), NOW)
            self.assertEqual(count, frame.count, where)
        self.assertEqual(
            ["UNREACHABLE", "STUCK", "LEAKING", "IDLE-IN-TXN", "BUSY", "OK"],
            list(STATES),
        )
