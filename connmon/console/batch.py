"""Frames for a pipe: JSON, CSV and plain text, each a function of a frame and a time.

JSON and CSV give names exactly as they were reported. Plain text is made harmless for a
terminal; JSON is harmless by itself, being ASCII without control characters.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from connmon.console import clock, header, table
from connmon.console.choices import Choices
from connmon.console.line import clipped
from connmon.console.text import UNICODE, Glyphs, Line, Style, clean
from connmon.views.frame import Frame, Gauge, Head, Row
from connmon.views.schema import (
    BEYOND,
    EVENTS,
    PROGRAMS,
    VIEWS,
    WAIT_HISTOGRAM,
    Kind,
    Taking,
    Tally,
    up_to,
)

_DIGITS = {"lag_seconds": 6}
"""Decimals of what may be of microseconds; all else has three."""


_LINE = re.compile(r":\d+\Z")
"""How a site ends that is a file and a line."""

_WORST = 500
"""Characters of what is worst, in a log."""


@dataclass(frozen=True)
class Look:
    """How plain text is written: no wider than ``width``, ``None`` for no limit."""

    width: int | None = None
    choices: Choices = field(default_factory=Choices)
    glyphs: Glyphs = UNICODE


def as_json(frame: Frame, time: float) -> str:
    """Return a view at ``time`` (Unix seconds) as one line of JSON."""
    head = frame.head
    told: dict[str, object] = {
        "time": _rounded(time),
        "service": head.service,
        "node": head.node,
    }
    if frame.view == PROGRAMS:
        told |= _totals(head)
    told[frame.view] = objects(frame, time)
    if frame.view == PROGRAMS:
        told |= _rest(head)
    told["count"] = frame.count
    return json.dumps(told, ensure_ascii=True, allow_nan=False)


def objects(frame: Frame, time: float) -> list[dict[str, Any]]:
    """Return the rows as JSON has them, each by the names of its values."""
    names = _names(frame)
    return [
        dict(zip(names, _values(frame, row, time), strict=True)) for row in frame.rows
    ]


def csv_header(frame: Frame) -> str:
    """Return the line of the view's column names, ended as RFC 4180 has it."""
    names = _names(frame)
    return _csv([names if frame.view == EVENTS else ["time", *names]])


def as_csv(frame: Frame, time: float) -> str:
    """Return one line for each row, each stamped with ``time``; maybe none.

    Events have a time of their own instead. Several texts, records or tallies in one
    value are parted by ``; ``, several numbers by blanks.
    """
    own = frame.view == EVENTS
    stamp = [] if own else [_rounded(time)]
    return _csv([[*stamp, *_values(frame, row, time)] for row in frame.rows])


def as_text(
    frame: Frame, time: float, *, first: bool = True, look: Look | None = None
) -> str:
    """Return totals and table to be read by people.

    All ticks but the first begin with a blank line.
    """
    look = look or Look()
    moment = clock.told(time, clock.DATE_AND_TIME)
    head = frame.head
    name = clean(f"connmon {head.service}@{head.node}", glyphs=look.glyphs)
    cluster = [
        clean(each, glyphs=look.glyphs)
        for each in header.cluster(head, look.glyphs)[:1]
    ]
    over = ["  ".join([name, moment, *cluster])]
    over += header.plain(head, look.width, look.glyphs)
    lines: list[Line] = [((Style.PLAIN, each),) for each in over]
    lines += table.text_lines(frame, look.width, look.choices, look.glyphs, time=time)
    if look.width is not None:
        lines = [clipped(line, look.width, look.glyphs) for line in lines]
    text = "".join(f"{_plain(line)}\n" for line in lines)
    return text if first else f"\n{text}"


def as_log(frame: Frame, time: float, look: Look | None = None) -> str:
    """Return the totals, and what is worst, as one line of a log."""
    look = look or Look()
    head = frame.head
    name = clean(f"{head.service}@{head.node}", glyphs=look.glyphs)
    said = [f"connmon {name}", header.totals(head)]
    if head.worst:
        said.append(clean(head.worst, _WORST, look.glyphs))
    return f"{clock.told(time, clock.DATE_AND_TIME)} {'  '.join(said)}"


def _plain(line: Line) -> str:
    return "".join(text for _, text in line).rstrip()


def _totals(head: Head) -> dict[str, object]:
    checkouts = _gauge(head.checkouts)
    return {
        "hosts": _gauge(head.hosts),
        "processes": {**_gauge(head.processes), "stale": head.stale},
        "connections": _gauge(head.connections),
        "checkouts": {**checkouts, "per_second": _rounded(head.per_second)},
    }


