"""Payloads: reports and frames as compact bytes, checked field by field on the way in.

A payload is one msgpack array. Its first field is the payload's format number, then::

    report  [1, sequence, base | nil, clock, span, counters, maxima,
             [pool ...], [connection ...], [closed id ...], [dropped pool id ...]]
    counters    [checkouts, connects, closes, invalidations]
    maxima      [connections, checkouts]
    pool        [id, name, kind, size | nil, max_overflow | nil, counters, maxima]
    connection  [id, pool id, state, since, opened, uses]

    frame   [1, service, node, hosts, processes, connections, checkouts,
             per_second | nil, [row ...]]
    gauge   [current, maximum]
    row     [hostname, progname, connected, nproc, conn, ckout,
             maxnproc, maxconn, maxckout, ckoutpersec | nil]

Ids and counts are whole numbers from 0 to 2**63 - 1, times are seconds. Fields added at
the end of any array are ignored by readers that do not know them. Anything else that
does not fit is a ``ProtocolError``, and nothing of the payload is used.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

import msgpack

from connmon.errors import ProtocolError
from connmon.model.records import (
    STATES,
    ConnectionRecord,
    Counters,
    Maxima,
    PoolRecord,
    Report,
)
from connmon.model.summary import Frame, Gauge, ProgramRow
from connmon.wire.commands import NAME_LIMIT, TEXT_LIMIT

FORMAT = 1

_MOST = 2**63 - 1


def encode_report(report: Report) -> bytes:
    """A report as a payload."""
    return _pack(
        [
            FORMAT,
            report.sequence,
            report.base,
            report.clock,
            report.span,
            report.counters,
            report.maxima,
            [_pool_fields(pool) for pool in report.pools],
            report.connections,
            report.closed,
            report.dropped,
        ]
    )


def decode_report(payload: bytes) -> Report:
    """A payload as a report, or ``ProtocolError``."""
    fields = _unpack(payload, 11)
    return Report(
        sequence=_count(fields[1]),
        base=_optional_count(fields[2]),
        clock=_number(fields[3]),
        span=_number(fields[4]),
        counters=_counters(fields[5]),
        maxima=_maxima(fields[6]),
        pools=tuple(_pool(each) for each in _array(fields[7])),
        connections=tuple(_connection(each) for each in _array(fields[8])),
        closed=tuple(_count(each) for each in _array(fields[9])),
        dropped=tuple(_count(each) for each in _array(fields[10])),
    )


def encode_frame(frame: Frame) -> bytes:
    """A frame as a payload."""
    return _pack(
        [
            FORMAT,
            frame.service,
            frame.node,
            *(
                [gauge.current, gauge.maximum]
                for gauge in (
                    frame.hosts,
                    frame.processes,
                    frame.connections,
                    frame.checkouts,
                )
            ),
            frame.per_second,
            [_row_fields(row) for row in frame.programs],
        ]
    )


def decode_frame(payload: bytes) -> Frame:
    """A payload as a frame, or ``ProtocolError``."""
    fields = _unpack(payload, 9)
    return Frame(
        service=_text(fields[1], NAME_LIMIT),
        node=_text(fields[2], NAME_LIMIT),
        hosts=_gauge(fields[3]),
        processes=_gauge(fields[4]),
        connections=_gauge(fields[5]),
        checkouts=_gauge(fields[6]),
        per_second=_optional_number(fields[7]),
        programs=tuple(_row(each) for each in _array(fields[8])),
    )


def _pool_fields(pool: PoolRecord) -> tuple[Any, ...]:
    """A pool's fields in wire order."""
    return (
        pool.id,
        pool.name,
        pool.kind,
        pool.size,
        pool.max_overflow,
        pool.counters,
        pool.maxima,
    )


def _row_fields(row: ProgramRow) -> tuple[Any, ...]:
    """A row's fields in wire order."""
    return (
        row.hostname,
        row.progname,
        row.connected,
        row.nproc,
        row.conn,
        row.ckout,
        row.maxnproc,
        row.maxconn,
        row.maxckout,
        row.ckoutpersec,
    )


def _pool(value: Any) -> PoolRecord:
    fields = _array(value, 7)
    return PoolRecord(
        _count(fields[0]),
        _text(fields[1], TEXT_LIMIT),
        _text(fields[2], NAME_LIMIT),
        _optional_count(fields[3]),
        _optional_count(fields[4]),
        _counters(fields[5]),
        _maxima(fields[6]),
    )


def _connection(value: Any) -> ConnectionRecord:
    fields = _array(value, 6)
    state = _count(fields[2])
    if state not in STATES:
        raise ProtocolError(f"a connection in state {state}")
    return ConnectionRecord(
        _count(fields[0]),
        _count(fields[1]),
        state,
        _number(fields[3]),
        _number(fields[4]),
        _count(fields[5]),
    )


def _counters(value: Any) -> Counters:
    return Counters(*(_count(each) for each in _array(value, 4)[:4]))


def _maxima(value: Any) -> Maxima:
    return Maxima(*(_count(each) for each in _array(value, 2)[:2]))


def _gauge(value: Any) -> Gauge:
    return Gauge(*(_count(each) for each in _array(value, 2)[:2]))


def _row(value: Any) -> ProgramRow:
    fields = _array(value, 10)
    if type(fields[2]) is not bool:
        raise ProtocolError("a flag that is neither true nor false")
    return ProgramRow(
        _text(fields[0], NAME_LIMIT),
        _text(fields[1], NAME_LIMIT),
        fields[2],
        _count(fields[3]),
        _count(fields[4]),
        _count(fields[5]),
        _count(fields[6]),
        _count(fields[7]),
        _count(fields[8]),
        _optional_number(fields[9]),
    )


def _pack(fields: list[Any]) -> bytes:
    """Fields to bytes; text that UTF-8 cannot say is sent with ``?`` in its place."""
    packed: bytes = msgpack.packb(fields, unicode_errors="replace")
    return packed


def _unpack(payload: bytes, least: int) -> tuple[Any, ...]:
    """Bytes to the fields of one payload of the format we know."""
    try:
        value = msgpack.unpackb(payload, use_list=False)
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException) as error:
        raise ProtocolError(f"a payload that is not msgpack ({error})") from None
    fields = _array(value, least)
    if fields[0] != FORMAT:
        raise ProtocolError(f"a payload of format {fields[0]!r:.20}, expected {FORMAT}")
    return fields


def _array(value: Any, least: int = 0) -> tuple[Any, ...]:
    if type(value) is not tuple or len(value) < least:
        raise ProtocolError(f"expected an array of {least} fields or more")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= _MOST:
        raise ProtocolError("expected a whole number, not negative")
    return value


def _optional_count(value: Any) -> int | None:
    return None if value is None else _count(value)


def _number(value: Any) -> float:
    if type(value) not in (float, int) or not isfinite(value):
        raise ProtocolError("expected a finite number")
    return float(value)


def _optional_number(value: Any) -> float | None:
    return None if value is None else _number(value)


def _text(value: Any, limit: int) -> str:
    if type(value) is not str or len(value) > limit:
        raise ProtocolError(f"expected text of at most {limit} characters")
    return value
