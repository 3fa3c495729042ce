"""When a process speaks, and what of: the rule, without clock, socket or ledger.

::

              linked             welcomed              registered
    OFFLINE ---------> GREETING ---------> REGISTERING -----------.
       ^                                                          | send whole
       |                               .--------------------------'
       | lost, from                    v     acknowledged
       | anywhere                  REPORTING ------------> RESTING
       |                               ^                  |      |
       |                        stirred|          stirred |      | interval over,
       |                        or beat|    interval over |      | nothing stirred
       '------------------------       '-- IDLE <---------|------'
                                       ^                  |
                                       '---- send --------'

One report is in flight at most. While an answer is awaited, its lateness is watched;
while idle, only the heartbeat is; while offline, and while an answer is late, marks are
folded away now and then so that nothing grows. Each state has exactly one alarm.

Inputs say what happened, at ``now`` seconds of the process's monotonic clock, and
return what must follow, in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from connmon.errors import OutOfTurn
from connmon.wire.commands import ANSWER_SECONDS, HEARTBEAT_SECONDS

FOLD_SECONDS = 1.0
"""How long marks gather while there is no node to tell, in seconds."""


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
    """Collect and send a report; everything, if ``whole``."""

    sequence: int
    whole: bool
    span: float


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

    def __init__(self) -> None:
        """Begin offline, with nothing stirred."""
        self.phase = Phase.OFFLINE
        #: How often this process has registered, with any node.
        self.registration = 0
        self._sequence = 0
        self._interval = 1.0
        self._whole = True
        self._stirred: float | None = None
        self._sent_stirred: float | None = None
        self._finishing = False
        self._overdue = 0.0
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
        self.phase = Phase.RESTING
        return [Alarm(now + self._interval)]

    def stirred(self, now: float) -> list[Effect]:
        """Something changed in the ledger, the first time since it was last read."""
        if self._stirred is None:
            self._stirred = now
        if self.phase is Phase.IDLE:
            return self._send(now)
        if self.phase is Phase.OFFLINE:
            return [Alarm(now + FOLD_SECONDS)]
        return []

    def alarm(self, now: float) -> list[Effect]:
        """The time asked for has come."""
        if self.phase is Phase.OFFLINE:
            return [Alarm(None), Fold()]
        if self.phase is Phase.IDLE:
            return self._send(now)
        if self.phase is Phase.RESTING:
            return [Settled(), *self._rested(now)]
        if now >= self._overdue:
            return [HangUp()]
        # What is folded here is told by the next report, so that has to be whole.
        self._whole = True
        return [Fold(), self._look(now)]

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

    def _finish(self, now: float) -> list[Effect]:
        """Tell the rest if there is any, else be done."""
        if self._stirred is not None:
            return self._send(now)
        return [Alarm(None), Finish()]

    def _send(self, now: float) -> list[Effect]:
        """Send what there is; its changes happened since the first of them stirred."""
        span = 0.0 if self._stirred is None else now - self._stirred
        self._sequence += 1
        self._sent_stirred, self._stirred = self._stirred, None
        send = Send(self._sequence, self._whole, span)
        self._whole = False
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

    def _rested(self, now: float) -> list[Effect]:
        """The interval is over: the next report, or quiet until something stirs."""
        if self._stirred is not None or self._whole or self._fresh:
            # The second report follows the first whatever happens: two make a rate.
            self._fresh = False
            return self._send(now)
        self.phase = Phase.IDLE
        return [Alarm(now + max(HEARTBEAT_SECONDS - self._interval, 0.0))]

    def _keep(self, interval: float) -> None:
        """Keep the node's interval, as far as it makes sense."""
        self._interval = min(max(interval, SHORTEST_INTERVAL), HEARTBEAT_SECONDS)

    def _expect(self, phase: Phase) -> None:
        if self.phase is not phase:
            raise OutOfTurn(f"in phase {self.phase.value}, not {phase.value}")
