"""Tests of the chronicle: what processes report becomes events, by one writer each."""

from __future__ import annotations

from itertools import count, product

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.daemon import comings
from connmon.daemon.chronicle import Chronicle
from connmon.daemon.comings import SETTLED_SECONDS, START_SECONDS
from connmon.daemon.throttle import PAUSE_SECONDS, WINDOW_SECONDS
from connmon.model.board import Board
from connmon.model.histogram import Histogram
from connmon.model.journal import CRIT, INFO, WARN, Journal, Remark
from connmon.model.records import (
    ABANDONED,
    COLLECTED,
    DETACHED,
    IDLE,
    INHERITED,
    OUT,
    RETURNED,
    SLOW,
    STALE,
    UNCLOSED,
    ConnectionRecord,
    Counters,
    Holder,
    Identity,
    Incident,
    InLine,
    Maxima,
    Notice,
    PoolFacts,
    PoolRecord,
    Report,
)

POOL = PoolFacts("postgresql+psycopg://db/app", "QueuePool", 5, 10)
NOTHING = Counters()


def who(
    token: str = "p1", program: str = "api", host: str = "h", pid: int = 7
) -> Identity:
    """A process."""
    return Identity(token, host, program, pid)


def a_pool(id: int = 1, facts: PoolFacts = POOL) -> PoolRecord:
    """A pool of which only the configuration matters."""
    return PoolRecord(id, facts, NOTHING, Maxima(), Histogram(), Histogram())


def connections(states: dict[int, list[int]]) -> tuple[ConnectionRecord, ...]:
    """Connections in these states, of each pool."""
    ids = count(1)
    return tuple(
        ConnectionRecord(next(ids), pool, state, 0.0, 0.0, 1, "")
        for pool, each in states.items()
        for state in each
    )


def incident() -> Incident:
    """What was so when a pool timed out, a hundred seconds after the start."""
    site = "shop/db.py:88 hold"
    return Incident(
        1,
        1,
        100.0,
        1,
        POOL,
        InLine(70.0, "MainThread", site),
        15,
        (
            Holder(1, 60.0, "worker", site),
            Holder(2, 70.0, "worker"),
            Holder(3, 80.0, "worker", site),
        ),
        3,
    )


class Node:
    """A node's board, journal and chronicle, and the processes linked to it."""

    def __init__(self, name: str = "a", start: str = "1", now: float = 0.0) -> None:
        """It starts ``now``."""
        self.board = Board("default", name, name + start, now=now)
        self.journal = Journal(name, name + start)
        self.chronicle = Chronicle(self.journal, self.board, now)
        self.now = now
        self._registrations: dict[str, int] = {}
        self._sequences = count()

    def link(self, identity: Identity, registration: int = 1) -> None:
        """A process links itself here."""
        assert self.board.registered(identity, registration)
        self._registrations[identity.process] = registration

    def report(
        self,
        identity: Identity,
        counters: Counters = NOTHING,
        *,
        out: int = 0,
        states: dict[int, list[int]] | None = None,
        opened: tuple[ConnectionRecord, ...] = (),
        pools: tuple[PoolRecord, ...] = (a_pool(),),
        began: float | None = None,
        incidents: tuple[Incident, ...] = (),
        notices: tuple[Notice, ...] = (),
    ) -> None:
        """A process reports, as ``NodeLink`` hands it on."""
        token = identity.process
        if token not in self._registrations:
            self.link(identity)
        report = Report(
            next(self._sequences),
            None,
            clock=self.now,
            span=1.0,
            counters=counters,
            maxima=Maxima(),
            pools=pools,
            connections=opened or connections(states or {1: [OUT] * out}),
            began=began,
            incidents=incidents,
            notices=notices,
        )
        before = self.chronicle.before(identity, self.now)
        self.board.reported(token, self._registrations[token], report, self.now)
        self.chronicle.reported(self.board.processes[token], before, self.now)

    def leave(self, identity: Identity) -> None:
        """A process's link ends."""
        registration = self._registrations.pop(identity.process)
        assert self.board.departed(identity.process, registration, self.now)
        self.chronicle.left(identity, self.now)

    def runs(self, until: float) -> None:
        """Let time pass, with a tick each second."""
        while self.now < until:
            self.now = min(self.now + 1.0, until)
            self.chronicle.tick(self.now)

    def said(self) -> list[Remark]:
        """The events, in the order in which they were noted."""
        return self.journal.beyond({}, self.now)

    def texts(self) -> list[str]:
        """Likewise, only what they say."""
        return [each.text for each in self.said()]


