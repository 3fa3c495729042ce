"""What opening a row leads to: the next level of the drill-down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from connmon.console.place import Place
from connmon.views.schema import (
    ADVICE,
    CHECKOUTS,
    CONNECTIONS,
    EVENTS,
    HOSTS,
    NODES,
    POOLS,
    PROCESSES,
    PROGRAMS,
    SERVERS,
    SHARES,
    SITES,
    TAGS,
    TIMEOUTS,
    VIEWS,
)

WHOLE = (ADVICE, TIMEOUTS)
"""Views whose rows say more than a table has room for: opening shows one whole."""

NEEDED = {
    CHECKOUTS: ("pool_id",),
    **{view: tuple(each.name for each in VIEWS[view].fields) for view in WHOLE},
}
"""Fields of a view, besides its key and those always shown, that opening looks at."""

Row = dict[str, Any]


def opened(place: Place, row: Row) -> Place | None:
    """The level below a row of a place; ``None`` if there is none.

    A program leads to its processes, a process to its pools, a pool to its connections;
    a host to its programs, a node to the processes that are linked to it, a checkout to
    itself among its pool's connections, an event or a timeout to the processes of its
    program, a line of the application or a tag to its checkouts, a database server to
    the programs that use it, and one of these to its processes.
    """
    way = _WAYS.get(place.view)
    return None if way is None else way(place, row)


def summed_up(place: Place, row: Row | None) -> Place | None:
    """The lines that hold what a row stands for, or what is listed if that is that.

    ``None`` if the row stands for nothing that can be held.
    """
    if place.view in (CONNECTIONS, CHECKOUTS):
        return Place(SITES, place.scope, place.title)
    inner = None if row is None or place.view == NODES else opened(place, row)
    return None if inner is None else replace(inner, view=SITES)


def _programs(place: Place, row: Row) -> Place | None:
    host = row.get("hostname")
    if not host or (place.view == PROGRAMS and ("hostname", host) in place.scope):
        return None  # one is there
    return _below(place, PROGRAMS, {"hostname": host}, str(host))


def _processes(place: Place, row: Row) -> Place | None:
    host, program = row.get("hostname"), row.get("progname")
    if host and program:
        scope = {"hostname": host, "progname": program}
        within = place.view == PROGRAMS and place.scope
        title = str(program) if within else f"{host} {program}"
        return _below(place, PROCESSES, scope, title)
    # A host's row in a tree; or an event about no program.
    return _programs(place, row) if place.view == PROGRAMS else None


def _linked(place: Place, row: Row) -> Place | None:
    node = row.get("node")
    if not node:
        return None  # its name is not known yet
    return _below(place, PROCESSES, {"node": node}, f"node {node}")


def _pools(place: Place, row: Row) -> Place:
    return _below(place, POOLS, {"process": row.get("process")}, _who(place, row))


def _connections(place: Place, row: Row) -> Place:
    id = row.get("pool_id")
    name = str(row.get("pool_name") or f"pool {id}")
    scope = {"process": row.get("process"), "pool_id": id}
    within = place.view == POOLS and place.scope
    titles = (name,) if within else (_who(place, row), name)
    return _below(place, CONNECTIONS, scope, *titles)


def _checkout(place: Place, row: Row) -> Place:
    key = row.get("process"), row.get("connection")
    return replace(_connections(place, row), selected=key)


def _checkouts(name: str, none: str) -> Callable[[Place, Row], Place]:
    """Those of a row that is about this field, within what the place is narrowed to."""

    def way(place: Place, row: Row) -> Place:
        scope = {**dict(place.scope), name: row.get(name)}
        return _below(place, CHECKOUTS, scope, str(row.get(name) or none))

    return way


def _shares(place: Place, row: Row) -> Place:
    server, host = row.get("server"), row.get("hostname")
    scope = {"server": server, **({"hostname": host} if host else {})}
    return _below(place, SHARES, scope, f"{server} of {host}" if host else str(server))


_WAYS: dict[str, Callable[[Place, Row], Place | None]] = {
    HOSTS: _programs,
    PROGRAMS: _processes,
    EVENTS: _processes,
    TIMEOUTS: _processes,
    SERVERS: _shares,
    SHARES: _processes,
    NODES: _linked,
    PROCESSES: _pools,
    POOLS: _connections,
    CHECKOUTS: _checkout,
    SITES: _checkouts("site", "line not known"),
    TAGS: _checkouts("tag", "no tag"),
}


def _who(place: Place, row: Row) -> str:
    """A process, with its program unless the level above has named that."""
    pid = f"pid {row.get('pid')}"
    if any(name == "progname" for name, _ in place.scope):
        return pid
    return f"{row.get('hostname')} {row.get('progname')} {pid}"


def _below(place: Place, view: str, scope: dict[str, object], *titles: str) -> Place:
    return Place(view, tuple(scope.items()), (*place.title, *titles))
