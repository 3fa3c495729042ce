"""Asking one process where it is: one question at a time, and not too often.

Who asks the same as is being asked shares its answer, and one that is young serves all
who come. Each waits for a bounded time only; a process that has not answered is not
asked anything else before it does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from connmon.errors import ProtocolError
from connmon.model.stacks import Told
from connmon.wire.commands import STACK_SECONDS
from connmon.wire.without_tls import amp

APART_SECONDS = 0.25
"""Seconds that an answer serves others too, before a process is asked again."""

MOST_QUESTIONS = 8
"""How many different questions to one process may wait."""

MOST_WAITING = 100
"""How many may wait for an answer to the same one."""

SILENT = f"it does not answer within {STACK_SECONDS:g} seconds"
CROWDED = "too many ask for its stacks"
GONE = "it is gone"
UNCLEAR = "its answer cannot be understood"

Ask = Callable[["int | None"], "Deferred[Told]"]
"""Asks the process for one of its connections, or all that are out.

Fires with what it says, or fails; and at last when its link ends.
"""


@dataclass(slots=True)
class _Question:
    """What somebody waits for; ``number`` is of a connection."""

    number: int | None
    waiting: list[Deferred[Told]] = field(default_factory=list)


class Inquiry:
    """The questions to one process."""

    def __init__(self, clock: Any, ask: Ask) -> None:
        """Nothing is asked yet."""
        self._clock = clock
        self._ask = ask
        self._questions: dict[int | None, _Question] = {}
        self._asked: _Question | None = None
        self._answers: dict[int | None, Told] = {}
        self._pause: Any = None
        self._ended = False

    def asked(self, number: int | None) -> Deferred[Told]:
        """Somebody asks; fires with the answer, or with why there is none."""
        answer: Deferred[Told] = Deferred(lambda it: self._give_up(number, it))
        why = GONE if self._ended else self._crowded(number)
        if why or number in self._answers:
            answer.callback(Told(why=why) if why else self._answers[number])
            return answer
        question = self._questions.setdefault(number, _Question(number))
        question.waiting.append(answer)
        answer.addTimeout(STACK_SECONDS, self._clock, lambda *_: Told(why=SILENT))
        self._next()
        return answer

    def end(self) -> None:
        """The process is gone; whoever waits is told."""
        self._ended = True
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        questions, self._questions = self._questions, {}
        for question in questions.values():
            _tell(question, Told(why=GONE))

    def _crowded(self, number: int | None) -> str:
        question = self._questions.get(number)
        if question is None:
            return CROWDED if len(self._questions) >= MOST_QUESTIONS else ""
        return CROWDED if len(question.waiting) >= MOST_WAITING else ""

    def _give_up(self, number: int | None, answer: Deferred[Told]) -> None:
        """Somebody waits no longer."""
        question = self._questions.get(number)
        if question is None or answer not in question.waiting:
            return
        question.waiting.remove(answer)
        if not question.waiting and question is not self._asked:
            del self._questions[number]

    def _next(self) -> None:
        """Ask the next question, unless one is asked or was just now."""
        if self._asked is not None or self._pause is not None or not self._questions:
            return
        self._asked = question = next(iter(self._questions.values()))
        self._ask(question.number).addErrback(_failed).addCallback(
            self._answered, question
        )

    def _answered(self, told: Told, question: _Question) -> None:
        self._asked = None
        if self._ended:
            return
        del self._questions[question.number]
        self._answers[question.number] = told
        self._pause = self._clock.callLater(APART_SECONDS, self._paused)
        _tell(question, told)

    def _paused(self) -> None:
        self._pause = None
        self._answers.clear()
        self._next()


def _tell(question: _Question, told: Told) -> None:
    waiting, question.waiting = question.waiting, []
    for each in waiting:
        each.callback(told)


def _failed(failure: Failure) -> Told:
    """Its answer was none, or its link ended."""
    broken = failure.check(ProtocolError, amp.RemoteAmpError)
    return Told(why=UNCLEAR if broken else GONE)
