"""Tests of the board: reports come in, sums come out."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from connmon.errors import OutOfTurn
from connmon.model.board import GONE_AFTER, Board, Verdict
from connmon.model.connection import Connection
from connmon.model.extent import Program
from connmon.model.figures import Figures
from connmon.model.histogram import Histogram
from connmon.model.holding import Waiter
from connmon.model.ledger import Ledger
from connmon.model.records import (
    IDLE,
    LIVE,
    MOST,
    OUT,
    ConnectionRecord,
    Counters,
    Home,
    Identity,
    Maxima,
    PoolFacts,
    PoolRecord,
    Record,
    Report,
    Standing,
)
from connmon.views.frame import Gauge
from connmon.wire.reports import decode_report, encode_report
from tests.looks import Look, ProgramRow, look
from tests.model.marks import give, take


def who(token: str = "p1", host: str = "h1", program: str = "api") -> Identity:
    """A process."""
    return Identity(token, host, program, 42)


def report(
    sequence: int,
    *,
    base: int | None = None,
    out: int = 0,
    idle: int = 0,
    checkouts: int = 0,
    maxima: tuple[int, int] = (0, 0),
    span: float = 1.0,
    closed: tuple[int, ...] = (),
) -> Report:
    """A report of so many connections out and idle."""
    states = [OUT] * out + [IDLE] * idle
    return Report(
        sequence,
        base,
        clock=0.0,
        span=span,
        counters=Counters(checkouts),
        maxima=Maxima(*maxima),
        connections=tuple(
            ConnectionRecord(number, 1, state, 0.0, 0.0, 0, "")
            for number, state in enumerate(states)
        ),
        closed=closed,
    )


class BoardTests(SynchronousTestCase):
    """One process after another, told to one board."""

    def setUp(self) -> None:
        """An empty board."""
        self.board = Board("default", "node1")

    def tell(
        self, first: Report, identity: Identity | None = None, now: float = 0.0
    ) -> Verdict:
        """Register and report in one go."""
        identity = identity or who()
        self.board.registered(identity, 1)
        return self.board.reported(identity.process, 1, first, now)

    def row(self, now: float = 0.0, number: int = 0) -> ProgramRow:
        """One row of what is shown."""
        return self.look(now).programs[number]

    def look(self, now: float = 0.0) -> Look:
        """What is shown of the board."""
        return look(self.board, now)

    def test_knows_nothing_at_first(self) -> None:
        """An empty board is a frame of zeros without rows."""
        frame = self.look()
        self.assertEqual((), frame.programs)
        self.assertEqual(Gauge(0, 0), frame.hosts)
        self.assertIsNone(frame.per_second)

    def test_a_process_counts_from_its_first_report(self) -> None:
        """A registration alone shows nothing."""
        self.board.registered(who(), 1)
        self.assertEqual((), self.look().programs)
        self.board.reported("p1", 1, report(0, out=2, idle=3), 0.0)
        self.assertEqual(
            ProgramRow("h1", "api", True, 1, 5, 2, 1, 5, 2, None), self.row()
        )
        frame = self.look()
        self.assertEqual(
            (Gauge(1, 1), Gauge(1, 1), Gauge(5, 5), Gauge(2, 2)),
            (frame.hosts, frame.processes, frame.connections, frame.checkouts),
        )

    def test_a_delta_on_the_version_held_is_applied(self) -> None:
        """Changed connections replace, closed ones go, the rest stays."""
        self.tell(report(0, out=3))
        verdict = self.board.reported(
            "p1", 1, report(1, base=0, idle=1, closed=(2,)), 1.0
        )
        self.assertIs(Verdict.APPLIED, verdict)
        self.assertEqual((2, 1), (self.row().conn, self.row().ckout))

    def test_a_delta_on_another_version_asks_for_the_whole(self) -> None:
        """Nothing of a delta with a gap before it is taken."""
        self.tell(report(0, out=3))
        verdict = self.board.reported("p1", 1, report(2, base=1, idle=3), 1.0)
        self.assertIs(Verdict.WHOLE_WANTED, verdict)
        self.assertEqual(3, self.row().ckout)
        verdict = self.board.reported("p1", 1, report(3, idle=4), 1.0)
        self.assertIs(Verdict.APPLIED, verdict)
        self.assertEqual((4, 0), (self.row().conn, self.row().ckout))

    def test_a_first_report_must_be_whole(self) -> None:
        """After each registration, whatever was held before."""
        self.board.registered(who(), 1)
        verdict = self.board.reported("p1", 1, report(0, base=-0, out=1), 0.0)
        self.assertIs(Verdict.WHOLE_WANTED, verdict)
        self.assertEqual((), self.look().programs)

    def test_old_reports_change_nothing(self) -> None:
        """A sequence already seen is stale, and so is another registration's."""
        self.tell(report(5, out=1))
        for late in (report(5, out=4), report(4, out=4)):
            self.assertIs(Verdict.STALE, self.board.reported("p1", 1, late, 1.0))
        self.board.registered(who(), 2)
        self.assertIs(Verdict.STALE, self.board.reported("p1", 1, report(9), 1.0))
        self.assertEqual(1, self.row().conn)

    def test_registrations_only_count_upwards(self) -> None:
        """A late registration is refused, and so is a token used by another process."""
        self.assertTrue(self.board.registered(who(), 2))
        self.assertFalse(self.board.registered(who(), 2))
        self.assertFalse(self.board.registered(who(), 1))
        self.assertFalse(self.board.registered(who(program="other"), 3))
        self.assertTrue(self.board.registered(who(), 3))

    def test_a_process_that_links_anew_stays_shown_meanwhile(self) -> None:
        """Its old record stands until the whole one of the new link replaces it."""
        self.tell(report(0, out=2))
        self.board.registered(who(), 2)
        self.assertFalse(self.board.departed("p1", 1, 1.0))
        self.assertEqual((1, 2), (self.row().nproc, self.row().ckout))
        self.board.reported("p1", 2, report(0, out=1), 2.0)
        self.assertEqual((1, 1), (self.row().nproc, self.row().ckout))

    def test_a_departed_process_leaves_every_sum_and_its_row(self) -> None:
        """The row stays, marked, with what it reached."""
        self.tell(report(0, out=2, idle=1))
        self.assertTrue(self.board.departed("p1", 1, 1.0))
        self.assertEqual(
            ProgramRow("h1", "api", False, 0, 0, 0, 1, 3, 2, None), self.row()
        )
        frame = self.look(1.0)
        self.assertEqual(Gauge(0, 1), frame.hosts)
        self.assertEqual(Gauge(0, 3), frame.connections)

    def test_a_process_comes_back_with_a_higher_registration(self) -> None:
        """Gone is undone, and counted once."""
        self.tell(report(0, out=2))
        self.board.departed("p1", 1, 1.0)
        self.board.registered(who(), 2)
        self.board.reported("p1", 2, report(0, out=1), 2.0)
        self.assertEqual(
            (True, 1, 1), (self.row().connected, self.row().nproc, self.row().ckout)
        )
        self.assertEqual(Gauge(1, 1), self.look(2.0).hosts)

    def test_departing_without_a_word_leaves_nothing(self) -> None:
        """A process that only registered never happened."""
        self.board.registered(who(), 1)
        self.assertTrue(self.board.departed("p1", 1, 1.0))
        self.assertEqual((), self.look(1.0).programs)
        with self.assertRaises(OutOfTurn):
            self.board.reported("p1", 1, report(0), 2.0)

    def test_maxima_are_of_sums_that_were_never_of_separate_maxima(self) -> None:
        """Two processes busy one after the other never held both their peaks."""
        self.tell(report(0, out=8))
        self.tell(report(0, out=0), who("p2"))
        self.board.reported(
            "p1", 1, report(1, out=0, closed=tuple(range(8)), base=0), 1.0
        )
        self.board.reported("p2", 1, report(1, base=0, out=6), 2.0)
        self.assertEqual((8, 8), (self.row().maxconn, self.row().maxckout))
        self.assertEqual(Gauge(6, 8), self.look(2.0).checkouts)

    def test_a_peak_between_reports_counts(self) -> None:
        """A process's own maxima are exact, and a sum is at least any one of them."""
        self.tell(report(0, out=1, maxima=(15, 12)))
        self.assertEqual((15, 12), (self.row().maxconn, self.row().maxckout))
        self.assertEqual(Gauge(1, 12), self.look().checkouts)

    def test_checkouts_before_the_first_report_are_no_rate(self) -> None:
        """A process that worked for hours before it was heard did not burst."""
        self.tell(report(0, checkouts=1_000_000))
        self.board.reported("p1", 1, report(1, base=0, checkouts=1_000_010), 1.0)
        self.assertAlmostEqual(10.0, self.row(1.0).ckoutpersec or 0.0)
        self.assertAlmostEqual(10.0, self.look(1.0).per_second or 0.0)

    def test_rows_are_ordered_by_host_and_name(self) -> None:
        """Each program on each host has its row."""
        for token, host, program in (
            ("a", "h2", "x"),
            ("b", "h1", "y"),
            ("c", "h1", "x"),
        ):
            self.tell(report(0), who(token, host, program))
        self.assertEqual(
            [("h1", "x"), ("h1", "y"), ("h2", "x")],
            [(row.hostname, row.progname) for row in self.look().programs],
        )

    def test_rows_of_the_departed_go_in_time(self) -> None:
        """A row is kept for ``gone_after``, unless the program is back."""
        board = self.board = Board("default", "node1", gone_after=100.0)
        self.tell(report(0))
        self.tell(report(0), who("p2", program="other"))
        board.departed("p1", 1, 0.0)
        board.departed("p2", 1, 0.0)
        self.board.registered(who("p3"), 1)
        self.board.reported("p3", 1, report(0), 50.0)
        board.expired(99.0)
        self.assertEqual(2, len(self.look(99.0).programs))
        board.expired(101.0)
        self.assertEqual(["api"], [row.progname for row in self.look(101.0).programs])

    def test_rows_are_capped_and_the_longest_departed_goes_first(self) -> None:
        """One-off names cannot fill the memory; what was dropped is counted."""
        board = self.board = Board("default", "node1", max_programs=3)
        for number in range(5):
            self.tell(report(0), who(f"p{number}", program=f"job{number}"))
            board.departed(f"p{number}", 1, float(number))
        self.assertEqual(
            ["job2", "job3", "job4"],
            [row.progname for row in self.look(9.0).programs],
        )
        self.assertEqual(2, board.rows_dropped)

    def test_a_forgotten_process_stays_in_its_programs_totals(self) -> None:
        """Each that ever was counts once, remembered or not."""
        board = self.board = Board("default", "node1", max_departed=1)
        for number, checkouts in enumerate((5, 7, 9), 1):
            self.tell(report(0, checkouts=checkouts), who(f"p{number}"))
        self.assertEqual(21, board.totals("h1", "api").checkouts)
        for number in (1, 2):
            board.departed(f"p{number}", 1, float(number))
            self.assertEqual(21, board.totals("h1", "api").checkouts)
        self.assertEqual({"p2", "p3"}, set(board.counters()))
        board.expired(GONE_AFTER + 10.0)
        self.assertEqual({"p3"}, set(board.counters()))
        self.assertEqual(21, board.totals("h1", "api").checkouts)
        now = GONE_AFTER + 10.0
        sums = board.program_sums(frozenset(range(16)), now)
        self.assertEqual(12, sums[0].earlier.checkouts)
        anew = Board("default", "node1", "anew", now=now)
        record = board.record("p3", now)
        assert record is not None
        self.assertTrue(anew.adopted(record, now))
        for _ in range(2):
            anew.adopt_sums(board.service_sums(now), sums, now)
            self.assertEqual(21, anew.totals("h1", "api").checkouts)

    def test_who_was_forgotten_is_not_counted_anew(self) -> None:
        """Where the departed are too many, one that another still knows is no news."""
        other = Board("default", "node2")
        board = self.board = Board("default", "node1", max_departed=1)
        for number in (1, 2):
            self.tell(report(0, checkouts=10), who(f"p{number}"))
        kept = []
        for number in (1, 2):
            board.departed(f"p{number}", 1, float(number))
            record = board.record(f"p{number}", 3.0)
            assert record is not None
            self.assertTrue(other.adopted(record, 3.0))
            kept.append(record)
        self.assertEqual(20, board.totals("h1", "api").checkouts)
        self.assertFalse(board.adopted(kept[0], 3.0))
        self.assertEqual(20, board.totals("h1", "api").checkouts)
        self.assertEqual({"p2"}, set(board.counters()))

    def test_tombstones_are_forgotten(self) -> None:
        """A gone process is remembered for a while, then its token is free."""
        self.tell(report(0))
        self.board.departed("p1", 1, 0.0)
        self.board.expired(GONE_AFTER - 1.0)
        self.assertFalse(self.board.registered(who(program="another"), 2))
        self.board.expired(GONE_AFTER + 1.0)
        self.assertTrue(self.board.registered(who(program="another"), 1))


