"""Who has a connection: a thread, a greenlet, or an asyncio task.

What stands for them here outlives them, and keeps nothing alive: neither them, nor what
they hold. It can tell that they have ended, to the reporting thread as well, which must
not even for a moment have the last reference to one of the application's objects. So it
asks by weak proxies, in single steps: a reference that such a step takes is given back
before Python may change threads.
"""

from __future__ import annotations

import sys
import threading
from asyncio import current_task
from asyncio.events import _get_running_loop
from collections.abc import Callable
from typing import Any
from weakref import proxy

from connmon.client import frames, native, sites
from connmon.client.frames import Seen
from connmon.model.holding import Owner
from connmon.wire.commands import NAME_LIMIT

THREAD_ENDED = "its thread has ended"
GREENLET_ENDED = "its greenlet has ended"
TASK_ENDED = "its task has ended"

_GREEN = ("eventlet", "gevent")

#: Variables that each thread has its own of, by who makes such; they stay for good.
_OWN: dict[Any, Any] = {}

#: Codes of coroutines, by their numbers, and whether they are not the application's.
_FOREIGN: dict[int, tuple[Any, bool]] = {}
_MOST_CODES = 1024

#: What tells the number of a thread where that is patched, once it is needed.
_IDENT: list[Callable[[], int]] = []


class Thread:
    """A thread, by its number as long as it has that."""

    __slots__ = ("_is_known", "name", "number", "over")

    def __init__(self) -> None:
        """The one that runs. Another may have its number once it has ended."""
        self.number = threading.get_ident()
        #: Whether its own variables are gone. It is the last that it does, if it is a
        #: thread of Python's; C code may do that and call Python again.
        self.over = False
        thread = _object_of(self.number)
        self._is_known = (
            thread is not None
            and not isinstance(thread, threading._DummyThread)
            and thread is not threading.main_thread()
        )
        self.name = f"thread {self.number}" if thread is None else str(thread.name)

    def called(self) -> str:
        """Its name, the last one that it had."""
        if not self.over:
            thread = _object_of(self.number)
            if thread is not None:
                self.name = str(thread.name)
        return self.name

    def end(self) -> str | None:
        """How it has ended, empty if it has not, ``None`` if that cannot be known."""
        if not self._is_known:
            return None
        return THREAD_ENDED if self.over else ""

    def seen(self) -> Seen:
        """Where it is now."""
        return Seen([], THREAD_ENDED) if self.over else frames.of_thread(self.number)


class _Stay:
    """One of a thread's own variables. It goes with the others, as the thread ends."""

    __slots__ = ("_thread",)

    def __init__(self, thread: Thread) -> None:
        self._thread = thread

    def __del__(self) -> None:
        self._thread.over = True


class Greenlet(Thread):
    """A greenlet, where gevent or eventlet have made threads of them."""

    __slots__ = ("_greenlet", "_is_thread", "_thread")

    def __init__(self, greenlet: Any) -> None:
        """The one that runs."""
        super().__init__()
        self._greenlet = proxy(greenlet)
        self._thread = _native_ident()
        thread = _object_of(self.number)
        self._is_thread = not (
            thread is None or isinstance(thread, threading._DummyThread)
        )
        if not self._is_thread:
            # One that the program made itself. gevent has a name for each.
            self.name = str(getattr(greenlet, "name", self.name))

    def called(self) -> str:
        """Its name: the thread's that it is, or the one that it had at first."""
        return super().called() if self._is_thread else self.name

    def end(self) -> str | None:
        """How it has ended, empty if it has not."""
        try:
            self.over = self.over or self._greenlet.dead
        except ReferenceError:
            self.over = True
        return GREENLET_ENDED if self.over else ""

    def seen(self) -> Seen:
        """Where it is now."""
        try:
            return frames.of_greenlet(self._greenlet, self._thread)
        except ReferenceError:
            return Seen([], GREENLET_ENDED)


