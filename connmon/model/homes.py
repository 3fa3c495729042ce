"""Which processes live at which node, and how long ago each node was heard.

A digest of a home is how many records it has and a hash of their versions, kept up to
date with each change, so that two boards compare thousands of records by two numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from math import inf

from connmon.model.records import Home, Standing

STALE_SECONDS = 4.0
"""How long a node may be unheard before what it told is called stale, in seconds.

Nodes speak once a second, and what is heard through a third comes a second later.
"""

FORGOTTEN_SECONDS = 3600.0
"""How long a home without records is remembered, for nodes to be told by."""

Digests = dict[Home, tuple[int, int]]


class _Residents:
    """The records of one home."""

    __slots__ = ("hash", "ids")

    def __init__(self) -> None:
        self.ids: set[str] = set()
        self.hash = 0


class Homes:
    """All homes a board has heard of; its own is always heard."""

    def __init__(self, own: Home) -> None:
        """Know only of ``own``."""
        self.own = own
        self._residents: dict[Home, _Residents] = {}
        self._heard: dict[Home, float] = {}

    def put(self, home: Home, process: str, standing: Standing) -> None:
        """A record is at this home, with this standing, from now on."""
        residents = self._residents.get(home)
        if residents is None:
            residents = self._residents[home] = _Residents()
        residents.ids.add(process)
        residents.hash ^= _hash(process, standing)

    def take(self, home: Home, process: str, standing: Standing) -> None:
        """A record that was put, with the standing it had, is no more."""
        residents = self._residents[home]
        residents.ids.discard(process)
        residents.hash ^= _hash(process, standing)
        if not residents.ids:
            del self._residents[home]

    def residents(self, home: Home) -> frozenset[str]:
        """The processes whose records are at a home."""
        found = self._residents.get(home)
        return frozenset() if found is None else frozenset(found.ids)

    def digests(self) -> Digests:
        """Of each home with records, how many they are and their hash."""
        return {
            home: (len(each.ids), each.hash) for home, each in self._residents.items()
        }

    def heard(self, home: Home, when: float) -> None:
        """Somebody heard a home at ``when``, by the own clock."""
        known = self._heard.get(home)
        if home != self.own and (known is None or when > known):
            self._heard[home] = when

    def last_heard(self, home: Home, now: float) -> float | None:
        """When a home was last heard by anyone; ``None`` if never."""
        return now if home == self.own else self._heard.get(home)

    def unheard(self, home: Home, now: float) -> float:
        """For how many seconds nobody has heard a home; infinite if nobody ever did."""
        last = self.last_heard(home, now)
        return inf if last is None else max(now - last, 0.0)

    def ages(self, now: float, late: float = 0.0) -> dict[Home, float]:
        """Of each home, for how many seconds nobody has heard it.

        ``late`` is how long it takes at most until this is read. Without it an age
        would get younger each time it is passed on, and the dead live longer.
        """
        return {self.own: 0.0} | {
            home: max(now - when, 0.0) + late for home, when in self._heard.items()
        }

    def stale(self, now: float) -> Iterator[tuple[Home, float]]:
        """Homes with records that are unheard for too long, and for how long."""
        for home in self._residents:
            age = self.unheard(home, now)
            if age > STALE_SECONDS:
                yield home, age

    def expired(self, now: float) -> None:
        """Forget homes that were unheard for long and have no records."""
        for home, when in list(self._heard.items()):
            if now - when > FORGOTTEN_SECONDS and home not in self._residents:
                del self._heard[home]


def _hash(process: str, standing: Standing) -> int:
    """A number for one record's version, the same on every node."""
    text = f"{process} {standing.registration} {standing.sequence} {standing.state}"
    digest = blake2b(text.encode("utf-8", "replace"), digest_size=7).digest()
    return int.from_bytes(digest, "big")
