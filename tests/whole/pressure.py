"""What an application does while the nodes are away, and what it notices of that.

Imported by the programs under test; it knows nothing of connmon but its name. Whatever
waits in a thread of the application is found in three ways: by how long each checkout
takes, by how long a thread alone was neither running nor about to run, and by looking
where the threads are, again and again.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from sqlalchemy.engine import Engine

CREW = 4
"""Threads that use a database at the same time."""

GLANCE_SECONDS = 0.001
"""Between two looks at where the threads are."""

_OURS = f"{os.sep}connmon{os.sep}"


class Hand:
    """One thread that takes connections and gives them back, as fast as it can."""

    def __init__(self, take: Callable[[], Any], until: float) -> None:
        """Work until this moment."""
        self._take = take
        self._until = until
        self.took: list[float] = []
        self.thread = threading.Thread(target=self.work)

    def work(self) -> None:
        """Take connections and give them back, and note how long each took."""
        take, took, clock, until = self._take, self.took, time.perf_counter, self._until
        end = clock()
        while end < until:
            began = end
            take().close()
            end = clock()
            took.append(end - began)


def hammer(take: Callable[[], Any], seconds: float) -> dict[str, float]:
    """The crew at work: how many checkouts, and how long the slowest took."""
    crew = _crew(take, seconds)
    for each in crew:
        each.thread.join()
    took = sorted(each for hand in crew for each in hand.took)
    return {
        "checkouts": len(took),
        "p99.9": took[len(took) * 999 // 1000],
        "max": took[-1],
    }


def alone(take: Callable[[], Any], seconds: float) -> dict[str, float]:
    """This thread at work: for how long it was kept from it by anything but others.

    Neither on a processor nor waiting for one: it waited for something else.
    """
    hand = Hand(take, time.perf_counter() + seconds)
    began, had = time.perf_counter(), _had()
    hand.work()
    waited = time.perf_counter() - began - (_had() - had)
    return {"checkouts": len(hand.took), "waited": waited}


def stays(take: Callable[[], Any], seconds: float) -> dict[str, Any]:
    """The crew at work: where of ours it was seen, and for how long at most.

    A stay lasts as long as a thread is seen in the same function of ours, or in
    anything called by it, and gets nothing done.
    """
    crew = _crew(take, seconds)
    longest: dict[str, float] = {}
    last: dict[Hand, tuple[int, str, float]] = {}
    while any(each.thread.is_alive() for each in crew):
        frames = sys._current_frames()
        now = time.perf_counter()
        for each in crew:
            place = _place(frames.get(each.thread.ident or 0))
            done, where, since = last.get(each, (-1, "", now))
            if (len(each.took), place) != (done, where):
                since = now
            last[each] = len(each.took), place, since
            if place:
                longest[place] = max(longest.get(place, 0.0), now - since)
        del frames
        time.sleep(GLANCE_SECONDS)
    return {"checkouts": sum(len(each.took) for each in crew), "longest": longest}


def _crew(take: Callable[[], Any], seconds: float) -> list[Hand]:
    until = time.perf_counter() + seconds
    crew = [Hand(take, until) for _ in range(CREW)]
    for each in crew:
        each.thread.start()
    return crew


def _place(frame: FrameType | None) -> str:
    """The innermost function of connmon's in a stack, empty if there is none."""
    while frame is not None:
        _, ours, module = frame.f_code.co_filename.rpartition(_OURS)
        if ours:
            return f"{module}:{frame.f_code.co_name}"
        frame = frame.f_back
    return ""


def _had() -> float:
    """For how long this thread has been running, or waiting for a processor to."""
    path = f"/proc/self/task/{threading.get_native_id()}/schedstat"
    with open(path) as file:
        ran, delayed, _ = file.read().split()
    return (int(ran) + int(delayed)) / 1e9


# The end.


def ended(engine: Engine) -> float:
    """Have a child use a database and end, as programs do: how long the end took."""
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        engine.dispose(close=False)
        engine.connect().close()
        os.write(tell, repr(time.monotonic()).encode())
        sys.exit()
    _, status = os.waitpid(pid, 0)
    took = time.monotonic() - float(os.read(told, 100))
    os.close(told)
    os.close(tell)
    if status:
        raise AssertionError(f"the child's status is {status}")
    return took


# Memory.


def resident(which: str = "VmRSS") -> int:
    """Bytes of memory this process has, or had at most (``VmHWM``)."""
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith(which + ":"):
                return int(line.split()[1]) * 1024
    raise LookupError(which)


def forget_the_peak() -> None:
    """Have ``VmHWM`` begin again with what is resident now."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def churn(take: Callable[[], Any], times: int) -> None:
    """Take a connection and give it back, so many times over."""
    for _ in range(times):
        take().close()
