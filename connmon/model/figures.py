"""What is read off a process's pools and open connections, until its next report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from connmon.model.records import (
    MOST,
    OUT,
    ConnectionRecord,
    PoolFacts,
    PoolRecord,
    WaiterRecord,
)


class Figures(NamedTuple):
    """How full pools are, and since when the longest checkout has been out.

    ``used`` is of the fullest pool, 1.0 for all of its places; ``None`` where no pool
    has a bound. ``full`` counts pools, or, of several processes, processes with a full
    pool. ``oldest`` is a reading of the node's clock, ``None`` if nothing is out.
    ``capacity`` is the sum of all places, ``None`` if there is a pool without a bound.
    ``size`` and ``overflow`` are those of all pools, ``None`` where they differ.
    ``pools`` is how many there are: without any, none of these is known. ``patient`` is
    when the oldest of those who wait began to, by the node's clock, ``None`` if nobody
    waits.
    """

    used: float | None = None
    full: int = 0
    oldest: float | None = None
    capacity: int | None = None
    size: int | None = None
    overflow: int | None = None
    pools: int = 0
    patient: float | None = None


def places(facts: PoolFacts) -> int | None:
    """The most checkouts a pool allows at once; ``None`` if it has no bound."""
    if not facts.size or facts.max_overflow is None:
        return None  # a QueuePool of size 0 has no bound either
    return facts.size + facts.max_overflow


def of_process(
    pools: Mapping[int, PoolRecord],
    connections: Iterable[ConnectionRecord],
    offset: float,
    waiters: Iterable[WaiterRecord] = (),
) -> Figures:
    """One process's. ``offset`` leads from its clock to the node's."""
    out: dict[int, int] = {}
    since: float | None = None
    for each in connections:
        if each.state == OUT:
            out[each.pool] = out.get(each.pool, 0) + 1
            if since is None or each.since < since:
                since = each.since
    bounds = {id: places(pool.facts) for id, pool in pools.items()}
    shares = [out.get(id, 0) / bound for id, bound in bounds.items() if bound]
    return Figures(
        max(shares, default=None),
        sum(share >= 1.0 for share in shares),
        None if since is None else since + offset,
        _sum(bounds.values()),
        _same(pool.facts.size for pool in pools.values()),
        _same(pool.facts.max_overflow for pool in pools.values()),
        len(pools),
        min((each.since + offset for each in waiters), default=None),
    )


def of_several(processes: Iterable[Figures]) -> Figures:
    """Those of several processes, such as a program's or a host's."""
    all_ = list(processes)
    pooled = [each for each in all_ if each.pools]
    return Figures(
        max((each.used for each in all_ if each.used is not None), default=None),
        sum(each.full > 0 for each in all_),
        min((each.oldest for each in all_ if each.oldest is not None), default=None),
        _sum(each.capacity for each in pooled),
        _same(each.size for each in pooled),
        _same(each.overflow for each in pooled),
        sum(each.pools for each in pooled),
        min((each.patient for each in all_ if each.patient is not None), default=None),
    )


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
