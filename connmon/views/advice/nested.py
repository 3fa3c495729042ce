"""The rule about a second checkout by who has a connection of the same pool already."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from connmon.views.advice.finding import CRIT, Finding, at, hosts, lasting, many
from connmon.views.advice.use import Member, Use


class Second(NamedTuple):
    """Somebody who waited, or waits, for another connection of a pool."""

    seconds: float
    owner: str
    site: str
    member: Member


def nested(use: Use) -> Iterator[Finding]:
    """Threads wait for a pool of which they hold a connection: for each other.

    Evidence is who does so now, and who did when the pool timed out.
    """
    found = [second for each in use.members for second in seconds_of(each)]
    if not found:
        return
    worst = max(found, key=lambda each: each.seconds)
    capacity = worst.member.capacity
    places = "" if capacity is None else f" of {many(capacity, 'place')}"
    yield Finding(
        CRIT,
        "nested-checkout",
        use.progname,
        hosts(each.member.process.identity.hostname for each in found),
        use.name,
        worst.site,
        "a thread that has a connection waits for a second one of the same pool"
        f"{at(worst.site)}",
        f"{worst.owner or 'a thread'} in {worst.member.who} waited for "
        f"{lasting(worst.seconds)} for a pool{places} with one of its own out; "
        f"{many(len(found), 'such wait')} known",
        f"use the connection or session that it has{at(worst.site)}; with two for "
        "each thread, a pool that has fewer places than threads, and one, can lock up",
    )


def is_nested(member: Member) -> bool:
    """Whether there is such evidence."""
    return any(True for _ in seconds_of(member))


def seconds_of(member: Member) -> Iterator[Second]:
    """Those who wait, or waited, with a connection of the same pool out."""
    for waiter in member.process.waiters:
        if waiter.holds and waiter.pool == member.record.id:
            ago = member.ago(waiter.since)
            yield Second(ago, waiter.owner, waiter.site, member)
    for incident in member.incidents:
        for each in (incident.victim, *incident.waiters):
            if each.holds:
                yield Second(each.seconds, each.owner, each.site, member)
