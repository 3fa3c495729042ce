"""Who awaits the task that runs now, and where.

A task that was made of SQLAlchemy's own coroutine, as ``asyncio.gather`` makes one of
``session.execute(...)``, has nothing of the application on its stack. What asyncio is
to call at its end leads to who awaits it: that task's wake-up, or something that keeps
a future which is awaited in turn.

All of it in the thread of the tasks, where none of the others runs meanwhile. Nothing
is asked that an application may have defined: callbacks can be anything.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from types import BuiltinMethodType, FrameType, FunctionType, MethodType
from typing import Any

from connmon.client.frames import DEEPEST, KINDS, behind

STEPS = 100
"""How many futures and tasks are followed, and how many callbacks of each."""

#: Where objects of asyncio's, which it tells of an end, keep who awaits that.
_KEPT_IN = {
    "asyncio.queues.Queue": "_getters",
    "asyncio.taskgroups.TaskGroup": "_parent_task",
    "asyncio.tasks._AsCompletedIterator": "_done",
}


def frames() -> Iterator[FrameType]:
    """The frames of those who await the running task: innermost of the nearest first.

    None where no task runs, or nobody awaits it. May raise what asyncio of an unknown
    version gives reason to.
    """
    asyncio: Any = sys.modules.get("asyncio")
    loop = None if asyncio is None else asyncio._get_running_loop()
    task = None if loop is None else asyncio.current_task(loop)
    if task is not None:
        for each in _tasks(task):
            yield from reversed(_suspended(each.get_coro()))


def _tasks(running: Any) -> Iterator[Any]:
    """Those who await a task, who await these, and so on."""
    seen = {running}
    ahead = deque(seen)
    for _ in range(STEPS):
        if not ahead:
            break
        for each in islice(_awaiting(ahead.popleft()), STEPS):
            if each not in seen:
                seen.add(each)
                ahead.append(each)
                if hasattr(type(each), "get_coro"):
                    yield each


def _awaiting(future: Any) -> Iterator[Any]:
    """The futures, some of them tasks, that hear of the end of this one."""
    for callback, *_ in getattr(future, "_callbacks", None) or ():
        for each in _parts(callback):
            yield from _futures(each)
    # Python 3.14 and later know it themselves.
    yield from getattr(future, "_asyncio_awaited_by", None) or ()


def _parts(callback: Any) -> Iterable[Any]:
    """What a callback has been given to call it with."""
    kind = type(callback)
    if kind in (BuiltinMethodType, MethodType):
        return (callback.__self__,)
    if kind is partial:
        return tuple(callback.args)
    if kind is FunctionType:
        return _contents(callback)
    return ()


def _contents(function: FunctionType) -> Iterator[Any]:
    """The variables that a function shares with the one that made it."""
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:
            # Not set yet, or not any more.
            continue


def _futures(kept: Any) -> Iterator[Any]:
    """The futures in what a callback has."""
    if _is_future(kept):
        yield kept
    elif type(kept) is deque:
        yield from filter(_is_future, islice(kept, STEPS))
    else:
        for each in type(kept).__mro__:
            name = _KEPT_IN.get(f"{each.__module__}.{each.__qualname__}")
            if name is not None:
                yield from _futures(getattr(kept, name))


def _is_future(thing: Any) -> bool:
    """Whether asyncio takes it for one. Its type is asked, not the thing."""
    return hasattr(type(thing), "_asyncio_future_blocking")


def _suspended(coroutine: Any) -> list[FrameType]:
    """The frames of a coroutine and of all that it awaits, the outermost first."""
    found: list[FrameType] = []
    awaited = coroutine
    for _ in range(DEEPEST):
        if awaited is None:
            break
        kind = next((each for each in KINDS if hasattr(type(awaited), each.code)), None)
        if kind is None:
            awaited = behind(awaited)
            continue
        frame = getattr(awaited, kind.frame)
        if frame is not None:
            found.append(frame)
        awaited = getattr(awaited, kind.awaited)
    return found
