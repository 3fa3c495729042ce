"""The table of those who wait for a connection, to be read as checkouts are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from connmon.model.process import Process
from connmon.model.records import WaiterRecord
from connmon.views.connections import busy
from connmon.views.moment import Moment
from connmon.views.processes import in_scope
from connmon.views.schema import CHECKOUTS, VIEWS
from connmon.views.table import Scope, Table


class Wait(NamedTuple):
    """Somebody who waits, or ``number`` of a process that are not listed one by one.

    Of those nothing is known but perhaps the pool; ``record`` is ``None`` then.
    """

    process: Process
    pool: int | None
    record: WaiterRecord | None = None
    number: int = 1


def waits(moment: Moment, scope: Scope) -> Table:
    """An entry for each who waits, and one for those of a process that are not listed.

    Fields have the names of a checkout's; ``waiting`` is how many it stands for.
    """
    processes = in_scope(moment, scope) if scope else busy(moment)
    entries = [each for process in processes for each in _of_process(process)]
    return Table(VIEWS[CHECKOUTS], entries, _values(moment))


def _of_process(process: Process) -> Iterator[Wait]:
    """Those who wait; others than the listed ones for the same pool, if it is one."""
    for each in process.waiters:
        yield Wait(process, each.pool, each)
    others = process.waiting - len(process.waiters)
    if others > 0:
        pools = {each.pool for each in process.waiters}
        yield Wait(process, pools.pop() if len(pools) == 1 else None, None, others)


def _values(moment: Moment) -> dict[str, Callable[[Any], Any]]:
    """How to read whose a wait is, and for how long it has lasted."""

    def pool_name(entry: Wait) -> str | None:
        pool = None if entry.pool is None else entry.process.pools.get(entry.pool)
        return None if pool is None else pool.facts.name

    def seconds(entry: Wait) -> float | None:
        if entry.record is None:
            return None
        return moment.seconds(entry.record.since + entry.process.offset)

    def told(name: str) -> Callable[[Wait], str | None]:
        return lambda e: None if e.record is None else getattr(e.record, name) or None

    return {
        "hostname": lambda e: e.process.identity.hostname,
        "progname": lambda e: e.process.identity.program,
        "pid": lambda e: e.process.identity.pid,
        "process": lambda e: e.process.identity.process,
        "pool_id": lambda e: e.pool,
        "pool_name": pool_name,
        "owner": told("owner"),
        "site": told("site"),
        "tag": told("tag"),
        "stale_seconds": lambda e: moment.unheard(e.process),
        "waiting": lambda e: e.number,
        "oldest_wait_seconds": seconds,
    }