class LookingTests(SynchronousTestCase):
    """What there is to be seen beside the sums."""

    def setUp(self) -> None:
        """An empty board, at a time of its own."""
        self.now = 1000.0
        self.board = Board("default", "node1", now=self.now)

    def tell(self, told: Report, token: str = "p1", **more: object) -> None:
        """A report, with more in it, a second after the last one."""
        self.now += 1.0
        self.board.registered(who(token), 1)
        told = replace(told, **more)  # type: ignore[arg-type]
        verdict = self.board.reported(token, 1, told, self.now)
        self.assertIs(Verdict.APPLIED, verdict)

    def program(self) -> Program:
        """The one program there is."""
        program = self.board.program("h1", "api")
        assert program is not None
        return program

    def seldom(self) -> tuple[float | None, float | None]:
        """Connections made and invalidated per second, as they are now."""
        program = self.program()
        return (
            program.seldom_per_second(program.connects, self.now),
            program.seldom_per_second(program.invalidations, self.now),
        )

    def test_processes_live_and_departed(self) -> None:
        """By their tokens; a program has those that are live."""
        self.assertIsNone(self.board.program("h1", "api"))
        self.tell(report(0, out=1))
        self.tell(report(0, out=2), "p2")
        self.board.departed("p1", 1, self.now)
        processes = self.board.processes
        live = {token: each.live for token, each in processes.items()}
        self.assertEqual({"p1": False, "p2": True}, live)
        self.assertEqual({"p2": processes["p2"]}, self.program().live)
        self.assertIsNone(self.board.program("h1", "batch"))
        self.assertIsNone(self.board.program("h2", "api"))

    def test_a_process_that_comes_back_is_live_again(self) -> None:
        """With what it has open then."""
        self.tell(report(0, out=1))
        self.board.departed("p1", 1, self.now)
        self.assertEqual({}, self.program().live)
        self.board.registered(who(), 2)
        self.board.reported("p1", 2, report(0, out=3), self.now)
        self.assertEqual(3, self.program().live["p1"].checkouts)

    def test_when_a_process_began(self) -> None:
        """By the node's clock, whatever the process's own says."""
        self.tell(report(0), clock=50.0, began=20.0)
        process = self.board.processes["p1"]
        self.assertEqual((self.now, 970.0 + 1.0), (process.heard, process.began))
        self.assertEqual(50.0 + process.offset, self.now)
        self.tell(report(1, base=0), clock=53.5, began=20.0)
        self.assertEqual(self.now - 33.5, process.began)
        self.tell(report(2, base=1), clock=54.5)
        self.assertIsNone(process.began)

    def test_when_a_process_began_is_handed_over(self) -> None:
        """To a node with another clock, a while later."""
        self.tell(report(0), clock=50.0, began=20.0)
        record = self.board.record("p1", self.now + 2.0)
        assert record is not None
        other = Board("default", "node2")
        self.assertTrue(other.adopted(record, 77.0))
        self.assertEqual(77.0 - 2.0 - 30.0, other.processes["p1"].began)

    def test_a_processs_own_rate(self) -> None:
        """Apart from that of its program; unknown at first."""
        self.tell(report(0, checkouts=1000))
        self.tell(report(0, checkouts=500), "p2")
        one, two = (self.board.processes[token] for token in ("p1", "p2"))
        self.assertIsNone(one.per_second(self.now))
        for second in range(1, 20):
            checkouts = 1000 + 40 * second
            self.tell(report(second, base=second - 1, checkouts=checkouts))
        self.assertAlmostEqual(40.0, one.per_second(self.now) or 0.0)
        self.assertIsNone(two.per_second(self.now))
        self.tell(report(1, base=0, checkouts=500), "p2")
        self.assertEqual(0.0, two.per_second(self.now))

    def test_what_happens_seldom(self) -> None:
        """It is known to be nothing as soon as anything is known."""
        self.tell(report(0), counters=Counters(connects=99, invalidations=99))
        self.assertEqual((None, None), self.seldom())
        for second in range(1, 31):
            counters = Counters(second, connects=99, invalidations=99)
            self.tell(report(second, base=second - 1), counters=counters)
            self.assertEqual((0.0, 0.0), self.seldom())

    def test_the_first_that_happens_seldom_is_no_burst(self) -> None:
        """It is one in ten seconds, like any later one; each kind for itself."""
        self.tell(report(0))
        for second in range(1, 71):
            counters = Counters(
                second,
                connects=second // 30,
                invalidations=second // 35,
                soft_invalidations=second // 70,
            )
            self.tell(report(second, base=second - 1), counters=counters)
            connects, invalid = self.seldom()
            ago, since = second % 30, second % 35
            if second >= 30 and 2 < ago < 11:
                self.assertAlmostEqual(0.1, connects or 0.0, msg=str(second))
            elif second < 30 or ago > 12:
                self.assertEqual(0.0, connects)
            if second >= 35 and 2 < since < 11:
                self.assertAlmostEqual(0.1, invalid or 0.0, msg=str(second))
        self.now += 4.0
        self.assertAlmostEqual(0.2, self.seldom()[1] or 0.0)

    def test_the_last_minute_of_a_program_and_of_the_service(self) -> None:
        """Sums, both of them, and not of what was before the first word."""
        for token in ("p1", "p2"):
            self.tell(report(0, checkouts=10_000), token)
        for second in range(1, 70):
            for number, token in enumerate(("p1", "p2"), 1):
                checkouts = 10_000 + 6 * number * second
                told = report(second, base=second - 1, checkouts=checkouts, span=2.0)
                self.tell(told, token)
        for extent in (self.program(), self.board.sums.service):
            shown = extent.history.per_second(self.now)
            self.assertEqual(20, len(shown))
            # Each pair of reports takes two seconds here.
            self.assertAlmostEqual(9.0, sum(shown) / 20, places=1)
            self.assertLess(max(shown) - min(shown), 1.1)

    def test_how_full_pools_are_is_as_of_the_last_report(self) -> None:
        """Whatever was seen before it."""
        pool = PoolRecord(
            1,
            PoolFacts("db", "QueuePool", 5, 5),
            Counters(),
            Maxima(),
            Histogram(),
            Histogram(),
        )
        self.tell(report(0, out=4), pools=(pool,))
        self.tell(report(0, out=1), "p2")
        heard = self.now
        self.assertEqual(
            Figures(0.4, 0, heard - 1.0, 10, 5, 5, 1), self.program().figures
        )
        self.tell(report(1, base=0, out=10))
        self.assertEqual(Figures(1.0, 1, heard, 10, 5, 5, 1), self.program().figures)
        self.tell(report(1, base=0, out=1), "p2", pools=(pool,))
        self.assertEqual(
            Figures(1.0, 1, heard + 1.0, 20, 5, 5, 2), self.program().figures
        )
        self.board.departed("p1", 1, self.now)
        self.assertEqual(
            Figures(0.1, 0, heard + 2.0, 10, 5, 5, 1), self.program().figures
        )
        self.board.departed("p2", 1, self.now)
        self.assertEqual(Figures(), self.program().figures)

    def test_homes_that_nobody_hears(self) -> None:
        """With how long that has been so; the own one is always heard."""
        other = Board("default", "node2", "i2")
        other.registered(who(), 1)
        other.reported("p1", 1, report(0), 0.0)
        record = other.record("p1", 0.0)
        assert record is not None
        self.tell(report(0), "p2")
        self.board.adopted(record, self.now)
        self.assertEqual({}, self.board.stale_homes(self.now))
        self.assertEqual({other.home: 60.0}, self.board.stale_homes(self.now + 60.0))

    def test_sums_stay_within_what_can_be_told(self) -> None:
        """Though a process, or a hundred of them, say what cannot be."""
        most = Counters(*[MOST] * len(Counters._fields))
        for token in ("p1", "p2", "p3"):
            self.tell(report(0), token, counters=most)
        self.assertEqual(most, self.program().totals)
        self.tell(report(1, base=0), counters=Counters())
        self.tell(report(1, base=0), "p2", counters=Counters())
        self.assertEqual(Counters(), self.program().totals)

    def test_clocks_that_are_none_do_no_harm(self) -> None:
        """Neither to the board nor to those who look at it."""
        other = Board("default", "node2")
        for sequence, clock in enumerate((1.7e308, -1.7e308, 0.0, 1.7e308)):
            counters = Counters(sequence, connects=sequence, invalidations=sequence)
            base = None if sequence == 0 else sequence - 1
            told = report(sequence, base=base, out=1, span=clock)
            self.tell(told, clock=clock, began=-clock, counters=counters)
            record = self.board.record("p1", self.now)
            assert record is not None
            self.assertTrue(other.adopted(record, self.now))
            for board in (self.board, other):
                row = look(board, self.now).programs[0]
                self.assertEqual((1, 1), (row.nproc, row.ckout))
                self.assertTrue(0.0 <= (row.ckoutpersec or 0.0) <= 3.0)


