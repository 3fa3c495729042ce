"""Tests of what a peer is told, and when: the rule alone."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from connmon.daemon.peering import (
    BEAT_SECONDS,
    DIGEST_SECONDS,
    FRUITLESS_SECONDS,
    GATHER_SECONDS,
    LOST_SECONDS,
    MOST_BYTES,
    MOST_DELTAS,
    MOST_RECORDS,
    PassedOn,
    Peering,
    Say,
    SayAlive,
    SayDeltas,
    SayDigest,
    SayRecords,
    SayRemarks,
    SaySums,
    SayVersions,
)
from connmon.errors import OutOfTurn
from connmon.model.exchange import Differences
from connmon.model.records import Home

HOME = Home("c", "c1")


def delta(process: str = "p1", payload: bytes = b"report") -> PassedOn:
    """A report to pass on."""
    return PassedOn(process, 1, payload)


class PeeringTests(SynchronousTestCase):
    """One peer."""

    def setUp(self) -> None:
        """A peer that was greeted, and has answered the first heartbeat and digest."""
        self.rule = Peering()
        self.rule.linked(0.0)
        self.assertEqual([SayAlive()], self.rule.next(0.0))
        self.rule.answered(0.0)
        self.assertEqual([SayDigest()], self.rule.next(0.0))
        self.rule.compared(Differences(), 0.0)
        self.assertEqual([], self.rule.next(0.0))

    def said(self, now: float) -> list[Say]:
        """What is said now, answered at once; the digest by agreement."""
        said = self.rule.next(now)
        for each in said:
            if isinstance(each, SayDigest):
                self.rule.compared(Differences(), now)
            elif isinstance(each, (SayDeltas, SayVersions)):
                self.rule.wanted([], now)
            else:
                self.rule.answered(now)
        return said

    def test_a_heartbeat_every_second_and_a_digest_every_two(self) -> None:
        """Also while there is nothing else to say."""
        self.assertEqual(BEAT_SECONDS, self.rule.wait(0.0))
        self.assertEqual([SayAlive()], self.said(BEAT_SECONDS))
        self.assertEqual([SayAlive()], self.said(DIGEST_SECONDS))
        self.assertEqual([SayDigest()], self.said(DIGEST_SECONDS))
        self.assertEqual([], self.said(DIGEST_SECONDS))

    def test_changes_gather(self) -> None:
        """The first leaves at once, what follows within a moment shares a box."""
        self.rule.changed("p1", delta())
        self.assertEqual([SayDeltas((delta(),))], self.said(0.1))
        self.rule.changed("p1", delta())
        self.rule.changed("p2", delta("p2"))
        self.assertEqual([], self.said(0.15))
        self.assertAlmostEqual(GATHER_SECONDS - 0.05, self.rule.wait(0.15))
        self.assertEqual([SayDeltas((delta(), delta("p2")))], self.said(0.31))

    def test_nothing_is_said_before_the_answer(self) -> None:
        """And who does not answer is lost."""
        self.rule.next(1.0)
        self.rule.changed("p1", delta())
        self.assertEqual([], self.rule.next(2.0))
        self.assertFalse(self.rule.overdue(1.0 + LOST_SECONDS - 0.1))
        self.assertTrue(self.rule.overdue(1.0 + LOST_SECONDS))

    def test_what_waits_for_a_slow_peer_is_bounded(self) -> None:
        """Past a few deltas, the whole record takes their place, once."""
        for _ in range(MOST_DELTAS + 5):
            self.rule.changed("p1", delta())
        self.assertEqual([SayRecords(("p1",))], self.said(0.5))
        self.assertEqual([], self.said(0.9))

    def test_a_whole_record_takes_the_place_of_what_waits(self) -> None:
        """What came before it is in it, and so is what comes after it."""
        self.rule.changed("p1", delta())
        self.rule.changed("p1", None)
        self.rule.changed("p1", delta())
        self.assertEqual([SayRecords(("p1",))], self.said(0.5))

    def test_what_waits_goes_right_before_a_digest(self) -> None:
        """In one breath, so that both speak of the same."""
        self.said(1.0)
        self.rule.changed("p0", None)
        self.said(1.95)
        self.rule.changed("p1", delta())
        self.said(2.0)
        self.assertEqual([SayDeltas((delta(),)), SayDigest()], self.said(2.01))

    def test_boxes_are_bounded(self) -> None:
        """By the number of records, and by the bytes of deltas."""
        big = b"x" * (MOST_BYTES // 2)
        for number in range(MOST_RECORDS + 1):
            self.rule.changed(f"w{number}", None)
        for number in range(3):
            self.rule.changed(f"d{number}", delta(f"d{number}", big))
        first, second, third, fourth = self.rule.next(0.5)
        assert isinstance(first, SayRecords)
        assert isinstance(second, SayRecords)
        self.assertEqual(
            (MOST_RECORDS, 1), (len(first.processes), len(second.processes))
        )
        assert isinstance(third, SayDeltas)
        assert isinstance(fourth, SayDeltas)
        self.assertEqual((2, 1), (len(third.deltas), len(fourth.deltas)))

    def test_what_differs_is_told(self) -> None:
        """A home's versions, sums, remarks; then the records that are wanted."""
        self.said(1.0), self.said(2.0)
        self.assertEqual([SayDigest()], self.rule.next(2.0))
        self.rule.compared(Differences((HOME,), frozenset({3}), {"a": 1}), 2.0)
        self.assertEqual(0.0, self.rule.agreed)
        self.assertEqual([SayVersions(HOME)], self.rule.next(2.0))
        self.rule.wanted(["p7"], 2.0)
        self.assertEqual([SayRecords(("p7",))], self.said(2.0))
        self.assertEqual([SaySums(frozenset({3}))], self.said(2.0))
        self.assertEqual([SayRemarks({"a": 1})], self.said(2.0))
        self.assertEqual([], self.said(2.0))

    def test_a_home_is_not_listed_again_and_again_in_vain(self) -> None:
        """Two nodes may have forgotten different things, which neither can mend."""
        listed = []
        now = 1.0
        while now < 2.0 + 2 * FRUITLESS_SECONDS:
            for say in self.rule.next(now):
                if isinstance(say, SayDigest):
                    self.rule.compared(Differences((HOME,)), now)
                elif isinstance(say, SayVersions):
                    listed.append(now)
                    self.rule.wanted([], now)
                else:
                    self.rule.answered(now)
            now += 0.25
        self.assertEqual(2, len(listed), listed)

    def test_nothing_is_kept_for_a_peer_that_is_lost(self) -> None:
        """What it lacks, the digest finds when it is back."""
        self.rule.changed("p1", delta())
        self.rule.lost()
        self.rule.changed("p2", None)
        self.assertEqual([], self.rule.next(5.0))
        self.rule.linked(9.0)
        self.assertEqual([SayAlive()], self.said(9.0))
        self.assertEqual([SayDigest()], self.said(9.0))
        self.assertEqual([], self.said(9.5))

    def test_an_answer_nobody_awaits_is_our_own_mistake(self) -> None:
        """It raises."""
        self.assertRaises(OutOfTurn, self.rule.answered, 0.1)
