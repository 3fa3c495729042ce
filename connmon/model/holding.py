"""Who waits for a pool, and what was so when it timed out, as a process notes it.

The failing call copies who holds and who waits, and names threads, for they may be gone
a moment later; sites are described when the reporting thread takes the copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import nsmallest
from operator import itemgetter
from typing import Any, NamedTuple

from connmon.model.records import Holder, Incident, InLine, PoolFacts

Owner = object
"""Who has a connection: whatever stands for a thread, say. The same one is equal."""

SHARING = 500
"""Of how many sites a pool knows that others return what is taken there."""

KEPT = 200
"""How many incidents a process keeps while it cannot tell of them."""

EACH_SECOND = 100
"""How many incidents of a pool there are in a second: other timeouts only count."""

REPEATED = 5
"""How many of a process's last incidents are told again with all it has."""

LISTED = 100
"""How many holders, and how many waiters, are told of at most."""

SHORTEST_WAIT = 0.001
"""Seconds up to which nobody is said to have waited."""


class Waiter:
    """Someone who waits for a connection."""

    __slots__ = ("owner", "since", "site", "tag")

    def __init__(
        self, owner: Owner, since: float, site: object = None, tag: str = ""
    ) -> None:
        """``site`` is whatever the ledger's ``site_name`` can describe."""
        self.owner = owner
        self.since = since
        self.site = site
        self.tag = tag


class Held(NamedTuple):
    """A connection that is out, as the failing call saw it."""

    since: float
    id: int
    owner: Owner
    site: object
    session: int | None
    address: str
    tag: str


class Instant(NamedTuple):
    """What was so when a pool timed out. The lists begin with the longest."""

    pool: int
    facts: PoolFacts
    at: float
    timeouts: int
    victim: Waiter
    held: int
    holders: list[Held]
    waiting: int
    waiters: list[Waiter]
    #: Who held a connection, by number or name.
    owners: frozenset[Owner]
    names: dict[Owner, str]

    def incident(self, number: int, site_name: Callable[[Any], str]) -> Incident:
        """As it is told, with this number. Reporting thread."""
        return Incident(
            number,
            self.pool,
            self.at,
            self.timeouts,
            self.facts,
            self._in_line(self.victim, site_name),
            self.held,
            tuple(
                Holder(
                    each.id,
                    each.since,
                    self.names[each.owner],
                    site_name(each.site),
                    each.session,
                    each.address,
                    each.tag,
                )
                for each in self.holders
            ),
            self.waiting,
            tuple(self._in_line(each, site_name) for each in self.waiters),
        )

    def _in_line(self, waiter: Waiter, site_name: Callable[[Any], str]) -> InLine:
        return InLine(
            waiter.since,
            self.names[waiter.owner],
            site_name(waiter.site),
            waiter.owner in self.owners,
            waiter.tag,
        )


def longest_held(held: list[Held]) -> list[Held]:
    """Those that are listed."""
    return nsmallest(LISTED, held, key=itemgetter(0, 1))


def longest_waiting(waiters: Iterable[Waiter]) -> list[Waiter]:
    """Those that are listed."""
    return nsmallest(LISTED, waiters, key=lambda each: each.since)
