"""Tests of why connections were closed, and of how many engines were made where."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.model.closings import (
    COLLECTED,
    DISPOSE,
    MOST_EXCEPTIONS,
    OTHER,
    OVERFLOW,
    SOFT_INVALIDATED,
    Closings,
    invalidated,
)
from connmon.model.engines import DATABASES, ENGINE_SITES, OTHERS, Engines
from connmon.model.ledger import Ledger
from connmon.model.records import PoolFacts

REASONS = st.sampled_from([OVERFLOW, COLLECTED, OTHER]) | st.integers(0, 30).map(
    lambda number: invalidated(f"E{number}")
)


class ClosingsTests(SynchronousTestCase):
    """The tally of one pool."""

    @given(st.lists(REASONS))
    def test_nothing_is_lost(self, reasons: list[str]) -> None:
        """Each closing counts, the first classes of exceptions by their names."""
        closings = Closings()
        for each in reasons:
            closings.add(each)
        told = closings.told()
        self.assertEqual(len(reasons), sum(times for _, times in told))
        self.assertEqual(sorted(told, key=lambda each: (-each[1], each[0])), [*told])
        classes = [*dict.fromkeys(each for each in reasons if ": " in each)]
        named = {*classes[:MOST_EXCEPTIONS]}
        expected = Counter(
            each if each in named or ": " not in each else "invalidated: others"
            for each in reasons
        )
        self.assertEqual(expected, dict(told))

    def test_long_names(self) -> None:
        """They are cut."""
        self.assertEqual("invalidated: " + "E" * 60, invalidated("E" * 300))


class FateTests(SynchronousTestCase):
    """What a ledger makes of a connection's fate."""

    def setUp(self) -> None:
        """A pool, and a connection that was used."""
        self.ledger = Ledger()
        self.pool = self.ledger.pool("pool", PoolFacts("db", "QueuePool"))
        self.connection = self.ledger.opened(self.pool, 0.0)
        self.connection.taken(1.0, 7)
        self.connection.returned(2.0)

    def closings(self) -> dict[str, int]:
        """Why the pool's connections were closed."""
        (pool,) = self.ledger.whole(1, 9.0, 0.0).pools
        self.assertEqual(pool.counters.closes, sum(times for _, times in pool.closings))
        return dict(pool.closings)

    def test_told_twice(self) -> None:
        """Who tells first is believed, however often it is counted meanwhile."""
        self.assertEqual({}, self.closings())
        self.ledger.closed(self.connection, 3.0, OVERFLOW)
        self.ledger.dropped(self.connection, 4.0)
        self.assertEqual({OVERFLOW: 1}, self.closings())
        self.ledger.closed(self.connection, 5.0, OTHER)
        self.ledger.fold()
        # As if two threads had told at once.
        self.connection.count_closing()
        self.assertEqual({OVERFLOW: 1}, self.closings())

    def test_dropped(self) -> None:
        """It is what it was meant for, if that is an end; else it was collected."""
        for fate, reason in (
            ("", COLLECTED),
            (SOFT_INVALIDATED, COLLECTED),
            (COLLECTED, COLLECTED),
            (DISPOSE, DISPOSE),
            (invalidated("E"), "invalidated: E"),
        ):
            self.setUp()
            self.connection.fate = fate
            self.ledger.dropped(self.connection, 3.0)
            self.assertEqual({reason: 1}, self.closings(), fate)

    def test_dropped_when_detached(self) -> None:
        """Its pool's disposal is none of its business."""
        self.ledger.detached(self.connection, 3.0)
        self.connection.fate = DISPOSE
        self.ledger.dropped(self.connection, 4.0)
        self.assertEqual({COLLECTED: 1}, self.closings())

    def test_never_used(self) -> None:
        """Something refused it."""
        self.ledger.dropped(self.ledger.opened(self.pool, 3.0), 3.0)
        self.assertEqual({OTHER: 1}, self.closings())


class EnginesTests(SynchronousTestCase):
    """The engines of one process."""

    @given(
        st.lists(
            st.tuples(
                st.integers(0, 40).map(
                    lambda number: f"f.py:{number} f" * (number > 0)
                ),
                st.sampled_from(["a", "b"]),
            )
        )
    )
    def test_nothing_is_lost(self, made: list[tuple[str, str]]) -> None:
        """Each engine counts, of few lines by name, the most first."""
        engines = Engines()
        for site, database in made:
            engines.add(site, database)
        told = engines.told()
        self.assertEqual(len(made), sum(times for _, times in told))
        self.assertLessEqual(len(told), ENGINE_SITES + 2)
        counts = [times for _, times in told]
        self.assertEqual(sorted(counts, reverse=True), counts)
        real = Counter(made)
        for site, times in told:
            if site and site != OTHERS:
                self.assertEqual(max(real[site, "a"], real[site, "b"]), times)

    def test_one_for_each_of_many_databases(self) -> None:
        """What a line made again for the same one is told, however many others."""
        engines = Engines()
        for shard in range(12):
            engines.add("shards.py:1 f", f"shard{shard}")
        self.assertEqual(((OTHERS, 11), ("shards.py:1 f", 1)), engines.told())
        for _ in range(9):
            engines.add("shards.py:1 f", "shard3")
        for _ in range(2):
            engines.add("app.py:2 g", "shard3")
        self.assertEqual(
            ((OTHERS, 11), ("shards.py:1 f", 10), ("app.py:2 g", 2)), engines.told()
        )

    def test_very_many_databases(self) -> None:
        """Those past the first of a line are only counted, and keep no memory."""
        engines = Engines()
        for _ in range(2):
            for tenant in range(DATABASES + 50):
                engines.add("tenants.py:1 f", f"tenant{tenant}")
        engines.add("app.py:2 g", "db")
        rest = 2 * (DATABASES + 50) - 2
        self.assertEqual(
            ((OTHERS, rest), ("tenants.py:1 f", 2), ("app.py:2 g", 1)), engines.told()
        )
        self.assertEqual(DATABASES, len(engines._lines["tenants.py:1 f"]._databases))
