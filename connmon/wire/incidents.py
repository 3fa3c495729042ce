"""What was so when checkouts timed out, as arrays.

::

    incident    [number, pool id, at, timeouts, facts, victim, held, [holder ...],
                 waiting, [in line ...]]
    holder      [connection id, since, owner, site, session | nil, address, tag]
    victim, in line
                [since, owner, site, holds, tag]

A pool that times out does so many times in a row, while nearly the same hold and wait.
So facts, a victim, a holder or one in line is either its array, or the number of one
that came before it in the same list of incidents, counted from zero as they come. At
most a hundred holders and as many in line are read of each, and a thousand incidents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from connmon.errors import ProtocolError
from connmon.model.holding import LISTED
from connmon.model.records import Holder, Incident, InLine, PoolFacts
from connmon.wire.commands import NAME_LIMIT, TEXT_LIMIT
from connmon.wire.facts import decode_facts
from connmon.wire.fields import array, count, flag, number, optional_count, text

MOST = 1000
"""Incidents that are read of one report: no process tells as many."""

_Part = TypeVar("_Part", PoolFacts, Holder, InLine)


def encode_incidents(incidents: Iterable[Incident]) -> list[Any]:
    """Incidents as arrays, with the parts that they have in common once."""
    once = _Once()
    return [_array(each, once) for each in incidents]


def decode_incidents(value: Any) -> tuple[Incident, ...]:
    """Such arrays as incidents, or ``ProtocolError``."""
    known: list[Any] = []
    return tuple(_incident(each, known) for each in array(value)[:MOST])


class _Once:
    """Gives a part as it is, and its number when it comes again."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[Any, ...], int] = {}

    def __call__(self, part: tuple[Any, ...]) -> Any:
        number = self._numbers.get(part)
        if number is not None:
            return number
        self._numbers[part] = len(self._numbers)
        return part


def _array(incident: Incident, once: _Once) -> list[Any]:
    return [
        incident.number,
        incident.pool,
        incident.at,
        incident.timeouts,
        once(incident.facts),
        once(incident.victim),
        incident.held,
        list(map(once, incident.holders)),
        incident.waiting,
        list(map(once, incident.waiters)),
    ]


def _incident(value: Any, known: list[Any]) -> Incident:
    fields = array(value, 10)

    def listed(value: Any, kind: type[_Part], read: Callable[[Any], _Part]) -> Any:
        # Those beyond are read as well: they have numbers.
        parts = tuple(_part(each, kind, read, known) for each in array(value))
        return parts[:LISTED]

    return Incident(
        count(fields[0]),
        count(fields[1]),
        number(fields[2]),
        count(fields[3]),
        _part(fields[4], PoolFacts, decode_facts, known),
        _part(fields[5], InLine, _in_line, known),
        count(fields[6]),
        listed(fields[7], Holder, _holder),
        count(fields[8]),
        listed(fields[9], InLine, _in_line),
    )


def _part(
    value: Any, kind: type[_Part], read: Callable[[Any], _Part], known: list[Any]
) -> _Part:
    """A part, by its array or by its number among those that are ``known``."""
    if type(value) is not int:
        part = read(value)
        known.append(part)
        return part
    if not 0 <= value < len(known) or type(known[value]) is not kind:
        raise ProtocolError(f"an incident with a part {value} that did not come before")
    found: _Part = known[value]
    return found


def _holder(value: Any) -> Holder:
    fields = array(value, 7)
    return Holder(
        count(fields[0]),
        number(fields[1]),
        text(fields[2], NAME_LIMIT),
        text(fields[3], TEXT_LIMIT),
        optional_count(fields[4]),
        text(fields[5], NAME_LIMIT),
        text(fields[6], NAME_LIMIT),
    )


def _in_line(value: Any) -> InLine:
    fields = array(value, 5)
    return InLine(
        number(fields[0]),
        text(fields[1], NAME_LIMIT),
        text(fields[2], TEXT_LIMIT),
        flag(fields[3]),
        text(fields[4], NAME_LIMIT),
    )
