"""The console's command line, and which nodes it means."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from connmon import __version__, config
from connmon.console.column import column
from connmon.console.player import moment
from connmon.errors import ConfigError, QueryError
from connmon.views.answer import checked
from connmon.views.query import Query
from connmon.views.schema import PROGRAMS, VIEWS, Field, View
from connmon.wire.commands import MAX_FEED_SECONDS, MIN_FEED_SECONDS

DEFAULT_DELAY = 2.0

WIDEST = 10_000
"""The most cells of a line of plain text that one may ask for."""

COLORS = ("auto", "always", "never")

_MAY_BE_NEGATIVE = re.compile("--at|--filter|--sort|-[bO]*o")
"""Options whose argument may begin with a minus, those in one word with -o included."""

_NOT_OF_THE_PAST = {
    "record": "--record",
    "host": "-H/--host",
    "node": "-n/--node",
    "service": "-s/--service",
    "config": "-c/--config",
}
"""Options that say which node, or what to do with what it says."""


@dataclass(frozen=True, slots=True)
class Target:
    """Which nodes to look for: a service's, one node's, or whatever is at an address.

    ``service`` is empty for whichever service is found there.
    """

    service: str
    addresses: tuple[config.AnyAddress, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for.

    ``form`` is the batch form, ``None`` for the screen, and ``query`` what a batch
    shows. ``view``, ``delay`` and ``sort`` are ``None`` where the screen is to begin
    with what was kept from the last time. ``width`` is of plain text, ``color`` one of
    ``COLORS``. ``record`` and ``replay`` are files; ``at`` is where in it to begin,
    ``speed`` how fast. ``list_fields`` asks for the view's fields, and nothing else.
    """

    target: Target | None
    form: str | None
    query: Query
    view: str | None = None
    delay: float | None = None
    sort: str | None = None
    iterations: int | None = None
    width: int | None = None
    color: str = "auto"
    record: str | None = None
    replay: str | None = None
    at: str | None = None
    speed: float = 1.0
    list_fields: bool = False


def add_target(
    parser: argparse.ArgumentParser,
    node: str = "only this node; default: any of them",
    host: str = "HOST[:PORT] or unix:/PATH; no config is read",
) -> None:
    """Add the four options that every command takes, the last two in its own words."""
    group = parser.add_argument_group("which node")
    group.add_argument(
        "-c", "--config", metavar="FILE", help=f"default: {config.DEFAULT_PATH}"
    )
    group.add_argument(
        "-s", "--service", metavar="NAME", help=f"default: {config.DEFAULT_SERVICE}"
    )
    group.add_argument("-n", "--node", metavar="NAME", help=node)
    group.add_argument("-H", "--host", metavar="ADDRESS", help=host)


def parse(argv: Sequence[str], program: str) -> Wanted:
    """Read the command line.

    A bad option ends the program with status 2; raises ``ConfigError`` for a bad
    config, or a service or node that it lacks.
    """
    parser = _parser(program)
    given = parser.parse_args(joined(argv))
    _check_given(parser, given)
    view = VIEWS[given.view or PROGRAMS]
    _check_replay(parser, given)
    sort = None if given.sort is None else _order(parser, given.sort, view)
    query = Query(
        view.name,
        where=(given.filter,) if given.filter.strip() else (),
        sort=sort or "",
    )
    try:
        checked(query)
    except QueryError as error:
        parser.error(f"argument --filter: {error}")
    local = given.list_fields or given.replay is not None
    return Wanted(
        target=None if local else target(parser, given),
        form=given.form,
        query=query,
        view=given.view,
        delay=given.delay,
        sort=sort,
        iterations=given.iterations,
        width=given.width,
        color=given.color,
        record=given.record,
        replay=given.replay,
        at=given.at,
        speed=given.speed,
        list_fields=given.list_fields,
    )


