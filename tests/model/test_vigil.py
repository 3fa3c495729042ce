"""Tests of the rule that tells what is out for too long, and whose owner has ended."""

from __future__ import annotations

from math import inf
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.model.connection import Connection
from connmon.model.holding import SHARING, Owner
from connmon.model.ledger import Ledger
from connmon.model.records import (
    ABANDONED,
    COLLECTED,
    NESTED,
    SLOW,
    UNCLOSED,
    Notice,
    PoolFacts,
)
from connmon.model.vigil import GRACE_SECONDS, LOOK_SECONDS
from tests.model.marks import give, take

FACTS = PoolFacts("sqlite:///x.db", "QueuePool")
BOUNDED = PoolFacts("sqlite:///x.db", "QueuePool", 5, 10)
WHY = "its thread has ended"


class VigilTests(SynchronousTestCase):
    """A ledger with one pool, whose owners end when the test says so."""

    def setUp(self) -> None:
        """Nothing is out. Who is in ``ends`` may end, or has for a reason."""
        self.ends: dict[Owner, str] = {}
        self.ledger = Ledger(owner_end=self.ends.get)
        self.pool = self.ledger.pool("engine", FACTS)
        self.pool.slow = 30.0
        self.sequence = 0

    def out(self, owner: str, now: float = 0.0, site: object = None) -> Connection:
        """A connection that somebody has taken."""
        connection = self.ledger.opened(self.pool, now)
        take(connection, now, owner)
        connection.site = site
        return connection

    def notices(self) -> list[tuple[str, int, float]]:
        """What is told that was not told before: kind, connection, and how long."""
        self.sequence += 1
        report = self.ledger.collect(self.sequence, 1e6, 0.0)
        return [(each.kind, each.connection, each.seconds) for each in report.notices]

    def looks(self, *times: float) -> list[tuple[str, int, float]]:
        """Look at these moments; what is told then."""
        for each in times:
            self.ledger.look(each)
        return self.notices()

    @property
    def leaks(self) -> list[str]:
        """What is told of each connection that is out."""
        report = self.ledger.whole(self.sequence, 1e6, 0.0)
        return [each.leak for each in report.connections if each.owner]

    def test_nothing_is_out(self) -> None:
        """There is nothing to see, and no need to look again."""
        give(self.out("me"), 1.0)
        self.assertFalse(self.ledger.needs_looks)
        self.assertIsNone(self.ledger.look(100.0))

    def test_out_for_long(self) -> None:
        """It is told once, from the very second on, and is no leak."""
        self.out("me")
        self.assertTrue(self.ledger.needs_looks)
        self.assertEqual(30.0, self.ledger.look(1.0))
        self.assertEqual([], self.looks(29.9))
        self.assertEqual([(SLOW, 1, 30.0)], self.looks(30.0, 31.0, 60.0))
        self.assertIsNone(self.ledger.look(70.0))
        self.assertEqual(0, self.pool.leaks)
        self.assertEqual([""], self.leaks)

    def test_each_use_that_lasts(self) -> None:
        """Is told of: the next one of the same connection, too."""
        connection = self.out("me")
        self.looks(31.0)
        give(connection, 40.0)
        take(connection, 40.0, "me")
        self.assertEqual([], self.looks(41.0))
        self.assertEqual([(SLOW, 1, 31.0)], self.looks(71.0))

    def test_never(self) -> None:
        """Where nobody wants to hear of it."""
        self.pool.slow = inf
        self.out("me")
        self.assertIsNone(self.ledger.look(1e5))
        self.assertEqual([], self.notices())

    def test_pools_have_limits_of_their_own(self) -> None:
        """What is too long for one is not for another."""
        other = self.ledger.pool("other", FACTS)
        other.slow = 5.0
        self.out("me")
        take(self.ledger.opened(other, 0.0), 0.0, "me")
        self.assertEqual(30.0, self.ledger.look(5.0))
        self.assertEqual([(SLOW, 2, 5.0)], self.notices())

    def test_an_owner_that_ended_before_the_last_statement(self) -> None:
        """Somebody has it who may return it, as long as statements come."""
        self.ends["t1"] = "gone"
        connection = self.out("t1")
        connection.begins(0.5)
        self.assertEqual([], self.looks(1.0, 2.0, 3.0, 9.0))
        connection.executed = 9.5
        self.assertEqual([], self.looks(10.0, 12.0))
        connection.executed = 12.25
        self.assertEqual([], self.looks(13.0, 15.0))
        self.assertEqual([(ABANDONED, 1, 15.25)], self.looks(15.25))

    def test_an_owner_that_may_end(self) -> None:
        """Is looked at each second."""
        self.ends["t1"] = ""
        self.out("t1")
        self.assertEqual(1.0 + LOOK_SECONDS, self.ledger.look(1.0))
        self.assertEqual(100.0 + LOOK_SECONDS, self.ledger.look(100.0))

    def test_an_owner_that_has_ended(self) -> None:
        """A leak, some seconds after that was seen; counted once, told with why."""
        self.ends["t1"] = ""
        self.out("t1")
        self.looks(1.0)
        self.ends["t1"] = WHY
        self.assertEqual([], self.looks(2.0, 2.0 + GRACE_SECONDS - 0.1))
        self.assertEqual([""], self.leaks)
        at = 2.0 + GRACE_SECONDS
        self.assertEqual([(ABANDONED, 1, at)], self.looks(at, at + 1, at + 2))
        self.assertEqual(1, self.pool.leaks)
        self.assertEqual([WHY], self.leaks)
        self.assertEqual(30.0, self.ledger.look(at + 3))
        self.assertEqual([(SLOW, 1, 30.0)], self.looks(30.0))

    def test_two_at_once(self) -> None:
        """The later one is told, once a minute for each line, and is no leak."""
        self.pool.facts = BOUNDED
        self.out("me", 0.0, "a.py:1")
        self.out("me", 1.0, "b.py:2")
        self.out("you", 2.0, "b.py:2")
        self.assertEqual([(NESTED, 2, 1.5)], self.looks(2.5, 3.5, 29.0))
        self.pool.slow = inf
        self.assertEqual([(NESTED, 2, 62.0)], self.looks(62.4, 63.0))
        self.assertEqual(0, self.pool.leaks)

    def test_two_of_two_pools(self) -> None:
        """What outlived the pool before is no part of this one."""
        self.pool.facts = BOUNDED
        self.out("me").outlives_pool()
        self.out("me", 1.0)
        self.assertEqual([], self.looks(2.0))

    def test_two_that_nobody_waits_for(self) -> None:
        """Where there is no bound, or nobody knows who took them, nothing is told."""
        self.out("me")
        self.out("me")
        self.assertEqual([], self.looks(2.0))
        self.pool.facts = BOUNDED
        for connection in list(self.pool.open):
            connection.owner = None
        self.assertEqual([], self.looks(4.0))

    def test_two_that_were_never_out_at_once(self) -> None:
        """The first came back while the other was looked at."""
        self.pool.facts = BOUNDED
        first = self.out("me")

        class Late:
            """An owner that gives the first one back as it is looked at."""

            def __hash__(self) -> int:
                return hash("me")

            def __eq__(self, other: object) -> bool:
                give(first, 1.0)
                return other == "me"

        second = self.out("you")
        second.owner = cast("Any", Late())
        # The first is looked at first.
        self.pool.open = cast("Any", [first, second])
        self.assertEqual([], self.looks(2.0))

    def test_where_one_takes_for_others(self) -> None:
        """As it hands them over, they are not both its own."""
        self.pool.facts = BOUNDED
        self.pool.handed_over("a.py:1")
        self.out("me", 0.0, "a.py:1")
        self.out("me", 0.0, "a.py:1")
        self.assertEqual([], self.looks(2.0))

    def test_returned_in_time(self) -> None:
        """Whoever was given it returned it: that is no leak."""
        self.ends["t1"] = WHY
        connection = self.out("t1")
        self.looks(1.0)
        give(connection, 1.0 + GRACE_SECONDS)
        self.assertEqual([], self.looks(1.0 + GRACE_SECONDS, 100.0))
        take(connection, 100.0, "t1")
        self.assertEqual([], self.looks(100.0, 100.0 + GRACE_SECONDS - 0.1))
        self.assertEqual(0, self.pool.leaks)

    def test_returned_late(self) -> None:
        """It was counted, and that stays; the connection is as good as any."""
        self.ends["t1"] = WHY
        connection = self.out("t1")
        self.looks(0.0, GRACE_SECONDS)
        self.assertEqual([WHY], self.leaks)
        give(connection, 10.0)
        take(connection, 11.0, "me")
        self.assertEqual([""], self.leaks)
        self.assertEqual(1, self.pool.leaks)

    def test_one_leak_for_each_use(self) -> None:
        """However many things prove it; the next use may leak again."""
        self.ends["t1"] = WHY
        connection = self.out("t1")
        self.looks(0.0, GRACE_SECONDS)
        for kind in (COLLECTED, UNCLOSED):
            self.ledger.noticed(connection, kind, 10.0, 10.0)
        self.assertEqual([], self.notices())
        give(connection, 11.0)
        take(connection, 12.0, "t1")
        self.ledger.noticed(connection, COLLECTED, 13.0, 1.0)
        found = self.looks(14.0, 14.0 + GRACE_SECONDS)
        self.assertEqual([(COLLECTED, 1, 1.0)], found)
        self.assertEqual(2, self.pool.leaks)

    def test_returned_just_as_it_is_told(self) -> None:
        """What changed between the look and the note is not noted."""
        self.ends["t1"] = WHY
        connection = self.out("t1")
        self.looks(0.0)
        plain = self.ends.get

        def end(owner: Owner) -> str | None:
            found = plain(owner)
            if connection.state == 1:
                give(connection, GRACE_SECONDS)
            return found

        self.ledger._vigil._owner_end = end
        self.assertEqual([], self.looks(GRACE_SECONDS))
        self.assertEqual(0, self.pool.leaks)

    def test_where_others_return_what_is_taken(self) -> None:
        """It is no leak that who took it has ended; it is told if that lasts."""
        self.ends["t1"] = WHY
        self.pool.handed_over("a.py:1 begin")
        self.out("t1", site="a.py:1 begin")
        self.out("t1", site="b.py:1 leak")
        found = self.looks(0.0, GRACE_SECONDS, 30.0)
        self.assertEqual(
            [(ABANDONED, 2, GRACE_SECONDS), (SLOW, 1, 30.0), (SLOW, 2, 30.0)],
            sorted(found),
        )

    def test_where_very_many_lines_do_so(self) -> None:
        """No more are remembered, and nothing is believed of the others."""
        for number in range(SHARING + 10):
            self.pool.handed_over(number)
        self.assertEqual(SHARING, len(self.pool.handing))
        self.ends["t1"] = WHY
        self.out("t1", site="b.py:1 leak")
        self.assertEqual([], self.looks(0.0, GRACE_SECONDS))

    def test_all_that_is_told(self) -> None:
        """Who had it, where, and what else is known of the connection."""
        self.ends["t1"] = WHY
        connection = self.out("t1", site="b.py:1 leak")
        connection.session, connection.tag = 48197, "job"
        connection.address = "10.0.0.5:53211"
        self.ledger.look(1.0)
        self.ledger.look(1.0 + GRACE_SECONDS)
        at = 1.0 + GRACE_SECONDS
        self.assertEqual(
            (
                Notice(
                    1,
                    1,
                    at,
                    ABANDONED,
                    1,
                    at,
                    "t1",
                    "b.py:1 leak",
                    48197,
                    "10.0.0.5:53211",
                    "job",
                ),
            ),
            self.ledger.collect(1, 100.0, 0.0).notices,
        )

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["take", "give", "end", "look"]),
                st.integers(0, 2),
                st.floats(0.0, 20.0),
            ),
            max_size=60,
        )
    )
    def test_no_use_is_told_of_twice_or_too_early(
        self, steps: list[tuple[str, int, float]]
    ) -> None:
        """Whatever happens: of each kind once, and only what has been so for long."""
        self.setUp()
        now, takes = 0.0, [0, 0, 0]
        connections = [self.ledger.opened(self.pool, 0.0) for _ in range(3)]
        ended: dict[str, float] = {}
        told: list[tuple[str, int, int]] = []
        for step, which, pause in steps:
            now += pause
            connection = connections[which]
            owner = f"{which} {takes[which]}"
            if step == "take" and connection.state == 0:
                takes[which] += 1
                owner = f"{which} {takes[which]}"
                self.ends[owner] = ""
                take(connection, now, owner)
            elif step == "give":
                give(connection, now)
            elif step == "end" and takes[which]:
                self.ends[owner] = WHY
                ended.setdefault(owner, now)
            self.ledger.look(now)
            for kind, id, seconds in self.notices():
                use = takes[id - 1]
                told.append((kind, id, use))
                self.assertEqual(1, connections[id - 1].state)
                if kind == SLOW:
                    self.assertGreaterEqual(seconds, 30.0)
                else:
                    at = ended[f"{id - 1} {use}"]
                    self.assertGreaterEqual(now - at, GRACE_SECONDS)
        self.assertEqual(len(told), len(set(told)))
        leaks = [each for each in told if each[0] == ABANDONED]
        self.assertEqual(len(leaks), self.pool.leaks)
