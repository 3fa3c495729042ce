"""The rules of advice: what each needs to speak, what it says, when it is silent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from twisted.trial.unittest import SynchronousTestCase

from connmon.model.blackbox import BlackBox
from connmon.model.board import Board
from connmon.model.engines import OTHERS
from connmon.model.histogram import BUCKETS, Histogram
from connmon.model.records import (
    INHERITED,
    NESTED,
    OUT,
    STALE,
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
    WaiterRecord,
)
from connmon.views.advice.book import findings
from connmon.views.advice.finding import Finding
from connmon.views.fleet import Fleet
from connmon.views.moment import Moment
from connmon.views.query import Query
from connmon.views.schema import ADVICE
from tests.views.boards import CLOCK, NOW, boards, told

NAME = "mysql+pymysql://db:3306/nova"
FACTS = PoolFacts(NAME, "QueuePool", 5, 10, 30.0)
SITE = "shop/orders.py:88 create"
SETTLED = Counters(checkouts=200, checkins=200, connects=5)


def holds(count: int, seconds: float) -> Histogram:
    """So many checkouts, which took so long in all."""
    return Histogram((count, *(0,) * (BUCKETS - 1)), seconds)


def record(
    facts: PoolFacts = FACTS,
    counters: Counters = SETTLED,
    peak: int = 5,
    **more: object,
) -> PoolRecord:
    """A pool that is used, and not too large."""
    whole = PoolRecord(
        1, facts, counters, Maxima(peak, peak), holds(200, 60.0), holds(5, 0.05)
    )
    return whole._replace(**more)  # type: ignore[arg-type]


def report(*pools: PoolRecord, up: float = 120.0) -> Report:
    """What a process says that has been up for so long."""
    counters = pools[0].counters if pools else Counters()
    return Report(0, None, CLOCK, 1.0, counters, Maxima(), pools, began=CLOCK - up)


def incident(holds: bool = False, held: int = 15, waiting: int = 2) -> Incident:
    """A pool timed out."""
    victim = InLine(CLOCK - 40.0, "worker-1", SITE, holds)
    holders = (Holder(1, CLOCK - 50.0, "worker-2"),)
    return Incident(1, 1, CLOCK - 10.0, 1, FACTS, victim, held, holders, waiting, ())


def notice(number: int, kind: str, seconds: float = 0.0, pool: int = 1) -> Notice:
    """Something happened to a connection."""
    return Notice(number, pool, CLOCK - 5.0, kind, 7, seconds, "worker-1", SITE)


class RuleTests(SynchronousTestCase):
    """What the rules say of processes that report so."""

    def found(
        self, *reports: Report, same: bool = False, forget: bool = False
    ) -> Sequence[Finding]:
        """The findings about ``api``, a process of it on each of several hosts.

        With ``forget`` the node's black box has lost what they told.
        """
        board = Board("s", "n")
        for number, each in enumerate(reports, 1):
            host = "ctl1" if same else f"ctl{number}"
            told(board, Identity(f"p{number}", host, "api", 10 + number), each)
        if forget:
            board.black_box = BlackBox()
        return findings(Moment(board, NOW))

    def one(self, rule: str, *reports: Report) -> Finding:
        """The only finding, which is of this rule."""
        (finding,) = self.found(*reports)
        self.assertEqual(rule, finding.rule)
        return finding

    def silent(self, *reports: Report) -> None:
        """There is no finding."""
        self.assertEqual([], list(self.found(*reports)))

    def test_all_is_well(self) -> None:
        """A pool that is used as it should says nothing, nor does one without use."""
        self.silent(report(record()), report(record()))
        self.silent(report(record(counters=Counters(), peak=0)))
        self.silent(report())
        self.silent()

    def test_too_small(self) -> None:
        """It says what was wanted at once, and how large to make it."""
        counters = SETTLED._replace(waits=50, timeouts=2)
        short = record(counters=counters, peak=15)
        said = self.one(
            "pool-too-small", replace(report(short), incidents=(incident(),))
        )
        self.assertEqual(
            Finding(
                "warn",
                "pool-too-small",
                "api",
                ("ctl1",),
                NAME,
                "",
                "the pool is too small: 15 places, and 18 were wanted at once",
                "50 of 202 attempted checkouts waited and 2 timed out in ctl1 pid 11, "
                "where 15 of 15 were out at most",
                "set pool_size=13 (it is 5; max_overflow=10)",
            ),
            said,
        )

    def test_too_small_for_a_crowd(self) -> None:
        """Of many that time out in a row the first knows best how many there were."""
        short = record(counters=SETTLED._replace(timeouts=30), peak=15)
        crowd = tuple(
            incident(waiting=29 - number)._replace(number=number + 1)
            for number in range(30)
        )
        said = self.one("pool-too-small", replace(report(short), incidents=crowd))
        self.assertIn("45 were wanted at once", said.finding)

    def test_too_small_by_waits(self) -> None:
        """Waits alone are enough if they are many; those who wait now count."""
        often = record(counters=SETTLED._replace(waits=20), peak=15)
        waiting = tuple(WaiterRecord(1, CLOCK, f"t{n}") for n in range(5))
        said = self.one(
            "pool-too-small", replace(report(often), waiting=5, waiters=waiting)
        )
        self.assertIn("20 were wanted at once", said.finding)
        self.assertEqual("set pool_size=15 (it is 5; max_overflow=10)", said.advice)
        self.silent(report(record(counters=SETTLED._replace(waits=19), peak=15)))
        rare = Counters(checkouts=2001, waits=20)
        self.silent(report(record(counters=rare, peak=15)))

    def test_too_small_where_all_time_out(self) -> None:
        """What timed out was an attempt, though it is no checkout."""
        for checkouts, waits, timeouts, said in (
            (15, 60, 60, "60 of 75 attempted checkouts waited and 60 timed out"),
            (56, 66, 66, "66 of 122 attempted checkouts waited and 66 timed out"),
            (0, 0, 20, "20 of 20 attempted checkouts waited and 20 timed out"),
            # Those who gave up before it timed out are neither.
            (15, 90, 5, "90 of 90 attempted checkouts waited and 5 timed out"),
        ):
            counters = Counters(checkouts, waits=waits, timeouts=timeouts)
            full = record(counters=counters, peak=15, holds=holds(0, 0.0))
            found = self.one("pool-too-small", report(full))
            self.assertTrue(found.evidence.startswith(said), found.evidence)

    def test_too_small_is_not_what_it_seems(self) -> None:
        """With too little data, with leaks, and where threads wait for themselves."""
        counters = SETTLED._replace(timeouts=2)
        self.silent(report(record(counters=Counters(checkouts=16, timeouts=3))))
        self.silent(report(record(counters=counters._replace(leaks=1))))
        leaked = ConnectionRecord(1, 1, OUT, CLOCK, CLOCK, 1, "t", leak="abandoned")
        self.silent(replace(report(record(counters=counters)), connections=(leaked,)))
        self.one(
            "nested-checkout",
            replace(report(record(counters=counters)), incidents=(incident(True),)),
        )

    def test_too_small_for_what_is_long(self) -> None:
        """Where most checkouts are long, that is said, too."""
        slow = Histogram((*(0,) * 10, 200, *(0,) * (BUCKETS - 11)), 400.0)
        counters = SETTLED._replace(timeouts=1)
        said = self.one("pool-too-small", report(record(counters=counters, holds=slow)))
        self.assertIn(
            ", or return them sooner: half are held for over 1.8s", said.advice
        )

    def test_too_large(self) -> None:
        """Three times the most that were out at once, in any process."""
        large = record(FACTS._replace(size=20), peak=2)
        said = self.one("pool-too-large", report(large), report(large))
        self.assertEqual(
            Finding(
                "info",
                "pool-too-large",
                "api",
                ("ctl1", "ctl2"),
                NAME,
                "",
                "the pool is 10 times as large as it need be: pool_size=20, and at "
                "most 2 were out at once",
                "0.5 out on average and 2 at most, in 400 checkouts of 2 pools over "
                "2m00s",
                "set pool_size=3: the server's worst case is 34 less then",
            ),
            said,
        )
        other = record(FACTS._replace(size=20), peak=7)
        self.silent(report(large), report(other))
        self.one("pool-too-large", report(record(FACTS._replace(size=15), peak=5)))
        self.silent(report(record(FACTS._replace(size=14), peak=5)))

    def test_too_large_without_data(self) -> None:
        """Not in the first minute, nor with few checkouts, nor if somebody waited."""
        large = record(FACTS._replace(size=20), peak=2)
        self.silent(report(large, up=59.0))
        self.silent(replace(report(large), began=None))
        self.silent(report(large._replace(counters=Counters(checkouts=99))))
        self.silent(report(large._replace(counters=SETTLED._replace(waits=1))))
        thread = PoolFacts("sqlite:///x", "SingletonThreadPool", 20)
        self.silent(report(record(thread, peak=1)))

    def test_overflow_churn(self) -> None:
        """Most of the connections opened were closed as overflow."""
        counters = SETTLED._replace(connects=100)
        churned = record(counters=counters, peak=9, closings=(("overflow", 83),))
        said = self.one("overflow-churn", report(churned))
        self.assertEqual(
            "83 of 100 connections opened were closed as overflow when they came "
            "back; 9 were out at most, and pool_size=5",
            said.evidence,
        )
        self.assertEqual(
            "set pool_size=9, max_overflow=6, so that they are kept", said.advice
        )
        for closings in ((), (("recycle", 83),), (("overflow", 49),)):
            self.silent(report(churned._replace(closings=closings)))
        self.silent(report(churned._replace(counters=SETTLED._replace(connects=170))))

    def test_unbounded(self) -> None:
        """By the overflow, or by the size; NullPool is another matter."""
        for facts, finding, advice in (
            (
                FACTS._replace(max_overflow=None),
                "max_overflow=-1 and pool_size=5",
                "set max_overflow=5, a quarter more than were out at once",
            ),
            (
                FACTS._replace(size=0),
                "pool_size=0",
                "set pool_size=10, a quarter more than were out at once",
            ),
        ):
            said = self.one("unbounded-overflow", report(record(facts, peak=8)))
            self.assertTrue(said.finding.endswith(finding), said.finding)
            self.assertEqual(advice, said.advice)
            self.assertIn("8 were out at once at most, in ctl1 pid 11", said.evidence)
            self.silent(report(record(facts, Counters(), peak=0)))
        self.silent(report(record(PoolFacts(NAME, "NullPool"), peak=8)))
        thread = PoolFacts("sqlite:///x", "SingletonThreadPool", 5)
        self.silent(report(record(thread, peak=8)))

    def test_one_is_one(self) -> None:
        """Of pools without a bound, and of connections that were out at once."""
        facts = FACTS._replace(max_overflow=None)
        for peaks, out, pools in (
            ((1,), "1 was", "1 pool of 1 has"),
            ((1, 1), "1 was", "2 pools of 2 have"),
            ((2, 1), "2 were", "2 pools of 2 have"),
        ):
            found = self.found(*(report(record(facts, peak=peak)) for peak in peaks))
            self.assertEqual(
                f"{out} out at once at most, in ctl1 pid 11, and {pools} no bound",
                found[0].evidence,
            )

    def test_nullpool_churn(self) -> None:
        """A hundred connections, and one a second."""
        facts = PoolFacts(NAME, "NullPool")
        counters = Counters(600, 600, 600, closes=600)
        churning = record(facts, counters, peak=3)
        said = self.one("nullpool-churn", report(churning))
        self.assertEqual(
            "600 connections opened in 2m00s in ctl1 pid 11, 5.0 a second, 10ms each",
            said.evidence,
        )
        self.assertIn("a QueuePool with pool_size=4", said.advice)
        self.silent(report(churning, up=9.0))
        self.silent(report(churning, up=700.0))
        few = counters._replace(connects=99)
        self.silent(report(churning._replace(counters=few), up=20.0))
        self.silent(report(record(counters=counters)))

    def test_nested_in_a_crowd(self) -> None:
        """Who gave up counts once, though those before saw him in line."""
        line = tuple(
            InLine(CLOCK - 30.0 - n, f"w{n}", SITE, holds=True) for n in range(4)
        )
        crowd = tuple(
            Incident(
                n + 1, 1, CLOCK - 4.0 + n, n + 1, FACTS, line[n], waiters=line[n + 1 :]
            )
            for n in range(4)
        )
        said = self.one("nested-checkout", replace(report(record()), incidents=crowd))
        self.assertIn("w3 in ctl1 pid 11 waited for 32.0s", said.evidence)
        self.assertIn("4 such waits known", said.evidence)

    def test_in_somebody_elses_storm(self) -> None:
        """What a process keeps itself is known when the black box has lost it."""
        told = replace(report(record()), incidents=(incident(True),))
        (found,) = self.found(told, forget=True)
        self.assertEqual("nested-checkout", found.rule)

    def test_more_out_than_there_are_places(self) -> None:
        """Some of them outlived the pool before."""
        counters = SETTLED._replace(waits=50, timeouts=2)
        short = record(counters=counters, peak=19)
        said = self.one(
            "pool-too-small", replace(report(short), incidents=(incident(),))
        )
        self.assertIn("15 of 15 were out at most", said.evidence)

    def test_nested(self) -> None:
        """Somebody waits now who has one out, or did when it timed out."""
        waiter = WaiterRecord(1, CLOCK - 12.0, "worker-3", SITE, True)
        said = self.one(
            "nested-checkout",
            replace(report(record()), waiting=1, waiters=(waiter,)),
        )
        self.assertEqual(("crit", SITE), (said.severity, said.site))
        self.assertEqual(
            "worker-3 in ctl1 pid 11 waited for 12.0s for a pool of 15 places with one "
            "of its own out; 1 such wait known",
            said.evidence,
        )
        self.one(
            "nested-checkout", replace(report(record()), incidents=(incident(True),))
        )
        other = waiter._replace(pool=2)
        honest = waiter._replace(holds=False)
        self.silent(replace(report(record()), waiters=(other, honest)))
        self.silent(replace(report(record()), incidents=(incident(),)))

    def test_two_at_once(self) -> None:
        """Somebody was seen with two, and nobody waited; a wait is worse."""
        both = replace(report(record()), notices=(notice(1, NESTED),))
        said = self.one("nested-checkout", both)
        self.assertEqual(("warn", SITE), (said.severity, said.site))
        self.assertIn(
            "in ctl1 pid 11 had two out at once of a pool of 15 places", said.evidence
        )
        waiter = WaiterRecord(1, CLOCK - 12.0, "worker-3", SITE, True)
        said = self.one("nested-checkout", replace(both, waiters=(waiter,)))
        self.assertEqual("crit", said.severity)
        self.silent(replace(report(record()), notices=(notice(1, NESTED, pool=9),)))

    def test_engines(self) -> None:
        """A line that made ten of them in one process."""
        said = self.one(
            "engine-per-request",
            replace(report(), engines=((SITE, 480), ("app.py:3", 9))),
            replace(report(), engines=((SITE, 10),)),
        )
        self.assertEqual(
            (("ctl1", "ctl2"), SITE, ""), (said.hostnames, said.site, said.pool_name)
        )
        self.assertEqual("480 engines in 2m00s in ctl1 pid 11", said.evidence)
        self.silent(replace(report(), engines=((SITE, 9), ("", 9))))

    def test_engines_of_many_databases(self) -> None:
        """A line that made one for each has done well, however many there are."""
        self.silent(replace(report(), engines=((OTHERS, 480), (SITE, 1))))

    def test_inherited(self) -> None:
        """A connection of before the fork was used after it."""
        said = self.one(
            "inherited-connection",
            replace(report(record()), notices=(notice(1, INHERITED),)),
        )
        self.assertEqual(("crit", SITE), (said.severity, said.site))
        self.assertIn("1 such connection, the last in ctl1 pid 11", said.evidence)
        self.silent(replace(report(record()), notices=(notice(1, "slow"),)))
        self.silent(replace(report(record()), notices=(notice(1, INHERITED, pool=9),)))

    def test_idle_in_transaction(self) -> None:
        """For more than half a minute nothing was executed in it."""
        idle = ConnectionRecord(
            1,
            1,
            OUT,
            CLOCK - 400.0,
            CLOCK - 500.0,
            1,
            "worker-1",
            SITE,
            transaction=CLOCK - 360.0,
            quiet=CLOCK - 31.0,
        )
        said = self.one(
            "idle-in-transaction", replace(report(record()), connections=(idle,))
        )
        self.assertEqual(
            "1 connection; the longest is worker-1 in ctl1 pid 11, in a transaction "
            "for 6m00s and idle for 31.0s",
            said.evidence,
        )
        for changes in (
            {"quiet": CLOCK - 30.0},
            {"quiet": None},
            {"transaction": None},
        ):
            other = idle._replace(**changes)
            self.silent(replace(report(record()), connections=(other,)))

    def test_stale_after_idle(self) -> None:
        """Three connections were found dead after about the same time."""

        def after(*seconds: float) -> Report:
            notices = tuple(
                notice(number, STALE, each) for number, each in enumerate(seconds)
            )
            return replace(report(record()), notices=notices)

        said = self.one("stale-after-idle", after(610.0, 600.0, 640.0))
        self.assertEqual("set pool_recycle=480 (it is off)", said.advice)
        self.assertIn("after 10m00s to 10m40s", said.evidence)
        self.silent(after(600.0, 640.0))
        self.silent(after(600.0, 640.0, 901.0))
        self.silent(after(0.1, 0.1, 0.1))

    def test_settings_differ(self) -> None:
        """Between hosts; not within one, and not in what a server told."""
        said = self.one(
            "settings-differ",
            report(record()),
            report(record()._replace(facts=FACTS._replace(limit=9))),
            report(record(FACTS._replace(size=6))),
        )
        self.assertEqual(
            "QueuePool 5+10, timeout 30s on ctl1 and 1 other; "
            "QueuePool 6+10, timeout 30s on ctl3",
            said.evidence,
        )
        self.assertEqual(
            "set it up alike: QueuePool 5+10, timeout 30s, as on 2 of 3 hosts",
            said.advice,
        )
        both = report(record(), record(FACTS._replace(size=6), id=2))
        self.silent(both, both)
        self.assertEqual(
            [],
            list(
                self.found(
                    report(record()), report(record(FACTS._replace(size=6))), same=True
                )
            ),
        )

    def test_the_order(self) -> None:
        """The worst first."""
        told_of = replace(
            report(record(FACTS._replace(max_overflow=None))),
            engines=((SITE, 10),),
            notices=(notice(1, INHERITED),),
        )
        self.assertEqual(
            ["inherited-connection", "engine-per-request", "unbounded-overflow"],
            [each.rule for each in self.found(told_of)],
        )


class ViewTests(SynchronousTestCase):
    """The view ``advice``."""

    def test_of_one_program(self) -> None:
        """What is wrong elsewhere is not looked at."""
        board = Board("s", "n")
        for number, program in enumerate(("api", "web")):
            who = Identity(f"p{number}", "h", program, number)
            told(board, who, replace(report(), engines=((SITE, 10),)))
        fleet = Fleet(board)
        for scope, expected in (
            ((("progname", "web"),), ["web"]),
            ((("progname", "x"),), []),
            ((), ["api", "web"]),
        ):
            frame = fleet.answer(Query(ADVICE, scope=scope), NOW)
            at = frame.fields.index("progname")
            self.assertEqual(expected, [row[at] for row in frame.rows])

    def test_the_departed(self) -> None:
        """Nothing is said of what has ended."""
        board = Board("s", "n")
        told(
            board, Identity("p", "h", "x", 1), replace(report(), engines=((SITE, 99),))
        )
        self.assertTrue(board.departed("p", 1, NOW))
        self.assertEqual([], findings(Moment(board, NOW)))

    @settings(deadline=None, max_examples=100)
    @given(boards())
    def test_any_board(self, board: Board) -> None:
        """Each finding has a key of its own, and says all that it should."""
        found = findings(Moment(board, NOW))
        keys = {(e.rule, e.progname, e.pool_name, e.site) for e in found}
        self.assertEqual(len(found), len(keys))
        for each in found:
            self.assertTrue(each.finding and each.evidence and each.advice)
