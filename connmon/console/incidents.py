"""``connmon timeouts``: each pool that timed out, with who held and who waited then."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from connmon.console import clock, figures
from connmon.console.cells import harmless, sentence
from connmon.console.listing import Listing
from connmon.console.marks import Values, number
from connmon.console.options import count as count_of
from connmon.console.text import Glyphs
from connmon.views.query import WHOLE, Query
from connmon.views.schema import TIMEOUTS, Taking


class Timeouts(Listing):
    """What the nodes kept of pools that timed out, the newest first."""

    view = TIMEOUTS
    description = "Pools that timed out: who held the connections, and who waited."
    nothing = "no checkout has timed out"

    def add_choice(self, group: argparse._ArgumentGroup) -> None:
        """Add how many of them."""
        few = group.add_mutually_exclusive_group()
        few.add_argument("--last", action="store_true", help="only the newest")
        few.add_argument(
            "-N",
            dest="count",
            metavar="COUNT",
            type=count_of,
            help="only so many of the newest",
        )

    def query(self, given: argparse.Namespace) -> Query:
        """What to ask for, by that."""
        return Query(TIMEOUTS, limit=1 if given.last else given.count or WHOLE)

    def object(self, row: Values, at: float) -> Mapping[str, object]:
        """The row, with the Unix time at which it was."""
        age = number(row["age_seconds"])
        return {"time": None if age is None else round(at - age, 3), **row}

    def lines(self, values: Values, at: float, glyphs: Glyphs) -> list[str]:
        """Which pool, when, how full it was, who gave up, who held and who waited."""
        age = number(values.get("age_seconds"))
        when = "" if age is None else clock.told(at - age, clock.DATE_AND_TIME)
        names = [
            harmless(values.get(name), glyphs) for name in ("hostname", "progname")
        ]
        pid = number(values.get("pid"))
        names[1] += "" if pid is None else f"[{int(pid)}]"
        pool = harmless(values.get("pool_name"), glyphs)
        return [
            "  ".join(filter(None, (when, *names, pool))),
            f"  {_full(values)}",
            f"  {_victim(values, glyphs)}",
            *_takings("held by", values.get("holders"), glyphs),
            *_takings("waiting", values.get("waiters"), glyphs),
        ]


def _full(values: Values) -> str:
    """How full the pool was, and how often it has timed out."""
    held, capacity, waiting, timeouts = (
        None if (value := number(values.get(name))) is None else int(value)
        for name in ("held", "capacity", "waiting", "timeouts")
    )
    of = "" if capacity is None else f" of {figures.count(capacity)}"
    return (
        f"{figures.count(held)}{of} out, {figures.count(waiting)} more waiting, "
        f"{figures.count(timeouts)} timed out so far"
    )


def _victim(values: Values, glyphs: Glyphs) -> str:
    """Who gave up, where, and after how long."""
    waited = figures.duration(number(values.get("waited_seconds")))
    owner = harmless(values.get("owner"), glyphs) or "somebody"
    site = sentence(values.get("site"), glyphs)
    tag = harmless(values.get("tag"), glyphs)
    said = f"{owner} gave up after {waited}" + (f" at {site}" if site else "")
    return f"{said}  tag {tag}" if tag else said


def _takings(title: str, value: object, glyphs: Glyphs) -> list[str]:
    """A line for each of those who had a connection, or waited for one."""
    lines = []
    for each in value if isinstance(value, (list, tuple)) else ():
        taking = Taking(*each)
        said = [
            figures.duration(number(taking.seconds)).rjust(6),
            sentence(taking.site, glyphs) or figures.UNKNOWN,
            harmless(taking.owner, glyphs),
            "" if taking.session is None else f"session {taking.session}",
            _named("from", taking.address, glyphs),
            _named("tag", taking.tag, glyphs),
        ]
        lines.append("    " + "  ".join(filter(None, said)))
    return [f"  {title}:", *lines] if lines else []


def _named(word: str, name: str, glyphs: Glyphs) -> str:
    """A name after a word for what it is; empty without one."""
    said = harmless(name, glyphs)
    return f"{word} {said}" if said else ""


main = Timeouts().main
