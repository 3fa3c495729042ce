"""Reports as payloads: what a process says of itself.

::

    report  [1, sequence, base | nil, clock, span, counters, maxima,
             [pool ...], [connection ...], [closed id ...], [dropped pool id ...],
             began | nil]
    counters    [checkouts, checkins, connects, connect failures, closes,
                 invalidations, soft invalidations, resets, commits, rollbacks]
    maxima      [connections, checkouts]
    pool        [id, facts, counters, maxima, holds, creations]
    facts       [name, kind, size | nil, max_overflow | nil, timeout | nil,
                 recycle | nil, pre_ping]
    holds, creations
                [[count in each bucket of connmon.model.histogram ...], seconds]
    connection  [id, pool id, state, since, opened, uses, owner]

What was added later, from ``began`` on, may be missing.
"""

from __future__ import annotations

from typing import Any

from connmon.errors import ProtocolError
from connmon.model.histogram import BUCKETS, Histogram
from connmon.model.records import (
    STATES,
    ConnectionRecord,
    Counters,
    Maxima,
    PoolFacts,
    PoolRecord,
    Report,
)
from connmon.wire.commands import NAME_LIMIT, TEXT_LIMIT
from connmon.wire.fields import (
    FORMAT,
    array,
    count,
    flag,
    number,
    optional_count,
    optional_number,
    pack,
    text,
    unpack,
)


def encode_report(report: Report) -> bytes:
    """A report as a payload."""
    return pack(
        [
            FORMAT,
            report.sequence,
            report.base,
            report.clock,
            report.span,
            report.counters,
            report.maxima,
            report.pools,
            report.connections,
            report.closed,
            report.dropped,
            report.began,
        ]
    )


def decode_report(payload: bytes) -> Report:
    """A payload as a report, or ``ProtocolError``."""
    fields = unpack(payload, 11)
    return Report(
        sequence=count(fields[1]),
        base=optional_count(fields[2]),
        clock=number(fields[3]),
        span=number(fields[4]),
        counters=decode_counters(fields[5]),
        maxima=_maxima(fields[6]),
        pools=tuple(_pool(each) for each in array(fields[7])),
        connections=tuple(_connection(each) for each in array(fields[8])),
        closed=tuple(count(each) for each in array(fields[9])),
        dropped=tuple(count(each) for each in array(fields[10])),
        began=optional_number(fields[11]) if len(fields) > 11 else None,
    )


def _pool(value: Any) -> PoolRecord:
    fields = array(value, 6)
    return PoolRecord(
        count(fields[0]),
        _facts(fields[1]),
        decode_counters(fields[2]),
        _maxima(fields[3]),
        _histogram(fields[4]),
        _histogram(fields[5]),
    )


def _facts(value: Any) -> PoolFacts:
    fields = array(value, 7)
    return PoolFacts(
        text(fields[0], TEXT_LIMIT),
        text(fields[1], NAME_LIMIT),
        optional_count(fields[2]),
        optional_count(fields[3]),
        optional_number(fields[4]),
        optional_number(fields[5]),
        flag(fields[6]),
    )


def _histogram(value: Any) -> Histogram:
    counts, seconds = array(value, 2)[:2]
    return Histogram(
        tuple(count(each) for each in array(counts, BUCKETS)[:BUCKETS]),
        number(seconds),
    )


def _connection(value: Any) -> ConnectionRecord:
    fields = array(value, 7)
    state = count(fields[2])
    if state not in STATES:
        raise ProtocolError(f"a connection in state {state}")
    return ConnectionRecord(
        count(fields[0]),
        count(fields[1]),
        state,
        number(fields[3]),
        number(fields[4]),
        count(fields[5]),
        text(fields[6], NAME_LIMIT),
    )


_COUNTERS = len(Counters._fields)


def decode_counters(value: Any) -> Counters:
    """Counters as they stand in an array, or ``ProtocolError``."""
    return Counters(*(count(each) for each in array(value, _COUNTERS)[:_COUNTERS]))


def _maxima(value: Any) -> Maxima:
    return Maxima(*(count(each) for each in array(value, 2)[:2]))
