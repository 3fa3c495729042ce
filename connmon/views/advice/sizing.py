"""Rules about how large a pool is, beside how many connections are wanted at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from math import ceil

from connmon.views.advice.finding import (
    INFO,
    WARN,
    Finding,
    hosts,
    lasting,
    many,
    were,
)
from connmon.views.advice.nested import is_nested
from connmon.views.advice.use import Member, Use

SPARE = 1.25
"""How many times what was wanted at once is advised to be there."""

FEW_ATTEMPTS = 20
"""With fewer nothing is said of a pool being too small."""

WAITS = 20
"""From so many waits on they count as evidence, if they are not rare."""

WAIT_SHARE = 0.01
"""They are rare if fewer of the attempts than this waited."""

TOO_LARGE = 3
"""From so many times the most that were out at once on, a pool is too large."""

LONG_HOLD = 1.0
"""Seconds from which on the median checkout is worth a word."""

OBSERVED_SECONDS = 60.0
"""For so long a process must have been watched for its pool to be too large."""

OBSERVED_CHECKOUTS = 100
"""So many checkouts it must have made meanwhile."""

CHURNED = 50
"""From so many connections closed as overflow on that counts as evidence."""

CHURN_SHARE = 0.5
"""They must be this part of all that were opened, at least."""

REOPENED = 100
"""From so many connections opened on, those of a NullPool count as evidence."""

REOPENED_PER_SECOND = 1.0
"""So many must have been opened a second, on average."""

REOPENED_SECONDS = 10.0
"""For so long the process must have been watched, at least."""

OVERFLOW = "overflow"
"""The reason for which a pool closes what is beyond its size."""

NULL_POOL = "NullPool"

_BOUNDLESS = ("SingletonThreadPool",)
"""Pools with a size that is no bound, and no overflow either."""


def too_small(use: Use) -> Iterator[Finding]:
    """Checkouts wait or time out, because more are wanted at once than there can be.

    Not where threads wait for what they hold themselves, or connections have leaked:
    no size would be enough.
    """
    short = [each for each in use.members if _is_short(each)]
    if not short:
        return
    worst = max(short, key=lambda e: (e.record.counters.timeouts, e.waits))
    facts, counters = worst.record.facts, worst.record.counters
    capacity, size, overflow = worst.capacity or 0, facts.size or 0, facts.max_overflow
    wanted = max(map(_wanted, short))
    pool_size = max(size + 1, ceil(wanted * SPARE) - (overflow or 0))
    held = worst.record.holds.quantile(0.5) or 0.0
    sooner = f", or return them sooner: half are held for over {lasting(held)}"
    yield _about(
        use,
        short,
        "pool-too-small",
        finding=f"the pool is too small: {many(capacity, 'place')}, "
        f"and {wanted} were wanted at once",
        evidence=f"{worst.waits} of {worst.attempts} attempted checkouts waited and "
        f"{counters.timeouts} timed out in {worst.who}, "
        f"where {were(min(worst.peak, capacity), f' of {capacity}')} out at most",
        advice=f"set pool_size={pool_size} (it is {size}; max_overflow={overflow or 0})"
        + (sooner if held >= LONG_HOLD else ""),
    )


def too_large(use: Use) -> Iterator[Finding]:
    """A pool keeps places for three times as many as were ever out at once."""
    sizes = [each.record.facts.size for each in use.members]
    bounded = [size for size in sizes if size]
    seen = [each for each in use.members if _is_observed(each)]
    if not seen or len(bounded) < len(sizes) or any(map(_is_boundless, use.members)):
        return
    size, peak = min(bounded), max(use.peak, 1)
    if size < TOO_LARGE * peak or any(e.waits for e in use.members):
        return
    wanted = ceil(peak * SPARE)
    spared = sum(each - wanted for each in bounded)
    longest = max(seen, key=lambda each: each.uptime)
    mean = max(each.mean for each in seen)
    yield _about(
        use,
        use.members,
        "pool-too-large",
        finding=f"the pool is {size / peak:.0f} times as large as it need be: "
        f"pool_size={size}, and at most {were(peak)} out at once",
        evidence=f"{mean:.1f} out on average and {peak} at most, "
        f"in {use.checkouts} checkouts of {many(len(use.members), 'pool')} "
        f"over {lasting(longest.uptime)}",
        advice=f"set pool_size={wanted}: the server's worst case is {spared} less then",
        severity=INFO,
    )


def overflow_churn(use: Use) -> Iterator[Finding]:
    """Most connections are closed as they come back, and soon opened again."""
    closings: Counter[str] = Counter()
    for each in use.members:
        closings.update(dict(each.record.closings))
    closed = closings[OVERFLOW]
    opened = sum(each.record.counters.connects for each in use.members)
    worst = max(use.members, key=lambda each: each.peak)
    size, capacity = worst.record.facts.size or 0, worst.capacity
    if closed < CHURNED or closed < CHURN_SHARE * opened or use.peak <= size:
        return
    rest = "" if capacity is None else f", max_overflow={max(capacity - use.peak, 0)}"
    yield _about(
        use,
        use.members,
        "overflow-churn",
        finding="connections beyond pool_size are opened and closed again and again",
        evidence=f"{closed} of {opened} connections opened were closed as overflow "
        f"when they came back; {were(use.peak)} out at most, and pool_size={size}",
        advice=f"set pool_size={use.peak}{rest}, so that they are kept",
    )


def unbounded(use: Use) -> Iterator[Finding]:
    """A pool may open any number of connections, by its overflow or its size."""
    found = [each for each in use.members if _is_unbounded(each)]
    if not found:
        return
    worst = max(found, key=lambda each: each.peak)
    size, most = worst.record.facts.size or 0, ceil(worst.peak * SPARE)
    how = f"max_overflow=-1 and pool_size={size}" if size else "pool_size=0"
    what = f"max_overflow={max(most - size, 0)}" if size else f"pool_size={most}"
    have = "has" if len(found) == 1 else "have"
    yield _about(
        use,
        found,
        "unbounded-overflow",
        finding=f"nothing bounds how many connections a process opens: {how}",
        evidence=f"{were(worst.peak)} out at once at most, in {worst.who}, "
        f"and {many(len(found), 'pool')} of {len(use.members)} {have} no bound",
        advice=f"set {what}, a quarter more than were out at once",
    )


def nullpool_churn(use: Use) -> Iterator[Finding]:
    """Each checkout opens a connection of its own, and there are many."""
    found = [each for each in use.members if _is_reopening(each)]
    if not found:
        return
    worst = max(found, key=_opened_per_second)
    creations = worst.record.creations
    made = sum(creations.counts)
    each_took = f", {lasting(creations.seconds / made)} each" if made else ""
    opened = worst.record.counters.connects
    yield _about(
        use,
        found,
        "nullpool-churn",
        finding="a connection is opened for each checkout, and closed after it",
        evidence=f"{many(opened, 'connection')} opened in {lasting(worst.uptime)} in "
        f"{worst.who}, {_opened_per_second(worst):.1f} a second{each_took}",
        advice=f"use a QueuePool with pool_size={max(ceil(worst.peak * SPARE), 1)} "
        "in place of NullPool, unless a pooler such as PgBouncer is in between",
    )


def _about(
    use: Use,
    members: Iterable[Member],
    rule: str,
    *,
    finding: str,
    evidence: str,
    advice: str,
    severity: str = WARN,
) -> Finding:
    """A finding about these of a use's pools, for which no line is to blame."""
    names = hosts(each.process.identity.hostname for each in members)
    return Finding(
        severity, rule, use.progname, names, use.name, "", finding, evidence, advice
    )


