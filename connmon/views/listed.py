"""The tables of nodes and of events: things that are told as they are to be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

from connmon.model.journal import Remark
from connmon.views.roster import NodeRow
from connmon.views.schema import EVENTS, NODES, VIEWS
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
