"""The rows a viewer reads: plain values, made by nodes, shown by consoles."""

from __future__ import annotations

from dataclasses import dataclass

#: States of a node. It takes part.
UP = "up"
#: It was linked to, and has stopped answering.
STALE = "stale"
#: There is no link to it.
UNREACHABLE = "unreachable"
#: It answers, and one of the two does not want the other.
REFUSED = "refused"
NODE_STATES = (UP, STALE, UNREACHABLE, REFUSED)


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

    ``stale`` of the ``nproc`` processes report to a node that nobody hears: they are
    counted as they were last known. ``stale_seconds`` is the age of the oldest such
    knowledge, ``None`` where there is none.
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
    stale: int = 0
    stale_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """Everything the programs view shows at one moment, rows ordered by host and name.

    It carries no time: the viewer stamps it with its own clock when it arrives.
    ``stale`` counts the stale processes of all rows. ``nodes_up`` of the service's
    ``nodes`` are up, the one that made the frame included; ``down`` names the others.
    """

    service: str
    node: str
    hosts: Gauge
    processes: Gauge
    connections: Gauge
    checkouts: Gauge
    per_second: float | None
    programs: tuple[ProgramRow, ...]
    stale: int = 0
    nodes_up: int = 1
    nodes: int = 1
    down: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeRow:
    """One node of the service, as the node that made the frame sees it.

    ``state`` is one of ``NODE_STATES``, ``reason`` says why, and is empty if it is up.
    All times are durations in seconds: ``since_seconds`` how long it has been in that
    state, ``heard_seconds`` how long ago anyone reachable heard it (``None``: never),
    ``agreed_seconds`` how long ago the last digest agreed (``None``: never, or it is
    the node itself), ``lag_seconds`` the round trip. ``clients`` and ``consoles`` are
    those linked to it, ``None`` where that is not known. Bytes and messages are those
    on the links between the two nodes, as the node that made the frame counts them.
    ``version`` is of its connmon; ``remarks`` are other things a person should know.
    """

    node: str
    address: str
    state: str
    reason: str
    since_seconds: float
    heard_seconds: float | None
    clients: int | None
    consoles: int | None
    agreed_seconds: float | None
    lag_seconds: float | None
    bytes_sent: int
    bytes_received: int
    messages_sent: int
    messages_received: int
    version: str
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NodesFrame:
    """Everything the nodes view shows at one moment, in the order of configuration."""

    service: str
    node: str
    nodes: tuple[NodeRow, ...]


#: What a console may be shown: a frame of one of the views.
AnyFrame = Frame | NodesFrame
