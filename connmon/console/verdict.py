"""What ``connmon check`` makes of the programs: a status, and one line for a monitor.

The line and its figures are in the form that the Monitoring Plugins have agreed on::

    CONNMON CRITICAL - vm payments STUCK: 2 waiting, pool full | 'waiting'=2;;0;0 ...

A figure is ``'label'=value[unit];warning;critical;minimum;maximum``. Both thresholds
are the largest values that are well: as here whole numbers are told, ``0`` says that 1
is too many. Of durations and shares it is the threshold itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from connmon.console import figures
from connmon.console.cells import harmless, sentence
from connmon.console.marks import Values, number
from connmon.console.text import UNICODE
from connmon.views.alert import IDLE_IN_TXN, LEAKING, STATES, UNREACHABLE, USED, WELL
from connmon.views.frame import Frame

OK, WARNING, CRITICAL, UNKNOWN = range(4)
"""The exit statuses of a plugin."""

_WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")

_HUNDRED = 100.0


class Verdict(NamedTuple):
    """An exit status, and the line that goes with it, without its end."""

    status: int
    line: str


class Bounds(NamedTuple):
    """From which value on a figure is worth a warning, or critical; ``None``: never."""

    warning: float | None = None
    critical: float | None = None

    def level(self, value: float | None) -> int:
        """The status that a value leads to; what is not known is well."""
        if value is None:
            return OK
        if self.critical is not None and value >= self.critical:
            return CRITICAL
        return WARNING if self.warning is not None and value >= self.warning else OK


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure of programs that there can be thresholds for.

    ``name`` is that of its options, ``label`` that of its value, which is in ``unit``.
    It is read from ``field``; that of all programs is their ``total``. ``words`` say a
    program's, unless its reason has ``said`` in it. One that ``counts`` is a whole
    number.
    """

    name: str
    label: str
    field: str
    total: Callable[[Iterable[float]], float]
    words: Callable[[float], str]
    said: str
    unit: str = ""
    counts: bool = False
    maximum: str = ""
    meaning: str = ""

    def value(self, row: Values) -> float | None:
        """A program's figure, shares in percent; ``None`` if it is not known."""
        return number(row.get(self.field))

    def of_all(self, rows: Iterable[Values]) -> float | None:
        """That of all programs, ``None`` if it is not known of any."""
        known = [value for row in rows if (value := self.value(row)) is not None]
        return self.total(known) if known else None

    def blames(self, row: Values, bounds: Bounds, level: int) -> int:
        """How much of the level of all is this program's doing."""
        value = self.value(row)
        if self.total is sum:
            return level if value else OK
        return bounds.level(value)


class Share(Measure):
    """A share, of which thresholds are in percent."""

    __slots__ = ()

    def value(self, row: Values) -> float | None:
        """In percent. A share that is not all is less than 100, however near."""
        share = number(row.get(self.field))
        if share is None:
            return None
        # To so many digits, or 0.29 would not reach 29 %.
        percent = round(share * _HUNDRED, 6)
        return min(percent, 99.999) if share < 1.0 else percent


def _counted(one: str, many: str) -> Callable[[float], str]:
    return lambda value: f"{value:.0f} {one if value == 1 else many}"


MEASURES = (
    Share(
        "used",
        "pool_used",
        "pool_worst",
        max,
        lambda value: f"pool {int(value)} % used",
        "pool ",
        unit="%",
        maximum="100",
        meaning="percent of the places of the fullest pool that are taken",
    ),
    Measure(
        "waiting",
        "waiting",
        "waiting",
        sum,
        lambda value: f"{value:.0f} waiting",
        "waiting",
        counts=True,
        meaning="how many wait for a connection",
    ),
    Measure(
        "timeouts",
        "timeouts",
        "timeouts_per_minute",
        sum,
        _counted("timeout", "timeouts"),
        "timeout",
        counts=True,
        meaning="checkouts that timed out in the last 60 seconds",
    ),
    Measure(
        "age",
        "oldest_checkout",
        "oldest_seconds",
        max,
        lambda value: f"oldest checkout {figures.duration(value)}",
        "oldest checkout",
        unit="s",
        meaning="seconds that the oldest checkout has lasted",
    ),
    Measure(
        "txn",
        "oldest_transaction",
        "txn_seconds",
        max,
        lambda value: f"transaction open {figures.duration(value)}",
        "transaction open",
        unit="s",
        meaning="seconds that the oldest transaction has been open",
    ),
    Measure(
        "leaks",
        "leaks",
        "leaks",
        sum,
        _counted("leak", "leaks"),
        "leak",
        unit="c",
        counts=True,
        meaning="connections proven to have leaked since the programs began",
    ),
)
"""All of them, in the order in which they are told."""