class WaitsTests(SynchronousTestCase):
    """A process whose pool is too small, as a board sees it."""

    def setUp(self) -> None:
        """It is linked, and began ten seconds before its first word."""
        self.board = Board("default", "node1")
        self.ledger = Ledger(began=90.0)
        self.pool = self.ledger.pool("x", PoolFacts("x", "QueuePool", 1, 0))
        take(self.ledger.opened(self.pool, 90.0), 90.0)
        self.line = [Waiter(f"w{number}", 91.0 + number) for number in range(3)]
        for each in self.line:
            self.pool.awaited(each)
        self.board.registered(who(), 1)
        self.sequence = -1

    def tell(self, now: float, *, whole: bool = False) -> None:
        """It reports; its clock is five seconds behind the node's."""
        self.sequence += 1
        make = self.ledger.collect if self.sequence and not whole else self.ledger.whole
        told = decode_report(encode_report(make(self.sequence, now - 5.0, 1.0)))
        verdict = self.board.reported("p1", 1, told, now)
        self.assertIs(Verdict.APPLIED, verdict)

    def waiting(self) -> tuple[int, int]:
        """How many wait, by the service's and by the program's sum."""
        program = self.board.program("h1", "api")
        assert program is not None
        return self.board.sums.service.waiting, program.waiting

    def done(self, count: int, now: float, *, in_vain: bool) -> None:
        """So many are done with waiting."""
        for _ in range(count):
            waiter = self.line.pop(0)
            self.pool.served(waiter, now)
            if in_vain:
                self.pool.timed_out(waiter, now)

    def test_who_waits_now(self) -> None:
        """As many as the last report said, and since when the oldest has."""
        self.tell(100.0)
        self.assertEqual((3, 3), self.waiting())
        program = self.board.program("h1", "api")
        assert program is not None
        self.assertEqual(96.0, program.figures.patient)
        self.done(2, 94.0, in_vain=False)
        self.tell(101.0)
        self.assertEqual((1, 1), self.waiting())
        self.assertEqual(98.0, program.figures.patient)
        self.done(1, 94.0, in_vain=False)
        self.tell(102.0, whole=True)
        self.assertEqual((0, 0), self.waiting())
        self.assertIsNone(program.figures.patient)

    def test_nobody_waits_in_a_process_that_is_gone(self) -> None:
        """But what timed out in it is still known, and how long ago it was."""
        self.tell(100.0)
        self.done(1, 96.0, in_vain=True)
        self.tell(102.0)
        self.board.departed("p1", 1, 110.0)
        self.assertEqual((0, 0), self.waiting())
        ((age, kept),) = self.board.incidents(130.0)
        self.assertEqual(
            (29.0, "p1", 1), (age, kept.identity.process, kept.incident.held)
        )
        record = self.board.record("p1", 130.0)
        assert record is not None
        other = Board("default", "node2")
        self.assertTrue(other.adopted(record, 1130.0))
        ((age, again),) = other.incidents(1130.0)
        self.assertEqual((29.0, kept.identity), (age, again.identity))

    def test_timeouts_and_waits_of_the_last_minute(self) -> None:
        """Of a young process those before its first word count too."""
        self.done(1, 95.0, in_vain=True)
        self.tell(100.0)
        self.done(2, 96.0, in_vain=True)
        self.tell(103.0)
        for extent in (self.board.sums.service, self.board.program("h1", "api")):
            assert extent is not None
            self.assertEqual(3, extent.timeouts_lately(103.0))
            self.assertEqual(2, extent.timeouts_lately(161.0))
            self.assertEqual(0, extent.timeouts_lately(163.0))
            waits = extent.waits_lately(103.0)
            self.assertEqual(3, sum(waits.counts))
            found = waits.quantile(0.99)
            assert found is not None
            self.assertTrue(2.5 < found <= 5.0)
        self.assertEqual(3, self.board.totals("h1", "api").timeouts)
        process = self.board.processes["p1"]
        self.assertEqual(3, process.timeouts_lately(103.0))
        self.assertEqual(2, process.timeouts_lately(161.0, self.pool.id))
        self.assertEqual(0, process.timeouts_lately(103.0, self.pool.id + 1))
        for pool in (None, self.pool.id):
            self.assertEqual(waits, process.waits_lately(103.0, pool))
        self.assertEqual(Histogram(), process.waits_lately(103.0, self.pool.id + 1))
        self.assertEqual(Histogram(), process.waits_lately(173.0))
        self.board.departed("p1", 1, 104.0)
        self.assertEqual(0, process.timeouts_lately(104.0))

    def test_an_old_process_that_is_new_here(self) -> None:
        """Nobody knows when its timeouts were: none of them is of this minute."""
        self.ledger._began = 5.0
        self.done(2, 95.0, in_vain=True)
        self.tell(100.0)
        service = self.board.sums.service
        self.assertEqual(0, service.timeouts_lately(100.0))
        self.assertEqual(0, sum(service.waits_lately(100.0).counts))
        self.done(1, 96.0, in_vain=True)
        self.tell(101.0, whole=True)
        self.assertEqual(1, service.timeouts_lately(101.0))
        self.assertEqual(1, sum(service.waits_lately(101.0).counts))

    def test_back_from_the_dead(self) -> None:
        """What it did meanwhile counts, its waits of before not again."""
        self.tell(100.0)
        self.done(2, 96.0, in_vain=True)
        self.tell(101.0)
        self.board.departed("p1", 1, 102.0)
        self.board.registered(who(), 2)
        told = self.ledger.whole(0, 98.0, 0.0)
        self.board.reported("p1", 2, told, 103.0)
        self.assertEqual((1, 1), self.waiting())
        service = self.board.sums.service
        self.assertEqual(2, service.timeouts_lately(103.0))
        self.assertEqual(2, sum(service.waits_lately(103.0).counts))
        found = self.board.incidents(103.0)
        self.assertEqual([2.0, 2.0], [age for age, _ in found])


