"""Tests of what goes wrong with pools, and of when it did."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.model import figures
from connmon.model.board import Board
from connmon.model.histogram import Histogram
from connmon.model.process import Process
from connmon.model.records import (
    ABANDONED,
    COLLECTED,
    DETACHED,
    IDLE,
    LIVE,
    OUT,
    RETURNED,
    SLOW,
    ConnectionRecord,
    Counters,
    Home,
    Identity,
    Maxima,
    Notice,
    PoolFacts,
    PoolRecord,
    Report,
    Standing,
    WaiterRecord,
)
from connmon.model.trouble import NONE, WELL, Lapse, Trouble, noticed, together

WHO = Identity("p1", "h", "x", 7)
FACTS = PoolFacts("pg://db/x", "QueuePool", 1, 1)
OFFSET = 500.0
"""What leads from the process's clock to the node's here."""


def pool(counters: Counters | None = None, id: int = 1) -> PoolRecord:
    """A pool of two places with these counters."""
    nothing = Histogram()
    return PoolRecord(id, FACTS, counters or Counters(), Maxima(), nothing, nothing)


def connection(id: int, state: int = OUT, since: float = 90.0) -> ConnectionRecord:
    """A connection of the pool, that is in its state since then."""
    return ConnectionRecord(id, 1, state, since, 0.0, 1, "t")


WHOLE = Report(0, None, 100.0, 1.0, Counters(), Maxima(), (pool(),), began=1.0)


def process(*reports: tuple[Report, float]) -> Process:
    """A process that said this, each report heard at a time."""
    found = Process(WHO, Home("n", "i"))
    found.standing = Standing(1, 1, LIVE)
    for report, heard in reports:
        found.accept(report, heard)
    return found


def delta(counters: Counters, clock: float = 101.0) -> Report:
    """A report in which the pool's counters are these."""
    return replace(WHOLE, sequence=1, base=0, clock=clock, pools=(pool(counters),))


class LapseTests(SynchronousTestCase):
    """What the counters of a pool tell."""

    def test_failures(self) -> None:
        """The last counts, until something is connected."""
        for more, was, now in (
            (Counters(connect_failures=1), NONE, Lapse(5.0)),
            (Counters(connect_failures=1), Lapse(3.0), Lapse(5.0)),
            (Counters(), Lapse(3.0), Lapse(3.0)),
            (Counters(connects=1), Lapse(3.0), NONE),
            (Counters(connects=1, connect_failures=1), Lapse(3.0), NONE),
        ):
            before = Counters(9, 9, 9, 9)
            self.assertEqual(now, was.after(before, before.plus(more), 5.0), more)

    def test_leaks(self) -> None:
        """The last counts, whatever else happens."""
        before = Counters(leaks=2)
        self.assertEqual(NONE, NONE.after(before, before, 5.0))
        leaked = NONE.after(before, Counters(leaks=3), 5.0)
        self.assertEqual(Lapse(None, 5.0), leaked)
        self.assertEqual(leaked, leaked.after(before, Counters(9, 9, 9, leaks=2), 7.0))

    def test_notices(self) -> None:
        """A leak that was told by itself counts as well, the latest, and no other."""
        notices = (
            Notice(1, 1, 90.0, COLLECTED, 4, 1.0, "t"),
            Notice(2, 1, 80.0, COLLECTED, 5, 1.0, "t"),
            Notice(3, 2, 95.0, SLOW, 6, 1.0, "t"),
            Notice(4, 3, 999.0, COLLECTED, 6, 1.0, "t"),
        )
        lapses = {1: Lapse(7.0, 588.0)}
        self.assertEqual(
            {1: Lapse(7.0, 590.0), 3: Lapse(None, 601.0)},
            noticed(lapses, notices, OFFSET, 601.0),
        )
        self.assertEqual({1: Lapse(7.0, 588.0)}, lapses)

    def test_returned_after_all(self) -> None:
        """That takes back what was known by then, of that pool."""
        notices = (
            Notice(1, 1, 90.0, ABANDONED, 4, 1.0, "t"),
            Notice(2, 1, 92.0, RETURNED, 4, 0.0, "t"),
            Notice(3, 2, 95.0, RETURNED, 6, 0.0, "t"),
        )
        lapses = {1: Lapse(7.0, 588.0), 2: Lapse(None, 596.0), 3: Lapse(None, 1.0)}
        self.assertEqual(
            {1: Lapse(7.0), 2: Lapse(None, 596.0), 3: Lapse(None, 1.0)},
            noticed(lapses, notices, OFFSET, 601.0),
        )


