"""Tests of the ledger: marks made by an application, reports made of them."""

from __future__ import annotations

import platform
import threading
from unittest import skipIf

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from connmon.model.connection import Connection
from connmon.model.engines import ENGINE_SITES
from connmon.model.holding import EACH_SECOND, KEPT, LISTED, REPEATED, Waiter
from connmon.model.ledger import Ledger
from connmon.model.notices import KEPT as NOTICES_KEPT
from connmon.model.notices import REPEATED as NOTICES_REPEATED
from connmon.model.pool import Pool
from connmon.model.records import (
    COLLECTED,
    DETACHED,
    IDLE,
    OUT,
    SLOW,
    Counters,
    InLine,
    Maxima,
    Notice,
    PoolFacts,
    Report,
)
from tests.model.marks import give, take


def a_pool(ledger: Ledger) -> Pool:
    """A pool like QueuePool's default."""
    return ledger.pool(object(), PoolFacts("sqlite:///x.db", "QueuePool", 5, 10))


def left_open(reports: list[Report]) -> set[int]:
    """The connections that a reader of these deltas believes open."""
    known: set[int] = set()
    for report in reports:
        known |= {record.id for record in report.connections}
        known -= set(report.closed)
    return known


class _BrokenSet(set[Connection]):
    """A set whose first ``discard`` is interrupted."""

    interrupted = False

    def discard(self, connection: object) -> None:
        """Be interrupted once."""
        if not self.interrupted:
            self.interrupted = True
            raise KeyboardInterrupt
        super().discard(connection)


