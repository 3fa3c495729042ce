"""What is wrong with a program, a process or a pool: one rule, in words."""

from __future__ import annotations

from dataclasses import dataclass

OK = "ok"
WARN = "warn"
CRIT = "crit"

RANKS = {CRIT: 0, WARN: 1}
"""Where rows come that are not ok; all others after them."""

USED = 0.8
"""From this share of a pool's places on it is worth a warning."""

LONG_SECONDS = 30.0
"""For longer than this neither a checkout nor a transaction should last."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What is judged. ``None`` is not known.

    ``used`` is of the fullest pool, ``full`` of so many ``of`` have no place left, both
    pools of a process, or processes with such a pool. ``stale`` counts processes that
    nobody hears.
    """

    used: float | None = None
    full: int = 0
    of: int = 1
    waiting: int | None = None
    timeouts_per_minute: float | None = None
    oldest_seconds: float | None = None
    txn_seconds: float | None = None
    stale: int = 0


def alert(signs: Signs) -> str:
    """``crit`` if somebody waits or gave up waiting, ``warn`` if that is near.

    A full pool without anybody waiting is a warning, as is one with four of five
    places taken, a checkout or transaction of more than 30 s, and figures that are
    stale.
    """
    return level(
        signs.used,
        signs.oldest_seconds,
        stale=signs.stale,
        txn_seconds=signs.txn_seconds,
        waiting=signs.waiting,
        timeouts_per_minute=signs.timeouts_per_minute,
    )


def level(
    used: float | None,
    oldest_seconds: float | None,
    *,
    stale: int = 0,
    txn_seconds: float | None = None,
    waiting: int | None = None,
    timeouts_per_minute: float | None = None,
) -> str:
    """The same rule for signs that were not gathered, as most rows have none."""
    if waiting or timeouts_per_minute:
        return CRIT
    if stale or (used is not None and used >= USED):
        return WARN
    long = (oldest_seconds or 0.0) > LONG_SECONDS or (txn_seconds or 0.0) > LONG_SECONDS
    return WARN if long else OK


def weight(signs: Signs) -> tuple[float, ...]:
    """How bad it is, for the worst of several to be found: the largest is."""
    return (
        alert(signs) == CRIT,
        signs.waiting or 0,
        signs.full,
        signs.used or 0.0,
        signs.oldest_seconds or 0.0,
    )


def reason(signs: Signs, unit: str, out: str = "oldest checkout") -> str:
    """The same in words, the worst first; empty if it is ok.

    ``unit`` is what ``full`` counts, ``pools`` or ``processes``, ``out`` what is said
    before ``oldest_seconds``.
    """
    said = []
    if signs.waiting:
        said.append(f"{signs.waiting} waiting")
    if signs.timeouts_per_minute:
        number = max(round(signs.timeouts_per_minute), 1)
        timeouts = "timeout" if number == 1 else "timeouts"
        said.append(f"{number} {timeouts} in the last minute")
    if signs.full:
        few = f" in {signs.full} of {signs.of} {unit}" if signs.of > 1 else ""
        said.append(f"pool full{few}")
    elif (signs.used or 0.0) >= USED:
        said.append(f"pool {int((signs.used or 0.0) * 100)} % used")
    if (signs.oldest_seconds or 0.0) > LONG_SECONDS:
        said.append(f"{out} {_duration(signs.oldest_seconds or 0.0)}")
    if (signs.txn_seconds or 0.0) > LONG_SECONDS:
        said.append(f"transaction open {_duration(signs.txn_seconds or 0.0)}")
    if signs.stale:
        processes = "process" if signs.stale == 1 else "processes"
        said.append(f"{signs.stale} {processes} not heard")
    return ", ".join(said)


def _duration(seconds: float) -> str:
    """A duration in the two units that tell it best."""
    whole = int(seconds)
    for size, unit, smaller, rest in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "m"),
        (60, "m", 1, "s"),
    ):
        if whole >= size:
            return f"{whole // size}{unit}{whole % size // smaller:02d}{rest}"
    return f"{whole}s"