class ProgramTests(SynchronousTestCase):
    """Programs come and end, on one node that has been running for a while."""

    def setUp(self) -> None:
        """Nothing is linked."""
        self.node = Node()
        self.node.runs(100.0)

    def test_the_first_process_of_a_program(self) -> None:
        """It is told once it has stayed, with who it is and when it came."""
        self.node.report(who())
        self.node.runs(102.0)
        self.assertEqual([], self.node.texts())
        self.node.runs(104.0)
        self.assertEqual(
            [Remark("a1", 1, "a", 4.0, "first process joined", INFO, "h", "api", 7)],
            self.node.said(),
        )

    def test_further_processes_are_no_event(self) -> None:
        """Neither their coming nor their end, as long as there is another."""
        self.node.report(who("p1"))
        self.node.runs(110.0)
        self.node.report(who("p2"))
        self.node.report(who("p3"))
        self.node.runs(120.0)
        self.node.leave(who("p1"))
        self.node.leave(who("p3"))
        self.node.runs(300.0)
        self.assertEqual(["first process joined"], self.node.texts())

    def test_programs_are_told_apart(self) -> None:
        """By name and by host."""
        self.node.report(who("p1"))
        self.node.report(who("p2", "etl"))
        self.node.report(who("p3", host="i"))
        self.node.runs(104.0)
        about = {(each.hostname, each.progname) for each in self.node.said()}
        self.assertEqual({("h", "api"), ("h", "etl"), ("i", "api")}, about)

    def test_the_last_process_of_a_program(self) -> None:
        """It is told with all that the program did."""
        self.node.report(who("p1", pid=1), Counters(checkouts=40))
        self.node.report(who("p2", pid=2), Counters(checkouts=2))
        self.node.runs(200.0)
        self.node.leave(who("p2", pid=2))
        self.node.runs(210.0)
        self.node.leave(who("p1", pid=1))
        self.node.runs(213.0)
        text = "last process ended, 42 checkouts in all"
        self.assertEqual(
            Remark("a1", 2, "a", 3.0, text, INFO, "h", "api", 1), self.node.said()[-1]
        )

    def test_one_checkout(self) -> None:
        """It is one."""
        self.node.report(who(), Counters(checkouts=1))
        self.node.runs(110.0)
        self.node.leave(who())
        self.node.runs(120.0)
        self.assertEqual("last process ended, 1 checkout in all", self.node.texts()[-1])

    def test_a_quick_restart_is_no_event(self) -> None:
        """The program was not gone for long enough to tell."""
        self.node.report(who("p1"))
        self.node.runs(200.0)
        self.node.leave(who("p1"))
        self.node.runs(202.0)
        self.node.report(who("p2"))
        self.node.runs(300.0)
        self.assertEqual(["first process joined"], self.node.texts())

    def test_a_slow_restart_is_two(self) -> None:
        """The end and the coming are told."""
        self.node.report(who("p1"))
        self.node.runs(200.0)
        self.node.leave(who("p1"))
        self.node.runs(210.0)
        self.node.report(who("p2"))
        self.node.runs(220.0)
        self.assertEqual(
            [
                "first process joined",
                "last process ended, 0 checkouts in all",
                "first process joined",
            ],
            self.node.texts(),
        )

    def test_a_short_life_is_told_at_its_end(self) -> None:
        """Nobody would look for a process that came and is gone already."""
        self.node.report(who(), Counters(checkouts=3))
        self.node.runs(101.0)
        self.node.leave(who())
        self.node.runs(200.0)
        self.assertEqual(["last process ended, 3 checkouts in all"], self.node.texts())

    def test_a_process_that_dies_again_and_again(self) -> None:
        """It is told once a minute, and then how often."""
        for number in range(10):
            self.node.report(who(f"p{number}"))
            self.node.runs(self.node.now + 5.0)
            self.node.leave(who(f"p{number}"))
            self.node.runs(self.node.now + 5.0)
        self.node.runs(400.0)
        self.assertEqual(
            [
                "first process joined",
                "last process ended, 0 checkouts in all",
                "first process joined 6 times within 50 s",
                "last process ended 6 times within 50 s",
                "first process joined 3 times within 20 s",
                "last process ended 3 times within 20 s",
            ],
            self.node.texts(),
        )

    @settings(max_examples=100, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.integers(0, 2), st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.5, 4.0, 30.0])
            ),
            min_size=1,
            max_size=30,
        )
    )
    def test_the_last_word_is_true(self, steps: list[tuple[int, float]]) -> None:
        """However processes come and go, what was told last of a program is so."""
        self.setUp()
        present = Present()
        for slot, pause in steps:
            present.toggle(slot, self.node)
            self.node.runs(self.node.now + pause)
        self.node.runs(self.node.now + 150.0)
        self.assertIs(present.any, last_word(self.node), self.node.texts())

    def test_a_process_that_never_reported(self) -> None:
        """It never came, so it does not end."""
        self.node.link(who("p1"))
        self.node.leave(who("p1"))
        self.node.runs(200.0)
        self.assertEqual([], self.node.texts())

    def test_a_process_that_comes_back_without_a_word(self) -> None:
        """Its program ended before, and not again."""
        self.node.report(who())
        self.node.runs(110.0)
        self.node.leave(who())
        self.node.runs(200.0)
        self.node.link(who(), 2)
        self.node.runs(205.0)
        self.node.leave(who())
        self.node.runs(300.0)
        self.assertEqual(2, len(self.node.texts()))

    def test_many_at_once(self) -> None:
        """The journal is not flooded by a start of everything, nor by its end."""
        for number in range(10_000):
            self.node.report(who(f"p{number}", f"prog{number}", f"h{number % 300}"))
        self.node.runs(103.0 + WINDOW_SECONDS)
        self.assertEqual(21, len(self.node.texts()))
        self.assertEqual(
            "9980 more programs on 300 hosts joined", self.node.texts()[-1]
        )
        for number in range(10_000):
            self.node.leave(who(f"p{number}", f"prog{number}", f"h{number % 300}"))
        self.node.runs(140.0)
        self.assertEqual(42, len(self.node.texts()))
        self.assertEqual("9980 more programs on 300 hosts ended", self.node.texts()[-1])

    def test_what_is_looked_at_again_is_bounded(self) -> None:
        """The oldest go."""
        self.patch(comings, "MOST_PLACES", 2)
        for number in range(4):
            self.node.report(who(f"p{number}", f"prog{number}"))
        self.node.runs(110.0)
        names = [each.progname for each in self.node.said()]
        self.assertEqual(["prog2", "prog3"], names)
        for number in range(4):
            self.node.report(who(f"q{number}", f"prog{number}"))
        self.assertEqual(2, len(self.node.chronicle._comings._present))

    def test_one_that_is_busy_does_not_keep_others_waiting(self) -> None:
        """Each is looked at when its own time has come."""
        for number in range(4):
            self.node.report(who(f"p{number}"))
        self.node.report(who("q"))
        self.node.report(who("e", "etl"))
        self.node.runs(200.0)
        self.node.leave(who("p1"))
        self.node.leave(who("e", "etl"))
        self.node.runs(202.0)
        self.node.leave(who("p2"))
        self.node.runs(203.0)
        self.assertEqual("etl", self.node.said()[-1].progname)
        self.assertIn("last process ended", self.node.texts()[-1])


