"""What is read off a process's pools and open connections, until its next report."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from connmon.model import trouble
from connmon.model.records import (
    MOST,
    OUT,
    ConnectionRecord,
    PoolFacts,
    PoolRecord,
    WaiterRecord,
)
from connmon.model.trouble import Lapse, Trouble


class Figures(NamedTuple):
    """How full pools are, and since when the longest checkout has been out.

    ``used`` is of the fullest pool, 1.0 for all of its places; ``None`` where no pool
    has a bound. ``full`` counts pools, or, of several processes, processes with a full
    pool. ``oldest`` is a reading of the node's clock, ``None`` if nothing is out.
    ``capacity`` is the sum of all places, ``None`` if there is a pool without a bound.
    ``size`` and ``overflow`` are those of all pools, ``None`` where they differ.
    ``pools`` is how many there are: without any, none of these is known. ``patient`` is
    when the oldest of those who wait began to, by the node's clock, ``None`` if nobody
    waits. ``quiet`` is since when a transaction has been open in which nothing is
    executed, the longest ago, and ``trouble`` what else is wrong, if anything is.
    ``transaction`` is when the oldest open transaction began, quiet or not.
    """

    used: float | None = None
    full: int = 0
    oldest: float | None = None
    capacity: int | None = None
    size: int | None = None
    overflow: int | None = None
    pools: int = 0
    patient: float | None = None
    quiet: float | None = None
    trouble: Trouble | None = None
    transaction: float | None = None


def places(facts: PoolFacts) -> int | None:
    """The most checkouts a pool allows at once; ``None`` if it has no bound."""
    if not facts.size or facts.max_overflow is None:
        return None  # a QueuePool of size 0 has no bound either
    return min(facts.size + facts.max_overflow, MOST)


def still(
    pools: Mapping[int, PoolRecord],
    connections: Iterable[ConnectionRecord],
    offset: float,
    waiters: Iterable[WaiterRecord],
) -> dict[int, float]:
    """Since when nothing has come back to the full pools that somebody waits for.

    That is when the newest checkout began: had one come back later, whoever waits
    would have it, or the pool would not be full.
    """
    wanted = {each.pool for each in waiters}
    out: dict[int, list[float]] = {}
    for each in connections if wanted else ():
        if each.takes_place and each.pool in wanted:
            out.setdefault(each.pool, []).append(each.since + offset)
    bounds = {id: places(pools[id].facts) for id in out if id in pools}
    return {
        id: max(out[id])
        for id, bound in bounds.items()
        if bound is not None and len(out[id]) >= bound
    }


def of_process(
    pools: Mapping[int, PoolRecord],
    connections: Collection[ConnectionRecord],
    offset: float,
    waiters: Collection[WaiterRecord] = (),
    lapses: Mapping[int, Lapse] | None = None,
) -> Figures:
    """One process's. ``offset`` leads from its clock to the node's."""
    out: dict[int, int] = {}
    since: float | None = None
    quiet: float | None = None
    began: float | None = None
    lost = False
    for each in connections:
        if each.state == OUT:
            out[each.pool] = out.get(each.pool, 0) + (not each.disposed)
            if since is None or each.since < since:
                since = each.since
        if each.quiet is not None and (quiet is None or each.quiet < quiet):
            quiet = each.quiet
        transaction = each.transaction
        if transaction is not None and (began is None or transaction < began):
            began = transaction
        if each.leak:
            lost = True
    wrong = None
    if waiters or lapses or lost:
        stuck = still(pools, connections, offset, waiters)
        by_pool = trouble.by_pool(stuck, connections, lapses or {})
        wrong = trouble.together(by_pool.values())
    oldest = None if since is None else since + offset
    patient = min((each.since + offset for each in waiters), default=None)
    common = (
        patient,
        None if quiet is None else quiet + offset,
        wrong,
        None if began is None else began + offset,
    )
    found = [
        _of_pool(pool.facts, out.get(id, 0), oldest, common)
        for id, pool in pools.items()
    ]
    return found[0] if len(found) == 1 else _together(found, oldest, common)


def of_several(processes: Iterable[Figures]) -> Figures:
    """Those of several processes, such as a program's or a host's."""
    found = list(processes)
    if len(found) == 1:
        (only,) = found
        return only if only.full < 2 else only._replace(full=1)
    together = _together(
        found,
        _first(each.oldest for each in found),
        (
            _first(each.patient for each in found),
            _first(each.quiet for each in found),
            trouble.together(each.trouble for each in found),
            _first(each.transaction for each in found),
        ),
    )
    return together._replace(full=sum(each.full > 0 for each in found))


#: What is of a process rather than of its pools: ``patient``, ``quiet``, ``trouble``
#: and ``transaction``.
_Common = tuple[float | None, float | None, Trouble | None, float | None]


def _of_pool(
    facts: PoolFacts, out: int, oldest: float | None, common: _Common
) -> Figures:
    """One pool's, of which so many are out."""
    bound = places(facts)
    used = out / bound if bound else None
    full = int(used is not None and used >= 1.0)
    size, overflow = facts.size, facts.max_overflow
    return Figures(used, full, oldest, bound, size, overflow, 1, *common)


def _together(found: list[Figures], oldest: float | None, common: _Common) -> Figures:
    """Several ones; what has no pools does not count for what pools have."""
    pooled = [each for each in found if each.pools]
    return Figures(
        max((each.used for each in found if each.used is not None), default=None),
        sum(each.full for each in found),
        oldest,
        _sum(each.capacity for each in pooled),
        _same(each.size for each in pooled),
        _same(each.overflow for each in pooled),
        sum(each.pools for each in pooled),
        *common,
    )


def _first(moments: Iterable[float | None]) -> float | None:
    """The earliest of those that are known."""
    return min((each for each in moments if each is not None), default=None)


def _sum(values: Iterable[int | None]) -> int | None:
    """The sum, ``None`` if it has no bound or there is nothing to add."""
    total = None
    for each in values:
        if each is None:
            return None
        total = min((total or 0) + each, MOST)
    return total


def _same(values: Iterable[int | None]) -> int | None:
    """The value that all of them have, else ``None``."""
    found = set(values)
    return found.pop() if len(found) == 1 else None
