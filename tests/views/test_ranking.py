"""Entries in order, of which only those near the window are sorted."""

from __future__ import annotations

from functools import cmp_to_key
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.views.ranking import Ranking, Step

Entry = tuple[int | None, int | None, int]

ENTRIES = st.lists(
    st.tuples(st.none() | st.integers(0, 3), st.none() | st.integers(0, 2)),
    max_size=30,
).map(lambda pairs: [(*pair, number) for number, pair in enumerate(pairs)])
DIRECTIONS = st.lists(st.booleans(), max_size=2)


def steps(downs: list[bool]) -> list[Step]:
    """By the first value, then by the second, downwards or not."""
    reads = (lambda each: each[0], lambda each: each[1])
    return list(zip(reads, downs, strict=False))


def expected(entries: list[Entry], downs: list[bool]) -> list[Entry]:
    """The same, by comparing two at a time."""

    def compare(one: Any, other: Any) -> int:
        for index, down in enumerate(downs):
            a, b = one[index], other[index]
            if a != b:
                if a is None or b is None:
                    return 1 if a is None else -1
                return -1 if (a > b) == down else 1
        return 0

    return sorted(entries, key=cmp_to_key(compare))


class RankingTests(SynchronousTestCase):
    """Whatever part is asked for, it is of one and the same order."""

    @given(ENTRIES, DIRECTIONS)
    def test_the_whole(self, entries: list[Entry], downs: list[bool]) -> None:
        """By each step in turn, none last, equal ones as they were given."""
        ranking = Ranking(entries, steps(downs))
        self.assertEqual(len(entries), len(ranking))
        self.assertEqual(expected(entries, downs), ranking.part(0, len(entries)))

    @given(ENTRIES, DIRECTIONS, st.integers(0, 32), st.integers(0, 32))
    def test_a_part(
        self, entries: list[Entry], downs: list[bool], first: int, size: int
    ) -> None:
        """It is a slice of the whole, wherever it begins and ends."""
        ranking = Ranking(entries, steps(downs))
        whole = expected(entries, downs)
        for _ in range(2):  # the second time from what was worked out before
            self.assertEqual(
                whole[first : first + size], ranking.part(first, first + size)
            )

    @given(ENTRIES, DIRECTIONS)
    def test_places(self, entries: list[Entry], downs: list[bool]) -> None:
        """Each entry is at the place that it says it is."""
        ranking = Ranking(entries, steps(downs))
        self.assertEqual(
            list(range(len(entries))),
            [ranking.place(each) for each in expected(entries, downs)],
        )

    def test_only_what_is_near_is_looked_at(self) -> None:
        """The second step is not read of entries that the first has settled."""
        read = []

        def second(entry: int) -> int:
            read.append(entry)
            return -entry

        ranking = Ranking(
            range(1000), [(lambda each: each // 10, False), (second, False)]
        )
        self.assertEqual([509, 508, 507], ranking.part(500, 503))
        self.assertEqual(list(range(500, 510)), sorted(read))

    def test_without_steps(self) -> None:
        """They stay in the order in which they were given."""
        ranking = Ranking(["b", "a", "c"])
        self.assertEqual(["a", "c"], ranking.part(1, 5))
        self.assertEqual(1, ranking.place("a"))
