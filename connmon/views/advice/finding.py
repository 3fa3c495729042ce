"""A finding: something that is wrong with a program, how one knows, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from connmon.views.alert import duration

INFO = "info"
WARN = "warn"
CRIT = "crit"

SEVERITIES = (CRIT, WARN, INFO)
"""The worst first."""

MOST_HOSTS = 16
"""Hosts that one finding names."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule has to say of one program.

    ``rule`` is the rule's name for good. ``pool_name`` is empty if it is not about one
    pool, ``site`` if no line of the application is to blame, or none is known.
    ``finding``, ``evidence`` and ``advice`` are each a clause that needs no other.
    """

    severity: str
    rule: str
    progname: str
    hostnames: tuple[str, ...]
    pool_name: str
    site: str
    finding: str
    evidence: str
    advice: str


def hosts(names: Iterable[str]) -> tuple[str, ...]:
    """The names of hosts as a finding has them."""
    return tuple(sorted(set(names))[:MOST_HOSTS])


def lasting(seconds: float) -> str:
    """A duration in words: ``12ms``, ``3.4s``, ``6m52s``."""
    if seconds < 0.001:
        return "<1ms" if seconds > 0.0 else "0s"
    if seconds < 1.0:
        return f"{seconds * 1000:.0f}ms"
    return f"{seconds:.1f}s" if seconds < 60.0 else duration(seconds)


def many(count: int, what: str) -> str:
    """So many of something: ``1 thread``, ``2 threads``."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def were(count: int, of: str = "") -> str:
    """So many as the subject of a clause: ``1 was``, ``2 of 15 were``."""
    return f"{count}{of} was" if count == 1 else f"{count}{of} were"


def at(site: str) -> str:
    """Where, as the end of a clause; nothing if that is not known."""
    return f" at {site}" if site else ""
