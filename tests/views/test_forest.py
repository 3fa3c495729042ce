"""Entries below their hosts: the same as if everything had been worked out."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.views.forest import Forest
from connmon.views.ranking import Ranking
from tests.views.test_ranking import DIRECTIONS, steps

Entry = tuple[int | None, int | None, int, str]

ENTRIES = st.lists(
    st.tuples(
        st.none() | st.integers(0, 3),
        st.none() | st.integers(0, 2),
        st.sampled_from(["a", "b", "c"]),
    ),
    max_size=20,
).map(lambda rows: [(*row[:2], number, row[2]) for number, row in enumerate(rows)])


def parent(hostname: str) -> Any:
    """A host's row."""
    return (None, None, -1, hostname)


def forest(entries: list[Entry], downs: list[bool]) -> Forest:
    """The entries below their hosts."""
    return Forest(entries, steps(downs), lambda each: each[3], parent)


def expected(entries: list[Entry], downs: list[bool]) -> list[Entry]:
    """Each host above its entries, in the order in which their first ones come."""
    groups: dict[str, list[Entry]] = {}
    for each in Ranking(entries, steps(downs)).part(0, len(entries)):
        groups.setdefault(each[3], []).append(each)
    return [row for host, below in groups.items() for row in (parent(host), *below)]


class ForestTests(SynchronousTestCase):
    """Whatever part is asked for, it is of one and the same order."""

    @settings(deadline=None)
    @given(ENTRIES, DIRECTIONS, st.integers(0, 25), st.integers(0, 25))
    def test_a_part(
        self, entries: list[Entry], downs: list[bool], first: int, size: int
    ) -> None:
        """It is a slice of the whole, wherever it begins and ends."""
        whole, trees = expected(entries, downs), forest(entries, downs)
        self.assertEqual(len(whole), len(trees))
        self.assertEqual(whole[first : first + size], trees.part(first, first + size))
        self.assertEqual(whole, trees.part(0, len(trees)))

    @settings(deadline=None)
    @given(ENTRIES, DIRECTIONS)
    def test_places(self, entries: list[Entry], downs: list[bool]) -> None:
        """Each entry, and each host, is at the place that it says it is."""
        trees, whole = forest(entries, downs), expected(entries, downs)
        self.assertEqual(list(range(len(whole))), [trees.place(each) for each in whole])
        self.assertEqual(sorted(whole, key=str), sorted(trees.entries, key=str))

    def test_only_the_hosts_that_are_seen_are_made(self) -> None:
        """That takes time of its own."""
        made: list[str] = []
        entries = [(number, 0, 0, f"h{number:03}") for number in range(200)]
        trees = Forest(
            entries,
            steps([False]),
            lambda each: each[3],
            made.append,
        )
        trees.part(100, 104)
        self.assertEqual(["h050", "h051"], made)
