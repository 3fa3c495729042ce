"""The nodes that tell this one, each over a link that it opened itself."""

from __future__ import annotations

from collections.abc import Iterator, KeysView
from dataclasses import dataclass
from typing import Protocol

from connmon.model.exchange import Alive
from connmon.model.records import Home
from connmon.wire.traffic import Traffic

MOST_PASSED = 100
"""Of how many names the traffic of ended links is remembered."""


class Incoming(Protocol):
    """A link that another node opened to this one."""

    traffic: Traffic

    def hang_up(self) -> None:
        """End it."""


@dataclass(slots=True)
class Teller:
    """Another node, as it said it was over the link it opened."""

    home: Home
    place: str
    version: str
    since: float
    link: Incoming
    #: Its last heartbeat.
    alive: Alive | None = None


class Tellers:
    """All that are linked now, one for each home."""

    def __init__(self) -> None:
        """Nobody yet."""
        self._by_home: dict[Home, Teller] = {}
        #: What was counted on links that have ended, by the node's name.
        self._passed: dict[str, Traffic] = {}

    def __iter__(self) -> Iterator[Teller]:
        """Each of them; others may come and go meanwhile."""
        return iter(list(self._by_home.values()))

    @property
    def homes(self) -> KeysView[Home]:
        """Those that tell this node themselves."""
        return self._by_home.keys()

    def named(self, name: str) -> list[Teller]:
        """Those of one name: one, unless daemons share it."""
        return [each for each in self if each.home.node == name]

    def add(self, teller: Teller) -> None:
        """It linked itself; an older link of the same home is given up."""
        before = self._by_home.get(teller.home)
        if before is not None:
            before.link.hang_up()
        self._by_home[teller.home] = teller

    def remove(self, teller: Teller) -> None:
        """Its link ended, in use or given up."""
        name = teller.home.node
        if name in self._passed or len(self._passed) < MOST_PASSED:
            self._passed.setdefault(name, Traffic()).add(teller.link.traffic)
        if self._by_home.get(teller.home) is teller:
            del self._by_home[teller.home]

    def traffic(self, name: str) -> Traffic:
        """All that passed over links that nodes of this name opened."""
        whole = Traffic()
        whole.add(self._passed.get(name, Traffic()))
        for each in self.named(name):
            whole.add(each.link.traffic)
        return whole
