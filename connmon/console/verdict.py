"""What ``connmon check`` makes of it all: a status, and one line for a monitor.

The line and its figures are in the form that the Monitoring Plugins have agreed on::

    CONNMON CRITICAL - vm payments STUCK: 2 waiting, pool full | 'waiting'=2;;0;0 ...

A figure is ``'label'=value[unit];warning;critical;minimum;maximum``. Both thresholds
are the largest values that are well: as here whole numbers are told, ``0`` says that 1
is too many. Of durations and shares it is the threshold itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from connmon.console import ceilings
from connmon.console.cells import harmless, sentence
from connmon.console.marks import Values, number
from connmon.console.text import UNICODE
from connmon.console.thresholds import (
    MEASURES,
    OK,
    SERVER,
    UNKNOWN,
    WARNING,
    Bounds,
    Limits,
    Measure,
    counted,
)
from connmon.views.alert import STATES, WELL
from connmon.views.frame import Frame
from connmon.views.query import WHOLE, Query
from connmon.views.schema import PROGRAMS

_WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")


FIELDS = (
    *("hostname", "progname", "state", "reason", "nproc", "ckout", "stale"),
    *(each.field for each in MEASURES),
)
"""What must be known of each program."""


class Verdict(NamedTuple):
    """An exit status, and the line that goes with it, without its end."""

    status: int
    line: str


def unknown(why: str) -> Verdict:
    """Nothing can be said, because of that."""
    return Verdict(UNKNOWN, _line(UNKNOWN, why))


def questions(matching: str = "") -> tuple[Query, ...]:
    """What to ask a node: of the programs that a filter matches, and of servers.

    With a filter it must be known, too, which servers are those programs' own.
    """
    if not matching.strip():
        return (_programs(), ceilings.LIMITED)
    return (_programs(matching), ceilings.LIMITED, ceilings.USERS)


def _programs(*where: str) -> Query:
    return Query(PROGRAMS, where=where, fields=FIELDS, limit=WHOLE)


def judged(frames: Sequence[Frame], limits: Limits) -> Verdict:
    """What the answers to ``questions`` come to."""
    programs, servers, *users = map(_rows, frames)
    if not programs:
        matching = " that the filter matches" if users else ""
        return unknown(f"no program is known{matching}")
    if users:
        servers = ceilings.used_by(programs, servers, *users)
    processes, stale = _sum(programs, "nproc"), _sum(programs, "stale")
    totals = {each.name: each.of_all(programs) for each in MEASURES}
    blamed = _blamed(programs, limits, totals) + ceilings.blamed(servers, limits)
    status = max((level for level, _ in blamed), default=OK)
    if processes and stale >= processes:
        return unknown(_not_heard(stale))
    if status == OK:
        if not processes:
            return unknown("no process is running")
        if part := ", ".join(filter(None, (each.part() for each in frames))):
            return unknown(f"only {part}, a node sends no more: use --filter")
        status = WARNING if stale else OK
    said = _blame(blamed) if blamed else _calm(programs, processes, stale)
    totals[SERVER.name] = SERVER.of_all(servers)
    return Verdict(status, _line(status, said, _performance(totals, limits)))


def _rows(frame: Frame) -> list[Values]:
    return [dict(zip(frame.fields, row, strict=True)) for row in frame.rows]


def _blamed(
    rows: Sequence[Values], limits: Limits, totals: Mapping[str, float | None]
) -> list[tuple[int, str]]:
    """The programs that are not well, in words, worst first, each with its status."""
    found: list[tuple[int, Values]] = []
    for row in rows:
        levels = [limits.of_state(row)]
        for each in MEASURES:
            bounds = limits.bounds[each.name]
            levels.append(each.blames(row, bounds, bounds.level(totals[each.name])))
        if max(levels) > OK:
            words = [
                each.words(each.value(row) or 0.0)
                for each, level in zip(MEASURES, levels[1:], strict=True)
                if level and each.said not in str(row.get("reason") or "")
            ]
            found.append((max(levels), {**row, "besides": words}))
    found.sort(key=_badness, reverse=True)
    return [(level, _told(row)) for level, row in found]


def _badness(found: tuple[int, Values]) -> tuple[float, ...]:
    level, row = found
    words = list(STATES)
    word = row.get("state")
    place = words.index(word) if word in words else len(words)
    return (level, -place, *(number(row.get(n)) or 0.0 for n in _WORSE))


_WORSE = ("waiting", "pool_worst", "oldest_seconds")


def _told(row: Values) -> str:
    """Which program it is, and why it is not well."""
    names = [harmless(row.get(name), UNICODE) for name in ("hostname", "progname")]
    word = harmless(row.get("state"), UNICODE)
    if word != WELL:
        names.append(word)
    reason = sentence(row.get("reason"), UNICODE)
    said = ", ".join(filter(None, (reason, *row["besides"])))
    return f"{' '.join(filter(None, names))}: {said or 'its state'}"


def _blame(blamed: Sequence[tuple[int, str]]) -> str:
    """The first of the worst, and how many more are not well.

    So a program comes before a server that is no worse, as in the console's header.
    """
    _, worst = max(blamed, key=lambda each: each[0])
    return f"{worst}; and {len(blamed) - 1} more" if len(blamed) > 1 else worst


def _calm(rows: Sequence[Values], processes: float, stale: float) -> str:
    """What there is, if all of it is well."""
    said = [
        counted("program", "programs")(sum(bool(row.get("nproc")) for row in rows)),
        counted("process", "processes")(processes),
        f"{counted('connection', 'connections')(_sum(rows, 'ckout'))} out",
    ]
    if stale:
        said.append(_not_heard(stale))
    return ", ".join(said)


def _not_heard(stale: float) -> str:
    return f"{counted('process', 'processes')(stale)} not heard"


def _line(status: int, said: str, performance: str = "") -> str:
    """One line, in which the bar stands before the figures only."""
    text = sentence(said, UNICODE).replace("|", "/")
    parts = [f"CONNMON {_WORDS[status]} - {text}", performance]
    return " | ".join(filter(None, parts))


def _performance(totals: Mapping[str, float | None], limits: Limits) -> str:
    """The figures with their thresholds."""
    return " ".join(
        _figure(each, totals[each.name], limits.bounds[each.name])
        for each in (*MEASURES, SERVER)
    )


def _figure(measure: Measure, value: float | None, bounds: Bounds) -> str:
    """One of them; ``U`` is the form's word for what is not known."""
    told = "U" if value is None else f"{_number(value)}{measure.unit}"
    # A threshold is told as the largest value that is still well.
    less = 1.0 if measure.counts else 0.0
    warning, critical = (
        "" if each is None else _number(max(each - less, 0.0)) for each in bounds
    )
    return f"'{measure.label}'={told};{warning};{critical};0;{measure.maximum}".rstrip(
        ";"
    )


def _number(value: float) -> str:
    """Without exponent and superfluous zeros, whatever the locale."""
    text = f"{value:.3f}"
    return text.rstrip("0").rstrip(".")


def _sum(rows: Iterable[Values], name: str) -> float:
    return sum(number(row.get(name)) or 0 for row in rows)
