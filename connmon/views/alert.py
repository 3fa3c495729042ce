"""What is wrong with a program, a process or a pool: one rule, in words.

What it is in is one of six states, of which the first that holds is told:

``UNREACHABLE``
    connecting has failed in the last ``FAILING_SECONDS``, and has not succeeded since.
``STUCK``
    a checkout has timed out in the last minute; or a pool is full, somebody waits for
    it, and nothing has come back to it for ``STILL_SECONDS``.
``LEAKING``
    a connection is open that nobody can return any more, or one was proven to have
    leaked in the last ``LEAKING_SECONDS``.
``IDLE-IN-TXN``
    nothing has been executed in a transaction for more than ``LONG_SECONDS``.
``BUSY``
    a pool is full, or somebody waits for it, as its last places are being connected.
``OK``
    none of these.

So those come first by which somebody suffers now, then those that are mistakes, and at
last what may be as it should. What holds for one of several pools, processes or
programs holds for all of them together: they are in the state of the first of them.
"""

from __future__ import annotations

from collections.abc import Iterator
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

STILL_SECONDS = 5.0
"""From then on a wait for a full pool to which nothing comes back is hopeless."""

FAILING_SECONDS = 60.0
"""For so long a failure to connect is told, if nothing was connected since."""

LEAKING_SECONDS = 600.0
"""For so long a leak is told after it was proven."""

WELL = "OK"
BUSY = "BUSY"
STUCK = "STUCK"
LEAKING = "LEAKING"
UNREACHABLE = "UNREACHABLE"
IDLE_IN_TXN = "IDLE-IN-TXN"

STATES = {
    UNREACHABLE: CRIT,
    STUCK: CRIT,
    LEAKING: WARN,
    IDLE_IN_TXN: WARN,
    BUSY: WARN,
    WELL: OK,
}
"""The words for states, those first that come first, and how bad each is at least."""

_PLACES = {word: place for place, word in enumerate(reversed(STATES))}
"""The further in front, the more."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What is judged. ``None`` is not known.

    ``used`` is of the fullest pool, ``full`` of so many ``of`` have no place left, both
    pools of a process, or processes with such a pool. ``stale`` counts processes that
    nobody hears. ``still_seconds`` is for how long nothing has come back to a full pool
    that somebody waits for, ``failing_seconds`` how long ago connecting failed if it
    has not succeeded since, ``leaked_seconds`` how long ago a connection was last
    proven to have leaked, ``lost`` how many are open that nobody can return, and
    ``quiet_seconds`` for how long nothing was executed in an open transaction.
    """

    used: float | None = None
    full: int = 0
    of: int = 1
    waiting: int | None = None
    timeouts_per_minute: float | None = None
    oldest_seconds: float | None = None
    txn_seconds: float | None = None
    stale: int = 0
    still_seconds: float | None = None
    failing_seconds: float | None = None
    leaked_seconds: float | None = None
    lost: int = 0
    quiet_seconds: float | None = None


def state(signs: Signs) -> str:
    """The word for its state, one of ``STATES``."""
    if _failing(signs):
        return UNREACHABLE
    if signs.timeouts_per_minute or _still(signs):
        return STUCK
    if _leaking(signs):
        return LEAKING
    if _quiet(signs):
        return IDLE_IN_TXN
    return BUSY if signs.full or signs.waiting else WELL


def alert(signs: Signs) -> str:
    """``crit`` if somebody waits or gave up waiting, ``warn`` if that is near.

    Connecting that fails is ``crit``, too. A full pool without anybody waiting is a
    warning, as is one with four of five places taken, a leak, a checkout or transaction
    of more than 30 s, one in which nothing was executed for so long, and figures that
    are stale.
    """
    by_state = STATES[state(signs)]
    if by_state == CRIT:
        return CRIT
    by_figures = level(
        signs.used,
        signs.oldest_seconds,
        stale=signs.stale,
        txn_seconds=signs.txn_seconds,
        waiting=signs.waiting,
        timeouts_per_minute=signs.timeouts_per_minute,
    )
    return by_state if by_figures == OK else by_figures


