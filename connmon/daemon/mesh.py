"""The other nodes: what they tell this one, what it tells them, and how they are.

Each node tells every other one over a link it opened itself (``connmon.daemon.peers``),
and is told over those that the others open (``connmon.daemon.intake``). Here is what
both have in common: who is who, whether this node was awake, and what is odd.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger

from connmon.config import Service
from connmon.daemon.oddities import PASSING_SECONDS, Oddities
from connmon.daemon.peering import PassedOn
from connmon.daemon.peers import Peer, Self
from connmon.daemon.roster import Roster
from connmon.daemon.stacks import Unreached
from connmon.daemon.tellers import Incoming, Teller, Tellers
from connmon.errors import ProtocolError
from connmon.model.board import Board
from connmon.model.exchange import (
    Alive,
    Delta,
    Differences,
    Digest,
    Listener,
    SumsTold,
    Versions,
)
from connmon.model.journal import INFO, WARN, Journal, Remark, Severity
from connmon.model.records import Home, Record
from connmon.model.stacks import Found
from connmon.views.fleet import Cluster
from connmon.views.roster import UP, NodeRow
from connmon.wire.commands import CLIENT, CONSOLE, NodeRefused
from connmon.wording import printable

TICK_SECONDS = 1.0
"""Between two looks at the time."""

SLEPT_SECONDS = 5.0
"""By how much a tick must be late for this node to know that it slept."""

SWEEP_SECONDS = 5.0
"""How often what has stayed long enough is let go of."""

MOST_REFUSED = 100
"""How many refused names are remembered, so as not to tell of each again."""

_log = Logger(namespace="connmon.daemon")


class Mesh:
    """All other nodes of the service."""

    def __init__(
        self,
        reactor: Any,
        service: Service,
        name: str,
        board: Board,
        journal: Journal,
        *,
        on_tick: Callable[[float], None] = lambda now: None,
    ) -> None:
        """Know the other nodes by the configuration; ``start`` begins to reach them.

        ``on_tick`` is told the time, each second.
        """
        self._on_tick = on_tick
        self.present: Counter[str] = Counter()
        self._reactor = reactor
        self._board = board
        self._journal = journal
        self._listener = Listener(board, journal)
        self._settings = settings_of(service)
        self._this = service.node(name)
        this = Self(service.name, self._settings, board, journal)
        self._peers = [
            Peer(reactor, each, this, self)
            for each in service.nodes
            if each.name != name
        ]
        self._tellers = Tellers()
        self._oddities = Oddities()
        #: Why each node was refused that came last, by the name it said.
        self._refused: dict[str, str] = {}
        self._ticked = self._swept = reactor.seconds()
        self._roster = Roster(
            service,
            self._this,
            began=self._ticked,
            peers=self._peers,
            tellers=self._tellers,
            oddities=self._oddities,
            homes=board.homes,
            census=self.census,
        )
        self._timer: Any = None

    # Life.

    def start(self) -> None:
        """Begin to reach the others."""
        now = self._reactor.seconds()
        self._ticked = self._swept = now
        if self._peers:
            self._journal.note(f"node {self._this.name} started", now)
        self._tick()
        for peer in self._peers:
            peer.start()

    def stop(self) -> None:
        """Hang up on all of them, and try no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for peer in self._peers:
            peer.stop()

    def awake(self, now: float) -> bool:
        """Whether this node was; if not, it begins anew, and nothing old is believed.

        What lies unread in its links is of before it slept: heartbeats among it would
        let the dead live on.
        """
        late = now - self._ticked - TICK_SECONDS
        if late < SLEPT_SECONDS:
            return True
        self._ticked = now
        text = f"node {self._this.name} was stopped for {late:.0f} seconds"
        self._note(text, now, WARN)
        for teller in self._tellers:
            teller.link.hang_up()
        for peer in self._peers:
            peer.hang_up("this node was stopped")
        self._sweep(now)
        return False

    def _tick(self) -> None:
        """Look at the time; whatever fails, there is a next time."""
        self._timer = self._reactor.callLater(TICK_SECONDS, self._tick)
        now = self._reactor.seconds()
        try:
            self.awake(now)
            self._ticked = now
            self._on_tick(now)
            if now - self._swept >= SWEEP_SECONDS:
                self._sweep(now)
        except Exception:  # noqa: BLE001 whatever it was, the next is in a second
            _log.failure("while sweeping the board")

    def _sweep(self, now: float) -> None:
        self._swept = now
        self._journal.expired(now)
        for home, count in self._board.expired(now):
            processes = "1 process" if count == 1 else f"{count} processes"
            text = f"gave up {processes} of {home.node}, not heard"
            self._note(text, now, WARN)

    # What processes linked here do.

    def reported(self, process: str, registration: int, payload: bytes | None) -> None:
        """A process reported; ``payload`` is ``None`` if it must be told as a whole."""
        delta = None if payload is None else PassedOn(process, registration, payload)
        if self._peers and self.awake(self._reactor.seconds()):
            for peer in self._peers:
                peer.changed(process, delta)

    def stacks(
        self, home: Home, process: str, number: int | None
    ) -> Deferred[tuple[Found, ...]]:
        """Ask another node where a process is that is linked to it."""
        for peer in self._peers:
            if peer.name == home.node:
                return peer.stacks(process, number)
        return fail(Unreached(f"is not known to {self._this.name}"))

    # What other nodes say, over links of theirs.

    def met(
        self, home: Home, place: str, version: str, settings: str, link: Incoming
    ) -> Teller | None:
        """Another node opened a link; ``NodeRefused`` if it goes by this one's name.

        ``place`` is where it is, the same for each of its links.

        ``None`` if it is this node itself, which learns that from the answer.
        """
        now = self._reactor.seconds()
        if home == self._board.home:
            return None
        if home.node == self._this.name:
            text = f"another daemon of that name, at {place}"
            self._odd(home.node, "twin", text, now, now + PASSING_SECONDS)
            raise NodeRefused(f"this node is called {home.node!r} too")
        teller = Teller(home, place, version, now, link)
        self._tellers.add(teller)
        self._refused.pop(home.node, None)
        self._board.homes.heard(home, now)
        self._look_for_twins(home.node, now)
        self._compare(home.node, settings, now)
        return teller

    def refused(self, name: str, reason: str) -> bool:
        """A peer that opened a link is refused; whether that is news."""
        if self._refused.get(name) == reason:
            return False
        if len(self._refused) >= MOST_REFUSED:
            self._refused.clear()
        self._refused[name] = reason
        return True

    def left(self, teller: Teller) -> None:
        """Another node's link ended."""
        self._tellers.remove(teller)
        self._look_for_twins(teller.home.node, self._reactor.seconds())

    def alive(self, teller: Teller, alive: Alive) -> None:
        """Its heartbeat."""
        teller.alive = alive
        self._listener.alive(teller.home, alive, self._heard(teller))

    def digest(self, teller: Teller, digest: Digest) -> Differences:
        """What it has; the answer says what differs here."""
        self._heard(teller)
        return self._listener.digest(teller.home, digest, self._tellers.homes)

    def versions(self, teller: Teller, versions: Versions) -> list[str]:
        """Its list of a home; the answer says which records are wanted."""
        return self._listener.versions(teller.home, versions, self._heard(teller))

    def records(self, teller: Teller, records: tuple[Record, ...]) -> None:
        """Whole records."""
        self._listener.records(records, self._heard(teller))

    def deltas(self, teller: Teller, deltas: tuple[Delta, ...]) -> list[str]:
        """Reports of its processes; the answer says which records are wanted whole."""
        return self._listener.deltas(teller.home, deltas, self._heard(teller))

    def sums(self, teller: Teller, told: SumsTold) -> None:
        """Maxima."""
        self._listener.sums(told, self._heard(teller))

    def remarks(self, teller: Teller, remarks: tuple[Remark, ...]) -> None:
        """Pages of the journal."""
        self._listener.remarks(remarks, self._heard(teller))

    def _heard(self, teller: Teller) -> float:
        """The time, at which a node was heard; it counts only while this one is awake.

        Raises ``ProtocolError``, which ends the link, if this node slept.
        """
        now: float = self._reactor.seconds()
        if not self.awake(now):
            raise ProtocolError("this node was stopped")
        self._board.homes.heard(teller.home, now)
        return now

    # What peers say to this node's own links.

    def welcomed(self, peer: Peer, answer: dict[str, Any]) -> str:
        """A peer answered the greeting; why it is not to be used, or nothing."""
        now = self._reactor.seconds()
        found = answer["node"]
        if answer["incarnation"] == self._board.home.incarnation:
            text = f"{peer.name} is listed at {peer.address}, which is this node"
            self._odd(self._this.name, "self", text, now)
            return "that address is this node's own"
        self._oddities.clear(self._this.name, "self")
        if found != peer.name:
            text = f"its address is answered by node {printable(found)}"
            self._odd(peer.name, "name", text, now)
            return text
        self._oddities.clear(peer.name, "name")
        self._compare(peer.name, answer.get("settings") or "", now)
        return ""

    def changed(self, peer: Peer) -> None:
        """A peer's state is another than before: that is worth a line."""
        text = f"node {peer.name} is {peer.state}"
        if peer.reason:
            text += f": {printable(peer.reason)}"
        severity = INFO if peer.state == UP else WARN
        self._note(text, self._reactor.seconds(), severity)

    def census(self) -> tuple[int, int]:
        """How many clients and consoles are linked to this node."""
        return self.present[CLIENT], self.present[CONSOLE]

    # What is odd.

    def _look_for_twins(self, name: str, now: float) -> None:
        """Two daemons of one name may be linked at once."""
        tellers = self._tellers.named(name)
        if len(tellers) > 1:
            places = " and ".join(each.place for each in tellers)
            self._odd(name, "twins", f"two daemons of that name, at {places}", now)
        else:
            self._oddities.clear(name, "twins")

    def _compare(self, name: str, settings: str, now: float) -> None:
        """Remark on a node that was configured otherwise."""
        if not settings or settings == self._settings:
            self._oddities.clear(name, "settings")
            return
        mine, theirs = self._settings.split("\n"), settings.split("\n")
        differing = [f"it lacks {each!r}" for each in mine if each not in theirs]
        differing += [f"it has {each!r}" for each in theirs if each not in mine]
        text = printable(f"its configuration differs: {', '.join(differing)}"[:500])
        self._odd(name, "settings", text, now)

    def _odd(
        self, name: str, kind: str, text: str, now: float, until: float | None = None
    ) -> None:
        """Remark on a node, once for each text."""
        if self._oddities.note(name, kind, text, until):
            self._journal.note(f"node {name}: {text}", now, severity=WARN)
            _log.warn("node {node}: {text}", node=name, text=text)

    def _note(self, text: str, now: float, severity: Severity) -> None:
        self._journal.note(text, now, severity=severity)
        _log.info("{text}", text=text)

    # What consoles are shown.

    def cluster(self) -> Cluster:
        """How many of the nodes are up, this one included."""
        down = tuple(each.name for each in self._peers if each.state != UP)
        count = len(self._peers) + 1
        return Cluster(count - len(down), count, down)

    def nodes(self) -> tuple[NodeRow, ...]:
        """The rows of the nodes view."""
        return self._roster.rows(self._reactor.seconds())


def settings_of(service: Service) -> str:
    """What nodes compare of their configuration, as ``Hello`` has it."""
    nodes = sorted(f"{node.name} {node.hostname}" for node in service.nodes)
    return "\n".join([*nodes, f"stale_after {service.stale_after:g}"])