class StartTests(SynchronousTestCase):
    """A node has just started."""

    def test_what_is_there_is_told_as_one(self) -> None:
        """However few they are: the node came, not they."""
        node = Node(now=50.0)
        for number in range(5):
            node.runs(51.0 + number)
            node.report(who(f"p{number}", f"prog{number}", f"h{number % 2}"))
        node.runs(50.0 + START_SECONDS - 0.5)
        node.report(who("p9", "prog9", "h9"))
        node.runs(80.0)
        self.assertEqual(["6 programs on 3 hosts joined"], node.texts())

    def test_later_ones_are_told_by_themselves(self) -> None:
        """After the first seconds each that comes is news."""
        node = Node()
        node.report(who("p1", "prog1"))
        node.report(who("p2", "prog2"))
        node.runs(START_SECONDS)
        node.report(who("p3", "prog3"))
        node.runs(30.0)
        self.assertEqual(
            {"2 programs on 1 host joined", "first process joined"}, set(node.texts())
        )

    def test_a_single_one_is_told_by_itself(self) -> None:
        """There is nothing to sum up."""
        node = Node()
        node.report(who())
        node.runs(30.0)
        (remark,) = node.said()
        self.assertEqual("first process joined", remark.text)
        self.assertEqual(
            ("h", "api", 30.0), (remark.hostname, remark.progname, remark.age)
        )

    def test_a_start_of_everything(self) -> None:
        """Ten thousand programs are one event."""
        node = Node()
        for number in range(10_000):
            node.report(who(f"p{number}", f"prog{number}", f"h{number % 1000}"))
        node.runs(30.0)
        self.assertEqual(["10000 programs on 1000 hosts joined"], node.texts())


