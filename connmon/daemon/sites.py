"""At which lines of an application something happened, how often, and that in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from connmon.daemon.blame import MOST
from connmon.wording import printable

KEPT = 20
"""Lines that are told apart; of what comes at further ones only the number is known."""

_ROOM = 20
"""Characters that are left for how many others there are."""

Tallies = tuple[tuple[str, int], ...]
"""Lines of the application, and how often it happened at each."""


def once_at(site: str) -> Tallies:
    """It happened once, at that line if that is known; no longer than is ever said."""
    return ((site[:MOST], 1),) if site else ()


class Sites:
    """How often something happened at each line, the first few lines that are met."""

    __slots__ = ("_times",)

    def __init__(self, tallies: Tallies = ()) -> None:
        """So much happened until now."""
        self._times: Counter[str] = Counter()
        self.add(tallies)

    def add(self, tallies: Tallies) -> None:
        """It happened again, at these lines."""
        for site, times in tallies:
            if site in self._times or len(self._times) < KEPT:
                self._times[site] += times

    @property
    def tallies(self) -> Tallies:
        """Each line that is known, the worst first."""
        return tuple(self._times.most_common())


def located(text: str, amount: int, tallies: Tallies) -> str:
    """A sentence about so much, with the worst lines, as many as there is room for."""
    if not tallies:
        return text
    named = _few(tallies, MOST - len(text) - _ROOM)
    others = amount - sum(times for _, times in named)
    if len(named) == 1 and not others:
        said = f"all at {printable(named[0][0])}"
    else:
        said = ", ".join(_at(*each) for each in named)
    if others:
        # How often it was elsewhere, or nobody knows where.
        said += f", {others} other" if others == 1 else f", {others} others"
    said = f"{text}; {said}"
    return said if len(said) <= MOST else said[: MOST - 3] + "..."


def _few(tallies: Iterable[tuple[str, int]], room: int) -> Tallies:
    """The first of them that are no longer than that together, and at least one."""
    found: list[tuple[str, int]] = []
    for each in tallies:
        room -= len(_at(*each)) + 2
        if found and room < 0:
            break
        found.append(each)
    return tuple(found)


def _at(site: str, times: int) -> str:
    return f"{times} at {printable(site)}"
