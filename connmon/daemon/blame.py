"""Who held the connections when a pool timed out, in a sentence."""

from __future__ import annotations

from collections import Counter

from connmon.model.figures import places
from connmon.model.records import Holder, Incident
from connmon.wording import printable, shown

MOST = 300
"""Characters of such a sentence."""

_FEW = 3
"""Holders that are named, those of one line of the application together."""


def sentence(incident: Incident, times: int, *, named: bool = False) -> str:
    """What was so when a pool timed out, ``times`` of late.

    With ``named`` it says which pool, for processes that have several.
    """
    facts, bound = incident.facts, places(incident.facts)
    which = f"pool {shown(facts.name)}" if named else "pool"
    often = "" if times == 1 else f" {times} times"
    of = "" if bound is None else f" of {bound}"
    said = f"{which} timed out{often}: {incident.held}{of} out"
    if incident.waiting:
        said += f", {incident.waiting} more waiting"
    if incident.holders:
        said += f"; held by {_holders(incident)}"
    return said if len(said) <= MOST else said[: MOST - 3] + "..."


def _holders(incident: Incident) -> str:
    """The lines that hold the most connections, with how many; the most first."""
    found = Counter(map(_whose, incident.holders))
    said = [f"{name} ({count})" for name, count in found.most_common(_FEW)]
    if len(found) > _FEW or incident.held > len(incident.holders):
        said.append("...")
    return ", ".join(said)


def _whose(holder: Holder) -> str:
    """The line that took a connection, or who did, where that is not known."""
    return printable(holder.site or f"thread {holder.owner}")