class TotalTests(SynchronousTestCase):
    """Totals of a process grow that should not."""

    def setUp(self) -> None:
        """A process is linked, and has been for long."""
        self.node = Node()
        self.node.report(who(), Counters(checkouts=10))
        self.node.runs(100.0)
        self.known = len(self.node.texts())

    def news(self) -> list[Remark]:
        """The events since."""
        return self.node.said()[self.known :]

    def test_connections_are_invalidated(self) -> None:
        """At once, or soft."""
        totals = Counters(checkouts=12, invalidations=2, soft_invalidations=1)
        self.node.report(who(), totals)
        text = "3 connections invalidated"
        self.assertEqual(
            [Remark("a1", 2, "a", 0.0, text, WARN, "h", "api", 7)], self.news()
        )
        self.node.report(who(), totals._replace(checkouts=99))
        self.assertEqual(1, len(self.news()))

    def test_connections_cannot_be_opened(self) -> None:
        """One is one."""
        self.node.report(who(), Counters(connect_failures=1))
        (remark,) = self.news()
        self.assertEqual("1 connection could not be opened", remark.text)
        self.assertEqual((WARN, 7), (remark.severity, remark.pid))

    def test_other_totals_are_no_event(self) -> None:
        """Whatever a process does that is well."""
        grown = {
            name: 5
            for name in Counters._fields
            if name
            not in (
                "invalidations",
                "soft_invalidations",
                "connect_failures",
                "timeouts",
            )
        }
        self.node.report(who(), Counters(**grown))
        self.assertEqual([], self.news())

    def test_both_at_once(self) -> None:
        """They are two events."""
        self.node.report(who(), Counters(connect_failures=2, invalidations=5))
        self.assertEqual(
            ["5 connections invalidated", "2 connections could not be opened"],
            [each.text for each in self.news()],
        )

    def test_more_within_a_minute(self) -> None:
        """They are added up over the program's processes."""
        self.node.report(who("p2", pid=8))
        self.node.report(who("p1"), Counters(invalidations=1))
        self.node.runs(114.0)
        self.node.report(who("p1"), Counters(invalidations=6))
        self.node.report(who("p2", pid=8), Counters(soft_invalidations=7))
        self.node.runs(100.0 + PAUSE_SECONDS)
        self.assertEqual(
            ["1 connection invalidated", "12 connections invalidated within 1 s"],
            [each.text for each in self.news()],
        )
        self.assertEqual([7, None], [each.pid for each in self.news()])

    def test_checkouts_time_out(self) -> None:
        """That is critical; without an incident it is a number."""
        self.node.report(who(), Counters(timeouts=2))
        (remark,) = self.news()
        self.assertEqual(
            ("2 checkouts timed out", CRIT, "api", 7),
            (remark.text, remark.severity, remark.progname, remark.pid),
        )

    def test_who_held_the_connections_of_a_pool_that_timed_out(self) -> None:
        """The newest incident says it, once a minute; what comes then is a sum."""
        self.node.report(who(), Counters(timeouts=1), incidents=(incident(),))
        for timeouts in (8, 9):
            self.node.runs(self.node.now + 5.0)
            self.node.report(who(), Counters(timeouts=timeouts))
        self.node.runs(100.0 + PAUSE_SECONDS)
        first = (
            "pool timed out: 15 of 15 out, 3 more waiting; "
            "held by shop/db.py:88 hold (2), thread worker (1), ..."
        )
        self.assertEqual(
            [first, "8 checkouts timed out within 5 s"],
            [each.text for each in self.news()],
        )

    def test_many_in_a_row(self) -> None:
        """The one tells when most were in line; those told before are not meant."""
        first = incident()._replace(waiting=30)
        self.node.report(who(), Counters(timeouts=1), incidents=(first,))
        self.node.runs(100.0 + 2 * PAUSE_SECONDS)
        crowd = tuple(
            first._replace(number=number, waiting=waiting, at=self.node.now)
            for number, waiting in ((2, 9), (3, 8), (4, 0))
        )
        self.node.report(who(), Counters(timeouts=4), incidents=(first, *crowd))
        self.assertIn("3 times: 15 of 15 out, 9 more waiting;", self.news()[-1].text)

    def test_an_incident_of_long_ago(self) -> None:
        """It is not what happened now."""
        self.node.report(who(), Counters(), incidents=(incident(),))
        self.node.runs(200.0)
        self.node.report(who(), Counters(timeouts=1), incidents=(incident(),))
        self.assertEqual("1 checkout timed out", self.news()[-1].text)

    def test_a_whole_fleet(self) -> None:
        """A database that restarts is a few events and a sum."""
        for number in range(500):
            identity = who(f"q{number}", f"prog{number}", f"h{number % 40}")
            self.node.report(identity)
        self.node.runs(130.0)
        self.known = len(self.node.texts())
        for number in range(500):
            identity = who(f"q{number}", f"prog{number}", f"h{number % 40}")
            self.node.report(identity, Counters(invalidations=10))
        self.node.runs(145.0)
        self.assertEqual(21, len(self.news()))
        self.assertEqual(
            "4800 connections invalidated in 480 more programs on 40 hosts",
            self.news()[-1].text,
        )

    def test_what_an_unknown_process_did_long_ago(self) -> None:
        """It is no news: the process was there before this node."""
        totals = Counters(invalidations=9, connect_failures=9)
        self.node.report(who("p2"), totals, began=-1000.0)
        self.node.report(who("p3"), totals, began=None)
        self.assertEqual([], self.news())
        self.node.report(who("p2"), totals._replace(invalidations=10))
        self.assertEqual(["1 connection invalidated"], [e.text for e in self.news()])

    def test_what_a_young_process_did(self) -> None:
        """All of it is news: a program may fail before its first report."""
        self.node.report(who("p2", pid=8), Counters(connect_failures=4), began=90.0)
        (remark,) = self.news()
        self.assertEqual(
            ("4 connections could not be opened", 8), (remark.text, remark.pid)
        )

    def test_a_process_that_comes_back(self) -> None:
        """What it did while it was away is news, and nothing twice."""
        self.node.report(who(), Counters(invalidations=2))
        self.node.leave(who())
        self.node.runs(200.0)
        self.node.link(who(), 2)
        self.node.report(who(), Counters(invalidations=5))
        self.assertEqual("3 connections invalidated", self.news()[-1].text)


