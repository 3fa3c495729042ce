"""Frames for a pipe: JSON, CSV and plain text, each a function of a frame and a time.

JSON and CSV give names exactly as they were reported. Plain text is made harmless for a
terminal; JSON is harmless by itself, being ASCII without control characters.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, fields
from datetime import datetime

from connmon.console import nodes, programs
from connmon.console.text import UNICODE, Glyphs, Line, clean
from connmon.model.summary import (
    AnyFrame,
    Frame,
    Gauge,
    NodeRow,
    NodesFrame,
    ProgramRow,
)


def as_json(frame: AnyFrame, time: float) -> str:
    """Return a view at ``time`` (Unix seconds) as one line of JSON."""
    head = {"time": _rounded(time), "service": frame.service, "node": frame.node}
    rest = _nodes(frame) if isinstance(frame, NodesFrame) else _programs(frame)
    return json.dumps({**head, **rest}, ensure_ascii=True, allow_nan=False)


def csv_header(frame: AnyFrame) -> str:
    """Return the line of the view's column names, ended as RFC 4180 has it."""
    kind = NodeRow if isinstance(frame, NodesFrame) else ProgramRow
    return _csv([("time", *(field.name for field in fields(kind)))])


def as_csv(frame: AnyFrame, time: float) -> str:
    """Return one line for each row, each stamped with ``time``; maybe none."""
    rows = (
        [{**_node(row), "remarks": "; ".join(row.remarks)} for row in frame.nodes]
        if isinstance(frame, NodesFrame)
        else [_program(row) for row in frame.programs]
    )
    return _csv([(_rounded(time), *row.values()) for row in rows])


def as_text(
    frame: AnyFrame, time: float, *, first: bool = True, glyphs: Glyphs = UNICODE
) -> str:
    """Return totals and table to be read by people, without any cut or escape.

    All ticks but the first begin with a blank line.
    """
    moment = datetime.fromtimestamp(time).strftime("%Y-%m-%d %H:%M:%S")
    name = clean(f"connmon {frame.service}@{frame.node}", glyphs=glyphs)
    parts = [name, moment]
    if isinstance(frame, NodesFrame):
        summary, table = nodes.totals(frame), _nodes_table(frame, glyphs)
    else:
        summary, table = programs.totals(frame, None), _programs_table(frame, glyphs)
        parts += [clean(each, glyphs=glyphs) for each in programs.cluster(frame)[:1]]
    text = ["  ".join(parts), summary, *map(_plain, table)]
    return ("" if first else "\n") + "".join(f"{line}\n" for line in text)


def _programs_table(frame: Frame, glyphs: Glyphs) -> list[Line]:
    columns = programs.layout(frame.programs, None, glyphs)
    rows = [programs.row_line(row, columns, glyphs) for row in frame.programs]
    return [programs.heading(columns, glyphs), *rows]


def _nodes_table(frame: NodesFrame, glyphs: Glyphs) -> list[Line]:
    columns = nodes.layout(frame.nodes, None, glyphs)
    table = [nodes.heading(columns, glyphs)]
    for row in frame.nodes:
        table.append(nodes.row_line(row, columns, glyphs))
        table += nodes.notes(row, columns, None, glyphs)
    return table


def _plain(line: Line) -> str:
    return "".join(text for _, text in line).rstrip()


def _gauge(gauge: Gauge) -> dict[str, object]:
    return {"current": gauge.current, "max": gauge.maximum}


def _programs(frame: Frame) -> dict[str, object]:
    checkouts = _gauge(frame.checkouts)
    return {
        "hosts": _gauge(frame.hosts),
        "processes": {**_gauge(frame.processes), "stale": frame.stale},
        "connections": _gauge(frame.connections),
        "checkouts": {**checkouts, "per_second": _rounded(frame.per_second)},
        "programs": [_program(row) for row in frame.programs],
        "cluster": {
            "nodes": frame.nodes,
            "up": frame.nodes_up,
            "down": list(frame.down),
        },
    }


def _nodes(frame: NodesFrame) -> dict[str, object]:
    return {"nodes": [_node(row) for row in frame.nodes]}


def _program(row: ProgramRow) -> dict[str, object]:
    return {
        **asdict(row),
        "ckoutpersec": _rounded(row.ckoutpersec),
        "stale_seconds": _rounded(row.stale_seconds),
    }


def _node(row: NodeRow) -> dict[str, object]:
    return {
        **asdict(row),
        "since_seconds": _rounded(row.since_seconds),
        "heard_seconds": _rounded(row.heard_seconds),
        "agreed_seconds": _rounded(row.agreed_seconds),
        # A round trip may be of microseconds.
        "lag_seconds": _rounded(row.lag_seconds, 6),
    }


def _rounded(number: float | None, decimals: int = 3) -> float | None:
    """Round to so many decimals; JSON and CSV have no word for NaN and infinity."""
    if number is None or not math.isfinite(number):
        return None
    return round(number, decimals)


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
