"""Commands that print the rows of a view, a few lines or one object each, and end."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, NamedTuple

from connmon.console import batch, stream, terminal
from connmon.console.command import ended, warn
from connmon.console.marks import Values
from connmon.console.options import DEFAULT_DELAY, Target, add_target, joined, target
from connmon.console.text import UNICODE, Glyphs
from connmon.errors import QueryError
from connmon.views.answer import checked
from connmon.views.frame import Frame
from connmon.views.query import Query
from connmon.wire.reactor import steady_reactor


class Asked(NamedTuple):
    """Which nodes to ask, for what, and how to write it: ``json`` or ``text``."""

    target: Target
    query: Query
    form: str


class Listing:
    """One such command."""

    view: ClassVar[str]
    description: ClassVar[str]
    nothing: ClassVar[str]
    """What is said where there is no row."""

    def add_choice(self, group: argparse._ArgumentGroup) -> None:
        """Add the arguments by which rows are chosen, besides a filter."""

    def query(self, given: argparse.Namespace) -> Query:
        """What to ask for, by those."""
        return Query(self.view)

    def object(self, row: Values, at: float) -> Mapping[str, object]:
        """What a row is as JSON, which came ``at`` this Unix time."""
        return row

    def lines(self, values: Values, at: float, glyphs: Glyphs) -> list[str]:
        """What a row is to be read by people."""
        raise NotImplementedError

    def main(self, argv: Sequence[str], program: str) -> int:
        """Print what the nodes have; the exit status."""
        return ended(program, lambda: self._print(self.parse(argv, program), program))

    def parse(self, argv: Sequence[str], program: str) -> Asked:
        """Read the command line.

        A bad option ends the program with status 2; raises ``ConfigError`` for a bad
        config, or a service or node that it lacks.
        """
        parser = argparse.ArgumentParser(
            prog=program, description=self.description, allow_abbrev=False
        )
        add_target(parser)
        group = parser.add_argument_group("what to show")
        self.add_choice(group)
        group.add_argument(
            "--filter",
            metavar="TEXT",
            default="",
            help=f"only those that a filter of the view {self.view} matches",
        )
        group.add_argument(
            "--json", action="store_true", help="one JSON object for each, on one line"
        )
        given = parser.parse_args(joined(argv))
        where = (given.filter,) if given.filter.strip() else ()
        query = replace(self.query(given), where=where)
        try:
            checked(query)
        except QueryError as error:
            parser.error(f"argument --filter: {error}")
        return Asked(target(parser, given), query, "json" if given.json else "text")

    def _print(self, asked: Asked, program: str) -> int:
        warn(program, asked.target.warnings)
        glyphs = terminal.glyphs(dict(os.environ))

        def written(frame: Frame, at: float, first: bool) -> str:
            if asked.form == "json":
                return self.as_json(frame, at)
            return self.as_text(frame, at, glyphs)

        return stream.run(
            steady_reactor(),
            asked.target,
            asked.query,
            written,
            DEFAULT_DELAY,
            iterations=1,
        )

    def as_json(self, frame: Frame, at: float) -> str:
        """One line for each row; none if there is none."""
        return "".join(
            json.dumps(self.object(row, at), allow_nan=False) + "\n"
            for row in batch.objects(frame, at)
        )

    def as_text(self, frame: Frame, at: float, glyphs: Glyphs = UNICODE) -> str:
        """The same to be read by people, with an empty line between two."""
        found = [
            "\n".join(self.lines(dict(zip(frame.fields, row, strict=True)), at, glyphs))
            for row in frame.rows
        ]
        return "\n\n".join(found or [self.nothing]) + "\n"
