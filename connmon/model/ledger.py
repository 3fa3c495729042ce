"""One process's own truth: what its pools hold now, and all they ever did.

Two kinds of thread meet here, and neither ever waits for the other:

* *The application's threads* mark what happens. No lock, no clock, no I/O. Each mark
  that happens with every checkout is a run of plain stores without a call in it:
  CPython (3.10 to 3.13, with its global lock) changes threads, runs signal handlers and
  collects garbage only after calls and at jumps, so such a run is one step, and its
  additions lose nothing. The rarer marks also keep sets, by single operations,
  and are safe to repeat. A mark may come from the garbage collector, in the middle of
  another one's calls: it only touches the collected connection and the same numbers.
* *The reporting thread* alone keeps the books: ``collect``, ``whole`` and ``fold`` take
  the pools in which something stirred, and bring the totals up to their connections.
  Totals therefore have one writer and never go backwards.

Time is an argument everywhere: the process's monotonic clock, in seconds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

from connmon.model.histogram import BOUNDS, Durations, Histogram
from connmon.model.holding import (
    APART_SECONDS,
    KEPT,
    LISTED,
    REPEATED,
    SHORTEST_WAIT,
    Held,
    Instant,
    Owner,
    Waiter,
    longest_held,
    longest_waiting,
)
from connmon.model.records import (
    DETACHED,
    IDLE,
    OUT,
    ConnectionRecord,
    Counters,
    Incident,
    Maxima,
    PoolFacts,
    PoolRecord,
    Report,
    WaiterRecord,
)

NOT_IDLE = 2
"""What ``Connection.taken`` leaves to do when the connection was out, or closed."""

_CLOSED = 3
_SHORTEST = BOUNDS[0]


def _undescribed(site: Any) -> str:
    """What to call a site where nobody says how."""
    return "" if site is None else str(site)


class Presence:
    """Which connections are open, how many are out, and the most there ever were."""

    __slots__ = ("max_open", "max_out", "open", "out")

    def __init__(self) -> None:
        """Begin with none."""
        self.open: set[Connection] = set()
        self.out = 0
        self.max_open = 0
        self.max_out = 0

    def add(self, connection: Connection) -> None:
        """A connection was opened."""
        self.open.add(connection)
        held = len(self.open)
        # Not max(): CPython may switch threads after a call, and a higher mark that was
        # set meanwhile would be lost. It does not between a comparison and a store.
        if held > self.max_open:  # noqa: PLR1730
            self.max_open = held

    def maxima(self) -> Maxima:
        """The high-water marks as they are now."""
        return Maxima(self.max_open, self.max_out)


class Pool(Presence):
    """One engine's pool, through every ``dispose()`` of it, and its own presence."""

    __slots__ = (
        "_noted",
        "_told",
        "announced",
        "commits",
        "connect_failures",
        "connects",
        "creations",
        "detached_closes",
        "emptied",
        "ended",
        "facts",
        "held",
        "holds",
        "id",
        "invalidations",
        "key",
        "ledger",
        "lost",
        "quiet",
        "retired",
        "rollbacks",
        "soft_invalidations",
        "timeouts",
        "uses",
        "waiting",
        "waits",
    )

    def __init__(self, ledger: Ledger, id: int, key: object, facts: PoolFacts) -> None:
        """Made by ``Ledger.pool`` only."""
        super().__init__()
        self.ledger = ledger
        self.id = id
        self.key = key
        self.facts = facts
        self.retired = False
        #: Whether anything ever happened in it, so that it is told of.
        self.announced = False
        #: Whether the reporting thread has seen all there is; the next mark stirs it.
        self.quiet = True
        self.creations = Durations()
        #: Ended checkouts that took longer than the first bucket, by bucket, and how
        #: long all of them took; what is left of ``ended`` is the first bucket.
        self.holds = [0] * (len(BOUNDS) + 1)
        self.held = 0.0
        self.connects = self.connect_failures = 0
        self.invalidations = self.soft_invalidations = 0
        self.commits = self.rollbacks = 0
        #: Checkouts that ended without a check-in.
        self.lost = 0
        #: Check-ins of a record whose connection was closed before, hence not reset.
        self.emptied = 0
        #: Detached connections that were closed by their user, hence reset.
        self.detached_closes = 0
        #: Who waits for a connection now.
        self.waiting: set[Waiter] = set()
        #: Waits that are over, however they ended.
        self.waits = Durations()
        self.timeouts = 0
        #: When the last incident was noted.
        self._noted = float("-inf")
        # Kept by the reporting thread.
        self.uses = self.ended = 0
        self._told = Counters()

    # The application's threads.

    def created(self, seconds: float) -> None:
        """A connection was made by the driver, which took so long. Any thread."""
        self.creations.add(seconds)

    def refused(self) -> None:
        """A connection could not be made. Any thread."""
        self.connect_failures += 1
        self.stir()

    def committed(self) -> None:
        """A transaction was committed. The thread that has its connection."""
        self.commits += 1
        self.stir()

    def rolled_back(self) -> None:
        """A transaction was rolled back. The thread that has its connection."""
        self.rollbacks += 1
        self.stir()

    def awaited(self, waiter: Waiter) -> None:
        """Someone begins to wait. The one who does."""
        self.waiting.add(waiter)
        self.stir()

    def served(self, waiter: Waiter, now: float) -> None:
        """Someone does not wait any more, with a connection or without.

        Told twice, it counts once. The one who waited.
        """
        if waiter in self.waiting:
            self.waiting.discard(waiter)
            seconds = now - waiter.since
            if seconds > SHORTEST_WAIT:
                self.waits.add(seconds)
            self.stir()

    def timed_out(self, waiter: Waiter, now: float) -> None:
        """A checkout failed, after a wait that is over. The one who waited."""
        self.timeouts += 1
        if now - self._noted >= APART_SECONDS:
            self._noted = now
            self.ledger.happened(self._instant(waiter, now))
        self.stir()

    def _instant(self, victim: Waiter, now: float) -> Instant:
        """Who holds and who waits, as it is now."""
        held = [
            Held(
                each.since,
                each.id,
                each.owner,
                each.site,
                each.session,
                each.address,
                each.tag,
            )
            for each in list(self.open)
            if each.state == OUT
        ]
        line = list(self.waiting)
        holders, waiters = longest_held(held), longest_waiting(line)
        listed = {victim.owner, *(each.owner for each in holders + waiters)}
        return Instant(
            self.id,
            self.facts,
            now,
            self.timeouts,
            victim,
            len(held),
            holders,
            len(line),
            waiters,
            frozenset(each.owner for each in held),
            {owner: self.ledger.owner_name(owner) for owner in listed},
        )

    def stir(self) -> None:
        """Have the reporting thread look at this pool, unless it is about to."""
        if self.quiet:
            stirred = self.quiet = False
            try:
                stirred = self.ledger.stir(self)
            finally:
                # Also when a signal handler of the host's raises in the middle.
                if not stirred:
                    self.quiet = True

    # The reporting thread.

    def news(self) -> Counters:
        """What was counted since the last time. Reporting thread."""
        total = self._total()
        news = total.minus(self._told)
        self._told = total
        return news

    def _total(self) -> Counters:
        """The totals, as far as the books are kept.

        What follows from two numbers that change at different moments is never less
        than it was told to be.
        """
        checkins = self.ended - self.lost
        return Counters(
            checkouts=self.uses,
            checkins=max(checkins, self._told.checkins),
            connects=self.connects,
            connect_failures=self.connect_failures,
            closes=max(self.connects - len(self.open), self._told.closes),
            invalidations=self.invalidations,
            soft_invalidations=self.soft_invalidations,
            resets=max(
                checkins - self.emptied + self.detached_closes, self._told.resets
            ),
            commits=self.commits,
            rollbacks=self.rollbacks,
            waits=sum(self.waits.counts),
            timeouts=self.timeouts,
        )

    def record(self) -> PoolRecord:
        """The pool as it is reported. Reporting thread."""
        longer = self.holds[1:]
        shortest = max(self.ended - sum(longer), 0)
        return PoolRecord(
            self.id,
            self.facts,
            self._told,
            self.maxima(),
            Histogram((shortest, *longer), self.held),
            self.creations.histogram(),
            self.waits.histogram(),
        )

    def line(self) -> list[WaiterRecord]:
        """Who waits now, the longest first, at most ``LISTED``. Any thread."""
        waiters = list(self.waiting)
        if not waiters:
            return []
        owners = {each.owner for each in list(self.open) if each.state == OUT}
        listed = longest_waiting(waiters)
        return [
            WaiterRecord(
                self.id,
                each.since,
                self.ledger.owner_name(each.owner),
                self.ledger.site_name(each.site),
                each.owner in owners,
                each.tag,
            )
            for each in listed
        ]


