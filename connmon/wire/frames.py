"""Frames as payloads: what a console is shown.

::

    feed    [2, head, [frame ...]]
    head    [service, node, hosts, processes, connections, checkouts,
             per_second | nil, [rate ...], stale, waiting | nil, wait_p99 | nil,
             timeouts | nil, oldest | nil, transaction | nil, crit, warn, worst,
             nodes_up, nodes, [down ...]]
    gauge   [current, maximum]
    frame   [view, [field ...], [row ...], first, count, total, selected | nil,
             found, about]

A feed has a frame for each query of the subscription, in their order. A row has a
value for each field that is named, of the kind that ``connmon.views.schema`` gives it,
or nil; fields that a reader does not know it leaves out. The sender cuts texts to
``TEXT_LIMIT`` characters, tells at most ``MOST_TEXTS`` where there are several, and
leaves out the last rows of what would be longer than ``FEED_LIMIT`` bytes. A value of
records is an array of at most ``MOST_RECORDS`` arrays, one of tallies of at most
``MOST_TALLIES`` ::

    record  [site, owner, seconds, session | nil, address, tag]
    tally   [reason, times]

of which nodes of earlier versions leave out the last two of a record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any

from connmon.errors import ProtocolError
from connmon.views.frame import Frame, Gauge, Head, Row
from connmon.views.schema import VIEWS, Kind, Taking, Tally, View
from connmon.wire.commands import BOX_LIMIT, NAME_LIMIT, TEXT_LIMIT
from connmon.wire.fields import (
    array,
    count,
    duration,
    flag,
    number,
    optional_count,
    optional_duration,
    optional_number,
    pack,
    text,
    unpack,
)

FORMAT = 2
"""Feeds before this one had no queries to answer."""

MOST_TEXTS = 16
"""Texts in one value, such as the remarks on a node."""

MOST_RECORDS = 100
"""Records in one value, such as the holders of connections."""

MOST_TALLIES = 50
"""Tallies in one value, such as the reasons why connections were closed."""

MOST_STEPS = 64
"""Rates in one history."""


FEED_LIMIT = BOX_LIMIT - 1024 * 1024
"""The most bytes of a feed: what is left of a box is for the rest of it."""


def encode_feed(frames: Sequence[Frame], limit: int = FEED_LIMIT) -> bytes:
    """Frames of one moment, and so with one head, as a payload.

    Of what would be longer than ``limit`` the last rows are left out; ``count`` tells.
    """
    payload = pack(feed_fields(frames))
    while len(payload) > limit and any(each.rows for each in frames):
        most = max(len(each.rows) for each in frames) * 3 // 4
        frames = [replace(each, rows=each.rows[:most]) for each in frames]
        payload = pack(feed_fields(frames))
    return payload


def decode_feed(payload: bytes) -> tuple[Frame, ...]:
    """A payload as frames, or ``ProtocolError``."""
    return frames_of(unpack(payload, 3, FORMAT))


def feed_fields(frames: Sequence[Frame]) -> list[Any]:
    """What a payload of such frames holds."""
    return [FORMAT, _head_parts(frames[0].head), [_parts(each) for each in frames]]


def frames_of(fields: Any) -> tuple[Frame, ...]:
    """The frames that such fields hold, or ``ProtocolError``."""
    known, told, frames = array(fields, 3)[:3]
    if known != FORMAT:
        raise ProtocolError(f"a feed of format {known!r:.20}, expected {FORMAT}")
    head = _head(told)
    return tuple(_frame(head, each) for each in array(frames))


def _parts(frame: Frame) -> list[Any]:
    view = VIEWS[frame.view]
    cuts = [
        (index, _CUTS[field.kind])
        for index, name in enumerate(frame.fields)
        if (field := view.field(name)) and field.kind in _CUTS
    ]
    return [
        frame.view,
        frame.fields,
        [_cut(row, cuts) for row in frame.rows],
        frame.first,
        frame.count,
        frame.total,
        frame.selected,
        frame.found,
        frame.about[:TEXT_LIMIT],
    ]


def _cut(row: Row, cuts: Iterable[tuple[int, Callable[[Any], Any]]]) -> Row:
    """A row with no text longer than may be; mostly the row itself."""
    for index, cut in cuts:
        value = row[index]
        if value is not None and (less := cut(value)) is not value:
            row = (*row[:index], less, *row[index + 1 :])
    return row


def _cut_records(value: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(
        tuple(part[:TEXT_LIMIT] if isinstance(part, str) else part for part in each)
        for each in value[:MOST_RECORDS]
    )


def _cut_tallies(value: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple((reason[:TEXT_LIMIT], count) for reason, count in value[:MOST_TALLIES])


_CUTS: dict[Kind, Callable[[Any], Any]] = {
    Kind.TEXT: lambda value: value if len(value) <= TEXT_LIMIT else value[:TEXT_LIMIT],
    Kind.TEXTS: lambda value: tuple(each[:TEXT_LIMIT] for each in value[:MOST_TEXTS]),
    Kind.RECORDS: _cut_records,
    Kind.TALLIES: _cut_tallies,
}


def _head_parts(head: Head) -> list[Any]:
    gauges = (head.hosts, head.processes, head.connections, head.checkouts)
    return [
        head.service[:NAME_LIMIT],
        head.node[:NAME_LIMIT],
        *([each.current, each.maximum] for each in gauges),
        head.per_second,
        head.history,
        head.stale,
        head.waiting,
        head.wait_p99_seconds,
        head.timeouts,
        head.oldest_seconds,
        head.txn_seconds,
        head.crit,
        head.warn,
        head.worst[:TEXT_LIMIT],
        head.nodes_up,
        head.nodes,
        [each[:NAME_LIMIT] for each in head.down],
    ]


def _head(value: Any) -> Head:
    fields = array(value, 20)
    return Head(
        service=text(fields[0], NAME_LIMIT),
        node=text(fields[1], NAME_LIMIT),
        hosts=_gauge(fields[2]),
        processes=_gauge(fields[3]),
        connections=_gauge(fields[4]),
        checkouts=_gauge(fields[5]),
        per_second=optional_number(fields[6]),
        history=_series(fields[7]),
        stale=count(fields[8]),
        waiting=optional_count(fields[9]),
        wait_p99_seconds=optional_duration(fields[10]),
        timeouts=optional_count(fields[11]),
        oldest_seconds=optional_duration(fields[12]),
        txn_seconds=optional_duration(fields[13]),
        crit=count(fields[14]),
        warn=count(fields[15]),
        worst=text(fields[16], TEXT_LIMIT),
        nodes_up=count(fields[17]),
        nodes=count(fields[18]),
        down=tuple(text(each, NAME_LIMIT) for each in array(fields[19])),
    )


def _frame(head: Head, value: Any) -> Frame:
    fields = array(value, 9)
    view = VIEWS.get(text(fields[0], NAME_LIMIT))
    if view is None:
        raise ProtocolError("a frame of a view that is not known")
    names = tuple(text(each, NAME_LIMIT) for each in array(fields[1]))
    frame = Frame(
        head=head,
        view=view.name,
        fields=names,
        rows=(),
        first=count(fields[3]),
        count=count(fields[4]),
        total=count(fields[5]),
        selected=optional_count(fields[6]),
        found=flag(fields[7]),
        about=text(fields[8], TEXT_LIMIT),
    )
    return _with_rows(frame, view, array(fields[2]))


def _with_rows(frame: Frame, view: View, rows: tuple[Any, ...]) -> Frame:
    """Check the rows, and keep of them what is known here."""
    known = {each.name: _CHECKS[each.kind] for each in view.fields}
    checks = [
        (index, known[name]) for index, name in enumerate(frame.fields) if name in known
    ]
    least = len(frame.fields)
    return replace(
        frame,
        fields=tuple(frame.fields[index] for index, _ in checks),
        rows=tuple(_row(array(each, least), checks) for each in rows),
    )


def _row(row: Row, checks: Sequence[tuple[int, Callable[[Any], Any]]]) -> Row:
    return tuple(
        None if (value := row[index]) is None else check(value)
        for index, check in checks
    )


def _gauge(value: Any) -> Gauge:
    return Gauge(*(count(each) for each in array(value, 2)[:2]))


def _text(value: Any) -> str:
    return text(value, TEXT_LIMIT)


def _texts(value: Any) -> tuple[str, ...]:
    texts = array(value)
    if len(texts) > MOST_TEXTS:
        raise ProtocolError(f"expected at most {MOST_TEXTS} texts in one value")
    return tuple(map(_text, texts))


def _records(value: Any) -> tuple[Taking, ...]:
    records = array(value)
    if len(records) > MOST_RECORDS:
        raise ProtocolError(f"expected at most {MOST_RECORDS} records in one value")
    return tuple(map(_record, records))


def _record(value: Any) -> Taking:
    site, owner, seconds, session, *more = array(value, 4)[:6]
    return Taking(
        _text(site),
        _text(owner),
        duration(seconds),
        optional_count(session),
        *map(_text, more),
    )


def _tallies(value: Any) -> tuple[Tally, ...]:
    tallies = array(value)
    if len(tallies) > MOST_TALLIES:
        raise ProtocolError(f"expected at most {MOST_TALLIES} tallies in one value")
    return tuple(map(_tally, tallies))


def _tally(value: Any) -> Tally:
    reason, how_many = array(value, 2)[:2]
    return Tally(_text(reason), count(how_many))


def _series(value: Any) -> tuple[float, ...]:
    series = array(value)
    if len(series) > MOST_STEPS:
        raise ProtocolError(f"expected at most {MOST_STEPS} steps of a history")
    return tuple(
        # Mostly they are: a call less for each of very many.
        each if type(each) is float and isfinite(each) else number(each)
        for each in series
    )


_CHECKS: dict[Kind, Callable[[Any], Any]] = {
    Kind.TEXT: _text,
    Kind.TEXTS: _texts,
    Kind.COUNT: count,
    Kind.SECONDS: duration,
    Kind.RATE: number,
    Kind.RATIO: number,
    Kind.FLAG: flag,
    Kind.SERIES: _series,
    Kind.RECORDS: _records,
    Kind.TALLIES: _tallies,
}