class LedgerTests(SynchronousTestCase):
    """What is marked is reported, once and exactly."""

    def setUp(self) -> None:
        """A ledger that counts how often it woke its reporter."""
        self.woken = 0
        self.ledger = Ledger(self.wake)
        self.pool = a_pool(self.ledger)

    def wake(self) -> bool:
        """Stand for the reporting thread."""
        self.woken += 1
        return True

    def test_a_pool_alone_wakes_nobody(self) -> None:
        """An engine that is never used starts no thread."""
        self.assertEqual(0, self.woken)

    def test_only_the_first_mark_wakes(self) -> None:
        """However much happens between two reports, the reporter is woken once."""
        connection = self.ledger.opened(self.pool, 1.0)
        for _ in range(1000):
            take(connection, 2.0)
            give(connection, 3.0)
        self.assertEqual(1, self.woken)
        self.ledger.collect(1, 4.0, 0.0)
        take(connection, 5.0)
        self.assertEqual(2, self.woken)

    def test_a_wake_that_was_not_heard_is_tried_again(self) -> None:
        """While the thread cannot be started, each mark tries."""
        tried = iter((False, False, True))
        ledger = Ledger(lambda: next(tried))
        connection = ledger.opened(a_pool(ledger), 1.0)
        for _ in range(5):
            take(connection, 1.0)
        self.assertEqual([], list(tried))

    def test_a_thousand_checkouts_are_one_record(self) -> None:
        """A report's size depends on the connections, not on the traffic."""
        connection = self.ledger.opened(self.pool, 1.0)
        for _ in range(1000):
            take(connection, 2.0)
            give(connection, 3.0)
        report = self.ledger.collect(1, 4.0, 3.0)
        self.assertEqual(1, len(report.connections))
        self.assertEqual(1000, report.connections[0].uses)
        self.assertEqual(Counters(1000, 1000, 1, resets=1000), report.counters)
        self.assertEqual(Maxima(1, 1), report.maxima)

    def test_nothing_new_is_an_empty_delta(self) -> None:
        """A heartbeat names the base, and nothing else."""
        self.ledger.opened(self.pool, 1.0)
        self.ledger.collect(1, 2.0, 0.0)
        report = self.ledger.collect(2, 3.0, 0.0)
        self.assertEqual(1, report.base)
        self.assertEqual(
            ((), (), ()), (report.pools, report.connections, report.closed)
        )

    def test_opened_and_closed_between_reports_is_only_counted(self) -> None:
        """The node hears of the counts, not of a connection it never knew."""
        self.ledger.closed(self.ledger.opened(self.pool, 1.0), 2.0)
        report = self.ledger.collect(1, 3.0, 0.0)
        self.assertEqual((), report.connections)
        self.assertEqual((), report.closed)
        self.assertEqual(Counters(connects=1, closes=1), report.counters)
        self.assertEqual(Maxima(1, 0), report.maxima)

    def test_each_report_says_when_it_began(self) -> None:
        """Whole or not; a ledger that was not told does not say."""
        ledger = Ledger(began=7.5)
        ledger.opened(a_pool(ledger), 8.0)
        reports = (ledger.whole(0, 9.0, 0.0), ledger.collect(1, 10.0, 0.0))
        self.assertEqual([7.5, 7.5], [each.began for each in reports])
        self.assertIsNone(self.ledger.whole(0, 9.0, 0.0).began)

    def test_closing_a_known_connection_names_it(self) -> None:
        """What was told open is told closed, once."""
        connection = self.ledger.opened(self.pool, 1.0)
        self.ledger.collect(1, 2.0, 0.0)
        self.ledger.closed(connection, 3.0)
        self.ledger.closed(connection, 4.0)
        self.assertEqual((connection.id,), self.ledger.collect(2, 5.0, 0.0).closed)
        self.assertEqual((), self.ledger.collect(3, 6.0, 0.0).closed)

    def test_a_detached_connection_is_open_but_not_out(self) -> None:
        """The pool no longer has it out; the database server still has it open."""
        connection = self.ledger.opened(self.pool, 1.0)
        take(connection, 2.0)
        self.ledger.detached(connection, 3.0)
        give(connection, 4.0)
        report = self.ledger.whole(1, 5.0, 0.0)
        self.assertEqual([DETACHED], [each.state for each in report.connections])
        self.assertEqual(3.0, report.connections[0].since)

    def test_the_checkin_of_a_closed_record_is_no_news(self) -> None:
        """SQLAlchemy checks a record in after an invalidation closed its connection."""
        connection = self.ledger.opened(self.pool, 1.0)
        take(connection, 2.0)
        self.ledger.invalidated(connection)
        self.ledger.closed(connection, 3.0)
        give(connection, 4.0)
        report = self.ledger.whole(1, 5.0, 0.0)
        self.assertEqual((), report.connections)
        self.assertEqual(Counters(1, 1, 1, 0, 1, 1), report.counters)

    def test_a_retired_pool_is_dropped_when_empty_and_its_counts_stay(self) -> None:
        """An engine made for each request leaves totals behind, not pools."""
        connection = self.ledger.opened(self.pool, 1.0)
        self.ledger.collect(1, 2.0, 0.0)
        self.ledger.retired(self.pool)
        self.assertEqual((), self.ledger.collect(2, 3.0, 0.0).dropped)
        self.ledger.closed(connection, 4.0)
        report = self.ledger.collect(3, 5.0, 0.0)
        self.assertEqual((self.pool.id,), report.dropped)
        self.assertEqual((), report.pools)
        self.assertEqual(Counters(connects=1, closes=1), report.counters)
        self.assertEqual((), self.ledger.whole(4, 6.0, 0.0).pools)

    def test_an_unused_pool_retires_in_silence(self) -> None:
        """Engines that never connected cost nothing."""
        self.ledger.retired(self.pool)
        self.assertEqual(0, self.woken)
        self.assertEqual((), self.ledger.whole(1, 1.0, 0.0).pools)

    def test_a_dropped_pool_is_not_told_again(self) -> None:
        """Though a late mark of its last connection comes after it was dropped."""
        connection = self.ledger.opened(self.pool, 1.0)
        self.ledger.collect(1, 2.0, 0.0)
        self.ledger.retired(self.pool)
        self.ledger.closed(connection, 3.0)
        self.assertEqual((self.pool.id,), self.ledger.collect(2, 4.0, 0.0).dropped)
        self.ledger.invalidated(connection)
        late = self.ledger.collect(3, 5.0, 0.0)
        self.assertEqual((), late.pools)
        self.assertEqual(Counters(connects=1, closes=1, invalidations=1), late.counters)

    def test_a_closing_that_was_cut_short_is_made_good(self) -> None:
        """A signal handler may raise anywhere; the token's end tells it again."""
        connection = self.ledger.opened(self.pool, 1.0)
        self.ledger.collect(1, 2.0, 0.0)
        broken = _BrokenSet(self.pool.open)
        self.pool.open = broken
        self.assertRaises(KeyboardInterrupt, self.ledger.closed, connection, 3.0)
        self.ledger.closed(connection, 4.0)
        self.assertEqual((connection.id,), self.ledger.collect(2, 5.0, 0.0).closed)
        self.assertEqual((), self.ledger.whole(3, 6.0, 0.0).connections)
        self.assertEqual(set(), self.pool.open)

    def test_a_wake_that_was_cut_short_is_tried_again(self) -> None:
        """The ledger must not fall silent over an exception that is not ours."""
        raised = iter((KeyboardInterrupt(), None))

        def wake() -> bool:
            error = next(raised)
            if error is not None:
                raise error
            return True

        ledger = Ledger(wake)
        pool = a_pool(ledger)
        self.assertRaises(KeyboardInterrupt, ledger.opened, pool, 1.0)
        ledger.opened(pool, 1.0)
        self.assertEqual([], list(raised))

    def test_unwatched_keeps_no_pools(self) -> None:
        """One whose engine is gone goes with its last connection."""
        self.ledger.unwatch()
        before = len(self.ledger._pools)
        pool = a_pool(self.ledger)
        connection = self.ledger.opened(pool, 1.0)
        self.ledger.retired(pool)
        self.assertEqual(before + 1, len(self.ledger._pools))
        self.ledger.dropped(connection, 2.0)
        self.assertEqual(before, len(self.ledger._pools))

    def test_unwatched_keeps_no_marks(self) -> None:
        """Where nobody will ever collect, a million connections leave nothing."""
        self.ledger.unwatch()
        for _ in range(10):
            self.ledger.closed(self.ledger.opened(self.pool, 1.0), 1.0)
        self.assertEqual((), self.ledger.whole(1, 2.0, 0.0).connections)
        self.assertEqual(0, self.woken)

    def test_more_wait_than_are_listed(self) -> None:
        """How many there are is told all the same, and those who have for longest."""
        for since in range(LISTED + 50, 0, -1):
            self.pool.awaited(Waiter("me", float(since)))
        report = self.ledger.collect(1, 1000.0, 0.0)
        self.assertEqual(LISTED + 50, report.waiting)
        expected = [float(since) for since in range(1, LISTED + 1)]
        self.assertEqual(expected, [each.since for each in report.waiters])

    def test_more_held_than_are_listed(self) -> None:
        """An incident has the longest, and says how many there were."""
        for since in range(LISTED + 50, 0, -1):
            take(self.ledger.opened(self.pool, 0.0), float(since), f"t{since}")
        self.pool.timed_out(Waiter("me", 500.0, "a.py:1 f", "job"), 1000.0)
        (incident,) = self.ledger.collect(1, 1000.0, 0.0).incidents
        self.assertEqual(LISTED + 50, incident.held)
        self.assertEqual(LISTED, len(incident.holders))
        self.assertEqual((1.0, "t1"), incident.holders[0][1:3])
        self.assertEqual(999.0, incident.seconds(incident.holders[0].since))
        self.assertEqual(InLine(500.0, "me", "a.py:1 f", False, "job"), incident.victim)

    def test_incidents_that_nobody_hears_of(self) -> None:
        """The newest are kept; how many were not is known."""
        for number in range(KEPT + 5):
            self.pool.timed_out(Waiter("me", 0.0), 10.0 * number)
        self.assertEqual(5, self.ledger.incidents_dropped)
        told = self.ledger.collect(1, 1000.0, 0.0).incidents
        self.assertEqual(list(range(1, KEPT + 1)), [each.number for each in told])
        self.assertEqual(50.0, told[0].at)
        again = self.ledger.whole(2, 1000.0, 0.0).incidents
        self.assertEqual(told[-REPEATED:], again)
        self.assertEqual(5, self.ledger.incidents_dropped)
        self.ledger.unwatch()
        self.pool.timed_out(Waiter("me", 0.0), 10_000.0)
        self.assertEqual((), self.ledger.collect(3, 1000.0, 0.0).incidents)
        self.assertEqual(6, self.ledger.incidents_dropped)

    def test_a_storm_of_timeouts(self) -> None:
        """Each is told or counted as not told, for whatever reason, none twice."""
        other = a_pool(self.ledger)
        for second in (1.0, 2.0, 3.0):
            for _ in range(EACH_SECOND + 20):
                self.pool.timed_out(Waiter("me", 0.0), second)
        other.timed_out(Waiter("me", 0.0), 3.0)
        told = self.ledger.collect(1, 4.0, 0.0)
        self.assertEqual(3 * EACH_SECOND + 61, told.counters.timeouts)
        self.assertEqual(KEPT, len(told.incidents))
        dropped = 3 * EACH_SECOND + 61 - KEPT
        self.assertEqual(dropped, self.ledger.incidents_dropped)
        self.pool.timed_out(Waiter("me", 0.0), 5.0)
        self.assertEqual(1, len(self.ledger.collect(2, 6.0, 0.0).incidents))
        self.assertEqual(dropped, self.ledger.incidents_dropped)

    def test_notices(self) -> None:
        """Each is told once, numbered; the last few again with all there is."""
        connection = self.ledger.opened(self.pool, 0.0)
        take(connection, 1.0, "t1")
        for number in range(NOTICES_KEPT + 2):
            self.ledger.noticed(connection, SLOW, 10.0 + number, 9.0 + number)
        self.ledger.noticed(connection, COLLECTED, 100.0, -1.0)
        self.assertEqual(1, self.pool.leaks)
        report = self.ledger.collect(1, 1000.0, 0.0)
        self.assertEqual(NOTICES_KEPT, len(report.notices))
        self.assertEqual(
            Notice(NOTICES_KEPT, 1, 100.0, COLLECTED, 1, 0.0, "t1"), report.notices[-1]
        )
        self.assertEqual(1, report.counters.leaks)
        self.assertEqual((), self.ledger.collect(2, 1000.0, 0.0).notices)
        again = self.ledger.whole(3, 1000.0, 0.0)
        self.assertEqual(report.notices[-NOTICES_REPEATED:], again.notices)
        self.ledger.unwatch()
        self.ledger.noticed(connection, COLLECTED, 101.0, 1.0)
        self.assertEqual((), self.ledger.collect(4, 1000.0, 0.0).notices)

    def test_more_notices(self) -> None:
        """As many are kept as somebody wants to hear."""
        self.ledger.keep_notices(NOTICES_KEPT + 7)
        connection = self.ledger.opened(self.pool, 0.0)
        for number in range(NOTICES_KEPT + 8):
            self.ledger.noticed(connection, SLOW, 10.0 + number, 9.0)
        told = self.ledger.whole(0, 1000.0, 0.0).notices
        self.assertEqual(NOTICES_KEPT + 7, len(told))

    def test_engines_made(self) -> None:
        """By the place that made them, the most first; of few places."""
        for site in ("b.py:2 g", "a.py:1 f", "a.py:1 f", None):
            self.ledger.engine_made(site, "db")
        told = self.ledger.collect(1, 1000.0, 0.0).engines
        self.assertEqual((("a.py:1 f", 2), ("b.py:2 g", 1), ("", 1)), told)
        for number in range(100):
            self.ledger.engine_made(f"c.py:{number} h", "db")
        told = self.ledger.collect(2, 1000.0, 0.0).engines
        self.assertEqual(ENGINE_SITES, len(told))
        self.assertEqual(104, sum(times for _, times in told))
        self.assertEqual("", told[0][0])

    @skipIf(
        platform.python_implementation() == "PyPy",
        "PyPy changes threads within a mark too: see docs/pypy.rst",
    )
    def test_exact_under_threads_and_a_busy_reporter(self) -> None:
        """Eight threads and a reporter at once: every checkout counts, none twice."""
        done = threading.Event()

        def work() -> None:
            for _ in range(300):
                connection = self.ledger.opened(self.pool, 1.0)
                for _ in range(5):
                    take(connection, 1.0)
                    give(connection, 1.0)
                self.ledger.closed(connection, 1.0)

        reports: list[Report] = []

        def report() -> None:
            while not done.is_set():
                reports.append(self.ledger.collect(len(reports), 1.0, 0.0))

        workers = [threading.Thread(target=work) for _ in range(8)]
        reporter = threading.Thread(target=report)
        for thread in [*workers, reporter]:
            thread.start()
        for thread in workers:
            thread.join()
        done.set()
        reporter.join()
        last = self.ledger.collect(len(reports), 1.0, 0.0)
        self.assertEqual(
            Counters(12000, 12000, 2400, 0, 2400, resets=12000), last.counters
        )
        self.assertEqual(set(), left_open([*reports, last]))


