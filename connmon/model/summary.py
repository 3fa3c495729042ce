"""The rows a viewer reads: plain values, made by the board, shown by consoles."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gauge:
    """A count as it is now, and the largest it has been while this board looked on."""

    current: int
    maximum: int


@dataclass(frozen=True, slots=True)
class ProgramRow:
    """All processes of one name on one host, as one row.

    ``connected`` is false once the last of its processes has gone; the row then stays
    for a while. Rates are per second over the last ten seconds, ``None`` until two
    reports have been heard.
    """

    hostname: str
    progname: str
    connected: bool
    nproc: int
    conn: int
    ckout: int
    maxnproc: int
    maxconn: int
    maxckout: int
    ckoutpersec: float | None


@dataclass(frozen=True, slots=True)
class Frame:
    """Everything the programs view shows at one moment, rows ordered by host and name.

    It carries no time: the viewer stamps it with its own clock when it arrives.
    """

    service: str
    node: str
    hosts: Gauge
    processes: Gauge
    connections: Gauge
    checkouts: Gauge
    per_second: float | None
    programs: tuple[ProgramRow, ...]