class LostTests(SynchronousTestCase):
    """A process at another node, which is not heard for a while."""

    def told(self, clock: float, sequence: int) -> Record:
        """A hundred checkouts a second by its own clock."""
        counters = Counters(int(100 * clock), int(100 * clock))
        said = Report(sequence, None, clock, 0.0, counters, Maxima(), began=0.0)
        standing = Standing(1, sequence, LIVE)
        return Record(who(), standing, Home("node1", "1"), 0.0, 0.0, said)

    def test_found_again(self) -> None:
        """What it did meanwhile took as long as its own clock says."""
        board = Board("default", "node2", now=990.0)
        for second in range(5):
            board.adopted(self.told(100.0 + second, 1 + second), 1000.0 + second)
        board.disowned(Home("node1", "1"), (), 1120.0)
        process = board.processes["p1"]
        self.assertFalse(process.live)
        at = process.offset
        board.adopted(self.told(224.0, 50), 1124.0)
        for second in range(3):
            board.adopted(self.told(225.0 + second, 51 + second), 1125.0 + second)
            self.assertEqual(100.0, round(process.per_second(1125.0 + second) or 0.0))
        self.assertEqual((900.0, 900.0), (at, process.offset))


class Fleet(RuleBasedStateMachine):
    """Processes with real ledgers, linking and losing links, told to one board."""

    tokens = st.sampled_from(["p1", "p2", "p3"])

    def __init__(self) -> None:
        """Three processes of two programs; none is linked."""
        super().__init__()
        self.board = Board("default", "node1")
        self.now = 100.0
        self.names = {"p1": "api", "p2": "api", "p3": "batch"}
        self.ledgers = {token: Ledger() for token in self.names}
        self.pools = {
            token: ledger.pool("x", PoolFacts("x", "QueuePool", 5, 10))
            for token, ledger in self.ledgers.items()
        }
        self.open: dict[str, list[Connection]] = {token: [] for token in self.names}
        self.registration = dict.fromkeys(self.names, 0)
        self.linked: dict[str, int] = {}
        self.told: dict[str, tuple[int, int]] = {}
        self.peaks: dict[str, int] = {}

    @rule(token=tokens)
    def connects(self, token: str) -> None:
        """A process opens a connection and takes it."""
        self.now += 0.5
        connection = self.ledgers[token].opened(self.pools[token], self.now)
        take(connection, self.now)
        self.open[token].append(connection)

    @rule(token=tokens, closes=st.booleans())
    def releases(self, token: str, closes: bool) -> None:
        """A process gives a connection back, or closes it."""
        if self.open[token]:
            connection = self.open[token][0]
            give(connection, self.now)
            if closes:
                self.ledgers[token].closed(self.open[token].pop(0), self.now)

    @rule(token=tokens)
    def links(self, token: str) -> None:
        """A process registers, perhaps before its last link is known to be lost."""
        self.registration[token] += 1
        self.linked[token] = -1
        identity = Identity(token, "h1", self.names[token], 1)
        assert self.board.registered(identity, self.registration[token])

    @rule(token=tokens, old=st.booleans())
    def loses_its_link(self, token: str, old: bool) -> None:
        """A link closes: the one in use, or one that was replaced."""
        if token not in self.linked:
            return
        registration = self.registration[token] - int(old)
        gone = self.board.departed(token, registration, self.now)
        assert gone is not old
        if gone:
            del self.linked[token]
            self.told.pop(token, None)

    @rule(token=tokens, lost=st.booleans())
    def reports(self, token: str, lost: bool) -> None:
        """A linked process reports; the report may be lost before the board."""
        if token not in self.linked:
            return
        self.now += 1.0
        ledger, last = self.ledgers[token], self.linked[token]
        told = (
            ledger.whole(0, self.now, 1.0)
            if last < 0
            else ledger.collect(last + 1, self.now, 1.0)
        )
        self.linked[token] = told.sequence
        if lost:
            return
        verdict = self.board.reported(token, self.registration[token], told, self.now)
        if verdict is Verdict.WHOLE_WANTED:
            told = ledger.whole(told.sequence + 1, self.now, 1.0)
            self.linked[token] = told.sequence
            verdict = self.board.reported(
                token, self.registration[token], told, self.now
            )
        assert verdict is Verdict.APPLIED
        out = [each for each in self.open[token] if each.state == OUT]
        self.told[token] = (len(self.open[token]), len(out))

    @invariant()
    def the_frame_is_the_sum_of_what_was_told(self) -> None:
        """Current figures are sums over live processes; maxima only grow."""
        frame = look(self.board, self.now)
        assert frame.processes.current == len(self.told)
        assert frame.connections.current == sum(each[0] for each in self.told.values())
        assert frame.checkouts.current == sum(each[1] for each in self.told.values())
        assert frame.hosts.current == int(bool(self.told))
        for row in frame.programs:
            mine = [
                each
                for token, each in self.told.items()
                if self.names[token] == row.progname
            ]
            assert (row.nproc, row.conn) == (len(mine), sum(each[0] for each in mine))
            assert row.connected is bool(mine)
            assert row.maxconn >= max(row.conn, self.peaks.get(row.progname, 0))
            assert row.maxconn <= frame.connections.maximum
            self.peaks[row.progname] = row.maxconn
            assert row.ckoutpersec is None or row.ckoutpersec >= 0.0


class BoardPropertyTests(SynchronousTestCase):
    """Random histories of a small fleet."""

    def test_sums_are_true_whatever_happens(self) -> None:
        """Lost reports, new links and late losses never make a sum untrue."""
        run_state_machine_as_test(
            Fleet, settings=settings(max_examples=100, deadline=None)
        )
