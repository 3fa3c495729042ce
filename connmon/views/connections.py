"""The tables of open connections: all of them, and those that are out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from connmon.model.figures import places
from connmon.model.process import Process
from connmon.model.records import DETACHED, IDLE, OUT, ConnectionRecord, PoolFacts
from connmon.views.alert import CRIT, OK, Signs, level, reason
from connmon.views.moment import Moment
from connmon.views.processes import in_scope, pools
from connmon.views.schema import CHECKOUTS, CONNECTIONS, DISPOSED, VIEWS, Taking
from connmon.views.table import Scope, Table, nothing

STATES = {IDLE: "idle", OUT: "out", DETACHED: "detached"}

FEW = 3
"""Of those who wait for a pool, so many are named before its connections."""


class Connections:
    """Connections by number, so that a hundred thousand make no object each.

    ``offsets`` lead from the clocks of their processes to the node's.
    """

    def __init__(self) -> None:
        """Have none yet."""
        self.records: list[ConnectionRecord] = []
        self.owners: list[Process] = []
        self.offsets: list[float] = []

    def add(self, process: Process) -> None:
        """All connections of one process."""
        records = process.connections
        self.records += records.values()
        self.owners += [process] * len(records)
        self.offsets += [process.offset] * len(records)

    def add_out(self, process: Process) -> None:
        """Those of its connections that are out."""
        offset = process.offset
        for each in process.connections.values():
            if each.state == OUT:
                self.records.append(each)
                self.owners.append(process)
                self.offsets.append(offset)


def connections(moment: Moment, scope: Scope) -> Table:
    """A row for each open connection."""
    found = Connections()
    for process in in_scope(moment, scope):
        found.add(process)
    return _table(CONNECTIONS, moment, scope, found)


def checkouts(moment: Moment, scope: Scope) -> Table:
    """A row for each connection that is out of its pool now."""
    found = Connections()
    seconds = moment.seconds
    for process in in_scope(moment, scope) if scope else busy(moment):
        if process.checkouts:
            found.add_out(process)
    since = zip(found.records, found.offsets, strict=True)
    # By these all are ordered: read at once, it takes a third of the time.
    ages = [seconds(record.since + offset) for record, offset in since]
    table = _table(CHECKOUTS, moment, scope, found)
    return replace(table, values={**table.values, "out_seconds": ages.__getitem__})


def busy(moment: Moment) -> Iterator[Process]:
    """The live processes of all programs that may have something out."""
    for program in moment.board.sums.programs.busy:
        yield from program.live.values()


def described(facts: PoolFacts) -> str:
    """A pool in a few words, such as ``QueuePool 5+10, timeout 30s``."""
    said = [facts.kind]
    if facts.size is not None:
        overflow = "" if places(facts) is None else f"+{facts.max_overflow}"
        said[0] += f" {facts.size}{overflow or '+unbounded'}"
    if facts.timeout is not None:
        said.append(f"timeout {facts.timeout:g}s")
    if facts.recycle is not None and facts.recycle > 0:
        said.append(f"recycle {facts.recycle:g}s")
    if facts.pre_ping:
        said.append("pre-ping")
    return ", ".join(said)


def about(scope: Scope, pools: Callable[[Scope], Table]) -> str:
    """What the pool is like that a scope names, and who waits for what is out of it.

    Nothing if it names none; ``pools`` makes the table of the pools in a scope.
    """
    if "process" not in scope or "pool_id" not in scope:
        return ""
    table = pools({name: scope[name] for name in ("process", "pool_id")})
    for entry in table.entries:
        row = {name: table.values.get(name, nothing)(entry) for name in _OF_POOL}
        return described(_facts(row)) + _in_line(row["waiting"], row["waiters"] or ())
    return ""


_OF_POOL = (
    *("pool_name", "kind", "pool_size", "max_overflow", "timeout_seconds"),
    *("recycle_seconds", "pre_ping", "waiting", "waiters"),
)
"""What is told of a pool before its connections."""


def _facts(row: Mapping[str, Any]) -> PoolFacts:
    return PoolFacts(
        row["pool_name"] or "",
        row["kind"] or "",
        row["pool_size"],
        row["max_overflow"],
        row["timeout_seconds"],
        row["recycle_seconds"],
        bool(row["pre_ping"]),
    )


def _in_line(waiting: int | None, waiters: Sequence[Taking]) -> str:
    """Those who have waited for longest, and how many more there are."""
    if not waiters:
        return ""
    said = [
        f"{each.owner} for {each.seconds:.1f}s" + (each.site and f" at {each.site}")
        for each in waiters[:FEW]
    ]
    if waiting and waiting > len(said):
        said.append(f"{waiting - len(said)} more")
    return f"; waiting: {', '.join(said)}"


def _table(view: str, moment: Moment, scope: Scope, found: Connections) -> Table:
    values = {**_whose(found), **_what(moment, found), **_judged(moment, found)}
    entries = range(len(found.records))
    of_pool = about(scope, lambda wanted: pools(moment, wanted).within(wanted))
    return Table(VIEWS[view], entries, values, of_pool)


def _whose(found: Connections) -> dict[str, Callable[[Any], Any]]:
    """How to read whose a connection is."""
    owners, records = found.owners, found.records

    def pool_name(entry: int) -> str | None:
        pool = owners[entry].pools.get(records[entry].pool)
        return None if pool is None else pool.facts.name

    return {
        "hostname": lambda e: owners[e].identity.hostname,
        "progname": lambda e: owners[e].identity.program,
        "pid": lambda e: owners[e].identity.pid,
        "process": lambda e: owners[e].identity.process,
        "pool_id": lambda e: records[e].pool,
        "pool_name": pool_name,
        "connection": lambda e: records[e].id,
        "server_session": lambda e: records[e].session,
        "address": lambda e: records[e].address or None,
        "owner": lambda e: records[e].owner or None,
        "site": lambda e: records[e].site or None,
        "tag": lambda e: records[e].tag or None,
        "leak": lambda e: records[e].leak or None,
    }


def _what(moment: Moment, found: Connections) -> dict[str, Callable[[Any], Any]]:
    """How to read what it does, and for how long."""
    records, offsets, seconds = found.records, found.offsets, moment.seconds

    def in_state(state: int) -> Callable[[int], float | None]:
        def value(entry: int) -> float | None:
            record = records[entry]
            if record.state != state:
                return None
            return seconds(record.since + offsets[entry])

        return value

    def state(entry: int) -> str:
        record = records[entry]
        is_apart = record.disposed and record.state == OUT
        return DISPOSED if is_apart else STATES[record.state]

    def txn_seconds(entry: int) -> float | None:
        since = records[entry].transaction
        return None if since is None else seconds(since + offsets[entry])

    def txn_idle_seconds(entry: int) -> float | None:
        since = records[entry].quiet
        return None if since is None else seconds(since + offsets[entry])

    return {
        "state": state,
        "out_seconds": in_state(OUT),
        "txn_seconds": txn_seconds,
        "txn_idle_seconds": txn_idle_seconds,
        "idle_seconds": in_state(IDLE),
        "age_seconds": lambda e: seconds(records[e].opened + offsets[e]),
        "uses": lambda e: records[e].uses,
        "stale_seconds": lambda e: moment.unheard(found.owners[e]),
    }


def _judged(moment: Moment, found: Connections) -> dict[str, Callable[[Any], Any]]:
    """How to read what is wrong with it."""
    what = _what(moment, found)
    out_seconds, txn_seconds = what["out_seconds"], what["txn_seconds"]

    def is_stale(entry: int) -> bool:
        return moment.is_stale(found.owners[entry])

    def judged(entry: int) -> str:
        if found.records[entry].leak:
            return CRIT
        return level(
            None,
            out_seconds(entry),
            stale=is_stale(entry),
            txn_seconds=txn_seconds(entry),
        )

    def worded(entry: int) -> str:
        if judged(entry) == OK:
            return ""
        signs = Signs(
            oldest_seconds=out_seconds(entry),
            txn_seconds=txn_seconds(entry),
            stale=int(is_stale(entry)),
            quiet_seconds=what["txn_idle_seconds"](entry),
        )
        said, leak = reason(signs, "", "out for"), found.records[entry].leak
        return ", ".join(filter(None, (leak and f"leaked: {leak}", said)))

    return {"alert": judged, "reason": worded}
