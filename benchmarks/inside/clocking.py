"""Clocks every single use of a pool; ordered about by ``benchmarks.tail``."""

from __future__ import annotations

import gc
import threading
from array import array
from collections.abc import Sequence
from time import perf_counter_ns
from typing import Any

from sqlalchemy.engine import Engine

from benchmarks.inside.serving import serve
from benchmarks.inside.subjects import Setting, watched

PERCENTS = (50.0, 99.0, 99.9, 99.99)


class Clocked:
    """An engine, and for each thread the nanoseconds of all its uses so far."""

    def __init__(self, engine: Engine, threads: int, uses: int) -> None:
        """Room for all ``uses`` of each thread is taken at once."""
        self.engine = engine
        self.taken = [array("q", bytes(8 * uses)) for _ in range(threads)]
        self.done = 0

    def block(self, uses: int) -> None:
        """Take a connection and give it back, many times in each thread."""
        gc.collect()
        places = slice(self.done, self.done + uses)
        if len(self.taken) == 1:
            self._use(self.taken[0], places)
        else:
            self._use_in_threads(places)
        self.done += uses

    def _use_in_threads(self, places: slice) -> None:
        together = threading.Barrier(len(self.taken))

        def use(taken: array[int]) -> None:
            together.wait()
            self._use(taken, places)

        threads = [threading.Thread(target=use, args=(each,)) for each in self.taken]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _use(self, taken: array[int], places: slice) -> None:
        connect, now = self.engine.pool.connect, perf_counter_ns
        for place in range(places.start, places.stop):
            began = now()
            connect().close()
            taken[place] = now() - began

    def figures(self, since: int = 0) -> dict[str, float]:
        """Percentiles and the maximum, in microseconds, of all threads' uses."""
        return percentiles(
            sorted(ns for taken in self.taken for ns in taken[since : self.done])
        )


def percentiles(ordered: Sequence[int]) -> dict[str, float]:
    """Percentiles and the maximum of nanoseconds in order, in microseconds.

    Each is a value that was seen: the least that so many percent do not exceed.
    """
    length = len(ordered)
    places = {f"p{each:g}": -int(-length * each // 100) - 1 for each in PERCENTS}
    places["max"] = length - 1
    return {name: ordered[place] / 1000 for name, place in places.items()}


_CLOCKED: list[Clocked] = []


def make(subject: str, setting: dict[str, Any], threads: int, uses: int) -> None:
    """Make a subject's engine and use it for a while, every connection once."""
    engine = watched(subject, Setting(**setting)).engine
    for connection in [engine.pool.connect() for _ in range(threads)]:
        connection.close()
    warm = Clocked(engine, threads, 2000)
    warm.block(2000)
    _CLOCKED[:] = [Clocked(engine, threads, uses)]


def block(uses: int) -> dict[str, float]:
    """Clock so many uses in each thread; their figures."""
    (clocked,) = _CLOCKED
    since = clocked.done
    clocked.block(uses)
    return clocked.figures(since)


def figures() -> dict[str, float]:
    """The figures of all blocks."""
    return _CLOCKED[0].figures()


if __name__ == "__main__":
    serve({"make": make, "block": block, "figures": figures})
