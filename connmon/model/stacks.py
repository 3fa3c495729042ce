"""Where whoever has a connection is now: what a process tells when it is asked."""

from __future__ import annotations

from typing import NamedTuple

from connmon.model.records import Identity

MOST_STACKS = 100
"""Of how many connections a process tells at most, those that are out for longest."""

MOST_FRAMES = 100
"""How many frames of one stack are told, the innermost ones."""

MOST_FOUND = 100
"""How many processes an answer names that have the same host and pid."""


class Stack(NamedTuple):
    """A connection that is out, and where whoever has it is now.

    ``seconds`` is for how long it has been out; ``owner``, ``site``, ``session``,
    ``pool`` and ``tag`` are as the records have them. Each of ``frames`` is ``file:line
    function``, the most recent call last. ``note`` says in a few words why there are
    none, or which are left out.
    """

    connection: int
    seconds: float
    owner: str
    site: str = ""
    session: int | None = None
    pool: str = ""
    tag: str = ""
    frames: tuple[str, ...] = ()
    note: str = ""


class Told(NamedTuple):
    """What a process answers, or a node for it: the stacks, the longest out first.

    ``held`` is how many connections it has out. ``why`` says why it tells nothing, and
    is empty if it does.
    """

    held: int = 0
    stacks: tuple[Stack, ...] = ()
    why: str = ""


class Found(NamedTuple):
    """A process that was asked for, the name of the node it is linked to, its answer.

    Where several were meant none was asked: they are told without any stack.
    """

    identity: Identity
    node: str
    told: Told