class PoolTests(SynchronousTestCase):
    """A pool has no place left."""

    def setUp(self) -> None:
        """A process is linked, and has been for long."""
        self.node = Node()
        self.node.report(who())
        self.node.runs(100.0)
        self.known = len(self.node.texts())

    def news(self) -> list[str]:
        """What happened since."""
        return self.node.texts()[self.known :]

    def test_a_full_pool(self) -> None:
        """It is told with its configuration."""
        self.node.report(who(), out=14)
        self.assertEqual([], self.news())
        self.node.report(who(), out=15)
        text = "pool full: 15 of 15 checked out (pool_size 5, max_overflow 10)"
        self.assertEqual(
            Remark("a1", 2, "a", 0.0, text, WARN, "h", "api", 7), self.node.said()[-1]
        )

    def test_only_what_is_checked_out_counts(self) -> None:
        """Idle and detached connections take no place."""
        others = [IDLE] * 5 + [DETACHED] * 5
        self.node.report(who(), states={1: [OUT] * 14 + others})
        self.assertEqual([], self.news())
        self.node.report(who(), states={1: [OUT] * 15 + others})
        self.assertIn("15 of 15", self.news()[0])

    def test_what_outlived_a_pool_takes_no_place(self) -> None:
        """As many may be out of the pool that came after."""
        out = connections({1: [OUT] * 16})
        old = tuple(each._replace(disposed=True) for each in out[:2])
        self.node.report(who(), opened=(*old, *out[2:]))
        self.assertEqual([], self.news())
        self.node.report(who(), opened=(*old[:1], *out[1:]))
        self.assertIn("15 of 15", self.news()[0])

    def test_it_is_told_again_only_once_it_has_recovered(self) -> None:
        """That is when less than four of five places are taken."""
        self.node.report(who(), out=15)
        for out in (12, 15, 13, 15):
            self.node.runs(self.node.now + 100.0)
            self.node.report(who(), out=out)
        self.assertEqual(1, len(self.news()))
        self.node.report(who(), out=11)
        self.node.report(who(), out=15)
        self.assertEqual(2, len(self.news()))

    def test_each_process_has_its_own(self) -> None:
        """Within a minute those of a program are told together."""
        for number in range(5):
            self.node.report(who(f"p{number}", pid=number), out=15)
        self.assertEqual(1, len(self.news()))
        self.node.runs(100.0 + PAUSE_SECONDS)
        self.assertEqual("pool full 4 times within 1 s", self.news()[-1])

    def test_the_one_of_several_that_is_full_is_named(self) -> None:
        """And one that is not full is not, though as much is out of all together."""
        small = PoolFacts("sqlite://\x1b[2J", "QueuePool", 2, 0)
        pools = (a_pool(1), a_pool(2, small))
        self.node.report(who(), states={1: [OUT] * 9, 2: [OUT]}, pools=pools)
        self.assertEqual([], self.news())
        self.node.report(who(), states={1: [OUT] * 9, 2: [OUT] * 2}, pools=pools)
        full = "pool sqlite://\\x1b[2J full: 2 of 2 checked out"
        self.assertEqual([f"{full} (pool_size 2, max_overflow 0)"], self.news())

    def test_a_pool_without_a_bound_is_never_full(self) -> None:
        """However much is out."""
        for number, facts in enumerate(
            (
                PoolFacts("x", "NullPool"),
                PoolFacts("x", "QueuePool", 5, None),
                PoolFacts("x", "QueuePool", 0, 10),
            )
        ):
            self.node.report(who(f"q{number}"), out=500, pools=(a_pool(1, facts),))
        self.assertEqual([], self.news())

    def test_a_process_that_ends_frees_its_places(self) -> None:
        """It is not remembered, and if it comes back it is looked at afresh."""
        self.node.report(who(), out=15)
        self.node.leave(who())
        self.node.runs(200.0)
        self.assertEqual(set(), self.node.chronicle._full)
        self.node.link(who(), 2)
        self.node.report(who(), out=15)
        self.assertEqual(2, sum("pool full" in text for text in self.news()))

    def test_a_process_that_moved_is_not_remembered(self) -> None:
        """Its new node looks after it."""
        self.node.report(who(), out=15)
        other = Node("b", now=100.0)
        other.link(who(), 2)
        other.report(who(), out=15)
        share(other, self.node)
        self.node.runs(101.0)
        self.assertEqual(set(), self.node.chronicle._full)


