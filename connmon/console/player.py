"""Playing a recording: which of its pictures is to be seen when.

Pictures follow one another as they were recorded, divided by the speed. What comes
faster than the eye is passed over, and a pause of the recording itself is cut short.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from connmon.console.tape import Damaged, Recording
from connmon.errors import OutOfTurn, QueryError
from connmon.wording import quoted

SLOWEST, FASTEST = 1 / 8, 64.0
"""How far ``slower`` and ``faster`` go; a speed that is given may lie beyond."""

FRAME = 0.05
"""Seconds of ours between two pictures, at least."""

GAP_LIMIT = 10.0
"""Seconds between two pictures above which nothing was recorded meanwhile."""

GAP_SHOWN = 1.0
"""Seconds such a gap is played as."""

_EARLY = 1e-3
"""Seconds by which a picture may come early; sums of floats are not exact."""

_LONGEST_WAIT = 3600.0
"""Seconds that the reactor is asked to wait at most, whatever the speed."""


class Player:
    """Shows the pictures of a recording, each when it is due, on a reactor's clock.

    ::

        made --- start ---> playing --- pause, step ---> paused
                             |    ^----- resume ----------'
                 no more pictures: ended(), and waiting for a jump, a step, resume

    What is asked for before ``start`` or after ``stop`` changes the position, and shows
    nothing. A picture that cannot be read is not shown either; ``position`` counts it.
    """

    def __init__(
        self,
        reactor_clock: Any,
        recording: Recording,
        show: Callable[[float, bytes], None],
        ended: Callable[[], None],
        speed: float = 1.0,
    ) -> None:
        """Play to ``show``, which takes a picture's unix time and its line.

        ``ended`` is called once each time that playing comes to the last picture, after
        that was shown; if more was recorded by then, it goes on instead. ``speed`` is
        seconds of the recording per second, above 0, or it is ``OutOfTurn``.
        """
        if not (math.isfinite(speed) and speed > 0):
            raise OutOfTurn(f"a recording at speed {speed}, expected one above 0")
        self._clock = reactor_clock
        self._recording = recording
        self._show = show
        self._ended = ended
        self._speed = speed
        self._paused = False
        self._started = False
        #: Whether there was nothing left to play, and ``ended`` was told.
        self._over = False
        self._index = 0
        #: Seconds of the recording that had passed since the picture was due, ...
        self._held = 0.0
        #: ... when the clock was at this.
        self._since = 0.0
        self._call: IDelayedCall | None = None

    @property
    def speed(self) -> float:
        """Seconds of the recording per second."""
        return self._speed

    @property
    def paused(self) -> bool:
        """Whether the picture changes only when told to."""
        return self._paused

    @property
    def position(self) -> tuple[int, int, float]:
        """The picture's index from 0, how many there are, and its unix time.

        ``(0, 0, 0.0)`` if there are none.
        """
        times = self._recording.times
        return self._index, len(times), times[self._index] if times else 0.0

    @property
    def span(self) -> tuple[float, float]:
        """The unix times of the first and the last picture; zeros if there are none."""
        times = self._recording.times
        return (times[0], times[-1]) if times else (0.0, 0.0)

    def start(self) -> None:
        """Show the picture at the position, at first the first, and play from there."""
        if not self._started:
            self._started = True
            self._go(self._index)

    def stop(self) -> None:
        """Show nothing more, and leave nothing waiting."""
        self._started = False
        self._cancel()

    def pause(self) -> None:
        """Stay at this picture."""
        self._hold()
        self._paused = True
        self._cancel()

    def resume(self) -> None:
        """Play on, with what was left of the wait for the next picture.

        At the end it plays what was recorded since, if anything was.
        """
        self._hold()
        self._paused = False
        self._wait()

    def step(self, count: int) -> None:
        """Pause, and show the picture so many further on, or back if negative.

        At most the first or the last one.
        """
        self.pause()
        self._recording.refresh()
        self._go(self._index + count)

    def jump(self, time: float) -> None:
        """Show the last picture at or before a unix time, and play on from there.

        The first one if all are later.
        """
        self._recording.refresh()
        self._go(self._recording.find(time))

    def skip(self, seconds: float) -> None:
        """Jump so many seconds of the recording further on, or back if negative.

        That is by one picture at least, so that it leads out of any gap.
        """
        if not seconds:
            return  # before it is seen that there is more, and so is to be played
        self._recording.refresh()
        if not self._recording.times:
            return
        # Where the clock went back, what was recorded later is further on all the same.
        there = self._recording.find(self._recording.latest[self._index] + seconds)
        if seconds > 0:
            self._go(max(there, self._index + 1))
        else:
            self._go(min(there, self._index - 1))

    def faster(self) -> None:
        """Double the speed, up to ``FASTEST``."""
        self._play_at(min(self._speed * 2, max(self._speed, FASTEST)))

    def slower(self) -> None:
        """Halve the speed, down to ``SLOWEST``."""
        self._play_at(max(self._speed / 2, min(self._speed, SLOWEST)))

    def _play_at(self, speed: float) -> None:
        self._hold()
        self._speed = speed
        self._wait()

    def _go(self, index: int) -> None:
        """Be at a picture, as if it were due now."""
        self._index = max(min(index, len(self._recording) - 1), 0)
        self._held, self._since = 0.0, self._now()
        self._over = False
        self._reveal()

    def _reveal(self) -> None:
        """Show the picture at the position, then wait for the next one."""
        if not self._started:
            return
        try:
            if len(self._recording):
                self._show(*self._recording.picture(self._index))
        except Damaged:
            pass  # the recording tells, when asked for its damage
        finally:
            self._wait()

    def _wait(self) -> None:
        """See to it that the next picture comes, or tell that there is none."""
        self._cancel()
        if not self._started or self._paused:
            return
        self._hold()
        if self._is_last() and not self._recording.refresh():
            if not self._over:
                self._over, self._held = True, 0.0
                self._ended()
            return
        self._over = False
        due = (self._gap() - self._held) / self._speed - _EARLY / 1000
        delay = min(max(due, FRAME), _LONGEST_WAIT)
        self._call = self._clock.callLater(delay, self._tick)

    def _tick(self) -> None:
        """Show the newest picture that is due, if it is another."""
        self._call = None
        self._hold()
        before = self._index
        early = _EARLY * self._speed
        while not self._is_last() and self._gap() <= self._held + early:
            self._held -= self._gap()
            self._index += 1
        if self._index != before:
            self._reveal()
        else:
            self._wait()

    def _is_last(self) -> bool:
        return self._index + 1 >= len(self._recording)

    def _gap(self) -> float:
        """Seconds of recording from this picture to the next, as they are played."""
        times = self._recording.times
        gap = times[self._index + 1] - times[self._index]
        # Nor is it known how long it was if the clock went back meanwhile.
        return gap if 0 <= gap <= GAP_LIMIT else GAP_SHOWN

    def _hold(self) -> None:
        """Note what has passed until now, before anything that decides it changes."""
        now = self._now()
        if not self._paused and not self._over:
            self._held += (now - self._since) * self._speed
        self._since = now

    def _now(self) -> float:
        now: float = self._clock.seconds()
        return now

    def _cancel(self) -> None:
        if self._call is not None:
            self._call.cancel()
            self._call = None


_EXPECTED = (
    "expected a time of day such as 14:02 or 14:02:31, a date with it such as "
    "2026-11-26 14:02:31, +90s from the start, -5m from the end, or unix seconds"
)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DATED = re.compile(
    r"(?:([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?: +|T))?"
    r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?"
)
_AWAY = re.compile(r"([+-])([0-9]{1,12}(?:\.[0-9]{1,9})?)([smhd])")
_UNIX = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")


def moment(text: str, recording_start: float, recording_end: float) -> float:
    """The unix time that a viewer means who wants to jump within a recording.

    ``14:02``, ``14:02:31`` and ``2026-11-26 14:02:31``, the seconds optional, are local
    time; a bare time of day is the first one within the recording, or else the one on
    its first day. ``+90s`` is from the start, ``-5m`` from the end (``s``, ``m``,
    ``h``, ``d``); a number alone is unix seconds. It need not lie within the recording.
    ``QueryError`` if it is none of these.
    """
    text = text.strip()
    if found := _AWAY.fullmatch(text):
        sign, number, unit = found.groups()
        seconds = float(number) * _UNITS[unit]
        return recording_start + seconds if sign == "+" else recording_end - seconds
    if _UNIX.fullmatch(text):
        return float(text)
    if found := _DATED.fullmatch(text):
        year, month, day, hour, minute, second = (int(n or 0) for n in found.groups())
        try:
            if found[1]:
                return datetime(year, month, day, hour, minute, second).timestamp()
            return _on_some_day(hour, minute, second, recording_start, recording_end)
        except (ValueError, OverflowError, OSError):
            pass  # there is no such date or time
    raise QueryError(f"{quoted(text)} is no moment, {_EXPECTED}")


def _on_some_day(
    hour: int, minute: int, second: int, start: float, end: float
) -> float:
    """The first such time of day within a recording, or else on its first day."""
    first = datetime.fromtimestamp(start).replace(
        hour=hour, minute=minute, second=second, microsecond=0, fold=0
    )
    for days in (0, 1):
        for fold in (0, 1):  # where clocks are put back, a day may have it twice
            time = (first + timedelta(days)).replace(fold=fold).timestamp()
            if start <= time <= end:
                return time
    return first.timestamp()