class LedgerMachine(RuleBasedStateMachine):
    """A random life of connections, reported at random moments to a simple reader."""

    connections: Bundle[Connection] = Bundle("connections")

    def __init__(self) -> None:
        """Two pools, and a reader who believes the reports."""
        super().__init__()
        self.news = False
        self.ledger = Ledger(self.wake)
        self.pools = [a_pool(self.ledger), a_pool(self.ledger)]
        self.now = 0.0
        self.sequence = 0
        self.model: dict[int, tuple[int, int, int]] = {}
        self.read: dict[int, tuple[int, int, int]] = {}
        self.opened = self.closed = self.peak = self.peak_out = 0
        self.taken = self.given = self.emptied = 0
        self.line: list[tuple[Pool, Waiter]] = []
        self.waiting = 0
        self.waits = self.timeouts = self.happened = self.known = 0

    def wake(self) -> bool:
        """There is something to report."""
        self.news = True
        return True

    def tick(self) -> float:
        """Time goes on."""
        self.now += 1.0
        return self.now

    def note(self, connection: Connection, state: int, uses: int = 0) -> None:
        """Keep the model of one connection."""
        known = self.model.get(connection.id, (0, 0, 0))
        self.model[connection.id] = (connection.pool.id, state, known[2] + uses)
        self.peak = max(self.peak, len(self.model))
        out = [each for each in self.model.values() if each[1] == OUT]
        self.peak_out = max(self.peak_out, len(out))

    @rule(target=connections, which=st.integers(0, 1))
    def opens(self, which: int) -> Connection:
        """A connection is made."""
        connection = self.ledger.opened(self.pools[which], self.tick())
        self.opened += 1
        self.note(connection, IDLE)
        return connection

    @rule(connection=connections)
    def takes(self, connection: Connection) -> None:
        """An idle connection is checked out."""
        if self.model[connection.id][1] == IDLE:
            take(connection, self.tick())
            self.taken += 1
            self.note(connection, OUT, 1)

    @rule(connection=connections)
    def gives(self, connection: Connection) -> None:
        """A connection is checked in, or was not out at all."""
        give(connection, self.tick())
        if self.model[connection.id][1] == OUT:
            self.given += 1
            self.note(connection, IDLE)

    @rule(connection=connections)
    def detaches(self, connection: Connection) -> None:
        """A connection that is out leaves its pool."""
        if self.model[connection.id][1] == OUT:
            self.ledger.detached(connection, self.tick())
            self.note(connection, DETACHED)

    @rule(connection=consumes(connections))
    def closes(self, connection: Connection) -> None:
        """A connection is closed, in whatever state."""
        self.ledger.closed(connection, self.tick())
        self.closed += 1
        self.emptied += self.model[connection.id][1] == OUT
        del self.model[connection.id]

    @rule(connection=consumes(connections))
    def drops(self, connection: Connection) -> None:
        """A connection vanishes, in whatever state, and perhaps it is told twice."""
        self.ledger.dropped(connection, self.tick())
        self.ledger.dropped(connection, self.tick())
        self.closed += 1
        del self.model[connection.id]

    @rule(which=st.integers(0, 1))
    def waits_for_one(self, which: int) -> None:
        """Someone finds none idle."""
        waiter = Waiter("me", self.tick())
        self.line.append((self.pools[which], waiter))
        self.pools[which].awaited(waiter)

    @rule(place=st.integers(0, 3), long=st.booleans(), in_vain=st.booleans())
    def is_done(self, place: int, long: bool, in_vain: bool) -> None:
        """Someone waits no more, with a connection or without; it is told twice."""
        if not self.line:
            return
        pool, waiter = self.line.pop(place % len(self.line))
        now = self.tick() if long else waiter.since
        for _ in range(2):
            pool.served(waiter, now)
        self.waits += long
        if in_vain:
            self.timeouts += 1
            self.happened += 1
            pool.timed_out(waiter, self.now)

    @rule()
    def folds(self) -> None:
        """Nobody listens; the next report must be whole."""
        self.ledger.fold()
        self.reports_whole()

    @rule()
    def reports_whole(self) -> None:
        """Everything is told."""
        self.take(self.ledger.whole(self.sequence + 1, self.tick(), 0.0))

    @rule()
    def reports_changes(self) -> None:
        """What changed is told."""
        self.take(self.ledger.collect(self.sequence + 1, self.tick(), 0.0))

    def take(self, report: Report) -> None:
        """Read one report, and find in it exactly what is so."""
        if report.base is None:
            self.read.clear()
        else:
            assert report.base == self.sequence
        self.sequence = report.sequence
        self.news = False
        for id in report.closed:
            del self.read[id]
        for each in report.connections:
            self.read[each.id] = (each.pool, each.state, each.uses)
        assert self.read == self.model
        assert report.counters == Counters(
            checkouts=self.taken,
            checkins=self.given + self.emptied,
            connects=self.opened,
            closes=self.closed,
            resets=self.given,
            waits=self.waits,
            timeouts=self.timeouts,
        )
        assert report.waiting == len(self.line) == len(report.waiters)
        assert [each.since for each in report.waiters] == sorted(
            waiter.since for _, waiter in self.line
        )
        self.waiting = report.waiting
        self.take_incidents(report)
        assert report.maxima == Maxima(self.peak, self.peak_out)

    def take_incidents(self, report: Report) -> None:
        """Each is told once in deltas, in order; the last few again in the whole."""
        numbers = [each.number for each in report.incidents]
        if report.base is None:
            repeated = min(self.known, REPEATED)
            first = self.known - repeated + 1
        else:
            first = self.known + 1
        self.known = self.happened - self.ledger.incidents_dropped
        assert numbers == list(range(first, self.known + 1)), (numbers, first)

    @invariant()
    def silence_is_true(self) -> None:
        """While the ledger wakes nobody, the reader already knows everything."""
        if not self.news:
            assert self.read == self.model
            assert self.waiting == len(self.line)


class LedgerPropertyTests(SynchronousTestCase):
    """Random lives of connections."""

    def test_reports_add_up_to_the_truth(self) -> None:
        """Whole or delta, at any moment, a reader of reports knows what is so."""
        run_state_machine_as_test(
            LedgerMachine, settings=settings(max_examples=100, deadline=None)
        )
