"""Weighs its own process; ordered about by ``benchmarks.footprint``.

At first there is SQLAlchemy and an engine that was used. What is added is a second
engine, watched.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.inside import subjects
from benchmarks.inside.serving import serve

_TASKS = Path("/proc/self/task")
_KEPT: list[subjects.Watched] = []
_BEFORE: set[str] = set()


def begin(database: str) -> None:
    """Have an application that uses SQLAlchemy, unwatched."""
    _KEPT.append(subjects.bare(subjects.Setting(database)))
    use()
    _BEFORE.update(task.name for task in _TASKS.iterdir())


def watch(subject: str, setting: dict[str, Any]) -> dict[str, float]:
    """Add a watched engine and use it once; milliseconds that took, and of CPU."""
    began, began_cpu = time.perf_counter(), time.process_time()
    made = subjects.watched(subject, subjects.Setting(**setting))
    with made.engine.connect():
        pass
    wall, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    _KEPT.append(made)
    return {"wall": wall * 1000, "cpu": cpu * 1000}


def use() -> bool:
    """Use the last engine for a while; whether its watcher noticed."""
    made = _KEPT[-1]
    for _ in range(200):
        with made.engine.connect() as connection:
            connection.exec_driver_sql("select 1")
    return made.heard()


def weigh() -> dict[str, float]:
    """Private memory in MiB, modules and threads of this process."""
    gc.collect()
    return {
        **_memory(),
        "modules": len(sys.modules),
        "threads": len(os.listdir(_TASKS)),
    }


def wakeups() -> dict[str, dict[str, Any]]:
    """Of each thread since ``begin``: how often it slept so far, and its CPU in ms."""
    found = {}
    for task in _TASKS.iterdir():
        if task.name not in _BEFORE:
            status = _fields(task / "status")
            found[task.name] = {
                "slept": int(status["voluntary_ctxt_switches"]),
                "cpu": int((task / "schedstat").read_text("ascii").split()[0]) / 1e6,
            }
    return found


def _memory() -> dict[str, float]:
    """What would be free if this process ended, and its part that was written to."""
    fields = _fields(Path("/proc/self/smaps_rollup"))
    clean, dirty = (
        int(fields[name].split()[0]) / 1024
        for name in ("Private_Clean", "Private_Dirty")
    )
    return {"private": clean + dirty, "dirty": dirty}


def _fields(path: Path) -> dict[str, str]:
    """A file of the kernel's with a name and a value in each line."""
    lines = path.read_text("ascii").splitlines()
    return {
        name: value.strip()
        for name, _, value in (each.partition(":") for each in lines)
    }


if __name__ == "__main__":
    serve(
        {"begin": begin, "watch": watch, "use": use, "weigh": weigh, "wakeups": wakeups}
    )