class Task:
    """A task of asyncio's. Two of these are equal if they stand for the same one.

    One that was made of a coroutine that is not the application's own, as
    ``asyncio.wait_for(session.execute(...), 5)`` makes them, leaves its connection to
    whoever awaits it: its end says nothing.
    """

    __slots__ = ("_passes_on", "_task", "name")

    def __init__(self, task: Any) -> None:
        """Any task that has not ended."""
        # The same one each time, as long as anybody has it.
        self._task = proxy(task)
        self.name = task.get_name()
        self._passes_on = _is_foreign(task.get_coro())

    def __eq__(self, other: object) -> bool:
        """Whether it is the same task."""
        return isinstance(other, Task) and self._task is other._task

    def __hash__(self) -> int:
        """By the task."""
        return id(self._task)

    def called(self) -> str:
        """Its name, which it had when it took the connection."""
        return str(self.name)

    def end(self) -> str | None:
        """How it has ended, empty if it has not, ``None`` if that says nothing."""
        if self._passes_on:
            return None
        try:
            return TASK_ENDED if self._task.done() else ""
        except ReferenceError:
            return TASK_ENDED

    def seen(self) -> Seen:
        """Where it is now."""
        try:
            return frames.of_task(self._task)
        except ReferenceError:
            return Seen([], TASK_ENDED)


def current_owner() -> Callable[[], Owner]:
    """What to ask, at each use of a pool, who it is for.

    Where an event loop runs that is the task, whether the driver is of asyncio or not;
    else it is the thread, or the greenlet where they are threads.
    """
    # Looked up now: the program may have been patched since we were imported.
    kind = threading.local
    if str(kind.__module__).partition(".")[0] in _GREEN:
        return _current_greenlet
    own, looping = _OWN.setdefault(kind, kind()), _get_running_loop

    # One call, for each checkout pays for another.
    def owner() -> Owner:
        if looping() is not None and (task := current_task()) is not None:
            return Task(task)
        try:
            return own.owner
        except AttributeError:
            own.owner = arrived = Thread()
            own.stay = _Stay(arrived)
            return arrived

    return owner


def owner_name(owner: Owner) -> str:
    """What to call an owner that was noted; any thread, without a lock."""
    if isinstance(owner, (Thread, Task)):
        return owner.called()[:NAME_LIMIT]
    return ""


def frames_of(owner: Owner) -> Seen:
    """Where an owner is now. Reporting thread."""
    if isinstance(owner, (Thread, Task)):
        return owner.seen()
    return Seen([], "it is not known who has it")


def owner_end(owner: Owner) -> str | None:
    """How an owner that was noted has ended; any thread, without a lock.

    In a few words, which are empty if it has not; ``None`` if that cannot be known, or
    will not be before the process ends.
    """
    return owner.end() if isinstance(owner, (Thread, Task)) else None


def _current_greenlet() -> Owner:
    """Which greenlet this is. Variables of their own are slow, as eventlet has them."""
    if _get_running_loop() is not None and (task := current_task()) is not None:
        return Task(task)
    greenlet: Any = sys.modules["greenlet"].getcurrent()
    try:
        return greenlet.connmon
    except AttributeError:
        greenlet.connmon = arrived = Greenlet(greenlet)
        return arrived


def _native_ident() -> int:
    """The number of the thread, where greenlets have numbers of their own."""
    if not _IDENT:
        _IDENT.append(native.find().get_ident)
    return _IDENT[0]()


def _is_foreign(coroutine: Any) -> bool:
    """Whether a coroutine is of a library that passes on what it was asked for.

    What is not known, such as one that was compiled, is the application's own.
    """
    code = getattr(coroutine, "cr_code", None) or getattr(coroutine, "gi_code", None)
    known = _FOREIGN.get(id(code))
    if known is not None:
        return known[1]
    name = "cr_frame" if hasattr(coroutine, "cr_frame") else "gi_frame"
    frame = getattr(coroutine, name, None)
    is_foreign = frame is not None and not sites.is_of_application(frame)
    if len(_FOREIGN) >= _MOST_CODES:
        _FOREIGN.clear()
    # With the code, so that no other has its number.
    _FOREIGN[id(code)] = code, is_foreign
    return is_foreign


def _object_of(number: int) -> Any:
    """The object of the thread of that number, ``None`` if nobody made one."""
    # Not enumerate(), which waits for a lock that a patched program may hold.
    return threading._active.get(number)  # type: ignore[attr-defined]
