"""Payloads: msgpack arrays, and the checks of each kind of field that they have.

A payload is one array; its first field is the payload's format number. What follows is
specified in ``connmon.wire.reports``, ``exchange``, ``queries`` and ``frames``. Ids and
counts are whole numbers from 0 to 2**63 - 1, times are seconds. Fields added at the end
of any array are ignored by readers that do not know them. Anything else that does not
fit is a ``ProtocolError``, and nothing of the payload is used.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

import msgpack

from connmon.errors import ProtocolError

FORMAT = 1

_MOST = 2**63 - 1


def pack(fields: list[Any]) -> bytes:
    """Fields to bytes; text that UTF-8 cannot say is sent with ``?`` in its place."""
    packed: bytes = msgpack.packb(fields, unicode_errors="replace")
    return packed


def unpack(payload: bytes, least: int, known: int = FORMAT) -> tuple[Any, ...]:
    """Bytes to the fields of one payload of the format we know."""
    try:
        value = msgpack.unpackb(payload, use_list=False)
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException) as error:
        raise ProtocolError(f"a payload that is not msgpack ({error})") from None
    fields = array(value, least)
    if fields[0] != known:
        raise ProtocolError(f"a payload of format {fields[0]!r:.20}, expected {known}")
    return fields


def array(value: Any, least: int = 0) -> tuple[Any, ...]:
    """An array of at least so many fields."""
    if type(value) is not tuple or len(value) < least:
        raise ProtocolError(f"expected an array of {least} fields or more")
    return value


def count(value: Any) -> int:
    """A whole number, not negative."""
    if type(value) is not int or not 0 <= value <= _MOST:
        raise ProtocolError("expected a whole number, not negative")
    return value


def flag(value: Any) -> bool:
    """True or false."""
    if type(value) is not bool:
        raise ProtocolError("a flag that is neither true nor false")
    return value


def optional_count(value: Any) -> int | None:
    """A count, or nothing."""
    return None if value is None else count(value)


def number(value: Any) -> float:
    """A finite number."""
    try:
        finite = type(value) in (float, int) and isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        finite = False
    if not finite:
        raise ProtocolError("expected a finite number")
    return float(value)


def optional_number(value: Any) -> float | None:
    """A finite number, or nothing."""
    return None if value is None else number(value)


def text(value: Any, limit: int) -> str:
    """Text of at most so many characters."""
    if type(value) is not str or len(value) > limit:
        raise ProtocolError(f"expected text of at most {limit} characters")
    return value


def blob(value: Any) -> bytes:
    """Bytes, such as another payload."""
    if type(value) is not bytes:
        raise ProtocolError("expected bytes")
    return value


def duration(value: Any) -> float:
    """A finite number of seconds, not negative."""
    seconds = number(value)
    if seconds < 0.0:
        raise ProtocolError("expected a duration, not negative")
    return seconds


def optional_duration(value: Any) -> float | None:
    """A duration, or nothing."""
    return None if value is None else duration(value)