class Connection:
    """One database connection of this process, from its opening to its closing."""

    __slots__ = (
        "_folded_ended",
        "_folded_uses",
        "_told",
        "address",
        "announced",
        "id",
        "opened",
        "owner",
        "pool",
        "process",
        "session",
        "since",
        "site",
        "state",
        "tag",
        "uses",
    )

    def __init__(self, id: int, pool: Pool, now: float) -> None:
        """Made by ``Ledger.connection`` only."""
        self.id = id
        self.pool = pool
        #: The whole process's presence, where that is more than the pool's.
        self.process: Presence | None = None
        self.state = IDLE
        self.since = self.opened = now
        self.owner: Owner = 0
        #: Where in the application it was taken, as ``Ledger.site_name`` knows it.
        self.site: object = None
        #: What the application called its work then.
        self.tag = ""
        #: What the server calls it, and where the server sees it come from.
        self.session: int | None = None
        self.address = ""
        self.uses = 0
        #: Whether a node knows of it.
        self.announced = False
        self._folded_uses = self._folded_ended = 0
        self._told = (-1, 0.0, 0, "")

    @property
    def closed(self) -> bool:
        """Whether the connection is known to be gone."""
        return self.state == _CLOSED

    def taken(self, now: float, owner: Owner, site: object = None) -> int:
        """Note a checkout; what is left to do. The thread that took it.

        Zero is nothing, ``NOT_IDLE`` that nothing was noted, anything else that the
        pool must be stirred. One step, see above: no call between the first store and
        the last.
        """
        if self.state != IDLE:
            return NOT_IDLE
        pool, process = self.pool, self.process
        self.state = OUT
        self.since = now
        self.owner = owner
        self.site = site
        self.uses += 1
        pool.out = out = pool.out + 1
        if process is not None:
            process.out = out_of_all = process.out + 1
            if out_of_all > process.max_out:  # noqa: PLR1730  see Presence.add()
                process.max_out = out_of_all
        if out > pool.max_out:  # noqa: PLR1730
            pool.max_out = out
        return pool.quiet

    def returned(self, now: float) -> bool:
        """Note a check-in; whether the pool must be stirred. The thread that had it.

        One step likewise.
        """
        if self.state != OUT:
            return False
        pool, process = self.pool, self.process
        held = now - self.since
        bucket = bisect_left(BOUNDS, held) if held > _SHORTEST else 0
        self.state = IDLE
        self.since = now
        pool.held += held
        pool.out -= 1
        if process is not None:
            process.out -= 1
        if bucket:
            pool.holds[bucket] += 1
        return pool.quiet

    def ended(self, now: float, state: int) -> None:
        """Go to another state than idle, ending a checkout if there is one.

        One step likewise. The thread that has the connection, or the last that had.
        """
        pool, process = self.pool, self.process
        held = now - self.since
        bucket = bisect_left(BOUNDS, held)
        if self.state == OUT:
            pool.holds[bucket] += bucket > 0
            pool.held += held
            pool.lost += state == DETACHED
            pool.emptied += state == _CLOSED
            pool.out -= 1
            if process is not None:
                process.out -= 1
        self.state = state
        self.since = now

    def join(self, process: Presence) -> None:
        """Be counted with those of other pools too, from now on. Any thread.

        One step likewise.
        """
        if self.process is None:
            process.out += self.state == OUT
            self.process = process

    def shared(self) -> None:
        """Another user of a connection that is out already, as in ``StaticPool``.

        It is taken twice and given back once.
        """
        self.uses += 1
        self.pool.lost += 1
        self.pool.stir()

    def has_news(self) -> bool:
        """Whether it is not as it was last told of. Reporting thread."""
        return (self.state, self.since, self.uses, self.tag) != self._told

    def look(self) -> ConnectionRecord | None:
        """The connection as it is now, ``None`` if closed. Any thread."""
        return self._record(self._seen())

    def record(self) -> ConnectionRecord | None:
        """The connection as it is reported, ``None`` if closed. Reporting thread."""
        seen = self._seen()
        if seen[0] != _CLOSED:
            self.announced = True
            self._told = seen[:4]
        return self._record(seen)

    def _seen(self) -> tuple[int, float, int, str, Owner, object]:
        """What changes, all of the same moment."""
        return self.state, self.since, self.uses, self.tag, self.owner, self.site

    def _record(
        self, seen: tuple[int, float, int, str, Owner, object]
    ) -> ConnectionRecord | None:
        state, since, uses, tag, owner, site = seen
        if state == _CLOSED:
            return None
        ledger, known = self.pool.ledger, state != IDLE
        return ConnectionRecord(
            self.id,
            self.pool.id,
            state,
            since,
            self.opened,
            uses,
            ledger.owner_name(owner) if known else "",
            ledger.site_name(site) if known else "",
            self.session,
            self.address,
            tag if known else "",
        )

    def fold(self) -> None:
        """Add what happened since the last fold to the pool's. Reporting thread."""
        uses, ended = self.uses, self.uses - (self.state == OUT)
        self.pool.uses += uses - self._folded_uses
        self.pool.ended += ended - self._folded_ended
        self._folded_uses, self._folded_ended = uses, ended


