"""The programs view with its figures by name, for tests that look at a board."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from connmon.model.board import Board
from connmon.views.fleet import Cluster, Fleet
from connmon.views.frame import Frame, Gauge
from connmon.views.query import Query
from connmon.views.schema import PROGRAMS


class ProgramRow(NamedTuple):
    """What tests look at of a program on a host: fields of the view, by their names."""

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
    stale: int = 0
    stale_seconds: float | None = None


@dataclass(frozen=True)
class Look:
    """A whole frame of the programs view, rows ordered by host and name."""

    service: str
    node: str
    hosts: Gauge
    processes: Gauge
    connections: Gauge
    checkouts: Gauge
    per_second: float | None
    stale: int
    nodes_up: int
    nodes: int
    down: tuple[str, ...]
    programs: tuple[ProgramRow, ...]


def look(board: Board, now: float, cluster: Callable[[], Cluster] = Cluster) -> Look:
    """What a console that asks a board for all programs is shown at ``now``."""
    fleet = Fleet(board, cluster=cluster)
    return seen(fleet.answer(Query(fields=ProgramRow._fields), now))


def seen(frame: Frame) -> Look:
    """A frame of the programs view that has the fields of ``ProgramRow``."""
    assert frame.view == PROGRAMS
    head = frame.head
    columns = [frame.fields.index(name) for name in ProgramRow._fields]
    return Look(
        service=head.service,
        node=head.node,
        hosts=head.hosts,
        processes=head.processes,
        connections=head.connections,
        checkouts=head.checkouts,
        per_second=head.per_second,
        stale=head.stale,
        nodes_up=head.nodes_up,
        nodes=head.nodes,
        down=head.down,
        programs=tuple(
            ProgramRow(*(row[column] for column in columns)) for row in frame.rows
        ),
    )
