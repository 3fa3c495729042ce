"""Tests of what is found, of reports in any order that they come in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.model.records import (
    ABANDONED,
    COLLECTED,
    DETACHED,
    IDLE,
    RETURNED,
    SLOW,
    UNCLOSED,
    Counters,
)
from connmon.run import witness
from connmon.run.witness import UNRETURNED, Finding
from tests.run.seen import SITE, Told, held, notice, who


class UnreturnedTests(SynchronousTestCase):
    """What was out when a process ended."""

    def test_out_at_the_end(self) -> None:
        """With all that is known of it; what is idle or detached is none."""
        told = Told()
        told.say(
            held(1, since=6.5, session=7, address="10.0.0.1:5", tag="job"),
            held(2, IDLE, owner="", site=""),
            held(3, DETACHED),
            last=True,
        )
        told.leave()
        expected = Finding(
            kind=UNRETURNED,
            process=who(),
            pool="sqlite:///x.db",
            seconds=3.5,
            owner="MainThread",
            site=SITE,
            tag="job",
            session=7,
            address="10.0.0.1:5",
        )
        verdict = told.witness.verdict()
        self.assertEqual((expected,), verdict.findings)
        self.assertEqual((1, 3, 0), (verdict.processes, verdict.checkouts, 0))
        self.assertFalse(verdict.is_clean)

    def test_without_a_last_word(self) -> None:
        """It is the last that is known, and for how long nothing was heard is told."""
        told = Told()
        told.say(held(since=6.5))
        told.leave(110.5)
        (found,) = told.witness.verdict().findings
        self.assertEqual((4.0, 0.5), (found.seconds, found.silent))

    def test_returned_in_time(self) -> None:
        """The last report holds."""
        told = Told()
        told.say(held())
        told.say(held(state=IDLE), base=0, last=True)
        told.leave()
        self.assertTrue(told.witness.verdict().is_clean)

    def test_a_process_that_still_runs(self) -> None:
        """Nobody knows whether it returns what it has; nor if it comes back."""
        told = Told()
        told.say(held())
        self.assertEqual((who(),), told.witness.verdict().running)
        told.leave()
        self.assertEqual((), told.witness.verdict().running)
        told.say(held(state=IDLE))
        verdict = told.witness.verdict()
        self.assertEqual(((who(),), ()), (verdict.running, verdict.findings))

    def test_one_that_never_reported(self) -> None:
        """It counts for nothing."""
        told = Told()
        told.leave()
        self.assertEqual(0, told.witness.verdict().processes)


class LeakTests(SynchronousTestCase):
    """What processes notice themselves."""

    def test_each_kind(self) -> None:
        """Those that are leaks; what is told twice is counted once."""
        told = Told()
        kinds = [COLLECTED, SLOW, ABANDONED, UNCLOSED, "of a later version"]
        all_of_them = [notice(n, kind) for n, kind in enumerate(kinds, 1)]
        counters = Counters(leaks=3)
        told.say(notices=all_of_them[:2], counters=counters)
        told.say(notices=all_of_them, counters=counters)
        verdict = told.witness.verdict()
        found = [each.kind for each in verdict.findings]
        self.assertEqual([COLLECTED, ABANDONED, UNCLOSED], found)
        (first, *_) = verdict.findings
        self.assertEqual((0.5, SITE, None), (first.seconds, first.site, first.silent))
        self.assertEqual(0, verdict.untold)

    def test_abandoned_and_still_out(self) -> None:
        """It is one finding; a later checkout of the same connection is another."""
        for since, expected in ((4.0, [ABANDONED]), (6.0, [UNRETURNED, ABANDONED])):
            told = Told()
            told.say(held(since=since), notices=[notice(1, ABANDONED)], last=True)
            told.leave()
            found = [each.kind for each in told.witness.verdict().findings]
            self.assertEqual(expected, found)

    def test_returned_after_all(self) -> None:
        """It was none, and others are as they were; one that is none is not missed."""
        told = Told()
        leaks = Counters(checkouts=3, leaks=2)
        notices = [notice(1, ABANDONED), notice(2, ABANDONED, connection=2)]
        told.say(held(), held(2), notices=notices, counters=leaks)
        self.assertEqual(2, len(told.witness.verdict().findings))
        back = [notice(3, RETURNED), notice(4, RETURNED, connection=7)]
        told.say(
            held(state=IDLE),
            base=0,
            notices=back,
            # One more leaked, and was not told by itself.
            counters=Counters(checkouts=3, leaks=2),
            last=True,
        )
        told.leave()
        verdict = told.witness.verdict()
        self.assertEqual([ABANDONED], [each.kind for each in verdict.findings])
        self.assertEqual(1, verdict.untold)

    def test_a_leak_that_the_connection_tells(self) -> None:
        """Its notice was dropped, but it was counted."""
        told = Told()
        told.say(held(leak="thread ended"), counters=Counters(leaks=1), last=True)
        told.leave()
        verdict = told.witness.verdict()
        self.assertEqual(((), 1), (verdict.findings, verdict.untold))
        self.assertFalse(verdict.is_clean)

    def test_too_many_at_once(self) -> None:
        """What a process counted and could not tell is not lost."""
        told = Told()
        told.say(notices=[notice(1)], counters=Counters(leaks=70))
        verdict = told.witness.verdict()
        self.assertEqual((1, 69), (len(verdict.findings), verdict.untold))

    def test_too_many_in_all(self) -> None:
        """Only so many are kept one by one, however they come."""
        self.patch(witness, "MOST", 5)
        told = Told()
        for first in (1, 5):
            told.say(
                *(held(id) for id in range(2)),
                notices=[notice(first + each) for each in range(4)],
                counters=Counters(leaks=8),
                last=True,
            )
        told.leave()
        verdict = told.witness.verdict()
        self.assertEqual((5, 5), (len(verdict.findings), verdict.untold))

    @given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3)), max_size=8))
    def test_however_they_are_told(self, steps: list[tuple[int, int]]) -> None:
        """In reports that tell some again, after some that were dropped."""
        told = Told()
        number = leaks = 0
        for new, dropped in steps:
            again = range(max(number - 9, 1), number + 1)
            fresh = range(number + 1, number + new + 1)
            number, leaks = number + new, leaks + new + dropped
            notices = [notice(each) for each in (*again, *fresh)]
            told.say(notices=notices, counters=Counters(leaks=leaks))
        verdict = told.witness.verdict()
        self.assertEqual(number, len(verdict.findings))
        self.assertEqual(leaks - number, verdict.untold)
