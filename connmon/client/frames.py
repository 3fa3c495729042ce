"""Where a thread, a greenlet or a task is now: the lines of code, and no values.

The reporting thread looks at others while they work. A frame that ends while we have a
reference to it is left for us to clear, and with it what only its variables kept: a
connection, say, would be returned to its pool by our thread. So a stack is walked from
its first frame to its last within one call of C, in which Python does not change
threads, and what is kept of a frame is its code object and its line.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import accumulate, chain, islice, repeat
from operator import attrgetter, methodcaller
from types import AsyncGeneratorType, CodeType, CoroutineType
from typing import Any, NamedTuple

DEEPEST = 1000
"""How many frames of one stack are looked at."""

Line = tuple[CodeType, "int | None"]
"""A function, and the line in it if there is one."""

_line_of: Any = attrgetter("f_code", "f_lineno")
_suspended_in: Any = attrgetter("gr_frame")


class _Kind:
    """A kind of coroutine: how it tells where it is, and for whom it waits."""

    def __init__(self, prefix: str, awaited: str) -> None:
        self.code = f"{prefix}_code"
        self.frame = f"{prefix}_frame"
        self.running = f"{prefix}_running"
        self.awaited = f"{prefix}_{awaited}"
        self.line: Any = attrgetter(f"{self.frame}.f_code", f"{self.frame}.f_lineno")

    def runs(self, coroutine: Any) -> bool:
        """Whether it runs; a generator says so of itself while it only awaits, too."""
        running = getattr(coroutine, self.running)
        return running and getattr(coroutine, self.awaited) is None


KINDS = (_Kind("cr", "await"), _Kind("ag", "await"), _Kind("gi", "yieldfrom"))
"""All kinds that there are."""

#: What is behind what is awaited, by the name of its type.
_WRAPPED: dict[str, Any] = {
    "async_generator_asend": AsyncGeneratorType,
    "async_generator_athrow": AsyncGeneratorType,
    "coroutine_wrapper": CoroutineType,
}


_SEES_GREENLETS = sys.implementation.name != "pypy"
"""PyPy's greenlets have frames whose callers lead back to themselves."""


class Seen(NamedTuple):
    """The lines of a stack, the most recent call last; or why there are none.

    With lines, ``note`` says what of it could not be seen.
    """

    lines: list[Line]
    note: str = ""


def of_thread(ident: int) -> Seen:
    """Where the thread of that number is."""
    lines = _thread_lines(ident)
    return Seen(lines[::-1], "" if lines else "its thread has ended")


def of_greenlet(greenlet: Any, ident: int) -> Seen:
    """Where a greenlet is, which belongs to the thread of that number."""
    if not _SEES_GREENLETS:
        return Seen([], "greenlets are not to be seen on PyPy")
    lines = _outwards(map(_suspended_in, (greenlet,)))
    if lines:
        return Seen(lines[::-1])
    if greenlet:
        # It runs: what its thread does is what it does.
        return of_thread(ident)
    return Seen([], "its greenlet has ended")


def of_task(task: Any) -> Seen:
    """Where a task of asyncio's is, through all that it awaits."""
    if task.done():
        return Seen([], "its task has ended")
    lines: list[Line] = []
    awaited: Any = task.get_coro()
    for _ in range(DEEPEST):
        kind = next((each for each in KINDS if hasattr(awaited, each.code)), None)
        if kind is None:
            awaited = behind(awaited)
        elif kind.runs(awaited):
            return _running(task, awaited, kind, lines)
        else:
            # A coroutine that ends meanwhile has no frame any more.
            with suppress(AttributeError):
                lines.append(kind.line(awaited))
            lines += _spawned(awaited, kind)
            awaited = getattr(awaited, kind.awaited)
        if awaited is None:
            return Seen(lines, "" if lines else "it is not to be seen where it is")
    return Seen(lines, "it is too deep in what it awaits to be seen whole")


# -- one call of C each ----------------------------------------------------------------


def _outwards(innermost: Iterator[Any]) -> list[Line]:
    """The lines from a frame, the one that ``innermost`` makes, to the outermost."""
    lines: list[Line] = []
    steps: Any = chain(innermost, repeat("f_back", DEEPEST - 1))
    with suppress(AttributeError):  # that of None, beyond the outermost
        lines.extend(map(_line_of, accumulate(steps, getattr)))
    return lines


def _thread_lines(ident: int) -> list[Line]:
    """The lines of a thread, the innermost first."""
    return _outwards(map(methodcaller("get", ident), _threads()))


def _threads() -> Iterator[Any]:
    """The frames of all threads, made when they are asked for, and once."""
    return islice(iter(sys._current_frames, None), 1)


def _referred(objects: Iterable[Any], kind: Any) -> list[Any]:
    """What of a kind these refer to."""
    found: list[Any] = []
    referents = chain.from_iterable(map(gc.get_referents, objects))
    found.extend(filter(kind.__instancecheck__, referents))
    return found


# -- what is behind what is awaited ----------------------------------------------------


def behind(awaited: Any) -> Any:
    """The coroutine behind what Python wraps around it; ``None`` for anything else."""
    kind = _WRAPPED.get(type(awaited).__name__)
    found = [] if kind is None else _referred((awaited,), kind)
    return found[0] if found else None


def _spawned(coroutine: Any, kind: _Kind) -> list[Line]:
    """The lines of the greenlet of SQLAlchemy's for which a coroutine of its waits."""
    module = sys.modules.get("greenlet") if _SEES_GREENLETS else None
    if module is None or getattr(coroutine, kind.code).co_name != "greenlet_spawn":
        return []
    # Python 3.10 has the variables at the frame, the others at the coroutine.
    holders = chain((coroutine,), map(attrgetter(kind.frame), (coroutine,)))
    for greenlet in _referred(holders, module.greenlet):
        if str(type(greenlet).__module__).startswith("sqlalchemy."):
            return _outwards(map(_suspended_in, (greenlet,)))[::-1]
    return []


def _running(task: Any, coroutine: Any, kind: _Kind, before: list[Line]) -> Seen:
    """The lines of a task that runs just now: ``before``, and those of its thread."""
    code = getattr(coroutine, kind.code)
    ident = getattr(task.get_loop(), "_thread_id", None)
    idents = chain.from_iterable(_threads()) if ident is None else (ident,)
    lines: list[Line] = []
    for each in list(idents):
        lines = _thread_lines(each)[::-1]
        for number, (found, _) in enumerate(lines):
            if found is code:
                return Seen(before + lines[number:])
    if ident is None or not kind.runs(coroutine):
        return Seen(before, "it ran, and is not to be seen")
    # SQLAlchemy has a greenlet run for it, whose stack begins anew.
    with suppress(AttributeError):
        before = [*before, kind.line(coroutine)]
    return Seen(
        [*before, *lines],
        "what is between its first call and SQLAlchemy's "
        "greenlet is not to be seen while that runs",
    )
