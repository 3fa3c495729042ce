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

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from math import inf
from typing import Any

from connmon.model.backlog import Backlog
from connmon.model.closings import OTHER
from connmon.model.connection import CLOSED, Connection
from connmon.model.engines import Engines
from connmon.model.holding import KEPT, LISTED, REPEATED, Instant, Owner
from connmon.model.notices import Noted, notices
from connmon.model.pool import Pool
from connmon.model.presence import Presence
from connmon.model.records import (
    DETACHED,
    LEAKS,
    OUT,
    Counters,
    Incident,
    Maxima,
    Notice,
    PoolFacts,
    Report,
    WaiterRecord,
)
from connmon.model.vigil import Vigil


def _undescribed(site: Any) -> str:
    """What to call a site where nobody says how."""
    return "" if site is None else str(site)


class Ledger:
    """All pools of one process, as one destination is told of them.

    ``wake`` is called, from whichever thread made the mark, by the first mark after
    each ``collect``, ``whole`` or ``fold``: it must return at once, never raise, and
    say whether it was heard. If not, the next mark tries again. ``owner_name`` is
    asked what to call an owner, in any thread; ``site_name`` what to call a site that
    ``Connection.taken`` was given, by whoever looks. ``owner_end`` says in a few words
    how an owner has ended, in none if it has not, and ``None`` if that cannot be known.
    """

    def __init__(
        self,
        wake: Callable[[], bool] = lambda: True,
        owner_name: Callable[[Owner], str] = str,
        began: float | None = None,
        site_name: Callable[[Any], str] = _undescribed,
        owner_end: Callable[[Owner], str | None] = lambda owner: None,
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
        self._incidents: Backlog[Instant, Incident] = Backlog(KEPT, REPEATED)
        self._notices = notices()
        self._engines = Engines()
        self._vigil = Vigil(owner_end)
        self._pool_ids = count(1)
        self._connection_ids = count(1)

    def keep_notices(self, kept: int) -> None:
        """Keep so many notices until they are told; before there are any."""
        self._notices = notices(kept)

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
        if pool.announced and self._watched:
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

    def closed(self, connection: Connection, now: float, reason: str = OTHER) -> None:
        """A connection is no more; told twice, it counts once. Any thread.

        ``reason`` is one of ``connmon.model.closings``; who tells first is believed.

        It is told twice as a rule, by its event and by the end of its token, so what
        an exception from a signal handler cut short is made good.
        """
        pool, everywhere = connection.pool, self._present.open
        if connection not in everywhere and connection not in pool.open:
            return
        if not connection.closed:
            connection.fate = reason
            connection.ended(now, CLOSED)
        if self._watched:
            self._closed.append(connection)
        pool.open.discard(connection)
        everywhere.discard(connection)
        if pool.retired and not self._watched and not pool.open:
            # Nobody keeps the books, by which it would go.
            self._pools.pop(pool.key, None)
        pool.stir()

    def dropped(self, connection: Connection, now: float) -> None:
        """A connection is no more, and no event told of it. Any thread."""
        reason = connection.unheard()
        if connection.state == OUT:
            connection.ended(now, DETACHED)
        self.closed(connection, now, reason)

    def happened(self, instant: Instant) -> None:
        """Keep what was so when a pool timed out, until it is told. Any thread."""
        if self._watched:
            self._incidents.add(instant)
        else:
            self._incidents.leave_out()

    def left_out(self) -> None:
        """A pool timed out, and in a storm it is not said what was so. Any thread."""
        self._incidents.leave_out()

    def noticed(
        self, connection: Connection, kind: str, now: float, seconds: float
    ) -> None:
        """Something happened to a connection that should not; any thread.

        It is counted if it is a leak, and kept until it is told: one leak of each use
        at most. ``seconds`` is for how long the connection had been out, or idle.
        """
        if kind not in LEAKS or connection.leaks(connection.uses):
            self._note(connection, kind, now, seconds)

    def _note(
        self, connection: Connection, kind: str, now: float, seconds: float
    ) -> None:
        pool = connection.pool
        if self._watched:
            self._notices.add(
                Noted(
                    pool.id,
                    now,
                    kind,
                    connection.id,
                    seconds,
                    self.owner_name(connection.owner),
                    connection.site,
                    connection.session,
                    connection.address,
                    connection.tag,
                )
            )
        pool.stir()

    def engine_made(self, site: object, database: str) -> None:
        """An engine was made there for a database. The thread that did, not often."""
        self._engines.add(self.site_name(site), database)

    @property
    def incidents_dropped(self) -> int:
        """How many incidents were not told of because there were too many."""
        return self._incidents.dropped

    def unwatch(self, *, for_good: bool = True) -> None:
        """Nobody will collect: keep nothing that would grow.

        Unless it is for good, each mark still asks to be heard, in vain, and so finds
        out that another ledger has taken the place of this one.
        """
        self._watched = False
        self._heard_unwatched = for_good
        self._closed.clear()
        self._stirred.clear()
        self._incidents.clear()
        self._notices.clear()
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
            incidents=self._incidents.take(self._incident),
            notices=self._notices.take(self._notice),
        )

    def whole(self, sequence: int, clock: float, span: float) -> Report:
        """Everything, whatever was told before."""
        self._fold()
        connections = list(self._present.open)
        report = self._report(sequence, clock, span, self.pools(), connections)
        incidents, notices = self._incidents.last(), self._notices.last()
        return replace(
            report,
            incidents=incidents + self._incidents.take(self._incident),
            notices=notices + self._notices.take(self._notice),
        )

    @property
    def needs_looks(self) -> bool:
        """Whether there may be something to see by ``look``. Reporting thread."""
        return any(pool.out or pool.is_exhausted for pool in list(self._pools.values()))

    def look(self, now: float) -> float | None:
        """Note what lasts too long, and whose owner has ended, of all that is out.

        Have pools followed again that have rested for long enough. When to look again
        if nothing is taken in between, ``None`` if there is no need.
        """
        pools = list(self._pools.values())
        found, due = self._vigil.look(pools, now)
        for pool in pools:
            if pool.is_exhausted and (again := pool.resume(pool)) is not None:
                due = min(due, again)
        for each in found:
            connection = each.connection
            if each.kind in LEAKS and not connection.leaks(each.use, each.why):
                continue
            self._note(connection, each.kind, now, each.seconds)
        return None if due == inf else due

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
            pool.refill()
            taken.append(pool)
        return taken

    def _take_closed(self) -> list[int]:
        """Fold the connections that were closed; which of them a node knows."""
        known: list[int] = []
        for _ in range(len(self._closed)):
            connection = self._closed.popleft()
            connection.fold()
            connection.count_closing()
            if connection.announced:
                connection.announced = False
                known.append(connection.id)
        return known

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
            engines=self._engines.told(),
        )

    def _incident(self, instant: Instant, number: int) -> Incident:
        return instant.incident(number, self.site_name)

    def _notice(self, noted: Noted, number: int) -> Notice:
        return noted.notice(number, self.site_name)
