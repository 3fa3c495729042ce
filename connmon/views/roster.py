"""What one node says of itself and of the others, as the view of the nodes shows it."""

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
