"""``connmon timeouts``: each timeout of a pool, with who held and who waited then."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from connmon.console import blackbox
from connmon.console.listing import Listing
from connmon.console.marks import Values, number
from connmon.console.options import count as count_of
from connmon.console.text import Glyphs
from connmon.views.query import WHOLE, Query
from connmon.views.schema import TIMEOUTS


class Timeouts(Listing):
    """What the nodes kept of checkouts that timed out, the newest first."""

    view = TIMEOUTS
    description = "Checkouts that timed out: who held the connections, and who waited."
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
        return blackbox.lines(values, at, glyphs)


main = Timeouts().main
