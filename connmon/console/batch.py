"""Frames for a pipe: JSON, CSV and plain text, each a function of a frame and a time.

JSON and CSV give names exactly as they were reported. Plain text is made harmless for a
terminal; JSON is harmless by itself, being ASCII without control characters.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, fields
from datetime import datetime

from connmon.console.text import UNICODE, Glyphs, Line, clean
from connmon.console.views import heading, layout, row_line, totals
from connmon.model.summary import Frame, Gauge, ProgramRow

_FIELDS = tuple(field.name for field in fields(ProgramRow))


def as_json(frame: Frame, time: float) -> str:
    """Return the programs view at ``time`` (Unix seconds) as one line of JSON."""
    checkouts = _gauge(frame.checkouts)
    return json.dumps(
        {
            "time": _rounded(time),
            "service": frame.service,
            "node": frame.node,
            "hosts": _gauge(frame.hosts),
            "processes": _gauge(frame.processes),
            "connections": _gauge(frame.connections),
            "checkouts": {**checkouts, "per_second": _rounded(frame.per_second)},
            "programs": [_program(row) for row in frame.programs],
        },
        ensure_ascii=True,
        allow_nan=False,
    )


def csv_header() -> str:
    """Return the line of column names, ended as RFC 4180 has it."""
    return _csv([("time", *_FIELDS)])


def as_csv(frame: Frame, time: float) -> str:
    """Return one line for each program, each stamped with ``time``; maybe none."""
    return _csv([(_rounded(time), *_program(row).values()) for row in frame.programs])


def as_text(
    frame: Frame, time: float, *, first: bool = True, glyphs: Glyphs = UNICODE
) -> str:
    """Return totals and table to be read by people, without any cut or escape.

    All ticks but the first begin with a blank line.
    """
    columns = layout(frame.programs, None, glyphs)
    moment = datetime.fromtimestamp(time).strftime("%Y-%m-%d %H:%M:%S")
    name = clean(f"connmon {frame.service}@{frame.node}", glyphs=glyphs)
    table = [
        heading(columns, glyphs),
        *(row_line(row, columns, glyphs) for row in frame.programs),
    ]
    text = [f"{name}  {moment}", totals(frame, None), *map(_plain, table)]
    return ("" if first else "\n") + "".join(f"{line}\n" for line in text)


def _plain(line: Line) -> str:
    return "".join(text for _, text in line).rstrip()


def _gauge(gauge: Gauge) -> dict[str, object]:
    return {"current": gauge.current, "max": gauge.maximum}


def _program(row: ProgramRow) -> dict[str, object]:
    return {**asdict(row), "ckoutpersec": _rounded(row.ckoutpersec)}


def _rounded(number: float | None) -> float | None:
    """Round to three decimals; JSON and CSV have no word for NaN and infinity."""
    if number is None or not math.isfinite(number):
        return None
    return round(number, 3)


def _csv(rows: list[tuple[object, ...]]) -> str:
    """Lines of CSV. The csv module of Python 3.10 cannot write a NUL in a name."""
    return "".join(",".join(map(_csv_field, row)) + "\r\n" for row in rows)


def _csv_field(value: object) -> str:
    """One field as RFC 4180 has it; nothing is an empty field."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    # Half a surrogate pair cannot be written at all.
    text = str(value).encode("utf-8", "replace").decode("utf-8")
    if any(sign in text for sign in ',"\r\n'):
        text = '"' + text.replace('"', '""') + '"'
    return text