class Ledger:
    """All pools of one process, as one destination is told of them.

    ``wake`` is called, from whichever thread made the mark, by the first mark after
    each ``collect``, ``whole`` or ``fold``: it must return at once, never raise, and
    say whether it was heard. If not, the next mark tries again. ``owner_name`` is
    asked what a thread's number stands for, in any thread; ``site_name`` what to call
    a site that ``Connection.taken`` was given, by whoever looks.
    """

    def __init__(
        self,
        wake: Callable[[], bool] = lambda: True,
        owner_name: Callable[[Owner], str] = str,
        began: float | None = None,
        site_name: Callable[[Any], str] = _undescribed,
    ) -> None:
        """Begin with no pools, and nothing stirred; ``began`` is passed on."""
        self._wake = wake
        self._began = began
        self.owner_name = owner_name
        self.site_name = site_name
        self._quiet = True
        self._watched = True
        self._heard_unwatched = False
        self._present = Presence()
        self._has_several = False
        self._max_out = 0
        self._counters = Counters()
        self._pools: dict[object, Pool] = {}
        self._stirred: set[Pool] = set()
        self._closed: deque[Connection] = deque()
        #: What is to be told of timeouts, and the last few that were.
        self._instants: deque[Instant] = deque(maxlen=KEPT)
        self._incidents: deque[Incident] = deque(maxlen=REPEATED)
        self._happened = self._incidents_told = 0
        self._pool_ids = count(1)
        self._connection_ids = count(1)

    # The application's threads.

    def pool(self, key: object, facts: PoolFacts) -> Pool:
        """The pool that ``key`` stands for, followed from now on. Any thread.

        It is told of when something happens in it.
        """
        pool = self._pools.get(key)
        if pool is None:
            made = Pool(self, next(self._pool_ids), key, facts)
            pool = self._pools.setdefault(key, made)
            if len(self._pools) > 1 and not self._has_several:
                self._count_together()
        return pool

    def _count_together(self) -> None:
        """From now on, count what is out of all pools; with one it is the pool's."""
        self._has_several = True
        for pool in list(self._pools.values()):
            for connection in list(pool.open):
                connection.join(self._present)

    def retired(self, pool: Pool) -> None:
        """A pool's engine is gone: drop it with its last connection. Any thread."""
        pool.retired = True
        if pool.announced:
            pool.stir()
        elif not pool.open:
            self._pools.pop(pool.key, None)

    def pools(self) -> list[Pool]:
        """The pools in which something ever happened. Any thread."""
        return [pool for pool in list(self._pools.values()) if pool.announced]

    def connection(self, pool: Pool, now: float) -> Connection:
        """A record for a connection just made; ``enter`` makes it count. Any thread."""
        return Connection(next(self._connection_ids), pool, now)

    def opened(self, pool: Pool, now: float) -> Connection:
        """A connection was made. Any thread."""
        connection = self.connection(pool, now)
        self.enter(connection)
        return connection

    def enter(self, connection: Connection) -> None:
        """Count a connection from now on. Any thread."""
        pool = connection.pool
        # A retired pool may still be used, through a copy of its engine.
        self._pools.setdefault(pool.key, pool)
        self._present.add(connection)
        pool.add(connection)
        pool.connects += 1
        if self._has_several:
            connection.join(self._present)
        pool.stir()

    def invalidated(self, connection: Connection, soft: bool = False) -> None:
        """A connection was declared unusable, or to be replaced if ``soft``."""
        pool = connection.pool
        if soft:
            pool.soft_invalidations += 1
        else:
            pool.invalidations += 1
        pool.stir()

    def detached(self, connection: Connection, now: float) -> None:
        """A connection left its pool, still open. The thread that has it."""
        if not connection.closed:
            connection.ended(now, DETACHED)
            connection.pool.stir()

    def closed(self, connection: Connection, now: float) -> None:
        """A connection is no more; told twice, it counts once. Any thread.

        It is told twice as a rule, by its event and by the end of its token, so what
        an exception from a signal handler cut short is made good.
        """
        pool, everywhere = connection.pool, self._present.open
        if connection not in everywhere and connection not in pool.open:
            return
        if not connection.closed:
            connection.ended(now, _CLOSED)
        if self._watched:
            self._closed.append(connection)
        pool.open.discard(connection)
        everywhere.discard(connection)
        pool.stir()

    def dropped(self, connection: Connection, now: float) -> None:
        """A connection is no more, and no event told of it. Any thread."""
        if connection.state == OUT:
            connection.ended(now, DETACHED)
        self.closed(connection, now)

    def happened(self, instant: Instant) -> None:
        """Keep what was so when a pool timed out, until it is told. Any thread."""
        if self._watched:
            self._happened += 1
            self._instants.append(instant)

    @property
    def incidents_dropped(self) -> int:
        """How many incidents were not told of because there were too many."""
        return max(self._happened - self._incidents_told - len(self._instants), 0)

    def unwatch(self, *, for_good: bool = True) -> None:
        """Nobody will collect: keep nothing that would grow.

        Unless it is for good, each mark still asks to be heard, in vain, and so finds
        out that another ledger has taken the place of this one.
        """
        self._watched = False
        self._heard_unwatched = for_good
        self._closed.clear()
        self._stirred.clear()
        self._instants.clear()
        for pool in list(self._pools.values()):
            pool.quiet = True

    def stir(self, pool: Pool) -> bool:
        """A pool has news: remember it, and wake the reporting if it sleeps.

        Whether that was heard, by the reporting or by an earlier mark of its waking.
        """
        if not self._watched:
            return self._heard_unwatched
        self._stirred.add(pool)
        if not self._quiet:
            return True
        heard = self._quiet = False
        try:
            heard = self._wake()
        finally:
            # Also when a signal handler of the host's raises in the middle. If it was
            # heard, the reporting thread may have set this already.
            if not heard:
                self._quiet = True
        return heard

    # The reporting thread.

    def collect(self, sequence: int, clock: float, span: float) -> Report:
        """What changed since the last ``collect`` or ``whole``, ``sequence - 1``."""
        pools, closed, dropped = self._fold()
        connections = [
            each for pool in pools for each in list(pool.open) if each.has_news()
        ]
        return replace(
            self._report(sequence, clock, span, pools, connections),
            base=sequence - 1,
            closed=tuple(closed),
            dropped=tuple(dropped),
            incidents=self._new_incidents(),
        )

    def whole(self, sequence: int, clock: float, span: float) -> Report:
        """Everything, whatever was told before."""
        self._fold()
        connections = list(self._present.open)
        report = self._report(sequence, clock, span, self.pools(), connections)
        earlier = tuple(self._incidents)
        return replace(report, incidents=earlier + self._new_incidents())

    def fold(self) -> None:
        """Keep the books without telling anyone: bounds memory while no node listens.

        The changes taken are lost to ``collect``: the next report must be ``whole``.
        """
        self._fold()

    def _fold(self) -> tuple[list[Pool], list[int], list[int]]:
        """Bring the totals up to all that happened.

        The pools in which something did; the connections closed of which a node knows;
        the pools that are dropped.
        """
        self._quiet = True
        stirred = self._take_stirred()
        closed = self._take_closed()
        for pool in stirred:
            for connection in list(pool.open):
                connection.fold()
            self._counters = self._counters.plus(pool.news())
            self._max_out = max(self._max_out, pool.max_out)
        self._max_out = max(self._max_out, self._present.max_out)
        dropped = [pool for pool in stirred if pool.retired and not pool.open]
        ids = [pool.id for pool in dropped if self._pools.pop(pool.key, None)]
        return [pool for pool in stirred if pool.key in self._pools], closed, ids

    def _take_stirred(self) -> list[Pool]:
        """The pools in which something happened; from now on they are quiet again."""
        taken: list[Pool] = []
        for _ in range(len(self._stirred)):
            try:
                pool = self._stirred.pop()
            except KeyError:
                break
            pool.quiet = True
            pool.announced = True
            taken.append(pool)
        return taken

    def _take_closed(self) -> list[int]:
        """Fold the connections that were closed; which of them a node knows."""
        known: list[int] = []
        for _ in range(len(self._closed)):
            connection = self._closed.popleft()
            connection.fold()
            if connection.announced:
                connection.announced = False
                known.append(connection.id)
        return known

    def _new_incidents(self) -> tuple[Incident, ...]:
        """Those that were not told yet, in their order; from now on they are."""
        new: list[Incident] = []
        for _ in range(len(self._instants)):
            self._incidents_told += 1
            instant = self._instants.popleft()
            new.append(instant.incident(self._incidents_told, self.site_name))
        self._incidents.extend(new)
        return tuple(new)

    def _waiters(self) -> tuple[int, tuple[WaiterRecord, ...]]:
        """How many wait now, and who they are, the longest first."""
        pools = [pool for pool in self.pools() if pool.waiting]
        waiting = sum(len(pool.waiting) for pool in pools)
        line = [each for pool in pools for each in pool.line()]
        line.sort(key=lambda each: each.since)
        # Not fewer than are listed, should more have come meanwhile.
        return max(waiting, len(line)), tuple(line[:LISTED])

    def _report(
        self,
        sequence: int,
        clock: float,
        span: float,
        pools: list[Pool],
        connections: list[Connection],
    ) -> Report:
        """A whole report, with the process's totals as the books now have them."""
        records = (each.record() for each in connections)
        waiting, waiters = self._waiters()
        return Report(
            sequence=sequence,
            base=None,
            clock=clock,
            span=span,
            counters=self._counters,
            maxima=Maxima(self._present.max_open, self._max_out),
            pools=tuple(pool.record() for pool in pools),
            connections=tuple(each for each in records if each is not None),
            began=self._began,
            waiting=waiting,
            waiters=waiters,
        )