def _rest(head: Head) -> dict[str, object]:
    return {
        "cluster": {"nodes": head.nodes, "up": head.nodes_up, "down": list(head.down)},
        "alerts": {"crit": head.crit, "warn": head.warn, "worst": head.worst},
        "waiting": head.waiting,
        "wait_p99_seconds": _rounded(head.wait_p99_seconds),
        "timeouts": head.timeouts,
        "oldest_seconds": _rounded(head.oldest_seconds),
        "txn_seconds": _rounded(head.txn_seconds),
        "history": list(head.history),
    }


def _gauge(gauge: Gauge) -> dict[str, object]:
    return {"current": gauge.current, "max": gauge.maximum}


def _names(frame: Frame) -> list[str]:
    """The names of a row's values; events have the time when they happened first.

    They are those of the view: what a node of another version leaves out is not known.
    """
    names = [each.name for each in VIEWS[frame.view].fields]
    return ["time", *names] if frame.view == EVENTS else names


def _values(frame: Frame, row: Row, time: float) -> list[Any]:
    """A row's values as JSON has them."""
    told = dict(zip(frame.fields, row, strict=True))
    values = [
        _value(told.get(each.name), each.kind, each.name)
        for each in VIEWS[frame.view].fields
    ]
    if frame.view == EVENTS:
        age = told.get("age_seconds")
        values.insert(0, None if age is None else _rounded(time - age))
    return values


def _value(value: Any, kind: Kind, name: str) -> Any:
    if value is None:
        return None
    if kind in (Kind.SECONDS, Kind.RATE, Kind.RATIO):
        return _rounded(value, _DIGITS.get(name, 3))
    if kind in (Kind.TEXTS, Kind.SERIES):
        return list(value)
    if kind is Kind.RECORDS:
        return [_taking(Taking(*each)) for each in value]
    if kind is Kind.TALLIES:
        return [_tally(name, Tally(*each)) for each in value]
    return value


def _tally(name: str, each: Tally) -> dict[str, object]:
    """How many there were for a reason, or of which length, as an object."""
    if name != WAIT_HISTOGRAM:
        return {"reason": each.reason, "count": each.times}
    return {"up_to_seconds": up_to(each.reason), "count": each.times}


def _taking(each: Taking) -> dict[str, object]:
    """Who has a connection, or waits for one, as an object."""
    line, function = place(each.site)
    return {
        "site": line,
        "function": function,
        "thread": each.owner or None,
        "seconds": _rounded(each.seconds),
        "session": each.session,
        "address": each.address or None,
        "tag": each.tag or None,
    }


def place(site: str) -> tuple[str | None, str | None]:
    """The file and line of a site, and the function; what is not known is ``None``."""
    line, _, function = site.rpartition(" ")
    return (line, function) if _LINE.search(line) else (site or None, None)


def _phrase(taking: dict[str, object]) -> str:
    """The same in words, without the names of its parts."""
    if "reason" in taking:
        return f"{taking['reason']} {taking['count']}"
    if "up_to_seconds" in taking:
        bound = taking["up_to_seconds"]
        return f"{BEYOND if bound is None else f'{bound:g}'} {taking['count']}"
    said = [
        str(taking[name]) for name in ("site", "function", "thread") if taking[name]
    ]
    if taking["seconds"] is not None:
        said.append(f"{taking['seconds']}s")
    return " ".join(said)


def _rounded(number: float | None, decimals: int = 3) -> float | None:
    """Round to so many decimals; JSON and CSV have no word for NaN and infinity."""
    if number is None or not math.isfinite(number):
        return None
    return round(number, decimals)


def _csv(rows: Sequence[Sequence[object]]) -> str:
    """Lines of CSV. The csv module of Python 3.10 cannot write a NUL in a name."""
    return "".join(",".join(map(_csv_field, row)) + "\r\n" for row in rows)


def _csv_field(value: object) -> str:
    """One field as RFC 4180 has it; nothing is an empty field."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, list):
        value = [_phrase(each) if isinstance(each, dict) else each for each in value]
        parts = "; " if any(isinstance(each, str) for each in value) else " "
        value = parts.join(map(str, value))
    # Half a surrogate pair cannot be written at all.
    text = str(value).encode("utf-8", "replace").decode("utf-8")
    if any(sign in text for sign in ',"\r\n'):
        text = '"' + text.replace('"', '""') + '"'
    return text
