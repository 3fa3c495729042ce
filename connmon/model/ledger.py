"""One process's own truth: what its pools hold now, and all they ever did.

Two kinds of thread meet here, and neither ever waits for the other:

* *The application's threads* mark what happens, each on the one connection it has in
  hand: a few attribute stores and set operations, no lock, no clock, no I/O. A
  connection is in one thread's hands at a time, so its own counts need no lock; the
  sets of open and checked-out connections are changed by single operations that
  CPython does not interrupt. A mark may come from the garbage collector, in the middle
  of another mark: that too only touches the collected connection and the same sets.
* *The reporting thread* alone keeps the books: ``collect`` and ``whole`` take the
  marked connections one by one and fold their counts into the pools' and the
  process's totals. Totals therefore have one writer and never go backwards.

Time is an argument everywhere: the process's monotonic clock, in seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from connmon.model.records import (
    DETACHED,
    IDLE,
    OUT,
    ConnectionRecord,
    Counters,
    Maxima,
    PoolRecord,
    Report,
)

_CLOSED = 3


class Tally:
    """A growing count of what happened; written by the reporting thread only."""

    __slots__ = ("checkouts", "closes", "connects", "invalidations")

    def __init__(self) -> None:
        """Begin at nothing."""
        self.checkouts = self.connects = self.closes = self.invalidations = 0

    def counters(self) -> Counters:
        """The totals as they are now."""
        return Counters(self.checkouts, self.connects, self.closes, self.invalidations)


class Presence:
    """Which connections are open, and which out, with the most there ever were."""

    __slots__ = ("max_open", "max_out", "open", "out")

    def __init__(self) -> None:
        """Begin with none."""
        self.open: set[Connection] = set()
        self.out: set[Connection] = set()
        self.max_open = 0
        self.max_out = 0

    def add(self, connection: Connection) -> None:
        """A connection was opened."""
        self.open.add(connection)
        held = len(self.open)
        if held > self.max_open:  # noqa: PLR1730  see take()
            self.max_open = held

    def take(self, connection: Connection) -> None:
        """A connection was checked out."""
        self.out.add(connection)
        held = len(self.out)
        # Not max(): CPython may switch threads after a call, and a higher mark that was
        # set meanwhile would be lost. It does not between a comparison and a store.
        if held > self.max_out:  # noqa: PLR1730
            self.max_out = held

    def discard(self, connection: Connection) -> None:
        """A connection was closed."""
        self.out.discard(connection)
        self.open.discard(connection)

    def maxima(self) -> Maxima:
        """The high-water marks as they are now."""
        return Maxima(self.max_open, self.max_out)


class Pool:
    """One engine's pool, through every ``dispose()`` of it.

    ``size`` and ``max_overflow`` are ``None`` where the pool has no such bound.
    """

    __slots__ = (
        "id",
        "kind",
        "max_overflow",
        "name",
        "present",
        "retired",
        "size",
        "tally",
    )

    def __init__(
        self, id: int, name: str, kind: str, size: int | None, max_overflow: int | None
    ) -> None:
        """Made by ``Ledger.pool`` only."""
        self.id = id
        self.name = name
        self.kind = kind
        self.size = size
        self.max_overflow = max_overflow
        self.present = Presence()
        self.tally = Tally()
        self.retired = False

    def record(self) -> PoolRecord:
        """The pool as it is reported. Reporting thread."""
        return PoolRecord(
            self.id,
            self.name,
            self.kind,
            self.size,
            self.max_overflow,
            self.tally.counters(),
            self.present.maxima(),
        )


class Connection:
    """One database connection of this process, from its opening to its closing."""

    __slots__ = (
        "_folded_closed",
        "_folded_invalidated",
        "_folded_open",
        "_folded_uses",
        "announced",
        "id",
        "invalidated",
        "opened",
        "pool",
        "since",
        "state",
        "uses",
    )

    def __init__(self, id: int, pool: Pool, now: float) -> None:
        """Made by ``Ledger.opened`` only."""
        self.id = id
        self.pool = pool
        self.state = IDLE
        self.since = self.opened = now
        self.uses = 0
        self.invalidated = 0
        self.announced = False
        self._folded_open = self._folded_closed = False
        self._folded_uses = self._folded_invalidated = 0

    @property
    def closed(self) -> bool:
        """Whether the connection is known to be gone."""
        return self.state == _CLOSED

    def record(self) -> ConnectionRecord:
        """The connection as it is reported. Reporting thread."""
        return ConnectionRecord(
            self.id, self.pool.id, self.state, self.since, self.opened, self.uses
        )

    def fold_into(self, tallies: tuple[Tally, Tally]) -> bool:
        """Add what happened since the last fold to the totals. Reporting thread.

        Everything is read once, and the answer says whether the connection was seen
        closed: its thread may close it, and mark it again, at any moment in between.
        """
        uses, invalidated, closed = self.uses, self.invalidated, self.closed
        for tally in tallies:
            tally.checkouts += uses - self._folded_uses
            tally.invalidations += invalidated - self._folded_invalidated
            tally.connects += not self._folded_open
            tally.closes += closed - self._folded_closed
        self._folded_uses, self._folded_invalidated = uses, invalidated
        self._folded_open, self._folded_closed = True, closed
        return closed


class Ledger:
    """All pools of one process, as one destination is told of them.

    ``wake`` is called, from whichever thread made the mark, by the first mark after
    each ``collect``, ``whole`` or ``fold``: it must return at once, never raise, and
    say whether it was heard. If not, the next mark tries again.
    """

    def __init__(self, wake: Callable[[], bool] = lambda: True) -> None:
        """Begin with no pools, and nothing marked."""
        self._wake = wake
        self._quiet = True
        self._watched = True
        self._present = Presence()
        self._tally = Tally()
        self._pools: dict[int, Pool] = {}
        self._marked: set[Connection | Pool] = set()
        self._pool_ids = count(1)
        self._connection_ids = count(1)

    # The application's threads.

    def pool(
        self, name: str, kind: str, size: int | None, max_overflow: int | None
    ) -> Pool:
        """Begin to follow an engine's pool. Any thread.

        It is told of with its first connection.
        """
        pool = Pool(next(self._pool_ids), name, kind, size, max_overflow)
        self._pools[pool.id] = pool
        return pool

    def retired(self, pool: Pool) -> None:
        """A pool's engine is gone: drop it with its last connection. Any thread."""
        pool.retired = True
        if pool.present.max_open:
            self._mark(pool)
        else:
            self._pools.pop(pool.id, None)

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
        self._pools.setdefault(pool.id, pool)
        self._present.add(connection)
        pool.present.add(connection)
        self._mark(connection)

    def checked_out(self, connection: Connection, now: float) -> None:
        """A connection was taken from its pool. The thread that took it."""
        connection.state = OUT
        connection.since = now
        connection.uses += 1
        self._present.take(connection)
        connection.pool.present.take(connection)
        self._mark(connection)

    def checked_in(self, connection: Connection, now: float) -> None:
        """A connection was given back to its pool. The thread that had it."""
        if connection.state != OUT:
            return
        connection.state = IDLE
        connection.since = now
        self._present.out.discard(connection)
        connection.pool.present.out.discard(connection)
        self._mark(connection)

    def invalidated(self, connection: Connection) -> None:
        """A connection was found, or declared, unusable. The thread that has it."""
        connection.invalidated += 1
        self._mark(connection)

    def detached(self, connection: Connection, now: float) -> None:
        """A connection left its pool, still open. The thread that has it."""
        if connection.closed:
            return
        connection.state = DETACHED
        connection.since = now
        self._present.out.discard(connection)
        connection.pool.present.out.discard(connection)
        self._mark(connection)

    def closed(self, connection: Connection, now: float) -> None:
        """A connection is no more; told twice, it counts once. Any thread.

        It is told twice as a rule, by its event and by the end of its token, so what
        an exception from a signal handler cut short is made good.
        """
        pool = connection.pool
        known = connection in self._present.open or connection in pool.present.open
        if connection.closed and not known:
            return
        connection.state = _CLOSED
        connection.since = now
        self._mark(connection)
        self._present.discard(connection)
        pool.present.discard(connection)

    def unwatch(self) -> None:
        """Nobody will ever collect: stop keeping marks, so that nothing grows."""
        self._watched = False
        self._marked.clear()

    def _mark(self, changed: Connection | Pool) -> None:
        """Remember that something changed, and wake the reporting if it sleeps."""
        if not self._watched:
            return
        self._marked.add(changed)
        if self._quiet:
            heard = self._quiet = False
            try:
                heard = self._wake()
            finally:
                # Also when a signal handler of the host's raises in the middle. If it
                # was heard, the reporting thread may have set this already.
                if not heard:
                    self._quiet = True

    # The reporting thread.

    def collect(self, sequence: int, clock: float, span: float) -> Report:
        """What changed since the last ``collect`` or ``whole``, ``sequence - 1``."""
        connections, pools, closed, dropped = self._fold()
        return self._report(
            sequence,
            sequence - 1,
            clock,
            span,
            pools=tuple(pool.record() for pool in pools),
            connections=_open_records(connections),
            closed=tuple(closed),
            dropped=tuple(dropped),
        )

    def whole(self, sequence: int, clock: float, span: float) -> Report:
        """Everything, whatever was told before."""
        self._fold()
        connections = list(self._present.open)
        for connection in connections:
            connection.announced = True
        return self._report(
            sequence,
            None,
            clock,
            span,
            pools=tuple(pool.record() for pool in list(self._pools.values())),
            connections=_open_records(connections),
        )

    def fold(self) -> None:
        """Keep the books without telling anyone: bounds memory while no node listens.

        The changes taken are lost to ``collect``: the next report must be ``whole``.
        """
        self._fold()

    def changed(self) -> bool:
        """Whether anything was marked since the books were last kept."""
        return bool(self._marked)

    def _fold(self) -> tuple[list[Connection], set[Pool], list[int], list[int]]:
        """Take all marks and bring the totals up to them."""
        self._quiet = True
        connections: list[Connection] = []
        pools: set[Pool] = set()
        closed: list[int] = []
        for _ in range(len(self._marked)):
            try:
                changed = self._marked.pop()
            except KeyError:
                break
            if isinstance(changed, Pool):
                pools.add(changed)
                continue
            pools.add(changed.pool)
            if not changed.fold_into((changed.pool.tally, self._tally)):
                changed.announced = True
                connections.append(changed)
            elif changed.announced:
                closed.append(changed.id)
        dropped = self._drop({pool for pool in pools if pool.retired})
        return (
            connections,
            {each for each in pools if each.id in self._pools},
            closed,
            dropped,
        )

    def _drop(self, retired: set[Pool]) -> list[int]:
        """Forget empty retired pools; the process's totals keep their counts."""
        empty = [pool.id for pool in retired if not pool.present.open]
        return [id for id in empty if self._pools.pop(id, None) is not None]

    def _report(
        self,
        sequence: int,
        base: int | None,
        clock: float,
        span: float,
        *,
        pools: tuple[PoolRecord, ...],
        connections: tuple[ConnectionRecord, ...],
        closed: tuple[int, ...] = (),
        dropped: tuple[int, ...] = (),
    ) -> Report:
        """A report with the process's totals as the books now have them."""
        return Report(
            sequence,
            base,
            clock,
            span,
            self._tally.counters(),
            self._present.maxima(),
            pools,
            connections,
            closed,
            dropped,
        )


def _open_records(connections: list[Connection]) -> tuple[ConnectionRecord, ...]:
    """The records of those that are open, each looked at once, for it may close."""
    records = (each.record() for each in connections)
    return tuple(each for each in records if each.state != _CLOSED)
