"""Where those who have connections are now: looked at when a node asks, never before.

All of it in the reporting thread. It reads what other threads do, and changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from heapq import nsmallest

from connmon.client.frames import Line
from connmon.client.owner import frames_of
from connmon.client.sites import told as line_told
from connmon.model.connection import Connection
from connmon.model.holding import Owner
from connmon.model.ledger import Ledger
from connmon.model.records import OUT
from connmon.model.stacks import MOST_FRAMES, MOST_STACKS, Stack, Told

_OURS = os.path.dirname(__file__) + os.sep
"""Where the lines are from that are told to nobody: no application wrote them."""

APART_SECONDS = 0.2
"""Seconds between two looks: who asks more often is told so."""

ROOM = 128 * 1024
"""About how many characters of frames are told at once."""

FORBIDDEN = "its stacks are not to be had (connmon_stacks=off)"

TOO_OFTEN = "it is asked too often"

NO_ROOM = "there is no room for more stacks: ask for this connection alone"


@dataclass(frozen=True, slots=True)
class _Out:
    """A connection that is out, as it was when the looking began."""

    connection: Connection
    since: float
    owner: Owner
    site: object

    @property
    def still(self) -> bool:
        """Whether it has not been given back since."""
        connection = self.connection
        return connection.state == OUT and connection.since == self.since


class Stacks:
    """What one ledger's process answers."""

    def __init__(
        self, ledger: Ledger, allowed: Callable[[], bool], now: Callable[[], float]
    ) -> None:
        """``allowed`` is asked each time; ``now`` is the ledger's clock."""
        self._ledger = ledger
        self._allowed = allowed
        self._now = now
        self._looked = float("-inf")

    @property
    def allowed(self) -> bool:
        """Whether anything would be told."""
        return self._allowed()

    def told(self, number: int | None) -> Told:
        """Where the holder of that connection is, or all of them; never raises."""
        try:
            return self._told(number)
        except Exception as error:
            return Told(why=f"it cannot look: {type(error).__name__}: {error}"[:255])

    def _told(self, number: int | None) -> Told:
        if not self._allowed():
            return Told(why=FORBIDDEN)
        now = self._now()
        if now - self._looked < APART_SECONDS:
            return Told(why=TOO_OFTEN)
        try:
            out = self._out()
            wanted = [each for each in out if number in (None, each.connection.id)]
            longest = nsmallest(MOST_STACKS, wanted, key=lambda each: each.since)
            stacks = _Telling(self._ledger, now).stacks(longest)
        finally:
            self._looked = self._now()
        return Told(len(out), stacks)

    def _out(self) -> list[_Out]:
        return [
            _Out(each, each.since, each.owner, each.site)
            for pool in self._ledger.pools()
            for each in list(pool.open)
            if each.state == OUT
        ]


class _Telling:
    """One answer in the making; lines that several stacks share are worded once."""

    def __init__(self, ledger: Ledger, now: float) -> None:
        self._ledger = ledger
        self._now = now
        self._words: dict[Line, str] = {}
        self._room = ROOM

    def stacks(self, out: list[_Out]) -> tuple[Stack, ...]:
        """What is to be said of each that is not given back meanwhile."""
        told = [(each, self._frames(each.owner)) for each in out]
        return tuple(
            self._stack(each, frames, note)
            for each, (frames, note) in told
            if each.still
        )

    def _stack(self, out: _Out, frames: tuple[str, ...], note: str) -> Stack:
        connection, ledger = out.connection, self._ledger
        return Stack(
            connection.id,
            max(self._now - out.since, 0.0),
            ledger.owner_name(out.owner),
            ledger.site_name(out.site),
            connection.session,
            connection.pool.facts.name,
            connection.tag,
            frames,
            note,
        )

    def _frames(self, owner: Owner) -> tuple[tuple[str, ...], str]:
        """Where somebody is, in words, and what there is to say of that."""
        if self._room <= 0:
            return (), NO_ROOM
        lines, note = frames_of(owner)
        lines = [each for each in lines if not _is_ours(each)]
        if len(lines) > MOST_FRAMES:
            lines = lines[-MOST_FRAMES:]
            note = note or f"only the last {MOST_FRAMES} calls are shown"
        frames = tuple(map(self._worded, lines))
        self._room -= sum(map(len, frames))
        return frames, note

    def _worded(self, line: Line) -> str:
        words = self._words.get(line)
        if words is None:
            code, number = line
            words = line_told(code, number or code.co_firstlineno)
            self._words[line] = words
        return words


def _is_ours(line: Line) -> bool:
    """Whether it is a line of what took the place of a callable."""
    return line[0].co_filename.startswith(_OURS)