class NodesTests(SynchronousTestCase):
    """Processes of one program are linked to different nodes."""

    def setUp(self) -> None:
        """Three nodes that hear each other, and have been running for a while."""
        self.nodes = [Node(name) for name in "abc"]
        self.a, self.b, self.c = self.nodes
        self.runs(100.0)

    def runs(self, until: float, *, apart: bool = False) -> None:
        """Let time pass for all, who tell each other every second."""
        while self.a.now < until:
            for each in self.nodes:
                each.runs(each.now + 1.0)
            if not apart:
                self.share()

    def share(self) -> None:
        """All tell all others what they know."""
        for teller in self.nodes:
            for hearer in self.nodes:
                if teller is not hearer:
                    share(teller, hearer)

    def texts(self) -> list[str]:
        """What all of them hold, which has to be the same."""
        held = [
            [(each.node, each.text) for each in node.journal.beyond({}, node.now)]
            for node in self.nodes
        ]
        for each in held:
            self.assertEqual(held[0], each)
        return [f"{node}: {text}" for node, text in held[0]]

    def test_a_program_that_starts_everywhere_at_once(self) -> None:
        """Each sees a first process; one tells it."""
        for number, each in enumerate(self.nodes):
            each.report(who(f"p{number}"))
        self.runs(140.0)
        self.assertEqual(["a: first process joined"], self.texts())

    def test_a_program_that_ends_everywhere_at_once(self) -> None:
        """Each sees that there are others left; one tells it all the same."""
        for number, each in enumerate(self.nodes):
            each.report(who(f"p{number}"), Counters(checkouts=5))
        self.runs(200.0)
        for number, each in enumerate(self.nodes):
            each.leave(who(f"p{number}"))
        self.runs(240.0)
        self.assertEqual(
            ["a: first process joined", "a: last process ended, 15 checkouts in all"],
            self.texts(),
        )

    def test_the_node_of_the_last_process_tells(self) -> None:
        """Others whose processes ended earlier do not, whichever would come first."""
        for order, pause in product((1, -1), (1.0, 2.0, 3.0, 4.0, 5.0, 8.0)):
            self.setUp()
            first, _, last = self.nodes[::order]
            first.report(who("p1"))
            last.report(who("p2"))
            self.runs(200.0)
            first.leave(who("p1"))
            self.runs(200.0 + pause)
            last.leave(who("p2"))
            self.runs(300.0)
            (ended,) = [each for each in self.texts() if "ended" in each]
            if pause >= SETTLED_SECONDS:
                self.assertIn(f"{last.board.home.node}: last", ended)

    def test_a_program_that_comes_back_elsewhere(self) -> None:
        """A node may be told of its end by another, and tells that it comes again."""
        self.a.report(who("p1"))
        self.runs(110.0)
        self.b.report(who("p2"))
        self.runs(200.0)
        self.a.leave(who("p1"))
        self.runs(220.0)
        self.b.leave(who("p2"))
        self.runs(300.0)
        self.a.report(who("p3"))
        self.runs(400.0)
        self.assertEqual(
            [
                "a: first process joined",
                "a: first process joined",
                "b: last process ended, 0 checkouts in all",
            ],
            self.texts(),
        )

    def test_nobody_waits_for_a_node_that_is_not_heard(self) -> None:
        """The first in the order is the first that is up."""
        for _ in range(10):
            self.c.runs(self.c.now + 1.0)
        self.c.report(who("p1"))
        self.c.runs(self.c.now + SETTLED_SECONDS)
        self.assertEqual(["first process joined"], self.c.texts())

    def test_a_process_that_moves_is_no_event(self) -> None:
        """It was live at its old node, or gone for a moment."""
        self.a.report(who())
        self.runs(110.0)
        self.b.link(who(), 2)
        self.b.report(who())
        self.a.board.departed("p1", 1, self.a.now)
        self.runs(150.0)
        self.b.leave(who())
        self.runs(152.0)
        self.c.link(who(), 3)
        self.c.report(who())
        self.runs(200.0)
        self.assertEqual(["a: first process joined"], self.texts())

    def test_what_a_process_did_between_two_nodes(self) -> None:
        """Is told by the new one, from what the old one knew."""
        self.a.report(who(), Counters(invalidations=3), began=-500.0)
        self.runs(110.0)
        self.b.link(who(), 2)
        self.b.report(who(), Counters(invalidations=5), began=-500.0)
        self.runs(120.0)
        self.assertEqual(
            ["a: first process joined", "b: 2 connections invalidated"],
            self.texts(),
        )

    def test_nodes_that_do_not_hear_each_other(self) -> None:
        """Each tells what it sees."""
        for number, each in enumerate(self.nodes):
            each.report(who(f"p{number}"))
        self.runs(140.0, apart=True)
        self.share()
        self.assertEqual(
            {f"{name}: first process joined" for name in "abc"}, set(self.texts())
        )

    @settings(max_examples=50, deadline=None)
    @given(
        st.lists(
            st.lists(
                st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=4
            ),
            min_size=1,
            max_size=6,
        )
    )
    def test_the_last_word_is_true(self, steps: list[list[tuple[int, int]]]) -> None:
        """Whatever happens at once, what was told last of a program is so."""
        self.setUp()
        present = Present()
        for step in steps:
            for at, slot in step:
                present.toggle(slot, self.nodes[at])
            self.runs(self.a.now + 30.0)
        self.runs(self.a.now + 150.0)
        self.assertIs(present.any, last_word(self.a), self.texts())


