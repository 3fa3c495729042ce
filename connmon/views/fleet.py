"""All views of a service, as one node knows it: its board, the nodes, the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from connmon.model.board import Board
from connmon.model.journal import Remark
from connmon.views import connections, groups, listed, processes, programs, servers
from connmon.views.advice import book
from connmon.views.alert import CRIT, WARN, alert, headline, weight
from connmon.views.answer import answer
from connmon.views.frame import Frame, Gauge, Head
from connmon.views.moment import Moment
from connmon.views.query import Query
from connmon.views.roster import NodeRow
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
)
from connmon.views.table import Scope, Table

_OF_BOARD: dict[str, Callable[[Moment, Scope], Table]] = {
    PROGRAMS: programs.programs,
    HOSTS: programs.hosts,
    PROCESSES: processes.processes,
    POOLS: processes.pools,
    CONNECTIONS: connections.connections,
    CHECKOUTS: connections.checkouts,
    SITES: groups.sites,
    TAGS: groups.tags,
    SERVERS: servers.servers,
    SHARES: servers.shares,
    ADVICE: book.advice,
}


class Cluster(NamedTuple):
    """How many of how many nodes are up, and the names of the others."""

    up: int = 1
    nodes: int = 1
    down: tuple[str, ...] = ()


class Fleet:
    """Answers queries. It changes nothing."""

    def __init__(
        self,
        board: Board,
        *,
        nodes: Callable[[], Iterable[NodeRow]] = tuple,
        events: Callable[[float], Iterable[Remark]] = lambda now: (),
        cluster: Callable[[], Cluster] = Cluster,
        limits: Mapping[str, int] | None = None,
    ) -> None:
        """``events`` tells what happened until a moment, the others what is now.

        ``limits`` is as ``Moment`` takes it.
        """
        self._board = board
        self._nodes = nodes
        self._events = events
        self._cluster = cluster
        self._limits = limits or {}

    def answer(self, query: Query, now: float) -> Frame:
        """What a query shows. Raises ``QueryError`` if it cannot be asked."""
        return self.answers((query,), now)[0]

    def answers(self, queries: Sequence[Query], now: float) -> list[Frame]:
        """The same for several at once, which costs less, and with one head."""
        moment = self._moment(now)
        head, tables = self._head(moment), _Tables(self, moment)
        return [answer(tables, head, each, now) for each in queries]

    def table(self, view: str, scope: Scope, now: float) -> Table:
        """The entries of a view that are within ``scope``."""
        return self.table_at(view, scope, self._moment(now))

    def head(self, now: float) -> Head:
        """The service as a whole."""
        return self._head(self._moment(now))

    def _moment(self, now: float) -> Moment:
        return Moment(self._board, now, self._limits)

    def table_at(self, view: str, scope: Scope, moment: Moment) -> Table:
        """The entries of a view at a moment that was looked at before."""
        if view == NODES:
            table = listed.nodes(self._nodes())
        elif view == EVENTS:
            table = listed.events(self._events(moment.now))
        elif view == TIMEOUTS:
            table = listed.timeouts(moment.board.incidents(moment.now))
        else:
            table = _OF_BOARD[view](moment, scope)
        return table.within(scope) if scope else table

    def _head(self, moment: Moment) -> Head:
        sums, now = self._board.sums, moment.now
        whole, peak = sums.service, sums.service.peak
        cluster = self._cluster()
        overview = moment.overview
        levels = list(map(alert, overview.wrong.values()))
        endangered = servers.endangered(moment)
        levels += map(servers.alert_of, endangered)
        told = bool(sums.programs)
        return Head(
            service=self._board.service,
            node=self._board.home.node,
            hosts=Gauge(sums.hosts, sums.max_hosts),
            processes=Gauge(whole.processes, peak.processes),
            connections=Gauge(whole.connections, peak.connections),
            checkouts=Gauge(whole.checkouts, peak.checkouts),
            per_second=whole.per_second(now),
            history=whole.history.per_second(now),
            stale=moment.stale,
            waiting=whole.waiting if told else None,
            wait_p99_seconds=whole.waits_lately(now).quantile(0.99),
            timeouts=overview.timeouts if told else None,
            oldest_seconds=moment.seconds(overview.oldest),
            txn_seconds=moment.seconds(overview.transaction),
            crit=levels.count(CRIT),
            warn=levels.count(WARN),
            worst=_worst(moment, endangered),
            nodes_up=cluster.up,
            nodes=cluster.nodes,
            down=cluster.down,
        )


class _Tables:
    """A fleet's tables at one moment, which all of them share."""

    def __init__(self, fleet: Fleet, moment: Moment) -> None:
        self._fleet = fleet
        self._moment = moment

    def table(self, view: str, scope: Scope, now: float) -> Table:
        """The entries of a view that are within ``scope``."""
        return self._fleet.table_at(view, scope, self._moment)


def _worst(moment: Moment, endangered: Sequence[servers.Entry]) -> str:
    """What is worst, in words; empty if all is well.

    Programs come before servers that are no worse.
    """
    wrong = moment.overview.wrong
    found = max(wrong.items(), key=lambda each: weight(each[1])) if wrong else None
    if endangered:
        level = None if found is None else alert(found[1])
        if level is None or (level, servers.alert_of(endangered[0])) == (WARN, CRIT):
            return servers.told(endangered[0], moment)
    if found is None:
        return ""
    program, signs = found
    return f"{program.hostname} {program.progname}{headline(signs, 'processes')}"