DEFAULTS: Mapping[str, Bounds] = {
    **{each.name: Bounds() for each in MEASURES},
    "used": Bounds(warning=USED * _HUNDRED),
    "waiting": Bounds(critical=1),
    "timeouts": Bounds(critical=1),
}
"""The thresholds without any option, by the measures' names."""

#: Those of which no threshold tells.
WARNING_STATES = (LEAKING, IDLE_IN_TXN)
CRITICAL_STATES = (UNREACHABLE,)

FIELDS = (
    *("hostname", "progname", "state", "reason", "nproc", "ckout", "stale"),
    *(each.field for each in MEASURES),
)
"""What must be known of each program."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What leads to which status: thresholds by the measures' names, and states."""

    bounds: Mapping[str, Bounds]
    warning_states: frozenset[str] = frozenset(WARNING_STATES)
    critical_states: frozenset[str] = frozenset(CRITICAL_STATES)

    def of_state(self, row: Values) -> int:
        """The status that a program's state leads to."""
        word = row.get("state")
        if word in self.critical_states:
            return CRITICAL
        return WARNING if word in self.warning_states else OK


def unknown(why: str) -> Verdict:
    """Nothing can be said, because of that."""
    return Verdict(UNKNOWN, _line(UNKNOWN, why))


def judged(frame: Frame, limits: Limits, *, filtered: bool = False) -> Verdict:
    """What a frame of the programs, of which ``FIELDS`` were asked, comes to.

    ``filtered`` says that they are not all there are.
    """
    rows = [dict(zip(frame.fields, row, strict=True)) for row in frame.rows]
    if not rows:
        matching = " that the filter matches" if filtered else ""
        return unknown(f"no program is known{matching}")
    processes, stale = _sum(rows, "nproc"), _sum(rows, "stale")
    totals = {each.name: each.of_all(rows) for each in MEASURES}
    blamed = _blamed(rows, limits, totals)
    status = max((level for level, _ in blamed), default=OK)
    if processes and stale >= processes:
        return unknown(_not_heard(stale))
    if status == OK:
        if not processes:
            return unknown("no process is running")
        if part := frame.part():
            return unknown(f"only {part}, a node sends no more: use --filter")
        status = WARNING if stale else OK
    said = _blame(blamed) if blamed else _calm(rows, processes, stale)
    return Verdict(status, _line(status, said, _performance(totals, limits)))


def _blamed(
    rows: Sequence[Values], limits: Limits, totals: Mapping[str, float | None]
) -> list[tuple[int, Values]]:
    """The programs that are not well, with the status each leads to, worst first."""
    found = []
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
    return sorted(found, key=_badness, reverse=True)


def _badness(found: tuple[int, Values]) -> tuple[float, ...]:
    level, row = found
    words = list(STATES)
    word = row.get("state")
    place = words.index(word) if word in words else len(words)
    return (level, -place, *(number(row.get(n)) or 0.0 for n in _WORSE))


_WORSE = ("waiting", "pool_worst", "oldest_seconds")


def _blame(blamed: Sequence[tuple[int, Values]]) -> str:
    """The worst program in words, and how many more there are."""
    _, row = blamed[0]
    names = [harmless(row.get(name), UNICODE) for name in ("hostname", "progname")]
    word = harmless(row.get("state"), UNICODE)
    if word != WELL:
        names.append(word)
    reason = sentence(row.get("reason"), UNICODE)
    said = ", ".join(filter(None, (reason, *row["besides"])))
    more = f"; and {len(blamed) - 1} more" if len(blamed) > 1 else ""
    return f"{' '.join(filter(None, names))}: {said or 'its state'}{more}"


def _calm(rows: Sequence[Values], processes: float, stale: float) -> str:
    """What there is, if all of it is well."""
    said = [
        _counted("program", "programs")(sum(bool(row.get("nproc")) for row in rows)),
        _counted("process", "processes")(processes),
        f"{_counted('connection', 'connections')(_sum(rows, 'ckout'))} out",
    ]
    if stale:
        said.append(_not_heard(stale))
    return ", ".join(said)


def _not_heard(stale: float) -> str:
    return f"{_counted('process', 'processes')(stale)} not heard"


def _line(status: int, said: str, performance: str = "") -> str:
    """One line, in which the bar stands before the figures only."""
    text = sentence(said, UNICODE).replace("|", "/")
    parts = [f"CONNMON {_WORDS[status]} - {text}", performance]
    return " | ".join(filter(None, parts))


def _performance(totals: Mapping[str, float | None], limits: Limits) -> str:
    """The figures with their thresholds."""
    return " ".join(
        _figure(each, totals[each.name], limits.bounds[each.name]) for each in MEASURES
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