class ProcessTests(SynchronousTestCase):
    """What a process's reports tell."""

    def test_what_grows(self) -> None:
        """By the report that told it, and only that."""
        failed = delta(Counters(connect_failures=1, leaks=1))
        found = process((WHOLE, 600.0), (failed, 601.0))
        self.assertEqual({1: Trouble(None, 601.0, 601.0)}, found.troubles())
        self.assertEqual(Trouble(None, 601.0, 601.0), found.figures.trouble)
        found.accept(replace(failed, sequence=2, base=1, pools=()), 650.0)
        self.assertEqual({1: Trouble(None, 601.0, 601.0)}, found.troubles())
        connected = delta(Counters(connects=1, connect_failures=1, leaks=1))
        found.accept(replace(connected, sequence=3, base=2), 651.0)
        self.assertEqual({1: Trouble(None, None, 601.0)}, found.troubles())

    def test_a_first_word(self) -> None:
        """What a process had by then happened just now if it is young."""
        counters = Counters(connect_failures=3, leaks=2)
        for began, expected in (
            (99.0, {1: Trouble(None, 600.0, 600.0)}),
            (1.0, {}),
            (None, {}),
        ):
            first = replace(WHOLE, pools=(pool(counters),), began=began)
            self.assertEqual(expected, process((first, 600.0)).troubles(), began)

    def test_told_again(self) -> None:
        """A whole report is compared with what was known, and forgets other pools."""
        counters = Counters(connect_failures=3, leaks=2)
        again = replace(WHOLE, pools=(pool(counters), pool(Counters(leaks=1), 2)))
        found = process((replace(again, began=1.0), 600.0), (again, 601.0))
        self.assertEqual({}, found.troubles())
        more = replace(again, pools=(pool(counters), pool(Counters(leaks=2), 2)))
        found.accept(more, 602.0)
        self.assertEqual({2: Trouble(None, None, 602.0)}, found.troubles())
        found.accept(WHOLE, 603.0)
        self.assertEqual({}, found.troubles())

    def test_a_new_pool(self) -> None:
        """All that one has happened just now."""
        second = pool(Counters(connect_failures=1), 2)
        found = process((WHOLE, 600.0))
        found.accept(replace(WHOLE, sequence=1, base=0, pools=(second,)), 601.0)
        self.assertEqual({2: Trouble(None, 601.0)}, found.troubles())
        gone = replace(WHOLE, sequence=2, base=1, pools=(), dropped=(2,))
        found.accept(gone, 602.0)
        self.assertEqual({}, found.troubles())

    def test_the_end(self) -> None:
        """What has ended has no trouble."""
        found = process((WHOLE, 600.0), (delta(Counters(leaks=1)), 601.0))
        found.wither(found.standing, 602.0)
        self.assertEqual({}, found.troubles())
        self.assertIs(None, found.figures.trouble)

    def test_those_nobody_can_return(self) -> None:
        """They are counted as long as they are open."""
        lost = connection(1)._replace(leak="its thread has ended")
        found = process((replace(WHOLE, connections=(lost, connection(2))), 600.0))
        self.assertEqual({1: Trouble(lost=1)}, found.troubles())
        closed = replace(WHOLE, sequence=1, base=0, pools=(), closed=(1,))
        found.accept(closed, 601.0)
        self.assertEqual({}, found.troubles())

    def test_quiet_transactions(self) -> None:
        """The longest counts, also of a connection that is in no pool any more."""
        quiet = connection(1)._replace(transaction=80.0, quiet=95.0)
        longer = connection(2, DETACHED)._replace(transaction=60.0, quiet=70.0)
        found = process((replace(WHOLE, connections=(quiet, longer)), 600.0))
        self.assertEqual(570.0, found.figures.quiet)
        self.assertIs(None, found.figures.trouble)
        self.assertIs(None, process((WHOLE, 600.0)).figures.quiet)

    def test_suspicion(self) -> None:
        """Whoever is not suspect has no trouble unless something is out."""
        self.assertFalse(process((WHOLE, 600.0)).suspect)
        notice = Notice(1, 9, 90.0, COLLECTED, 4, 1.0, "t")
        for report in (
            delta(Counters(leaks=1)),
            delta(Counters(connect_failures=1)),
            replace(WHOLE, connections=(connection(1, DETACHED),)),
            replace(WHOLE, notices=(notice,)),
        ):
            self.assertTrue(process((WHOLE, 600.0), (report, 601.0)).suspect, report)


