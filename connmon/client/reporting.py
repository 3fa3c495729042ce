"""When a process speaks, and what of: the rule, without clock, socket or ledger.

::

              linked             welcomed              registered
    OFFLINE ---------> GREETING ---------> REGISTERING -----------.
       ^                                                          | send whole
       |                    .-------------------------------------'
       | lost, from         v   acknowledged, more to tell
       | anywhere       REPORTING ------------------------> RESTING
       |                 ^  |  ^                             ^  |
       |    stirred, or  |  |  '-------- interval over ------|--'
       |    beat         |  | acknowledged                   |
       |                 |  v                                |
       '---------------  IDLE ----- stirred too soon --------'

One report is in flight at most. While an answer is awaited, its lateness is watched;
while idle, only the heartbeat is. Where nothing is told for long, offline, while an
answer is late or a busy node wants to be spared, marks are folded away once a second so
that nothing grows. Each state has exactly one alarm.

Inputs say what happened, at ``now`` seconds of the process's monotonic clock, and
return what must follow, in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from connmon.errors import OutOfTurn
from connmon.wire.commands import ANSWER_SECONDS, HEARTBEAT_SECONDS

FOLD_SECONDS = 1.0
"""How long marks gather at most before they are told or folded away, in seconds."""

EARLY_SECONDS = 0.001
"""How much too early an alarm may ring: times are floats, and rounded on the way."""

SHORTEST_INTERVAL = 0.1
"""Seconds left between two reports, whatever a node asks for."""


class Phase(Enum):
    """Where the conversation with a node stands."""

    OFFLINE = "offline"
    GREETING = "greeting"
    REGISTERING = "registering"
    REPORTING = "reporting"
    RESTING = "resting"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class Greet:
    """Send ``Hello``."""


@dataclass(frozen=True, slots=True)
class Register:
    """Send ``Register`` with this number."""

    registration: int


@dataclass(frozen=True, slots=True)
class Send:
    """Collect and send a report; everything, if ``whole``.

    ``last`` says that the process is about to end.
    """

    sequence: int
    whole: bool
    span: float
    last: bool = False


@dataclass(frozen=True, slots=True)
class Fold:
    """Keep the books: nobody listens."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The node took a report and was still there when the next was due: it works."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close the link and look for another node."""


@dataclass(frozen=True, slots=True)
class Finish:
    """All that could be told has been: the process may end."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Call ``alarm`` at this time; replaces the alarm before. ``None``: no alarm."""

    at: float | None


Question = Greet | Register | Send
Effect = Question | Fold | Settled | HangUp | Finish | Alarm


