"""Tests of how a node asks one process where it is, however many ask the node."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from connmon.daemon.inquiry import (
    APART_SECONDS,
    CROWDED,
    GONE,
    MOST_QUESTIONS,
    MOST_WAITING,
    SILENT,
    UNCLEAR,
    Inquiry,
)
from connmon.errors import ProtocolError
from connmon.model.stacks import Told
from connmon.wire.commands import STACK_SECONDS


class Process:
    """A process that answers when the test says so."""

    def __init__(self) -> None:
        """Asked by ``inquiry``."""
        self.clock = Clock()
        self.inquiry = Inquiry(self.clock, self.ask)
        #: For what it was asked, and when.
        self.asked: list[tuple[int | None, float]] = []
        self.answer: Deferred[Told] | None = None

    def ask(self, number: int | None) -> Deferred[Told]:
        """It is asked; never while it has not answered."""
        assert self.answer is None
        self.asked.append((number, self.clock.seconds()))
        self.answer = Deferred()
        return self.answer

    def tell(self, held: int) -> None:
        """Answer."""
        self.fire(Told(held))

    def fire(self, result: Any) -> None:
        """Answer, or fail to."""
        answer, self.answer = self.answer, None
        assert answer is not None
        answer.callback(result)

    def heard(self, number: int | None = None) -> list[Told]:
        """What somebody hears who asks now; empty as long as that is nothing."""
        heard: list[Told] = []
        self.inquiry.asked(number).addCallback(heard.append)
        return heard


class InquiryTests(SynchronousTestCase):
    """``Inquiry``."""

    def setUp(self) -> None:
        """A process."""
        self.process = Process()
        self.clock = self.process.clock

    def tearDown(self) -> None:
        """Once the process is gone nothing is left behind."""
        self.process.inquiry.end()
        self.assertEqual([], self.clock.getDelayedCalls())

    def numbers(self) -> list[int | None]:
        """For what the process was asked."""
        return [number for number, _ in self.process.asked]

    def test_a_question(self) -> None:
        """Is asked at once, and answered."""
        heard = self.process.heard(7)
        self.assertEqual(([7], []), (self.numbers(), heard))
        self.process.tell(3)
        self.assertEqual([Told(3)], heard)

    def test_the_same_question_at_once(self) -> None:
        """Is asked once, and all have the answer; so has who comes a little later."""
        first, second = self.process.heard(), self.process.heard()
        self.process.tell(3)
        third = self.process.heard()
        self.assertEqual([[Told(3)]] * 3, [first, second, third])
        self.assertEqual([None], self.numbers())
        self.clock.advance(APART_SECONDS)
        self.process.heard()
        self.assertEqual([None, None], self.numbers())

    def test_other_questions(self) -> None:
        """Wait for their turn, and there is a pause in between."""
        first, second = self.process.heard(1), self.process.heard(2)
        self.assertEqual([1], self.numbers())
        self.process.tell(1)
        self.assertEqual(([Told(1)], [1]), (first, self.numbers()))
        self.clock.advance(APART_SECONDS)
        self.assertEqual([1, 2], self.numbers())
        self.process.tell(2)
        self.assertEqual([Told(2)], second)

    def test_a_process_that_does_not_answer(self) -> None:
        """Nobody waits long, and it is asked nothing else before it does."""
        first, second = self.process.heard(1), self.process.heard(2)
        self.clock.advance(STACK_SECONDS - 0.1)
        self.assertEqual(([], []), (first, second))
        third = self.process.heard(1)
        self.clock.advance(0.2)
        self.assertEqual([[Told(why=SILENT)]] * 2, [first, second])
        self.assertEqual([], third)
        self.assertEqual([1], self.numbers())
        self.process.tell(1)
        self.assertEqual([Told(1)], third)

    def test_an_answer_that_comes_late(self) -> None:
        """It ends the wait for others, and serves who comes just then."""
        self.process.heard(1)
        self.clock.advance(STACK_SECONDS)
        self.process.tell(1)
        self.assertEqual([Told(1)], self.process.heard(1))
        later = self.process.heard(2)
        self.clock.advance(APART_SECONDS)
        self.process.tell(2)
        self.assertEqual([Told(2)], later)

    def test_too_many_questions(self) -> None:
        """They are not kept."""
        waiting = [self.process.heard(each) for each in range(MOST_QUESTIONS)]
        self.assertEqual([Told(why=CROWDED)], self.process.heard(99))
        self.assertEqual([[]] * MOST_QUESTIONS, waiting)

    def test_too_many_who_ask(self) -> None:
        """Nor are they."""
        waiting = [self.process.heard() for _ in range(MOST_WAITING)]
        self.assertEqual([Told(why=CROWDED)], self.process.heard())
        self.process.tell(3)
        self.assertEqual([[Told(3)]] * MOST_WAITING, waiting)

    def test_a_process_that_ends(self) -> None:
        """Whoever waits is told, and whoever asks later."""
        first, second = self.process.heard(1), self.process.heard(2)
        self.process.inquiry.end()
        self.assertEqual([[Told(why=GONE)]] * 2, [first, second])
        self.process.fire(Failure(ConnectionDone()))
        self.assertEqual([Told(why=GONE)], self.process.heard(1))

    def test_no_answer_at_all(self) -> None:
        """Why is said."""
        for error, why in (
            (ConnectionDone(), GONE),
            (ProtocolError("oh"), UNCLEAR),
        ):
            self.setUp()
            heard = self.process.heard()
            self.process.fire(Failure(error))
            self.assertEqual([Told(why=why)], heard)
            self.process.inquiry.end()

    @settings(deadline=None, max_examples=100, database=None)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["ask", "tell", "wait"]),
                st.integers(0, 12),
                st.floats(0, 3),
            ),
            max_size=60,
        )
    )
    def test_whatever_happens(self, steps: list[tuple[str, int, float]]) -> None:
        """Everyone hears once and in time, and a process is never pressed."""
        process = Process()
        heard: list[tuple[float, list[Told]]] = []
        answered = [float("-inf")]
        for what, number, seconds in steps:
            if what == "ask":
                asked = process.clock.seconds()
                heard.append((asked, process.heard(number or None)))
            elif what == "wait":
                process.clock.advance(seconds)
            elif process.answer is not None:
                process.tell(number)
                answered.append(process.clock.seconds())
            now = process.clock.seconds()
            for asked, told in heard:
                self.assertLessEqual(len(told), 1)
                self.assertTrue(told or now - asked < STACK_SECONDS)
        times = [at for _, at in process.asked]
        for before, after in zip(answered[1:], times[1:], strict=False):
            self.assertGreaterEqual(after - before, APART_SECONDS - 1e-9)
        process.inquiry.end()
        self.assertTrue(all(told for _, told in heard))
        self.assertEqual([], process.clock.getDelayedCalls())
