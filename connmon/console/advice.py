"""``connmon advice``: what the figures say is wrong with how pools are used."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from connmon.console import batch, stream, terminal
from connmon.console.cells import harmless, sentence, sentences
from connmon.console.marks import Values
from connmon.console.options import DEFAULT_DELAY, Target, add_target, joined, target
from connmon.console.text import UNICODE, Glyphs
from connmon.errors import ConnmonError, QueryError
from connmon.views.answer import checked
from connmon.views.frame import Frame
from connmon.views.query import Query
from connmon.views.schema import ADVICE

NOTHING = "there is nothing to advise"
"""What is said where there is no finding."""


def main(argv: Sequence[str], program: str) -> int:
    """Print what there is to advise, the worst first; the exit status."""
    try:
        nodes, query, form = parse(argv, program)
        for warning in nodes.warnings:
            print(f"{program}: {warning}", file=sys.stderr)
        return _print(nodes, query, form)
    except ConnmonError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1


def parse(argv: Sequence[str], program: str) -> tuple[Target, Query, str]:
    """Which nodes to ask, for what, and how to write it: ``json`` or ``text``.

    A bad option ends the program with status 2; raises ``ConfigError`` for a bad
    config, or a service or node that it lacks.
    """
    parser = argparse.ArgumentParser(
        prog=program,
        description="What is wrong with how pools are used, how one knows, and what "
        "to do.",
        allow_abbrev=False,
    )
    add_target(parser)
    group = parser.add_argument_group("what to show")
    group.add_argument(
        "program",
        metavar="PROGRAM",
        nargs="?",
        help="only about programs of this name",
    )
    group.add_argument(
        "--filter",
        metavar="TEXT",
        default="",
        help="only those that a filter of the view advice matches",
    )
    group.add_argument(
        "--json", action="store_true", help="one JSON object for each, on one line"
    )
    given = parser.parse_args(joined(argv))
    query = Query(
        ADVICE,
        scope=() if given.program is None else (("progname", given.program),),
        where=(given.filter,) if given.filter.strip() else (),
    )
    try:
        checked(query)
    except QueryError as error:
        parser.error(f"argument --filter: {error}")
    return target(parser, given), query, "json" if given.json else "text"


def _print(nodes: Target, query: Query, form: str) -> int:
    from twisted.internet import reactor as global_reactor

    reactor: Any = global_reactor
    # Timers must not follow adjustments of the wall clock.
    reactor.seconds = time.monotonic
    glyphs = terminal.glyphs(dict(os.environ))

    def written(frame: Frame, at: float, first: bool) -> str:
        return as_json(frame, at) if form == "json" else as_text(frame, glyphs)

    return stream.run(reactor, nodes, query, written, DEFAULT_DELAY, iterations=1)


def as_json(frame: Frame, at: float) -> str:
    """One line for each finding; none if there is none. The frame came ``at``."""
    return "".join(
        json.dumps(row, allow_nan=False) + "\n" for row in batch.objects(frame, at)
    )


def as_text(frame: Frame, glyphs: Glyphs = UNICODE) -> str:
    """The same to be read by people, with an empty line between two."""
    found = [
        "\n".join(_told(dict(zip(frame.fields, row, strict=True)), glyphs))
        for row in frame.rows
    ]
    return "\n\n".join(found or [NOTHING]) + "\n"


def _told(values: Values, glyphs: Glyphs) -> list[str]:
    names = [
        harmless(values.get(name), glyphs)
        for name in ("severity", "rule", "progname", "pool_name")
    ]
    hosts = ", ".join(sentences(values.get("hostnames"), glyphs))
    names.insert(3, f"on {hosts}" if hosts else "")
    said = [
        sentence(values.get(name), glyphs) for name in ("finding", "evidence", "advice")
    ]
    finding, evidence, advice = said
    return [
        "  ".join(filter(None, names)),
        f"  {finding}",
        f"  evidence: {evidence}",
        f"  to do: {advice}",
    ]
