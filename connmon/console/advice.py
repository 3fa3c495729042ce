"""``connmon advice``: what the figures say is wrong with how pools are used."""

from __future__ import annotations

import argparse

from connmon.console.cells import harmless, sentence, sentences
from connmon.console.listing import Listing
from connmon.console.marks import Values
from connmon.console.text import Glyphs
from connmon.views.query import Query
from connmon.views.schema import ADVICE


class Advice(Listing):
    """What there is to advise, the worst first."""

    view = ADVICE
    description = (
        "What is wrong with how pools are used, how one knows, and what to do."
    )
    nothing = "there is nothing to advise"

    def add_choice(self, group: argparse._ArgumentGroup) -> None:
        """Add the program."""
        group.add_argument(
            "program",
            metavar="PROGRAM",
            nargs="?",
            help="only about programs of this name",
        )

    def query(self, given: argparse.Namespace) -> Query:
        """What to ask for, by that."""
        named = () if given.program is None else (("progname", given.program),)
        return Query(ADVICE, scope=named)

    def lines(self, values: Values, at: float, glyphs: Glyphs) -> list[str]:
        """What it is about, what is wrong, the evidence, and what to do."""
        names = [
            harmless(values.get(name), glyphs)
            for name in ("severity", "rule", "progname", "pool_name")
        ]
        hosts = ", ".join(sentences(values.get("hostnames"), glyphs))
        names.insert(3, f"on {hosts}" if hosts else "")
        said = [
            sentence(values.get(name), glyphs)
            for name in ("finding", "evidence", "advice")
        ]
        finding, evidence, advice = said
        return [
            "  ".join(filter(None, names)),
            f"  {finding}",
            f"  evidence: {evidence}",
            f"  to do: {advice}",
        ]


main = Advice().main