def level(
    used: float | None,
    oldest_seconds: float | None,
    *,
    stale: int = 0,
    txn_seconds: float | None = None,
    waiting: int | None = None,
    timeouts_per_minute: float | None = None,
) -> str:
    """The same for what has no state, and for signs that were not gathered."""
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
        _PLACES[state(signs)],
        signs.waiting or 0,
        signs.full,
        signs.used or 0.0,
        max(signs.oldest_seconds or 0.0, signs.txn_seconds or 0.0),
    )


def reason(signs: Signs, unit: str, out: str = "oldest checkout") -> str:
    """The same in words, the worst first; empty if it is ok.

    ``unit`` is what ``full`` counts, ``pools`` or ``processes``, ``out`` what is said
    before ``oldest_seconds``.
    """
    said = (*_suffered(signs), *_mistaken(signs), *_lasting(signs, unit, out))
    return ", ".join(said)


def headline(signs: Signs, unit: str) -> str:
    """What follows a name: its state, unless it is ``OK``, and the reason."""
    word = state(signs)
    said = "" if word == WELL else f" {word}"
    return f"{said}: {reason(signs, unit)}"


def _suffered(signs: Signs) -> Iterator[str]:
    """Why somebody suffers now."""
    if _failing(signs):
        yield f"connecting failed {duration(signs.failing_seconds)} ago"
    if signs.waiting:
        yield f"{signs.waiting} waiting"
    if signs.timeouts_per_minute:
        number = max(round(signs.timeouts_per_minute), 1)
        timeouts = "timeout" if number == 1 else "timeouts"
        yield f"{number} {timeouts} in the last minute"


def _mistaken(signs: Signs) -> Iterator[str]:
    """What no program should do."""
    if signs.lost:
        connections = "connection" if signs.lost == 1 else "connections"
        yield f"{signs.lost} {connections} leaked"
    elif _leaking(signs):
        yield f"connection leaked {duration(signs.leaked_seconds)} ago"
    if _quiet(signs):
        yield f"idle in transaction {duration(signs.quiet_seconds)}"


def _lasting(signs: Signs, unit: str, out: str) -> Iterator[str]:
    """How full pools are, what lasts for long, and what is not heard."""
    if signs.full:
        few = f" in {signs.full} of {signs.of} {unit}" if signs.of > 1 else ""
        yield f"pool full{few}"
    elif (signs.used or 0.0) >= USED:
        yield f"pool {int((signs.used or 0.0) * 100)} % used"
    if (signs.oldest_seconds or 0.0) > LONG_SECONDS:
        yield f"{out} {duration(signs.oldest_seconds)}"
    if (signs.txn_seconds or 0.0) > LONG_SECONDS:
        yield f"transaction open {duration(signs.txn_seconds)}"
    if signs.stale:
        processes = "process" if signs.stale == 1 else "processes"
        yield f"{signs.stale} {processes} not heard"


# The conditions that are in more than one of these.


def _failing(signs: Signs) -> bool:
    ago = signs.failing_seconds
    return ago is not None and ago <= FAILING_SECONDS


def _still(signs: Signs) -> bool:
    return bool(
        signs.full and signs.waiting and (signs.still_seconds or 0.0) >= STILL_SECONDS
    )


def _leaking(signs: Signs) -> bool:
    ago = signs.leaked_seconds
    return bool(signs.lost) or (ago is not None and ago <= LEAKING_SECONDS)


def _quiet(signs: Signs) -> bool:
    return (signs.quiet_seconds or 0.0) > LONG_SECONDS


def duration(seconds: float | None) -> str:
    """A duration in the two units that tell it best."""
    whole = int(seconds or 0.0)
    for size, unit, smaller, rest in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "m"),
        (60, "m", 1, "s"),
    ):
        if whole >= size:
            return f"{whole // size}{unit}{whole % size // smaller:02d}{rest}"
    return f"{whole}s"
