"""A verdict in words, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from connmon.console.figures import duration
from connmon.model.records import ABANDONED, COLLECTED, UNCLOSED, Identity
from connmon.run.witness import KINDS, UNRETURNED, Finding, Verdict
from connmon.wording import printable

WORDS = {
    UNRETURNED: "never returned",
    COLLECTED: "returned by the garbage collector",
    ABANDONED: "held by a thread or task that ended",
    UNCLOSED: "closed by nobody",
}

SILENT = (
    "no process reported: either none used an SQLAlchemy engine, or connmon is not "
    "installed for the Python that did"
)

MOST_LINES = 50
"""How many lines of code are listed; the rest is only counted."""

_MOST_NAMES = 3


def as_text(verdict: Verdict) -> list[str]:
    """What there is to read, line by line; the first one is the sum of it."""
    if not verdict.processes:
        return [SILENT]
    groups = _grouped(verdict.findings)
    lines = [_sum(verdict), *(_block(each) for each in groups[:MOST_LINES])]
    if groups[MOST_LINES:]:
        more = sum(len(each) for each in groups[MOST_LINES:])
        lines.append(f"and {_many(more, 'connection')} of other lines of code")
    if verdict.untold:
        lines.append(
            f"and {_many(verdict.untold, 'more leak')}, which came too fast to be told "
            "one by one"
        )
    if verdict.running:
        lines.append(f"not judged, for still running: {_processes(verdict.running)}")
    return lines


def as_object(verdict: Verdict, status: int) -> dict[str, Any]:
    """The same for machines, with the ``status`` of the command that was run."""
    return {
        "status": status,
        "processes": verdict.processes,
        "checkouts": verdict.checkouts,
        "untold": verdict.untold,
        "running": [_process(each) for each in verdict.running],
        "findings": [_finding(each) for each in verdict.findings],
    }


def _finding(found: Finding) -> dict[str, Any]:
    site, _, function = found.site.rpartition(" ")
    return {
        "kind": found.kind,
        "site": site,
        "function": function,
        "owner": found.owner,
        "tag": found.tag,
        "out_seconds": round(found.seconds, 3),
        **_process(found.process),
        "pool": found.pool,
        "session": found.session,
        "address": found.address,
        "last_word": found.silent is None,
    }


def _process(identity: Identity) -> dict[str, Any]:
    return {
        "hostname": identity.hostname,
        "program": identity.program,
        "pid": identity.pid,
    }


def _sum(verdict: Verdict) -> str:
    """How many of them there are, or that there are none."""
    watched = (
        f"{_many(verdict.processes, 'process', 'processes')}, "
        f"{_many(verdict.checkouts, 'checkout')}"
    )
    leaks = len(verdict.findings) + verdict.untold
    return f"{watched}, {_many(leaks, 'leak') if leaks else 'no leak'}"


def _grouped(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Those of one kind, line of code and kind of end together; most first."""
    groups: dict[tuple[str, str, bool], list[Finding]] = {}
    for each in findings:
        key = each.kind, each.site, each.silent is None
        groups.setdefault(key, []).append(each)
    return sorted(
        groups.values(),
        key=lambda group: (KINDS.index(group[0].kind), -len(group), group[0].site),
    )


def _block(group: Sequence[Finding]) -> str:
    """A line of code, and what it did."""
    first = group[0]
    owners = _few(dict.fromkeys(each.owner for each in group))
    said = [
        f"{printable(first.site) or 'a line that is not known'}"
        + (f" ({owners})" if owners else ""),
        "" if len(group) == 1 else f"{len(group)} times",
        _out(group),
        _processes([each.process for each in group]),
    ]
    return f"{WORDS[first.kind]}: {', '.join(filter(None, said))}"


def _out(group: Sequence[Finding]) -> str:
    """For how long they had been out, and how that is known."""
    times = sorted(each.seconds for each in group)
    span = dict.fromkeys((duration(times[0]), duration(times[-1])))
    told = f"out {' to '.join(span)}"
    if group[0].kind != UNRETURNED:
        return told
    silences = [each.silent for each in group if each.silent is not None]
    if not silences:
        return f"{told} at exit"
    return (
        f"{told} when the process ended without a last word, "
        f"{duration(max(silences))} after it was last heard"
    )


def _processes(found: Iterable[Identity]) -> str:
    """Which processes it was, of most programs first."""
    unique = dict.fromkeys((each.program, each.pid) for each in found)
    programs = Counter(program for program, _ in unique)
    told = []
    for program, count in programs.most_common():
        pids = [str(pid) for name, pid in unique if name == program]
        word = "pid" if count == 1 else "pids"
        told.append(f"{word} {_few(pids)} {printable(program)}")
    return _few(told, "; ")


def _few(words: Iterable[str], comma: str = ", ") -> str:
    """The first few, and how many more there are."""
    known = [printable(each) for each in words if each]
    more = len(known) - _MOST_NAMES
    if more > 0:
        known = [*known[:_MOST_NAMES], f"{more} more"]
    return comma.join(known)


def _many(count: int, one: str, several: str = "") -> str:
    return f"{count} {one if count == 1 else several or one + 's'}"
