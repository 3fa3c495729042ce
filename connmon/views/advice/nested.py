"""The rule about a second checkout by who has a connection of the same pool already."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from connmon.model.records import NESTED, Notice
from connmon.views.advice.finding import CRIT, WARN, Finding, at, hosts, lasting, many
from connmon.views.advice.use import Member, Use


class Second(NamedTuple):
    """Somebody who waited, or waits, for another connection of a pool."""

    seconds: float
    owner: str
    site: str
    member: Member


def nested(use: Use) -> Iterator[Finding]:
    """Threads take, or wait for, a second connection of a pool: for each other.

    Evidence is who waits so now, who did when the pool timed out, and who was seen with
    two of them.
    """
    found = [second for each in use.members for second in seconds_of(each)]
    both = [
        (notice, each)
        for each in use.members
        for notice in each.notices
        if notice.kind == NESTED
    ]
    if found:
        yield _waited(use, found)
    elif both:
        yield _had_two(use, both)


def _waited(use: Use, found: list[Second]) -> Finding:
    """Somebody waited, with one of its own out."""
    worst = max(found, key=lambda each: each.seconds)
    return _finding(
        use,
        [each.member for each in found],
        worst.site,
        "waits for",
        f"{worst.owner or 'a thread'} in {worst.member.who} waited for "
        f"{lasting(worst.seconds)} for a pool{_places(worst.member)} with one of its "
        f"own out; {many(len(found), 'such wait')} known",
    )


def _had_two(use: Use, found: list[tuple[Notice, Member]]) -> Finding:
    """Somebody had two out at once, and nobody had to wait."""
    last, member = found[-1]
    return _finding(
        use,
        [each for _, each in found],
        last.site,
        "takes",
        f"{last.owner or 'a thread'} in {member.who} had two out at once of a pool"
        f"{_places(member)}; nobody is known to have waited for that",
    )


def _finding(
    use: Use, members: list[Member], site: str, what: str, evidence: str
) -> Finding:
    """What a thread does with a second one, as it ``takes``, or ``waits for``, it."""
    return Finding(
        WARN if what == "takes" else CRIT,
        "nested-checkout",
        use.progname,
        hosts(each.process.identity.hostname for each in members),
        use.name,
        site,
        f"a thread that has a connection {what} a second one of the same pool"
        f"{at(site)}",
        evidence,
        f"use the connection or session that it has{at(site)}; with two for "
        "each thread, a pool that has fewer places than threads, and one, can lock up",
    )


def _places(member: Member) -> str:
    """How many there are, if that is known."""
    capacity = member.capacity
    return "" if capacity is None else f" of {many(capacity, 'place')}"


def is_nested(member: Member) -> bool:
    """Whether there is such evidence."""
    return any(True for _ in seconds_of(member))


def seconds_of(member: Member) -> Iterator[Second]:
    """Those who wait, or waited, with a connection of the same pool out."""
    for waiter in member.process.waiters:
        if waiter.holds and waiter.pool == member.record.id:
            ago = member.ago(waiter.since)
            yield Second(ago, waiter.owner, waiter.site, member)
    # Who gave up after others had is in their incidents as well.
    longest: dict[tuple[str, float], Second] = {}
    for incident in member.incidents:
        for each in (incident.victim, *incident.waiters):
            if not each.holds:
                continue
            seconds = incident.seconds(each.since)
            known = longest.get((each.owner, each.since))
            if known is None or known.seconds < seconds:
                second = Second(seconds, each.owner, each.site, member)
                longest[each.owner, each.since] = second
    yield from longest.values()
