"""What ``connmon.status()`` says of a pool and its connections, in plain values.

Durations are in seconds. Totals are as of the last time the books were kept: within a
second where something happens, whether or not a node is linked. Any thread may ask.
"""

from __future__ import annotations

from typing import Any

from connmon.model.histogram import BOUNDS, Histogram
from connmon.model.pool import Pool
from connmon.model.records import DETACHED, IDLE, OUT, ConnectionRecord, WaiterRecord

_STATES = {IDLE: "idle", OUT: "used", DETACHED: "detached"}


def pool_status(pool: Pool, now: float) -> dict[str, Any]:
    """One pool, at ``now`` seconds of the process's monotonic clock."""
    record = pool.record()
    facts = record.facts
    found = (each.look() for each in list(pool.open))
    connections = [each for each in found if each is not None]
    states = [each.state for each in connections]
    return {
        "name": facts.name,
        "class": facts.kind,
        "size": facts.size,
        "max_overflow": facts.max_overflow,
        "timeout_seconds": facts.timeout,
        "recycle_seconds": facts.recycle,
        "pre_ping": facts.pre_ping,
        **{name: states.count(state) for state, name in _STATES.items()},
        "disposed": sum(each.disposed for each in connections),
        "max_connections": record.maxima.connections,
        "max_used": record.maxima.checkouts,
        **record.counters._asdict(),
        "hold_seconds": _histogram(record.holds),
        "connect_seconds": _histogram(record.creations),
        "wait_seconds": _histogram(record.waits),
        "waiting": len(pool.waiting),
        "waiters": [_waiter(each, now) for each in pool.line()],
        "connections": [_connection(each, now) for each in connections],
    }


def _histogram(histogram: Histogram) -> dict[str, Any]:
    """How many took at most so long, the last without a bound; and their sum."""
    bounds = [*(f"{bound:g}" for bound in BOUNDS), "more"]
    return {
        "buckets": dict(zip(bounds, histogram.counts, strict=True)),
        "count": sum(histogram.counts),
        "sum": round(histogram.seconds, 6),
    }


def _connection(record: ConnectionRecord, now: float) -> dict[str, Any]:
    """One open connection."""
    return {
        "state": _STATES[record.state],
        "state_seconds": round(max(now - record.since, 0.0), 3),
        "age_seconds": round(max(now - record.opened, 0.0), 3),
        "uses": record.uses,
        "disposed": record.disposed,
        "owner": record.owner or None,
        "site": record.site or None,
        "tag": record.tag or None,
        "leak": record.leak or None,
        "session": record.session,
        "address": record.address or None,
        "transaction_seconds": _since(record.transaction, now),
        "quiet_seconds": _since(record.quiet, now),
    }


def _since(then: float | None, now: float) -> float | None:
    """For how long it has been so, ``None`` if it is not."""
    return None if then is None else round(max(now - then, 0.0), 3)


def _waiter(record: WaiterRecord, now: float) -> dict[str, Any]:
    """One that waits for a connection."""
    return {
        "seconds": round(max(now - record.since, 0.0), 3),
        "owner": record.owner,
        "site": record.site or None,
        "tag": record.tag or None,
        "holds": record.holds,
    }
