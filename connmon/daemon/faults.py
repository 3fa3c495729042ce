"""What happened to one connection and should not: a sentence, and a kind of event."""

from __future__ import annotations

from connmon.daemon.blame import MOST
from connmon.daemon.throttle import Kind, counted
from connmon.model.journal import CRIT, INFO, WARN, Severity
from connmon.model.records import (
    ABANDONED,
    COLLECTED,
    RETURNED,
    SLOW,
    UNCLOSED,
    Notice,
)
from connmon.wording import printable


def _leaked(how: str, severity: Severity) -> Kind:
    """A kind of leaks."""
    return Kind(
        severity,
        again=lambda times: f"{counted(times, 'connection')} leaked: {how}",
        among=lambda times, programs: (
            f"{counted(times, 'connection')} leaked in {programs}: {how}"
        ),
    )


_HOW = {
    COLLECTED: "returned by the garbage collector",
    ABANDONED: "held by a thread or task that has ended",
    UNCLOSED: "finalised without being closed",
}

_BACK = "returned after all, not leaked"

KINDS = {
    COLLECTED: _leaked(_HOW[COLLECTED], WARN),
    # Its place in the pool is lost for good.
    ABANDONED: _leaked(_HOW[ABANDONED], CRIT),
    UNCLOSED: _leaked(_HOW[UNCLOSED], WARN),
    SLOW: Kind(
        WARN,
        again=lambda times: f"{counted(times, 'connection')} out for long",
        among=lambda times, programs: (
            f"{counted(times, 'connection')} out for long in {programs}"
        ),
    ),
    RETURNED: Kind(
        INFO,
        again=lambda times: f"{counted(times, 'connection')} {_BACK}",
        among=lambda times, programs: (
            f"{counted(times, 'connection')} {_BACK} in {programs}"
        ),
    ),
}
"""The kinds of notices that are told as events."""


def sentence(notice: Notice) -> str:
    """One such notice in words, with the line of the application if that is known."""
    if notice.kind == SLOW:
        by = f" by {printable(notice.owner)}" if notice.site and notice.owner else ""
        return _cut(f"connection out for {_seconds(notice)}{_place(notice)}{by}")
    if notice.kind == RETURNED:
        return _cut(f"connection {_BACK}: taken{_place(notice)}")
    said = f"connection leaked{_place(notice)}: {_how(notice)}"
    if notice.kind != UNCLOSED:
        said += f", out {_seconds(notice)}"
    return _cut(said)


def _place(notice: Notice) -> str:
    """Where it was taken, or by whom."""
    if notice.site:
        return f" at {printable(notice.site)}"
    return f" by {printable(notice.owner)}" if notice.owner else ""


def _how(notice: Notice) -> str:
    """What proves it. Who had the connection is named where that is who has ended."""
    if notice.kind == ABANDONED and notice.owner:
        return f"held by {printable(notice.owner)}, a thread or task that has ended"
    return _HOW[notice.kind]


def _seconds(notice: Notice) -> str:
    """For how long it had been out."""
    seconds = notice.seconds
    return f"{seconds:.0f}s" if seconds >= 1.0 else f"{seconds:.1f}s"


def _cut(said: str) -> str:
    """A sentence no longer than those about timeouts."""
    return said if len(said) <= MOST else said[: MOST - 3] + "..."
