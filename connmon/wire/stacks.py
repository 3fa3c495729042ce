"""Stacks as payloads: where whoever has a connection is now.

::

    told    [1, held, [stack ...], why]
    stack   [connection, seconds, owner, site, session | nil, pool, tag, [frame ...],
             note]
    found   [1, [[[process, hostname, program, pid], node, told] ...]]

``told`` is the answer of a process, ``found`` that of a node. There are at most
``MOST_STACKS`` stacks of ``MOST_FRAMES`` frames, and ``MOST_FOUND`` processes. A pool's
name, a note and a reason have up to ``TEXT_LIMIT`` characters, all other texts up to
``NAME_LIMIT``; the sender cuts longer ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connmon.errors import ProtocolError
from connmon.model.records import Identity
from connmon.model.stacks import (
    MOST_FOUND,
    MOST_FRAMES,
    MOST_STACKS,
    Found,
    Stack,
    Told,
)
from connmon.wire.commands import NAME_LIMIT, PROCESS_LIMIT, TEXT_LIMIT
from connmon.wire.fields import (
    FORMAT,
    array,
    count,
    duration,
    optional_count,
    pack,
    text,
    unpack,
)


def encode_told(told: Told) -> bytes:
    """A process's answer as a payload."""
    return pack(_told_parts(told))


def decode_told(payload: bytes) -> Told:
    """A payload as a process's answer, or ``ProtocolError``."""
    return _told(unpack(payload, 4))


def encode_found(found: Iterable[Found]) -> bytes:
    """A node's answer as a payload."""
    return pack([FORMAT, [_found_parts(each) for each in list(found)[:MOST_FOUND]]])


def decode_found(payload: bytes) -> tuple[Found, ...]:
    """A payload as a node's answer, or ``ProtocolError``."""
    found = _few(unpack(payload, 2)[1], MOST_FOUND, "processes")
    return tuple(map(_found, found))


def _told_parts(told: Told) -> list[Any]:
    stacks = [_stack_parts(each) for each in told.stacks[:MOST_STACKS]]
    return [FORMAT, told.held, stacks, told.why[:TEXT_LIMIT]]


def _stack_parts(stack: Stack) -> list[Any]:
    return [
        stack.connection,
        stack.seconds,
        stack.owner[:NAME_LIMIT],
        stack.site[:NAME_LIMIT],
        stack.session,
        stack.pool[:TEXT_LIMIT],
        stack.tag[:NAME_LIMIT],
        [each[:NAME_LIMIT] for each in stack.frames[-MOST_FRAMES:]],
        stack.note[:TEXT_LIMIT],
    ]


def _found_parts(found: Found) -> list[Any]:
    who = found.identity
    return [
        [
            who.process[:PROCESS_LIMIT],
            who.hostname[:NAME_LIMIT],
            who.program[:NAME_LIMIT],
            who.pid,
        ],
        found.node[:NAME_LIMIT],
        _told_parts(found.told),
    ]


def _told(fields: tuple[Any, ...]) -> Told:
    return Told(
        count(fields[1]),
        tuple(map(_stack, _few(fields[2], MOST_STACKS, "stacks"))),
        text(fields[3], TEXT_LIMIT),
    )


def _stack(value: Any) -> Stack:
    fields = array(value, 9)
    frames = _few(fields[7], MOST_FRAMES, "frames")
    return Stack(
        count(fields[0]),
        duration(fields[1]),
        text(fields[2], NAME_LIMIT),
        text(fields[3], NAME_LIMIT),
        optional_count(fields[4]),
        text(fields[5], TEXT_LIMIT),
        text(fields[6], NAME_LIMIT),
        tuple(text(each, NAME_LIMIT) for each in frames),
        text(fields[8], TEXT_LIMIT),
    )


def _found(value: Any) -> Found:
    fields = array(value, 3)
    who = array(fields[0], 4)
    return Found(
        Identity(
            text(who[0], PROCESS_LIMIT),
            text(who[1], NAME_LIMIT),
            text(who[2], NAME_LIMIT),
            count(who[3]),
        ),
        text(fields[1], NAME_LIMIT),
        _told(array(fields[2], 4)),
    )


def _few(value: Any, most: int, what: str) -> tuple[Any, ...]:
    fields = array(value)
    if len(fields) > most:
        raise ProtocolError(f"expected at most {most} {what}")
    return fields
