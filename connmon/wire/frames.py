"""Frames as payloads: what a console is shown.

::

    frame   [1, service, node, hosts, processes, connections, checkouts,
             per_second | nil, [row ...], stale, nodes_up, nodes, [down ...]]
    gauge   [current, maximum]
    row     [hostname, progname, connected, nproc, conn, ckout,
             maxnproc, maxconn, maxckout, ckoutpersec | nil,
             stale, stale_seconds | nil]

    nodes   [1, service, node, [entry ...]]
    entry   [node, address, state, reason, since_seconds, heard_seconds | nil,
             clients | nil, consoles | nil, agreed_seconds | nil, lag_seconds | nil,
             bytes_sent, bytes_received, messages_sent, messages_received,
             version, [remark ...]]

A frame is of the view ``PROGRAMS``, nodes are of ``NODES``. What was added to frame
and row later, from ``stale`` on, may be missing: then nothing is stale, and one node of
one is up. ``state`` is one of ``NODE_STATES``. The sender cuts reasons and remarks to
``TEXT_LIMIT`` characters, and tells at most ``MOST_REMARKS`` of a node.
"""

from __future__ import annotations

from typing import Any

from connmon.errors import ProtocolError
from connmon.model.summary import (
    NODE_STATES,
    Frame,
    Gauge,
    NodeRow,
    NodesFrame,
    ProgramRow,
)
from connmon.wire.commands import NAME_LIMIT, TEXT_LIMIT
from connmon.wire.fields import (
    FORMAT,
    array,
    count,
    duration,
    flag,
    optional_count,
    optional_duration,
    optional_number,
    pack,
    text,
    unpack,
)

#: Remarks on one node; the sender leaves out those beyond.
MOST_REMARKS = 16


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
            frame.stale,
            frame.nodes_up,
            frame.nodes,
            frame.down,
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
        stale=count(_later(fields, 9, 0)),
        nodes_up=count(_later(fields, 10, 1)),
        nodes=count(_later(fields, 11, 1)),
        down=tuple(text(each, NAME_LIMIT) for each in array(_later(fields, 12, ()))),
    )


def encode_nodes(frame: NodesFrame) -> bytes:
    """A frame of the nodes view as a payload."""
    rows = [_entry_fields(row) for row in frame.nodes]
    return pack([FORMAT, frame.service, frame.node, rows])


def decode_nodes(payload: bytes) -> NodesFrame:
    """A payload as a frame of the nodes view, or ``ProtocolError``."""
    fields = unpack(payload, 4)
    return NodesFrame(
        service=text(fields[1], NAME_LIMIT),
        node=text(fields[2], NAME_LIMIT),
        nodes=tuple(_entry(each) for each in array(fields[3])),
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
        row.stale,
        row.stale_seconds,
    )


def _entry_fields(row: NodeRow) -> tuple[Any, ...]:
    """A node's fields in wire order."""
    return (
        row.node,
        row.address,
        row.state,
        row.reason[:TEXT_LIMIT],
        row.since_seconds,
        row.heard_seconds,
        row.clients,
        row.consoles,
        row.agreed_seconds,
        row.lag_seconds,
        row.bytes_sent,
        row.bytes_received,
        row.messages_sent,
        row.messages_received,
        row.version[:TEXT_LIMIT],
        [remark[:TEXT_LIMIT] for remark in row.remarks[:MOST_REMARKS]],
    )


def _later(fields: tuple[Any, ...], index: int, default: Any) -> Any:
    """A field that was added later, which an older node does not send."""
    return fields[index] if index < len(fields) else default


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
        count(_later(fields, 10, 0)),
        optional_duration(_later(fields, 11, None)),
    )


def _entry(value: Any) -> NodeRow:
    fields = array(value, 16)
    return NodeRow(
        text(fields[0], NAME_LIMIT),
        text(fields[1], TEXT_LIMIT),
        _state(fields[2]),
        text(fields[3], TEXT_LIMIT),
        duration(fields[4]),
        optional_duration(fields[5]),
        optional_count(fields[6]),
        optional_count(fields[7]),
        optional_duration(fields[8]),
        optional_duration(fields[9]),
        count(fields[10]),
        count(fields[11]),
        count(fields[12]),
        count(fields[13]),
        text(fields[14], TEXT_LIMIT),
        _remarks(fields[15]),
    )


def _state(value: Any) -> str:
    if type(value) is not str or value not in NODE_STATES:
        raise ProtocolError("a node's state that is none")
    return value


def _remarks(value: Any) -> tuple[str, ...]:
    remarks = array(value)
    if len(remarks) > MOST_REMARKS:
        raise ProtocolError(f"expected at most {MOST_REMARKS} remarks on a node")
    return tuple(text(each, TEXT_LIMIT) for each in remarks)
