"""Which connections the garbage collector takes, or found that nobody had closed.

SQLAlchemy returns a connection that nobody has a reference to any more, or closes it if
it belongs to asyncio, by the same function that ends each use of one. Whether it does
so for the collector is told by who called that function: the application has a method
for it. The function's own variables are not looked at: a frame keeps what it showed of
them, and with an exception among these that is a cycle, in which SQLAlchemy 2.0 loses
what it has to return.
"""

from __future__ import annotations

from types import CodeType, FrameType
from typing import Any

from sqlalchemy.pool import base

_FRAMES = 8
"""How far out SQLAlchemy's function is looked for."""


def _code(function: Any) -> CodeType | None:
    code: CodeType | None = getattr(function, "__code__", None)
    return code


_CHECKIN = _code(getattr(base._ConnectionFairy, "_checkin", None))
_FINALIZE = _code(getattr(base, "_finalize_fairy", None))
_DETACH = _code(getattr(base._ConnectionFairy, "detach", None))


def is_collecting(frame: FrameType | None) -> bool:
    """Whether what happens in a frame happens to a connection that was collected."""
    for _ in range(_FRAMES):
        if frame is None:
            break
        code, frame = frame.f_code, frame.f_back
        if code is _FINALIZE:
            return frame is None or frame.f_code is not _CHECKIN
    return False


def detaching(frame: FrameType | None) -> Any:
    """What is being detached from its pool in a frame: who has it, has this object.

    ``None`` if that is not to be seen.
    """
    for _ in range(_FRAMES):
        if frame is None:
            break
        if frame.f_code is _DETACH:
            return frame.f_locals.get("self")
        frame = frame.f_back
    return None


def is_open(dbapi_connection: Any) -> bool:
    """Whether a driver says, without asking the server, that a connection is open.

    Not all can: then it is not known to be.
    """
    try:
        for name, is_so in (("closed", False), ("open", True)):
            told = getattr(dbapi_connection, name, None)
            if isinstance(told, int):
                return bool(told) is is_so
        # What sqlite3 refuses to tell of a connection that is closed.
        return isinstance(dbapi_connection.total_changes, int)
    except Exception:
        return False