class StillTests(SynchronousTestCase):
    """Since when nothing has come back."""

    def still(
        self, *connections: ConnectionRecord, waiting: int = 1, facts: PoolFacts = FACTS
    ) -> dict[int, float]:
        """The same of a pool in which these are."""
        pools = {1: pool()._replace(facts=facts)}
        waiters = [WaiterRecord(1, 99.0, "w")] * waiting
        return figures.still(pools, connections, OFFSET, waiters)

    def test_a_full_pool(self) -> None:
        """Since the newest checkout, if somebody waits."""
        full = connection(1, since=90.0), connection(2, since=80.0)
        self.assertEqual({1: 590.0}, self.still(*full))
        self.assertEqual({}, self.still(*full, waiting=0))
        self.assertEqual({}, self.still(full[0], connection(2, IDLE)))
        self.assertEqual({}, self.still(full[0], connection(2, DETACHED)))

    def test_without_a_bound(self) -> None:
        """A pool that cannot be full never is."""
        facts = FACTS._replace(max_overflow=None)
        self.assertEqual({}, self.still(connection(1), connection(2), facts=facts))

    def test_of_another_pool(self) -> None:
        """Nor is one that is not known, or that nobody waits for."""
        waiters = [WaiterRecord(2, 99.0, "w")]
        found = figures.still({1: pool()}, [connection(1)] * 2, 0.0, waiters)
        self.assertEqual({}, found)
        other = connection(1)._replace(pool=2)
        self.assertEqual({}, figures.still({1: pool()}, [other] * 2, 0.0, waiters))


TIMES = st.none() | st.floats(0.0, 1e6)
TROUBLES = st.builds(Trouble, TIMES, TIMES, TIMES, st.integers(0, 9))


class TogetherTests(SynchronousTestCase):
    """Several troubles as one."""

    def test_the_worst_of_each(self) -> None:
        """The longest stillness, the latest failure and leak, the sum of the lost."""
        one = Trouble(3.0, 7.0, None, 1)
        self.assertEqual(
            Trouble(2.0, 9.0, 5.0, 3),
            together([one, None, Trouble(2.0, 4.0, 5.0, 2), Trouble(None, 9.0)]),
        )
        self.assertIs(None, together([None, None]))
        self.assertEqual(one, together([one, None]))

    @given(st.lists(TROUBLES, max_size=5), st.randoms())
    def test_in_any_order(self, troubles: list[Trouble], random: object) -> None:
        """It does not matter, nor does what is well."""
        mixed = [*troubles, WELL]
        random.shuffle(mixed)  # type: ignore[attr-defined]
        self.assertEqual(together([*troubles, WELL]), together(mixed))


class ReachTests(SynchronousTestCase):
    """What a node looks at of all programs."""

    def test_who_is_looked_at(self) -> None:
        """A program with nothing out is, as long as a process of it is suspect."""
        board = Board("s", "n")
        self.assertTrue(board.registered(WHO, 1))
        board.reported("p1", 1, WHOLE, 600.0)
        programs = board.sums.programs
        self.assertEqual(set(), programs.busy)
        board.reported("p1", 1, delta(Counters(connect_failures=1)), 601.0)
        self.assertEqual({programs["h", "x"]}, programs.busy)
        self.assertTrue(board.departed("p1", 1, 602.0))
        self.assertEqual(set(), programs.busy)
