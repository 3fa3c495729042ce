"""The values a process reports of itself: who it is, its pools, its open connections.

Times in these records are readings of the process's own monotonic clock, in seconds.
They mean something only beside ``Report.clock``, the same clock's reading when the
report was made: what a reader learns is always "how long ago", never a wall time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from connmon.model.histogram import Histogram

#: A connection sits in its pool, unused.
IDLE = 0
#: A connection is checked out of its pool.
OUT = 1
#: A connection was taken away from its pool for good, and is still open.
DETACHED = 2

STATES = (IDLE, OUT, DETACHED)

MOST = 2**63 - 1
"""The largest count; sums beyond it are of what somebody made up, and as large."""


LONGEST = 1e9
"""No duration is told that is longer: a process may say anything of its clock."""


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


#: Nobody has heard the process's node for long: its end is an assumption.
LOST = 0
#: Linked to a node, as far as is known.
LIVE = 1
#: Its link closed, or it fell silent: a fact, until it registers anew.
GONE = 2

STANDINGS = (LOST, LIVE, GONE)


class Standing(NamedTuple):
    """What is known of a process, in the order in which it is believed.

    The highest registration wins, then the highest sequence; at the same version gone
    is believed before live, and live before lost.
    """

    registration: int
    sequence: int
    state: int


class Home(NamedTuple):
    """The node a process is linked to: its name, and which start of it that was."""

    node: str
    incarnation: str


class ConnectionRecord(NamedTuple):
    """One open database connection.

    ``since`` is when it entered its state, ``opened`` when it was made; ``uses`` counts
    its checkouts. ``owner`` is the thread or task that took it last, by name, ``site``
    the line of the application that did, and ``tag`` what that called its work; all are
    empty while it is idle, the last two also where they are not known. ``session`` is
    what the server calls it, and ``address`` where the server sees it come from, as far
    as the driver tells. ``transaction`` is since when it has been in a transaction, and
    ``quiet`` since when nothing was executed in that; ``None`` if it is in none, or one
    is executing now, or neither is known. ``leak`` says why nobody can return it any
    more, in a few words, and is empty as long as somebody may. ``disposed`` says that
    its pool was disposed of since it was opened: it takes no place of the pool that is
    there now, and nobody takes it from there.
    """

    id: int
    pool: int
    state: int
    since: float
    opened: float
    uses: int
    owner: str
    site: str = ""
    session: int | None = None
    address: str = ""
    tag: str = ""
    transaction: float | None = None
    quiet: float | None = None
    leak: str = ""
    disposed: bool = False

    @property
    def takes_place(self) -> bool:
        """Whether it takes one of the places that its pool has for checkouts."""
        return self.state == OUT and not self.disposed

    @property
    def is_apart(self) -> bool:
        """Whether it is open besides those that its pool may have."""
        return self.state == DETACHED or self.disposed


class WaiterRecord(NamedTuple):
    """Who waits for a connection of a pool, and since when.

    ``holds`` says that the same thread or task has one of this pool out already: if all
    do, they wait for each other. The other words are those of a connection's holder.
    """

    pool: int
    since: float
    owner: str
    site: str = ""
    holds: bool = False
    tag: str = ""


class Counters(NamedTuple):
    """Totals since the process began: they only grow, and are whole each time.

    A checkout ends in a check-in, unless the connection was detached, or dropped with
    its pool. ``invalidations`` are those that closed a connection at once,
    ``soft_invalidations`` those that have it replaced at its next checkout. A reset is
    what a pool does to a connection that comes back to it alive. ``commits`` and
    ``rollbacks`` are counted where that was asked for, else zero. ``waits`` are those
    for a connection that are over and were longer than a millisecond, however they
    ended; ``timeouts`` the checkouts that a pool refused because it had none in time.
    ``leaks`` are connections that were certainly not returned by who took them.
    """

    checkouts: int = 0
    checkins: int = 0
    connects: int = 0
    connect_failures: int = 0
    closes: int = 0
    invalidations: int = 0
    soft_invalidations: int = 0
    resets: int = 0
    commits: int = 0
    rollbacks: int = 0
    waits: int = 0
    timeouts: int = 0
    leaks: int = 0

    def plus(self, other: Counters) -> Counters:
        """The sum, field by field, each from 0 to ``MOST``."""
        pairs = zip(self, other, strict=True)
        return Counters(*(min(max(a + b, 0), MOST) for a, b in pairs))

    def minus(self, other: Counters) -> Counters:
        """The difference, field by field."""
        return Counters(*(a - b for a, b in zip(self, other, strict=True)))


class Maxima(NamedTuple):
    """The most connections open, and checked out, at one moment; exact."""

    connections: int = 0
    checkouts: int = 0


class PoolFacts(NamedTuple):
    """What a pool is, and how it was configured; ``None`` where it has no such thing.

    ``name`` is driver, host, port and database, never a password. ``kind`` is the name
    of its class. ``timeout`` is how many seconds a checkout may wait, ``recycle`` after
    how many a connection is replaced, ``pre_ping`` whether one is tried before use.
    ``limit`` is how many connections the server has for applications, if that was to be
    read.
    """

    name: str
    kind: str
    size: int | None = None
    max_overflow: int | None = None
    timeout: float | None = None
    recycle: float | None = None
    pre_ping: bool = False
    limit: int | None = None


class PoolRecord(NamedTuple):
    """One pool: what it is, its totals and maxima, and how long things took.

    ``holds`` has the checkouts that have ended, ``creations`` the connections made,
    ``waits`` those that are counted as such. ``closings`` has how many connections were
    closed for each reason, such as ``overflow`` or ``invalidated: OperationalError``.
    """

    id: int
    facts: PoolFacts
    counters: Counters
    maxima: Maxima
    holds: Histogram
    creations: Histogram
    waits: Histogram = Histogram()
    closings: tuple[tuple[str, int], ...] = ()


class Holder(NamedTuple):
    """Who had a connection out when a pool timed out, and since when."""

    connection: int
    since: float
    owner: str
    site: str = ""
    session: int | None = None
    address: str = ""
    tag: str = ""


class InLine(NamedTuple):
    """Who had been waiting when a pool timed out, and since when."""

    since: float
    owner: str
    site: str = ""
    holds: bool = False
    tag: str = ""


class Incident(NamedTuple):
    """What was so at the instant in which a checkout timed out.

    ``number`` counts the incidents of the process, ``at`` is a reading of its clock.
    ``timeouts`` is how many its pool had counted by then, this one among them.
    ``victim`` is whose checkout failed. ``held`` and ``waiting`` are how many there
    were besides; of more than a hundred only the longest are listed, the longest first.
    """

    number: int
    pool: int
    at: float
    timeouts: int
    facts: PoolFacts
    victim: InLine
    held: int = 0
    holders: tuple[Holder, ...] = ()
    waiting: int = 0
    waiters: tuple[InLine, ...] = ()

    def seconds(self, since: float) -> float:
        """For how long somebody had held or waited who began to at that reading."""
        return min(max(self.at - since, 0.0), LONGEST)


#: Returned by the garbage collector: nobody had a reference to it any more.
COLLECTED = "collected"
#: The thread or task that had it has ended, and did not return it.
ABANDONED = "abandoned"
#: Somebody returned it after all, of which it was told that it was ``ABANDONED``. That
#: was no leak then, and is not counted any more.
RETURNED = "returned"
#: It is gone, and neither its pool nor anybody else had closed it.
UNCLOSED = "unclosed"
#: It has been out for longer than ``connmon_slow`` allows. No leak.
SLOW = "slow"
#: It was found broken before use, after it had been idle for so long. No leak.
STALE = "stale"
#: It was opened by another process, of which this one is a fork. No leak.
INHERITED = "inherited"
#: Its owner had another one of the same pool out at the same moment. No leak.
NESTED = "nested"

LEAKS = (COLLECTED, ABANDONED, UNCLOSED)
"""The kinds of notices that are leaks, with proof."""


class Notice(NamedTuple):
    """Something that happened to one connection and should not.

    ``number`` counts the notices of the process, ``at`` is a reading of its clock.
    ``kind`` is one of those above; a reader may meet others, of a later version.
    ``seconds`` is for how long it had been out, or idle if ``STALE``. The other words
    are those of the connection and its holder.
    """

    number: int
    pool: int
    at: float
    kind: str
    connection: int
    seconds: float
    owner: str
    site: str = ""
    session: int | None = None
    address: str = ""
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What changed in a process since the report it builds on, or all of it.

    ``base`` is the sequence of the report this one builds on; ``None`` says that it is
    whole. ``span`` is over how many seconds its changes happened, for rates. A delta
    names only changed pools and connections, and those that are gone. ``began`` is the
    clock's reading when connmon began in the process, ``None`` if it did not say.
    ``waiting`` is how many wait for a connection now, and ``waiters`` who they are, the
    longest first and at most a hundred: always all, in a delta too. ``incidents`` are
    new ones; a whole report also has the last few that were told before, and so it is
    with ``notices``. ``engines`` tells how many engines were made by each line of the
    application for one database, the most first, since the process began; those for
    others as ``connmon.model.engines`` has it. ``last`` says that the process is about
    to end, and has nothing to add.
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
    began: float | None = None
    waiting: int = 0
    waiters: tuple[WaiterRecord, ...] = ()
    incidents: tuple[Incident, ...] = ()
    notices: tuple[Notice, ...] = ()
    engines: tuple[tuple[str, int], ...] = ()
    last: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """All that one node tells another of a process.

    ``age`` is how many seconds ago its last word was heard, or, if it is not live, its
    end was noticed; ``unheard`` how many seconds ago anyone the teller reaches heard
    its home. ``report`` is whole; of a process that is not live, only the totals are
    left.
    """

    identity: Identity
    standing: Standing
    home: Home
    age: float
    unheard: float
    report: Report