def share(teller: Node, hearer: Node) -> None:
    """One node tells another all it has, as a heartbeat and a digest would."""
    hearer.board.homes.heard(teller.board.home, hearer.now)
    for token in list(teller.board.processes):
        record = teller.board.record(token, teller.now)
        if record is not None and record.home != hearer.board.home:
            hearer.board.adopted(record, hearer.now)
    hearer.journal.adopt(
        teller.journal.beyond(hearer.journal.heads(), teller.now), hearer.now
    )


class Present:
    """Processes that come and go; there is one in a slot, or none."""

    def __init__(self) -> None:
        """There is none."""
        self._tokens = count()
        self._linked: dict[int, tuple[Identity, Node]] = {}

    @property
    def any(self) -> bool:
        """Whether one is there."""
        return bool(self._linked)

    def toggle(self, slot: int, node: Node) -> None:
        """Have the one in a slot leave, or a new one come to a node."""
        if slot in self._linked:
            identity, node = self._linked.pop(slot)
            node.leave(identity)
        else:
            identity = who(f"p{next(self._tokens)}")
            self._linked[slot] = identity, node
            node.report(identity)


def last_word(node: Node) -> bool | None:
    """Whether the program runs, by what was told of it last."""
    said = node.journal.newest(node.now)
    return said[0].text.startswith("first process joined") if said else None


class SharedTests(SynchronousTestCase):
    """Connections of another process, used in a fork of it."""

    TEXT = "uses connections that another process opened before a fork"

    def noticed(self, *kinds: str, site: str = "") -> tuple[Notice, ...]:
        """Notices of these kinds, numbered from one."""
        return tuple(
            Notice(number, 1, 0.0, kind, number, 0.0, "MainThread", site)
            for number, kind in enumerate(kinds, 1)
        )

    def test_told_once(self) -> None:
        """With the line that took one; what is repeated in a report is no news."""
        node = Node()
        node.report(who())
        notices = self.noticed(STALE, INHERITED, site="shop/db.py:88 take")
        for told in (notices, notices, ()):
            node.report(who(), notices=told)
            node.runs(node.now + 2 * PAUSE_SECONDS)
        (event,) = [each for each in node.said() if each.severity == CRIT]
        self.assertEqual(f"{self.TEXT}: shop/db.py:88 take", event.text)
        self.assertEqual((7, "api", "h"), (event.pid, event.progname, event.hostname))

    def test_again(self) -> None:
        """Within a minute it is one event more; without a line there is none."""
        node = Node()
        node.report(who())
        for times in (1, 2, 3):
            node.report(who(), notices=self.noticed(*[INHERITED] * times))
        node.runs(PAUSE_SECONDS + WINDOW_SECONDS)
        texts = [each.text for each in node.said() if each.severity == CRIT]
        self.assertEqual([self.TEXT, f"{self.TEXT} within 1 s"], texts)

    def test_nothing_of_it(self) -> None:
        """Other notices are no such event."""
        node = Node()
        node.report(who())
        node.report(who(), notices=self.noticed(STALE, "of a later version"))
        self.assertEqual([], [each for each in node.said() if each.severity == CRIT])

    def test_of_a_process_that_was_not_known(self) -> None:
        """Another node told it, unless the process has just begun."""
        for began, times in ((None, 0), (-100.0, 0), (0.0, 1)):
            node = Node()
            node.report(who(), began=began, notices=self.noticed(INHERITED))
            found = [each for each in node.said() if each.severity == CRIT]
            self.assertEqual(times, len(found), began)


def leak(number: int, kind: str = COLLECTED, at: float = 100.0) -> Notice:
    """What was noticed of a connection."""
    return Notice(
        number, 1, at, kind, 7, 12.0, "worker", f"orders.py:{number} checkout"
    )


