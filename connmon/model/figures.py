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
    return min(facts.size + facts.max_overflow, MOST)


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
    oldest = None if since is None else since + offset
    patient = min((each.since + offset for each in waiters), default=None)
    found = [
        _of_pool(pool.facts, out.get(id, 0), oldest, patient)
        for id, pool in pools.items()
    ]
    return found[0] if len(found) == 1 else _together(found, oldest, patient)


def of_several(processes: Iterable[Figures]) -> Figures:
    """Those of several processes, such as a program's or a host's."""
    found = list(processes)
    if len(found) == 1:
        (only,) = found
        return only if only.full < 2 else only._replace(full=1)
    together = _together(
        found,
        min((each.oldest for each in found if each.oldest is not None), default=None),
        min((each.patient for each in found if each.patient is not None), default=None),
    )
    return together._replace(full=sum(each.full > 0 for each in found))


def _of_pool(
    facts: PoolFacts, out: int, oldest: float | None, patient: float | None
) -> Figures:
    """One pool's, of which so many are out."""
    bound = places(facts)
    used = out / bound if bound else None
    full = int(used is not None and used >= 1.0)
    size, overflow = facts.size, facts.max_overflow
    return Figures(used, full, oldest, bound, size, overflow, 1, patient)


def _together(
    found: list[Figures], oldest: float | None, patient: float | None
) -> Figures:
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
        patient,
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
