"""The values a process reports of itself: who it is, its pools, its open connections.

Times in these records are readings of the process's own monotonic clock, in seconds.
They mean something only beside ``Report.clock``, the same clock's reading when the
report was made: what a reader learns is always "how long ago", never a wall time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

#: A connection sits in its pool, unused.
IDLE = 0
#: A connection is checked out of its pool.
OUT = 1
#: A connection was taken away from its pool for good, and is still open.
DETACHED = 2

STATES = (IDLE, OUT, DETACHED)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a process is.

    ``process`` is a random token, never the pid alone: containers repeat pids and host
    names. A forked child is another process, with a token of its own.
    """

    process: str
    hostname: str
    program: str
    pid: int


class Version(NamedTuple):
    """How new a process's record is: registrations first, then reports within one."""

    registration: int
    sequence: int


class ConnectionRecord(NamedTuple):
    """One open database connection.

    ``since`` is when it entered its state, ``opened`` when it was made; ``uses`` counts
    its checkouts.
    """

    id: int
    pool: int
    state: int
    since: float
    opened: float
    uses: int


class Counters(NamedTuple):
    """Totals since the process began: they only grow, and are whole each time."""

    checkouts: int = 0
    connects: int = 0
    closes: int = 0
    invalidations: int = 0


class Maxima(NamedTuple):
    """The most connections open, and checked out, at one moment; exact."""

    connections: int = 0
    checkouts: int = 0


@dataclass(frozen=True, slots=True)
class PoolRecord:
    """One pool: what it is, its totals and its maxima.

    ``name`` is driver, host, port and database, never a password. ``size`` and
    ``max_overflow`` are ``None`` for pools without such a bound.
    """

    id: int
    name: str
    kind: str
    size: int | None
    max_overflow: int | None
    counters: Counters
    maxima: Maxima


@dataclass(frozen=True, slots=True)
class Report:
    """What changed in a process since the report it builds on, or all of it.

    ``base`` is the sequence of the report this one builds on; ``None`` says that it is
    whole. ``span`` is over how many seconds its changes happened, for rates. A delta
    names only changed pools and connections, and those that are gone.
    """

    sequence: int
    base: int | None
    clock: float
    span: float
    counters: Counters
    maxima: Maxima
    pools: tuple[PoolRecord, ...] = ()
    connections: tuple[ConnectionRecord, ...] = ()
    closed: tuple[int, ...] = ()
    dropped: tuple[int, ...] = ()