class NoticeTests(SynchronousTestCase):
    """What processes notice of their connections."""

    def setUp(self) -> None:
        """A process that has been here for a while, and one notice of which it told."""
        self.node = Node()
        self.node.runs(100.0)
        self.node.report(who(), Counters(leaks=1), began=0.0, notices=(leak(1),))
        self.node.runs(110.0)
        self.first = len(self.node.texts())

    def new(self) -> list[str]:
        """What was said since."""
        return self.node.texts()[self.first :]

    def test_a_process_that_is_new_here(self) -> None:
        """What it noticed lately is told, what it noticed long ago is not."""
        self.assertIn(
            "connection leaked at orders.py:1 checkout: returned by the garbage "
            "collector, out 12s",
            self.node.texts(),
        )
        self.node.runs(200.0)
        self.node.report(
            who("p2"),
            Counters(leaks=2),
            began=0.0,
            notices=(leak(1), leak(2, UNCLOSED)),
        )
        self.node.runs(220.0)
        self.assertEqual([], [each for each in self.new() if "leaked" in each])

    def test_each_is_told_once(self) -> None:
        """However often the process tells of it; those of one kind as a sum."""
        for number in (2, 2, 3, 4):
            self.node.report(
                who(),
                Counters(leaks=number),
                notices=tuple(leak(each, at=110.0) for each in range(1, number + 1)),
            )
        self.node.runs(300.0)
        self.assertEqual(
            [
                (
                    "3 connections leaked: returned by the garbage collector within "
                    "1 s; 1 at orders.py:2 checkout, 1 at orders.py:3 checkout, "
                    "1 at orders.py:4 checkout"
                )
            ],
            self.new(),
        )

    def twice_a_second(self, kind: str, seconds: int) -> None:
        """It happens at two lines once a second, and now and then at a third."""
        begin, self.first = 200, len(self.node.texts())
        self.node.runs(begin)
        number = 1
        for now in range(begin, begin + seconds):
            sites = ["leaks.py:5 orders", "leaks.py:9 invoices"]
            if now % 20 == 7:
                sites.append("leaks.py:13 rare")
            notices = []
            for site in sites:
                number += 1
                notices.append(leak(number, kind, now)._replace(site=site))
            leaks = 1 if kind == SLOW else number
            self.node.report(who(), Counters(leaks=leaks), notices=tuple(notices))
            self.node.runs(now + 1.0)
        self.node.runs(begin + seconds + PAUSE_SECONDS)

    def test_one_that_came_back_after_all(self) -> None:
        """It is told, and leaks that are only counted are not taken for it."""
        self.node.report(who(), Counters(leaks=1), notices=(leak(1, ABANDONED),))
        self.new()
        told = (leak(2, RETURNED), leak(3, UNCLOSED))
        # One came back, one leaked, and one more of which there is only the count.
        self.node.report(who(), Counters(leaks=2), notices=told)
        self.assertEqual(
            [
                (
                    "connection returned after all, not leaked: taken at orders.py:2 "
                    "checkout"
                ),
                (
                    "connection leaked at orders.py:3 checkout: finalised without "
                    "being closed; 1 more leaked"
                ),
            ],
            self.new(),
        )

    def test_each_line_that_leaks_is_named(self) -> None:
        """Also in a sum, with how often it was there, the worst first."""
        self.twice_a_second(COLLECTED, 60)
        self.assertEqual(
            [
                (
                    "connection leaked at leaks.py:5 orders: returned by the garbage "
                    "collector, out 12s"
                ),
                (
                    "122 connections leaked: returned by the garbage collector within "
                    "59 s; 60 at leaks.py:9 invoices, 59 at leaks.py:5 orders, "
                    "3 at leaks.py:13 rare"
                ),
            ],
            self.new(),
        )

    def test_each_line_that_holds_for_long_is_named(self) -> None:
        """Likewise."""
        self.twice_a_second(SLOW, 60)
        self.assertEqual(
            "122 connections out for long within 59 s; 60 at leaks.py:9 invoices, "
            "59 at leaks.py:5 orders, 3 at leaks.py:13 rare",
            self.new()[-1],
        )

    def test_leaks_of_which_no_line_is_told(self) -> None:
        """A process tells of a few; the others may be anywhere."""
        self.node.runs(200.0)
        for number in (2, 32):
            self.node.report(
                who(), Counters(leaks=number), notices=(leak(number, at=200.0),)
            )
        self.node.report(
            who(),
            Counters(leaks=33),
            notices=(leak(33, at=200.0)._replace(site=""),),
        )
        self.node.runs(300.0)
        self.assertEqual(
            "31 connections leaked: returned by the garbage collector within 1 s; "
            "1 at orders.py:32 checkout, 30 others",
            self.new()[-1],
        )

    def test_kinds(self) -> None:
        """Each for itself; those that are told otherwise are none."""
        self.node.runs(200.0)
        notices = (
            leak(2, UNCLOSED, 200.0),
            leak(3, SLOW, 200.0),
            leak(4, STALE, 200.0),
            leak(5, "of a later version", 200.0),
        )
        self.node.report(who(), Counters(leaks=2), notices=notices)
        self.assertEqual(
            [
                (
                    "connection leaked at orders.py:2 checkout: finalised without "
                    "being closed"
                ),
                "connection out for 12s at orders.py:3 checkout by worker",
            ],
            self.new(),
        )
        said = self.node.said()[-2]
        self.assertEqual(("h", "api", 7), (said.hostname, said.progname, said.pid))

    def test_more_leaks_than_are_told_of(self) -> None:
        """They are counted with the last."""
        self.node.runs(200.0)
        self.node.report(who(), Counters(leaks=31), notices=(leak(30, at=200.0),))
        self.assertEqual(
            [
                (
                    "connection leaked at orders.py:30 checkout: returned by the "
                    "garbage collector, out 12s; 29 more leaked"
                )
            ],
            self.new(),
        )
