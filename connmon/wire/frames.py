"""Frames as payloads: what a console is shown.

::

    frame   [1, service, node, hosts, processes, connections, checkouts,
             per_second | nil, [row ...]]
    gauge   [current, maximum]
    row     [hostname, progname, connected, nproc, conn, ckout,
             maxnproc, maxconn, maxckout, ckoutpersec | nil]
"""

from __future__ import annotations

from typing import Any

from connmon.model.summary import Frame, Gauge, ProgramRow
from connmon.wire.commands import NAME_LIMIT
from connmon.wire.fields import (
    FORMAT,
    array,
    count,
    flag,
    optional_number,
    pack,
    text,
    unpack,
)


def encode_frame(frame: Frame) -> bytes:
    """A frame as a payload."""
    return pack(
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
    fields = unpack(payload, 9)
    return Frame(
        service=text(fields[1], NAME_LIMIT),
        node=text(fields[2], NAME_LIMIT),
        hosts=_gauge(fields[3]),
        processes=_gauge(fields[4]),
        connections=_gauge(fields[5]),
        checkouts=_gauge(fields[6]),
        per_second=optional_number(fields[7]),
        programs=tuple(_row(each) for each in array(fields[8])),
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


def _gauge(value: Any) -> Gauge:
    return Gauge(*(count(each) for each in array(value, 2)[:2]))


def _row(value: Any) -> ProgramRow:
    fields = array(value, 10)
    return ProgramRow(
        text(fields[0], NAME_LIMIT),
        text(fields[1], NAME_LIMIT),
        flag(fields[2]),
        count(fields[3]),
        count(fields[4]),
        count(fields[5]),
        count(fields[6]),
        count(fields[7]),
        count(fields[8]),
        optional_number(fields[9]),
    )
