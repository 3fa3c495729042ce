"""Programs that come and end: their first process, and their last.

Processes of one program may be linked to several nodes, and each sees its own first.
So a node looks again a little later, when it knows what the others saw: who comes first
in the order of the nodes' names tells it, and what passed by meanwhile is not told at
all. ``now`` is the node's monotonic clock, in seconds.
"""

from __future__ import annotations

from math import inf

from connmon.daemon.throttle import MOST_PLACES, Event, Kind, Place, Throttle, counted
from connmon.model.board import Board
from connmon.model.homes import STALE_SECONDS
from connmon.model.journal import INFO, Journal
from connmon.model.records import Identity

SETTLED_SECONDS = 3.0
"""For how long a program that came or ended must stay so, for that to be told.

Other nodes know of it by then; each waits for as long after the one before it.
"""

START_SECONDS = 10.0
"""For how long after the node's start programs that come or end are told as a sum."""

_CAME = "first process joined"
_ENDED = "last process ended"

CAME = Kind(
    INFO,
    again=lambda times: f"{_CAME} {times} times",
    among=lambda times, programs: f"{programs} joined",
)
ENDED = Kind(
    INFO,
    again=lambda times: f"{_ENDED} {times} times",
    among=lambda times, programs: f"{programs} ended",
)

_Key = tuple[Kind, Place]


class Comings:
    """Tells which programs came and which ended, as far as they are linked here."""

    def __init__(
        self, journal: Journal, board: Board, throttle: Throttle, now: float
    ) -> None:
        """The node starts ``now``."""
        self._journal = journal
        self._board = board
        self._throttle = throttle
        self._began = now
        #: When a program came or ended, as it seemed, with which process; oldest first.
        self._pending: dict[_Key, tuple[float, int]] = {}
        #: Programs of which it is known, by a telling or otherwise, that they came.
        self._present: dict[Place, None] = {}

    def absent(self, identity: Identity, now: float) -> float | None:
        """For how many seconds its program has had no process; ``None`` if it has."""
        program = self._board.program(identity.hostname, identity.program)
        if program is not None and program.processes:
            return None
        ended = None if program is None else program.departed
        return inf if ended is None else now - ended

    def arrived(self, identity: Identity, absent: float | None, now: float) -> None:
        """A process counts from now on; its program was ``absent`` before."""
        place = Place(identity.hostname, identity.program)
        if absent is not None and (
            absent >= SETTLED_SECONDS
            # It ended a moment ago, before anybody told that it came.
            or ((ENDED, place) in self._pending and place not in self._present)
        ):
            self._present.pop(place, None)
            self._seems(CAME, place, identity.pid, now)
        elif (CAME, place) not in self._pending:
            self._know(place)

    def left(self, identity: Identity, now: float) -> None:
        """A process does not count any more."""
        place = Place(identity.hostname, identity.program)
        self._seems(ENDED, place, identity.pid, now)

    def tick(self, now: float) -> None:
        """Tell of what is still so, and was told by nobody else."""
        due = self._due(now) if self._pending else []
        told = self._told(now) if due else {}
        for key in due:
            kind, place = key
            when, pid = self._pending.pop(key)
            text = self._words(kind, place, when)
            if not text:
                continue
            if kind is CAME:
                self._know(place)
            if told.get(key, -inf) <= when - SETTLED_SECONDS:
                event = Event(kind, place, pid, text, when)
                starting = when - self._began < START_SECONDS
                self._throttle.take(event, now, gathered=starting)

    def _seems(self, kind: Kind, place: Place, pid: int, now: float) -> None:
        """A program came or ended, as it seems: look again later."""
        self._pending.pop((kind, place), None)
        self._pending[kind, place] = (now, pid)
        if len(self._pending) > MOST_PLACES:
            del self._pending[next(iter(self._pending))]

    def _know(self, place: Place) -> None:
        """It is known that a program came."""
        self._present[place] = None
        if len(self._present) > MOST_PLACES:
            del self._present[next(iter(self._present))]

    def _due(self, now: float) -> list[_Key]:
        """What is to be looked at again."""
        own = self._board.home
        heard = self._board.homes.ages(now)
        names = {home.node for home, age in heard.items() if age <= STALE_SECONDS}
        delay = SETTLED_SECONDS * (1 + sum(name < own.node for name in names))
        due: list[_Key] = []
        for key, (when, _) in self._pending.items():
            if now - when < delay:
                break
            due.append(key)
        return due

    def _words(self, kind: Kind, place: Place, when: float) -> str:
        """What there is to say of a program that came or ended then, if anything."""
        program = self._board.program(*place)
        if program is None:
            return ""
        if kind is CAME:
            return _CAME if program.processes else ""
        # It may have ended earlier, and a process came and left without a word; or
        # later, with a process of another node, which will tell it.
        ended = program.departed
        if program.processes or ended is None or abs(ended - when) >= SETTLED_SECONDS:
            return ""
        checkouts = counted(program.totals.checkouts, "checkout")
        return f"{_ENDED}, {checkouts} in all"

    def _told(self, now: float) -> dict[_Key, float]:
        """When programs last came and ended, by what any node told."""
        found: dict[_Key, float] = {}
        for each in self._journal.newest(now):
            for kind, text in ((CAME, _CAME), (ENDED, _ENDED)):
                if each.text.startswith(text):
                    place = Place(each.hostname, each.progname)
                    found.setdefault((kind, place), now - each.age)
        return found
