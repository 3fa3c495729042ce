"""Rules about engines and pools that are made, shared or set up as they should not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from connmon.model.engines import OTHERS
from connmon.model.process import Process
from connmon.model.records import INHERITED, PoolFacts
from connmon.views.advice.finding import (
    CRIT,
    WARN,
    Finding,
    at,
    hosts,
    lasting,
    many,
)
from connmon.views.advice.use import Use
from connmon.views.connections import described

ENGINES = 10
"""From so many engines of a database by one line of a process on, it is at fault."""

MOST_VARIANTS = 3
"""Settings that a finding quotes."""


def engine_per_request(
    progname: str, processes: Iterable[Process], now: float
) -> Iterator[Finding]:
    """One line of the application makes engine after engine for one database."""
    sites: dict[str, list[tuple[int, Process]]] = {}
    for process in processes:
        for site, made in process.engines:
            if made >= ENGINES and site != OTHERS:
                sites.setdefault(site, []).append((made, process))
    for site, found in sites.items():
        made, worst = max(found, key=lambda each: each[0])
        identity, began = worst.identity, worst.began
        since = "" if began is None else f" in {lasting(max(now - began, 0.0))}"
        yield Finding(
            WARN,
            "engine-per-request",
            progname,
            hosts(each.identity.hostname for _, each in found),
            "",
            site,
            f"engines are made again and again{at(site)}, each with a pool of its own",
            f"{made} engines{since} in {identity.hostname} pid {identity.pid}",
            f"make the engine once, as the module is imported, and use it{at(site)}",
        )


def inherited(use: Use) -> Iterator[Finding]:
    """A connection is used in a process that did not open it."""
    found = [
        (notice, each)
        for each in use.members
        for notice in each.notices
        if notice.kind == INHERITED
    ]
    if not found:
        return
    last, member = found[-1]
    yield Finding(
        CRIT,
        "inherited-connection",
        use.progname,
        hosts(each.process.identity.hostname for _, each in found),
        use.name,
        last.site,
        f"a connection opened before a fork is used in the child{at(last.site)}",
        f"{many(len(found), 'such connection')}, the last in {member.who}: two "
        "processes then speak to the server over one socket",
        "call engine.dispose(close=False) first thing in the child, or make the "
        "engine after the fork",
    )


def settings_differ(use: Use) -> Iterator[Finding]:
    """The same program has other settings for the same database on other hosts."""
    by_host: dict[str, set[PoolFacts]] = {}
    for each, host in zip(use.members, use.hosts, strict=True):
        facts = each.record.facts._replace(limit=None)
        by_host.setdefault(host, set()).add(facts)
    variants = Counter(frozenset(each) for each in by_host.values())
    if len(variants) < 2:
        return
    ranked = sorted(variants.items(), key=lambda each: (-each[1], _told(each[0])))
    most, count = ranked[0]
    said = [
        f"{_told(each)} on {_first_host(by_host, each)}"
        + (f" and {many(hosts_of - 1, 'other')}" if hosts_of > 1 else "")
        for each, hosts_of in ranked[:MOST_VARIANTS]
    ]
    rest = len(ranked) - len(said)
    said += [f"and {many(rest, 'other setting')}"] if rest else []
    yield Finding(
        WARN,
        "settings-differ",
        use.progname,
        hosts(use.hosts),
        use.name,
        "",
        "the pool is not set up alike on all hosts",
        "; ".join(said),
        f"set it up alike: {_told(most)}, as on {count} of {len(by_host)} hosts",
    )


def _told(facts: Iterable[PoolFacts]) -> str:
    return " and ".join(sorted(map(described, facts)))


def _first_host(by_host: dict[str, set[PoolFacts]], facts: frozenset[PoolFacts]) -> str:
    return min(host for host, each in by_host.items() if each == facts)
