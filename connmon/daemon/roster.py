"""The view of the nodes: what one node can say of itself and of the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict

from connmon import __version__
from connmon.config import Node, Service
from connmon.daemon.oddities import Oddities
from connmon.daemon.peers import Peer
from connmon.daemon.tellers import Teller, Tellers
from connmon.model.exchange import Alive
from connmon.model.homes import Homes
from connmon.views.roster import UP, NodeRow
from connmon.wire.traffic import Traffic
from connmon.wording import printable

UNLISTED = "not in this node's configuration, so it is told nothing"


class Roster:
    """Makes the rows; it looks at what the mesh keeps, and changes nothing."""

    def __init__(
        self,
        service: Service,
        this: Node,
        *,
        began: float,
        peers: Sequence[Peer],
        tellers: Tellers,
        oddities: Oddities,
        homes: Homes,
        census: Callable[[], tuple[int, int]],
    ) -> None:
        """``census`` counts the clients and consoles of this node."""
        self._service = service
        self._this = this
        self._began = began
        self._peers = {each.name: each for each in peers}
        self._tellers = tellers
        self._oddities = oddities
        self._homes = homes
        self._census = census

    def rows(self, now: float) -> tuple[NodeRow, ...]:
        """The nodes of the configuration, in its order, and then any others."""
        listed = [
            self._own(now)
            if node.name == self._this.name
            else self._listed(self._peers[node.name], now)
            for node in self._service.nodes
        ]
        known = {node.name for node in self._service.nodes}
        unlisted = [
            self._unlisted(each, now)
            for each in self._tellers
            if each.home.node not in known
        ]
        return (*listed, *unlisted)

    def _own(self, now: float) -> NodeRow:
        clients, consoles = self._census()
        return NodeRow(
            node=self._this.name,
            address=str(self._this.hostname),
            state=UP,
            reason="",
            since_seconds=now - self._began,
            heard_seconds=0.0,
            clients=clients,
            consoles=consoles,
            agreed_seconds=None,
            lag_seconds=None,
            **asdict(Traffic()),
            version=__version__,
            remarks=self._oddities.of(self._this.name, now),
        )

    def _listed(self, peer: Peer, now: float) -> NodeRow:
        """A node of the configuration."""
        agreed = peer.rule.agreed
        traffic = peer.traffic()
        traffic.add(self._tellers.traffic(peer.name))
        tellers = self._tellers.named(peer.name)
        # Of one that is not up nobody knows whether they have left it yet.
        alive = tellers[0].alive if tellers and peer.state == UP else None
        return NodeRow(
            node=peer.name,
            address=str(peer.address),
            state=peer.state,
            reason=printable(peer.reason),
            since_seconds=now - peer.since,
            heard_seconds=self._heard(peer.name, now),
            clients=_clients(alive),
            consoles=_consoles(alive),
            agreed_seconds=None if agreed is None else now - agreed,
            lag_seconds=peer.lag,
            **asdict(traffic),
            version=peer.version,
            remarks=self._oddities.of(peer.name, now),
        )

    def _unlisted(self, teller: Teller, now: float) -> NodeRow:
        """A node that links itself here, and is not in this one's configuration."""
        name = teller.home.node
        return NodeRow(
            node=name,
            address=teller.place,
            state=UP,
            reason="",
            since_seconds=now - teller.since,
            heard_seconds=self._heard(name, now),
            clients=_clients(teller.alive),
            consoles=_consoles(teller.alive),
            agreed_seconds=None,
            lag_seconds=None,
            **asdict(self._tellers.traffic(name)),
            version=teller.version,
            remarks=(UNLISTED, *self._oddities.of(name, now)),
        )

    def _heard(self, name: str, now: float) -> float | None:
        """How long ago anyone heard a node, whichever start of it."""
        ages = self._homes.ages(now)
        return min(
            (age for home, age in ages.items() if home.node == name), default=None
        )


def _clients(alive: Alive | None) -> int | None:
    return None if alive is None else alive.clients


def _consoles(alive: Alive | None) -> int | None:
    return None if alive is None else alive.consoles
