"""Reports as payloads: what a process says of itself.

::

    report  [1, sequence, base | nil, clock, span, counters, maxima,
             [pool ...], [connection ...], [closed id ...], [dropped pool id ...],
             began | nil, waiting, [waiter ...], [incident ...], [notice ...],
             [[site | "others", engines made] ...], last]
    counters    [checkouts, checkins, connects, connect failures, closes,
                 invalidations, soft invalidations, resets, commits, rollbacks,
                 waits, timeouts, leaks]
    maxima      [connections, checkouts]
    pool        [id, facts, counters, maxima, holds, creations, waits,
                 [[reason, connections closed] ...]]
    holds, creations, waits
                [[count in each bucket of connmon.model.histogram ...], seconds]
    connection  [id, pool id, state, since, opened, uses, owner, site,
                 session | nil, address, tag, transaction | nil, quiet | nil, leak,
                 disposed]
    waiter      [pool id, since, owner, site, holds, tag]
    notice      [number, pool id, at, kind, connection id, seconds, owner, site,
                 session | nil, address, tag]

What was added later may be missing: of a report from ``began`` on, of counters from
``waits``, of a pool from ``waits``, of a connection from ``site``. ``holds`` of a pool
is a histogram; of a waiter, whether it has a connection already. Facts are specified in
``connmon.wire.facts``, incidents in ``connmon.wire.incidents``.
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
    Notice,
    PoolRecord,
    Report,
    WaiterRecord,
)
from connmon.wire.commands import NAME_LIMIT, TEXT_LIMIT
from connmon.wire.facts import decode_facts
from connmon.wire.fields import (
    FORMAT,
    array,
    count,
    duration,
    flag,
    number,
    optional_count,
    optional_number,
    pack,
    text,
    unpack,
)
from connmon.wire.incidents import decode_incidents, encode_incidents


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
            [_brief(each, 6, _UNSAID_OF_POOL) for each in report.pools],
            [_brief(each, 7, _UNSAID_OF_CONNECTION) for each in report.connections],
            report.closed,
            report.dropped,
            report.began,
            report.waiting,
            report.waiters,
            encode_incidents(report.incidents),
            report.notices,
            report.engines,
            report.last,
        ]
    )


def decode_report(payload: bytes) -> Report:
    """A payload as a report, or ``ProtocolError``."""
    fields = unpack(payload, 11)
    began, waiting, waiters, incidents, notices, engines, last = _with(
        fields[11:], _UNSAID_OF_REPORT
    )
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
        began=optional_number(began),
        waiting=count(waiting),
        waiters=tuple(_waiter(each) for each in array(waiters)),
        incidents=decode_incidents(incidents),
        notices=tuple(_notice(each) for each in array(notices)),
        engines=tuple(_tally(each, TEXT_LIMIT) for each in array(engines)),
        last=flag(last),
    )


#: What is not said by processes that know less, from the first such field on.
_UNSAID_OF_REPORT = (None, 0, (), (), (), (), False)
_UNSAID_OF_POOL = (Histogram(), ())
_UNSAID_OF_CONNECTION = ("", None, "", "", None, None, "", False)
_UNSAID_OF_COUNTERS = (0, 0, 0)


def _brief(
    fields: tuple[Any, ...], first: int, unsaid: tuple[Any, ...]
) -> tuple[Any, ...]:
    """An array without its later fields, if they say nothing. ``first`` is theirs."""
    return fields[:first] if fields[first:] == unsaid else fields


def _with(said: tuple[Any, ...], unsaid: tuple[Any, ...]) -> tuple[Any, ...]:
    """The later fields of an array, with those in place of what is missing."""
    return said[: len(unsaid)] + unsaid[len(said) :]


def _pool(value: Any) -> PoolRecord:
    fields = array(value, 6)
    return PoolRecord(
        count(fields[0]),
        decode_facts(fields[1]),
        decode_counters(fields[2]),
        _maxima(fields[3]),
        _histogram(fields[4]),
        _histogram(fields[5]),
        _histogram(fields[6]) if len(fields) > 6 else Histogram(),
        tuple(_tally(each, NAME_LIMIT) for each in array(fields[7]))
        if len(fields) > 7
        else (),
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
    site, session, address, tag, transaction, quiet, leak, disposed = _with(
        fields[7:], _UNSAID_OF_CONNECTION
    )
    return ConnectionRecord(
        count(fields[0]),
        count(fields[1]),
        state,
        number(fields[3]),
        number(fields[4]),
        count(fields[5]),
        text(fields[6], NAME_LIMIT),
        text(site, TEXT_LIMIT),
        optional_count(session),
        text(address, NAME_LIMIT),
        text(tag, NAME_LIMIT),
        optional_number(transaction),
        optional_number(quiet),
        text(leak, NAME_LIMIT),
        flag(disposed),
    )


def _waiter(value: Any) -> WaiterRecord:
    fields = array(value, 6)
    return WaiterRecord(
        count(fields[0]),
        number(fields[1]),
        text(fields[2], NAME_LIMIT),
        text(fields[3], TEXT_LIMIT),
        flag(fields[4]),
        text(fields[5], NAME_LIMIT),
    )


def _notice(value: Any) -> Notice:
    fields = array(value, 11)
    return Notice(
        count(fields[0]),
        count(fields[1]),
        number(fields[2]),
        text(fields[3], NAME_LIMIT),
        count(fields[4]),
        duration(fields[5]),
        text(fields[6], NAME_LIMIT),
        text(fields[7], TEXT_LIMIT),
        optional_count(fields[8]),
        text(fields[9], NAME_LIMIT),
        text(fields[10], NAME_LIMIT),
    )


def _tally(value: Any, limit: int) -> tuple[str, int]:
    what, how_many = array(value, 2)[:2]
    return text(what, limit), count(how_many)


_COUNTERS = len(Counters._fields)
_FIRST_COUNTERS = _COUNTERS - len(_UNSAID_OF_COUNTERS)


def decode_counters(value: Any) -> Counters:
    """Counters as they stand in an array, or ``ProtocolError``."""
    fields = array(value, _FIRST_COUNTERS)
    later = _with(fields[_FIRST_COUNTERS:], _UNSAID_OF_COUNTERS)
    return Counters(*(count(each) for each in fields[:_FIRST_COUNTERS] + later))


def _maxima(value: Any) -> Maxima:
    return Maxima(*(count(each) for each in array(value, 2)[:2]))
