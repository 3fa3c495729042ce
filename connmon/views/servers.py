"""The tables of database servers: what programs may ask of each, and which ask most.

A server is in danger before it refuses anybody. The rule, with its bounds, is
``alert_of``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, NamedTuple

from connmon.model.extent import Program
from connmon.model.servers import Claim, Claims, Server, out_of
from connmon.views.alert import CRIT, OK, WARN
from connmon.views.moment import Moment
from connmon.views.schema import SERVERS, SHARES, VIEWS
from connmon.views.table import Scope, Table

NEAR = 0.8
"""From this share of a server's limit on, open connections are worth a warning."""

FULL = 0.95
"""From this share on they are critical."""


class Entry(NamedTuple):
    """A server, all that is asked of it, and what it has: ``None`` if not known."""

    server: Server
    claim: Claim
    limit: int | None


class Share(NamedTuple):
    """What one program asks of a server."""

    server: Server
    program: Program
    claim: Claim


def alert_of(entry: Entry) -> str:
    """``crit`` if the server is full or nearly, ``warn`` if it can become so.

    It can if the pools may open more than its limit, or have no bound at all, or if
    four of five connections are open.
    """
    claim, limit = entry.claim, entry.limit
    if limit is not None and claim.connections >= FULL * limit:
        return CRIT
    near = limit is not None and (
        claim.connections >= NEAR * limit or claim.worst_case > limit
    )
    return WARN if near or claim.unbounded else OK


def reason_of(entry: Entry) -> str:
    """The same in words, the worst first; empty if it is ok."""
    claim, limit = entry.claim, entry.limit
    said = []
    if limit is not None and claim.connections >= NEAR * limit:
        said.append(f"{claim.connections} of {limit} connections open")
    if limit is not None and claim.worst_case > limit:
        said.append(f"worst case {claim.worst_case} of {limit}")
    if claim.unbounded:
        pools = "pool" if claim.unbounded == 1 else "pools"
        said.append(f"{claim.unbounded} {pools} without a bound")
    return ", ".join(said)


def servers(moment: Moment, scope: Scope) -> Table:
    """A row for each database server that a pool is for."""
    counts = moment.board.sums.ceiling.counts()
    out = _Out(moment)

    def largest(read: Callable[[Share], Any]) -> Callable[[Entry], Any]:
        return lambda entry: read(_largest(moment, entry.server))

    values: dict[str, Callable[[Any], Any]] = {
        **_claimed(),
        "hostname": lambda e: e.server.hostname or None,
        "ckout": lambda e: sum(out.by_server.get(e.server, {}).values()),
        "limit": lambda e: e.limit,
        "used": lambda e: e.claim.connections / e.limit if e.limit else None,
        "programs": lambda e: counts[e.server],
        "largest": largest(lambda s: f"{s.program.hostname} {s.program.progname}"),
        "largest_share": lambda e: _part(_largest(moment, e.server).claim, e.claim),
        "adds": largest(adds),
        "alert": alert_of,
        "reason": reason_of,
    }
    return Table(VIEWS[SERVERS], entries(moment), values)


def shares(moment: Moment, scope: Scope) -> Table:
    """A row for each server and each program that has a pool for it."""
    found = [
        Share(server, program, claim)
        for program, claims in moment.board.sums.ceiling.programs()
        for server, claim in claims.items()
        if scope.get("server") in (None, server.name)
    ]
    whole = moment.board.sums.ceiling.claims()
    out = _Out(moment)
    values: dict[str, Callable[[Any], Any]] = {
        **_claimed(),
        "hostname": lambda e: e.program.hostname,
        "progname": lambda e: e.program.progname,
        "ckout": lambda e: out.by_server.get(e.server, {}).get(e.program, 0),
        "share": lambda e: _part(e.claim, whole[e.server]),
        "adds": adds,
        "alert": lambda e: alert_of(_alone(e)),
        "reason": lambda e: reason_of(_alone(e)),
    }
    return Table(VIEWS[SHARES], found, values)


def entries(moment: Moment) -> list[Entry]:
    """All servers there are."""
    claims = moment.board.sums.ceiling.claims()
    return [
        Entry(server, claim, moment.limit_of(server, claim))
        for server, claim in claims.items()
    ]


def endangered(moment: Moment) -> list[Entry]:
    """The servers of which a limit is known that are not ok, the worst first."""
    found = [each for each in entries(moment) if each.limit is not None]
    wrong = [each for each in found if alert_of(each) != OK]
    return sorted(wrong, key=_weight, reverse=True)


def told(entry: Entry, moment: Moment) -> str:
    """What is wrong with a server, and who adds most to it, in a sentence."""
    largest = _largest(moment, entry.server)
    where = f" of {entry.server.hostname}" if entry.server.hostname else ""
    said = f"{entry.server.name}{where}: {reason_of(entry)}"
    more = adds(largest)
    if more is None:
        return said
    return f"{said}; one more {largest.program.progname} worker adds {more}"


def adds(share: Share) -> int | None:
    """What one more process of a program may open; ``None`` without a bound."""
    claims = _of_processes(share)
    if any(each.unbounded for each in claims):
        return None
    return max((each.capacity for each in claims), default=0)


def _of_processes(share: Share) -> list[Claim]:
    of_each: Iterable[Claims] = (each.claims for each in share.program.live.values())
    return [each[share.server] for each in of_each if share.server in each]


class _Out:
    """How many connections to each server each program has out; if it is wanted."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    @cached_property
    def by_server(self) -> dict[Server, dict[Program, int]]:
        """Looked at once, in those programs that have any out."""
        found: dict[Server, dict[Program, int]] = {}
        for program in self._moment.board.sums.programs.busy:
            for process in program.live.values():
                out = out_of(
                    process.identity.hostname,
                    process.pools,
                    process.connections.values(),
                )
                for server, count in out.items():
                    of = found.setdefault(server, {})
                    of[program] = of.get(program, 0) + count
        return found


def _largest(moment: Moment, server: Server) -> Share:
    """What the program asks for that may open the most there."""
    return Share(server, *moment.board.sums.ceiling.largest(server))


def _claimed() -> dict[str, Callable[[Any], Any]]:
    """How to read what is asked for, of a server and of a share alike."""
    return {
        "server": lambda e: e.server.name,
        "nproc": lambda e: e.claim.processes,
        "worst_case": lambda e: e.claim.worst_case,
        "unbounded": lambda e: e.claim.unbounded,
        "conn": lambda e: e.claim.connections,
    }


def _alone(share: Share) -> Entry:
    """A share as if it were a server's: that others are on it is not its fault."""
    return Entry(share.server, share.claim, None)


def _part(claim: Claim, whole: Claim) -> float | None:
    return claim.worst_case / whole.worst_case if whole.worst_case else None


def _weight(entry: Entry) -> tuple[float, ...]:
    limit = entry.limit or 1
    return (
        alert_of(entry) == CRIT,
        entry.claim.connections / limit,
        entry.claim.worst_case / limit,
    )
