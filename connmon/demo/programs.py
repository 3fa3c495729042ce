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
from sqlalchemy.engine import Connection, Engine
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
    """Steady short requests, and every few seconds a burst of orders."""
    _start(3, show_items, engine)
    while True:
        time.sleep(random.uniform(6.0, 9.0))
        for thread in _start(random.randint(5, 11), place_order, engine):
            thread.join()


def show_items(engine: Engine) -> None:
    """Read a little, again and again."""
    while True:
        with suppress(exc.TimeoutError), engine.connect() as connection:
            _query(connection, 0.01)
        _rest(0.04)


def place_order(engine: Engine) -> None:
    """Take longer over one thing."""
    with suppress(exc.TimeoutError), engine.connect() as connection:
        _query(connection, 1.2)


def payments(engine: Engine) -> None:
    """More workers than connections: the pool runs out, and some give up waiting."""
    _start(6, charge, engine)
    _start(2, refund, engine)
    threading.Event().wait()


def charge(engine: Engine) -> None:
    """Hold a connection while somebody else is asked."""
    while True:
        with suppress(exc.TimeoutError), engine.connect() as connection:
            _query(connection, 0.6)
        _rest(0.2)


def refund(engine: Engine) -> None:
    """The same, of another line."""
    while True:
        with suppress(exc.TimeoutError), engine.connect() as connection:
            _query(connection, 0.7)
        _rest(0.3)


def nightly_report(engine: Engine) -> None:
    """One thing after another, each worked out with a transaction left open."""
    while True:
        with engine.connect() as connection:
            connection.execute(text("select 1"))
            time.sleep(45.0)
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


def _start(
    count: int, work: Callable[[Engine], None], engine: Engine
) -> list[threading.Thread]:
    """So many threads that do this."""
    threads = [
        threading.Thread(
            target=work, args=(engine,), name=f"{work.__name__} {number}", daemon=True
        )
        for number in range(1, count + 1)
    ]
    for thread in threads:
        thread.start()
    return threads


def _query(connection: Connection, seconds: float) -> None:
    """A query that takes about so long."""
    connection.execute(text("select 1"))
    _rest(seconds)


def _rest(seconds: float) -> None:
    """Never quite as long as the time before."""
    time.sleep(seconds * random.uniform(0.5, 1.5))
