"""What the programs under test have in common: a database, a notebook, gates, a mirror.

The programs import it, and their children do; it knows nothing of connmon. What it is
given in the environment: ``HOST_URL``, the database's URL, watched or not, and
``HOST_DIRECTORY``, where ``tell`` writes what the test reads and ``gate`` looks for
what the test allows. Each opens its file anew, so both work after a program has closed
all its descriptors.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import random
import re
import resource
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import QueuePool

URL = os.environ.get("HOST_URL", "sqlite://")
DIRECTORY = os.environ.get("HOST_DIRECTORY", ".")

LIMITS = [name for name in dir(resource) if name.startswith("RLIMIT_")]

PATIENCE = 60.0
"""Seconds after which a program gives up waiting, lest it outlive a failed test."""


def make(**options: Any) -> Engine:
    """An engine that connects as often as it is asked to."""
    if URL.startswith("sqlite:"):
        # As SQLAlchemy 2 has it by itself, for a pool whose threads share connections.
        options.setdefault("connect_args", {"check_same_thread": False})
    return create_engine(URL, poolclass=QueuePool, pool_size=50, **options)


def hold(engine: Engine, count: int) -> list[Connection]:
    """This many connections, in use."""
    return [engine.connect() for _ in range(count)]


def use(engine: Engine, times: int = 1) -> None:
    """Take a connection, ask something, give it back; so many times over."""
    for _ in range(times):
        with engine.connect() as connection:
            connection.execute(text("select 1")).scalar_one()


def inherit(engine: Engine) -> None:
    """In a forked child: leave the parent's connections to the parent."""
    engine.dispose(close=False)


def tell(what: str, value: object = None) -> None:
    """Write down that something happened in this process; one line, at once."""
    line = json.dumps({"what": what, "pid": os.getpid(), "value": value}, default=repr)
    notebook = os.open(
        os.path.join(DIRECTORY, "told"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666
    )
    try:
        os.write(notebook, line.encode() + b"\n")
    finally:
        os.close(notebook)


def gate(name: str) -> None:
    """Wait until the test opens a gate."""
    wait_for(lambda: os.path.exists(os.path.join(DIRECTORY, f"gate-{name}")), name)


def wait_for(condition: Callable[[], object], name: str = "it") -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(name)
        time.sleep(0.005)


def moved(directory: str) -> None:
    """The directory has another name from now on: the root was changed."""
    global DIRECTORY  # noqa: PLW0603  the program's, not a test's
    DIRECTORY = directory


def children_end(pids: list[int]) -> None:
    """Wait for forked children, and insist that each ends well and in time."""
    left = set(pids)

    def collected() -> bool:
        for pid in sorted(left):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                left.discard(pid)
                if status:
                    raise AssertionError(f"child {pid}: status {status}")
        return not left

    wait_for(collected, f"the end of {len(left)} children")


def state() -> dict[str, str]:
    """What of the process is its own, and nobody else's to change."""
    root = logging.getLogger()
    here = {
        "signals": [signal.getsignal(number) for number in range(1, signal.NSIG)],
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "timers": [signal.getitimer(which)[1] for which in (0, 1, 2)],
        "hooks": [
            sys.excepthook,
            sys.unraisablehook,
            sys.displayhook,
            sys.breakpointhook,
            threading.excepthook,
            sys.gettrace(),
            sys.getprofile(),
        ],
        "streams": [
            *(sys.stdin, sys.stdout, sys.stderr),
            *(sys.__stdin__, sys.__stdout__, sys.__stderr__),
        ],
        "logging": [
            *(root.handlers, root.filters, root.level, root.disabled),
            *(logging.raiseExceptions, logging.lastResort, logging.getLoggerClass()),
            *(logging.Logger.manager.disable, logging.getLogRecordFactory()),
            [
                (logger.name, logger.handlers, logger.level, logger.propagate)
                for logger in logging.Logger.manager.loggerDict.values()
                if isinstance(logger, logging.Logger)
                and (logger.handlers or logger.level or not logger.propagate)
            ],
        ],
        "warnings": [warnings.filters, warnings.showwarning, warnings.formatwarning],
        "interpreter": [
            *(sys.getswitchinterval(), sys.getrecursionlimit(), sys.flags),
            *(gc.get_threshold(), _collects(), gc.callbacks, gc.get_freeze_count()),
            *(sys.path, sys.meta_path, sys.path_hooks, sys.argv),
        ],
        "process": [
            *(os.getcwd(), os.getuid(), os.getgid(), sorted(os.environ.items())),
            *(resource.getrlimit(getattr(resource, name)) for name in LIMITS),
        ],
        "random": hash(random.getstate()),
        "sockets": [socket.getdefaulttimeout(), socket.socket, socket.getaddrinfo],
        "threads": sorted(each.name for each in threading.enumerate()),
        "loop": _loop_state(),
        "reactor": "twisted.internet.reactor" in sys.modules,
        "wakeup": _wakeup_fd(),
    }
    return {name: repr(value) for name, value in here.items()}


def _collects() -> bool:
    """Whether the garbage collector is on; our thread has it off, moments at a time."""
    for _ in range(200):
        if gc.isenabled():
            return True
        time.sleep(0.005)
    return False


def _wakeup_fd() -> int | None:
    """The descriptor that signals are written to; only one thread may ask."""
    try:
        found = signal.set_wakeup_fd(-1)
    except ValueError:
        return None
    signal.set_wakeup_fd(found)
    return found


def _loop_state() -> list[object]:
    """The event loop of this thread and who makes such, if asyncio is in use."""
    asyncio = sys.modules.get("asyncio.events")
    if asyncio is None:
        return []
    return [asyncio._event_loop_policy, asyncio._get_running_loop()]


def changed(before: dict[str, str]) -> dict[str, tuple[str, str]]:
    """What is not as it was: name, then how it was and how it is."""
    after = state()
    return {
        name: (before[name], after[name])
        for name in before
        if re.sub(r"\s+", " ", before[name]) != re.sub(r"\s+", " ", after[name])
    }
