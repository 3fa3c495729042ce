"""Tests of the rule of when a process speaks, and what of."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from connmon.client.reporting import (
    FOLD_SECONDS,
    SHORTEST_INTERVAL,
    Alarm,
    Effect,
    Finish,
    Fold,
    Greet,
    HangUp,
    Phase,
    Register,
    Reporting,
    Send,
    Settled,
)
from connmon.errors import OutOfTurn
from connmon.model.board import Board, Verdict
from connmon.model.connection import Connection
from connmon.model.ledger import Ledger
from connmon.model.records import IDLE, Identity, PoolFacts
from connmon.wire.commands import HEARTBEAT_SECONDS
from tests.looks import look
from tests.model.marks import give, take


class ReportingTests(SynchronousTestCase):
    """One conversation, step by step."""

    def setUp(self) -> None:
        """A process that has not spoken yet."""
        self.rule = Reporting()

    def go_live(self, now: float = 0.0) -> None:
        """Link, greet, register, and have the first report answered."""
        self.rule.linked(now)
        self.rule.welcomed(now)
        self.rule.registered(1.0, now)
        self.rule.acknowledged(False, 1.0, now)

    def go_idle(self) -> None:
        """Live, and rested with nothing to say, twice."""
        self.go_live(-1.0)
        self.rule.alarm(0.0)
        self.rule.acknowledged(False, 1.0, 0.0)

    def test_the_conversation_begins_whole(self) -> None:
        """Greeting, registration, and a first report of everything."""
        look = Alarm(FOLD_SECONDS)
        self.assertEqual([Greet(), look], self.rule.linked(0.0))
        self.assertEqual([Register(1), look], self.rule.welcomed(0.0))
        self.assertEqual([Send(0, True, 0.0), look], self.rule.registered(2.0, 0.0))
        self.assertEqual([Alarm(2.5)], self.rule.acknowledged(False, 2.0, 0.5))

    def test_each_link_is_a_new_registration(self) -> None:
        """Numbers count upwards over all links, and each begins whole."""
        self.go_live()
        self.rule.lost(5.0)
        self.rule.linked(6.0)
        self.assertEqual(Register(2), self.rule.welcomed(6.0)[0])
        self.assertEqual(Send(0, True, 0.0), self.rule.registered(1.0, 6.0)[0])

    def test_the_first_change_after_quiet_leaves_at_once(self) -> None:
        """And what follows within the interval waits for its end."""
        self.go_idle()
        self.assertEqual(
            [Send(2, False, 0.0), Alarm(7.0 + FOLD_SECONDS)], self.rule.stirred(7.0)
        )
        self.assertEqual([], self.rule.stirred(7.1))
        self.rule.acknowledged(False, 1.0, 7.2)
        self.assertEqual(Phase.RESTING, self.rule.phase)
        settled, send, _ = self.rule.alarm(8.2)
        self.assertEqual(Settled(), settled)
        assert isinstance(send, Send)
        self.assertEqual((3, False), (send.sequence, send.whole))
        self.assertAlmostEqual(1.1, send.span)

    def test_a_second_report_follows_the_first(self) -> None:
        """Whether or not something stirred: it takes two to make a rate."""
        self.go_live()
        self.assertEqual(Send(1, False, 0.0), self.rule.alarm(1.0)[1])

    def test_nothing_ticks_while_idle_but_the_heartbeat(self) -> None:
        """One timer, thirty seconds after the last report was answered."""
        self.go_live()
        self.rule.alarm(1.0)
        at = 1.0 + HEARTBEAT_SECONDS
        self.assertEqual([Alarm(at)], self.rule.acknowledged(False, 1.0, 1.0))
        self.assertEqual(Phase.IDLE, self.rule.phase)
        self.assertEqual(Send(2, False, 0.0), self.rule.alarm(at)[0])

    def test_a_change_just_after_a_report_waits_for_the_interval(self) -> None:
        """However quiet it was: two reports are never closer together than that."""
        self.go_idle()
        self.assertEqual([Alarm(1.0)], self.rule.stirred(0.4))
        self.assertEqual([], self.rule.stirred(0.5))
        send = self.rule.alarm(1.0)[1]
        assert isinstance(send, Send)
        self.assertAlmostEqual(0.6, send.span)

    def test_one_report_in_flight(self) -> None:
        """Nothing is sent while an answer is awaited."""
        self.go_idle()
        self.rule.stirred(2.0)
        for now in (2.1, 3.0, 4.0):
            self.assertEqual([], self.rule.stirred(now))

    def test_a_late_answer_means_the_node_is_lost(self) -> None:
        """In each phase that awaits one."""
        for reach in (
            lambda rule: rule.linked(0.0),
            lambda rule: (rule.linked(0.0), rule.welcomed(0.0)),
            lambda rule: (rule.linked(0.0), rule.welcomed(0.0), rule.registered(1, 0)),
        ):
            rule = Reporting()
            reach(rule)
            self.assertEqual([HangUp], [type(each) for each in rule.alarm(5.0)])

    def test_marks_are_folded_while_an_answer_is_late(self) -> None:
        """So that nothing grows; what was folded is told by a whole report."""
        self.go_idle()
        self.rule.stirred(2.0)
        self.assertEqual([Fold(), Alarm(4.0)], self.rule.alarm(3.0))
        self.rule.stirred(3.1)
        self.rule.acknowledged(False, 1.0, 3.2)
        self.assertEqual(Send(3, True, 4.2 - 3.1), self.rule.alarm(4.2)[1])
        self.rule.acknowledged(False, 1.0, 4.3)
        self.rule.stirred(4.4)
        self.assertEqual(Send(4, False, 5.3 - 4.4), self.rule.alarm(5.3)[1])

    def test_a_node_that_takes_one_report_and_leaves_does_not_work(self) -> None:
        """It has settled when it is still there at the time of the next report."""
        self.rule.linked(0.0)
        self.rule.welcomed(0.0)
        self.rule.registered(1.0, 0.0)
        self.assertNotIn(Settled(), self.rule.acknowledged(False, 1.0, 0.1))
        self.assertNotIn(Settled(), self.rule.lost(0.2))

    def test_an_interval_without_sense_is_not_kept(self) -> None:
        """A node can ask neither for a flood nor for silence."""
        self.go_idle()
        for asked, kept in ((0.0, SHORTEST_INTERVAL), (1e8, HEARTBEAT_SECONDS)):
            self.rule.stirred(2.0)
            self.assertEqual(Phase.REPORTING, self.rule.phase)
            self.rule.stirred(2.0)
            self.rule.acknowledged(False, asked, 2.0)
            self.rule.alarm(2.0 + kept - 0.01)
            self.assertEqual(Phase.RESTING, self.rule.phase)
            self.assertIn(Settled(), self.rule.alarm(2.0 + kept))
            self.rule.acknowledged(False, SHORTEST_INTERVAL, 0.0)

    def test_the_node_can_ask_for_everything(self) -> None:
        """The next report is whole, whether or not something stirred."""
        self.go_live()
        self.rule.alarm(1.0)
        self.rule.stirred(2.0)
        self.rule.acknowledged(True, 1.0, 2.1)
        self.assertEqual(Send(2, True, 3.1 - 2.0), self.rule.alarm(3.1)[1])

    def test_a_busy_node_slows_reporting_down(self) -> None:
        """The interval of the last answer holds."""
        self.go_idle()
        self.rule.stirred(2.0)
        self.rule.acknowledged(False, 10.0, 2.0)
        self.rule.stirred(2.1)
        self.rule.alarm(11.9)
        self.assertEqual(Phase.RESTING, self.rule.phase)
        send = self.rule.alarm(12.0)[1]
        assert isinstance(send, Send)
        self.assertAlmostEqual(9.9, send.span)

    def test_marks_are_folded_while_a_busy_node_is_spared(self) -> None:
        """However long it wants to be; what was folded is told by a whole report."""
        self.go_idle()
        self.rule.stirred(2.0)
        self.rule.acknowledged(False, 2.5, 2.0)
        self.assertEqual([Alarm(3.25)], self.rule.stirred(2.25))
        self.assertEqual([Fold(), Alarm(4.25)], self.rule.alarm(3.25))
        self.assertEqual([], self.rule.stirred(3.5))
        self.assertEqual([Fold(), Alarm(4.5)], self.rule.alarm(4.25))
        settled, send, _ = self.rule.alarm(4.5)
        self.assertEqual((Settled(), Send(3, True, 2.25)), (settled, send))
        # Also what came before the rest began.
        self.rule.stirred(4.5)
        self.assertEqual([Alarm(5.75)], self.rule.acknowledged(False, 2.5, 4.75))

    def test_an_alarm_that_rings_early_by_rounding(self) -> None:
        """It is the end of the rest nevertheless."""
        self.go_idle()
        self.rule.stirred(2.0)
        self.rule.stirred(2.0)
        self.rule.acknowledged(False, 1.0, 2.0)
        self.assertEqual(Send(3, False, 2.9999 - 2.0), self.rule.alarm(2.9999)[1])

    def test_nothing_is_folded_while_nothing_happens(self) -> None:
        """Where there is only a second report to come, the rest is one wait."""
        self.rule.linked(0.0)
        self.rule.welcomed(0.0)
        self.rule.registered(5.0, 0.0)
        self.assertEqual([Alarm(5.0)], self.rule.acknowledged(False, 5.0, 0.0))
        self.assertEqual(Send(1, False, 0.0), self.rule.alarm(5.0)[1])
        self.assertEqual([Alarm(10.0)], self.rule.acknowledged(True, 5.0, 5.0))
        self.assertEqual([Alarm(7.5)], self.rule.stirred(6.5))

    def test_offline_marks_are_folded_now_and_then(self) -> None:
        """So that a process without a node does not grow, nor spin."""
        self.assertEqual([Alarm(3.0 + FOLD_SECONDS)], self.rule.stirred(3.0))
        self.assertEqual([Alarm(None), Fold()], self.rule.alarm(4.0))

    def test_what_was_lost_in_flight_keeps_its_time(self) -> None:
        """The next report's span reaches back to the first change not yet told."""
        self.go_idle()
        self.rule.stirred(10.0)
        self.assertEqual([Alarm(None), Fold()], self.rule.lost(12.0))
        self.rule.linked(40.0)
        self.rule.welcomed(40.0)
        self.assertEqual(Send(0, True, 30.0), self.rule.registered(1.0, 40.0)[0])

    def test_a_process_that_ends_tells_what_is_left(self) -> None:
        """At once, without resting, and then is done."""
        self.go_live()
        self.rule.stirred(0.2)
        self.assertIsInstance(self.rule.finishing(0.3)[0], Send)
        self.assertEqual(
            [Alarm(None), Finish()], self.rule.acknowledged(False, 1.0, 0.4)
        )

    def test_a_process_that_ends_waits_for_the_report_in_flight(self) -> None:
        """And sends one more if something stirred since."""
        self.go_idle()
        self.rule.stirred(2.0)
        self.assertEqual([], self.rule.finishing(2.1))
        self.rule.stirred(2.2)
        self.assertIsInstance(self.rule.acknowledged(False, 1.0, 2.3)[0], Send)
        self.assertEqual(
            [Alarm(None), Finish()], self.rule.acknowledged(False, 1.0, 2.4)
        )

    def test_a_process_that_ends_while_it_registers_still_reports(self) -> None:
        """What a short program did is told if a node is there to hear it."""
        self.rule.linked(0.0)
        self.assertEqual([], self.rule.finishing(0.0))
        self.rule.welcomed(0.1)
        self.assertEqual(Send(0, True, 0.0, True), self.rule.registered(1.0, 0.1)[0])
        self.assertEqual(
            [Alarm(None), Finish()], self.rule.acknowledged(False, 1.0, 0.2)
        )

    def test_the_last_word(self) -> None:
        """Where one is wanted, it is said even if nothing is left to tell; once."""
        self.rule = Reporting(last_word=True)
        self.go_idle()
        send = self.rule.finishing(2.0)[0]
        self.assertEqual(Send(2, False, 0.0, True), send)
        self.assertEqual(
            [Alarm(None), Finish()], self.rule.acknowledged(False, 1.0, 2.1)
        )

    def test_the_last_word_follows_a_report_in_flight(self) -> None:
        """Which was sent before the end was near."""
        self.rule = Reporting(last_word=True)
        self.go_idle()
        sent = self.rule.stirred(2.0)[0]
        self.assertEqual(Send(2, False, 0.0), sent)
        self.assertEqual([], self.rule.finishing(2.1))
        last = self.rule.acknowledged(False, 1.0, 2.2)[0]
        self.assertEqual(Send(3, False, 0.0, True), last)

    def test_a_process_that_ends_offline_is_done_at_once(self) -> None:
        """There is nobody to tell; also if the link is lost on the way out."""
        self.assertEqual([Alarm(None), Finish()], self.rule.finishing(1.0))
        rule = self.rule = Reporting()
        self.go_idle()
        rule.stirred(2.0)
        rule.finishing(2.1)
        self.assertEqual([Alarm(None), Finish()], rule.lost(2.2))

    def test_what_cannot_happen_raises_before_anything_changes(self) -> None:
        """An answer nobody awaits is our own mistake."""
        for impossible in (
            lambda: self.rule.welcomed(0.0),
            lambda: self.rule.registered(1.0, 0.0),
            lambda: self.rule.acknowledged(False, 1.0, 0.0),
        ):
            self.assertRaises(OutOfTurn, impossible)
        self.assertEqual(Phase.OFFLINE, self.rule.phase)


