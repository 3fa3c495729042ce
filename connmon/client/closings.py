"""Why SQLAlchemy closes a connection: told by what it said before, or by who calls.

An invalidation is told with its exception, and its closing follows. All others are told
apart by the function of SQLAlchemy's pool that closes, which is on the stack: it takes
a connection back, or is about to give one away, or the pool is disposed of.
"""

from __future__ import annotations

from sys import _getframe
from types import FrameType
from typing import Any

from sqlalchemy.exc import InvalidatePoolError

from connmon.model.closings import (
    COLLECTED,
    DETACHED,
    DISPOSE,
    INVALIDATED,
    NOT_POOLED,
    OTHER,
    OVERFLOW,
    POOL_INVALIDATED,
    PRE_PING,
    RECYCLE,
    SOFT_INVALIDATED,
    TENTATIVE,
    invalidated,
)
from connmon.model.connection import Connection

_FRAMES = 8
"""How far out the pool is looked for, from the listener that is told of a closing."""

_USUAL = 5
"""How far out it is, seen from ``of_closing``: past that listener, SQLAlchemy's call of
it, and the two functions of the record that close a connection."""

_RETURNING, _TAKING, _DISPOSING, _CROWDED = range(4)

_CALLERS = {
    "_do_return_conn": _RETURNING,
    "get_connection": _TAKING,
    "dispose": _DISPOSING,
    # ``SingletonThreadPool`` closes what other threads have, if there are too many.
    "_cleanup": _CROWDED,
}


def of_invalidation(exception: BaseException | None) -> str:
    """Why a connection is closed that is just being invalidated."""
    if exception is None:
        return INVALIDATED
    if isinstance(exception, InvalidatePoolError) and _is_raised_by_pool(exception):
        return PRE_PING
    return invalidated(type(exception).__name__)


def of_closing(connection: Connection, record: Any) -> str:
    """Why a connection is closed, of which the event ``close`` tells: its listener."""
    fate = connection.fate
    if fate not in TENTATIVE:
        return fate
    # Mostly a pool closes at once what comes back: to look there first costs a third.
    caller = _CALLERS.get(_getframe(_USUAL).f_code.co_name)
    if caller is None:
        caller = _caller(_getframe(1))
    if caller == _RETURNING:
        return NOT_POOLED if connection.pool.facts.size is None else OVERFLOW
    if caller == _TAKING:
        return _of_replacement(fate, record)
    if caller == _DISPOSING:
        return DISPOSE
    return OVERFLOW if caller == _CROWDED else OTHER


def of_detached(connection: Connection) -> str:
    """Why a detached connection is closed."""
    return COLLECTED if connection.fate == COLLECTED else DETACHED


def _is_raised_by_pool(exception: BaseException) -> bool:
    """Whether it was raised where it was caught: not by a listener of somebody's."""
    trace = exception.__traceback__
    return trace is not None and trace.tb_next is None


def _caller(frame: FrameType | None) -> int | None:
    """Which of the pool's functions closes a connection, the innermost."""
    for _ in range(_FRAMES):
        if frame is None:
            break
        found = _CALLERS.get(frame.f_code.co_name)
        if found is not None:
            return found
        frame = frame.f_back
    return None


def _of_replacement(fate: str, record: Any) -> str:
    """Why a connection is replaced at its checkout."""
    if fate == SOFT_INVALIDATED:
        return fate
    pool = getattr(record, "_ConnectionRecord__pool", None)
    broken = getattr(pool, "_invalidate_time", 0)
    return POOL_INVALIDATED if broken > record.starttime else RECYCLE
