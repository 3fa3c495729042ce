"""The tables of nodes, events and timeouts: things told as they are to be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

from connmon.model.blackbox import Kept
from connmon.model.figures import places
from connmon.model.journal import Remark
from connmon.model.records import LONGEST, Holder, Incident, InLine
from connmon.views.roster import NodeRow
from connmon.views.schema import EVENTS, NODES, TIMEOUTS, VIEWS, Taking
from connmon.views.table import Table


def nodes(rows: Iterable[NodeRow]) -> Table:
    """A row for each node of the service, in the order given."""
    view = VIEWS[NODES]
    values = {each.name: attrgetter(each.name) for each in view.fields}
    return Table(view, list(rows), values)


def events(remarks: Iterable[Remark]) -> Table:
    """A row for each event, the newest first."""
    values: dict[str, Callable[[Any], Any]] = {
        "age_seconds": lambda e: e.age,
        "severity": lambda e: e.severity,
        "hostname": lambda e: e.hostname or None,
        "progname": lambda e: e.progname or None,
        "pid": lambda e: e.pid,
        "node": lambda e: e.node,
        "text": lambda e: e.text,
        "origin": lambda e: e.origin,
        "sequence": lambda e: e.sequence,
    }
    return Table(VIEWS[EVENTS], list(remarks), values)


def timeouts(kept: Iterable[tuple[float, Kept]]) -> Table:
    """A row for each checkout that timed out, with how long ago it was."""
    values: dict[str, Callable[[Any], Any]] = {
        "age_seconds": lambda e: min(e[0], LONGEST),
        "hostname": lambda e: e[1].identity.hostname,
        "progname": lambda e: e[1].identity.program,
        "pid": lambda e: e[1].identity.pid,
        "process": lambda e: e[1].identity.process,
        **{name: _of_incident(read) for name, read in _INCIDENT.items()},
    }
    return Table(VIEWS[TIMEOUTS], list(kept), values)


_INCIDENT: dict[str, Callable[[Any], Any]] = {
    "number": lambda e: e.number,
    "pool_id": lambda e: e.pool,
    "pool_name": lambda e: e.facts.name,
    "capacity": lambda e: places(e.facts),
    "held": lambda e: e.held,
    "waiting": lambda e: e.waiting,
    "timeouts": lambda e: e.timeouts,
    "waited_seconds": lambda e: e.seconds(e.victim.since),
    "owner": lambda e: e.victim.owner or None,
    "tag": lambda e: e.victim.tag or None,
    "site": lambda e: e.victim.site or None,
    "holders": lambda e: tuple(_holder(e, each) for each in e.holders),
    "waiters": lambda e: tuple(_waiter(e, each) for each in e.waiters),
}


def _of_incident(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda entry: read(entry[1].incident)


def _holder(incident: Incident, each: Holder) -> Taking:
    seconds = incident.seconds(each.since)
    return Taking(each.site, each.owner, seconds, each.session, each.address, each.tag)


def _waiter(incident: Incident, each: InLine) -> Taking:
    return Taking(each.site, each.owner, incident.seconds(each.since), tag=each.tag)