class Conversation(RuleBasedStateMachine):
    """A real ledger and a real board, and a network that fails between them.

    Each input is a step of its own, so that anything can come between any two.
    """

    def __init__(self) -> None:
        """A process that uses a database, and a node that knows nothing."""
        super().__init__()
        self.rule = Reporting()
        self.stirs = 0
        self.ledger = Ledger(self.wake)
        self.pool = self.ledger.pool("x", PoolFacts("x", "QueuePool", 5, 10))
        self.board = Board("default", "node1")
        self.now = 0.0
        self.alarm_at: float | None = None
        self.questions: list[Effect] = []
        self.open: list[Connection] = []
        self.taken = 0
        self.shown = 0
        self.report = self.ledger.whole(0, 0.0, 0.0)
        self.truth = (0, 0)

    def wake(self) -> bool:
        """The ledger's mark is heard in the reporting thread a little later."""
        self.stirs += 1
        return True

    def perform(self, effects: list[Effect]) -> None:
        """Be the shell."""
        for effect in effects:
            match effect:
                case Alarm(at):
                    self.alarm_at = at
                case Fold():
                    self.ledger.fold()
                case HangUp():
                    self.loses_the_link()
                case Greet() | Register() | Send():
                    assert not self.questions, "two questions at once"
                    self.questions = [effect]
                    if isinstance(effect, Send):
                        self.collect(effect)

    def collect(self, send: Send) -> None:
        """Make the report when it is sent, and note what is true then."""
        assert 0.0 <= send.span <= self.now
        make = self.ledger.whole if send.whole else self.ledger.collect
        self.report = make(send.sequence, self.now, send.span)
        self.truth = (self.taken, len(self.open))

    @rule(wait=st.floats(0.0, 3.0))
    def time_passes(self, wait: float) -> None:
        """Until the alarm at most, which then rings."""
        self.now += wait
        if self.alarm_at is not None and self.now >= self.alarm_at:
            self.now, self.alarm_at = self.alarm_at, None
            self.perform(self.rule.alarm(self.now))

    @rule()
    def uses_the_database(self) -> None:
        """The application opens a connection, or takes one again."""
        idle = [each for each in self.open if each.state == IDLE]
        if not idle:
            idle.append(self.ledger.opened(self.pool, self.now))
            self.open += idle
        take(idle[-1], self.now)
        self.taken += 1

    @precondition(lambda self: self.open)
    @rule(closes=st.booleans())
    def gives_back(self, closes: bool) -> None:
        """The application gives a connection back, or closes it."""
        give(self.open[0], self.now)
        if closes:
            self.ledger.closed(self.open.pop(0), self.now)

    @precondition(lambda self: self.stirs)
    @rule()
    def the_mark_is_heard(self) -> None:
        """The reporting thread wakes."""
        self.stirs -= 1
        self.perform(self.rule.stirred(self.now))

    @precondition(lambda self: self.rule.phase is Phase.OFFLINE)
    @rule()
    def links(self) -> None:
        """A node accepts."""
        self.perform(self.rule.linked(self.now))

    @precondition(lambda self: self.rule.phase is not Phase.OFFLINE)
    @rule()
    def loses_the_link(self) -> None:
        """The link ends, with whatever was on its way."""
        self.questions = []
        self.board.departed("p1", self.rule.registration, self.now)
        self.perform(self.rule.lost(self.now))

    @rule()
    def the_node_restarts(self) -> None:
        """All it knew is gone; so is the link."""
        self.board = Board("default", "node1")
        self.shown = 0
        if self.rule.phase is not Phase.OFFLINE:
            self.loses_the_link()

    @precondition(lambda self: self.questions)
    @rule(interval=st.sampled_from([0.5, 1.0, 2.5]))
    def the_node_answers(self, interval: float) -> None:
        """The question on its way is answered; a report is true at that moment."""
        question = self.questions.pop()
        match question:
            case Greet():
                self.perform(self.rule.welcomed(self.now))
            case Register(registration):
                identity = Identity("p1", "h1", "api", 1)
                assert self.board.registered(identity, registration)
                self.perform(self.rule.registered(interval, self.now))
            case Send():
                verdict = self.board.reported(
                    "p1", self.rule.registration, self.report, self.now
                )
                assert verdict is Verdict.APPLIED
                self.check()
                self.perform(self.rule.acknowledged(False, interval, self.now))

    def check(self) -> None:
        """What the node shows is what was so when it was sent, and never runs back."""
        told = self.report.counters.checkouts
        assert (told, look(self.board, self.now).connections.current) == self.truth
        assert told >= self.shown
        self.shown = told

    def teardown(self) -> None:
        """Given a link and some time, the node always learns everything."""
        if self.rule.phase is Phase.OFFLINE:
            self.links()
        for _ in range(20):
            if self.stirs:
                self.the_mark_is_heard()
            elif self.questions:
                self.the_node_answers(interval=1.0)
            elif self.rule.phase is not Phase.IDLE:
                self.time_passes(3.0)
        assert self.rule.phase is Phase.IDLE
        assert self.shown == self.taken
        assert look(self.board, self.now).connections.current == len(self.open)


class ReportingPropertyTests(SynchronousTestCase):
    """Random conversations."""

    def test_the_node_always_catches_up(self) -> None:
        """Whatever is lost on the way, the last word is the truth."""
        run_state_machine_as_test(
            Conversation, settings=settings(max_examples=150, deadline=None)
        )
