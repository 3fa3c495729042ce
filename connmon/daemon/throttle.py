"""How much is said of what happens: a few events one by one, the others as sums.

The rule has two parts. Of one program, one event of a kind is said each minute; what
comes meanwhile is said together when the minute is over. And of one kind, a few events
are said within ten seconds; the others are said together, of however many programs.
What is said together names the lines of the application where it happened.
``now`` is the node's monotonic clock, in seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

from connmon.daemon.sites import Sites, Tallies, located
from connmon.model.journal import Journal, Severity

PAUSE_SECONDS = 60.0
"""Between two events of one kind that are said of one program."""

WINDOW_SECONDS = 10.0
"""For how long events of one kind are counted, and gathered once they are too many."""

FEW = 20
"""Events of one kind that are said one by one within a window."""

MOST_PLACES = 20_000
"""Of how many programs is remembered, for each kind together, when they were told."""


class Place(NamedTuple):
    """A program on a host; in a sum either is empty where there are several."""

    hostname: str
    progname: str


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind of event, and how several are worded.

    ``again`` words an amount in one program, ``among`` one in several, which it is
    given as "7 programs on 2 hosts".
    """

    severity: Severity
    again: Callable[[int], str]
    among: Callable[[int, str], str]


@dataclass(frozen=True, slots=True)
class Event:
    """What happened at a moment, ``amount`` times as far as that can be counted.

    ``sites`` are the lines of the application where it was, of as many of those times
    as that is known of.
    """

    kind: Kind
    place: Place
    pid: int | None
    text: str
    when: float
    amount: int = 1
    sites: Tallies = ()


class _Sum:
    """Events of one kind that are to be said together."""

    __slots__ = ("amount", "first", "last", "pid", "places", "sites", "times")

    def __init__(self, first: Event) -> None:
        self.first = first
        #: The moment of the latest one, at which the sum is said to have happened.
        self.last = first.when
        self.pid = first.pid
        self.places = {first.place}
        self.times = 1
        self.amount = first.amount
        self.sites = Sites(first.sites)

    def add(self, event: Event) -> None:
        self.times += 1
        self.last = max(self.last, event.when)
        self.amount += event.amount
        self.sites.add(event.sites)
        if len(self.places) < MOST_PLACES:
            self.places.add(event.place)
        if event.pid != self.pid:
            self.pid = None

    def of_one(self) -> Event:
        """The sum of one program's, or the event itself if it is the only one."""
        first = self.first
        if self.times == 1:
            return first
        seconds = max(ceil(self.last - first.when), 1)
        text = f"{first.kind.again(self.amount)} within {seconds} s"
        return self._event(first.place, self.pid, text)

    def of_many(self, more: bool) -> Event:
        """The sum of several programs', beside those that were said if ``more``."""
        if self.times == 1:
            return self.first
        kind, hosts = self.first.kind, {each.hostname for each in self.places}
        one_host, one = len(hosts) == 1, len(self.places) == 1
        programs = counted(len(self.places), "more program" if more else "program")
        text = kind.among(self.amount, f"{programs} on {counted(len(hosts), 'host')}")
        place = Place(
            self.first.place.hostname if one_host else "",
            self.first.place.progname if one else "",
        )
        # Equal pids of several hosts, or containers, are not the same process.
        pid = self.pid if one else None
        return self._event(place, pid, text)

    def _event(self, place: Place, pid: int | None, text: str) -> Event:
        """All of it as one event, with the lines where it was."""
        tallies = self.sites.tallies
        text = located(text, self.amount, tallies)
        kind, when, amount = self.first.kind, self.last, self.amount
        return Event(kind, place, pid, text, when, amount, tallies)


class _Told:
    """When a program was told of last, and what is held back since."""

    __slots__ = ("held", "when")

    def __init__(self, when: float) -> None:
        self.when = when
        self.held: _Sum | None = None

    def hold(self, event: Event) -> None:
        if self.held is None:
            self.held = _Sum(event)
        else:
            self.held.add(event)


class _Window:
    """How many events of one kind were said in it, and the others."""

    __slots__ = ("crowded", "opened", "rest", "said")

    def __init__(self, opened: float) -> None:
        self.opened = opened
        self.said = 0
        #: Whether there were too many.
        self.crowded = False
        self.rest: _Sum | None = None

    def gather(self, event: Event) -> None:
        if self.rest is None:
            self.rest = _Sum(event)
        else:
            self.rest.add(event)


class Throttle:
    """Writes events into the journal, or sums of them."""

    def __init__(self, journal: Journal) -> None:
        """Nothing happened yet."""
        self._journal = journal
        #: The longest ago first.
        self._told: dict[tuple[Kind, Place], _Told] = {}
        self._windows: dict[Kind, _Window] = {}

    def take(self, event: Event, now: float, *, gathered: bool = False) -> None:
        """Something happened; ``gathered`` if it is not to be said by itself."""
        told = self._told.get((event.kind, event.place))
        if told is not None and (told.held or now - told.when < PAUSE_SECONDS):
            told.hold(event)
        else:
            self._tell(event, now, gathered)

    def tick(self, now: float) -> None:
        """Say what was held back for long enough; to be called each second."""
        for kind, window in list(self._windows.items()):
            if now - window.opened >= WINDOW_SECONDS:
                del self._windows[kind]
                if window.rest is not None:
                    self._write(window.rest.of_many(window.crowded))
        while self._told:
            oldest = next(iter(self._told))
            if now - self._told[oldest].when < PAUSE_SECONDS:
                break
            held = self._told.pop(oldest).held
            if held is not None:
                self._tell(held.of_one(), now)

    def _tell(self, event: Event, now: float, gathered: bool = False) -> None:
        """Tell of a program, and remember when."""
        key = (event.kind, event.place)
        self._told.pop(key, None)
        self._told[key] = _Told(now)
        if len(self._told) > MOST_PLACES:
            held = self._told.pop(next(iter(self._told))).held
            if held is not None:
                self._pass(held.of_one(), now, gathered=False)
        self._pass(event, now, gathered)

    def _pass(self, event: Event, now: float, gathered: bool) -> None:
        """Say it, unless too much is said already."""
        window = self._windows.get(event.kind)
        if window is None:
            window = self._windows[event.kind] = _Window(now)
        if window.said >= FEW:
            window.crowded = gathered = True
        if gathered:
            window.gather(event)
        else:
            window.said += 1
            self._write(event)

    def _write(self, event: Event) -> None:
        self._journal.note(
            event.text,
            event.when,
            severity=event.kind.severity,
            hostname=event.place.hostname,
            progname=event.place.progname,
            pid=event.pid,
        )


def counted(count: int, noun: str) -> str:
    """So many of something, in words."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
