"""The application that the servers run: it asks its database, and tells of itself.

It knows nothing of connmon; only the URL it is given does. What it answers is JSON:
who answered, what the database said, and what SQLAlchemy's own pool says it has open
and in use. Started with ``USED_IN_MASTER`` it uses the engine as it is imported, which
with a preloading server is before the forks, and keeps a connection; like any program
that does so, it gives each child a pool of its own.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.pool import QueuePool

engine = create_engine(os.environ["DATABASE_URL"], poolclass=QueuePool, pool_size=10)
held: list[Any] = []
asked = 0


def renew() -> None:
    """In a forked child: leave the parent's connections to the parent."""
    engine.dispose(close=False)


if os.environ.get("USED_IN_MASTER"):
    held.append(engine.connect())
    engine.connect().close()
    os.register_at_fork(after_in_child=renew)
    try:
        import uwsgi
    except ImportError:
        pass
    else:
        # uWSGI forks in C, past the hooks of Python.
        uwsgi.post_fork_hook = renew


def ask() -> int:
    """Ask the database something."""
    with engine.connect() as connection:
        return int(connection.execute(text("select 6 * 7")).scalar_one())


def hold() -> int:
    """Keep one connection more for good."""
    held.append(engine.connect())
    return 1


def state() -> dict[str, str]:
    """What of the process is its own and nobody else's to change."""
    root = logging.getLogger()
    seen = {
        "signals": [signal.getsignal(number) for number in range(1, 32)],
        "timers": [signal.getitimer(signal.ITIMER_REAL)],
        "hooks": [sys.excepthook, sys.unraisablehook, threading.excepthook],
        "streams": [type(stream) for stream in (sys.stdin, sys.stdout, sys.stderr)],
        "logging": [root.handlers, root.level, logging.raiseExceptions],
        "warnings": [warnings.filters, warnings.showwarning],
        "loop": type(asyncio.get_event_loop_policy()),
        "threads": sorted({type(each).__name__ for each in threading.enumerate()}),
        "environ": sorted(os.environ),
        "reactor": "twisted.internet.reactor" in sys.modules,
        "gc": [gc.get_threshold(), gc.isenabled()],
        "switch": sys.getswitchinterval(),
        "recursion": sys.getrecursionlimit(),
    }
    return {name: re.sub("0x[0-9a-f]+", "", repr(each)) for name, each in seen.items()}


ANSWERS: dict[str, Callable[[], Any]] = {"/": ask, "/hold": hold, "/state": state}


def told(path: str) -> bytes:
    """The answer to a request, with the pool as it is after it."""
    global asked  # noqa: PLW0603  a process's count
    answer = ANSWERS[path]()
    asked += 1
    pool: Any = engine.pool
    used = pool.checkedout()
    return json.dumps(
        {
            "pid": os.getpid(),
            "answer": answer,
            "asked": asked,
            "used": used,
            "open": used + pool.checkedin(),
        }
    ).encode()


def application(
    environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    """The application for servers that speak WSGI."""
    body = told(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The same for servers that speak ASGI."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    body = told(scope["path"])
    length = (b"content-length", str(len(body)).encode())
    start = {"type": "http.response.start", "status": 200, "headers": [length]}
    await send(start)
    await send({"type": "http.response.body", "body": body})
