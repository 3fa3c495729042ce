"""Queries as payloads: what a console wants to be shown.

::

    queries [1, [query ...]]
    query   [view, [[field, value] ...], [filter ...], busy, sort, alerts_first, tree,
             [field ...], first, limit | nil, [value ...] | nil, line, find, find_step]

``limit`` nil is no limit; the values after it are the key of the anchor. A value is
text, a number, true, false or nil. The rest is as ``connmon.views.query`` has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connmon.errors import ProtocolError
from connmon.views.query import WHOLE, Query
from connmon.wire.commands import TEXT_LIMIT
from connmon.wire.fields import (
    FORMAT,
    array,
    count,
    flag,
    number,
    optional_count,
    pack,
    text,
    unpack,
)

MOST_QUERIES = 16
"""Queries of one subscription."""

MOST_PARTS = 256
"""Fields, filters or values of one query."""


def encode_queries(queries: Sequence[Query]) -> bytes:
    """Queries as a payload."""
    return pack([FORMAT, [_parts(each) for each in queries]])


def decode_queries(payload: bytes) -> tuple[Query, ...]:
    """A payload as queries, or ``ProtocolError``."""
    queries = array(unpack(payload, 2)[1])
    if not 1 <= len(queries) <= MOST_QUERIES:
        raise ProtocolError(f"expected 1 to {MOST_QUERIES} queries")
    return tuple(_query(each) for each in queries)


def _parts(query: Query) -> list[Any]:
    return [
        query.view,
        query.scope,
        query.where,
        query.busy,
        query.sort,
        query.alerts_first,
        query.tree,
        query.fields,
        query.first,
        None if query.limit < 0 else query.limit,
        query.anchor,
        query.line,
        query.find,
        query.find_step,
    ]


def _query(value: Any) -> Query:
    fields = array(value, 14)
    limit = optional_count(fields[9])
    anchor = fields[10]
    return Query(
        view=_word(fields[0]),
        scope=tuple(map(_pair, _few(fields[1]))),
        where=tuple(map(_word, _few(fields[2]))),
        busy=flag(fields[3]),
        sort=_word(fields[4]),
        alerts_first=flag(fields[5]),
        tree=flag(fields[6]),
        fields=tuple(map(_word, _few(fields[7]))),
        first=count(fields[8]),
        limit=WHOLE if limit is None else limit,
        anchor=None if anchor is None else tuple(map(_plain, _few(anchor))),
        line=count(fields[11]),
        find=_word(fields[12]),
        find_step=_step(fields[13]),
    )


def _step(value: Any) -> int:
    if type(value) is not int or value not in (1, -1):
        raise ProtocolError("expected a step of 1 or -1")
    return value


def _few(value: Any) -> tuple[Any, ...]:
    fields = array(value)
    if len(fields) > MOST_PARTS:
        raise ProtocolError(f"expected at most {MOST_PARTS} parts of a query")
    return fields


def _word(value: Any) -> str:
    return text(value, TEXT_LIMIT)


def _pair(value: Any) -> tuple[str, object]:
    name, wanted = array(value, 2)[:2]
    return _word(name), _plain(wanted)


def _plain(value: Any) -> object:
    """A value of a row that can tell it from others."""
    if value is None or isinstance(value, bool):
        return value
    return _word(value) if isinstance(value, str) else _number(value)


def _number(value: Any) -> int | float:
    return value if type(value) is int and abs(value) < 2**63 else number(value)
