"""Rules about connections that are kept too long: in a transaction, or in the pool."""

from __future__ import annotations

from collections.abc import Iterator

from connmon.model.records import STALE, ConnectionRecord
from connmon.views.advice.finding import WARN, Finding, at, hosts, lasting, many
from connmon.views.advice.use import Member, Use
from connmon.views.alert import LONG_SECONDS

DEAD = 3
"""From so many connections found broken before use on, they count as evidence."""

ALIKE = 1.5
"""The idle times before are the same if the longest is no more of the shortest."""

SHARE = 0.8
"""How much of that time a connection should be kept at most."""


def idle_in_transaction(use: Use) -> Iterator[Finding]:
    """Transactions are open in which nothing has been executed for long."""
    found = [
        (each, record)
        for each in use.members
        for record in each.connections
        if _quiet_for(each, record) > LONG_SECONDS
    ]
    if not found:
        return
    member, worst = max(found, key=lambda each: _quiet_for(*each))
    since = worst.transaction if worst.transaction is not None else worst.since
    yield Finding(
        WARN,
        "idle-in-transaction",
        use.progname,
        hosts(each.process.identity.hostname for each, _ in found),
        use.name,
        worst.site,
        f"a transaction is open, and nothing is executed in it{at(worst.site)}",
        f"{many(len(found), 'connection')}; the longest is {worst.owner or 'one'} in "
        f"{member.who}, in a transaction for {lasting(member.ago(since))} and idle "
        f"for {lasting(_quiet_for(member, worst))}",
        "commit or roll back before whatever else it does there, or use autocommit "
        "for what only reads",
    )


def stale_after_idle(use: Use) -> Iterator[Finding]:
    """Connections are found broken, always after they were idle for the same time."""
    found = [
        (notice, each)
        for each in use.members
        for notice in each.notices
        if notice.kind == STALE and notice.seconds >= 1.0
    ]
    if len(found) < DEAD:
        return
    idle = sorted(notice.seconds for notice, _ in found)
    if idle[-1] > ALIKE * idle[0]:
        return
    recycle = found[0][1].record.facts.recycle
    now = "off" if recycle is None or recycle < 0 else f"{recycle:g}"
    yield Finding(
        WARN,
        "stale-after-idle",
        use.progname,
        hosts(each.process.identity.hostname for _, each in found),
        use.name,
        "",
        "something cuts connections off that have been idle for "
        f"{lasting(idle[0])}: the server's timeout, or a firewall's",
        f"{len(found)} connections were found broken before use, after "
        f"{lasting(idle[0])} to {lasting(idle[-1])} of idleness",
        f"set pool_recycle={max(int(idle[0] * SHARE), 1)} (it is {now})",
    )


def _quiet_for(member: Member, record: ConnectionRecord) -> float:
    """For how long nothing was executed in its transaction; 0 if it is in none."""
    if record.transaction is None or record.quiet is None:
        return 0.0
    return member.ago(record.quiet)