class Reporting:
    """One process's conversation with one node after another."""

    def __init__(self, last_word: bool = False) -> None:
        """Begin offline, with nothing stirred.

        With ``last_word``, a process that ends says so even if nothing is left to tell.
        """
        self.phase = Phase.OFFLINE
        #: How often this process has registered, with any node.
        self.registration = 0
        self._sequence = 0
        self._interval = 1.0
        self._whole = True
        self._stirred: float | None = None
        self._sent_stirred: float | None = None
        self._finishing = False
        self._owes_last_word = last_word
        self._overdue = 0.0
        self._rested_at = 0.0
        self._fresh = False

    def linked(self, now: float) -> list[Effect]:
        """A link to a node was made."""
        self._expect(Phase.OFFLINE)
        return self._await_answer(Phase.GREETING, Greet(), now)

    def welcomed(self, now: float) -> list[Effect]:
        """The node answered the greeting."""
        self._expect(Phase.GREETING)
        self.registration += 1
        return self._await_answer(Phase.REGISTERING, Register(self.registration), now)

    def registered(self, interval: float, now: float) -> list[Effect]:
        """The node knows who we are; it gets everything."""
        self._expect(Phase.REGISTERING)
        self._keep(interval)
        self._sequence = -1
        self._whole = True
        self._fresh = True
        return self._send(now)

    def acknowledged(self, whole: bool, interval: float, now: float) -> list[Effect]:
        """The node answered a report; ``whole`` if it wants everything."""
        self._expect(Phase.REPORTING)
        self._keep(interval)
        if whole:
            self._unsend()
            self._whole = True
        self._sent_stirred = None
        if self._finishing:
            return self._finish(now)
        if self._has_more():
            return [self._rest(now + self._interval, now)]
        return self._idle(now + self._interval)

    def stirred(self, now: float) -> list[Effect]:
        """Something changed in the ledger, the first time since it was last read."""
        is_first = self._stirred is None
        if is_first:
            self._stirred = now
        if self.phase is Phase.IDLE:
            return self._speak_up(now)
        if self.phase is Phase.OFFLINE:
            return [Alarm(now + FOLD_SECONDS)]
        if self.phase is Phase.RESTING and is_first:
            return [self._rest(self._rested_at, now)]
        return []

    def alarm(self, now: float) -> list[Effect]:
        """The time asked for has come."""
        if self.phase is Phase.OFFLINE:
            return [Alarm(None), Fold()]
        if self.phase is Phase.IDLE:
            return self._send(now)
        if self.phase is Phase.RESTING:
            if now >= self._rested_at - EARLY_SECONDS:
                return [Settled(), *self._rested(now)]
            return self._fold(self._rest(self._rested_at, now))
        if now >= self._overdue:
            return [HangUp()]
        return self._fold(self._look(now))

    def lost(self, now: float) -> list[Effect]:
        """The link is gone, for whatever reason. Twice is once."""
        self.phase = Phase.OFFLINE
        self._unsend()
        if self._finishing:
            return [Alarm(None), Finish()]
        return [Alarm(None), Fold()]

    def finishing(self, now: float) -> list[Effect]:
        """The process is about to end: tell what is left, without resting."""
        self._finishing = True
        if self.phase in (Phase.IDLE, Phase.RESTING):
            return self._finish(now)
        if self.phase is Phase.OFFLINE:
            return [Alarm(None), Finish()]
        return []

    def _fold(self, alarm: Alarm) -> list[Effect]:
        """Fold, with a node to tell: what is lost by that, the next report tells."""
        self._whole = True
        return [Fold(), alarm]

    def _finish(self, now: float) -> list[Effect]:
        """Tell the rest if there is any, else be done."""
        if self._stirred is not None or self._owes_last_word:
            return self._send(now)
        return [Alarm(None), Finish()]

    def _send(self, now: float) -> list[Effect]:
        """Send what there is; its changes happened since the first of them stirred."""
        span = 0.0 if self._stirred is None else now - self._stirred
        self._sequence += 1
        self._sent_stirred, self._stirred = self._stirred, None
        send = Send(self._sequence, self._whole, span, self._finishing)
        self._whole = False
        if self._finishing:
            self._owes_last_word = False
        return self._await_answer(Phase.REPORTING, send, now)

    def _unsend(self) -> None:
        """What was in flight did not arrive: its changes are still to be told."""
        if self._sent_stirred is not None:
            self._stirred = self._sent_stirred
            self._sent_stirred = None

    def _await_answer(
        self, phase: Phase, question: Question, now: float
    ) -> list[Effect]:
        self.phase = phase
        self._overdue = now + ANSWER_SECONDS
        return [question, self._look(now)]

    def _look(self, now: float) -> Alarm:
        """When to look again whether an answer is overdue."""
        return Alarm(min(now + FOLD_SECONDS, self._overdue))

    def _has_more(self) -> bool:
        """Whether there is another report to make as soon as may be.

        The second follows the first whatever happens: two make a rate.
        """
        return self._stirred is not None or self._whole or self._fresh

    def _rested(self, now: float) -> list[Effect]:
        """The interval is over: the next report, or quiet until something stirs."""
        if self._has_more():
            self._fresh = False
            return self._send(now)
        return self._idle(now)

    def _rest(self, until: float, now: float) -> Alarm:
        """Nothing more is said before ``until``; what stirs meanwhile is folded."""
        self.phase = Phase.RESTING
        self._rested_at = until
        return Alarm(until if self._stirred is None else min(until, now + FOLD_SECONDS))

    def _idle(self, rested: float) -> list[Effect]:
        """Nothing to say before the heartbeat; if there is, not before ``rested``.

        Not a rest first: the thread would be woken only to find that all is quiet.
        """
        self.phase = Phase.IDLE
        self._rested_at = rested
        return [Alarm(rested + HEARTBEAT_SECONDS - self._interval)]

    def _speak_up(self, now: float) -> list[Effect]:
        """Something stirred while idle: tell it at once, unless a report just went."""
        if now >= self._rested_at:
            return self._send(now)
        return [self._rest(self._rested_at, now)]

    def _keep(self, interval: float) -> None:
        """Keep the node's interval, as far as it makes sense."""
        self._interval = min(max(interval, SHORTEST_INTERVAL), HEARTBEAT_SECONDS)

    def _expect(self, phase: Phase) -> None:
        if self.phase is not phase:
            raise OutOfTurn(f"in phase {self.phase.value}, not {phase.value}")
