"""From where on a program is not well, for ``connmon check``: figures and states."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from connmon.console import figures
from connmon.console.marks import Values, number
from connmon.views.alert import IDLE_IN_TXN, LEAKING, UNREACHABLE, USED

OK, WARNING, CRITICAL, UNKNOWN = range(4)
"""The exit statuses of a plugin."""

_HUNDRED = 100.0


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


def counted(one: str, many: str) -> Callable[[float], str]:
    """How to say so many: ``1 leak``, ``2 leaks``."""
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
        counted("timeout", "timeouts"),
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
        counted("leak", "leaks"),
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
