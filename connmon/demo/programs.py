"""The demo's programs: plain SQLAlchemy, as anybody would write it.

Nothing here knows connmon but the URL.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlencode

from sqlalchemy import create_engine, exc, text
from sqlalchemy.engine import Engine
from sqlalchemy.pool import QueuePool


def run(name: str, directory: str, address: str) -> None:
    """Be one process of the program ``name``, for ever."""
    life = {
        "shop-api": shop_api,
        "payments": payments,
        "nightly-report": nightly_report,
    }[name]
    engine = _engine(name, directory, address)
    engine.connect().close()
    print("ready", flush=True)
    life(engine)


def shop_api(engine: Engine) -> None:
    """Steady short requests, and every few seconds a burst of longer ones."""
    for _ in range(3):
        _in_background(lambda: _use(engine, hold=0.01, rest=0.04))
    while True:
        time.sleep(random.uniform(6.0, 9.0))
        burst = [
            threading.Thread(target=_once, args=(engine, random.uniform(0.5, 2.0)))
            for _ in range(random.randint(5, 11))
        ]
        for thread in burst:
            thread.start()
        for thread in burst:
            thread.join()


def payments(engine: Engine) -> None:
    """More workers than connections: the pool runs out, and some give up waiting."""
    for _ in range(8):
        _in_background(lambda: _use(engine, hold=0.6, rest=0.2))
    threading.Event().wait()


def nightly_report(engine: Engine) -> None:
    """One long query after another: a connection held for half a minute."""
    while True:
        _once(engine, 30.0)
        time.sleep(3.0)


_POOLS = {
    "shop-api": {"pool_size": 5, "max_overflow": 10},
    "payments": {"pool_size": 3, "max_overflow": 2, "pool_timeout": 1},
    "nightly-report": {"pool_size": 1, "max_overflow": 0},
}


def _engine(name: str, directory: str, address: str) -> Engine:
    """The program's engine; what makes it visible is in the URL."""
    file = os.path.join(directory, f"{name}.db")
    query = urlencode({"connmon_addr": address, "connmon_program": name})
    return create_engine(
        f"sqlite+pysqlite_connmon:///{file}?{query}",
        poolclass=QueuePool,
        connect_args={"check_same_thread": False},
        **_POOLS[name],
    )


def _once(engine: Engine, seconds: float) -> None:
    """One piece of work with a connection; a full pool is a request that failed."""
    with suppress(exc.TimeoutError), engine.connect() as connection:
        connection.execute(text("select 1"))
        time.sleep(seconds)


def _use(engine: Engine, hold: float, rest: float) -> None:
    """Work, and rest, for ever, never quite as long as the time before."""
    while True:
        _once(engine, hold * random.uniform(0.5, 1.5))
        time.sleep(rest * random.uniform(0.5, 1.5))


def _in_background(work: Callable[[], None]) -> None:
    """A worker thread."""
    threading.Thread(target=work, daemon=True).start()
