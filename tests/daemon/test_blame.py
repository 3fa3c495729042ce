"""Who held the connections when a pool timed out, in a sentence."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.daemon.blame import MOST, sentence
from connmon.model.records import Holder, Incident, InLine, PoolFacts

FACTS = PoolFacts("db", "QueuePool", 3, 2)


def incident(
    *sites: str, held: int | None = None, waiting: int = 0, facts: PoolFacts = FACTS
) -> Incident:
    """One with a holder at each of these sites."""
    holders = tuple(Holder(id, 1.0, f"t{id}", site) for id, site in enumerate(sites))
    some = len(sites) if held is None else held
    victim = InLine(30.0, "t", "")
    return Incident(1, 1, 0.0, 1, facts, victim, some, holders, waiting)


class SentenceTests(SynchronousTestCase):
    """``sentence`` of an incident."""

    def test_wordings(self) -> None:
        """How full, how many wait, and the lines that hold most, the most first."""
        for expected, told in (
            (
                "pool timed out: 3 of 5 out; held by b (2), a (1)",
                sentence(incident("a", "b", "b"), 1),
            ),
            (
                "pool db timed out 7 times: 1 of 5 out, 2 more waiting; held by t (1)",
                sentence(incident("t", waiting=2), 7, named=True),
            ),
            (
                "pool timed out: 4 of 5 out; held by a (1), b (1), c (1), ...",
                sentence(incident("a", "b", "c", "d"), 1),
            ),
            (
                "pool timed out: 250 out; held by a (1), ...",
                sentence(
                    incident("a", held=250, facts=FACTS._replace(max_overflow=None)), 1
                ),
            ),
            ("pool timed out: 0 of 5 out", sentence(incident(), 1)),
            (
                "pool timed out: 1 of 5 out; held by thread t0 (1)",
                sentence(incident(""), 1),
            ),
        ):
            self.assertEqual(expected, told)

    @settings(deadline=None)
    @given(st.lists(st.text(max_size=200), max_size=5), st.integers(1, 10**9))
    def test_it_is_short_and_harmless(self, sites: list[str], times: int) -> None:
        """Whatever a process calls its lines."""
        told = sentence(incident(*sites), times, named=True)
        self.assertLessEqual(len(told), MOST)
        self.assertTrue(told.isprintable())
