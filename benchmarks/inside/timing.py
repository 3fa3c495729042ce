"""Times an engine's use by CPU time; ordered about by ``benchmarks.overhead``."""

from __future__ import annotations

import gc
import time
from itertools import repeat
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import Engine

from benchmarks.inside.serving import serve
from benchmarks.inside.subjects import Setting, Watched, watched

BEFORE = 500
"""How often an engine is used before a lap: as often as connmon looks closely at it in
a second.
"""

_SUBJECTS: dict[str, Watched] = {}


def make(subject: str, setting: dict[str, Any]) -> None:
    """Make a subject's engine and use it for a while."""
    made = watched(subject, Setting(**setting))
    _SUBJECTS[subject] = made
    pairs(made.engine, 500)
    selects(made.engine, 100)
    if not made.heard():
        raise RuntimeError(f"{subject} noticed nothing")


def pairs(engine: Engine, count: int) -> None:
    """Take a connection from the pool and give it back, many times."""
    connect = engine.pool.connect
    for _ in repeat(None, count):
        connect().close()


def selects(engine: Engine, count: int) -> None:
    """Connect, ask the smallest of questions and close, many times."""
    question = text("select 1")
    for _ in repeat(None, count):
        connection = engine.connect()
        connection.execute(question)
        connection.close()


def lap(subject: str, use: str, count: int) -> float:
    """Microseconds of this thread's CPU for one use of an engine that is in use.

    The collector of garbage stays on, as in an application.
    """
    engine, function = _SUBJECTS[subject].engine, USES[use]
    gc.collect()
    function(engine, BEFORE)
    began = time.thread_time()
    function(engine, count)
    return (time.thread_time() - began) / count * 1e6


def others(subject: str, seconds: float) -> dict[str, float]:
    """The CPU that other threads take beside a pool used as fast as it can be.

    As microseconds for one pair, and as a share of all CPU time of the process.
    """
    engine, used = _SUBJECTS[subject].engine, 0
    began, began_thread = time.process_time(), time.thread_time()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pairs(engine, 1000)
        used += 1000
    mine = time.thread_time() - began_thread
    process = time.process_time() - began
    return {"us": (process - mine) / used * 1e6, "share": 1 - mine / process}


USES = {"pool": pairs, "select": selects}

if __name__ == "__main__":
    serve({"make": make, "lap": lap, "others": others})
