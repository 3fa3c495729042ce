"""Tests of the lines that are named in what is said of many events."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.daemon.blame import MOST
from connmon.daemon.sites import KEPT, Sites, located, once_at

TALLIES = st.lists(st.tuples(st.text(min_size=1), st.integers(1, 10**6)), max_size=30)


class SitesTests(SynchronousTestCase):
    """How often it was at each."""

    def test_the_worst_is_first(self) -> None:
        """However they came."""
        sites = Sites(once_at("a.py:1"))
        sites.add((("b.py:2", 3), ("a.py:1", 1)))
        self.assertEqual((("b.py:2", 3), ("a.py:1", 2)), sites.tallies)

    def test_a_line_that_is_not_known(self) -> None:
        """It is none."""
        self.assertEqual((), Sites(once_at("")).tallies)

    def test_memory_is_bounded(self) -> None:
        """By the number of lines, and by their length, whatever a process sends."""
        sites = Sites()
        for number in range(10 * KEPT):
            sites.add(once_at(f"{number}" + "x" * 10_000))
        sites.add(once_at("0" + "x" * 10_000))
        tallies = sites.tallies
        self.assertEqual((KEPT, 2), (len(tallies), tallies[0][1]))
        self.assertEqual({MOST}, {len(site) for site, _ in tallies})


class WordsTests(SynchronousTestCase):
    """The sentence."""

    def test_words(self) -> None:
        """Each line with how often, and how many are none of these."""
        for expected, amount, tallies in (
            ("lost", 3, ()),
            ("lost; all at a.py:1 f", 3, (("a.py:1 f", 3),)),
            ("lost; 2 at a.py:1, 1 other", 3, (("a.py:1", 2),)),
            ("lost; 2 at a.py:1, 1 at b.py:2", 3, (("a.py:1", 2), ("b.py:2", 1))),
            (
                "lost; 2 at a.py:1, 1 at b.py:2, 6 others",
                9,
                (("a.py:1", 2), ("b.py:2", 1)),
            ),
        ):
            self.assertEqual(expected, located("lost", amount, tallies))

    def test_as_many_as_there_is_room_for(self) -> None:
        """The others are counted."""
        tallies = tuple((f"{'x' * 50}.py:{n}", 100 - n) for n in range(10))
        said = located("1000 lost", 1000, tallies)
        self.assertTrue(said.endswith(".py:3, 606 others"), said)

    def test_a_long_line(self) -> None:
        """The worst is named as far as there is room."""
        said = located("2 lost", 2, (("x" * 1000, 1), ("a.py:1", 1)))
        self.assertTrue(said.startswith("2 lost; 1 at xxx"), said)
        self.assertTrue(said.endswith("xxx..."), said)

    @given(st.text(max_size=100), TALLIES, st.integers(0, 10**9))
    def test_any(self, text: str, tallies: list[tuple[str, int]], more: int) -> None:
        """It is never too long, and what it adds is harmless."""
        amount = sum(times for _, times in tallies) + more
        said = located(text, amount, Sites(tuple(tallies)).tallies)
        self.assertLessEqual(len(said), MOST)
        self.assertTrue(said.startswith(text))
        self.assertTrue(said[len(text) :].isprintable(), said)