def _is_short(member: Member) -> bool:
    """Whether there is evidence that it is too small."""
    counters = member.record.counters
    if member.capacity is None or member.attempts < FEW_ATTEMPTS:
        return False
    if counters.leaks or any(each.leak for each in member.connections):
        return False
    if is_nested(member):
        return False
    often = WAITS <= counters.waits >= WAIT_SHARE * member.attempts
    return counters.timeouts > 0 or often


def _wanted(member: Member) -> int:
    """The most that are known to have been wanted at once."""
    capacity = member.capacity or 0
    then = [each.held + each.waiting + 1 for each in member.incidents]
    return max(capacity + 1, capacity + member.waiting, *then)


def _is_observed(member: Member) -> bool:
    checkouts = member.record.counters.checkouts
    return member.uptime >= OBSERVED_SECONDS and checkouts >= OBSERVED_CHECKOUTS


def _is_boundless(member: Member) -> bool:
    return member.record.facts.kind in _BOUNDLESS


def _is_unbounded(member: Member) -> bool:
    """Whether it is a queue without a bound, and in use."""
    sized = member.record.facts.size is not None and not _is_boundless(member)
    return sized and member.capacity is None and member.peak > 0


def _is_reopening(member: Member) -> bool:
    return (
        member.record.facts.kind == NULL_POOL
        and member.record.counters.connects >= REOPENED
        and member.uptime >= REOPENED_SECONDS
        and _opened_per_second(member) >= REOPENED_PER_SECOND
    )


def _opened_per_second(member: Member) -> float:
    opened = member.record.counters.connects
    return opened / member.uptime if member.uptime else 0.0