def fields(view: View) -> str:
    """The fields of a view, a line each: name, heading and meaning."""
    name = max(len(each.name) for each in view.fields)
    heading = max(len(each.heading) for each in view.fields)
    return "".join(
        f"{each.name:{name}}  {each.heading:{heading}}  {each.meaning}\n"
        for each in view.fields
    )


def joined(argv: Sequence[str]) -> list[str]:
    """The arguments with such as ``-o -FIELD`` and ``--filter -TERM`` in one.

    argparse would take what follows the minus for options.
    """
    taken: list[str] = []
    for text in argv:
        minus = len(text) > 1 and text[0] == "-" != text[1]
        if minus and taken and _MAY_BE_NEGATIVE.fullmatch(taken[-1]):
            taken[-1] += f"={text}" if taken[-1].startswith("--") else text
        else:
            taken.append(text)
    return taken


def _check_given(parser: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    """Options with nothing but ``--`` for an argument, which argparse drops."""
    for name, value in vars(given).items():
        if isinstance(value, list):
            parser.error(f"argument --{name}: expected one argument")


def _check_replay(parser: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    """Options that go with a recording only, or not with one."""
    if given.replay is None:
        for name in ("at", "speed"):
            if getattr(given, name) is not None:
                parser.error(f"argument --{name}: only with --replay")
        given.speed = 1.0
        return
    for name, option in _NOT_OF_THE_PAST.items():
        if getattr(given, name) is not None:
            parser.error(f"argument {option}: not with --replay")
    given.speed = given.speed or 1.0


def _order(parser: argparse.ArgumentParser, text: str, view: View) -> str:
    """The order that ``-o`` means: + is downwards and - upwards, as in top."""
    name = text[1:] if text.startswith(("+", "-")) else text
    meant = view.meant(name) or _headed(view, name)
    if len(meant) != 1:
        wrong = f"several fields begin with {name[:40]!r}"
        if not meant:
            wrong = f"no field {name[:40]!r}"
        names = ", ".join(each.name for each in meant or view.fields)
        parser.error(
            f"argument -o/--sort: {wrong} in {view.name}, expected one of {names}"
        )
    (field,) = meant
    return field.order(text[: len(text) - len(name)])


def _headed(view: View, name: str) -> tuple[Field, ...]:
    """The fields over whose columns that stands on the screen, such as ``POOL worst``.

    There it may be another word than in the lists of fields.
    """
    said = name.casefold()
    return tuple(
        each
        for each in view.fields
        if said and column(view.name, each.name).heading.casefold() == said
    )


def target(parser: argparse.ArgumentParser, given: argparse.Namespace) -> Target:
    """Which nodes the four options mean. Raises ``ConfigError``."""
    if given.host is not None:
        if given.node is not None:
            parser.error("-H/--host and -n/--node: give one of them, not both")
        try:
            address = config.parse_address(given.host)
        except ConfigError as error:
            parser.error(f"argument -H/--host: {error}")
        return Target(given.service or "", (address,))
    settings = config.load(given.config)
    service = settings.service(given.service or config.DEFAULT_SERVICE)
    nodes = service.nodes if given.node is None else (service.node(given.node),)
    addresses = tuple(dict.fromkeys(node.hostname for node in nodes))
    return Target(service.name, addresses, settings.warnings)


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program,
        description="Shows database connections as the applications hold them.",
        epilog="Other commands: connmon listen, connmon demo, connmon timeouts, "
        "connmon who, connmon stack, connmon check, connmon run, connmon advice "
        "(each with --help).",
        allow_abbrev=False,
    )
    parser.add_argument(
        "-V", "--version", action="version", version=f"connmon {__version__}"
    )
    add_target(parser)
    _add_choice(parser)
    _add_batch(parser)
    _add_tape(parser)
    return parser


def _add_choice(parser: argparse.ArgumentParser) -> None:
    """What is shown, and how."""
    group = parser.add_argument_group("what to show")
    group.add_argument(
        "--view",
        choices=tuple(VIEWS),
        help=f"default: {PROGRAMS}, on the screen the one that was kept",
    )
    group.add_argument(
        "--filter",
        metavar="TEXT",
        default="",
        help="only these rows: text, field:text, field>number, !text ...",
    )
    group.add_argument(
        "-o",
        "--sort",
        metavar="[+|-]FIELD",
        help="order by a field; + puts the largest first, - the smallest",
    )
    group.add_argument(
        "-O",
        "--list-fields",
        action="store_true",
        help="list the view's fields, and end",
    )
    group.add_argument(
        "-d",
        "--delay",
        metavar="SECONDS",
        type=_delay,
        help=f"between two ticks; default: {DEFAULT_DELAY:g}; a recording has its own",
    )
    group.add_argument(
        "--color",
        choices=COLORS,
        default="auto",
        help="colours on the screen; default: as the terminal and NO_COLOR say",
    )


def _add_batch(parser: argparse.ArgumentParser) -> None:
    """What is written instead of a screen."""
    batch = parser.add_argument_group("without a screen")
    form = batch.add_mutually_exclusive_group()
    for flags, name, what in (
        (("-b", "--batch"), "text", "plain text"),
        (("--json", "--dump-only"), "json", "one JSON object a tick, on one line"),
        (("--csv",), "csv", "one CSV line for each row and tick"),
        (("--logging",), "log", "the totals of each tick, on one line"),
    ):
        form.add_argument(
            *flags, action="store_const", const=name, dest="form", help=what
        )
    batch.add_argument(
        "-N",
        "--iterations",
        metavar="COUNT",
        type=count,
        help="end after so many ticks",
    )
    batch.add_argument(
        "-w",
        "--width",
        metavar="COLUMNS",
        type=_width,
        help="cut plain text to this width; default: not at all",
    )


def _add_tape(parser: argparse.ArgumentParser) -> None:
    """What is recorded, or played."""
    tape = parser.add_argument_group("recordings")
    tape.add_argument(
        "--record",
        metavar="FILE",
        help="keep all that the nodes tell in a file, meanwhile",
    )
    tape.add_argument("--replay", metavar="FILE", help="show what was recorded")
    tape.add_argument(
        "--at",
        metavar="TIME",
        type=_at,
        help="where to begin: 14:02, +90s from the start, -5m from the end",
    )
    tape.add_argument(
        "--speed",
        metavar="FACTOR",
        type=positive,
        help="on the screen, how many times as fast as it was; default: 1",
    )


def _at(text: str) -> str:
    """A moment of a recording; which one it is depends on that."""
    try:
        moment(text, 0.0, 0.0)
    except QueryError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _delay(text: str) -> float:
    """Seconds between two ticks, within what a node is willing to serve."""
    value = positive_seconds(text)
    if not MIN_FEED_SECONDS <= value <= MAX_FEED_SECONDS:
        raise argparse.ArgumentTypeError(
            f"{text!r}, expected seconds from {MIN_FEED_SECONDS:g} "
            f"to {MAX_FEED_SECONDS:g}"
        )
    return value


def positive_seconds(text: str) -> float:
    """A number of seconds, more than none."""
    return positive(text, "seconds")


def positive(text: str, what: str = "a number") -> float:
    """A number, more than none."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value) or value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r}, expected {what}, more than 0")
    return value


def count(text: str) -> int:
    """How many ticks."""
    return _whole(text, 10**18 - 1, "expected a whole number from 1")


def _width(text: str) -> int:
    """How many cells a line may have: sentences are given what is left over."""
    return _whole(text, WIDEST, f"expected a whole number from 1 to {WIDEST}")


def _whole(text: str, most: int, expected: str) -> int:
    plain = text.isascii() and text.isdigit() and len(text) <= len(str(most))
    if not plain or not 1 <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"{text[:20]!r}, {expected}")
    return int(text)
