"""``connmon timeouts``: each pool that timed out, with who held and who waited then."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from connmon.console import batch, clock, figures, stream, terminal
from connmon.console.cells import harmless, sentence
from connmon.console.marks import Values, number
from connmon.console.options import DEFAULT_DELAY, Target, add_target, joined, target
from connmon.console.options import count as count_of
from connmon.console.text import UNICODE, Glyphs
from connmon.errors import ConnmonError, QueryError
from connmon.views.answer import checked
from connmon.views.frame import Frame
from connmon.views.query import WHOLE, Query
from connmon.views.schema import TIMEOUTS, Taking

NOTHING = "no checkout has timed out"
"""What is said where there is nothing to show."""


def main(argv: Sequence[str], program: str) -> int:
    """Print what the nodes kept, the newest first; the exit status."""
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
        description="Pools that timed out: who held the connections, and who waited.",
        allow_abbrev=False,
    )
    add_target(parser)
    _add_choice(parser)
    given = parser.parse_args(joined(argv))
    query = Query(
        TIMEOUTS,
        where=(given.filter,) if given.filter.strip() else (),
        limit=1 if given.last else given.count or WHOLE,
    )
    try:
        checked(query)
    except QueryError as error:
        parser.error(f"argument --filter: {error}")
    return target(parser, given), query, "json" if given.json else "text"


def _add_choice(parser: argparse.ArgumentParser) -> None:
    """Which of them, and in which form."""
    group = parser.add_argument_group("what to show")
    few = group.add_mutually_exclusive_group()
    few.add_argument("--last", action="store_true", help="only the newest")
    few.add_argument(
        "-N",
        dest="count",
        metavar="COUNT",
        type=count_of,
        help="only so many of the newest",
    )
    group.add_argument(
        "--filter",
        metavar="TEXT",
        default="",
        help="only those that a filter of the view timeouts matches",
    )
    group.add_argument(
        "--json", action="store_true", help="one JSON object for each, on one line"
    )


def _print(nodes: Target, query: Query, form: str) -> int:
    from twisted.internet import reactor as global_reactor

    reactor: Any = global_reactor
    # Timers must not follow adjustments of the wall clock.
    reactor.seconds = time.monotonic
    glyphs = terminal.glyphs(dict(os.environ))

    def written(frame: Frame, at: float, first: bool) -> str:
        return as_json(frame, at) if form == "json" else as_text(frame, at, glyphs)

    return stream.run(reactor, nodes, query, written, DEFAULT_DELAY, iterations=1)


def as_json(frame: Frame, at: float) -> str:
    """One line for each timeout; none if there is none. The frame came ``at``."""
    return "".join(
        json.dumps({"time": _moment(row, at), **row}, allow_nan=False) + "\n"
        for row in batch.objects(frame, at)
    )


def _moment(row: Values, at: float) -> float | None:
    """The Unix time at which it was."""
    age = row["age_seconds"]
    return None if age is None else round(at - age, 3)


def as_text(frame: Frame, at: float, glyphs: Glyphs = UNICODE) -> str:
    """The same to be read by people, with an empty line between two."""
    found = [
        "\n".join(_told(dict(zip(frame.fields, row, strict=True)), at, glyphs))
        for row in frame.rows
    ]
    return "\n\n".join(found or [NOTHING]) + "\n"


def _told(values: Values, at: float, glyphs: Glyphs) -> list[str]:
    age = number(values.get("age_seconds"))
    when = "" if age is None else clock.told(at - age, clock.DATE_AND_TIME)
    names = [harmless(values.get(name), glyphs) for name in ("hostname", "progname")]
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
