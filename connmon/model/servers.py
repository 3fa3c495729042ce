"""Database servers as the names of pools tell them, and what is asked of each.

A server goes by its address alone, whatever the driver. An address that means the
application's own host, such as ``localhost``, is another server on each host.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from connmon.model.figures import places
from connmon.model.records import MOST, OUT, ConnectionRecord, PoolFacts, PoolRecord

PORTS = {
    "cockroachdb": 26257,
    "mariadb": 3306,
    "mssql": 1433,
    "mysql": 3306,
    "oracle": 1521,
    "postgresql": 5432,
    "redshift": 5439,
}
"""Where a server listens if a URL does not say so, by the dialect's name."""

_SINGLE = ("StaticPool", "AssertionPool")
"""Pools that never have more than one connection."""


class Server(NamedTuple):
    """A database server: ``HOST:PORT``.

    ``hostname`` is whose own host that is, if it means that of the application, and
    else empty.
    """

    name: str
    hostname: str = ""


class Claim(NamedTuple):
    """What some processes may ask of one server, and what they have of it.

    ``capacity`` is the most connections that their pools with a bound may open, and
    ``unbounded`` how many of the ``pools`` have none. ``connections`` are open now,
    and ``apart`` those of them that take no place of a pool, so may be open besides.
    ``limit`` is the least limit that any of them has read from the server, ``None`` if
    none has. How many are out changes too often to be a part of it.
    """

    processes: int = 0
    pools: int = 0
    capacity: int = 0
    unbounded: int = 0
    connections: int = 0
    apart: int = 0
    limit: int | None = None

    @property
    def worst_case(self) -> int:
        """The most connections that may be open, not counting pools without bound."""
        return min(self.capacity + self.apart, MOST)

    def plus(self, other: Claim) -> Claim:
        """The sum, with the lesser limit."""
        return Claim(
            self.processes + other.processes,
            self.pools + other.pools,
            min(self.capacity + other.capacity, MOST),
            self.unbounded + other.unbounded,
            self.connections + other.connections,
            self.apart + other.apart,
            _less(self.limit, other.limit),
        )


Claims = Mapping[Server, Claim]
"""What is asked of each server."""


def address_of(pool: str) -> str:
    """The ``HOST:PORT`` of a pool by its name, empty if it has no server.

    UNIX sockets and files are none. A port is left out only if neither the name nor
    the dialect tells it.
    """
    return _address_of(pool)[0]


@lru_cache(maxsize=4096)
def _address_of(pool: str) -> tuple[str, bool]:
    """The same, and whether it means the host of whoever uses it."""
    address = _read(pool)
    return address, _is_own(address)


def _read(pool: str) -> str:
    scheme, _, rest = pool.partition("://")
    place = rest.partition("/")[0].lower()
    host, port = _parted(place)
    if not host:
        return ""
    if not port:
        port = str(PORTS.get(scheme.partition("+")[0].lower(), ""))
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{port}" if port else host


def server_of(facts: PoolFacts, hostname: str) -> Server | None:
    """The server of a pool of an application on this host; ``None`` without one."""
    address, is_own = _address_of(facts.name)
    if not address:
        return None
    return Server(address, hostname if is_own else "")


def most_open(facts: PoolFacts) -> int | None:
    """The most connections that a pool opens at once; ``None`` if it has no bound."""
    return 1 if facts.kind in _SINGLE else places(facts)


def of_process(
    hostname: str,
    pools: Mapping[int, PoolRecord],
    connections: Collection[ConnectionRecord],
) -> Claims:
    """What one process asks of each server."""
    if len(pools) == 1:
        # Its connections are all of this pool: none outlives its own.
        counts = dict.fromkeys(pools, len(connections))
    else:
        counts = Counter(each.pool for each in connections)
    apart = Counter(each.pool for each in connections if each.is_apart)
    claims: dict[Server, Claim] = {}
    for id, pool in pools.items():
        server = server_of(pool.facts, hostname)
        if server is not None:
            claim = _of_pool(pool.facts, counts.get(id, 0), apart[id])
            known = claims.get(server)
            claims[server] = (
                claim if known is None else known.plus(claim)._replace(processes=1)
            )
    return claims


def of_several(processes: Iterable[Claims]) -> Claims:
    """What several processes ask of each server."""
    found = list(processes)
    if len(found) == 1:
        return found[0]
    claims: dict[Server, Claim] = {}
    for each in found:
        for server, claim in each.items():
            claims[server] = claims.get(server, _NOTHING).plus(claim)
    return claims


_NOTHING = Claim()


def out_of(
    hostname: str,
    pools: Mapping[int, PoolRecord],
    connections: Iterable[ConnectionRecord],
) -> Mapping[Server, int]:
    """How many connections to each server a process has out."""
    counts: Counter[Server] = Counter()
    for each in connections:
        pool = pools.get(each.pool) if each.state == OUT else None
        server = None if pool is None else server_of(pool.facts, hostname)
        if server is not None:
            counts[server] += 1
    return counts


def _of_pool(facts: PoolFacts, connections: int, apart: int) -> Claim:
    bound = most_open(facts)
    return Claim(1, 1, bound or 0, int(bound is None), connections, apart, facts.limit)


def _parted(place: str) -> tuple[str, str]:
    """Host and port; the host of IPv6 without its brackets."""
    if place.startswith("["):
        host, _, port = place[1:].partition("]")
        return host, port.removeprefix(":")
    if place.count(":") > 1:
        return place, ""
    host, _, port = place.partition(":")
    return host, port


def _is_own(address: str) -> bool:
    """Whether an address means the host of whoever uses it."""
    host = address.rpartition(":")[0] or address
    return host in ("localhost", "[::1]") or host.startswith("127.")


def _less(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
